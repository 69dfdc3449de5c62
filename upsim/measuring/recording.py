"""A recording through a network: one run with ends, its lines and its density.

The output is that of the whole recording.  Its lines are tested against their neighbours, and split
by sources; what the ends make is a share of its own.  The density is averaged over stretches of the
recording, whose scatter gives its error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upsim.errors import ArgumentError, ShapeError
from upsim.layers.base import Unmodelled
from upsim.measuring.sums import Seen, fetched
from upsim.network.draws import Draws
from upsim.network.graph import Graph
from upsim.network.node import Node
from upsim.network.signals import Signal
from upsim.network.walk import walk
from upsim.neural.backends import Backend
from upsim.operators.repeating import Repeating
from upsim.theory.lines.explained import MeanPeriods, explained, lines_fed
from upsim.theory.lines.recorded import terms
from upsim.theory.lines.repetition import common_time
from upsim.theory.lines.statistics import LEAST_TURNS, LineStatistics, beside_neighbours
from upsim.theory.lines.tones import Tone
from upsim.words.arguments import refuse_beyond_memory
from upsim.words.tolerance import probable
from upsim.words.units import format_hertz

Real = NDArray[np.float64]

#: Stretches of a recording whose densities are averaged.
STRETCHES = 16


@dataclass(frozen=True, eq=False)
class RecordedRun:
    """What a network made of recordings.

    Parameters
    ----------
    waveform : array (channels, n)
    tones : tuple of Tone
    found : LineStatistics
        Of all places where a line may be.
    period : int
        Samples of the output's period.
    """

    waveform: Real
    tones: tuple[Tone, ...]
    found: LineStatistics
    period: int


def run_recording(
    graph: Graph,
    signals: Sequence[Signal],
    backend: Backend,
    *,
    seconds: Fraction | None,
    seed: int,
) -> RecordedRun:
    """Run recordings, with the lines and the noise of the other inputs for as long."""
    span = common_time(graph, signals)
    periods = [int(span * rate) for rate in graph.value_rates]
    recordings = [
        signal.recording(each.channels, rate)
        for signal, each, rate in zip(signals, graph.inputs, graph.input_rates, strict=True)
    ]
    length = _seconds(graph, recordings, seconds)
    if length < LEAST_TURNS * span:
        raise ArgumentError(
            "the recording holds too few periods of the network",
            given=f"{float(length):.4g} s",
            expected=f"at least {LEAST_TURNS} periods of {float(span):.4g} s",
            fix="a longer recording",
        )
    numbers = [int(length * rate) for rate in graph.input_rates]
    lengths = graph.lengths(numbers[0])
    refuse_beyond_memory(
        4 * max(c * n for c, n in zip(graph.value_channels, lengths, strict=True)),
        "the run of the recording",
        fix=f"seconds={float(length / 4):.3g}",
    )
    starts = [
        lines_fed(graph, signal, number, periods[number]) for number, signal in enumerate(signals)
    ]
    fed = []
    for number, (signal, start, recording) in enumerate(
        zip(signals, starts, recordings, strict=True)
    ):
        count, rate = numbers[number], graph.input_rates[number]
        samples = Repeating(start.period).run(count)
        if recording is not None:
            samples = samples + recording[:, :count]
        draw = Draws(signal, len(samples), count, rate)
        fed.append(samples + draw(np.random.default_rng([seed, 0, number])))
    made: dict[str, Real] = {}
    gains: dict[str, Real] = {}

    def rule(node: Node, given: Sequence[Any]) -> Any:
        if node.merging:
            after = backend.merged(node.merging, given)
        else:
            after = backend.layer(node.layer, given[0])
        period = periods[node.output]
        turns = after.shape[2] // period
        if not turns:
            raise ShapeError(
                "a value is shorter than its period",
                given=f"{after.shape[2]} samples",
                expected=f"at least {period}",
                fix="a longer recording",
            )
        made[node.name] = backend.numpy(backend.folded(after, period)) / turns
        if not node.merging and graph.operators[node.output - len(graph.inputs)] is None:
            channels = graph.value_channels[node.output]
            parts = graph.value_channels[node.inputs[0]] // channels
            parts = 0 if isinstance(node.layer, Unmodelled) else parts
            whole = turns * period
            before, cut = given[0][:, :, :whole], after[:, :, :whole]
            seen = Seen.at(backend, before, cut, parts, period, gains=True)
            gains[node.name] = fetched({node.name: seen}, backend)[node.name].gains()
        return after

    with backend.running():
        inputs = [backend.array(each[None]) for each in fed]
        nothing = backend.array(np.zeros((0, 0, 0)))
        waveform = backend.numpy(walk(graph, inputs, rule, forget=nothing)[graph.end])[0]
    means = [_mean(samples, periods[number]) for number, samples in enumerate(fed)]
    size = np.sqrt(np.square(waveform).mean(axis=1))
    floor = probable(terms(graph), 1.0, backend.epsilon) * size
    found = beside_neighbours(waveform, periods[graph.end], floor)
    causes = ["input noise" if each is None else "recording" for each in recordings]
    run = MeanPeriods(means, causes, made, gains, ends=True)
    tones = explained(graph, signals, starts, run, found)
    return RecordedRun(waveform, tones, found, periods[graph.end])


def _mean(samples: Real, period: int) -> Real:
    turns = samples.shape[1] // period
    cut = samples[:, : turns * period].reshape(len(samples), turns, period)
    return np.asarray(cut.mean(axis=1))


def _seconds(graph: Graph, recordings: Sequence[Real | None], seconds: Fraction | None) -> Fraction:
    """Return the common duration of the recordings, cut to what was asked for."""
    spans = {
        each.name: samples.shape[1] / rate
        for each, samples, rate in zip(graph.inputs, recordings, graph.input_rates, strict=True)
        if samples is not None
    }
    if len(set(spans.values())) > 1:
        raise ShapeError(
            "the recordings have different lengths",
            given=", ".join(f"{name!r} of {float(span):g} s" for name, span in spans.items()),
            expected="one length in seconds, whatever the rates",
            fix="cut the longer ones, or pad the shorter ones with zeros",
        )
    length: Fraction = next(iter(spans.values()))
    if seconds is not None:
        length = min(length, Fraction(int(seconds * graph.input_rate)) / graph.input_rate)
    for rate in graph.input_rates:
        if (length * rate).denominator > 1:
            raise ShapeError(
                "the inputs have no common length",
                given=f"{float(length):g} s",
                expected=f"a whole number of samples at {format_hertz(rate)}",
                fix="cut or pad the recording",
            )
    return length


def stretched_density(rest: Real, rate: float, points: int) -> tuple[Real, Real, int]:
    """Return the density of samples and its standard error, (channels, points), and the stretches.

    Each stretch is averaged as ``scipy.signal.welch`` does.
    """
    from scipy.signal import welch

    segment = 2 * (points - 1)
    count = rest.shape[1] // segment
    stretches = min(STRETCHES, count)
    if stretches < 8:
        raise ArgumentError(
            "the recording is too short for a density of so many points",
            given=f"{rest.shape[1]} samples, frequencies={points}",
            expected=f"at least 8 stretches of {segment} samples",
            fix=f"frequencies={max(3, rest.shape[1] // 16 + 1)}",
        )
    size = rest.shape[1] // stretches
    levels = np.array(
        [
            welch(
                rest[:, number * size : (number + 1) * size],
                rate,
                nperseg=segment,
                detrend=False,
                axis=1,
            )[1]
            for number in range(stretches)
        ]
    )
    # welch halves what has no mirror image; a curve is to be read.
    levels[:, :, [0, -1]] *= 2
    return levels.mean(axis=0), levels.std(axis=0, ddof=1) / np.sqrt(stretches), stretches
