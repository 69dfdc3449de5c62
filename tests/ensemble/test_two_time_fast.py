"""The fast ways through taps and activations are the slow ones, to rounding."""

from __future__ import annotations

import numpy as np
import pytest
from gaussian.test_activations import ACTIVATIONS
from hypothesis import given
from hypothesis import strategies as st

import upsim
from ensemble.pair_by_pair import row_by_row, through_pairs_of_taps
from ensemble.test_two_time import covariances, dense
from upsim.gaussian import covariance
from upsim.gaussian.pairs import _AGREED, ACCURACY, ORDERS, strong_covariances
from upsim.operators.lag_filter import tap_factors
from upsim.operators.two_time import TwoTime
from upsim.theory.moments.channelmap import channel_map
from upsim.words.tolerance import rounding

SHARED = [layer for layer, _ in ACTIVATIONS if layer.channels_in is None]


@st.composite
def tap_covariances(draw: st.DrawFn) -> np.ndarray:
    """Independent taps, one kernel, a mixture of two, taps equal in groups, any covariance."""
    count = draw(st.integers(1, 7))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    kind = draw(st.sampled_from(["independent", "equal", "kernel", "two", "groups", "any"]))
    if kind == "independent":
        return np.diag(rng.uniform(0, 2, count) * (rng.random(count) < 0.8))
    if kind == "equal":
        return 0.3 * np.eye(count)
    rows = {"kernel": 1, "two": 2, "any": count, "groups": 1}[kind]
    spread = rng.normal(size=(rows, count))
    if kind == "groups":
        spread = np.kron(np.eye(2), np.ones((1, -(-count // 2))))[:, :count]
    return spread.T @ spread


def close(made: TwoTime, expected: TwoTime, bound: float) -> bool:
    """Tell whether two records say the same, over the longer of their periods."""
    count = max(made.period, expected.period, expected.turns) + 2 * expected.reach + 2
    return bool(np.abs(dense(made, count) - dense(expected, count)).max(initial=0.0) <= bound)


@given(covariances(), tap_covariances(), st.integers(1, 4), st.integers(-5, 5), st.integers(1, 3))
def test_taps_pair_by_pair(given_, taps, factor, first, dilation):
    positions = first + dilation * np.arange(len(taps))
    made = given_.through_taps(taps, positions, factor)
    expected = through_pairs_of_taps(given_, taps, positions, factor)
    # Elimination: a product and a difference a step; then two passes over the taps.
    operations = 2 * len(taps) + 4 * len(taps) + 8
    size = max(np.abs(given_.fixed).max(), np.abs(given_.excess).max())
    scale = len(taps) * float(np.trace(taps)) * len(taps) * float(size)
    assert close(made, expected, rounding(operations, scale))


def test_a_wrong_factor_is_noticed():
    taps = np.array([1.0, 2.0, -1.0])
    noise = TwoTime(np.ones((1, 1)), np.ones((1, 1)))
    expected = through_pairs_of_taps(noise, np.outer(taps, taps), np.arange(3), 2)
    wrong = noise.through_taps(np.outer(taps, np.abs(taps)), np.arange(3), 2)
    assert not close(wrong, expected, rounding(64, float(np.abs(taps).sum() ** 2)))


def test_a_kernel_of_whole_numbers_is_one_exact_factor():
    taps = np.array([3.0, -1.0, 0.0, 2.0])
    (found,) = tap_factors(np.outer(taps, taps))
    assert np.array_equal(found, taps)


@pytest.mark.parametrize(("count", "period"), [(8, 1), (4, 1), (9, 4), (6, 4), (3, 4)])
def test_equal_taps_over_whole_periods_leave_none_to_the_last_bit(count, period):
    """Sums over whole periods are one sum: no rounding makes a period where there is none."""
    rng = np.random.default_rng(count)
    wave, noise = rng.normal(size=(4, 4)), rng.normal(size=(4, 1))
    made = TwoTime(wave, noise).through_taps(np.eye(count) / 3, np.arange(count), 1)
    assert made.period == period


def correlated(rng: np.random.Generator, period: int, reach: int) -> TwoTime:
    """A record with strong and weak, positive and negative correlations, and one silent phase."""
    taps = rng.normal(size=(period, reach + 1)) * np.array([2.0, 0.3, 0.05, 1.0])[: reach + 1]
    wave = rng.normal(size=period)
    taps[1], wave[1] = 0.0, 0.0
    lags = (np.arange(period)[:, None] + np.arange(period)) % period
    excess = np.zeros((period, 2 * reach + 1))
    for n in range(period):
        for lag in range(-reach, reach + 1):
            other = taps[(n + lag) % period]
            inside = range(max(0, -lag), min(reach + 1, reach + 1 - lag))
            excess[n, lag + reach] = sum(taps[n, k] * other[k + lag] for k in inside)
    return TwoTime(wave[:, None] * wave[lags], 0.5 * excess)


def bound_of(moments, partner):
    """What the series of either length may miss, as `gaussian.series` derives it, and the cut."""
    wide, off = np.sqrt(moments.variance), moments.coefficients_error * np.sqrt(moments.order)
    wide, off = wide + np.zeros(moments.shape), off + np.zeros(moments.shape)
    own = ACCURACY + rounding(3 * moments.order + 16, 1.0)
    both = own * wide[:, None] * wide[partner]
    return both + off[:, None] * wide[partner] + wide[:, None] * off[partner]


@pytest.mark.parametrize("centred", [True, False], ids=["mean zero", "periodic mean"])
@pytest.mark.parametrize("layer", SHARED, ids=repr)
def test_activations_row_by_row(layer, centred):
    period, reach = 4, 3
    rng = np.random.default_rng(3)
    before = correlated(rng, period, reach)
    mean = np.zeros(period) if centred else rng.normal(size=period)
    deviation = np.sqrt(before.variance)
    new_mean, pointwise = channel_map(layer, mean, before.variance)
    made = before.mapped(pointwise)
    moments = layer.moments(mean, deviation, order=160)
    assert np.all(np.abs(new_mean - moments.mean) <= 2 * moments.mean_error)
    sample = np.arange(period)[:, None]
    for lags, given_ in (
        (np.arange(period), before.fixed),
        (np.arange(-reach, reach + 1), before.fixed[:, np.arange(-reach, reach + 1) % period]),
    ):
        whole = lags.size == 2 * reach + 1
        given_ = given_ + before.excess if whole else given_  # noqa: PLW2901
        partner = (sample + lags) % period
        expected, error = row_by_row(moments, deviation, given_, partner)
        found = made.tiled(period, period).fixed[:, lags % period]
        if whole:
            excess = made.tiled(period, period).excess
            found = found + excess
        # The correlation is known to rounding; the slope of the answer in it is at most this.
        steep = rounding(8, 1.0) * np.abs(moments.coefficients[1:] ** 2).sum(axis=0)
        slack = steep[:, None] + steep[partner] + 4 * bound_of(moments, partner)
        assert np.all(np.abs(found - expected) <= error + slack)


def test_a_gate_row_by_row():
    period, reach = 4, 3
    rng = np.random.default_rng(5)
    before, mean = correlated(rng, period, reach), rng.normal(size=period)
    _, pointwise = channel_map(upsim.GLU(), mean, before.variance)
    made = before.mapped(pointwise).tiled(period, period)
    gates = upsim.Sigmoid().moments(mean, np.sqrt(before.variance), order=160)
    sample = np.arange(period)[:, None]
    partner = (sample + np.arange(period)) % period
    opened, error = row_by_row(gates, np.sqrt(before.variance), before.fixed, partner)
    carriers, means = mean[:, None] * mean[partner], gates.mean[:, None] * gates.mean[partner]
    expected = (before.fixed + carriers) * (opened + means) - carriers * means
    size = np.abs(before.fixed + carriers)
    slack = size * (error + 4 * bound_of(gates, partner)) + rounding(16, float(size.max()))
    assert np.all(np.abs(made.fixed - expected) <= slack)


def test_too_few_terms_are_noticed(monkeypatch):
    """The bands carry the accuracy: with one term for all, a strong correlation comes out wrong."""
    before = correlated(np.random.default_rng(3), 4, 3)
    right = before.mapped(channel_map(upsim.Tanh(), np.zeros(4), before.variance)[1])
    monkeypatch.setattr("upsim.gaussian.pairs.ACCURACY", 1.0)
    assert ORDERS[0] == 1
    wrong = before.mapped(channel_map(upsim.Tanh(), np.zeros(4), before.variance)[1])
    assert np.abs(wrong.excess - right.excess).max() > 1e6 * ACCURACY


@given(covariances(), st.integers(2, 40))
def test_the_density_on_an_even_grid_is_the_density(given_, points):
    turns = np.arange(points) / (2 * (points - 1))
    # One frequency at a time is no even grid.
    apart = np.array([given_.density(np.array([turn, 0.317]))[0] for turn in turns])
    scale = float(np.abs(given_.excess).sum())
    operations = 16 * (given_.reach + points)
    assert np.abs(given_.density(turns) - apart).max() <= rounding(operations, scale)


@pytest.mark.parametrize("deviation", [0.5, 6.0])
@pytest.mark.parametrize("layer", [upsim.Tanh(), upsim.ELU(0.5), upsim.SiLU()], ids=repr)
def test_many_strong_correlations_are_interpolated_right(layer, deviation):
    moments = layer.moments(np.array([0.3]), np.array([deviation]), order=160)
    rng = np.random.default_rng(2)
    size = 1 - rng.uniform(0, 0.4, 2000) ** 2
    rho = size * rng.choice([-1.0, 1.0], size.size)
    few = np.arange(0, size.size, 50)
    expected = covariance(moments, moments, rho[few])
    found = strong_covariances(moments, rho)[few]
    # The nodes have the errors of the others, times a Lebesgue constant below 5; what is cut off is
    # less than what was the last to be kept.
    allowed = 6 * expected.error.max() + _AGREED * moments.variance
    assert np.all(np.abs(found - expected.values) <= allowed)
