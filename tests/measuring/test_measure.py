"""What a run says: densities and lines against closed forms, shares against their line."""

from fractions import Fraction

import numpy as np
import pytest
from scipy.stats import binom

import upsim
from upsim import (
    GLU,
    Add,
    Conv,
    Density,
    GroupNorm,
    LayerNorm,
    LeakyReLU,
    Linear,
    Multiply,
    Nearest,
    ReLU,
    Residual,
    Snake,
    Stack,
    SubpixelConv,
    Tanh,
    TransposedConv,
    WhiteNoise,
)
from upsim.measuring.circles import Circles
from upsim.measuring.plan import planned
from upsim.network.draws import Draws, mean_density
from upsim.network.feed import signals_of
from upsim.neural.backends import NumpyBackend
from upsim.neural.run import run_graph
from upsim.theory.lines.explained import lines_fed
from upsim.words.tolerance import probable, rounding, sampling

#: Of five standard errors nobody sees one by chance in a few hundred comparisons.
Z = 5.0


def one_activation() -> Stack:
    layers = [TransposedConv(2, 8, 8, 4), LeakyReLU(0.1), TransposedConv(8, 1, 4, 2)]
    return Stack(layers, 16000).draw(1)


def of_every_kind() -> Stack:
    return Stack(
        [
            TransposedConv(2, 8, 8, 4),
            GLU(),
            GroupNorm(2, 4),
            Residual([Conv(4, 4, 3, padding=1), Snake(4)]),
            LayerNorm(4),
            Conv(4, 4, 4, stride=2, padding=1),
            LeakyReLU(0.1),
            SubpixelConv(4, 2, 3, 2, padding=1),
            Tanh(),
        ],
        16000,
    ).draw(0)


def product() -> upsim.Graph:
    return upsim.Graph(
        [
            ("up", TransposedConv(2, 4, 8, 4), "mel"),
            ("bend", ReLU(), "up"),
            ("source", Conv(1, 4, 3, padding=1), "pitch"),
            ("product", Multiply(), ("bend", "source")),
            ("sum", Add(), ("product", "up")),
            ("post", Conv(4, 1, 3, padding=1), "sum"),
        ],
        inputs={"mel": 2, "pitch": 1},
        sample_rate=16000,
    ).draw(2)


def banded(stack: Stack, run: upsim.Prediction) -> np.ndarray:
    """Return the predicted density at the bins of a circle, averaged as the run averages."""
    count = round(run.measured.seconds / run.measured.circles * float(run.sample_rate))
    step = count // run.measured.period
    bins = np.array([k for k in range(count // 2 + 1) if k % step])
    places = bins * float(run.sample_rate) / count
    true = upsim.predict(stack, WhiteNoise(1.0), frequencies=places).psd
    band = np.floor(places / run.frequencies[1] + 0.5).astype(int)
    sizes = np.bincount(band)
    return np.array([np.bincount(band, row) / sizes for row in true])


def test_the_density_behind_one_activation_is_the_predicted_one():
    stack = one_activation()
    run = upsim.measure(stack, WhiteNoise(1.0), target_db=0.15, frequencies=65)
    off = (run.psd - banded(stack, run)) / run.measured.psd_error
    # The square of Student's t with 15 degrees has the mean 15/13 and a variance of 3.9.
    degrees = run.measured.degrees
    mean = degrees / (degrees - 2)
    variance = 3 * degrees**2 / ((degrees - 2) * (degrees - 4)) - mean**2
    assert abs(np.mean(off**2) - mean) < sampling(np.sqrt(variance), off.size)


def test_lines_behind_one_activation_are_the_predicted_ones():
    run = upsim.measure(one_activation(), WhiteNoise(1.0), target_db=0.15)
    true = {tone.fraction: tone for tone in upsim.predict(one_activation(), WhiteNoise(1.0)).tones}
    assert {Fraction(0), Fraction(1, 2)} <= {tone.fraction for tone in run.tones}
    for tone in run.tones:
        off = np.abs(tone.power - true[tone.fraction].power)
        assert np.all(off < Z * tone.error)
    for fraction, tone in true.items():
        bound = run.measured.bound(fraction)
        assert bound is None or np.all(tone.power < bound)


@pytest.mark.parametrize(
    "graph", [one_activation(), of_every_kind(), product()], ids=["chain", "every kind", "product"]
)
def test_shares_add_up_to_their_line(graph):
    signal = WhiteNoise(1.0) + upsim.Constant(0.5)
    run = upsim.measure(graph, signal, target_db=None, seconds=0.6)
    assert len(run.tones) > 2
    for tone in run.tones:
        shares = [share.amplitude for share in tone.contributions]
        scale = float(np.sum(np.abs(shares)))
        assert np.abs(np.sum(shares, axis=0) - tone.amplitude).max() < probable(2**12, scale)
        assert {share.cause for share in tone.contributions} & {"activation", "bias"}


def test_a_circle_is_the_middle_of_a_long_run():
    graph = Stack(
        [
            TransposedConv(2, 4, 9, 4, padding=1),
            ReLU(),
            Conv(4, 4, 5, padding=2, padding_mode="reflect"),
            Linear(2),
            Conv(4, 1, 4, stride=2),
        ],
        16000,
    ).draw(0)
    signals = signals_of(graph, WhiteNoise(1.0))
    grid = np.linspace(0, 8000, 17)
    plan = planned(graph, signals, grid, None, 8)
    draw = Draws(signals[0], 2, plan.length(0), graph.input_rate)
    start = lines_fed(graph, signals[0], 0, plan.periods[0])
    circles = Circles(plan, [draw], [start], NumpyBackend(), grid, 8, 3)
    fed = draw(np.random.default_rng([3, 0, 0]))
    circles.run(1)
    long = run_graph(graph, [np.tile(fed, 5)[None]])[graph.end][0]
    count = plan.length(graph.end)
    middle = long[:, 2 * count : 3 * count].reshape(1, -1, plan.period).mean(axis=1)
    found = circles.sums.output.periods[0]
    assert np.abs(found - middle).max() < rounding(2**10, np.abs(long).max())


def test_a_silent_input_gives_the_steady_lines_and_their_shares():
    silent = upsim.measure(of_every_kind().upto(2), upsim.Silence())
    true = upsim.predict(of_every_kind().upto(2), upsim.Silence())
    assert [tone.fraction for tone in silent.tones] == [tone.fraction for tone in true.tones]
    for tone, other in zip(silent.tones, true.tones, strict=True):
        scale = float(np.abs(other.amplitude).max())
        assert np.abs(tone.amplitude - other.amplitude).max() < rounding(2**10, max(scale, 1.0))
        assert np.allclose(np.sum([s.amplitude for s in tone.contributions], 0), tone.amplitude)


def test_lines_and_noise_add_up_to_the_mean_square():
    run = upsim.measure(one_activation(), WhiteNoise(1.0), target_db=None, seconds=2.0)
    width = np.diff(run.frequencies)[0]
    integral = (run.psd[:, 1:-1].sum(axis=1) + run.psd[:, [0, -1]].sum(axis=1) / 2) * width
    # The bins of the lines are a share of one in so many of the circle.
    share = 2 / (run.measured.seconds / run.measured.circles * 16000 / run.measured.period)
    assert np.all(np.abs(integral / run.noise_power - 1) < share)


def test_a_narrow_band_keeps_its_power_on_any_circle():
    band = Density([999.5, 999.5, 1000.5, 1000.5], [0.0, 2.0, 4.0, 0.0])
    level = mean_density(band, 1, 100, Fraction(8000))
    width = 8000 / 100
    # Two-sided: all bins but 0 and half the rate stand for two.
    total = (2 * level[:, 1:-1].sum(axis=1) + level[:, 0] + level[:, -1]) * width
    assert abs(total[0] - 3.0) < rounding(200, 3.0)


@pytest.mark.parametrize("count", [64, 65])
def test_drawn_noise_has_the_density(count):
    shape = Density([0.0, 1000.0, 2000.0, 4000.0], [[4.0, 1.0, 3.0, 0.0]] * 2)
    rate = Fraction(8000)
    draw = Draws(shape + WhiteNoise(2.0), 2, count, rate)
    runs = np.array([draw(np.random.default_rng(each)) for each in range(4000)])
    power = np.abs(np.fft.rfft(runs, axis=2)) ** 2 / (count * 8000)
    true = mean_density(shape, 2, count, rate) + 2.0 / 8000
    scatter = power.std(axis=0, ddof=1)
    assert np.all(np.abs(power.mean(axis=0) - true) < sampling(1.0, 4000) * scatter)


def test_false_alarms_are_as_rare_as_said(monkeypatch):
    from upsim.theory.lines import statistics

    # At a chance of 0.2 a family there are enough of them to count.
    monkeypatch.setattr(statistics, "FALSE_ALARM", 0.2)
    rng, runs = np.random.default_rng(0), 2000
    alarms = 0
    # Noise whose lines are not circular: real parts of another size than imaginary ones.
    mixing = rng.standard_normal((16, 16))
    for _ in range(runs):
        periods = rng.standard_normal((12, 1, 16)) @ mixing
        found = statistics.line_statistics(periods, np.ones(12), np.zeros(1))
        alarms += bool(found.listed.any())
    # Bonferroni's bound is from above; places that go together are fewer.
    low, high = binom.interval(1 - 1e-6, runs, 0.2)
    assert low / 3 < alarms <= high


def test_powers_are_free_of_the_scatter():
    from upsim.theory.lines.statistics import line_statistics

    rng, runs = np.random.default_rng(1), 3000
    true = 0.3 * np.cos(2 * np.pi * np.arange(8) / 4)
    found = [
        line_statistics(true + rng.standard_normal((8, 1, 8)), np.ones(8), np.zeros(1))
        for _ in range(runs)
    ]
    squares = np.array(
        [each.sides * (np.abs(each.amplitudes) ** 2 - each.squares) for each in found]
    )
    mean, scatter = squares.mean(axis=0), squares.std(axis=0)
    wanted = np.array([[0, 0, 2 * 0.15**2, 0, 0]])
    assert np.all(np.abs(mean - wanted) < sampling(1.0, runs) * scatter)


@pytest.mark.parametrize("trained_like", [False, True])
def test_intervals_cover_at_their_confidence(trained_like):
    """95 in 100 intervals hold the truth, for densities and for a line, over fixed seeds."""
    stack = one_activation()
    if trained_like:
        # Heavy taps and large biases, as training leaves them.
        rng = np.random.default_rng(5)
        heavy = 0.2 * rng.standard_t(3, (2, 8, 8))
        bias = rng.standard_normal(8)
        first = TransposedConv(2, 8, 8, 4, weight=heavy, bias=bias)
        stack = Stack([first, ReLU(), *[part.layer for part in stack.parts[2:]]], 16000)
    true = upsim.predict(stack, WhiteNoise(1.0), frequencies=3)
    tone = next(each for each in true.tones if each.fraction == Fraction(1, 2))
    seeds = 60
    inside_line, inside, truth = 0, np.zeros(0), None
    for seed in range(seeds):
        run = upsim.measure(
            stack, WhiteNoise(1.0), target_db=None, seconds=0.6, frequencies=9, seed=seed
        )
        found = next(each for each in run.tones if each.fraction == tone.fraction)
        low, high = run.measured.line_interval(found)
        inside_line += bool(low[0] <= tone.power[0] <= high[0])
        low, high = run.measured.density_interval(run.psd)
        truth = banded(stack, run) if truth is None else truth
        inside = np.append(inside, (low <= truth) & (truth <= high))
    low, high = binom.interval(1 - 1e-6, seeds, 0.95)
    assert low <= inside_line <= high
    # Bands are nearly independent of each other.
    low, high = binom.interval(1 - 1e-6, inside.size, 0.95)
    assert low <= inside.sum() <= high


def test_torch_measures_what_numpy_does():
    pytest.importorskip("torch", reason="torch is missing")
    arguments = {"target_db": None, "seconds": 0.6, "seed": 4}
    one = upsim.measure(of_every_kind(), WhiteNoise(1.0), **arguments)
    other = upsim.measure(of_every_kind(), WhiteNoise(1.0), backend="torch", **arguments)
    assert [t.fraction for t in one.tones] == [t.fraction for t in other.tones]
    assert np.allclose(one.psd, other.psd, rtol=probable(2**20, 1.0))
    single = upsim.measure(
        of_every_kind(), WhiteNoise(1.0), backend="torch", dtype="float32", **arguments
    )
    assert np.allclose(one.psd, single.psd, rtol=probable(2**12, 1.0, np.float32))


def test_nothing_random_is_the_witness_itself():
    run = upsim.measure(Stack([Nearest(2)], 16000), upsim.Silence())
    assert run.tones == ()
    assert run.psd is None
    assert "no tones: this output is silent" in repr(run)
