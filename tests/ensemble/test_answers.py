"""What a prediction in expectation answers, and what it refuses."""

import json
from math import sqrt

import numpy as np
import pytest

import upsim
from upsim.errors import NotPredictableError
from upsim.layers.base import Normalisation
from upsim.words.tolerance import rounding

STACK = upsim.Stack([upsim.TransposedConv(8, 8, 8, 4, 2), upsim.ReLU(), upsim.Conv(8, 1, 5)], 16000)


def expected():
    return upsim.predict(STACK, upsim.Constant(1.0) + upsim.WhiteNoise(0.5))


def test_words_tables_and_files():
    found = expected()
    assert "expected tones" in repr(found)
    assert found.table().count("\n") == len(found.tones)
    assert found.layers[0].tones
    assert found.replicas
    assert found.audibility()
    line = found.explain(4000)
    assert line.possible
    assert line.tone is not None
    assert "layer 1" in str(line)
    again = upsim.Prediction.from_dict(json.loads(found.to_json()))
    assert [tone.power.tolist() for tone in again.tones] == [
        tone.power.tolist() for tone in found.tones
    ]
    assert all(tone.amplitude is None for tone in again.tones)


@pytest.mark.parametrize("kind", ["spectrum", "layers", "comb", "spectrogram", "provenance"])
def test_pictures(kind):
    import matplotlib.pyplot as plt

    assert expected().plot(kind=kind) is not None
    plt.close("all")


@pytest.mark.parametrize(
    "ask",
    [
        lambda: upsim.verify(STACK),
        lambda: expected().lines(8),
        lambda: expected().audio(0.01),
        lambda: upsim.predict(STACK, upsim.Recorded(np.ones((8, 32)), STACK.input_rate)),
    ],
    ids=["verify", "lines", "audio", "recording"],
)
def test_questions_about_one_network_say_draw_first(ask):
    with pytest.raises(NotPredictableError, match=r"draw\(seed=0\)"):
        ask()


class OwnNorm(Normalisation):
    """A normalisation that nobody has derived."""

    def gains(self, mean, variance):
        return np.ones_like(mean)

    def centre(self, mean):
        return mean


LAYERS = [
    upsim.WeightNorm(upsim.Conv(8, 8, 3, weight="checkerboard-free"), gain=np.ones(8)),
    upsim.PReLU(8),
    OwnNorm(),
]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_layers_without_a_rule_say_draw_first(layer):
    stack = STACK.replace(layers=[STACK[0], layer, STACK[2]])
    with pytest.raises(NotPredictableError, match=r"draw\(seed=0\)") as caught:
        upsim.predict(stack, upsim.Constant(1.0))
    assert "layer 2" in str(caught.value)


def test_a_batch_norm_as_torch_starts_it_is_a_gain():
    gain = 1 / np.sqrt(1 + 1e-5)
    normed = upsim.predict(
        STACK.replace(layers=[STACK[0], upsim.BatchNorm(8)]), upsim.Constant(1.0)
    )
    plain = upsim.predict(STACK.upto(1), upsim.Constant(1.0))
    for tone, same in zip(normed.tones, plain.tones, strict=True):
        # Sums over 8 channels and 8 taps, their squares and a DFT of 4 samples, twice.
        total = sum(each.power[0] for each in plain.tones)
        assert abs(tone.power[0] - same.power[0] * gain**2) <= rounding(2 * 8 * 8 * 4, total)


def test_a_gate_halves_the_channels():
    stack = STACK.replace(layers=[STACK[0], upsim.GLU(), upsim.Conv(4, 1, 5)])
    assert upsim.predict(stack, upsim.Constant(1.0)).tones


def networks(stack, count):
    powers: dict = {}
    for seed in range(count):
        for tone in upsim.predict(stack.draw(seed), upsim.Constant(1.0), provenance=False).tones:
            powers.setdefault(tone.fraction, np.zeros(count))[seed] = tone.power[0]
    return powers


def test_two_wide_layers_and_rectifiers():
    """By hand: ones through two transposed convolutions of 256 channels."""
    stack = upsim.Stack(
        [
            upsim.TransposedConv(256, 256, 8, 4, 2),
            upsim.ReLU(),
            upsim.TransposedConv(256, 256, 8, 4, 2),
            upsim.ReLU(),
            upsim.TransposedConv(256, 1, 5, 4),
        ],
        64000,
    )
    found = upsim.predict(stack, upsim.Constant(1.0))
    count = 240
    powers = networks(stack, count)
    assert {tone.fraction for tone in found.tones} == set(powers)
    for tone in found.tones:
        # A line's power is its expectation times an exponential variable, deviation 1, or times a
        # chi-squared variable of one degree of freedom, deviation sqrt(2).
        real = tone.fraction in (0, 0.5)
        error = tone.power[0] * np.sqrt((2 if real else 1) / count)
        assert abs(powers[tone.fraction].mean() - tone.power[0]) <= 5 * error


class Own(upsim.Initialisation):
    name = "own"

    def draw(self, shape, rng):
        return rng.normal(size=(shape.out, shape.per_group, shape.count))


def test_an_initialisation_that_names_no_covariance_says_draw_first():
    stack = upsim.Stack([upsim.Conv(1, 1, 3, weight=Own())], 8000)
    with pytest.raises(NotPredictableError, match=r"tap_covariance.*draw\(seed=0\)"):
        upsim.predict(stack)


def narrowest(layers):
    found = upsim.predict(upsim.Stack(layers, 8000), upsim.WhiteNoise(1.0), provenance=False)
    return [note for note in found.assumptions if "narrowest sum" in note]


def test_a_sum_is_as_narrow_as_what_it_adds_up():
    """Between two activations a sum over channels is needed, or the second meets no Gaussian."""
    first = [upsim.Conv(1, 16, 3), upsim.ReLU()]
    wide = narrowest([*first, upsim.Conv(16, 4, 3), upsim.ReLU()])
    assert "3 terms" in wide[0]  # the first layer's own: one channel, three taps
    bare = narrowest([*first, upsim.Nearest(2), upsim.ReLU()])
    assert "1 terms" in bare[0]
    summed = narrowest([*first, upsim.Conv(16, 2, 1, bias=False, weight="ones"), upsim.ReLU()])
    assert "3 terms" in summed[0]
    assert not narrowest([upsim.ReLU(), upsim.Conv(1, 1, 3)])


def test_ones_are_verified_without_a_draw():
    stack = upsim.Stack([upsim.TransposedConv(1, 2, 3, 2, weight="ones"), upsim.ReLU()], 8000)
    assert upsim.verify(stack).passed


@pytest.mark.parametrize(
    ("layer", "terms"),
    [
        (upsim.TransposedConv(5, 7, 8, 4), 10),  # two taps of each of five channels
        (upsim.TransposedConv(5, 7, 3, 4), 5),
        (upsim.Conv(5, 7, 3), 15),
        (upsim.SubpixelConv(5, 7, 3, 4), 15),
        (upsim.Conv(6, 6, 3, groups=3), 6),
    ],
)
def test_the_terms_of_the_narrowest_sum_are_counted(layer, terms):
    stack = upsim.Stack([layer, upsim.ReLU()], 8000)
    assert f"the narrowest sum has {terms} terms" in " ".join(upsim.predict(stack).assumptions)


def test_how_much_one_networks_level_differs_is_said():
    """Behind a constant and L | K all L lines are equal: the deviation is sqrt(2 (L - 1)) / L."""
    layers = [upsim.TransposedConv(64, 32, 8, 4, bias=False), upsim.InstanceNorm(32, eps=1e-12)]
    said = upsim.predict(upsim.Stack(layers, 8000), upsim.Constant(1.0)).assumptions[-1]
    # Three lines beside the offset, which the norm takes away: each a third of the level.
    assert f"by {100 * sqrt(2 * 3 * (1 / 3) ** 2):.0f} %" in said
    noisy = upsim.predict(upsim.Stack(layers, 8000), upsim.WhiteNoise(1.0)).assumptions[-1]
    assert "by 0 %" in noisy
