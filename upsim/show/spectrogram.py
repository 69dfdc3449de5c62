"""Spectrograms, measured and expected, on one scale.

A recorded or computed waveform has a spectrogram; a prediction has the average of all the
spectrograms that its signal could have: the density, and each line as wide as the window's main
lobe. Both are here a `SpectrogramImage` in dB re 1/Hz, so that they can stand side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from upsim.errors import ArgumentError, ShapeError
from upsim.show.axes import axes_or_new, frequency_unit, label_axes
from upsim.show.levels import Limits, level_limits, levels_of
from upsim.show.rows import ToneRow
from upsim.show.spectrum import density_of_channel
from upsim.show.style import COLOUR_MAP, LABEL_SIZE, TICK_SIZE, TITLE_SIZE
from upsim.show.window import hann_density, hann_lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "SpectrogramImage",
    "draw_spectrogram",
    "expected_spectrogram",
    "spectrogram_limits",
    "spectrogram_of_waveform",
]


@dataclass(frozen=True)
class SpectrogramImage:
    """Power per Hz over time and frequency.

    Parameters
    ----------
    duration : float
        Seconds from the left edge to the right one.
    frequencies_hz : array (frequencies,)
        Centres of the rows.
    power_db : array (frequencies, times)
        dB re 1/Hz.
    lines_db : array (lines,)
        What the known lines reach in it; none of them may fall off the scale.
    """

    duration: float
    frequencies_hz: NDArray[np.float64]
    power_db: NDArray[np.float64]
    lines_db: NDArray[np.float64]


def spectrogram_of_waveform(
    waveform: NDArray[Any], sample_rate: float, *, channel: int = 0, window_length: int = 512
) -> SpectrogramImage:
    """Spectrogram of samples: Hann window, three quarters overlap, density scaling, DC kept.

    Parameters
    ----------
    waveform : array (channels, time) or (time,)
        Samples.
    sample_rate : float
        Hz.
    channel : int
        Which channel.
    window_length : int
        Samples in the window; a shorter signal gets one window of its own length.

    Examples
    --------
    >>> image = spectrogram_of_waveform(np.ones(2000), 1000.0, window_length=100)
    >>> image.power_db.shape, image.duration
    ((51, 77), 2.0)
    """
    rows = np.atleast_2d(np.asarray(waveform, dtype=np.float64))
    if rows.ndim != 2 or not channel < rows.shape[0] or rows.shape[1] < 4:
        raise ShapeError(
            "a waveform must be channels by time",
            given=f"shape {np.shape(waveform)}, channel={channel}",
            expected=f"shape (more than {channel}, at least 4)",
            fix="waveform[None, :] for a single channel, and channel=0",
            where="spectrogram_of_waveform",
        )
    from scipy.signal import spectrogram

    length = min(window_length, rows.shape[1])
    # Without detrend=False scipy takes the mean away, and with it the line at 0 Hz.
    frequencies, _, power = spectrogram(
        rows[channel], sample_rate, window="hann", nperseg=length, noverlap=3 * length // 4,
        detrend=False,
    )  # fmt: skip
    return SpectrogramImage(
        rows.shape[1] / sample_rate, frequencies, levels_of(power, what="waveform"), np.zeros(0)
    )


def expected_spectrogram(
    frequencies_hz: NDArray[Any] | None,
    psd: NDArray[Any] | None,
    tones: Sequence[ToneRow],
    *,
    sample_rate: float,
    duration: float = 1.0,
    channel: int = 0,
    window_length: int = 512,
) -> SpectrogramImage:
    """The average spectrogram of a signal of which density and lines are known.

    Parameters
    ----------
    frequencies_hz, psd, tones, channel
        As `upsim.show.spectrum.draw_spectrum` takes them.
    sample_rate : float
        Hz.
    duration : float
        Seconds to show; nothing changes in them.
    window_length : int
        Samples in the Hann window (`upsim.show.window`).

    Examples
    --------
    A line of power 1 in the middle of a bin stands 1/(1.5 bins) high, since a Hann window is one
    and a half bins wide:

    >>> tone = ToneRow(frequency_hz=250.0, power=1.0)
    >>> image = expected_spectrogram(None, None, [tone], sample_rate=1000, window_length=100)
    >>> round(float(10 ** (image.power_db[25, 0] / 10) * 15), 12)
    1.0
    """
    if window_length < 4 or not duration > 0:
        raise ArgumentError(
            "a spectrogram needs a window and a duration",
            given=f"window_length={window_length!r}, duration={duration!r}",
            expected="window_length >= 4 samples, duration > 0 s",
            fix="window_length=512, duration=1.0",
            where="expected_spectrogram",
        )
    bins = np.arange(window_length // 2 + 1, dtype=np.float64) * (sample_rate / window_length)
    frequencies, density_db = density_of_channel(frequencies_hz, psd, channel)
    density = np.zeros(bins.size)
    if density_db.size:
        power = 10.0 ** (density_db / 10.0)
        density += hann_density(frequencies, power, window_length, sample_rate)
    places = np.array([tone.frequency_hz / sample_rate for tone in tones])
    powers = np.array([tone.in_channel(channel) for tone in tones])
    if places.size:
        density += hann_lines(places, powers, window_length, sample_rate)
    levels = levels_of(density)
    # What a line reaches in this picture, where a density may drown it.
    lines_db = levels[np.round(places * window_length).astype(np.intp)]
    image = np.repeat(levels[:, None], 2, axis=1)
    return SpectrogramImage(float(duration), bins, image, lines_db)


def spectrogram_limits(images: Sequence[SpectrogramImage]) -> Limits:
    """The range in dB that holds several spectrograms, each of their known lines included."""
    return level_limits(
        np.concatenate([image.lines_db for image in images]), [image.power_db for image in images]
    )


def draw_spectrogram(
    image: SpectrogramImage,
    *,
    ax: Axes | None = None,
    title: str | None = None,
    limits: Limits | None = None,
    colour_bar: bool = True,
) -> Axes:
    """Draw a spectrogram.

    Parameters
    ----------
    image : SpectrogramImage
        Of `spectrogram_of_waveform` or `expected_spectrogram`.
    ax : Axes, optional
        Where to draw; a new figure otherwise.
    title : str, optional
        Heading.
    limits : Limits, optional
        Range in dB, for pictures that are to be compared; by default that of the content.
    colour_bar : bool
        Whether to draw one beside it.

    Returns
    -------
    Axes

    Examples
    --------
    >>> tone = ToneRow(frequency_hz=4000.0, power=1.0)
    >>> ax = draw_spectrogram(expected_spectrogram(None, None, [tone], sample_rate=16000))
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('time (s)', 'frequency (kHz)')
    >>> import matplotlib.pyplot as plt
    >>> plt.close(ax.figure)
    """
    import matplotlib as mpl

    ax = axes_or_new(ax)
    shown = limits or spectrogram_limits([image])
    top = float(image.frequencies_hz[-1])
    unit, unit_name = frequency_unit(top)
    half_bin = top / max(image.frequencies_hz.size - 1, 1) / 2
    colours = mpl.colormaps[COLOUR_MAP].copy()
    # Zero power, at minus infinity, would be left blank like a missing value: it is drawn as the
    # quietest there is.
    drawn = ax.imshow(
        np.maximum(image.power_db, shown.low - 1.0), origin="lower", aspect="auto", cmap=colours,
        vmin=shown.low, vmax=shown.high, interpolation="nearest",
        extent=(0.0, image.duration, -half_bin / unit, (top + half_bin) / unit),
    )  # fmt: skip
    # Half of the lowest and of the highest row lie outside; a line at 0 Hz still has its half.
    ax.set_ylim(-half_bin / unit, (top + half_bin) / unit)
    label_axes(ax, x="time (s)", y=f"frequency ({unit_name})")
    if title is not None:
        ax.set_title(title, fontsize=TITLE_SIZE)
    if colour_bar:
        figure = ax.get_figure(root=True)
        assert figure is not None
        below = bool((image.power_db < shown.low).any())
        bar = figure.colorbar(drawn, ax=ax, pad=0.02, extend="min" if below else "neither")
        bar.set_label("density (dB re 1/Hz)", fontsize=LABEL_SIZE)
        bar.ax.tick_params(labelsize=TICK_SIZE)
    return ax
