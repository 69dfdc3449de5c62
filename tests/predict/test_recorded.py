"""A recording through a stack: its exact output, spectrum and power."""

from __future__ import annotations

import numpy as np
import pytest
from theory import by_hand

import upsim
from upsim.errors import ArgumentError, ShapeError
from upsim.words.tolerance import rounding


def drawn(layers, rate=16000, seed=0, **named):
    return upsim.Stack(layers, rate, **named).draw(seed)


def noise(channels, count, seed=0):
    return np.random.default_rng(seed).standard_normal((channels, count))


LINEAR = {
    "fig6": drawn([upsim.Nearest(2), upsim.Conv(1, 1, 9, padding=4)] * 3, 32000),
    "channels": drawn(
        [upsim.TransposedConv(2, 4, 7, 3, 2, 1), upsim.SubpixelConv(4, 2, 3, 2, 1)], 12000
    ),
    "strided": drawn([upsim.Conv(2, 3, 5, 2, 2), upsim.TransposedConv(3, 1, 4, 4)], 8000),
}


def predicted(stack, samples, **named):
    return upsim.predict(stack, upsim.Recorded(samples, stack.input_rate), **named)


class TestWaveform:
    @pytest.mark.parametrize("name", LINEAR)
    def test_is_the_finite_matrix_times_the_recording(self, name):
        stack = LINEAR[name]
        samples = noise(stack.in_channels, 41)
        prediction = predicted(stack, samples)
        silent = by_hand.run(stack, np.zeros_like(samples))
        product = (upsim.finite_matrix(stack, 41) @ samples.reshape(-1)).reshape(silent.shape)
        bound = by_hand.tolerance(stack, samples)
        assert prediction.waveform.shape == (stack.out_channels, stack.output_length(41))
        assert np.abs(prediction.waveform - (product + silent)).max() <= bound

    @pytest.mark.parametrize("length", [12, 30, 41])
    @pytest.mark.parametrize("name", LINEAR)
    def test_is_what_the_layers_make_in_time_edges_included(self, name, length):
        stack = LINEAR[name]
        samples = noise(stack.in_channels, length)
        made = by_hand.run(stack, samples)
        bound = by_hand.tolerance(stack, samples)
        assert np.abs(predicted(stack, samples).waveform - made).max() <= bound

    def test_goes_through_activations_and_branches_too(self):
        stack = drawn(
            [
                upsim.TransposedConv(2, 4, 4, 2, 1),
                upsim.LeakyReLU(0.2),
                upsim.Residual(upsim.Conv(4, 4, 3, padding=1), upsim.Tanh()),
                upsim.Conv(4, 1, 3),
            ]
        )
        samples = noise(2, 50)
        made = by_hand.run(stack, samples)
        prediction = predicted(stack, samples)
        assert np.abs(prediction.waveform - made).max() <= by_hand.tolerance(stack, samples)
        assert any("recording" in each for each in prediction.assumptions)

    def test_an_offset_and_a_sine_are_added_to_the_recording(self):
        stack = LINEAR["fig6"]
        samples = noise(1, 64)
        signal = (
            upsim.Recorded(samples, 4000) + upsim.Constant(0.5) + upsim.Sine(1000, amplitude=0.25)
        )
        made = by_hand.run(stack, samples + 0.5 + 0.25 * np.cos(np.pi / 2 * np.arange(64)))
        bound = by_hand.tolerance(stack, np.abs(samples) + 0.75, more=8)
        assert np.abs(upsim.predict(stack, signal).waveform - made).max() <= bound

    def test_one_recorded_channel_feeds_all(self):
        stack = LINEAR["channels"]
        samples = noise(1, 20)
        one = predicted(stack, samples[0]).waveform
        two = predicted(stack, np.repeat(samples, 2, axis=0)).waveform
        assert (one == two).all()


class TestSpectrum:
    @pytest.mark.parametrize("strides", [(2,), (3, 2), (2, 2, 2)])
    def test_is_h_times_the_inputs_spectrum_repeated(self, strides):
        """Nothing cropped: ``Y(f) = H(f) X(L f)`` holds for the whole finite output."""
        layers = [upsim.TransposedConv(1, 1, 5, stride, bias=False) for stride in strides]
        stack = drawn(layers, 1000 * int(np.prod(strides)))
        samples = noise(1, 30)[0]
        prediction = predicted(stack, samples)
        made = prediction.waveform[0]
        turns = np.arange(made.size // 2 + 1) / made.size
        factor = int(np.prod(strides))

        def transform(values, at):
            return np.exp(-2j * np.pi * np.outer(at, np.arange(values.size))) @ values

        response, later = np.ones(turns.size, complex), factor
        for layer in stack:
            later //= layer.stride
            response *= transform(layer.weight[0, 0], turns * later)
        spectrum = response * transform(samples, factor * turns)
        level = np.abs(spectrum) ** 2 / (prediction.sample_rate * made.size)
        level = level.astype(float)
        level[1 : (made.size + 1) // 2] *= 2
        grid = turns * float(prediction.sample_rate)
        assert np.abs(prediction.frequencies - grid).max() <= rounding(2, grid.max())
        scale = np.abs(samples).sum() * np.prod([np.abs(la.weight).sum() for la in stack])
        # Arguments of the exponentials reach 2 pi n, each wrong by that many units in the last
        # place; a square doubles the relative error, and the sums of both sides are as long.
        operations = 2 * (2 * made.size * 8 + 5 * len(strides))
        bound = rounding(operations, 2 * float(scale) ** 2) / (1000 * factor * made.size)
        assert np.abs(prediction.psd[0] - level).max() <= bound
        # and another kernel would be seen
        other = predicted(drawn(layers, stack.sample_rate, seed=1), samples)
        assert np.abs(other.psd[0] - level).max() > 1e6 * bound

    @pytest.mark.parametrize("length", [33, 40])
    @pytest.mark.parametrize("name", LINEAR)
    def test_parseval(self, name, length):
        """The sum over the bins is the mean square of what the lines leave over."""
        stack = LINEAR[name]
        samples = noise(stack.in_channels, length)
        prediction = predicted(stack, samples)
        count = prediction.waveform.shape[1]
        rest = prediction.waveform - steady_part(prediction, count)
        width = float(prediction.sample_rate) / count
        bound = rounding(4 * count, float((np.abs(rest) ** 2).max()))
        mean_square = (rest**2).mean(axis=1)
        assert np.abs(prediction.psd.sum(axis=1) * width - mean_square).max() <= bound
        assert np.abs(prediction.noise_power - mean_square).max() <= bound
        assert np.array_equal(prediction.frequencies, np.fft.rfftfreq(count, 1 / (width * count)))

    def test_without_offsets_the_density_holds_all_the_power(self):
        stack = drawn([upsim.TransposedConv(1, 2, 5, 3, bias=False)], 3000)
        prediction = predicted(stack, noise(1, 50))
        assert prediction.tones == ()
        mean_square = (prediction.waveform**2).mean(axis=1)
        bound = rounding(4 * prediction.waveform.shape[1], float((prediction.waveform**2).max()))
        assert np.abs(prediction.noise_power - mean_square).max() <= bound

    def test_a_number_of_points_asks_for_welchs_average(self):
        """Segments of 2 (points - 1) samples, half overlapping, under a Hann window."""
        stack = drawn([upsim.TransposedConv(1, 1, 5, 2, bias=False)], 2000)
        prediction = predicted(stack, noise(1, 300), frequencies=33)
        made = prediction.waveform[0]
        size = 64
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
        starts = range(0, made.size - size + 1, size // 2)
        powers = [np.abs(np.fft.rfft(window * made[s : s + size])) ** 2 for s in starts]
        level = np.mean(powers, axis=0) / (2000 * (window**2).sum())
        level[1:-1] *= 2
        scale = float((np.abs(made).max() * window.sum()) ** 2) * 2 / (2000 * (window**2).sum())
        assert prediction.frequencies.tolist() == (np.arange(33) * 2000 / 64).tolist()
        assert np.abs(prediction.psd[0] - level).max() <= rounding(4 * size + len(powers), scale)

    def test_noise_beside_a_recording_adds_its_density(self):
        stack = drawn([upsim.TransposedConv(1, 1, 5, 2, bias=False)], 2000)
        samples = noise(1, 40)
        alone = predicted(stack, samples)
        both = upsim.predict(stack, upsim.Recorded(samples, 1000) + upsim.WhiteNoise(0.5))
        white = upsim.predict(stack, upsim.WhiteNoise(0.5), frequencies=alone.frequencies)
        added = white.psd.copy()
        # The bin of a DFT at 0 Hz is half as wide as the others; an odd length has none at Nyquist.
        added[:, 0] /= 2
        assert both.waveform.shape[1] % 2 == 1
        assert (both.psd == alone.psd + added).all()

    def test_after_each_layer_the_recording_is_that_of_the_shorter_stack(self):
        stack = LINEAR["channels"]
        samples = noise(2, 20)
        prediction = predicted(stack, samples)
        for number, part in enumerate(prediction.layers, 1):
            alone = predicted(stack.upto(number), samples)
            assert (part.waveform == alone.waveform).all()
            assert (part.psd == alone.psd).all()


def steady_part(prediction, count):
    """Write the listed lines out in time."""
    n = np.arange(count)
    total = np.zeros((prediction.channels, count))
    for tone in prediction.tones:
        sides = 1 if tone.fraction in (0, 0.5) else 2
        wave = np.exp(2j * np.pi * float(tone.fraction) * n)
        total += sides * (tone.amplitude[:, None] * wave).real
    return total


class TestRefusals:
    def test_another_rate(self):
        with pytest.raises(ArgumentError, match="sample_rate=4000"):
            upsim.predict(LINEAR["fig6"], upsim.Recorded(noise(1, 9), 44100))

    def test_other_channels(self):
        with pytest.raises(ShapeError):
            upsim.predict(LINEAR["channels"], upsim.Recorded(noise(3, 9), 2000))

    def test_frequencies_of_ones_own(self):
        with pytest.raises(ArgumentError, match="frequencies=2049"):
            predicted(LINEAR["fig6"], noise(1, 20), frequencies=[100.0, 200.0])

    def test_shorter_than_the_kernel(self):
        with pytest.raises(ShapeError, match="longer input"):
            predicted(drawn([upsim.Conv(1, 1, 9)]), noise(1, 5))

    def test_branches_that_give_different_lengths(self):
        stack = drawn(
            [upsim.Residual(upsim.Conv(1, 1, 4, 2, 1), upsim.TransposedConv(1, 1, 4, 2, 1))]
        )
        with pytest.raises(ShapeError, match="20 and 21"):
            predicted(stack, noise(1, 21))

    def test_one_sample_is_a_recording_too(self):
        prediction = predicted(upsim.Stack([upsim.Crop()], 100), np.array([2.0]))
        assert prediction.psd.tolist() == [[0.04]]
        assert prediction.noise_power.tolist() == [4.0]
        assert "recording 6.02 dB" in repr(prediction)
