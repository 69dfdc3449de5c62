"""Replicas as bands, the mirrored ones shaded, with the layer that made them written above."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from upsim.show.axes import size_in_points
from upsim.show.rows import Band
from upsim.show.style import SMALL_SIZE, layer_name

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

__all__ = ["draw_bands"]

# Narrower than this many points, hatching is mud; only the shading is kept.
_NARROWEST_HATCH = 12.0
# Narrower than this, even shading is: then only the layers' limits are drawn.
_NARROWEST_SHADE = 2.0
_SHADE = "#EDEDED"


def draw_bands(ax: Axes, bands: Sequence[Band], unit: float, entries: dict[str, Artist]) -> None:
    """Shade and hatch the mirrored bands, and name the layers above the axes.

    Parameters
    ----------
    ax : Axes
        Its frequency axis is set already.
    bands : sequence of Band
        In any order.
    unit : float
        Hz in one unit of the frequency axis.
    entries : dict
        The legend's entries, to which those of the bands are added.
    """
    from matplotlib.patches import Patch

    ordered = sorted(bands, key=lambda band: (band.low_hz, band.high_hz))
    start, end = ax.get_xlim()
    points_per_unit = size_in_points(ax)[0] / (end - start)
    for band in ordered:
        low, high = band.low_hz / unit, band.high_hz / unit
        width = (high - low) * points_per_unit
        if not band.mirrored or width < _NARROWEST_SHADE:
            continue
        ax.axvspan(low, high, facecolor=_SHADE, edgecolor="none", zorder=0)
        if width >= _NARROWEST_HATCH:
            ax.axvspan(low, high, facecolor="none", edgecolor="#CFCFCF", hatch="//", lw=0, zorder=0)
        entries["mirrored replica"] = Patch(
            facecolor=_SHADE, edgecolor="#A8A8A8", hatch="///" if width >= _NARROWEST_HATCH else ""
        )
    _name_layers(ax, ordered, unit, points_per_unit)


def _name_layers(ax: Axes, ordered: Sequence[Band], unit: float, points_per_unit: float) -> None:
    """One name over each run of neighbours that the same layer made, where it fits."""
    for made_by, run in groupby(ordered, key=lambda band: band.made_by):
        members = list(run)
        low, high = members[0].low_hz / unit, max(band.high_hz for band in members) / unit
        name = layer_name(made_by)
        ax.axvline(low, color="#8C8C8C", lw=0.8, ls=(0, (2, 3)), zorder=1)
        # 0.62 of its size is the mean width of a letter of DejaVu Sans.
        if (high - low) * points_per_unit < 0.62 * SMALL_SIZE * len(name):
            continue
        ax.annotate(
            name, ((low + high) / 2, 1.0), xycoords=ax.get_xaxis_transform(), xytext=(0, 4),
            textcoords="offset points", ha="center", va="bottom", fontsize=SMALL_SIZE,
            color="#4A4A4A", annotation_clip=False,
        )  # fmt: skip
