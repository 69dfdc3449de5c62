"""The Gaussian closure against long runs of the layers themselves (theory: two activations)."""

import numpy as np
import pytest
from scipy.signal import welch

import upsim
from theory.per_channel import per_channel_only, record_at_end
from upsim.neural import run

RATE = 16000
#: Output samples of an input sample.
FACTOR = 16
#: Input samples beyond which no output of this stack is touched by an end.
EDGE = 8
#: Bins of the density; each is the average of more than 20000 periodograms, good to 0.03 dB.
SEGMENT = 256


def stack(seed):
    """Return 4 to 32 to 32 to 1 channels, strides 4, 2 and 2, LeakyReLU 0.1 twice."""
    layers = [
        upsim.TransposedConv(4, 32, 8, 4, 2),
        upsim.LeakyReLU(0.1),
        upsim.TransposedConv(32, 32, 4, 2, 1),
        upsim.LeakyReLU(0.1),
        upsim.TransposedConv(32, 1, 4, 2, 1),
    ]
    return upsim.Stack(layers, RATE).draw(seed)


def measured(layers, count, seed=1, chunk=2**16):
    """Return the lines and the density of at least ``count`` output samples."""
    rng = np.random.default_rng(seed)
    total, power, samples, chunks = 0.0, 0.0, 0, 0
    while samples < count:
        noise = rng.standard_normal((8, 4, chunk // FACTOR + 2 * EDGE))
        made = run(layers, noise, dtype=np.float32)[:, 0, FACTOR * EDGE : -FACTOR * EDGE]
        made = made.astype(np.float64)
        mean = made.reshape(8, -1, FACTOR).mean(axis=(0, 1))
        rest = made - np.tile(mean, made.shape[1] // FACTOR)
        power = power + welch(rest, RATE, nperseg=SEGMENT, detrend=False, axis=1)[1].mean(axis=0)
        total, samples, chunks = total + mean, samples + made.size, chunks + 1
    return np.fft.fft(total / chunks) / FACTOR, power / chunks


def level(tone, prediction):
    """Return a line's level re the noise, in dB."""
    return float(10 * np.log10(tone.power[0] / prediction.noise_power[0]))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_two_activations_on_white_noise(seed):
    layers = stack(seed)
    answer = upsim.predict(layers, upsim.WhiteNoise(), frequencies=SEGMENT // 2 + 1)
    # Weaker lines are made of differences that the closure does not promise.
    lines = [tone for tone in answer.tones if level(tone, answer) > -30]
    assert len(lines) >= 5
    # A line's average over T samples has a variance of S(f) / T a part (S two-sided, per sample):
    # 8.7 sqrt(S / 2 T) / |a| dB. T so that three of these are 0.5 dB for the weakest line.
    density = np.interp([t.frequency for t in lines], answer.frequencies, answer.psd[0]) * RATE / 2
    amplitudes = np.abs([tone.amplitude[0] for tone in lines])
    count = int(np.max(density / (2 * amplitudes**2)) * (3 * 8.7 / 0.5) ** 2)
    made, power = measured(layers, max(count, 20_000 * SEGMENT // 2))
    for tone in lines:
        found = abs(made[int(tone.fraction * FACTOR)])
        assert abs(20 * np.log10(found / abs(tone.amplitude[0]))) <= 0.5
    inner = slice(1, -1)  # scipy counts the ends once, half of them
    ratio = 10 * np.log10(power[inner] / answer.psd[0][inner])
    assert np.sqrt(np.mean(ratio**2)) <= 0.5


@pytest.mark.slow
def test_independence_would_be_found():
    layers = stack(1)
    with per_channel_only():
        record = record_at_end(layers, upsim.WhiteNoise())
        level = 2 * record.density(np.linspace(0, 0.5, 129)).real[0]
    _, power = measured(layers, 2000 * SEGMENT)
    ratio = 10 * np.log10(power[1:-1] / level[1:-1])
    assert np.sqrt(np.mean(ratio**2)) > 0.5
