"""The error of a chunk over the context that it is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from upsim.show.axes import axes_or_new, label_axes
from upsim.show.levels import level_limits, levels_of
from upsim.show.style import PALETTE, SMALL_SIZE, TITLE_SIZE
from upsim.words.units import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_context"]

_CURVES = (
    ("error, mean over the chunk", PALETTE["blue"], "o", "-"),
    ("error at the worst sample", PALETTE["vermilion"], "^", "--"),
    ("largest error there can be", PALETTE["purple"], "P", ":"),
)


def draw_context(
    rows: Sequence[tuple[int, float, float, float | None]],
    *,
    enough: int | None = None,
    how: str = "",
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw how the error of a chunk falls with its context.

    Parameters
    ----------
    rows : sequence of (frames, power, power, power or None)
        Context a side; mean, worst and largest power of the error, re that of the output.
    enough : int, optional
        Frames from which on there is no error.
    how : str
        "exact" or "measured", for the label of the axis.
    ax : Axes, optional
        Where to draw; a new figure otherwise.
    title : str, optional

    Returns
    -------
    Axes

    Examples
    --------
    >>> ax = draw_context([(0, 0.1, 1.0, None), (4, 0.0, 0.0, None)], enough=4)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['error, mean over the chunk', 'error at the worst sample', 'exact from 4 frames on']
    >>> import matplotlib.pyplot as plt
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax)
    frames = np.array([row[0] for row in rows], dtype=np.float64)
    curves = [levels_of([row[place] or 0.0 for row in rows]) for place in (1, 2, 3)]
    shown = level_limits((), [levels[np.isfinite(levels)] for levels in curves])
    for (name, colour, marker, dash), levels in zip(_CURVES, curves, strict=True):
        there = np.isfinite(levels)
        if there.any():
            ax.plot(
                frames[there], levels[there], color=colour, marker=marker, ls=dash, lw=2.0, ms=7.0,
                label=name,
            )  # fmt: skip
    if enough is not None:
        exact = f"exact from {counted(enough, 'frame')} on"
        ax.axvline(enough, color="black", ls="-.", lw=1.2, label=exact)
    finite = [levels[np.isfinite(levels)] for levels in curves]
    low = min((float(each.min()) for each in finite if each.size), default=shown.low)
    ax.set_ylim(min(shown.low, low - 3.0), shown.high)
    words = f" ({how})" if how else ""
    label_axes(ax, x="context a side (frames of the input)", y=f"dB re the output{words}")
    ax.grid(color="0.9")
    if ax.get_legend_handles_labels()[0]:
        ax.legend(fontsize=SMALL_SIZE)
    if title is not None:
        ax.set_title(title, fontsize=TITLE_SIZE)
    return ax
