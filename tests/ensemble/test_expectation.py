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
from upsim.theory.propagation import propagate, starting_moments
from upsim.tolerance import rounding

HALF = upsim.Normal(0.5)
SIGNAL = upsim.Constant(1.0) + upsim.WhiteNoise(2.0)
TURNS = np.array([0.03, 0.11, 0.25, 0.4])


def signed_networks(stack):
    """Yield the stack with every combination of taps +-0.5."""
    shapes = [layer.weight_shape for layer in stack if hasattr(layer, "weight_shape")]
    for signs in product((-0.5, 0.5), repeat=sum(int(np.prod(shape)) for shape in shapes)):
        values, layers = list(signs), []
        for layer in stack:
            if hasattr(layer, "weight_shape"):
                count = int(np.prod(layer.weight_shape))
                weight = np.reshape(values[:count], layer.weight_shape)
                values = values[count:]
                fields = {**layer.to_fields(), "weight": weight}
                layer = type(layer)(**fields)  # noqa: PLW2901
            layers.append(layer)
        yield stack.replace(layers=layers)


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
}


@pytest.mark.parametrize("name", STACKS)
def test_expectation_is_the_average_over_all_networks(name):
    stack = upsim.Stack(STACKS[name], 48000)
    expected = upsim.predict(stack, SIGNAL, frequencies=TURNS * 48000)
    powers: dict = {}
    densities, count = 0.0, 0
    for network in signed_networks(stack):
        place = propagate(network, starting_moments(network, SIGNAL, provenance=False))
        end = place.after(len(stack))
        assert isinstance(end, StationaryMoments)
        assert isinstance(end.mean, DeterministicMoments)
        squares = np.abs(end.mean.amplitudes()[0]) ** 2
        for number in range(squares.size // 2 + 1):
            turns = Fraction(number, squares.size)
            sides = 1 if turns in (0, Fraction(1, 2)) else 2
            powers[turns] = powers.get(turns, 0.0) + sides * squares[number]
        densities = densities + 2 * end.density(TURNS)[0].real
        count += 1
    scale = sum(powers.values()) / count
    bound = rounding(count + 64 * len(stack), scale)
    found = {tone.fraction: float(tone.power[0]) for tone in expected.tones}
    for turns, total in powers.items():
        assert found.get(turns, 0.0) == pytest.approx(total / count, abs=bound)
    assert expected.psd is not None
    level = float(np.max(densities / count))
    assert np.abs(expected.psd[0] - densities / count).max() <= rounding(
        count + 256 * len(stack), 16 * level
    )


def test_wrong_tap_variance_is_noticed():
    wrong = upsim.Stack([transposed(1, 1, 4, 2).__class__(1, 1, 4, 2, bias=False)], 48000)
    right = upsim.Stack([transposed(1, 1, 4, 2)], 48000)
    first, second = (upsim.predict(s, SIGNAL).tones[0].power[0] for s in (wrong, right))
    assert abs(first - second) > 0.1 * second


def test_default_initialisation_of_figures_7_and_8():
    """Theory, section 3: figure 8-left -3.01 dB (bias included), figure 7 0.00 dB."""
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


def test_a_mixture_of_drawn_and_random_layers_is_refused():
    drawn = upsim.TransposedConv(1, 4, 4, 2).draw(np.random.default_rng(0))
    stack = upsim.Stack([drawn, upsim.TransposedConv(4, 1, 4, 2)], 8000)
    with pytest.raises(NotPredictableError, match="all layers drawn, or none"):
        upsim.predict(stack, upsim.Constant())
