"""Where a line comes from: what each layer and cause adds to it, beside what comes out.

Contributions add as phasors, not as powers: two of 0 dB may make +6 dB or nothing at all. So every
bar carries an arrow, its phase, wherever the phase is known.  In expectation over networks there
are powers only: what the line would lose without each cause, and what several make together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from upsim.errors import ArgumentError
from upsim.show.axes import axes_or_new, label_axes, size_in_points
from upsim.show.levels import Limits, level_limits, levels_of
from upsim.show.rows import ContributionRow, ToneRow
from upsim.show.stems import line_levels
from upsim.show.style import (
    CAUSES,
    LABEL_SIZE,
    SMALL_SIZE,
    TICK_SIZE,
    TITLE_SIZE,
    cause_style,
)
from upsim.words.units import format_hertz

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_provenance", "strongest_contributions"]

_REST = "rest"
_SUM = "\N{GREEK CAPITAL LETTER SIGMA}"
_ARROW = 17.0


def draw_provenance(
    tones: Sequence[ToneRow],
    contributions: Sequence[ContributionRow],
    *,
    ax: Axes | None = None,
    title: str | None = None,
    channel: int = 0,
    strongest: int = 6,
    bars: int = 6,
) -> Axes:
    r"""Draw, for each of the strongest lines, its contributions and their sum.

    Parameters
    ----------
    tones : sequence of ToneRow
        Lines.
    contributions : sequence of ContributionRow
        What is added to them; a contribution belongs to the line of the same frequency.
    ax : Axes, optional
        Where to draw; a new figure otherwise.
    title : str, optional
        Heading.
    channel : int
        Which channel of the tones' powers.
    strongest : int
        How many lines.
    bars : int
        How many contributions to a line, at most; the others are added up in a bar "rest".

    Returns
    -------
    Axes

    Examples
    --------
    >>> tone = ToneRow(frequency_hz=4000.0, power=0.01, layer="1", cause="bias")
    >>> part = ContributionRow(frequency_hz=4000.0, layer="1", cause="bias", power=0.01, phase=0.0)
    >>> ax = draw_provenance([tone], [part])
    >>> [ascii(label.get_text()) for label in ax.get_xticklabels()]
    ["'1'", "'\\u03a3'"]
    >>> import matplotlib.pyplot as plt
    >>> plt.close(ax.figure)
    """
    if strongest < 1 or bars < 1:
        raise ArgumentError(
            "at least one line and one bar are drawn",
            given=f"strongest={strongest!r}, bars={bars!r}",
            expected="ints >= 1",
            fix="strongest=6, bars=6",
            where="draw_provenance",
        )
    ax = axes_or_new(ax)
    levels = line_levels(tones, channel)
    order = np.argsort(-levels, kind="stable")[:strongest]
    chosen = [tones[i] for i in order if np.isfinite(levels[i])]
    groups = [strongest_contributions(_belonging(contributions, tone), bars) for tone in chosen]
    sums_db = line_levels(chosen, channel)
    parts_db = [levels_of([part.power for part in group], what="contribution") for group in groups]
    shown = level_limits(np.concatenate([sums_db, *parts_db]))
    span = shown.high - shown.low
    count = sum(len(group) + 2 for group in groups)
    # Room for arrows and the legend; bars keep the range below it.
    ax.set_ylim(shown.low, shown.high + span * 6.5 * SMALL_SIZE / size_in_points(ax)[1])
    ax.set_xlim(-1.0, max(count - 1.0, 1.0))

    ticks: list[tuple[float, str]] = []
    arrows: list[tuple[float, float, float | None]] = []
    start = 0.0
    for place, (tone, group, heights) in enumerate(zip(chosen, groups, parts_db, strict=True)):
        width = len(group) + 2
        if place:
            ax.axvline(start - 1, color="0.6", lw=0.9, zorder=0)
        _name_group(ax, tone, start - 1 + width / 2)
        all_bars = [(part.cause, part.layer, part.phase) for part in group]
        all_bars.append((_SUM, _SUM, _phase_of(group)))
        for step, (cause, layer, phase) in enumerate(all_bars):
            level = float(heights[step] if step < len(group) else sums_db[place])
            ticks.append((start + step, layer))
            if level > shown.zero:
                _draw_bar(ax, start + step, level, cause, shown)
                arrows.append((start + step, level, phase))
        start += width
    _draw_phases(ax, arrows)

    ax.set_xticks([place for place, _ in ticks], [name for _, name in ticks])
    has_phases = any(part.phase is not None for group in groups for part in group)
    how = "all of them, as phasors" if has_phases or not chosen else "what comes out"
    label_axes(ax, x=f"layer that contributes ({_SUM}: {how})", y="power (dB re 1)")
    if max((len(name) for _, name in ticks), default=0) > 3:
        ax.tick_params(axis="x", labelrotation=90, labelsize=SMALL_SIZE)
    ax.grid(axis="y", color="0.88", lw=0.8)
    ax.set_axisbelow(True)
    if not chosen:
        ax.text(0.5, 0.5, "no line", transform=ax.transAxes, ha="center",
                va="center", fontsize=LABEL_SIZE)  # fmt: skip
    if title is not None:
        ax.set_title(title, fontsize=TITLE_SIZE, pad=TICK_SIZE + 12.0)
    _draw_legend(ax, groups, has_phases=has_phases or not chosen)
    return ax


def strongest_contributions(group: Sequence[ContributionRow], bars: int) -> list[ContributionRow]:
    """The `bars` strongest of a line's contributions; if there are more, the last is their rest.

    The rest is the phasor sum of what is left out, ``|sum sqrt(p) e^{j phase}|^2``; where a
    phase is not known it is the sum of the powers.

    Examples
    --------
    >>> row = dict(frequency_hz=1.0, layer="1", cause="bias")
    >>> group = [ContributionRow(power=p, phase=a, **row) for p, a in [(9, 0), (4, 0), (1, np.pi)]]
    >>> [part.power for part in strongest_contributions(group, 2)]
    [9, 1.0]
    """
    ordered = sorted(group, key=lambda part: -part.power)
    if len(ordered) <= bars:
        return ordered
    kept, left = ordered[: bars - 1], ordered[bars - 1 :]
    angle = _phase_of(left)
    if angle is None:
        power = float(sum(part.power for part in left))
    else:
        power = float(abs(_phasor(left)) ** 2)
    first = left[0]
    rest = ContributionRow(
        frequency_hz=first.frequency_hz, layer=_REST, cause=_REST, power=power, phase=angle
    )
    return [*kept, rest]


def _belonging(contributions: Sequence[ContributionRow], tone: ToneRow) -> list[ContributionRow]:
    return [part for part in contributions if part.frequency_hz == tone.frequency_hz]


def _phasor(group: Sequence[ContributionRow]) -> complex:
    return complex(sum(np.sqrt(part.power) * np.exp(1j * (part.phase or 0.0)) for part in group))


def _phase_of(group: Sequence[ContributionRow]) -> float | None:
    """Angle of the sum, or None if it cannot be known."""
    if not group or any(part.phase is None for part in group):
        return None
    return float(np.angle(_phasor(group)))


def _draw_bar(ax: Axes, place: float, level: float, cause: str, shown: Limits) -> None:
    is_sum = cause == _SUM
    style = cause_style(cause)
    ax.bar(
        place, level - shown.low, 0.78, bottom=shown.low,
        facecolor="white" if is_sum else style.colour, edgecolor="black",
        hatch="" if is_sum else style.hatch, lw=2.2 if is_sum else 0.9, zorder=3,
    )  # fmt: skip


def _draw_phases(ax: Axes, arrows: Sequence[tuple[float, float, float | None]]) -> None:
    """An arrow over each bar (place, level, phase), as long in every direction."""
    known = [(x, y, angle) for x, y, angle in arrows if angle is not None]
    if not known:
        return
    from matplotlib.transforms import offset_copy

    figure = ax.get_figure(root=True)
    assert figure is not None
    x, y, angle = np.array(known).T
    arrows_drawn = ax.quiver(
        x, y, np.cos(angle), np.sin(angle), angles="uv", pivot="middle", units="inches",
        scale_units="inches", scale=72.0 / _ARROW, width=0.022, headwidth=4.5, headlength=4.5,
        headaxislength=4.0, color="black", zorder=5, clip_on=False,
        transform=offset_copy(ax.transData, figure, y=_ARROW / 2 + 5.0, units="points"),
    )  # fmt: skip
    # A constrained layout would take the offset of the arrows for their size.
    arrows_drawn.set_in_layout(False)


def _name_group(ax: Axes, tone: ToneRow, middle: float) -> None:
    ax.annotate(
        format_hertz(tone.frequency_hz), (middle, 1.0), xycoords=ax.get_xaxis_transform(),
        xytext=(0, 4), textcoords="offset points", ha="center", va="bottom", fontsize=TICK_SIZE,
        annotation_clip=False,
    )  # fmt: skip


def _draw_legend(
    ax: Axes, groups: Sequence[Sequence[ContributionRow]], *, has_phases: bool
) -> None:
    from matplotlib.patches import Patch

    present = {part.cause for group in groups for part in group}
    if not present:
        return
    known = [cause for cause in CAUSES if cause in present] + sorted(present - set(CAUSES))
    entries = [
        Patch(
            facecolor=cause_style(cause).colour, edgecolor="black", hatch=cause_style(cause).hatch,
            label=cause,
        )
        for cause in known
    ]  # fmt: skip
    entries.append(
        Patch(facecolor="white", edgecolor="black", lw=2.2, label=f"{_SUM}, what comes out")
    )
    ax.legend(
        handles=entries, loc="upper center", ncols=len(entries), fontsize=SMALL_SIZE,
        handlelength=2.4, handleheight=1.2, borderaxespad=0.3, title_fontsize=SMALL_SIZE,
        title="arrow: phase (to the right: 0, up: 90\N{DEGREE SIGN})" if has_phases else None,
    )  # fmt: skip
