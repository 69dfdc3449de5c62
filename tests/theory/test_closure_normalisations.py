"""Normalisations behind noise and an activation: their levels come from the closure."""

import numpy as np

import upsim
from upsim.tolerance import rounding

RATE = 12000
NOISE = upsim.Constant(0.5) + upsim.WhiteNoise(1.0)
NORM = upsim.InstanceNorm(4, 1e-2, affine=True, weight=[1.0, -2.0, 0.5, 3.0], bias=[0, 1, 2, 3])


def stack_with(norm, *behind):
    return upsim.Stack(
        [upsim.TransposedConv(2, 4, 5, 3), upsim.LeakyReLU(0.1), norm, *behind], RATE
    ).draw(3)


def test_it_divides_by_the_mean_and_variance_of_what_comes_before():
    stack = stack_with(NORM, upsim.Conv(4, 1, 3), upsim.ReLU())
    points = 4096  # the density is a trigonometric polynomial of far fewer lags
    grid = np.arange(points // 2 + 1) * RATE / points
    before = upsim.predict(stack.upto(2), NOISE, frequencies=grid)
    mean = before.tones[0].amplitude.real
    assert before.tones[0].fraction == 0
    moving = sum(tone.power for tone in before.tones[1:])
    # One-sided: the ends of the axis have no mirror.
    weights = np.where(np.isin(np.arange(grid.size), (0, points // 2)), 0.5, 1.0)
    variance = moving + before.psd @ weights * RATE / points
    fixed = upsim.BatchNorm(
        4, NORM.eps, weight=NORM.weight, bias=NORM.bias, running_mean=mean, running_var=variance
    )
    other = stack.replace(layers=[*stack[:2], fixed, *stack[3:]])
    found, expected = upsim.predict(stack, NOISE), upsim.predict(other, NOISE)
    # A sum over the grid and the lags sets the gain; the rest is the same sums twice.
    operations = 8 * points
    assert np.abs(found.psd - expected.psd).max() <= rounding(operations, expected.psd.max())
    size = max(np.abs(tone.amplitude).max() for tone in expected.tones)
    assert [tone.fraction for tone in found.tones] == [tone.fraction for tone in expected.tones]
    for tone, same in zip(found.tones, expected.tones, strict=True):
        assert np.abs(tone.amplitude - same.amplitude).max() <= rounding(operations, size)
        total = sum(each.amplitude for each in tone.contributions)
        assert np.abs(total - tone.amplitude).max() <= rounding(operations, 8 * size)
