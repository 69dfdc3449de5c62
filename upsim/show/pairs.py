"""Two answers in one picture: each line as a pair of markers, the noise of both in steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from upsim.show.axes import axes_or_new, frequency_unit, label_axes
from upsim.show.levels import level_limits, levels_of
from upsim.show.style import PALETTE, SMALL_SIZE, TITLE_SIZE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_pairs"]

#: Colour, marker and dash of the first answer and of the second.
_STYLES = ((PALETTE["blue"], "o", "-"), (PALETTE["vermilion"], "D", "--"))


def draw_pairs(
    lines: Sequence[tuple[float, float, float]],
    bands: Sequence[tuple[float, float, float, float]] = (),
    *,
    sample_rate: float,
    names: tuple[str, str] = ("first", "second"),
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw the lines and the noise of two answers in one picture.

    Parameters
    ----------
    lines : sequence of (Hz, power, power)
        Each line in the first and in the second answer; 0 where it is not there.
    bands : sequence of (Hz, Hz, power, power)
        From where to where, and the power of the noise there.
    sample_rate : float
        The higher of the two, in Hz.
    names : (str, str)
        What the legend calls the answers.
    ax : Axes, optional
        Where to draw; a new figure otherwise.
    title : str, optional

    Returns
    -------
    Axes

    Examples
    --------
    >>> ax = draw_pairs([(4000.0, 1.0, 0.01)], sample_rate=16000)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['first', 'second']
    >>> import matplotlib.pyplot as plt
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax)
    unit, unit_name = frequency_unit(sample_rate / 2)
    levels = levels_of([line[1:] for line in lines] or np.zeros((0, 2)))
    noise = levels_of([band[2:] for band in bands] or np.zeros((0, 2)))
    shown = level_limits(np.concatenate([levels.ravel(), noise.ravel()]))
    places = np.array([line[0] for line in lines]) / unit
    for number, (name, (colour, marker, dash)) in enumerate(zip(names, _STYLES, strict=True)):
        there = levels[:, number] > shown.zero
        heads = levels[there, number]
        ax.vlines(places[there], shown.low, heads, color=colour, ls=dash, lw=1.4, zorder=2)
        ax.plot(
            places[there], heads, ls="none", color=colour, marker=marker, ms=8.0,
            mfc="none" if number else colour, mew=1.4, zorder=3 + number, label=name, clip_on=False,
        )  # fmt: skip
        for band, level in zip(bands, noise[:, number], strict=True):
            if level > shown.zero:
                ax.hlines(level, band[0] / unit, band[1] / unit, color=colour, ls=dash, lw=2.2)
    ax.set_xlim(-0.012 * sample_rate / 2 / unit, 1.012 * sample_rate / 2 / unit)
    ax.set_ylim(*shown.pair)
    label_axes(ax, x=f"frequency ({unit_name})", y="power (dB re 1)")
    if bands:
        ax.text(0.01, 0.01, "steps: noise in the band", transform=ax.transAxes, fontsize=SMALL_SIZE)
    # Over the axes: within, it would cover lines.
    ax.legend(
        fontsize=SMALL_SIZE, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False
    )
    if title is not None:
        ax.set_title(title, fontsize=TITLE_SIZE, pad=6.0 + 2.0 * SMALL_SIZE)
    return ax
