"""The laws of section 3 of the theory, for networks at initialisation.

The right-hand sides are derived in the tests; a count of networks has the standard error of a
binomial, an average over networks its own.
"""

from __future__ import annotations

from fractions import Fraction
from math import pi

import numpy as np
import pytest

import upsim
from upsim.words.tolerance import rounding, sampling

CONSTANT = upsim.Constant(1.0)


def powers(stack):
    """Return the power of each mirror line, averaged over the channels, by its place."""
    return {
        tone.fraction: float(tone.power.mean()) / (1 if tone.fraction in (0, Fraction(1, 2)) else 2)
        for tone in upsim.predict(stack, CONSTANT, provenance=False).tones
    }


@pytest.mark.parametrize(("kernel", "stride"), [(3, 5), (4, 4), (6, 4), (8, 4), (25, 4)])
def test_the_tone_is_as_strong_as_the_offset_whatever_the_overlap(kernel, stride):
    """Independent taps: E|H(f)|^2 is K var(w) at every f."""
    layer = upsim.TransposedConv(3, 1, kernel, stride, bias=False)
    found = powers(upsim.Stack([layer], 8000))
    assert set(found) == {Fraction(k, stride) for k in range(stride // 2 + 1)}
    # var(w) = 1 / (3 K) for torch; 3 channels of ones; a line is H / L.
    wanted = 1 / stride**2
    for power in found.values():
        assert abs(power - wanted) <= rounding(3 * kernel * stride, 1.0)


def test_equal_phase_gains_do_not_have_that_law():
    layer = upsim.TransposedConv(3, 1, 8, 4, bias=False, weight="icnr")
    found = powers(upsim.Stack([layer], 8000))
    assert max(found.get(Fraction(k, 4), 0.0) for k in (1, 2)) <= rounding(96, 1.0)


#: Networks: output channels share nothing but the input.
DRAWS = 4000


@pytest.fixture(scope="module", params=[(4, 4), (8, 4)], ids=["no overlap", "full overlap"])
def ratios(request):
    """Return |a_k|^2 / a_0^2 of many networks for k = 1 and k = L / 2."""
    layer = upsim.TransposedConv(1, DRAWS, *request.param, bias=False, weight=upsim.Normal(1.0))
    stack = upsim.Stack([layer], 8000).draw(0)
    offset, first, middle = upsim.predict(stack, CONSTANT, provenance=False).tones
    return [first.power / 2 / offset.power, middle.power / offset.power]


def test_a_tone_in_the_midst_has_a_median_of_three_halves(ratios):
    """|a_k|^2 is exponential, a_0^2 is Z^2: P(E > t Z^2) = 1 / sqrt(1 + 2 t), 1/2 at t = 3/2."""
    assert abs(np.mean(ratios[0] > 1.5) - 0.5) <= sampling(0.5, DRAWS)
    above = 1 / np.sqrt(3)
    assert abs(np.mean(ratios[0] > 1) - above) <= sampling((above * (1 - above)) ** 0.5, DRAWS)
    # A median of 1 would be found.
    assert abs(np.mean(ratios[0] > 1) - 0.5) > sampling(0.5, DRAWS)


def test_the_tone_at_nyquist_has_a_median_of_one(ratios):
    """Two independent normal variables squared."""
    assert abs(np.mean(ratios[1] > 1) - 0.5) <= sampling(0.5, DRAWS)


def test_the_spread_says_the_same():
    layer = upsim.TransposedConv(1, 1, 8, 4, bias=False, weight=upsim.Normal(1.0))
    rows = upsim.predict(upsim.Stack([layer], 8000), CONSTANT).spread()
    chances = [row.above_offset for row in rows if row.tone.fraction]
    assert np.abs(np.subtract(chances, [3**-0.5, 0.5])).max() <= rounding(64, 1.0)


@pytest.mark.parametrize(("kernel", "stride", "points"), [(8, 4, 4096), (5, 4, 1000), (2, 8, 512)])
def test_a_rectified_noise_makes_lines_of_known_height(kernel, stride, points):
    """max(Z, 0) has mean^2 1 / (2 pi) and variance (pi - 1) / (2 pi).

    Behind K random taps and a stride L the line is ``K var(w) mean^2 / L^2``, the noise in one of N
    bins ``K var(w) variance / (L N)``: the ratio is ``N / (L (pi - 1))``.
    """
    layers = [upsim.ReLU(), upsim.TransposedConv(4, 1, kernel, stride, bias=False)]
    stack = upsim.Stack(layers, 8000)
    answer = upsim.predict(stack, upsim.WhiteNoise(), frequencies=9)
    bins = answer.psd[0] / 2 * 8000 / points
    wanted = points / (stride * (pi - 1))
    lines = [tone for tone in answer.tones if tone.fraction]
    assert len(lines) == stride // 2
    for tone in lines:
        line = tone.power[0] / (1 if tone.fraction == Fraction(1, 2) else 2)
        assert np.abs(line / bins - wanted).max() <= rounding(64 * kernel * stride, wanted)


def test_a_gate_at_initialisation_lets_no_offset_through():
    """a sigma(b) with independent halves, a of mean zero: the mean is zero, so no line follows."""
    layers = [
        upsim.Conv(4, 8, 3, bias=False),
        upsim.GLU(),
        upsim.TransposedConv(4, 1, 8, 4, bias=False),
    ]
    stack = upsim.Stack(layers, 8000)
    answer = upsim.predict(stack, upsim.WhiteNoise())
    assert answer.tones == ()
    assert float(answer.psd.max()) > 0
    rectified = stack.replace(layers=[layers[0], upsim.ReLU(), upsim.TransposedConv(8, 1, 8, 4)])
    assert upsim.predict(rectified, upsim.WhiteNoise()).tones


@pytest.mark.slow
def test_three_layers_and_rectifiers_against_400_networks():
    """Ones through (8, 4), (8, 4) and (5, 4), 256 channels: all lines within 0.1 dB."""
    layers = [
        upsim.TransposedConv(256, 256, 8, 4, 2),
        upsim.ReLU(),
        upsim.TransposedConv(256, 256, 8, 4, 2),
        upsim.ReLU(),
        upsim.TransposedConv(256, 256, 5, 4),
    ]
    stack = upsim.Stack(layers, 64000)
    expected = powers(stack)
    assert len(expected) == 33  # the offset and 32 lines
    count = 400
    drawn = [powers(stack.draw(seed)) for seed in range(count)]
    for fraction, power in expected.items():
        found = np.array([each[fraction] for each in drawn])
        error = found.mean() - power
        assert abs(error) <= sampling(found.std(ddof=1), count)
        if fraction:
            assert abs(10 * np.log10(found.mean() / power)) <= 0.1
