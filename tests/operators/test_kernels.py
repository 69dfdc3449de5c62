"""Interpolation kernels as exact fractions."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upsim.operators.kernels import (
    WINDOWS,
    equal_phase_gains,
    half_pixel,
    hold,
    nearest,
    triangle,
    windowed_sinc,
)
from upsim.testing import kernels
from upsim.words.tolerance import rounding

factors = st.integers(1, 9)


def interpolated(taps, begin, factor, n, values):
    """Return output sample ``n`` of an exact signal ``m -> values(m)``."""
    total = Fraction(0)
    for k, tap in enumerate(taps):
        m, rest = divmod(n + begin - k, factor)
        if rest == 0:
            total += tap * values(m)
    return total


@given(factors, st.integers(-20, 20))
def test_nearest_repeats(factor, n):
    assert interpolated(nearest(factor), 0, factor, n, Fraction) == n // factor


@given(factors, st.integers(-20, 20))
def test_the_triangle_draws_straight_lines_through_the_samples(factor, n):
    taps, begin = triangle(factor)
    assert len(taps) == 2 * factor - 1
    assert interpolated(taps, begin, factor, n, Fraction) == Fraction(n, factor)


@given(factors, st.integers(-20, 20))
def test_half_pixels_draw_straight_lines_between_centres(factor, n):
    taps, begin = half_pixel(factor)
    assert interpolated(taps, begin, factor, n, Fraction) == Fraction(2 * n + 1, 2 * factor) - (
        Fraction(1, 2)
    )


@given(factors, st.integers(-20, 20))
def test_keys_cubic_of_minus_a_half_draws_parabolas(factor, n):
    taps, begin = half_pixel(factor, "cubic", Fraction(-1, 2))
    place = Fraction(2 * n + 1, 2 * factor) - Fraction(1, 2)
    assert interpolated(taps, begin, factor, n, lambda m: Fraction(m) ** 2) == place**2


@given(factors, st.fractions(-1, 0, max_denominator=8))
def test_every_cubic_keeps_a_constant(factor, a):
    taps, begin = half_pixel(factor, "cubic", a)
    for n in range(factor):
        assert interpolated(taps, begin, factor, n, lambda _: 1) == 1


def test_an_odd_factor_has_one_triangle_in_two_places():
    for factor in (1, 3, 5, 7):
        assert half_pixel(factor)[0] == triangle(factor)[0]
        assert triangle(factor)[1] - half_pixel(factor)[1] == (factor - 1) // 2


def test_half_pixel_doubling_is_a_box_three_times():
    assert half_pixel(2)[0] == tuple(2 * tap for tap in hold(2, 3))


@given(st.integers(1, 6), st.integers(1, 5))
def test_a_hold_is_boxes_convolved(factor, order):
    box = np.ones(factor)
    expected = np.ones(1)
    for _ in range(order):
        expected = np.convolve(expected, box)
    taps = hold(factor, order)
    assert [tap * factor**order for tap in taps] == expected.tolist()
    assert sum(taps) == 1


@pytest.mark.parametrize("window", WINDOWS)
@given(
    factor=st.integers(1, 5), zeros=st.integers(1, 6), rolloff=st.sampled_from([0.5, 0.945, 1.0])
)
def test_a_windowed_sinc_is_even_in_shape_and_passes_a_constant(window, factor, zeros, rolloff):
    taps, half = windowed_sinc(factor, zeros, rolloff, window)
    assert taps.size == 2 * half + 1
    places = np.arange(-half, half + 1)
    for phase in range(factor):
        chosen = taps[places % factor == phase]
        within = rounding(2 * chosen.size + 1, float(np.abs(chosen).sum()))
        assert abs(chosen.sum() - 1) <= within


@given(kernels(kernel_size=7), st.integers(1, 4))
def test_equal_phase_gains_are_equal_and_a_second_time_changes_nothing(taps, factor):
    moved = equal_phase_gains(taps, factor)
    phases = np.arange(7) % factor
    gains = np.stack([moved[..., phases == i].sum(axis=2) for i in range(factor)], axis=2)
    scale = 7 * float(np.abs(taps).max()) * 2
    within = rounding(4 * 7, scale)
    assert np.abs(gains - gains[..., :1]).max() <= within
    assert np.abs(equal_phase_gains(moved, factor) - moved).max() <= within


@given(kernels(out_channels=1, in_channels=1, kernel_size=6), kernels(kernel_size=2), factors)
def test_equal_phase_gains_is_the_nearest_kernel(taps, other, factor):
    factor = min(factor, 6)
    moved = equal_phase_gains(taps, factor)
    # Any kernel P(z) (1 + ... + z^-(L-1)) has equal gains; none is nearer.
    count = 6 - factor + 1
    rival = np.convolve(np.resize(other[0, 0], count), np.ones(factor))
    nearest_distance = np.sum((taps - moved) ** 2)
    scale = float(np.sum((np.abs(taps) + np.abs(moved)) ** 2)) + 1
    assert nearest_distance <= np.sum((taps[0, 0] - rival) ** 2) + rounding(4 * 6 + 8, 2 * scale)
