"""A period that does not fit is refused in the words of what makes it long."""

from dataclasses import dataclass

import numpy as np
import pytest

import upsim
from upsim.errors import TooLargeError
from upsim.layers import LinearLayer
from upsim.operators import LengthRule, StretchFIR
from upsim.theory.moments import DeterministicMoments

PRIME, OTHER_PRIME = 65537, 65521


@dataclass(frozen=True, eq=False, repr=False)
class LongBias(LinearLayer):
    """A wire with an offset that repeats after a given number of samples."""

    period: int

    def channels_out(self, channels):
        return channels

    def length_rule(self):
        return LengthRule()

    def operator(self, channels):
        offset = np.broadcast_to(np.arange(float(self.period)), (channels, self.period))
        return StretchFIR(np.ones((channels, 1, 1)), groups=channels, offset=offset)


def refusal(layers, signal, *, rate=16000, channels=1):
    stack = upsim.Stack(layers, rate, in_channels=channels)
    with pytest.raises(TooLargeError) as caught:
        upsim.predict(stack, signal)
    return caught.value


def test_strides_alone_are_not_blamed_on_sines():
    error = refusal([upsim.Nearest(4096)] * 3, upsim.Constant(1.0))
    assert error.fix == "stack.upto(2), the layers before it, or smaller strides"
    assert "sine" not in str(error)
    first = refusal([upsim.Nearest(2**24), upsim.Nearest(2**24)], upsim.Silence(), channels=2**6)
    assert first.fix == "smaller strides"


def test_the_fix_can_be_typed():
    stack = upsim.Stack([upsim.Nearest(4096)] * 3, 16000)
    assert upsim.predict(stack.upto(1), upsim.Constant(1.0)).tones


def test_sines_are_named_where_they_are():
    signal = upsim.Sine(1.0) + upsim.Sine(0.5)
    layers = [upsim.Nearest(2**8), upsim.Nearest(2**10), upsim.ReLU()]
    both = refusal(layers, signal, rate=2**18 * PRIME)
    assert both.fix == (
        "stack.upto(1), the layers before it, or smaller strides, "
        "or sines whose frequencies share a larger divisor with the input rate"
    )
    alone = refusal([upsim.Nearest(1), upsim.ReLU()], upsim.Sine(1.0), rate=2**14 * PRIME)
    assert alone.fix == "sines whose frequencies share a larger divisor with the input rate"


def test_a_linear_stack_needs_no_period_of_a_sine():
    stack = upsim.Stack([upsim.Nearest(2)], 2**15 * PRIME)
    assert [tone.frequency for tone in upsim.predict(stack, upsim.Sine(1.0)).tones] == [
        1.0,
        2**14 * PRIME - 1.0,
    ]


def test_more_images_than_can_be_listed_are_refused():
    error = refusal([upsim.Nearest(2**8), upsim.Nearest(2**11)], upsim.Sine(1.0), rate=2**24)
    assert "too many images" in error.what
    assert error.fix == "fewer sines, or smaller strides"


def test_a_bias_of_another_period_is_named():
    start = DeterministicMoments(np.ones((1, OTHER_PRIME)), provenance=False)
    with pytest.raises(TooLargeError) as caught:
        start.through_operator(LongBias(PRIME).operator(1), "1")
    assert str(OTHER_PRIME) in caught.value.what
    assert str(PRIME) in caught.value.what
    assert "bias" in caught.value.what
    assert "bias" in caught.value.fix


def test_branches_that_repeat_together_too_late_are_named():
    parts = [
        DeterministicMoments(np.ones((1, count)), provenance=False)
        for count in (PRIME, OTHER_PRIME)
    ]
    with pytest.raises(TooLargeError, match=r"branches that repeat after 65537 and 65521 samples"):
        DeterministicMoments.merged(parts, "sum")
