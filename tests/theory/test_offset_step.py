"""The step of an offset at starts, stops and joins, against quadrature and a run."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

import upsim
from upsim.errors import ArgumentError
from upsim.theory.reports.offset_step import OffsetStep
from upsim.words.tolerance import rounding


def by_quadrature(rate, low, high):
    """Integrate 2 |X|^2, X the transform of a unit step, and return the error of that too."""

    def density(hertz):
        return 2 * abs(1 / (rate * (1 - np.exp(-2j * np.pi * hertz / rate)))) ** 2

    return quad(density, low, high, limit=200)


@given(
    rate=st.sampled_from([8000, 22050, 48000]),
    low=st.integers(20, 1000),
    share=st.integers(1, 100),
)
def test_the_energy_is_the_integral_of_the_spectrum(rate, low, share):
    high = low + (rate / 2 - low) * share / 100
    found = OffsetStep(np.array([0.25]), Fraction(rate)).energy(low, high)[0]
    wanted, error = by_quadrature(rate, low, high)
    # Ten roundings, and a band is a difference of two frequencies that were rounded.
    assert abs(found - 0.25 * wanted) <= 0.25 * error + rounding(10, found * high / (high - low))


def test_the_density_is_that_of_a_long_step():
    """A block that alternates 0 and 1 is two steps a period: lines at odd multiples of 1 / P."""
    count, rate = 64, 8000
    block = np.repeat([0.0, 1.0], count // 2)
    odd = np.arange(1, count // 2, 2)
    lines = np.fft.fft(block)[odd] / rate
    step = OffsetStep(np.array([1.0]), Fraction(rate))
    # Two steps of opposite sign half a period apart add up at the odd lines: 4 |X|^2 each.
    wanted = 4 * step.density(odd * rate / count)[0]
    bound = rounding(6 * count, float(wanted.max()))
    assert np.abs(2 * np.abs(lines) ** 2 - wanted).max() <= bound


def test_far_below_the_rate_it_does_not_depend_on_the_rate():
    seconds = [OffsetStep(np.ones(1), Fraction(rate)).energy()[0] for rate in (48000, 192000)]
    # 1 / (2 pi^2 20) = 2.533 ms; cot x = 1 / x - x / 3 - ... falls short by x^2 / 3.
    for found, rate in zip(seconds, (48000, 192000), strict=True):
        short = (np.pi * 20 / rate) ** 2 / 3
        limit = 1 / (40 * np.pi**2)
        assert limit * (1 - 2 * short) < found < limit


def test_the_offset_of_a_last_bias_is_a_step():
    # The offset of a codec's silence: its last bias, 0.0034.
    stack = upsim.Stack([upsim.Conv(1, 1, 3, weight=[[[0.0, 1.0, 0.0]]], bias=[0.0034])], 24000)
    prediction = upsim.predict(stack, upsim.Silence())
    said = "a step of -49.37 dB at starts, stops and joins"
    assert said in str(prediction.explain(0))
    assert said in prediction.table()
    samples = upsim.neural.run(stack, np.zeros((1, 50)))
    # Before the signal there is nothing: the height of the step is its first sample.
    step = prediction.offset_step
    assert abs(samples[0, 25] ** 2 - step.power[0]) <= rounding(8, step.power[0])


def test_no_offset_no_step():
    stack = upsim.Stack([upsim.Nearest(2)], 8000)
    prediction = upsim.predict(stack, upsim.Sine(1000))
    assert prediction.offset_step is None
    assert "a step of" not in prediction.table()


def test_an_expectation_has_the_step_of_the_expected_power():
    stack = upsim.Stack([upsim.TransposedConv(1, 1, 8, 4, bias=False)], 16000)
    prediction = upsim.predict(stack, upsim.Constant(1.0))
    assert "a step of -16.81 dB" in str(prediction.explain(0))


@pytest.mark.parametrize("band", [(0, None), (-1, None), (100, 50), (20, 9000)])
def test_a_band_that_is_none(band):
    with pytest.raises(ArgumentError, match="band of a step"):
        OffsetStep(np.ones(1), Fraction(16000)).energy(*band)


def test_nothing_is_left_above_half_the_rate():
    assert OffsetStep(np.ones(1), Fraction(30)).energy()[0] == 0
