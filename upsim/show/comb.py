"""The comb: on which multiples each layer's lines can lie, and which lines are there.

A layer with strides s_i ... s_N from itself to the output makes lines at multiples of
``f_i = F/(s_i ... s_N)``, F the output rate. So each layer has a ladder, one above the other; a
line stands on the ladder of the last layer that has a rung there, where it was first possible.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from upsim.errors import ArgumentError
from upsim.show.axes import axes_or_new, frequency_unit, label_axes, size_in_points
from upsim.show.levels import level_limits
from upsim.show.rows import ToneRow
from upsim.show.stems import causes_of, line_levels
from upsim.show.style import (
    LABEL_SIZE,
    SMALL_SIZE,
    TICK_SIZE,
    TITLE_SIZE,
    cause_style,
    layer_name,
)
from upsim.words.tolerance import rounding
from upsim.words.units import format_hertz

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

__all__ = ["draw_comb", "owned_rungs"]

# Within a row of height 1: rungs, then room for stems up to the next row.
_RUNG = 0.16
_TOP = 0.86
_ELSEWHERE = "elsewhere"
_MOST_ENTRIES = 5
# Rungs closer than this, in points, are drawn as one grey bar.
_CLOSEST_RUNGS = 1.5


def draw_comb(
    families: Sequence[tuple[str, float]],
    tones: Sequence[ToneRow],
    *,
    sample_rate: float,
    ax: Axes | None = None,
    title: str | None = None,
    channel: int = 0,
) -> Axes:
    r"""Draw the ladder of each layer and the lines on it.

    Parameters
    ----------
    families : sequence of (layer label, spacing in Hz)
        First layer first. Rungs that a later layer has too are grey: a line there would be the
        later layer's.
    tones : sequence of ToneRow
        Lines. Those of a layer that has no ladder stand in a row of their own.
    sample_rate : float
        Rate of the output in Hz.
    ax : Axes, optional
        Where to draw; a new figure otherwise.
    title : str, optional
        Heading.
    channel : int
        Which channel of the tones' powers.

    Returns
    -------
    Axes

    Examples
    --------
    >>> ax = draw_comb([("1", 4000.0), ("2", 8000.0)], [], sample_rate=16000)
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['layer 1\nevery 4 kHz', 'layer 2\nevery 8 kHz']
    >>> import matplotlib.pyplot as plt
    >>> plt.close(ax.figure)
    """
    for label, spacing in families:
        if not spacing > 0:
            raise ArgumentError(
                "the spacing of a family must be positive",
                given=f"spacing {spacing!r} Hz for layer {label!r}",
                expected="a frequency in Hz",
                fix="sample_rate divided by the strides from this layer to the output",
                where="draw_comb",
            )
    ax = axes_or_new(ax)
    half = sample_rate / 2
    unit, unit_name = frequency_unit(half)
    labels = [label for label, _ in families]
    rows = {label: place for place, label in enumerate(labels)}
    if any(tone.layer not in rows for tone in tones):
        rows[_ELSEWHERE] = len(rows)
    ax.set_xlim(-0.012 * half / unit, 1.012 * half / unit)
    ax.set_ylim(-0.12, max(len(rows), 1))

    owned = owned_rungs([spacing for _, spacing in families], half)
    entries = _draw_tones(ax, tones, rows, unit, channel)
    for place, (_, spacing) in enumerate(families):
        entries |= _draw_ladder(ax, place, spacing / unit, half / unit, owned[place])

    names = [f"{layer_name(label)}\nevery {format_hertz(spacing)}" for label, spacing in families]
    if len(rows) > len(families):
        moving = any(tone.frequency_hz > 0 for tone in tones if tone.layer not in labels)
        names.append("made by no\nupsampler" if moving else "offset\nat 0 Hz")
        ax.axhline(len(families), color="black", lw=0.9, zorder=2)
    ax.set_yticks(range(len(names)), names, va="bottom")
    label_axes(ax, x=f"frequency ({unit_name})")
    ax.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    lines = -(-len(entries) // _MOST_ENTRIES)
    if title is not None:
        # Above the legend, which stands over the axes: on a ladder it would cover lines.
        ax.set_title(title, fontsize=TITLE_SIZE, pad=6.0 + 1.9 * SMALL_SIZE * lines)
    if entries:
        ax.legend(
            entries.values(), entries.keys(), loc="lower center", bbox_to_anchor=(0.5, 1.0),
            ncols=-(-len(entries) // lines), fontsize=SMALL_SIZE, borderaxespad=0.2,
        )  # fmt: skip
    return ax


def owned_rungs(spacings: Sequence[float], half: float) -> list[NDArray[np.bool_]]:
    """For each family, which of its rungs 0, f, 2f, ... up to `half` no later family has.

    Examples
    --------
    >>> [rungs.tolist() for rungs in owned_rungs([2.0, 4.0], 8.0)]
    [[False, True, False, True, False], [True, True, True]]
    """
    owned = []
    for place, spacing in enumerate(spacings):
        # One rounding in the division must not lose the rung at half the rate.
        count = int(half / spacing * (1.0 + rounding(2, 1.0))) + 1
        rungs = np.arange(count) * spacing
        mine = np.ones(count, dtype=np.bool_)
        for later in spacings[place + 1 :]:
            steps = rungs / later
            # A product and a quotient: each rounded, so whole to within two roundings of its size.
            mine &= np.abs(steps - np.round(steps)) > rounding(4, 1.0) * np.maximum(steps, 1.0)
        # 0 Hz is on every ladder, and first possible at the last.
        owned.append(mine)
    return owned


def _draw_ladder(
    ax: Axes, place: int, spacing: float, half: float, owned: NDArray[np.bool_]
) -> dict[str, Artist]:
    """The rungs of one layer over their line, and what their greys mean."""
    ax.axhline(place, color="black", lw=0.9, zorder=2)
    start, end = ax.get_xlim()
    if spacing * size_in_points(ax)[0] / (end - start) < _CLOSEST_RUNGS:
        bar = ax.fill_between([0.0, half], place, place + _RUNG, color="0.75", lw=0, zorder=1)
        return {"multiples too close to draw": bar}
    rungs = np.arange(owned.size) * spacing
    mine = ax.vlines(rungs[owned], place, place + _RUNG, color="black", lw=1.3, zorder=2)
    found: dict[str, Artist] = {"multiple of the spacing": mine}
    if not owned.all():
        found["also a later layer's"] = ax.vlines(
            rungs[~owned], place, place + 0.6 * _RUNG, color="0.6", lw=1.0, zorder=1
        )
    return found


def _draw_tones(
    ax: Axes, tones: Sequence[ToneRow], rows: dict[str, int], unit: float, channel: int
) -> dict[str, Artist]:
    """Stems over the rungs, and on the right the dB that their heights mean."""
    levels = line_levels(tones, channel)
    shown = level_limits(levels)
    drawn = [i for i in range(len(tones)) if levels[i] > shown.zero]
    entries: dict[str, Artist] = {}
    if not drawn:
        return entries

    def height(level: float) -> float:
        return _RUNG + (_TOP - _RUNG) * (level - shown.low) / (shown.high - shown.low)

    for cause in causes_of([tones[i] for i in drawn]):
        style = cause_style(cause)
        mine = [i for i in drawn if tones[i].cause == cause]
        feet = np.array([rows.get(tones[i].layer, rows.get(_ELSEWHERE, 0)) for i in mine])
        heads = feet + np.array([height(float(levels[i])) for i in mine])
        places = np.array([tones[i].frequency_hz for i in mine]) / unit
        ax.vlines(places, feet, heads, color=style.colour, ls=style.linestyle, lw=1.8, zorder=3)
        (entries[cause],) = ax.plot(
            places, heads, ls="none", color=style.colour, marker=style.marker,
            ms=9.0 if len(drawn) <= 60 else 5.0, mec="black", mew=0.7, zorder=4, clip_on=False,
        )  # fmt: skip
    ends = [shown.low, shown.high]
    feet_used = sorted({rows.get(tones[i].layer, rows.get(_ELSEWHERE, 0)) for i in drawn})
    scale = ax.secondary_yaxis("right")
    scale.set_yticks(
        [place + height(level) for place in feet_used for level in ends],
        [f"{round(level):d}".replace("-", "\N{MINUS SIGN}") for _ in feet_used for level in ends],
    )
    scale.tick_params(labelsize=TICK_SIZE)
    scale.set_ylabel("tone power (dB re 1)", fontsize=LABEL_SIZE)
    for place in feet_used:
        for level in ends:
            ax.axhline(place + height(level), color="0.85", lw=0.7, zorder=0)
    return entries
