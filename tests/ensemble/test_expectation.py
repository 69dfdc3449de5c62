"""Expectation over networks against the average over all of them, exactly.

Only second moments of the taps matter where no activation acts, so taps of plus or minus one
standard deviation, every combination counted once, have the very expectation of Gaussian taps.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

import upsim
from upsim.errors import NotPredictableError
from upsim.theory.moments import DeterministicMoments, StationaryMoments
from upsim.theory.moments.propagation import propagate, starting_moments
from upsim.words.tolerance import rounding

HALF = upsim.Normal(0.5)
SIGNAL = upsim.Constant(1.0) + upsim.WhiteNoise(2.0)
TURNS = np.array([0.03, 0.11, 0.25, 0.4])


class Signs(np.random.Generator):
    """Stands in for a random generator: draws that were decided before."""

    def __init__(self, values):
        super().__init__(np.random.PCG64(0))
        self.values = list(values)
        self.asked = 0

    def normal(self, mean, std, shape):
        count = int(np.prod(shape))
        self.asked += count
        taken, self.values = self.values[:count], self.values[count:]
        return std * np.reshape(taken or np.ones(count), shape)

    def spawn(self, count):
        return [self] * count


def drawn_with(stack, rng):
    return stack.replace(layers=[layer.draw(rng) for layer in stack])


def signed_networks(stack, values=(-1.0, 1.0)):
    """Yield the stack with every combination of taps; they count alike."""
    counting = Signs([])
    drawn_with(stack, counting)
    for signs in product(values, repeat=counting.asked):
        yield drawn_with(stack, Signs(signs))


def conv(*args, **settings):
    return upsim.Conv(*args, bias=False, weight=HALF, **settings)


def transposed(*args, **settings):
    return upsim.TransposedConv(*args, bias=False, weight=HALF, **settings)


STACKS = {
    "full overlap": [transposed(1, 1, 4, 2)],
    "partial overlap": [transposed(1, 1, 5, 3, padding=1)],
    "two layers, two channels": [transposed(1, 2, 2, 2), transposed(2, 1, 3, 2)],
    "nearest": [upsim.Nearest(2), conv(1, 1, 3, padding=1)],
    "linear": [conv(1, 1, 2), upsim.Linear(3, "triangle"), conv(1, 1, 3)],
    "strided": [transposed(1, 1, 3, 3), conv(1, 1, 3, stride=2, padding=1)],
    "dilated": [transposed(1, 1, 3, 2, dilation=2), conv(1, 1, 2, dilation=3)],
    "subpixel": [
        upsim.SubpixelConv(1, 1, 2, 2, bias=False, weight=HALF),
        upsim.SubpixelConv(1, 1, 2, 2, bias=False, weight=HALF, order="tensorflow"),
    ],
    "shuffle": [conv(1, 2, 2), upsim.PeriodicShuffle(2), conv(1, 1, 3, padding=1)],
    "haar": [conv(1, 2, 2), upsim.HaarSynthesis(), transposed(1, 1, 2, 2)],
    "hold": [transposed(1, 1, 3, 2), upsim.Hold(2)],
    "decimate": [transposed(1, 1, 4, 3), upsim.Decimate(2, 1), conv(1, 1, 2)],
    "offset": [transposed(1, 1, 3, 2), upsim.Bias(0.25), transposed(1, 1, 3, 2)],
    "offsets of channels": [conv(1, 2, 2), upsim.Bias([0.25, -1.0]), transposed(2, 1, 3, 2)],
    "depthwise": [upsim.Nearest(2), conv(2, 2, 2, groups=2), transposed(2, 1, 3, 2)],
    "ones first": [upsim.TransposedConv(1, 2, 3, 2, weight="ones"), conv(2, 1, 2)],
    "ones between": [
        conv(1, 2, 2),
        upsim.TransposedConv(2, 2, 3, 2, bias=False, weight="ones"),
        conv(2, 1, 2),
    ],
    "ones last": [conv(1, 2, 2), upsim.TransposedConv(2, 2, 3, 2, weight="ones")],
    "given twice, first": [
        upsim.TransposedConv(1, 2, 3, 2, bias=[1.0, 0.5], weight=[[[1, 2, -1], [0, 1, 3]]]),
        upsim.Conv(2, 2, 1, bias=False, weight=[[[1], [1]], [[2], [-1]]]),
        conv(2, 1, 3),
    ],
    "given between": [
        conv(1, 2, 1),
        upsim.TransposedConv(2, 2, 2, 2, bias=[1.0, -1.0], weight=[[[1, 2], [0, 1]], [[3, 1]] * 2]),
        conv(2, 1, 3),
    ],
    "given last": [
        conv(1, 2, 2),
        upsim.TransposedConv(2, 2, 2, 2, bias=[1.0, -1.0], weight=[[[1, 2], [0, 1]], [[3, 1]] * 2]),
    ],
    "given, then random groups": [
        upsim.Conv(1, 4, 1, bias=False, weight=[[[1]], [[2]], [[3]], [[5]]]),
        transposed(4, 2, 2, 2, groups=2),
    ],
    "given bias": [upsim.Conv(1, 2, 2, bias=[1.0, -2.0], weight=HALF), transposed(2, 1, 2, 2)],
    "given bias of phases": [
        upsim.SubpixelConv(1, 1, 2, 2, bias=[1.0, -2.0], weight=HALF),
        transposed(1, 1, 2, 2),
    ],
    "trained normalisation": [
        conv(1, 2, 2),
        upsim.BatchNorm(2, running_mean=[1.0, 2.0], running_var=[0.25, 4.0]),
        transposed(2, 1, 3, 2),
    ],
    "phases in several groups": [
        upsim.Conv(1, 2, 1, bias=False, weight=[[[1]], [[3]]]),
        upsim.SubpixelConv(2, 1, 2, 2, bias=False, groups=2, order="tensorflow", weight=HALF),
        conv(1, 1, 3),
    ],
    "skip": [
        upsim.Conv(1, 2, 1, bias=False, weight=[[[1]], [[3]]]),
        upsim.Residual(conv(2, 2, 1)),
        transposed(2, 1, 2, 2),
    ],
    "residuals side by side": [
        transposed(1, 1, 2, 2),
        upsim.Parallel(
            upsim.Residual(conv(1, 1, 3, padding=1)),
            [upsim.Residual(conv(1, 1, 1)), upsim.Residual(conv(1, 1, 1))],
            [],
            merge="mean",
        ),
        conv(1, 1, 2),
    ],
    "a wire three times": [
        conv(1, 1, 2),
        upsim.Parallel([], [], upsim.Parallel([], [], merge="mean")),
        conv(1, 1, 2),
    ],
    "concatenation": [
        upsim.Parallel([conv(1, 1, 1)], [upsim.Bias(2.0)], merge="concatenate"),
        conv(2, 1, 1),
        upsim.Parallel([conv(1, 2, 1)], [], merge="concatenate"),
        conv(3, 1, 1),
    ],
    "one gain": [
        upsim.WeightNorm(upsim.SubpixelConv(1, 1, 2, 2, bias=False, weight=HALF), gain=[2.0, 2.0]),
        conv(1, 1, 2),
    ],
    "gains of outputs": [
        upsim.WeightNorm(conv(1, 2, 2), gain=[2.0, 3.0]),
        conv(2, 1, 2),
    ],
    "gains of inputs": [
        upsim.Conv(1, 2, 1, bias=False, weight=[[[1]], [[3]]]),
        upsim.WeightNorm(transposed(2, 1, 3, 2), gain=[2.0, 3.0]),
    ],
    "gains of phases": [
        upsim.WeightNorm(
            upsim.SubpixelConv(1, 2, 1, 2, bias=False, weight=HALF), gain=[2.0, 3.0, 1.0, 0.5]
        ),
        conv(2, 1, 2),
    ],
}


def average_over(networks, signal):
    """Return line powers by place, (channels,), and the one-sided density at TURNS, averaged."""
    powers: dict = {}
    densities, count = 0.0, 0
    for network in networks:
        place = propagate(network, starting_moments(network, [signal], provenance=False))
        end = place.end
        assert isinstance(end, StationaryMoments)
        assert isinstance(end.mean, DeterministicMoments)
        squares = np.abs(end.mean.amplitudes()) ** 2
        for number in range(squares.shape[1]):
            turns = Fraction(number, end.mean.period.shape[1])
            sides = 1 if turns in (0, Fraction(1, 2)) else 2
            powers[turns] = powers.get(turns, 0.0) + sides * squares[:, number]
        for turns, (amplitude, _) in end.mean.sines.folded().items() if end.mean.sines else ():
            sides = 1 if turns in (0, Fraction(1, 2)) else 2
            powers[turns] = powers.get(turns, 0.0) + sides * np.abs(amplitude) ** 2
        # per hertz of the output
        densities = densities + 2 * end.density(TURNS).real
        count += 1
    return {turns: total / count for turns, total in powers.items()}, densities / count, count


def compare(stack, networks, signal, *, slack=0.0):
    """Compare the expectation with the average over networks; ``slack`` is relative."""
    expected = upsim.predict(stack, signal, frequencies=TURNS * float(stack.sample_rate))
    powers, densities, count = average_over(networks, signal)
    scale = float(sum(power.max() for power in powers.values()))
    bound = rounding(count + 64 * len(stack), scale) + slack * scale
    found = {tone.fraction: tone.power for tone in expected.tones}
    assert set(found) <= set(powers)
    for turns, total in powers.items():
        assert np.abs(found.get(turns, 0.0) - total).max() <= bound
    assert expected.psd is not None
    level = float(np.max(densities))
    bound = rounding(count + 256 * len(stack), 16 * level) + slack * level
    assert np.abs(expected.psd - densities).max() <= bound


@pytest.mark.parametrize("name", STACKS)
def test_expectation_is_the_average_over_all_networks(name):
    stack = upsim.Stack(STACKS[name], 48000)
    compare(stack, signed_networks(stack), SIGNAL)


def test_wrong_tap_variance_is_noticed():
    wrong = upsim.Stack([transposed(1, 1, 4, 2).__class__(1, 1, 4, 2, bias=False)], 48000)
    right = upsim.Stack([transposed(1, 1, 4, 2)], 48000)
    first, second = (upsim.predict(s, SIGNAL).tones[0].power[0] for s in (wrong, right))
    assert abs(first - second) > 0.1 * second


def test_default_initialisation_of_figures_7_and_8():
    """By hand: figure 8-left -3.01 dB (bias included), figure 7 0.00 dB."""
    left = upsim.predict(upsim.Stack([upsim.TransposedConv(1, 1, 4, 2)], 8000), upsim.Constant())
    offset, tone = left.tones
    # A sum over 4 taps and a bias, and a DFT of 2 samples.
    assert abs(tone.power[0] / offset.power[0] - 0.5) <= rounding(16, 1.0)
    assert round(10 * np.log10(tone.power[0] / offset.power[0]), 2) == -3.01
    seven = upsim.predict(upsim.Stack([upsim.SubpixelConv(1, 1, 3, 2, 1)], 8000), upsim.Constant())
    offset, tone = seven.tones
    assert tone.power[0] == offset.power[0]


def test_branches_with_shared_weights_are_refused():
    stack = upsim.Stack([upsim.Conv(1, 4, 3), upsim.Residual(upsim.ReLU())], 8000)
    with pytest.raises(NotPredictableError, match="correlated where they meet"):
        upsim.predict(stack, upsim.Constant())


def test_layers_of_ones_alone_are_one_network():
    stack = upsim.Stack([upsim.TransposedConv(1, 2, 3, 2, weight="ones")], 8000)
    found, drawn = (upsim.predict(each, upsim.Constant()) for each in (stack, stack.draw(0)))
    assert stack.is_drawn
    for tone, same in zip(found.tones, drawn.tones, strict=True):
        assert tone.amplitude.tolist() == same.amplitude.tolist()
        assert (tone.layer, tone.cause) == (same.layer, same.cause)


def test_a_trained_beginning_is_predicted_as_the_network_that_it_is():
    first = upsim.TransposedConv(1, 4, 3, 2).draw(np.random.default_rng(0))
    stack = upsim.Stack([first, upsim.ReLU(), upsim.TransposedConv(4, 1, 4, 2)], 8000)
    found = upsim.predict(stack, upsim.Constant())
    alone = upsim.predict(stack.upto(2), upsim.Constant())
    for tone, same in zip(found.layers[1].tones, alone.tones, strict=True):
        assert tone.amplitude.tolist() == same.amplitude.tolist()
    assert all(tone.amplitude is None for tone in found.tones)
    assert any("before the first random layer" in each for each in found.assumptions)


def test_given_layers_one_after_another_behind_a_random_one_are_refused():
    given = [upsim.Conv(2, 2, 1, bias=False, weight=[[[1], [1]], [[2], [-1]]])] * 2
    stack = upsim.Stack([conv(1, 2, 1), *given], 8000)
    with pytest.raises(NotPredictableError, match=r"parts in common.*draw\(seed=0\)") as caught:
        upsim.predict(stack, upsim.Constant())
    assert "layer 3" in str(caught.value)


def test_normalised_weights_of_any_symmetric_draw():
    """Slices whose length differs from draw to draw: 27 and 81 networks of three values."""
    for layer in (transposed(1, 1, 3, 2), conv(1, 1, 4)):
        normed = upsim.WeightNorm(layer, gain=[2.0])
        stack = upsim.Stack([normed], 48000)
        compare(stack, signed_networks(stack, (-2.0, -1.0, 1.0, 2.0)), SIGNAL)


def test_normalised_weights_that_repeat_their_draws():
    """ICNR: both phases of a kernel are one draw, so the tone of a constant is zero."""
    layer = upsim.TransposedConv(4, 1, 4, 2, bias=False, weight="icnr")
    plain, normed = (
        upsim.predict(upsim.Stack([each], 8000), SIGNAL).tones
        for each in (layer, upsim.WeightNorm(layer, gain=np.full(4, 3.0)))
    )
    assert [tone.fraction for tone in normed] == [tone.fraction for tone in plain] == [0]
    # A slice is an input channel of 4 taps, its squares add up to 9; a draw stands in 2 taps.
    # Each phase is a sum over 4 channels of two taps of variance 9 / 4.
    assert normed[0].power[0] == pytest.approx(4 * 2 * 9 / 4, abs=rounding(64, 18.0))


def test_normalised_weights_of_projected_taps_are_refused():
    layer = upsim.TransposedConv(2, 1, 4, 2, weight="checkerboard-free")
    stack = upsim.Stack([upsim.WeightNorm(layer, gain=[1.0, 1.0])], 8000)
    with pytest.raises(NotPredictableError, match=r"no known moments.*draw\(seed=0\)"):
        upsim.predict(stack)


def test_learned_interpolation_is_the_average_over_its_shares():
    """Two shares that have the first two moments of the uniform draw's give its expectation."""
    stack = upsim.Stack(
        [
            upsim.Nearest(2),
            upsim.LearnedInterpolation(2),
            upsim.Conv(2, 1, 1, bias=False, weight=[[[1], [2]]]),
        ],
        48000,
    )
    nodes, weights = np.polynomial.legendre.leggauss(64)
    bound = np.sqrt(6 / 4)
    square = weights @ np.tanh(bound * nodes / 2) ** 2 / 2
    share = 2 * np.arctanh(np.sqrt(square))
    networks = (
        stack.replace(layers=[stack[0], upsim.LearnedInterpolation(2, weight=pair), stack[2]])
        for pair in product((-share, share), repeat=2)
    )
    compare(stack, networks, SIGNAL)


def test_learned_interpolation_of_gaussian_weights():
    stack = upsim.Stack([upsim.LearnedInterpolation(1, weight=upsim.Normal(1.0))], 48000)
    squares = []
    for count in (60, 120):
        nodes, weights = np.polynomial.hermite_e.hermegauss(count)
        squares.append(weights @ np.tanh(nodes / 2) ** 2 / weights.sum())
    share = 2 * np.arctanh(np.sqrt(squares[1]))
    networks = [
        stack.replace(layers=[upsim.LearnedInterpolation(1, weight=[each])])
        for each in (-share, share)
    ]
    # Twice the nodes: what the oracle still changes by is more than what it is off by.
    compare(stack, networks, SIGNAL + upsim.Sine(6000.0), slack=abs(squares[1] - squares[0]))
