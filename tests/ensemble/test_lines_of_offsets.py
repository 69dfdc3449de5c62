"""How strong a random layer's lines are: as its offset that leaves, not as the one that enters."""

from __future__ import annotations

import numpy as np
import pytest

import upsim
from upsim.words.tolerance import rounding, sampling


def decibels(power):
    return round(float(10 * np.log10(power)), 2)


@pytest.mark.parametrize("kernel", [4, 7, 8, 16])
def test_lines_are_as_strong_as_the_offset_that_leaves(kernel):
    """torch's taps have the variance 1 / (3 out K): E|H|^2 = 1/3 at every line, whatever K.

    A constant 1 leaves with E|a_k|^2 = 1 / (3 L^2) = 1/48, -16.81 dB; between 0 and half the rate
    a line counts with its mirror image.
    """
    stack = upsim.Stack([upsim.TransposedConv(1, 1, kernel, 4, bias=False)], 16000)
    tones = upsim.predict(stack, upsim.Constant(1.0)).tones
    assert {tone.frequency: decibels(tone.power[0]) for tone in tones} == {
        0: -16.81, 4000: -13.80, 8000: -16.81,
    }  # fmt: skip
    for tone, wanted in zip(tones, (1 / 48, 1 / 24, 1 / 48), strict=True):
        assert abs(tone.power[0] - wanted) <= rounding(8 * kernel, wanted)


def test_so_it_is_with_torchs_own_draws():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    count, powers = 4000, []
    for _ in range(count):
        layer = torch.nn.ConvTranspose1d(1, 1, 8, 4, bias=False)
        taps = layer.weight.detach().double().numpy()[0, 0]
        powers.append(np.abs(np.fft.fft(taps.reshape(2, 4).sum(axis=0)) / 4) ** 2)
    for line in range(3):
        found = np.array(powers)[:, line]
        assert abs(found.mean() - 1 / 48) <= sampling(float(found.std()), count)


BEHIND = upsim.Stack(
    [upsim.Conv(64, 64, 3), upsim.ReLU(), upsim.Nearest(4), upsim.Conv(64, 64, 8), upsim.ReLU(),
     upsim.Conv(64, 1, 3)],
    16000,
)  # fmt: skip


def test_an_expectation_says_which_lines_it_does_not_carry():
    found = upsim.predict(BEHIND, upsim.WhiteNoise(1.0), frequencies=9)
    assert [tone.frequency for tone in found.tones] == [0]
    (note,) = [each for each in found.assumptions if each.startswith("lines: ")]
    assert "from layer 5 (ReLU) on" in note
    assert "1 / width" in note
    assert "of noise one network may make a weak one" in str(found.explain(4000))


@pytest.mark.parametrize(
    ("layers", "signal"),
    [
        (BEHIND.layers[:4], upsim.WhiteNoise(1.0)),  # the activation stands before the upsampler
        (BEHIND.layers, upsim.Constant(1.0)),  # nothing is random but the weights
    ],
)
def test_and_says_nothing_where_there_are_none(layers, signal):
    found = upsim.predict(upsim.Stack(layers, 16000), signal, frequencies=9)
    assert not [each for each in found.assumptions if each.startswith("lines: ")]


def test_a_linear_network_has_no_line_that_its_expectation_lacks():
    stack = upsim.Stack([upsim.Nearest(4), upsim.Conv(1, 1, 8)], 16000)
    text = str(upsim.predict(stack, upsim.WhiteNoise(1.0), frequencies=9).explain(4000))
    assert text.endswith("the expectation over networks has no line here")


def test_a_drawn_network_has_those_lines():
    """A run of one network: its mean over many periods stands far above the scatter of that."""
    network, periods = BEHIND.draw(0), 6000
    samples = np.random.default_rng(1).normal(size=(64, periods + 8))
    made = upsim.neural.run(network, samples)[0, : 4 * periods].reshape(periods, 4)
    # Each period's coefficient at 4 kHz; neighbours share noise, so blocks of 50 are averaged.
    blocks = np.fft.fft(made, axis=1)[:, 1].reshape(-1, 50).mean(axis=1) / 4
    error = sampling(float(np.abs(blocks - blocks.mean()).std()), blocks.size)
    assert abs(blocks.mean()) > error
