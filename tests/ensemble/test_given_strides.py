"""A strided layer of given weights behind a random one keeps the right phase, by hand."""

import numpy as np
import pytest

import upsim
from upsim.operators.repeating import Repeating
from upsim.operators.two_time import TwoTime
from upsim.theory.moments.channels import Channels, split_at
from upsim.words.tolerance import rounding

STD, CHANNELS = 0.25, 8


def kept_by(stride, count, padding):
    """Return a stack whose last layer keeps the samples ``stride m - padding + count - 1``."""
    up = upsim.TransposedConv(CHANNELS, 4, stride + 1, stride, bias=False, weight=upsim.Normal(STD))
    last_tap = np.zeros((4, 1, count))
    last_tap[:, :, -1] = 1
    strided = upsim.Conv(4, 4, count, stride, padding, groups=4, bias=False, weight=last_tap)
    return upsim.Stack([up, strided], 8000)


@pytest.mark.parametrize("stride", [2, 3, 4])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("padding", [0, 1, 2, 3])
def test_the_samples_of_one_phase_are_kept(stride, count, padding):
    stack = kept_by(stride, count, padding)
    # The kernel is one longer than the stride: two taps fall on phase 0, one on the others.
    taps = 2 if (count - 1 - padding) % stride == 0 else 1
    # A sample is the sum of the taps of all channels, each of variance STD^2 over networks.
    expected = taps * CHANNELS * STD**2
    (tone,) = upsim.predict(stack, upsim.Constant(1.0)).tones
    within = rounding(taps * CHANNELS + count, expected)
    assert np.abs(tone.power - expected).max() <= within
    noise = upsim.predict(stack, upsim.WhiteNoise(1.0), frequencies=3)
    assert np.abs(noise.noise_power - expected).max() <= within


def groups(*counts):
    flat = TwoTime(np.ones((1, 1)), np.zeros((1, 1)))
    return [Channels(count, Repeating.constant(count), flat) for count in counts]


@pytest.mark.parametrize(
    ("counts", "bounds", "expected"),
    [
        ((6,), {2, 4}, [(6, 2), (6, 2), (6, 2)]),
        ((6,), {1, 2, 5}, [(6, 1), (6, 1), (6, 3), (6, 1)]),
        ((3, 5), {2, 4, 6}, [(3, 2), (3, 1), (5, 1), (5, 2), (5, 2)]),
        ((4, 2), set(), [(4, 4), (2, 2)]),
    ],
)
def test_groups_are_cut_into_parts_that_fill_them(counts, bounds, expected):
    parts = split_at(groups(*counts), bounds)
    assert [(int(part.mean.samples[0]), part.count) for part in parts] == expected
