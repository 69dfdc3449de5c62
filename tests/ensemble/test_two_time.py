"""Covariances of two times against matrices: C_y = A C_x A^T on a long finite stretch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upsim.operators import StretchFIR
from upsim.operators.two_time import TwoTime, constant
from upsim.words.tolerance import rounding


def dense(covariance: TwoTime, count: int) -> np.ndarray:
    """Write a covariance out as a count x count matrix."""
    n = np.arange(count)
    lags = n[None, :] - n[:, None]
    rows = n[:, None] % covariance.period
    matrix = covariance.fixed[rows, lags % covariance.fixed.shape[1]].copy()
    near = np.abs(lags) <= covariance.reach
    far = np.where(near, lags + covariance.reach, 0)
    matrix[near] += covariance.excess[np.broadcast_to(rows, lags.shape), far][near]
    return matrix


@st.composite
def covariances(draw: st.DrawFn) -> TwoTime:
    """Covariances of filtered periodic signals and filtered noise: symmetric by construction."""
    seed = draw(st.integers(0, 2**16))
    rng = np.random.default_rng(seed)
    period = draw(st.sampled_from([1, 2, 3, 4]))
    wave = rng.integers(-3, 4, (2, period)).astype(float)
    lags = (np.arange(period)[:, None] + np.arange(period)) % period
    fixed = (wave[:, :, None] * wave[:, lags]).mean(axis=0)
    taps = rng.integers(-3, 4, (period, draw(st.integers(1, 3)))).astype(float)
    reach = taps.shape[1] - 1
    excess = np.zeros((period, 2 * reach + 1))
    for n in range(period):
        for lag in range(-reach, reach + 1):
            # x[n] = sum_k taps[n, k] w[n - k] with white w.
            other = taps[(n + lag) % period]
            for k in range(taps.shape[1]):
                if 0 <= k + lag < taps.shape[1]:
                    excess[n, lag + reach] += taps[n, k] * other[k + lag]
    return TwoTime(fixed, excess)


@given(covariances(), st.integers(1, 4), st.integers(1, 5), st.integers(0, 2**16))
def test_a_fixed_kernel_maps_the_covariance_as_its_matrix_does(given_, factor, count, seed):
    taps = np.random.default_rng(seed).integers(-3, 4, count).astype(float)
    fir = StretchFIR(taps[None, None], factor)
    made = given_.through_taps(np.outer(taps, taps), fir.positions, factor)
    length = 24
    matrix = fir.matrix(length).toarray()
    expected = matrix @ dense(given_, length) @ matrix.T
    # Whole numbers far below 2^53: the two agree exactly, away from the ends.
    start = -(-count // given_.period) * given_.period * factor
    start += -start % max(made.period, made.fixed.shape[1], given_.fixed.shape[1] * factor)
    inner = slice(start, (length - count) * factor)
    whole = dense(made, matrix.shape[0])
    assert np.array_equal(whole[inner, inner], expected[inner, inner])


@given(covariances(), st.integers(1, 5), st.data())
def test_decimation_keeps_the_samples_it_keeps(given_, factor, data):
    phase = data.draw(st.integers(0, factor - 1))
    made = given_.decimated(factor, phase)
    whole = dense(given_, 60)
    assert np.array_equal(dense(made, 60 // factor), whole[phase::factor, phase::factor])


@given(covariances())
def test_reduction_changes_nothing(given_):
    longer = given_.tiled(2 * given_.period, 6 * given_.turns)
    longer = replace(longer, excess=np.pad(longer.excess, ((0, 0), (2, 2))))
    assert np.array_equal(dense(longer.reduced(), 24), dense(given_, 24))
    assert longer.reduced().period <= given_.period


@given(covariances(), covariances())
def test_independent_signals_add(first, second):
    assert np.array_equal(dense(first + second, 24), dense(first, 24) + dense(second, 24))


@given(covariances())
def test_the_parts_of_the_mean_square_add_up(given_):
    points = 64
    turns = np.arange(points) / points
    total = given_.line_powers().sum() + given_.density(turns).mean()
    scale = float(np.abs(given_.fixed).max() + np.abs(given_.excess).sum())
    assert total == pytest.approx(given_.variance.mean(), abs=rounding(8 * points, scale))


def test_random_taps_of_a_constant_repeat_with_the_stride():
    made = constant(1.0).through_taps(np.eye(4), np.arange(4), 2)
    # Full overlap: two taps a phase; the covariance is stationary and repeats every 2 samples.
    assert made.fixed.tolist() == [[2.0, 0.0]]
    assert made.line_powers().tolist() == [1.0, 1.0]


def test_partial_overlap_keeps_its_phases():
    made = constant(1.0).through_taps(np.eye(3), np.arange(3), 2)
    assert made.fixed.tolist() == [[2.0, 0.0], [1.0, 0.0]]
