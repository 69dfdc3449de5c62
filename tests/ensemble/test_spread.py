"""How far one network may lie from the expectation: laws, then seeded networks."""

from __future__ import annotations

from math import erf, inf, pi, sqrt

import numpy as np
import pytest

import upsim
from upsim.errors import ArgumentError, NotPredictableError
from upsim.theory.lines.spread import above_offset, offset_median, ratio_median
from upsim.words.tolerance import rounding, sampling

STACK = upsim.Stack([upsim.TransposedConv(256, 1, 8, 4, bias=False)], 16000)


def test_laws_of_lines_as_strong_as_their_offset():
    """By hand: median 3/2 and P = 1/sqrt(3); at the Nyquist frequency 1 and 1/2."""
    _, line, nyquist = upsim.predict(STACK, upsim.Constant(1.0)).spread()
    assert line.above_offset == pytest.approx(1 / sqrt(3), abs=rounding(8, 1.0))
    assert line.ratio == 1.5
    assert nyquist.above_offset == pytest.approx(0.5, abs=rounding(8, 1.0))
    assert nyquist.ratio == 1.0


@pytest.mark.parametrize("real", [True, False])
@pytest.mark.parametrize("line", [0.5, 1.0, 3.0])
def test_the_median_ratio_is_where_the_chance_is_one_half(line, real):
    ratio = ratio_median(line, 2.0, real=real)
    chance = above_offset(line, 2.0 * ratio, real=real)
    assert chance == pytest.approx(0.5, abs=rounding(8, 1.0))


def test_chances_at_the_ends():
    assert above_offset(1.0, 0.0, real=False) == 1.0
    assert above_offset(0.0, 1.0, real=True) == 0.0
    assert ratio_median(1.0, 0.0, real=True) == inf
    with pytest.raises(ArgumentError, match="must not be negative"):
        above_offset(-1.0, 1.0, real=True)


def test_the_spread_is_that_of_many_networks():
    rows = upsim.predict(STACK, upsim.Constant(1.0)).spread()
    powers = np.array(
        [
            [tone.power[0] for tone in upsim.predict(STACK.draw(seed), upsim.Constant(1.0)).tones]
            for seed in range(400)
        ]
    )
    offset = powers[:, 0]
    for number, row in enumerate(rows):
        # Halves of 400: a binomial of deviation 1/2.
        above = (powers[:, number] > row.median).mean()
        assert abs(above - 0.5) <= sampling(0.5, len(powers))
        if row.tone.fraction:
            line = powers[:, number] / (1 if row.tone.fraction == 0.5 else 2)
            chance = row.above_offset
            deviation = np.sqrt(chance * (1 - chance))
            assert abs((line > offset).mean() - chance) <= sampling(deviation, len(powers))
            assert abs((line > row.ratio * offset).mean() - 0.5) <= sampling(0.5, len(powers))


def bins(prediction, points):
    """Return each line's squared coefficient over the noise in its bin of a DFT."""
    rate = float(prediction.sample_rate)
    found = {}
    for tone in prediction.tones:
        sides = 1 if tone.fraction in (0, 0.5) else 2
        level = np.interp(tone.frequency, prediction.frequencies, prediction.psd[0]) / 2
        found[tone.fraction] = tone.power[0] / sides / (level * rate / points)
    return found


@pytest.mark.parametrize(("kernel", "factor"), [(8, 4), (6, 2), (5, 5)])
def test_white_features_and_a_rectifier(kernel, factor):
    """By hand: N / (L (pi - 1)) for white noise, ReLU and random full overlap."""
    layers = [upsim.ReLU(), upsim.TransposedConv(16, 1, kernel, factor, bias=False)]
    found = bins(upsim.predict(upsim.Stack(layers, 16000), upsim.WhiteNoise(1.0)), 1024)
    assert len(found) == factor // 2 + 1
    for ratio in found.values():
        law = 1024 / (factor * (pi - 1))
        assert ratio == pytest.approx(law, abs=rounding(1024, law))


def test_white_features_in_many_networks():
    """One network's lines and density are exact behind one activation: their averages agree."""
    layers = [upsim.ReLU(), upsim.TransposedConv(16, 1, 8, 4, bias=False)]
    stack, count = upsim.Stack(layers, 16000), 200
    found = upsim.predict(stack, upsim.WhiteNoise(1.0))
    powers = {tone.fraction: np.zeros(count) for tone in found.tones}
    levels = np.zeros((count, 3))
    grid = np.array([1000.0, 3000.0, 6500.0])
    for seed in range(count):
        network = upsim.predict(stack.draw(seed), upsim.WhiteNoise(1.0), frequencies=grid)
        levels[seed] = network.psd[0]
        for tone in network.tones:
            powers[tone.fraction][seed] = tone.power[0]
    expected = np.interp(grid, found.frequencies, found.psd[0])
    for level, value in zip(levels.T, expected, strict=True):
        assert abs(level.mean() - value) <= sampling(level.std(), count)
    for tone in found.tones:
        power = powers[tone.fraction]
        assert abs(power.mean() - tone.power[0]) <= sampling(power.std(), count)


@pytest.mark.parametrize(
    "end", [[upsim.Tanh()], [upsim.GroupNorm(1, 1)], [upsim.Bias(0.5)]], ids=repr
)
def test_other_ends_have_other_distributions(end):
    stack = STACK.replace(layers=[*STACK, *end])
    with pytest.raises(NotPredictableError, match=r"stack\.upto\(n\)") as caught:
        upsim.predict(stack, upsim.Constant(1.0)).spread()
    assert type(end[0]).__name__ in str(caught.value)


def test_fixed_filters_may_follow():
    stack = STACK.replace(layers=[*STACK, upsim.Hold(2)])
    assert upsim.predict(stack, upsim.Constant(1.0)).spread()


def test_drawn_weights_have_no_spread():
    with pytest.raises(NotPredictableError, match="drawn weights"):
        upsim.predict(STACK.draw(0), upsim.Constant(1.0)).spread()


def test_a_uniform_bias_flattens_the_offset():
    """With next to no normal part: the median of a square is w^2 / 4, and P has a closed form."""
    assert offset_median(1.0, 1.0) == pytest.approx(0.75, abs=rounding(200, 1.0))
    # P(a E > U^2) = sqrt(pi a) erf(w / sqrt a) / 2 w, and P(a Z^2 > U^2) for a far above w^2 is 1.
    w = sqrt(3)
    law = sqrt(pi * 0.1) * erf(w / sqrt(0.1)) / (2 * w)
    assert above_offset(0.1, 1.0, real=False, bias=1.0) == pytest.approx(law, rel=rounding(8, 1.0))
    # A vanishing bias is none; the sum over 4096 steps to 9 deviations is of second order.
    for real in (False, True):
        plain = above_offset(0.5, 1.0, real=real)
        assert above_offset(0.5, 1.0, real=real, bias=1e-9) == pytest.approx(
            plain, abs=(9 / 4096) ** 2
        )


@pytest.mark.parametrize("signal", [upsim.Silence(), upsim.Constant(1.0)], ids=repr)
def test_the_spread_with_a_bias_is_that_of_many_networks(signal):
    layers = [upsim.TransposedConv(64, 256, 4, 2), upsim.ReLU(), upsim.TransposedConv(256, 1, 8, 4)]
    stack, count = upsim.Stack(layers, 16000), 600
    rows = [r for r in upsim.predict(stack, signal).spread() if r.tone.fraction in (0, 0.25, 0.5)]
    powers = np.zeros((count, len(rows)))
    for seed in range(count):
        made = upsim.predict(stack.draw(seed), signal, provenance=False).tones
        by_place = {tone.fraction: tone.power[0] for tone in made}
        powers[seed] = [by_place[row.tone.fraction] for row in rows]
    for row, power in zip(rows, powers.T, strict=True):
        assert abs((power > row.median).mean() - 0.5) <= sampling(0.5, count)
        if row.tone.fraction:
            line, chance = power / (1 if row.tone.fraction == 0.5 else 2), row.above_offset
            deviation = sqrt(chance * (1 - chance))
            assert abs((line > powers[:, 0]).mean() - chance) <= sampling(deviation, count)
            assert abs((line > row.ratio * powers[:, 0]).mean() - 0.5) <= sampling(0.5, count)
    # Taken as Gaussian, the silent offset would have another median: the runs tell the two apart.
    if isinstance(signal, upsim.Silence):
        wrong = rows[0].tone.power[0] * offset_median(1.0, 0.0)
        assert abs((powers[:, 0] > wrong).mean() - 0.5) > sampling(0.5, count)


def test_a_bias_before_a_filter_has_no_spread():
    layers = [upsim.TransposedConv(64, 1, 4, 2), upsim.Hold(2)]
    with pytest.raises(NotPredictableError, match="random bias"):
        upsim.predict(upsim.Stack(layers, 16000), upsim.Constant(1.0)).spread()
