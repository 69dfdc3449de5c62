"""What closed forms miss: few inputs, gates, noise inside.  Judged by long plain runs."""

from fractions import Fraction

import numpy as np
import pytest
from scipy.signal import welch

import upsim
from upsim import (
    GLU,
    Conv,
    Graph,
    Input,
    LeakyReLU,
    ReLU,
    Stack,
    TransposedConv,
    WhiteNoise,
)
from upsim.neural.run import run_graph


def few_inputs() -> Graph:
    """One channel of noise, two activations: the closure is a decibel off at any width."""
    layers = [
        TransposedConv(1, 16, 8, 4, padding=2),
        LeakyReLU(0.1),
        Conv(16, 16, 3, padding=1),
        ReLU(),
        Conv(16, 1, 3, padding=1),
    ]
    return Stack(layers, 16000).draw(0)


def gate_behind_few_inputs() -> Graph:
    """A gate whose halves share few inputs makes lines that no width removes."""
    layers = [
        Conv(2, 32, 8, 4, padding=2, bias=False),
        Conv(32, 64, 1, bias=False),
        GLU(),
        TransposedConv(32, 1, 8, 4, padding=2, bias=False),
    ]
    return Stack(layers, 16000).draw(0)


def noise_inside() -> Graph:
    """A network that adds noise of its own, as vocoders with a source do."""
    return Graph(
        [
            ("up", TransposedConv(2, 8, 8, 4, padding=2), "mel"),
            ("bend", LeakyReLU(0.1), "up"),
            ("noise", Conv(1, 8, 3, padding=1), "source"),
            ("sum", upsim.Add(), ("bend", "noise")),
            ("bent", ReLU(), "sum"),
            ("post", Conv(8, 1, 3, padding=1), "bent"),
        ],
        inputs=[Input("mel", 2), Input("source", 1, WhiteNoise(0.1))],
        sample_rate=16000,
    ).draw(1)


@pytest.mark.parametrize("make", [few_inputs, gate_behind_few_inputs, noise_inside])
def test_lines_and_density_are_those_of_independent_long_runs(make):
    graph = make()
    run = upsim.measure(
        graph, {"mel": WhiteNoise(1.0)} if len(graph.inputs) > 1 else WhiteNoise(1.0), target_db=0.1
    )
    period, batches = run.measured.period, 32
    rng = np.random.default_rng(99)
    amplitudes, levels = [], []
    for _ in range(batches):
        # Ten times as much in all, with ends that are cut off.
        count = int(10 * run.measured.seconds * 16000) // batches // (8 * period) * (8 * period)
        fed = []
        for each, rate in zip(graph.inputs, graph.input_rates, strict=True):
            size = int((count + 64 * period) * rate / 16000)
            deviation = 1.0 if each.signal is None else np.sqrt(0.1)
            fed.append(deviation * rng.standard_normal((1, each.channels, size)))
        made = run_graph(graph, fed)[graph.end][0]
        kept = made[:, 32 * period : 32 * period + count]
        amplitudes.append(np.fft.rfft(kept.reshape(1, -1, period).mean(axis=1)) / period)
        rest = kept - np.tile(kept.reshape(1, -1, period).mean(axis=1), count // period)
        levels.append(welch(rest, 16000, nperseg=256, detrend=False)[1])
    amplitudes, levels = np.array(amplitudes)[:, 0], np.array(levels)[:, 0]
    mean = amplitudes.mean(axis=0)
    error = np.abs(amplitudes - mean).std(axis=0, ddof=1) / np.sqrt(batches)
    assert run.tones
    for tone in run.tones:
        number = int(tone.fraction * period)
        sides = 1 if tone.fraction in (0, Fraction(1, 2)) else 2
        own = tone.error[0] / (2 * np.sqrt(sides) * np.sqrt(tone.power[0]) * np.sqrt(sides))
        off = abs(abs(mean[number]) - np.sqrt(tone.power[0] / sides))
        # Five of both errors together; there are some twenty lines in all.
        assert off < 5 * np.hypot(error[number], own)
    for number in set(range(period // 2 + 1)) - {int(t.fraction * period) for t in run.tones}:
        sides = 1 if 2 * number % period == 0 else 2
        bound = np.sqrt(run.measured.bound(Fraction(number, period))[0] / sides)
        assert abs(mean[number]) < bound + 5 * error[number]
    # Both are averages over a band about each point, of different weights: they may differ by what
    # the curve bends from point to point, and by both errors.
    true, scatter = levels.mean(axis=0), levels.std(axis=0, ddof=1) / np.sqrt(batches)
    together = np.hypot(scatter, run.measured.psd_error[0])
    bend = np.abs(np.diff(true, n=2))
    off = np.abs(run.psd[0] - true)[1:-1] - bend
    # Welch's window takes in the lines beside it.
    beside = np.zeros(true.size, dtype=bool)
    for number in range(period // 2 + 1):
        place = number * 256 // period
        beside[max(0, place - 2) : place + 3] = True
    clear = ~beside[1:-1]
    assert clear.sum() > 60
    assert np.all(off[clear] < 5 * together[1:-1][clear])
