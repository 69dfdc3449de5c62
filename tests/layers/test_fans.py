"""Fans as the frameworks count them.

Keras' documentation of ``VarianceScaling`` counts, of a kernel (K, a, b), fan-in ``K a`` and
fan-out ``K b``.  Its convolution has a kernel (K, in / groups, out), its transposed one (K, out,
in).
"""

from math import sqrt

import pytest

import upsim
from upsim.network.weights import Initialisation


class Seen(Initialisation):
    """Keeps the shape that it was asked for."""

    def draw(self, shape, rng):
        self.shape = shape
        return rng.normal(size=(shape.out, shape.per_group, shape.count))


@pytest.mark.parametrize(
    ("layer", "arguments", "fans"),
    [
        (upsim.Conv, {"in_channels": 8, "out_channels": 12, "groups": 1}, (8 * 5, 12 * 5)),
        (upsim.Conv, {"in_channels": 8, "out_channels": 12, "groups": 4}, (2 * 5, 12 * 5)),
        (upsim.SubpixelConv, {"in_channels": 8, "out_channels": 4, "factor": 3}, (8 * 5, 12 * 5)),
        (
            upsim.SubpixelConv,
            {"in_channels": 8, "out_channels": 4, "factor": 3, "groups": 4},
            (2 * 5, 12 * 5),
        ),
        (upsim.TransposedConv, {"in_channels": 8, "out_channels": 12}, (12 * 5, 8 * 5)),
    ],
)
def test_fans(layer, arguments, fans):
    seen = Seen()
    stack = upsim.Stack([layer(**arguments, kernel_size=5, weight=seen)], 16000)
    stack.draw(0)
    assert (seen.shape.fan_in, seen.shape.fan_out) == fans


def test_glorots_bound_counts_all_output_channels():
    stack = upsim.Stack([upsim.Conv(64, 64, 9, groups=64, weight="keras")], 16000)
    largest = abs(stack.draw(0)[0].weight_array()).max()
    # 576 uniform draws: all below 0.9 of the bound with probability 0.9**576 = 4e-27.
    assert 0.9 < largest / sqrt(6 / (9 + 64 * 9)) <= 1


def test_glorot_is_keras_by_its_other_name():
    first, other = (upsim.Conv(2, 3, 4, weight=name) for name in ("keras", "glorot"))
    assert first == other
    drawn, again = (upsim.Stack([layer], 16000).draw(0)[0] for layer in (first, other))
    assert drawn == again
    # One initialisation has one spelling in reports and files, whatever the user wrote.
    assert repr(other) == repr(first) == "Conv(2, 3, 4, weight='keras')"
    assert other.to_fields() == first.to_fields()
