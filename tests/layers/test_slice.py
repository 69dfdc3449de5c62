"""A slice is Python's own, or it is refused with something to type."""

from fractions import Fraction

import numpy as np
import pytest

import upsim
from upsim.errors import ArgumentError, ArgumentTypeError


@pytest.mark.parametrize("start", [None, 0, 1, 4])
@pytest.mark.parametrize("stop", [None, -1, -3])
@pytest.mark.parametrize("step", [1, 2, 3])
def test_it_is_pythons_slice_and_a_crop_then_a_decimation(start, stop, step):
    layer = upsim.Slice(start, stop, step)
    pair = upsim.Stack([upsim.Crop(start or 0, -(stop or 0)), upsim.Decimate(step)], 1000)
    for length in range(8, 8 + 2 * step):
        samples = np.arange(length) + 1.0
        expected = samples[start:stop:step]
        assert np.array_equal(layer.operator(1).apply(samples[None])[0], expected)
        assert layer.output_length(length) == pair.output_length(length) == expected.size
    assert layer.rate == Fraction(1, step)


@pytest.mark.parametrize(
    ("arguments", "fix"),
    [
        ((None, 100), "stop=-100"),
        ((0, 0), "stop=None"),
        ((-5,), "start=5, or Crop(-5, 0)"),
        ((0, None, 0), "step=1"),
        ((0, None, -1), "step=1"),
    ],
)
def test_what_keeps_a_fixed_length_or_turns_time_around_is_refused(arguments, fix):
    with pytest.raises(ArgumentError) as caught:
        upsim.Slice(*arguments)
    assert caught.value.where == "Slice"
    assert fix in caught.value.fix
    assert caught.value.given


@pytest.mark.parametrize("arguments", [(1.5,), ("1",), (0, "end"), (0, None, "2"), (True,)])
def test_places_are_whole_numbers(arguments):
    with pytest.raises(ArgumentTypeError):
        upsim.Slice(*arguments)


def test_a_slice_prints_what_differs_and_is_what_it_prints():
    assert repr(upsim.Slice()) == "Slice()"
    assert repr(upsim.Slice(1, None, 2)) == "Slice(start=1, step=2)"


def test_bands_fold_and_the_lines_of_a_stack_behind_it_have_their_layer():
    stack = upsim.Stack([upsim.Nearest(4), upsim.Slice(1, -1, 2)], 2000)
    assert stack.rate == 2
    prediction = upsim.predict(stack, upsim.Constant(1.0))
    assert [tone.frequency for tone in prediction.tones] == [0.0]
