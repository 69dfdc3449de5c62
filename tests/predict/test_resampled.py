"""A resampler is an upsampler, then a decimation: the same answer in every regime."""

import numpy as np
import pytest

import upsim
from upsim.words.tolerance import rounding
from upsim.words.units import decibels

WINDOW = np.array([0.25, 0.5, 1.0, 0.75, -0.25])


def in_one(channels):
    """Stretch by 3, five taps, keep every second: SciPy's resampler with a filter of our own."""
    del channels
    return [upsim.Resample(2, 3, "scipy", window=WINDOW)]


def in_two(channels):
    """The same as a transposed convolution of 3 times the taps, two samples cut, a decimation."""
    weight = np.tile(3 * WINDOW, (channels, 1, 1))
    layer = upsim.TransposedConv(
        channels, channels, 5, 3, 2, 2, channels, bias=False, weight=weight
    )
    return [layer, upsim.Decimate(2)]


def network(middle, *, drawn):
    ends = [upsim.TransposedConv(2, 4, 4, 2, 1), upsim.TransposedConv(4, 2, 3, 2, 1, 1)]
    if drawn:
        ends = [layer.draw(np.random.default_rng(seed)) for seed, layer in enumerate(ends)]
    layers = [ends[0], upsim.LeakyReLU(0.1), *middle(4), upsim.ReLU(), ends[1]]
    return upsim.Stack(layers, 24000)


SIGNALS = [
    upsim.Constant(1.0),
    upsim.WhiteNoise(),
    upsim.Constant(1.0) + upsim.WhiteNoise(0.5),
    upsim.Sine(1000.0),
]


@pytest.mark.parametrize("signal", SIGNALS, ids=repr)
@pytest.mark.parametrize("drawn", [True, False])
def test_one_layer_or_two(signal, drawn):
    if not drawn and isinstance(signal, upsim.Sine):
        pytest.skip("a sine has no expectation over initialisations")
    one = upsim.predict(network(in_one, drawn=drawn), signal)
    two = upsim.predict(network(in_two, drawn=drawn), signal)
    powers = [{tone.fraction: tone.power for tone in each.tones} for each in (one, two)]
    assert list(powers[0]) == list(powers[1])
    # Sums of at most 20 terms a layer, six layers, and the series of an activation.
    scale = max([1.0, *(float(np.max(power)) for power in powers[1].values())])
    within = rounding(6 * 20 + 64, scale)
    for place, power in powers[0].items():
        assert np.abs(power - powers[1][place]).max() <= within
    if two.psd is None:
        assert one.psd is None
        return
    assert np.abs(one.psd - two.psd).max() <= rounding(2**12, float(np.max(two.psd)))


def test_the_lines_of_a_linear_network_are_those_of_its_fold():
    layers = [upsim.Resample(3, 2, "torchaudio"), upsim.Resample(5, 7, "scipy")]
    stack = upsim.Stack(layers, 14000)
    folded = upsim.fold(stack)
    assert (folded.up, folded.down) == (14, 15)
    prediction = upsim.predict(stack, upsim.Constant(1.0))
    gains = folded.gains(np.arange(14) / 14)
    for tone in prediction.tones:
        k = int(tone.fraction * 14)
        # The input's constant is the alias l for which 14 k / 14 + l is a multiple of 15.
        line = gains[k, -k % 15, 0, 0]
        assert abs(tone.amplitude[0] - line) <= rounding(64 + 2 * folded.taps.shape[2], 1.0)
    assert decibels(prediction.tones[0].power[0]).round(3) == pytest.approx(
        decibels(np.abs(gains[0, 0, 0, 0]) ** 2).round(3)
    )
