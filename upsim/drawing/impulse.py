"""A kernel seen by phase: its taps, and the gain of each of its phases.

Upsampling by L, output sample n is made by the taps n, n + L, n + 2L, ... alone: phase n mod L. A
constant comes out as the phase gains ``g_i = sum_m h[mL + i]``, one after the other for ever;
unless they are equal, that is a tone: Y. Harada, S. Muramatsu and H. Kiya,
*Multidimensional multirate filter without checkerboard effects*, EUSIPCO 1998.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from upsim.drawing.axes import axes_or_new, axes_row, label_axes
from upsim.drawing.style import CAUSES, CURVE_COLOUR, PALETTE, SMALL_SIZE, TITLE_SIZE
from upsim.errors import ArgumentError, ShapeError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_impulse_and_phase_gains", "draw_impulse_response", "draw_phase_gains"]

_HATCHES = ("", "//", "xx", "..", "\\\\", "++", "--", "oo")
_MOST_NAMED_PHASES = 8


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
    taps : array (taps,)
        Impulse response from one channel to one channel.
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
    values = _one_row(taps, "taps")
    if factor < 1:
        raise ArgumentError(
            "factor must be a positive whole number",
            given=f"factor={factor!r}",
            expected="an int >= 1",
            fix="factor=1",
            where="draw_impulse_response",
        )
    ax = axes_or_new(ax)
    times = first + np.arange(values.size)
    ax.axhline(0.0, color="black", lw=0.9, zorder=1)
    for phase in range(min(factor, values.size)):
        mine = times % factor == (first + phase) % factor
        number = (first + phase) % factor
        colour, marker, _ = _phase_style(number)
        ax.vlines(times[mine], 0.0, values[mine], color=colour, lw=2.0, zorder=2)
        named = factor <= _MOST_NAMED_PHASES
        ax.plot(
            times[mine], values[mine], ls="none", color=colour, marker=marker, ms=8, mec="black",
            mew=0.7, zorder=3, label=f"phase {number}" if named else None,
        )  # fmt: skip
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
    if 1 < factor <= _MOST_NAMED_PHASES:
        ax.legend(fontsize=SMALL_SIZE, loc="best")
    if title is not None:
        ax.set_title(title, fontsize=TITLE_SIZE, pad=None if sample_rate is None else 10.0)
    return ax


def draw_phase_gains(
    gains: NDArray[Any], *, ax: Axes | None = None, title: str | None = None
) -> Axes:
    """Draw the gain of each phase as a bar, and their mean as a line.

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
    for phase, gain in enumerate(values):
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
    values = _one_row(taps, "taps")
    phases = (first + np.arange(values.size)) % factor
    draw_phase_gains(np.bincount(phases, weights=values, minlength=factor), ax=right)
    return np.array([left, right], dtype=object)


def _phase_style(phase: int) -> tuple[str, str, str]:
    # Yellow, last of the palette that can be seen on white, is left out here too.
    colours = [colour for name, colour in PALETTE.items() if name not in ("yellow", "black")]
    markers = [style.marker for style in CAUSES.values()]
    return (
        colours[phase % len(colours)],
        markers[phase % len(markers)],
        _HATCHES[phase % len(_HATCHES)],
    )


def _one_row(values: NDArray[Any], name: str) -> NDArray[np.float64]:
    row = np.asarray(values, dtype=np.float64)
    if row.ndim != 1 or row.size == 0 or not np.isfinite(row).all():
        raise ShapeError(
            f"{name} must be one row of finite numbers",
            given=f"shape {row.shape}",
            expected=f"shape (count of {name},)",
            fix=f"{name}[o, c] for one output and one input channel",
            where="upsim.drawing",
        )
    return row
