"""Each kind of picture, compared with a picture that a person has looked at."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from upsim import show
from upsim.show import Band, ToneRow

picture = pytest.mark.mpl_image_compare(
    baseline_dir="../baseline/drawing",
    style=["default", {"font.family": "DejaVu Sans"}],
    backend="Agg",
    savefig_kwargs={"dpi": 100, "metadata": {"Software": None}},
)


@picture
def test_spectrum(density, tones, bands):
    frequencies, psd = density(3)
    return show.draw_spectrum(
        frequencies, psd, tones, bands, sample_rate=32000, title="Nearest neighbour, three layers"
    ).figure


@picture
def test_spectrum_of_lines_only(tones, bands):
    return show.draw_spectrum(None, None, tones, bands, sample_rate=32000).figure


@picture
def test_spectrum_of_many_lines():
    # 8, 8, 2, 2 at 22050 Hz: 129 lines, 256 bands.
    base = 22050 / 256
    edges = np.arange(257) * base / 2
    makers = ["input"] + ["1"] * 7 + ["2"] * 56 + ["3"] * 64 + ["4"] * 128
    bands = [
        Band(low_hz=low, high_hz=high, mirrored=bool(k % 2), made_by=makers[k])
        for k, (low, high) in enumerate(pairwise(edges))
    ]
    tones = [
        ToneRow(frequency_hz=base * k, power=10 ** (-1 - abs(np.sin(k))),
                layer="1" if k % 8 else "2", cause="weights" if k % 8 else "bias")
        for k in range(129)
    ]  # fmt: skip
    return show.draw_spectrum(None, None, tones, bands, sample_rate=22050).figure


@picture
def test_silence():
    return show.draw_spectrum(None, None, [], [], sample_rate=22050).figure


@picture
def test_layers(panels):
    return show.draw_layers(panels)[0].figure


@picture
def test_layers_as_spectrograms(panels):
    return show.draw_layers(panels, kind="spectrogram")[0].figure


@picture
def test_expected_spectrogram(density, tones):
    frequencies, psd = density(3)
    image = show.expected_spectrogram(frequencies, psd, tones, sample_rate=32000)
    return show.draw_spectrogram(image, title="Expected").figure


@picture
def test_spectrogram_of_a_chirp():
    time = np.arange(32000) / 32000
    chirp = np.sin(2 * np.pi * (500 * time + 6000 * time**2)) + 0.1 * np.cos(
        2 * np.pi * 8000 * time
    )
    noise = 1e-3 * np.random.default_rng(0).standard_normal(32000)
    image = show.spectrogram_of_waveform(chirp + noise, 32000)
    return show.draw_spectrogram(image, title="Chirp, 8 kHz line, noise").figure


@picture
def test_comb(tones):
    families = [("1", 4000.0), ("2", 8000.0), ("3", 16000.0)]
    return show.draw_comb(families, tones, sample_rate=32000, title="Strides 2, 2, 2").figure


@picture
def test_comb_of_a_vocoder():
    spacings = [22050 / 256, 22050 / 32, 22050 / 4, 22050 / 2]
    tones = [
        ToneRow(frequency_hz=k * spacings[0], power=10 ** (-2 - 2 * abs(np.sin(k))), layer="1",
                cause="weights")
        for k in range(1, 40)
        if k % 8
    ] + [
        ToneRow(frequency_hz=k * spacings[1], power=10 ** (-1 - abs(np.cos(k))), layer="2",
                cause="bias")
        for k in range(1, 16)
        if k % 8
    ]  # fmt: skip
    families = [(str(k + 1), spacing) for k, spacing in enumerate(spacings)]
    return show.draw_comb(families, tones, sample_rate=22050).figure


@picture
def test_provenance(tones, contributions):
    return show.draw_provenance(tones, contributions, title="Where the lines come from").figure


@picture
def test_impulse_and_phase_gains(half_sine):
    axes = show.draw_impulse_and_phase_gains(
        half_sine, 3, sample_rate=48000, title="Half a sine, stride 3"
    )
    return axes[0].figure
