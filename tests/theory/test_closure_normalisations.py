"""Normalisations behind noise and an activation: their levels come from the closure."""

import re

import numpy as np
import pytest

import upsim
from upsim.neural import run
from upsim.words.tolerance import rounding, sampling

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


# LayerNorm: the level of many channels is taken as certain.


def neglected(answer):
    """Return the relative standard deviation of the level that the answer states."""
    (note,) = [line for line in answer.assumptions if "LayerNorm" in line]
    return float(re.search(r"deviation is ([\d.e+-]+) %", note)[1]) / 100


@pytest.mark.parametrize("channels", [2, 8, 65])
def test_the_level_of_alike_channels_fluctuates_as_chi_squared(channels):
    stack = upsim.Stack([upsim.LayerNorm(channels, 1e-9)], RATE, in_channels=channels)
    answer = upsim.predict(stack, upsim.WhiteNoise(3.0), frequencies=5)
    # C - 1 free directions of one power: relative variance 2 / (C - 1); two digits are printed.
    assert abs(neglected(answer) / np.sqrt(2 / (channels - 1)) - 1) <= 0.05
    # The power over the channels is one, whatever the limit.
    assert np.abs(answer.noise_power - 1).max() <= 1e-9 + rounding(64, 1.0)
    assert "exact but for the levels" in answer.assumptions[0]


def test_a_steady_mean_and_a_level_that_repeats_make_a_line():
    channels, offset = 6, np.array([1.0, 2.0, 0.0, -1.0, 0.5, 0.5])
    norm = upsim.LayerNorm(channels, 0.1, weight=np.arange(1.0, 7), bias=np.ones(6))
    stack = upsim.Stack([upsim.Linear(2, "triangle"), norm], RATE, in_channels=channels)
    answer = upsim.predict(stack, upsim.Constant(offset) + upsim.WhiteNoise(), frequencies=3)
    centred = offset - offset.mean()
    # The triangle passes a constant and gives noise the powers 1 and 1/2.
    level = np.array([1.0, 0.5]) * 5 / 6 + np.mean(centred**2)
    made = np.arange(1.0, 7)[:, None] * centred[:, None] / np.sqrt(level + 0.1)
    offset_line, line = answer.tones
    tolerance = rounding(64, 10.0)
    assert np.abs(offset_line.amplitude - made.mean(axis=1) - 1).max() <= tolerance
    assert np.abs(line.amplitude - (made[:, 0] - made[:, 1]) / 2).max() <= tolerance
    assert line.cause == "modulation"
    # Noise of that level: the power of each channel, phase by phase.
    power = np.mean(np.array([1.0, 0.5]) * 5 / 6 / (level + 0.1)) * np.arange(1.0, 7) ** 2
    # A density of three lags, by the trapezoid over three points: its ends weigh half.
    found = answer.psd @ [0.25, 0.5, 0.25] * RATE / 2
    assert np.abs(found - power).max() <= rounding(64, float(power.max()))


def test_one_direction_alone_says_that_the_limit_is_bad():
    spread = upsim.Conv(1, 8, 1, bias=False, weight=np.arange(8.0)[:, None, None])
    answer = upsim.predict(upsim.Stack([spread, upsim.LayerNorm(8)], RATE), upsim.WhiteNoise())
    # One square of a Gaussian: relative variance 2.
    assert abs(neglected(answer) / np.sqrt(2) - 1) <= 0.05


def test_without_noise_the_layer_norm_is_exact():
    layers = [upsim.TransposedConv(2, 6, 4, 2), upsim.LayerNorm(6), upsim.Conv(6, 1, 3)]
    stack = upsim.Stack(layers, RATE).draw(1)
    made = upsim.predict(stack, upsim.Constant() + upsim.WhiteNoise(0.0))
    wanted = upsim.predict(stack, upsim.Constant())
    assert not made.psd.any()
    for one, other in zip(made.tones, wanted.tones, strict=True):
        assert np.abs(one.amplitude - other.amplitude).max() <= rounding(500, 4.0)


def test_a_layer_norm_against_a_long_run():
    layers = [
        upsim.TransposedConv(64, 64, 6, 2),
        upsim.LayerNorm(64),
        upsim.TransposedConv(64, 1, 4, 2),
    ]
    stack = upsim.Stack(layers, RATE).draw(2)
    answer = upsim.predict(stack, NOISE, frequencies=129)
    spread = neglected(answer)
    assert spread < 0.3
    count = 2**15
    noise = 0.5 + np.random.default_rng(0).standard_normal((1, 64, count))
    made = run(stack, noise, dtype=np.float64)[0, 0, 64 : 4 * (count - 32)].reshape(-1, 4)
    rest = made - made.mean(axis=0)
    # Expanded in the level's fluctuation, a power is off by less than
    # 2 lambda_max / tr Sigma <= sqrt(2) spread, and the square of the spread.
    slack = np.sqrt(2) * spread + spread**2
    ratio = np.mean(rest**2) / answer.noise_power[0]
    # Samples eight apart share nothing: a chi-squared average of the rest.
    chance = sampling(np.sqrt(2), made.size // 8)
    assert abs(ratio - 1) <= slack + chance
    line = np.fft.fft(made.mean(axis=0)) / 4
    for tone in answer.tones:
        density = np.interp(tone.frequency, answer.frequencies, answer.psd[0]) * RATE / 2
        off = abs(line[int(tone.fraction * 4)] - tone.amplitude[0])
        assert off <= slack * abs(tone.amplitude[0]) + sampling(np.sqrt(density), made.size)
    # Without the layer the power is nowhere near.
    bare = upsim.predict(stack.replace(layers=[stack[0], stack[2]]), NOISE, frequencies=129)
    assert abs(np.mean(rest**2) / bare.noise_power[0] - 1) > slack + chance
