"""Synthetic spectra, written down from formulas, and a clean slate of figures for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import matplotlib as mpl
import numpy as np
import pytest
from numpy.typing import NDArray

from upsim.show import Band, ContributionRow, Panel, ToneRow

INPUT_RATE = 4000.0


@pytest.fixture(autouse=True)
def _no_figures_left() -> Iterator[None]:
    mpl.use("Agg")
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def nearest_density(layers: int, points: int = 1025) -> tuple[NDArray, NDArray]:
    """Unit white noise through nearest-neighbour layers x2; three: |sin(8x)/(8 sin x)|^2."""
    factor = 2**layers
    rate = INPUT_RATE * factor
    nu = np.linspace(0.0, 0.5, points)
    gain = np.ones(points)
    gain[1:] = np.sin(np.pi * factor * nu[1:]) / (factor * np.sin(np.pi * nu[1:]))
    # One-sided: unit power in all bands together before the gain, each band as strong.
    return nu * rate, gain**2 * 2.0 / INPUT_RATE


def replica_bands(layers: int) -> list[Band]:
    """Bands of 2 kHz, every other one mirrored; layer i doubles what is there."""
    made_by = ["input", "1", "2", "2", "3", "3", "3", "3"]
    return [
        Band(low_hz=2000.0 * k, high_hz=2000.0 * (k + 1), mirrored=bool(k % 2), made_by=made_by[k],
             order=(k + 1) // 2)
        for k in range(2**layers)
    ]  # fmt: skip


def ladder_tones(layers: int) -> list[ToneRow]:
    """A constant and what three layers make of it, one line each 120 dB apart at most."""
    rows = [
        ToneRow(frequency_hz=0.0, power=1.0, layer="input", cause="input"),
        ToneRow(frequency_hz=4000.0, power=10**-1.7, layer="1", cause="weights"),
        ToneRow(frequency_hz=8000.0, power=10**-1.3, layer="2", cause="bias"),
        ToneRow(frequency_hz=12000.0, power=10**-8.7, layer="1", cause="overlap"),
        ToneRow(frequency_hz=16000.0, power=10**-2.5, layer="3", cause="activation"),
    ]
    return [row for row in rows if row.frequency_hz <= INPUT_RATE * 2**layers / 2]


@pytest.fixture
def density() -> Callable[..., tuple[NDArray, NDArray]]:
    return nearest_density


@pytest.fixture
def bands() -> list[Band]:
    return replica_bands(3)


@pytest.fixture
def tones() -> list[ToneRow]:
    return ladder_tones(3)


@pytest.fixture
def panels() -> list[Panel]:
    column = []
    for layers in range(4):
        frequencies, psd = nearest_density(layers, 513)
        column.append(
            Panel(
                title=f"layer {layers}" if layers else "input", sample_rate=4000.0 * 2**layers,
                frequencies_hz=frequencies, psd=psd[None], tones=ladder_tones(layers),
                bands=replica_bands(layers),
            )
        )  # fmt: skip
    return column


@pytest.fixture
def contributions(tones: list[ToneRow]) -> list[ContributionRow]:
    """Four phasors a line, that add up to it: a quarter each, and +-2j that cancel in pairs."""
    parts = [("0", "input offset", 0.25 + 2j), ("1", "bias", 0.25 - 1j), ("2", "bias", 0.25 - 1j),
             ("2", "activation", 0.25 + 0j)]  # fmt: skip
    return [
        ContributionRow(
            frequency_hz=tone.frequency_hz, layer=layer, cause=cause,
            power=tone.in_channel(0) * abs(phasor) ** 2, phase=float(np.angle(phasor)),
        )
        for tone in tones
        for layer, cause, phasor in parts
    ]  # fmt: skip


@pytest.fixture
def half_sine() -> NDArray:
    """|sin|, eight taps: for factor 3 its phases have unequal gains."""
    return np.abs(np.sin(np.pi * (np.arange(8) + 0.5) / 8))
