"""Rows carried from an operator's output back to its input, against its gains line by line."""

import numpy as np
import pytest

from upsim.layers import Conv, PeriodicShuffle, TransposedConv
from upsim.operators import StretchFIR
from upsim.operators.rows import rows_back
from upsim.words.tolerance import rounding

RNG = np.random.default_rng(0)


def drawn(layer):
    return layer.draw(np.random.default_rng(1)).operator(layer.in_channels)


OPERATORS = {
    "taps as they come": StretchFIR(RNG.normal(size=(3, 2, 5)), 2, crop=(1, 0)),
    "correlation, taps back to front": drawn(Conv(4, 3, 7, padding=3)),
    "dilated": drawn(Conv(4, 3, 3, padding=4, dilation=4)),
    "kernel stored input first": drawn(TransposedConv(4, 3, 16, 8, 4)),
    "short kernel stored input first": drawn(TransposedConv(4, 3, 4, 2, 1)),
    "one tap": drawn(Conv(4, 3, 1)),
    "groups": drawn(TransposedConv(4, 2, 4, 2, 1, groups=2)),
    "polyphase": PeriodicShuffle(2).operator(6),
}


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("span", [8, 48])
@pytest.mark.parametrize("lines", [1, 25])
def test_a_row_times_the_gains_of_its_line(name, span, lines):
    operator = OPERATORS[name]
    numbers = np.arange(lines) * 3
    rows = RNG.normal(size=(lines, 2, operator.out_channels, 2)) @ [1, 1j]
    made = rows_back(operator, rows, numbers, span)
    by_gains = rows @ operator.gains(numbers / span)[:, 0]
    size = operator.out_channels * operator.largest_gain() * float(np.abs(rows).max())
    # A product of complex numbers is four of real ones; an angle is rounded, and so is its wave,
    # for each tap at its distance from the first sample.
    farthest = 1 if name == "polyphase" else int(np.abs(operator.positions).max()) + 1
    operations = 4 * (operator.terms + operator.out_channels) + 8 * farthest
    assert np.abs(made - by_gains).max() <= rounding(operations, size)


def test_lines_that_differ_by_the_span_are_one_frequency():
    operator = OPERATORS["kernel stored input first"]
    rows = np.ones((2, 1, 3), complex)
    near, far = rows_back(operator, rows, np.array([3, 19]), 16)
    assert np.array_equal(near, far)
