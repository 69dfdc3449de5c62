"""The power of coloured noise: exact for any band, by exact integrals and the witness's rows."""

from fractions import Fraction
from itertools import count
from math import prod

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import upsim
from theory.noise_place import operators, place_behind
from upsim import Density, WhiteNoise, neural
from upsim.testing.strategies import stacks
from upsim.theory.moments.power import noise_power, response_span
from upsim.words.tolerance import rounding

RATE = Fraction(8000)


def integral(signal, lag, rate):
    """Return the autocovariance in fifty digits, by the antiderivative segment by segment.

    S sin(k f) / k + S' cos(k f) / k^2 loses digits where k times a width is small; fifty will do.
    """
    total, end = mpmath.mpf(0), mpmath.mpf(rate.numerator) / rate.denominator / 2
    with mpmath.workdps(50):
        turn = 2 * mpmath.pi * lag * rate.denominator / rate.numerator
        points = [mpmath.mpf(float(each)) for each in signal.frequencies]
        levels = [mpmath.mpf(float(each)) for each in signal.psd]
        for segment in range(len(points) - 1):
            low, high = points[segment], min(points[segment + 1], end)
            if low >= high:
                continue
            slope = (levels[segment + 1] - levels[segment]) / (points[segment + 1] - low)
            at_end = levels[segment] + slope * (high - low)
            if not lag:
                total += (levels[segment] + at_end) / 2 * (high - low)
                continue
            total += (
                at_end * mpmath.sin(turn * high) - levels[segment] * mpmath.sin(turn * low)
            ) / turn
            total += slope * (mpmath.cos(turn * high) - mpmath.cos(turn * low)) / turn**2
    return float(total)


@st.composite
def densities(draw):
    """Densities of narrow and wide segments, with jumps, up to or beyond half the rate."""
    width = st.sampled_from([0.0, 1e-7, 0.01, 0.6, 40.0, 1111.1])
    widths = draw(st.lists(width, min_size=1, max_size=5))
    # Two widths of zero in a row are three points at one frequency, which mean nothing.
    widths = [w for w, later in zip(widths, [*widths[1:], 1.0], strict=True) if w or later] + [0.3]
    first = draw(st.sampled_from([0.0, 17.3, 1000.3, 3950.0]))
    points = first + np.concatenate([[0.0], np.cumsum(widths)])
    levels = st.sampled_from([0.0, 0.001, 0.5, 2.0])
    return Density(points, draw(st.lists(levels, min_size=points.size, max_size=points.size)))


@given(densities(), st.sampled_from([RATE, Fraction(44100, 7)]))
def test_the_autocovariance_is_the_integral(signal, rate):
    lags = np.array([0, 1, 2, 5, 100, 4097])
    found = signal.autocovariance(lags, 1, rate)[0]
    power = integral(signal, 0, rate)
    for lag, each in zip(lags.tolist(), found, strict=True):
        # The phases have up to pi |d| radians, of three roundings each.
        bound = rounding(16 + len(signal.psd) + int(3 * np.pi * lag), power)
        assert abs(each - integral(signal, lag, rate)) <= bound
    assert abs(signal.noise_power(1, rate)[0] - power) <= rounding(8 + len(signal.psd), power)


@pytest.mark.parametrize("half", [0.3, 0.1, 1e-6])
def test_a_narrow_band_has_its_power(half):
    stack = upsim.Stack([upsim.Crop()], 8000)
    low, high = 1000.3 - half, 1000.3 + half
    found = upsim.predict(stack, Density([low, high], [1 / (high - low)] * 2))
    assert abs(found.noise_power[0] - 1) <= rounding(64, 1.0)


@pytest.mark.parametrize("layer", [upsim.InstanceNorm(1), upsim.GroupNorm(1, 1)], ids=repr)
def test_a_normalisation_knows_the_power_of_a_narrow_band(layer):
    stack = upsim.Stack([layer], 8000)
    found = upsim.predict(stack, Density([1000.2, 1000.4], [20.0, 20.0]))
    assert abs(found.noise_power[0] - 4 / (4 + layer.eps)) <= rounding(64, 1.0)


def test_an_expectation_over_networks_knows_the_power_of_a_narrow_band():
    # Taps are independent, so the power does not depend on what the input remembers.
    stack = upsim.Stack([upsim.Conv(1, 8, 3, bias=False), upsim.Conv(8, 1, 3)], 8000)
    narrow = upsim.predict(stack, Density([1000.2, 1000.4], [5.0, 5.0]))
    white = upsim.predict(stack, WhiteNoise(1.0))
    assert abs(narrow.noise_power[0] - white.noise_power[0]) <= rounding(4096, 2.0)
    cut = [each for each in narrow.assumptions if "cut after 2047 samples" in each]
    assert len(cut) == 1
    assert not any("cut after" in each for each in white.assumptions)


def steady_rows(stack, ups, downs):
    """Return what the witness makes of each impulse, (out, one period, in, samples)."""
    place = place_behind(stack)
    # So many blocks that outputs in the middle see no end.
    blocks = 2 * (response_span(place, *place.starts, downs) // ups + 2)
    # A crop leaves fewer: the middle has to hold a whole period.
    length = next(each for each in count(blocks * downs) if produced(stack, each) >= 2 * ups)
    impulses = np.eye(stack.in_channels * length).reshape(-1, stack.in_channels, length)
    made = neural.run(stack, np.concatenate([impulses, np.zeros((1, *impulses.shape[1:]))]))
    middle = made.shape[2] // 2
    rows = (made[:-1] - made[-1:])[:, :, middle : middle + ups]
    return rows.reshape(stack.in_channels, length, -1, ups).transpose(2, 3, 0, 1)


def produced(stack, length):
    try:
        return stack.output_length(length)
    except upsim.errors.UpsimError:
        return 0


@given(stacks(longest=3), densities(), st.sampled_from([0.0, 0.5]))
def test_the_power_behind_a_linear_stack(stack, signal, white):
    stack = stack.draw(seed=1)
    rate = stack.input_rate
    ups, downs = (prod(layer.block[side] for layer in stack) for side in (0, 1))
    rows = steady_rows(stack, ups, downs)
    length = rows.shape[3]
    lags = np.array([integral(signal, lag, rate) for lag in range(length)])
    lags[0] += white
    apart = np.abs(np.subtract.outer(np.arange(length), np.arange(length)))
    wanted = np.einsum("oicm,mn,oicn->o", rows, lags[apart], rows, optimize=True) / ups
    place = place_behind(stack, signal + WhiteNoise(white))
    found = noise_power(place)
    # Two sums of so many terms; the gains are sums over all taps, at phases of up to the span.
    terms = sum(operator.terms + 2 for operator in operators(stack))
    span = response_span(place, *place.starts, downs)
    scale = lags[0] * float((np.abs(rows).sum(axis=(2, 3)) ** 2).max())
    assert np.abs(found - wanted).max() <= rounding(16 * (terms + 3 * span + length), scale)


def test_a_long_response():
    """A chain of 1e5 taps: against a plain autocorrelation."""
    taps = np.random.default_rng(0).normal(size=(1, 1, 100_000)) / 300
    layer = upsim.Conv(1, 1, taps.size, weight=taps, bias=False)
    signal = Density([1000.2, 1000.4, 1000.4, 3000.0], [5.0, 5.0, 1e-4, 0.0])
    stack = upsim.Stack([layer], RATE)
    found = noise_power(place_behind(stack, signal))
    size = 2 * taps.size
    own = np.fft.irfft(np.abs(np.fft.rfft(taps[0, 0], size)) ** 2, size)[: taps.size]
    lags = signal.autocovariance(np.arange(taps.size), 1, RATE)[0]
    wanted = 2 * own @ lags - own[0] * lags[0]
    # Phases of pi d radians, and sums of as many terms as there are taps.
    scale = lags[0] * float(np.abs(taps).sum()) ** 2
    assert abs(found[0] - wanted) <= rounding(4 * taps.size, scale)
