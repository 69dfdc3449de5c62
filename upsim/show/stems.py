"""Lines as stems, each with the colour, marker and dash of its cause, and their legend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from upsim.show.axes import size_in_points
from upsim.show.levels import Limits, levels_of
from upsim.show.rows import ToneRow
from upsim.show.style import CAUSES, SMALL_SIZE, cause_style, layer_name
from upsim.words.units import format_hertz

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

__all__ = ["causes_of", "draw_legend", "draw_stems", "line_levels"]

# Up to so many lines all are named where there is room; of more, only the loudest few.
_NAMED_TONES = 16
_LOUDEST_NAMED = 6
_MANY_TONES = 40
# Mean width of a letter of DejaVu Sans, as a share of its size.
_LETTER = 0.62


def line_levels(
    tones: Sequence[ToneRow], channel: int = 0, bandwidth_hz: float = 1.0
) -> NDArray[np.float64]:
    """Heights of the lines in dB: of their power, seen in a bandwidth.

    Examples
    --------
    >>> tone = ToneRow(frequency_hz=0.0, power=1.0)
    >>> line_levels([tone]).tolist(), line_levels([tone], bandwidth_hz=10.0).tolist()
    ([0.0], [-10.0])
    """
    powers = np.array([tone.in_channel(channel) for tone in tones], dtype=np.float64)
    return levels_of(powers / bandwidth_hz, what="tone power")


def causes_of(tones: Sequence[ToneRow]) -> list[str]:
    """The causes at work, known ones first and always in the same order."""
    present = {tone.cause for tone in tones}
    return [cause for cause in CAUSES if cause in present] + sorted(present - set(CAUSES))


def draw_stems(
    ax: Axes,
    tones: Sequence[ToneRow],
    heights_db: NDArray[np.float64],
    unit: float,
    shown: Limits,
    entries: dict[str, Artist],
    *,
    channel: int = 0,
    with_frequency: bool = True,
) -> None:
    """Draw each line that is more than rounding, and name those that have room for a name.

    Parameters
    ----------
    ax : Axes
        Its limits are set already.
    tones : sequence of ToneRow
        The lines.
    heights_db : array (tones,)
        Their heights on this axis.
    unit : float
        Hz in one unit of the frequency axis.
    shown : Limits
        The range of the axis; stems stand on its lower end.
    entries : dict
        The legend's entries, to which those of the causes are added.
    channel : int
        Of which the heights are, for the error bars of measured lines.
    with_frequency : bool
        Whether a line's name says its frequency too.
    """
    from matplotlib.lines import Line2D

    drawn = [i for i in range(len(tones)) if heights_db[i] > shown.zero]
    size = 9.0 if len(drawn) <= _MANY_TONES else 5.5
    width = 2.0 if len(drawn) <= _MANY_TONES else 1.2
    for cause in causes_of([tones[i] for i in drawn]):
        mine = [i for i in drawn if tones[i].cause == cause]
        style = cause_style(cause)
        places = np.array([tones[i].frequency_hz for i in mine]) / unit
        ax.vlines(
            places, shown.low, heights_db[mine],
            color=style.colour, ls=style.linestyle, lw=width, zorder=4,
        )  # fmt: skip
        ax.plot(
            places, heights_db[mine], ls="none", color=style.colour, marker=style.marker, ms=size,
            mec="black", mew=0.7, zorder=6,
        )  # fmt: skip
        entries[cause] = Line2D(
            [], [], color=style.colour, ls=style.linestyle, lw=2.0, marker=style.marker, ms=9.0,
            mec="black", mew=0.7,
        )  # fmt: skip
    _draw_intervals(ax, [tones[i] for i in drawn], heights_db[drawn], unit, shown, channel)
    loudest = sorted(drawn, key=lambda i: -heights_db[i])
    if len(drawn) > _NAMED_TONES:
        loudest = loudest[:_LOUDEST_NAMED]
    taken: list[_Box] = []
    for i in loudest:
        words = [layer_name(tones[i].layer)]
        words += [format_hertz(tones[i].frequency_hz)] * with_frequency
        named = [word for word in words if word]
        _name_line(ax, named, tones[i].frequency_hz / unit, float(heights_db[i]), taken)


def _draw_intervals(
    ax: Axes,
    tones: Sequence[ToneRow],
    heights_db: NDArray[np.float64],
    unit: float,
    shown: Limits,
    channel: int,
) -> None:
    """Draw the interval of each measured line as an error bar about its head."""
    for tone, height in zip(tones, heights_db, strict=True):
        if not tone.interval:
            continue
        power = levels_of(np.array(tone.in_channel(channel)), what="tone power")
        ends = levels_of(np.array(tone.interval[channel]), what="interval") - power
        place = tone.frequency_hz / unit
        low, high = np.maximum(height + ends, shown.low)
        ax.errorbar(
            [place], [height], [[height - low], [high - height]],
            fmt="none", ecolor="black", elinewidth=1.4, capsize=4.0, zorder=6.5,
        )  # fmt: skip


#: Left, right, lower and upper edge, in points.
_Box = tuple[float, float, float, float]


def _name_line(ax: Axes, words: list[str], place: float, height: float, taken: list[_Box]) -> None:
    """Write a line's name over it, unless it would cover the name of a louder one."""
    from matplotlib.patheffects import withStroke

    start, end = ax.get_xlim()
    # A name that is centred on a line at the edge would stick out of the picture.
    left, right = place < start + 0.06 * (end - start), place > end - 0.06 * (end - start)
    low, high = ax.get_ylim()
    width_points, height_points = size_in_points(ax)
    width = _LETTER * SMALL_SIZE * max((len(word) for word in words), default=0)
    x = (place - start) / (end - start) * width_points - (
        0 if left else width if right else width / 2
    )
    # Legends will take some of the height, so levels end up closer than they are now.
    y = 0.7 * (height - low) / (high - low) * height_points
    box = (x, x + width, y, y + 1.2 * SMALL_SIZE * len(words))
    if any(
        box[0] < other[1] and other[0] < box[1] and box[2] < other[3] and other[2] < box[3]
        for other in taken
    ):
        return
    taken.append(box)
    ax.annotate(
        "\n".join(words),
        (place, height),
        xytext=(-6 if left else 6 if right else 0, 9),
        textcoords="offset points",
        ha="left" if left else "right" if right else "center",
        va="bottom",
        fontsize=SMALL_SIZE,
        linespacing=0.95,
        zorder=7,
        path_effects=[withStroke(linewidth=3, foreground="white")],
    )


def draw_legend(ax: Axes, entries: dict[str, Artist]) -> None:
    """A legend in rows at the top, in room made for it, so that it covers no line."""
    if not entries:
        return
    rows = -(-len(entries) // 6)
    columns = -(-len(entries) // rows)
    # Two lines of a tone's name, and the rows of the legend, as shares of the axes' height.
    needed = (2.6 + 1.9 * rows) * SMALL_SIZE / size_in_points(ax)[1]
    low, high = ax.get_ylim()
    ax.set_ylim(low, low + (high - low) / max(1.0 - needed, 0.4))
    ax.legend(
        entries.values(), entries.keys(), loc="upper center", ncols=columns, fontsize=SMALL_SIZE,
        framealpha=0.92, borderaxespad=0.3, handlelength=2.6,
    )  # fmt: skip
