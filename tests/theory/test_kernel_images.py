"""Kernel images: where they are said to be, the response repeats itself."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import upsim
from upsim.testing import strategies
from upsim.theory.reports.kernel_images import kernel_images
from upsim.words.tolerance import rounding


def test_a_kernel_run_at_twice_its_rate():
    """Dilated by two it keeps its response up to 12 kHz and has the image of it about 24 kHz."""
    (found,) = kernel_images(upsim.Stack([upsim.Conv(4, 4, 5, dilation=2)], 48000))
    assert (found.layer, found.apart, found.spacing) == ("1", 2, 24000)
    assert found.frequencies == (Fraction(24000),)
    assert found.bands == ((12000, 24000),)


def test_written_with_zeros_between_its_taps():
    weight = [[[0.5, 0.0, 0.0, -0.25, 0.0, 0.0, 1.0]]]
    (found,) = kernel_images(upsim.Stack([upsim.Conv(1, 1, 7, weight=weight)], 30000))
    assert (found.apart, found.frequencies) == (3, (Fraction(10000),))


def test_a_plain_kernel_has_none():
    layers = [upsim.Conv(1, 1, 3), upsim.Nearest(4), upsim.TransposedConv(1, 1, 8, 4), upsim.ReLU()]
    assert kernel_images(upsim.Stack(layers, 16000)) == ()
    assert kernel_images(upsim.Stack([upsim.Conv(1, 1, 1)], 16000)) == ()


def test_an_initialisation_without_known_moments_has_its_taps_all_the_same():
    learned = upsim.LearnedInterpolation(2, weight="icnr")
    assert kernel_images(upsim.Stack([learned], 8000)) == ()


def test_a_strided_kernel_runs_at_the_higher_rate():
    stack = upsim.Stack([upsim.Conv(1, 1, 3, 2, dilation=2)], 8000)
    for each in (stack, stack.draw(0)):
        (found,) = kernel_images(each)
        assert (found.spacing, found.frequencies) == (8000, (Fraction(8000),))


def test_inside_a_branch_at_its_own_rate():
    inner = upsim.Residual(upsim.Conv(2, 2, 3, dilation=5, padding="same"))
    stack = upsim.Stack([upsim.Conv(1, 2, 3), inner, upsim.Nearest(4)], 40000)
    (found,) = upsim.predict(stack, upsim.Silence()).kernel_images
    assert (found.layer, found.spacing) == ("2.1.1", 2000)
    assert found.frequencies == (Fraction(2000), Fraction(4000))


@given(layer=strategies.linear_layers(channels=2), place=st.fractions(0, 1, max_denominator=50))
def test_the_response_repeats_where_an_image_is_said_to_be(layer, place):
    """And the operator's own response, evaluated at both places, is the witness."""
    stack = upsim.Stack([layer], layer.rate, in_channels=2)
    operator = layer.operator(2)
    for found in kernel_images(stack):
        if operator.down > 1:
            continue
        both = [float(place), float(place + found.spacing / layer.rate)]
        first, second = np.abs(operator.gains(both))
        bound = rounding(20 * operator.terms, operator.terms * operator.largest_gain())
        assert np.abs(first - second).max() <= bound
