"""Lags that a budget averages over the phases: the lines do not feel it, the density says so."""

from __future__ import annotations

import numpy as np
import pytest

import upsim
from upsim.errors import TooLargeError
from upsim.operators.two_time import TwoTime
from upsim.theory.moments import EnsembleMoments
from upsim.theory.moments.propagation import propagate, starting_moments
from upsim.words.tolerance import rounding

SIGNAL = upsim.Constant(1.0) + upsim.WhiteNoise(1.0)
TIGHT = {"memory": 1.0}


def interpolated(levels: int, activation: upsim.layers.Activation) -> upsim.Stack:
    """Linear interpolation makes the variance periodic, and its kernel spans three samples."""
    layers: list[upsim.layers.Layer] = []
    for _ in range(levels):
        layers += [upsim.Linear(4, "triangle"), upsim.Conv(8, 8, 5, padding=2), activation]
    return upsim.Stack([*layers, upsim.Conv(8, 1, 1)], 48000)


def u_net() -> upsim.Stack:
    """Three levels of Wave-U-Net: decimation, linear interpolation, concatenated skips."""
    layers: list[upsim.layers.Layer] = [upsim.Conv(12, 16, 15, padding=7), upsim.LeakyReLU(0.2)]
    for channels in (12, 8, 4):
        before = 4 if channels == 4 else channels - 4
        deeper = upsim.Parallel(
            [], [upsim.Decimate(2), *layers, upsim.Linear(2, "triangle")], merge="concatenate"
        )
        layers = [
            upsim.Conv(before if channels > 4 else 1, channels, 15, padding=7),
            upsim.LeakyReLU(0.2),
            deeper,
            upsim.Conv(2 * channels + 4, channels, 5, padding=2),
            upsim.LeakyReLU(0.2),
        ]
    return upsim.Stack([*layers, upsim.Conv(4, 1, 1)], 22050)


@pytest.fixture
def few_lags(monkeypatch):
    """Keep two lags on each side only, as long kernels in deep stacks would."""
    monkeypatch.setattr("upsim.operators.two_time._FEWEST", 4)


CASES = {
    "linear, leaky": interpolated(3, upsim.LeakyReLU(0.1)),
    "linear, gelu": interpolated(2, upsim.GELU()),
    "u-net": u_net(),
}


def end(stack: upsim.Stack, budget: float) -> EnsembleMoments:
    """Return the record at the output."""
    place = propagate(stack, starting_moments(stack, [SIGNAL], provenance=False, budget=budget))
    last = place.end
    assert isinstance(last, EnsembleMoments)
    return last


@pytest.mark.usefixtures("few_lags")
@pytest.mark.parametrize("name", CASES)
def test_lines_need_short_lags_only(name):
    stack = CASES[name]
    whole, tight = (upsim.predict(stack, SIGNAL, **kind) for kind in ({}, TIGHT))
    assert any("averaged over the phases" in text for text in tight.assumptions)
    assert not any("averaged over the phases" in text for text in whole.assumptions)
    assert [t.fraction for t in tight.tones] == [t.fraction for t in whole.tones]
    total = sum(tone.power[0] for tone in whole.tones)
    for tone, same in zip(tight.tones, whole.tones, strict=True):
        # Sums of a few terms a layer, then a DFT of the period.
        bound = rounding(64 * len(stack.nodes) + 4096, total)
        assert abs(tone.power[0] - same.power[0]) <= bound
    # The variance is that of lag 0, which keeps its phases: so does the noise's power, the mean of
    # the density over an even grid that is longer than all lags.
    levels = [end(stack, budget).density(np.arange(4097) / 8192)[0] for budget in (2**31, 0)]
    powers = [np.concatenate([level, level[-2:0:-1]]).mean() for level in levels]
    assert abs(powers[0] - powers[1]) <= rounding(64 * len(stack.nodes) + 8192, powers[0])
    assert not np.array_equal(*levels)


@pytest.mark.usefixtures("few_lags")
def test_a_stationary_signal_loses_nothing():
    layers: list[upsim.layers.Layer] = []
    for _ in range(3):
        layers += [upsim.TransposedConv(8, 8, 8, 4, 2), upsim.ReLU()]
    stack = upsim.Stack([*layers, upsim.Conv(8, 1, 5)], 48000)
    noise = upsim.Constant(1.0) + upsim.Density([0, 100, 200], [1, 1, 0])
    whole, tight = (upsim.predict(stack, noise, **kind) for kind in ({}, TIGHT))
    assert np.array_equal(whole.psd, tight.psd)
    assert whole.assumptions == tight.assumptions


def periodic(period: int, reach: int, seed: int) -> TwoTime:
    """Noise filtered by taps that repeat: symmetric by construction."""
    rng = np.random.default_rng(seed)
    taps = rng.normal(size=(period, reach + 1))
    excess = np.zeros((period, 2 * reach + 1))
    for n in range(period):
        for lag in range(-reach, reach + 1):
            inside = range(max(0, -lag), min(reach + 1, reach + 1 - lag))
            other = taps[(n + lag) % period]
            excess[n, lag + reach] = sum(taps[n, k] * other[k + lag] for k in inside)
    return TwoTime(np.zeros((1, 1)) + np.zeros((period, period)), excess)


def steps(given: TwoTime, kernel: np.ndarray) -> TwoTime:
    """Taps of either kind and sums, one after the other; a decimation that meets every phase."""
    made = given.through_taps(np.outer(kernel, kernel), np.arange(kernel.size) - 1, 2)
    made = made.through_taps(np.diag([0.5, 1.0, 0.25]), np.arange(3), 1)
    made = made.plus(given, 0.3) + made.through_taps(np.eye(2), np.arange(2), 3)
    return made.decimated(5)


@pytest.mark.usefixtures("few_lags")
def test_linear_layers_are_exact_on_average_and_at_short_lags():
    kernel = np.array([0.5, 1.0, 0.5])
    full = periodic(3, 9, seed=1)
    short = TwoTime(
        full.fixed, full.excess[:, 9 - 4 : 9 + 5], full.averaged().excess[0, 9 + 5 :], 0
    )
    whole, tight = steps(full, kernel), steps(short, kernel)
    assert tight.far.size
    bound = rounding(256, 64 * float(np.abs(full.excess).sum()))
    averages = [each.averaged().excess[0] for each in (whole, tight)]
    size = max(each.size for each in averages)
    averages = [np.pad(each, (size - each.size) // 2) for each in averages]
    assert np.abs(averages[0] - averages[1]).max() <= bound
    rows = np.arange(max(whole.period, tight.period))
    near = np.arange(-tight.reach, tight.reach + 1)
    kept = tight.excess[rows % tight.period]
    same = whole.excess[rows % whole.period][:, whole.reach + near]
    assert np.abs(kept - same).max() <= bound


@pytest.mark.usefixtures("few_lags")
def test_a_kernel_longer_than_the_short_lags_is_refused():
    full = periodic(3, 9, seed=1)
    short = TwoTime(
        full.fixed, full.excess[:, 9 - 1 : 9 + 2], full.averaged().excess[0, 9 + 2 :], 0
    )
    with pytest.raises(TooLargeError, match="a kernel of 9 samples needs more lags") as caught:
        short.through_taps(np.ones((9, 9)), np.arange(9), 2)
    assert "memory=2**33" in str(caught.value)


def test_short_lags_that_are_missing_are_noticed(monkeypatch):
    """Were the lags within a kernel's span not kept, lines would move; so that is refused."""
    stack = CASES["linear, leaky"]
    right = upsim.predict(stack, SIGNAL)
    monkeypatch.setattr("upsim.operators.two_time._FEWEST", 0)
    with pytest.raises(TooLargeError, match="needs more lags of each phase"):
        upsim.predict(stack, SIGNAL, **TIGHT)
    monkeypatch.setattr(TwoTime, "_reach_behind", lambda *_: 0)
    wrong = upsim.predict(stack, SIGNAL, **TIGHT)
    pairs = zip(wrong.tones, right.tones, strict=False)
    assert max(abs(a.power[0] / b.power[0] - 1) for a, b in pairs) > rounding(2**20, 1.0)
