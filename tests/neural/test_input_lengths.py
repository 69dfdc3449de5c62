"""The witness is run on inputs that fit: multiples of the strides, or the remainder that does."""

import pytest

import upsim
from upsim.errors import ShapeError
from upsim.layers import Conv, Crop, Residual, TransposedConv
from upsim.verification.runner import shortest_input, unit_length


def u_net():
    """Return a level of a U-Net without padding: 8 taps down by 4, and up again."""
    way = (Conv(1, 1, 8, 4, weight="ones"), TransposedConv(1, 1, 8, 4, weight="ones"))
    return upsim.Stack([Residual(*way)], 16000).draw(0)


def test_a_plain_stack_is_given_a_multiple_of_its_strides():
    stack = upsim.Stack([Conv(1, 1, 7, 3), Conv(1, 1, 5, 2)], 16000).draw(0)
    assert unit_length(stack) == 6
    # 7 taps, then 5 taps at a third of the rate, see 7 + 4 * 3 = 19 samples.
    assert shortest_input(stack, 6) == 24


def test_a_branch_that_decimates_without_padding_has_one_remainder():
    # 8 taps that step by 4 leave no sample over if the length is a multiple of 4 from 8 on; here
    # one sample is cut before them, so it is one more.
    stack = upsim.Stack([Crop(1, 0), *u_net()], 16000)
    length = shortest_input(stack, unit_length(stack))
    assert length % 4 == 1
    assert upsim.verify(stack, upsim.Constant(1.0)).passed


def test_more_samples_keep_the_remainder():
    stack = upsim.Stack([Crop(1, 0), *u_net()], 16000)
    length = shortest_input(stack, 4, least=100)
    assert length >= 100
    assert length % 4 == 1


def test_branches_that_never_agree_are_refused_at_once():
    # The first asks for a multiple of four, the second for one sample more.
    stack = upsim.Stack([*u_net(), Crop(1, 0), *u_net()], 16000)
    with pytest.raises(ShapeError, match="different lengths"):
        shortest_input(stack, unit_length(stack))
