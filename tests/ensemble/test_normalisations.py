"""Normalisations in expectation: exact where the level is certain, seeded networks elsewhere."""

from __future__ import annotations

import re

import numpy as np
import pytest

import upsim
from tests.ensemble.test_expectation import SIGNAL, compare, conv, signed_networks, transposed
from upsim.operators.repeating import Repeating
from upsim.operators.two_time import TwoTime
from upsim.theory.moments import normalised
from upsim.theory.moments.channels import Channels
from upsim.theory.moments.normalised import over_channels, over_time
from upsim.words.tolerance import rounding, sampling

NOISE = upsim.WhiteNoise(2.0)

#: So large that the level hardly matters: the gain differs from ``1 / sqrt(eps)`` by at most
#: level / (2 eps), and a power by twice that.
HUGE = 1e12

#: The largest mean square before any normalisation below: 9 (gain) x 4 taps x (1 + 2).
LEVEL = 4 * 9 * 4 * 3.0

#: The same beginning for all: two channels of different levels, with tones and noise.
BEGINNING = [upsim.Conv(1, 2, 1, bias=False, weight=[[[1]], [[3]]]), transposed(2, 2, 2, 2)]

NORMS = {
    "instance": upsim.InstanceNorm(2, eps=HUGE),
    "one group": upsim.GroupNorm(1, 2, eps=HUGE),
    "each a group": upsim.GroupNorm(2, 2, eps=HUGE),
    "layer": upsim.LayerNorm(2, eps=HUGE),
}


@pytest.mark.parametrize("name", NORMS)
def test_the_centre_is_exact_for_any_number_of_channels(name):
    """With a huge eps only the centre is left, which is linear."""
    for end in ([], [conv(2, 1, 1)]):
        stack = upsim.Stack([*BEGINNING, NORMS[name], *end], 48000)
        if isinstance(NORMS[name], upsim.LayerNorm):
            _compare_lines(stack, upsim.Constant(1.0))
        else:
            compare(stack, signed_networks(stack), SIGNAL, slack=LEVEL / HUGE)


def test_a_centre_of_the_wrong_share_is_noticed(monkeypatch):
    right = normalised._without_centre

    def wrong(covariance, share, spread):
        return right(covariance, 2 * share, spread)

    monkeypatch.setattr(normalised, "_without_centre", wrong)
    stack = upsim.Stack([*BEGINNING, NORMS["one group"]], 48000)
    with pytest.raises(AssertionError):
        compare(stack, signed_networks(stack), SIGNAL, slack=LEVEL / HUGE)


def _compare_lines(stack, signal):
    """Compare lines only: noise through a LayerNorm has no prediction for one network."""
    found = {tone.fraction: tone.power for tone in upsim.predict(stack, signal).tones}
    powers: dict = {}
    count = 0
    for network in signed_networks(stack):
        for tone in upsim.predict(network, signal).tones:
            powers[tone.fraction] = powers.get(tone.fraction, 0.0) + tone.power
        count += 1
    scale = float(sum(power.max() for power in powers.values()) / count)
    bound = rounding(count + 64 * len(stack), scale) + scale * LEVEL / HUGE
    for turns in set(powers) | set(found):
        assert np.abs(found.get(turns, 0.0) - powers.get(turns, 0.0) / count).max() <= bound


@pytest.mark.parametrize(
    "norm", [upsim.InstanceNorm(2), upsim.GroupNorm(2, 2), upsim.GroupNorm(1, 2)], ids=repr
)
def test_the_level_is_exact_where_all_networks_have_it(norm):
    """Noise through taps of one magnitude: its power is the same for every combination of signs."""
    stack = upsim.Stack([conv(1, 2, 2), norm, transposed(2, 1, 2, 2)], 48000)
    compare(stack, signed_networks(stack), NOISE)


def test_a_normalisation_has_its_own_weight_and_bias():
    norm = upsim.InstanceNorm(2, affine=True, weight=[2.0, 1.0], bias=[0.5, -1.0])
    stack = upsim.Stack([conv(1, 2, 2), norm, transposed(2, 1, 2, 2)], 48000)
    compare(stack, signed_networks(stack), NOISE)


def test_an_instance_norm_leaves_no_offset():
    """Every channel loses its own average, over two runs of one network as well as over one."""
    stack = upsim.Stack([upsim.TransposedConv(4, 4, 6, 4), upsim.InstanceNorm(4)], 8000)
    before, after = (upsim.predict(each, SIGNAL).tones for each in (stack.upto(1), stack))
    assert [tone.fraction for tone in before][1:] == [tone.fraction for tone in after]
    assert before[0].fraction == 0


def test_constant_channels_are_silent_behind_an_instance_norm():
    stack = upsim.Stack([upsim.Conv(4, 4, 3), upsim.InstanceNorm(4)], 8000)
    assert not upsim.predict(stack, upsim.Constant(1.0)).tones


def test_many_channels_of_one_statistics_have_unit_power():
    stack = upsim.Stack([upsim.TransposedConv(64, 64, 6, 4), upsim.GroupNorm(2, 64)], 8000)
    found = upsim.predict(stack, SIGNAL)
    (group,) = found_groups(stack)
    variance = group.covariance.averaged().variance[0]
    # The group's own centre takes a 32nd of the offset's variance along.
    assert variance < 1
    assert found.tone_power.max() < 1
    wide = upsim.Stack([upsim.Conv(64, 64, 3), upsim.LayerNorm(64)], 8000)
    (group,) = found_groups(wide)
    level = upsim.predict(wide.upto(1), SIGNAL)
    power = float(level.tone_power[0] + level.noise_power[0]) * (1 - 1 / 64)
    assert group.covariance.variance[0] == pytest.approx(
        power / (power + 1e-5), abs=rounding(2**11, 1.0)
    )


def found_groups(stack):
    from upsim.theory.moments.propagation import propagate, starting_moments

    start = starting_moments(stack, [SIGNAL], provenance=False)
    return propagate(stack, start).end.groups


def test_groups_of_a_concatenation_have_levels_of_their_own():
    """A boundary inside of a group of like channels splits it: 3 weak, then 3 strong channels."""
    weak = Channels(3, Repeating.constant(0.0), TwoTime(np.zeros((1, 1)), np.ones((1, 1))))
    strong = Channels(3, Repeating.constant(0.0), TwoTime(np.zeros((1, 1)), 4 * np.ones((1, 1))))
    (first, second), gain = over_time([weak, strong], upsim.InstanceNorm(1, eps=0.5))
    assert gain == 1 / np.sqrt(2.5 + 0.5)
    assert second.covariance.variance[0] == 4 * first.covariance.variance[0]
    scaled = upsim.WeightNorm(upsim.Conv(6, 3, 1, bias=False), gain=[2.0] * 3)
    parts = upsim.Parallel([upsim.Conv(6, 3, 1, bias=False)], [scaled], merge="concatenate")
    found = found_groups(upsim.Stack([parts, upsim.GroupNorm(3, 6)], 8000))
    assert [group.count for group in found] == [2, 1, 1, 2]
    levels = [float(group.covariance.averaged().variance[0]) for group in found]
    assert levels[1] < levels[0]
    assert levels[2] > levels[3]


def test_a_layer_norm_divides_by_a_periodic_level():
    fixed = TwoTime(np.array([[1.0, 0.0], [4.0, 0.0]]), np.zeros((2, 1)))
    (made,), gain = over_channels(
        [Channels(2**60, Repeating.constant(0.0), fixed)], upsim.LayerNorm(1, eps=0.25)
    )
    assert gain.tolist() == pytest.approx([1.25**-0.5, 4.25**-0.5], abs=rounding(8, 1.0))
    assert made.covariance.variance.tolist() == pytest.approx(
        [1 / 1.25, 4 / 4.25], abs=rounding(8, 1.0)
    )


@pytest.mark.parametrize(
    "norm",
    [upsim.GroupNorm(2, 64), upsim.LayerNorm(64), upsim.InstanceNorm(64, eps=1e-12)],
    ids=lambda norm: type(norm).__name__,
)
def test_networks_agree_where_they_are_wide(norm):
    """Seeded: a constant through a random layer, a rectifier, a normalisation and a last layer."""
    stack = upsim.Stack(
        [
            upsim.TransposedConv(1, 64, 12, 4),
            upsim.ReLU(),
            upsim.Conv(64, 64, 3, padding=1),
            norm,
            upsim.TransposedConv(64, 1, 4, 2),
        ],
        64000,
    )
    count = 60
    found = upsim.predict(stack, upsim.Constant(1.0))
    powers: dict = {tone.fraction: np.zeros(count) for tone in found.tones}
    for seed in range(count):
        network = upsim.predict(stack.draw(seed), upsim.Constant(1.0), provenance=False)
        for tone in network.tones:
            powers[tone.fraction][seed] = tone.power[0]
    if isinstance(norm, upsim.InstanceNorm):
        # Its level differs from one channel to the next, so single lines do not agree; but every
        # channel leaves with the same power, whatever its level was.
        total = sum(tone.power[0] for tone in found.tones)
        networks = np.sum(list(powers.values()), axis=0)
        assert abs(networks.mean() / total - 1) <= sampling(networks.std() / total, count)
        return
    for tone in found.tones:
        real = tone.fraction in (0, 0.5)
        error = tone.power[0] * np.sqrt(2 if real else 1)
        assert abs(powers[tone.fraction].mean() - tone.power[0]) <= sampling(error, count)


def test_the_level_over_channels_differs_as_it_is_said_from_one_network_to_the_next():
    # Every channel is a sum over 64 inputs with fresh weights: nearly Gaussian over networks.
    wide = upsim.Conv(64, 64, 1, bias=False)
    stack = upsim.Stack([wide, upsim.LayerNorm(64)], 8000)
    (note,) = (
        each
        for each in upsim.predict(stack, upsim.Constant(1.0)).assumptions
        if "LayerNorm" in each
    )
    told = float(re.search(r"by (\d+) %", note)[1]) / 100
    rng, count = np.random.default_rng(3), 2000
    levels = np.array(
        [wide.draw(rng).weight_array()[:, :, 0].sum(axis=1).var() for _ in range(count)]
    )
    found = levels.std() / levels.mean()
    # The standard deviation of n numbers is off by 1 / sqrt(2 n) of itself, and the note by 0.5 %.
    assert abs(found - told) <= sampling(found, 2 * count) + 0.005


def test_the_level_over_channels_of_noise_varies_as_it_is_said():
    # White noise in 8 independent channels: z has 7 degrees of freedom, S a deviation sqrt(2 / 7).
    stack = upsim.Stack([upsim.LayerNorm(8, eps=1e-12)], 8000)
    notes = upsim.predict(stack, upsim.WhiteNoise()).assumptions
    (told,) = (float(re.search(r"is ([\d.]+) %", each)[1]) for each in notes if "LayerNorm" in each)
    assert told == float(f"{100 * np.sqrt(2 / 7):.2g}")
