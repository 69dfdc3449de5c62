"""Sizes beyond reason are refused before memory is taken; large ones are answered quickly."""

from fractions import Fraction
from math import prod

import numpy as np
import pytest

import upsim
from upsim.errors import TooLargeError
from upsim.operators import kernels
from upsim.words.tolerance import rounding


@pytest.mark.parametrize(
    ("layer", "channels"),
    [
        (upsim.WindowedSinc(2, rolloff=1e-9), 1),
        (upsim.WindowedSinc(2, rolloff=5e-324), 1),
        (upsim.PeriodicShuffle(2**17), 2**17),
        (upsim.PeriodicShuffle(2**17, "tensorflow"), 2**17),
        (upsim.Hold(2**24, 64), 1),
    ],
)
def test_what_would_not_fit_is_refused(layer, channels):
    with pytest.raises(TooLargeError, match=r"GiB.*fix: "):
        layer.operator(channels)


@pytest.mark.parametrize(
    "layer",
    [
        upsim.Linear(10**6),
        upsim.Linear(10**6, "triangle"),
        upsim.Cubic(10**5),
        upsim.WindowedSinc(10**4),
        upsim.Hold(1000, 4),
        upsim.Hold(4000, 2),
    ],
)
def test_long_kernels_take_no_minute(layer):
    gains = layer.operator(1).phase_gains()
    terms = layer.operator(1).taps.shape[2]
    scale = np.abs(layer.operator(1).taps).sum() / gains.size
    assert np.abs(gains - 1).max() <= rounding(terms, max(1.0, scale))


@pytest.mark.parametrize(
    "kernel",
    [
        kernels.triangle,
        kernels.half_pixel,
        lambda factor: kernels.half_pixel(factor, "cubic", Fraction(-1, 2)),
    ],
)
@pytest.mark.parametrize("factor", [4, 7])
def test_floats_say_what_fractions_say(kernel, factor, monkeypatch):
    exact, begin = kernel(factor)
    monkeypatch.setattr(kernels, "LARGEST_EXACT_FACTOR", 1)
    floats, same_begin = kernel(factor)
    assert isinstance(floats, np.ndarray)
    assert begin == same_begin
    # Keys' polynomial has four coefficients of at most 4 on t**3 <= 8: ten steps each.
    assert np.abs(floats - [float(tap) for tap in exact]).max() <= rounding(10, 4 * 4 * 8)


@pytest.mark.parametrize(("factor", "order"), [(2, 3), (3, 4), (5, 1)])
def test_hold_is_a_product_of_boxes(factor, order):
    by_numpy = np.ones(1)
    for _ in range(order):
        by_numpy = np.convolve(by_numpy, np.ones(factor))
    assert kernels.hold_counts(factor, order) == by_numpy.tolist()
    assert sum(kernels.hold(factor, order)) == 1
    assert upsim.Hold(factor, order).operator(1).taps.sum() == pytest.approx(
        1, abs=rounding(prod([factor, order]), 1.0)
    )
