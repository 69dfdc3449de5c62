"""Aliased power over the frequency of the sine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from upsim.show.axes import axes_or_new, label_axes
from upsim.show.levels import level_limits, levels_of
from upsim.show.style import PALETTE, SMALL_SIZE, TITLE_SIZE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_aliasing"]

_LOOKS = tuple(
    zip(
        ("blue", "vermilion", "green", "orange", "purple", "black", "sky blue"),
        "o^sDPv*",
        ("-", "--", "-.", ":", "-", "--", "-."),
        strict=True,
    )
)


def draw_aliasing(
    curves: Mapping[str, Sequence[tuple[float, float]]],
    *,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw aliased over harmonic power against the frequency of the sine.

    Parameters
    ----------
    curves : mapping of str to sequence of (frequency, ratio)
        By name: frequencies in Hz and ratios of powers.  A ratio of 0 leaves a gap.
    ax : Axes, optional
        Where to draw; a new figure otherwise.
    title : str, optional

    Returns
    -------
    Axes

    Examples
    --------
    >>> ax = draw_aliasing({"ReLU": [(100.0, 1e-5), (200.0, 1e-4)]})
    >>> ax.get_ylabel()
    'aliased power (dB re harmonics)'
    >>> import matplotlib.pyplot as plt
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax)
    shown = []
    for number, (name, rows) in enumerate(curves.items()):
        colour, marker, dash = _LOOKS[number % len(_LOOKS)]
        levels = levels_of([ratio for _, ratio in rows])
        there = np.isfinite(levels)
        shown.append(levels[there])
        ax.plot(
            [frequency for frequency, _ in rows], np.where(there, levels, np.nan),
            color=PALETTE[colour], marker=marker, ls=dash, lw=2.0, ms=5.0,
            label=name if there.any() else f"{name}: none",
        )  # fmt: skip
    ax.set_xscale("log")
    # Every point counts here: a deep one is a good frequency, not a null between two samples.
    limits = level_limits(np.concatenate(shown) if shown else ())
    ax.set_ylim(*limits.pair)
    label_axes(ax, x="frequency of the sine (Hz)", y="aliased power (dB re harmonics)")
    ax.grid(color="0.9")
    ax.legend(fontsize=SMALL_SIZE)
    if title is not None:
        ax.set_title(title, fontsize=TITLE_SIZE)
    return ax
