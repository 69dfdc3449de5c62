"""A kernel seen by phase: its taps, and the gain of each of its phases.

Upsampling by L, output sample n is made by the taps n, n + L, n + 2L, ... alone: phase n mod L. A
constant comes out as the phase gains ``g_i = sum_m h[mL + i]``, one after the other for ever;
unless they are equal, that is a tone: Y. Harada, S. Muramatsu and H. Kiya,
*Multidimensional multirate filter without checkerboard effects*, EUSIPCO 1998.

A map that also decimates treats its input samples in turn: it repeats after D of them, and has an
impulse response for each of these D. A constant meets them all, so the phase gains are the sums
over all D.
"""

from __future__ import annotations

from math import lcm
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from upsim.errors import ArgumentError, ShapeError
from upsim.show.axes import axes_or_new, axes_row, label_axes, size_in_points
from upsim.show.style import CAUSES, CURVE_COLOUR, PALETTE, SMALL_SIZE, TITLE_SIZE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_impulse_and_phase_gains", "draw_impulse_response", "draw_phase_gains"]

# Yellow, last of the palette that can be seen on white, is left out here too.
_COLOURS = tuple(colour for name, colour in PALETTE.items() if name not in ("yellow", "black"))
_MARKERS = tuple(style.marker for style in CAUSES.values())
_HATCHES = ("", "//", "xx", "..", "\\\\", "++", "--", "oo")
_MOST_NAMED_PHASES = 8
# More bars than this would be thinner than their edges.
_MOST_BARS = 64
# Colour, marker and hatch repeat together after so many phases.
_STYLES = lcm(len(_COLOURS), len(_MARKERS), len(_HATCHES))


def draw_impulse_response(
    taps: NDArray[Any],
    factor: int,
    *,
    sample_rate: float | None = None,
    first: int = 0,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw taps as stems, each phase in its own colour and marker.

    Parameters
    ----------
    taps : array (taps,), or (D, taps)
        Impulse response from one channel to one channel; D of them, for an impulse at each of D
        input samples in turn, have a colour and marker each.
    factor : int
        L, the upsampling factor: tap n belongs to phase n mod L.
    sample_rate : float, optional
        Output rate in Hz; with it the time is in milliseconds too.
    first : int
        Output sample of the first tap.
    ax : Axes, optional
        Where to draw; a new figure otherwise.
    title : str, optional
        Heading.

    Returns
    -------
    Axes

    Examples
    --------
    >>> ax = draw_impulse_response(np.ones(4), 2)
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('time (output samples)', 'tap (amplitude per unit of input)')
    >>> import matplotlib.pyplot as plt
    >>> plt.close(ax.figure)
    """
    values = _rows(taps, "taps")
    if factor < 1:
        raise ArgumentError(
            "factor must be a positive whole number",
            given=f"factor={factor!r}",
            expected="an int >= 1",
            fix="factor=1",
            where="draw_impulse_response",
        )
    ax = axes_or_new(ax)
    ax.axhline(0.0, color="black", lw=0.9, zorder=1)
    times = first + np.arange(values.shape[1])
    if len(values) == 1:
        named = _draw_by_phase(ax, times, values[0], factor)
    else:
        named = _draw_by_input(ax, times, values)
    ax.margins(x=0.04, y=0.08)
    ax.xaxis.get_major_locator().set_params(integer=True)  # type: ignore[call-arg]
    label_axes(ax, x="time (output samples)", y="tap (amplitude per unit of input)")
    ax.grid(axis="y", color="0.88", lw=0.8)
    ax.set_axisbelow(True)
    if sample_rate is not None:
        rate = sample_rate / 1000.0
        above = ax.secondary_xaxis(
            "top", functions=(lambda n: np.asarray(n) / rate, lambda t: np.asarray(t) * rate)
        )
        above.set_xlabel("time (ms)", fontsize=SMALL_SIZE)
        above.tick_params(labelsize=SMALL_SIZE)
    if 1 < named <= _MOST_NAMED_PHASES:
        _draw_legend_above(ax, named, title="impulse at" if len(values) > 1 else None)
    if title is not None:
        ax.set_title(title, fontsize=TITLE_SIZE, pad=None if sample_rate is None else 10.0)
    return ax


def _draw_by_phase(ax: Axes, times: NDArray[Any], values: NDArray[Any], factor: int) -> int:
    """Draw one response, each phase in its own style, and return the number of phases."""
    phases = times % factor
    # Phases that look alike are drawn together: there may be thousands.
    for style in np.unique(phases % _STYLES):
        mine = phases % _STYLES == style
        name = f"phase {style}" if factor <= _MOST_NAMED_PHASES else None
        _draw_stems(ax, times[mine], values[mine], int(style), name)
    return factor


def _draw_by_input(ax: Axes, times: NDArray[Any], values: NDArray[Any]) -> int:
    """Draw the response to each input sample of a block in its own style, side by side."""
    count = len(values)
    for place, row in enumerate(values):
        # Beside each other within a sample, or the last would hide the others.
        aside = 0.6 * ((place + 0.5) / count - 0.5)
        name = f"input sample {place}" if count <= _MOST_NAMED_PHASES else None
        _draw_stems(ax, times + aside, row, place, name)
    return count


def _draw_stems(
    ax: Axes, times: NDArray[Any], values: NDArray[Any], number: int, name: str | None
) -> None:
    colour, marker, _ = _phase_style(number)
    ax.vlines(times, 0.0, values, color=colour, lw=2.0, zorder=2)
    ax.plot(
        times, values, ls="none", color=colour, marker=marker, ms=8, mec="black", mew=0.7,
        zorder=3, label=name,
    )  # fmt: skip


def _draw_legend_above(ax: Axes, entries: int, *, title: str | None) -> None:
    """A legend in room made for it above the stems, so that it covers none."""
    rows = -(-entries // 4)
    low, high = ax.get_ylim()
    lines = rows if title is None else rows + 1
    needed = (1.0 + 1.9 * lines) * SMALL_SIZE / size_in_points(ax)[1]
    ax.set_ylim(low, low + (high - low) / (1.0 - needed))
    ax.legend(
        fontsize=SMALL_SIZE, loc="upper center", ncols=-(-entries // rows), borderaxespad=0.3,
        handlelength=1.0, columnspacing=1.2, title=title, title_fontsize=SMALL_SIZE,
    )  # fmt: skip


def draw_phase_gains(
    gains: NDArray[Any], *, ax: Axes | None = None, title: str | None = None
) -> Axes:
    """Draw the gain of each phase as a bar (a thin line if they are many), and their mean.

    Parameters
    ----------
    gains : array (factor,)
        Phase gains from one channel to one channel.
    ax : Axes, optional
        Where to draw; a new figure otherwise.
    title : str, optional
        Heading.

    Returns
    -------
    Axes

    Examples
    --------
    >>> ax = draw_phase_gains(np.array([2.0, 1.0]))  # three ones, stride 2: partial overlap
    >>> ax.get_xlabel()
    'phase (output sample modulo 2)'
    >>> import matplotlib.pyplot as plt
    >>> plt.close(ax.figure)
    """
    values = _one_row(gains, "gains")
    ax = axes_or_new(ax)
    if values.size > _MOST_BARS:
        ax.vlines(np.arange(values.size), 0.0, values, color=_COLOURS[0], lw=1.0, zorder=2)
    for phase, gain in enumerate(values if values.size <= _MOST_BARS else ()):
        colour, _, hatch = _phase_style(phase)
        ax.bar(phase, gain, 0.8, facecolor=colour, edgecolor="black", lw=0.9, hatch=hatch, zorder=2)
    mean = float(values.mean())
    ax.axhline(0.0, color="black", lw=0.9, zorder=3)
    ax.axhline(mean, color="white", lw=3.4, zorder=3.5)
    line = ax.axhline(mean, color=CURVE_COLOUR, lw=2.2, ls="--", zorder=4)
    ax.margins(y=0.08)
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.14 * (high - low))
    words = f"mean {mean:.3g}: what a constant keeps".replace("-", "\N{MINUS SIGN}")
    ax.legend([line], [words], fontsize=SMALL_SIZE, loc="upper center", handlelength=2.6)
    ax.xaxis.get_major_locator().set_params(integer=True)  # type: ignore[call-arg]
    label_axes(
        ax, x=f"phase (output sample modulo {values.size})", y="phase gain (output per input)"
    )
    ax.grid(axis="y", color="0.88", lw=0.8)
    ax.set_axisbelow(True)
    if title is not None:
        ax.set_title(title, fontsize=TITLE_SIZE)
    return ax


def draw_impulse_and_phase_gains(
    taps: NDArray[Any],
    factor: int,
    *,
    sample_rate: float | None = None,
    first: int = 0,
    axes: Any = None,
    title: str | None = None,
) -> NDArray[Any]:
    """Draw the taps and, beside them, the phase gains that follow from them.

    Parameters
    ----------
    taps, factor, sample_rate, first
        As `draw_impulse_response` takes them.
    axes : array of two Axes, optional
        Where to draw; a new figure otherwise.
    title : str, optional
        Heading of the left picture.

    Returns
    -------
    array (2,) of Axes

    Examples
    --------
    >>> left, right = draw_impulse_and_phase_gains(np.ones(3), 2)
    >>> [float(bar.get_height()) for bar in right.patches]
    [2.0, 1.0]
    >>> import matplotlib.pyplot as plt
    >>> plt.close(left.figure)
    """
    left, right = axes_row(2, axes)
    draw_impulse_response(taps, factor, sample_rate=sample_rate, first=first, ax=left, title=title)
    values = _rows(taps, "taps").sum(axis=0)
    phases = (first + np.arange(values.size)) % factor
    draw_phase_gains(np.bincount(phases, weights=values, minlength=factor), ax=right)
    return np.array([left, right], dtype=object)


def _phase_style(phase: int) -> tuple[str, str, str]:
    return (
        _COLOURS[phase % len(_COLOURS)],
        _MARKERS[phase % len(_MARKERS)],
        _HATCHES[phase % len(_HATCHES)],
    )


def _rows(values: NDArray[Any], name: str) -> NDArray[np.float64]:
    rows = np.asarray(values, dtype=np.float64)
    if rows.ndim != 2:
        return _one_row(values, name)[None]
    if rows.size == 0 or not np.isfinite(rows).all():
        raise ShapeError(
            f"{name} must be rows of finite numbers",
            given=f"shape {rows.shape}",
            expected=f"shape (D, count of {name}), one row for each input sample of a block",
            fix=f"{name}[o, c] for one output and one input channel",
            where="upsim.show",
        )
    return rows


def _one_row(values: NDArray[Any], name: str) -> NDArray[np.float64]:
    row = np.asarray(values, dtype=np.float64)
    if row.ndim != 1 or row.size == 0 or not np.isfinite(row).all():
        raise ShapeError(
            f"{name} must be one row of finite numbers",
            given=f"shape {row.shape}",
            expected=f"shape (count of {name},)",
            fix=f"{name}[o, c] for one output and one input channel",
            where="upsim.show",
        )
    return row
