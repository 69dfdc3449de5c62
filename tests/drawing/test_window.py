"""The expected spectrogram against sums written out, and against scipy's of the same signal."""

from __future__ import annotations

import numpy as np
import pytest

from upsim.show import ToneRow, expected_spectrogram, spectrogram_of_waveform
from upsim.show.window import hann_density, hann_lines, hann_transform
from upsim.words.tolerance import rounding


def hann(length):
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)


@pytest.mark.parametrize("length", [4, 5, 32, 33])
def test_transform_is_the_sum_over_the_window(length):
    v = np.concatenate([np.linspace(-1.5, 1.5, 101), np.arange(-2, 3) / length])
    direct = np.abs(np.exp(-2j * np.pi * v[:, None] * np.arange(length)) @ hann(length))
    # The angle 2 pi v m is rounded in proportion to itself: 3 pi times the length at the most.
    near = rounding(length, 3 * np.pi * length * length)
    assert np.abs(hann_transform(v, length) - direct).max() <= near


# An odd transform has no bin at half the rate, so no line is put there.
@pytest.mark.parametrize(
    ("length", "place"), [(16, 0.0), (16, 0.21), (16, 0.5), (17, 0.0), (17, 0.21)]
)
def test_a_line_keeps_its_power(length, place):
    """Parseval: the density of one line, summed over the bins, is its power."""
    rate = 1000.0
    density = hann_lines(np.array([place]), np.array([0.7]), length, rate)
    assert abs(density.sum() * rate / length - 0.7) <= rounding(8 * length * length, 0.7)


def test_lines_between_bins_are_what_scipy_measures():
    """On average over its phase, a sine leaves what `hann_lines` says."""
    rate, length, place = 1000.0, 64, 0.2037
    time = np.arange(length)
    measured = np.zeros(length // 2 + 1)
    phases = np.arange(4) * np.pi / 4  # the cross term of the mirror lines averages out over these
    for phase in phases:
        sine = np.cos(2 * np.pi * place * time + phase)
        image = spectrogram_of_waveform(sine, rate, window_length=length)
        measured += 10 ** (image.power_db[:, 0] / 10) / phases.size
    expected = hann_lines(np.array([place]), np.array([0.5]), length, rate)
    near = rounding(8 * length * length, expected.max())
    assert np.abs(measured - expected).max() <= near


def test_density_is_the_quadratic_form_of_the_covariance():
    """E|STFT|^2 = e^H diag(w) R diag(w) e for the noise 1 + z^-1/2, R its Toeplitz covariance."""
    length, rate = 24, 500.0
    frequencies = np.arange(length + 1) / (2 * length)
    psd = 2 * np.abs(1 + 0.5 * np.exp(-2j * np.pi * frequencies)) ** 2 / rate
    lags = np.abs(np.subtract.outer(np.arange(length), np.arange(length)))
    covariance = np.where(lags == 0, 1.25, np.where(lags == 1, 0.5, 0.0))
    w = hann(length)
    turns = np.exp(-2j * np.pi * np.outer(np.arange(length // 2 + 1), np.arange(length)) / length)
    quadratic = np.einsum("km,mn,kn->k", turns * w, covariance, (turns * w).conj()).real
    expected = quadratic / (rate * (w**2).sum()) * 2
    expected[[0, -1]] /= 2
    near = rounding(8 * length * length, expected.max())
    assert np.abs(hann_density(frequencies * rate, psd, length, rate) - expected).max() <= near


def test_a_quiet_line_in_silence_stays_on_the_scale():
    from upsim.show.spectrogram import spectrogram_limits

    tones = [ToneRow(frequency_hz=f, power=p) for f, p in [(1000.0, 1.0), (3000.0, 10**-8.7)]]
    image = expected_spectrogram(None, None, tones, sample_rate=8000, window_length=64)
    # The line lies 1.5 bins of 125 Hz under its power.
    assert spectrogram_limits([image]).low < -87.0 - 10 * np.log10(1.5 * 125.0)
