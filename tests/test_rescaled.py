"""Demucs' rescaling of PyTorch's initialisation: its moments, its draws, its form on file."""

from math import isclose, sqrt

import numpy as np
import pytest

import upsim
from upsim.errors import ArgumentError
from upsim.files.stackfile import stack_from_dict, stack_to_dict
from upsim.network.weights import Rescaled, TapShape, Torch
from upsim.words.tolerance import sampling

SHAPE = TapShape(40, 25, 8, 4, fan_in=320, fan_out=100)


def test_the_deviation_is_the_geometric_mean_of_torch_s_and_the_reference():
    before = sqrt(Torch().tap_covariance(SHAPE)[0, 0])
    after = sqrt(Rescaled(0.1).tap_covariance(SHAPE)[0, 0])
    assert isclose(after, sqrt(before * 0.1))
    # Weight and bias are divided by the same number.
    ratio = sqrt(Rescaled(0.1).bias_variance(SHAPE) / Torch().bias_variance(SHAPE))
    assert isclose(ratio, after / before)


def test_a_draw_is_what_demucs_makes_of_torch_s_draw():
    """Up to the deviation of the drawn weight, which is taken at its expectation."""
    rng = np.random.default_rng(0)
    torch_taps = Torch().draw(SHAPE, rng)
    drawn_deviation = torch_taps.std(ddof=1)
    theirs = torch_taps / sqrt(drawn_deviation / 0.1)
    ours = Rescaled(0.1).draw(SHAPE, np.random.default_rng(0))
    # The mean square of n uniform numbers has the relative deviation sqrt((9/5 - 1) / n), the
    # deviation half of it, its root a quarter.
    bound = sampling(sqrt(4 / 5) / 4, torch_taps.size)
    assert np.abs(ours / theirs - 1).max() <= bound
    assert bound < 0.02


def test_draws_have_the_variance_that_is_said():
    taps = Rescaled(0.3).draw(SHAPE, np.random.default_rng(1))
    variance = Rescaled(0.3).tap_covariance(SHAPE)[0, 0]
    assert abs(taps.var() / variance - 1) <= sampling(sqrt(4 / 5), taps.size)
    bias = Rescaled(0.3).draw_bias(SHAPE, 4000, np.random.default_rng(2))
    assert abs(bias.var() / Rescaled(0.3).bias_variance(SHAPE) - 1) <= sampling(sqrt(4 / 5), 4000)


@pytest.mark.parametrize("weight", ["rescaled", Rescaled(0.25)])
def test_it_is_written_to_files_and_in_a_repr(weight):
    stack = upsim.Stack([upsim.Conv(1, 2, 3, weight=weight)], 16000)
    assert stack_from_dict(stack_to_dict(stack)) == stack
    assert eval(repr(stack[0]), vars(upsim.layers) | {"Rescaled": Rescaled}) == stack[0]


@pytest.mark.parametrize("reference", [0.0, -1.0, float("nan"), float("inf")])
def test_a_reference_is_a_positive_number(reference):
    with pytest.raises(ArgumentError):
        Rescaled(reference)
