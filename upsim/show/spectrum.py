"""The spectrum: a density as a curve, lines as stems, and the replicas shaded behind them.

A density (power per Hz) and a line (power) have no common unit, so a height can mean both only
through a bandwidth: an analyser that is B Hz wide shows a line of power P as high as a density of
P/B. Here the density is read on the left, in dB re 1/Hz, and a line on the right, in dB re 1, and
the two scales are B apart: ``right = left + 10 log10(B)``. B is 1 Hz unless asked otherwise, so the
numbers on both sides are then the same; put B to the resolution of a measured curve, and its peaks
touch the heads of the stems.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from upsim.errors import ArgumentError, ShapeError
from upsim.show.axes import axes_or_new, frequency_unit, label_axes
from upsim.show.levels import Limits, level_limits, levels_of
from upsim.show.replica_shading import draw_bands
from upsim.show.rows import Band, Panel, ToneRow
from upsim.show.stems import draw_legend, draw_stems, line_levels
from upsim.show.style import CURVE_COLOUR, LABEL_SIZE, SMALL_SIZE, TICK_SIZE, TITLE_SIZE
from upsim.words.units import format_hertz

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

__all__ = ["density_of_channel", "draw_spectrum", "paint_spectrum"]


def draw_spectrum(
    frequencies_hz: NDArray[Any] | None,
    psd: NDArray[Any] | None,
    tones: Sequence[ToneRow],
    bands: Sequence[Band],
    *,
    sample_rate: float,
    ax: Axes | None = None,
    title: str | None = None,
    channel: int = 0,
    bandwidth_hz: float = 1.0,
    psd_interval: tuple[NDArray[Any], NDArray[Any]] | None = None,
) -> Axes:
    """Draw a spectrum: density, lines by cause, replicas.

    Parameters
    ----------
    frequencies_hz : array (frequencies,) or None
        Where the density is given, in Hz.
    psd : array (channels, frequencies) or (frequencies,), or None
        One-sided density, power per Hz. None, or zero throughout, if nothing is random.
    tones : sequence of ToneRow
        Spectral lines.
    bands : sequence of Band
        Replicas; the mirrored ones are shaded, and hatched where there is room.
    sample_rate : float
        Rate of the signal in Hz; the axis ends at half of it.
    ax : Axes, optional
        Where to draw; a new figure otherwise.
    title : str, optional
        Heading.
    channel : int
        Which channel of `psd` and of the tones' powers.
    bandwidth_hz : float
        B of ``right = left + 10 log10(B)``, Hz: the resolution at which lines are read.
    psd_interval : two arrays like ``psd``, optional
        The ends of the interval of a measured density.

    Returns
    -------
    Axes

    Examples
    --------
    >>> tone = ToneRow(frequency_hz=4000.0, power=0.01, layer="1", cause="weights")
    >>> ax = draw_spectrum(None, None, [tone], [], sample_rate=16000)
    >>> ax.get_ylabel()
    'tone power (dB re 1)'
    >>> import matplotlib.pyplot as plt
    >>> plt.close(ax.figure)
    """
    if not bandwidth_hz > 0:
        raise ArgumentError(
            "bandwidth_hz must be positive",
            given=f"bandwidth_hz={bandwidth_hz!r}",
            expected="a width in Hz",
            fix="bandwidth_hz=1.0",
            where="draw_spectrum",
        )
    panel = Panel(
        title=title or "", sample_rate=sample_rate, frequencies_hz=frequencies_hz, psd=psd,
        tones=tones, bands=bands, psd_interval=psd_interval,
    )  # fmt: skip
    density_db = density_of_channel(frequencies_hz, psd, channel)[1]
    read_in = bandwidth_hz if _is_something(density_db) else 1.0
    lines_db = line_levels(tones, channel, read_in)
    shown = level_limits(lines_db, [density_db])
    ax = axes_or_new(ax)
    entries = paint_spectrum(ax, panel, shown, channel=channel, bandwidth_hz=bandwidth_hz)
    if not _is_something(density_db) and not _is_something(lines_db):
        ax.text(
            0.5, 0.5, "silence: no line, no density",
            transform=ax.transAxes, ha="center", va="center", fontsize=LABEL_SIZE,
        )  # fmt: skip
    if title is not None:
        ax.set_title(title, fontsize=TITLE_SIZE, pad=SMALL_SIZE + 10.0 if bands else None)
    draw_legend(ax, entries)
    return ax


def density_of_channel(
    frequencies_hz: NDArray[Any] | None, psd: NDArray[Any] | None, channel: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Frequencies in Hz and one channel's density in dB re 1/Hz; two empty arrays for None."""
    if psd is None or frequencies_hz is None:
        return np.zeros(0), np.zeros(0)
    frequencies = np.asarray(frequencies_hz, dtype=np.float64)
    rows = np.atleast_2d(np.asarray(psd, dtype=np.float64))
    if frequencies.ndim != 1 or rows.shape[1:] != frequencies.shape or not channel < rows.shape[0]:
        raise ShapeError(
            "psd must have one row a channel and one column a frequency",
            given=f"shape {np.shape(psd)}, {frequencies.size} frequencies, channel={channel}",
            expected=f"shape (more than {channel}, {frequencies.size})",
            fix="psd=density[None, :] for a single channel, and channel=0",
            where="upsim.show",
        )
    return frequencies, levels_of(rows[channel], what="psd")


def paint_spectrum(
    ax: Axes,
    panel: Panel,
    shown: Limits,
    *,
    channel: int = 0,
    bandwidth_hz: float = 1.0,
    highest_hz: float | None = None,
    with_frequency: bool = True,
) -> dict[str, Artist]:
    """Draw a spectrum in a given range of dB, without title and legend.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    panel : Panel
        What to draw.
    shown : Limits
        Range of the left axis in dB.
    channel : int
        Which channel.
    bandwidth_hz : float
        Resolution at which lines are read, where there is a density beside them.
    highest_hz : float, optional
        End of the frequency axis, if beyond half the sample rate.
    with_frequency : bool
        Whether a line's name says its frequency too.

    Returns
    -------
    dict
        The entries of a legend: name to artist.
    """
    frequencies, density_db = density_of_channel(panel.frequencies_hz, panel.psd, channel)
    has_density = _is_something(density_db)
    lines_db = line_levels(panel.tones, channel, bandwidth_hz if has_density else 1.0)
    end = highest_hz or panel.sample_rate / 2
    unit, unit_name = frequency_unit(end)
    ax.set_xlim(-0.012 * end / unit, 1.012 * end / unit)
    ax.set_ylim(shown.pair)

    entries: dict[str, Artist] = {}
    if has_density:
        _draw_density(ax, frequencies / unit, density_db, shown, entries)
        if panel.psd_interval is not None:
            _draw_interval(ax, panel, channel, frequencies / unit, shown, entries)
    draw_stems(
        ax, panel.tones, lines_db, unit, shown, entries,
        channel=channel, with_frequency=with_frequency,
    )  # fmt: skip
    if end > panel.sample_rate / 2:
        _draw_nothing_above(ax, panel.sample_rate, end, unit, entries)
    draw_bands(ax, panel.bands, unit, entries)
    only_lines = bool(panel.tones) and not has_density
    label_axes(
        ax,
        x=f"frequency ({unit_name})",
        y="tone power (dB re 1)" if only_lines else "density (dB re 1/Hz)",
    )
    if panel.tones and not only_lines:
        _draw_line_scale(ax, bandwidth_hz)
    ax.grid(axis="y", color="0.88", lw=0.8)
    ax.set_axisbelow(True)
    return entries


def _is_something(levels_db: NDArray[np.float64]) -> bool:
    return bool(np.isfinite(levels_db).any())


def _draw_density(
    ax: Axes,
    places: NDArray[np.float64],
    density_db: NDArray[np.float64],
    shown: Limits,
    entries: dict[str, Artist],
) -> None:
    """The curve, and a small triangle on the lower edge wherever it runs out of the picture."""
    # A line cannot be drawn to minus infinity: a zero of the density goes well below the edge.
    drawn = np.maximum(density_db, shown.low - (shown.high - shown.low))
    (entries["density"],) = ax.plot(places, drawn, color=CURVE_COLOUR, lw=1.8, zorder=3)
    below = np.flatnonzero(density_db < shown.low)
    if not below.size:
        return
    runs = np.split(below, np.flatnonzero(np.diff(below) > 1) + 1)
    deepest = [places[run[int(np.argmin(density_db[run]))]] for run in runs]
    (entries[f"null, below {shown.low:.0f} dB".replace("-", "\N{MINUS SIGN}")],) = ax.plot(
        deepest, np.full(len(deepest), 0.02), ls="none", marker="v", ms=9, mfc="white",
        mec=CURVE_COLOUR, mew=1.4, transform=ax.get_xaxis_transform(), zorder=5,
    )  # fmt: skip


def _draw_interval(
    ax: Axes,
    panel: Panel,
    channel: int,
    places: NDArray[np.float64],
    shown: Limits,
    entries: dict[str, Artist],
) -> None:
    """A shade between the ends of the density's interval."""
    assert panel.psd_interval is not None
    low, high = (
        np.maximum(density_of_channel(panel.frequencies_hz, each, channel)[1], shown.low)
        for each in panel.psd_interval
    )
    entries["95 % interval"] = ax.fill_between(
        places, low, high, color=CURVE_COLOUR, alpha=0.25, lw=0, zorder=2.8
    )


def _draw_nothing_above(
    ax: Axes, sample_rate: float, end: float, unit: float, entries: dict[str, Artist]
) -> None:
    """Grey out what lies beyond half the rate, and say so in it or, if it is narrow, in the key."""
    half = sample_rate / 2
    grey = ax.axvspan(
        half / unit, 1.02 * end / unit, facecolor="0.80", edgecolor="none", zorder=2.5
    )
    if half > 0.75 * end:
        entries["beyond half the rate"] = grey
    else:
        ax.text(
            (half + end) / 2 / unit, 0.5, f"nothing above {format_hertz(half)}",
            transform=ax.get_xaxis_transform(), ha="center", va="center", fontsize=SMALL_SIZE,
        )  # fmt: skip


def _draw_line_scale(ax: Axes, bandwidth_hz: float) -> None:
    apart = float(levels_of(bandwidth_hz))
    scale = ax.secondary_yaxis(
        "right", functions=(lambda y: np.asarray(y) + apart, lambda y: np.asarray(y) - apart)
    )
    words = f"tone power (dB re 1), B = {format_hertz(bandwidth_hz)}"
    scale.set_ylabel(words, fontsize=LABEL_SIZE)
    scale.tick_params(labelsize=TICK_SIZE)
