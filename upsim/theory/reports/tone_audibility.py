"""The tones of a prediction as the ear has them: which are heard, and which layer made them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upsim.network.node import spoken
from upsim.theory.lines.tones import Tone
from upsim.theory.reports.audibility import audibility
from upsim.theory.reports.groups import together
from upsim.theory.reports.masking import HEARING_RANGE, PROMINENCE_RANGE, critical_band
from upsim.words.tolerance import rounding
from upsim.words.units import decibels, format_hertz

Array = NDArray[np.float64]

FORMAT, VERSION = "upsim-audibility", 1

#: Terms of a sum whose rounding may stand for a line in a channel that has none: -238 dB.
_ROUNDED_TERMS = 4096


@dataclass(frozen=True, eq=False)
class ToneAudibility:
    """What the ear makes of one tone in one channel.

    The judgements are those of :class:`~upsim.theory.reports.audibility.MaskedLevels`.

    Parameters
    ----------
    tone : Tone
    power : float
        Of the channel that was judged.
    place : str
        The tone's layer with its type, "1 (TransposedConv)", or "input".
    tnr, margin : float
        In dB.
    prominent : bool
    level : float or None
        In dB SPL.
    above_threshold : bool or None
    together : float
        The margin, in dB, of all lines in the critical band about the tone: of a tone that is
        masked, of all that are.
    neighbours : int
        Other lines that count in ``together``.
    in_group : bool
        Not heard alone, but together with them.
    programme : float or None
        Level re the whole output without its offset, in dB; None where that is not at hand.
    """

    tone: Tone
    power: float
    place: str
    tnr: float
    margin: float
    prominent: bool
    level: float | None
    above_threshold: bool | None
    together: float
    neighbours: int
    in_group: bool
    programme: float | None = None

    @property
    def audible(self) -> bool:
        """Heard through the noise, alone or in a group, and not known to be below the threshold."""
        return self.in_group or (self.margin > 0 and self.above_threshold is not False)

    @property
    def verdict(self) -> str:
        """The answer in a few words."""
        low, high = HEARING_RANGE
        if not self.power:
            return "not in this channel"
        if self.tone.frequency == 0:
            return "not heard: an offset, silent but at its ends"
        if not low <= self.tone.frequency <= high:
            return f"not heard: outside {format_hertz(low)} to {format_hertz(high)}"
        if self.in_group:
            others = f"{self.neighbours} other{'' if self.neighbours == 1 else 's'}"
            return f"heard together with {others}"
        if self.margin <= 0:
            return "masked by the noise"
        if self.above_threshold is False:
            return "below the threshold of hearing"
        return "prominent" if self.prominent else "heard"


@dataclass(frozen=True, eq=False)
class ToneGroup:
    """Tones of one critical band that are masked alone and heard together.

    Parameters
    ----------
    rows : tuple of ToneAudibility
        In ascending frequency.
    margin : float
        Over masking, of all of them, in dB.
    """

    rows: tuple[ToneAudibility, ...]
    margin: float

    def __str__(self) -> str:
        low, high = (format_hertz(self.rows[end].tone.frequency) for end in (0, -1))
        places = [spoken(place) for place in dict.fromkeys(row.place for row in self.rows)]
        named = ", ".join(places[:4]) + (", ..." if len(places) > 4 else "")
        size = f"{len(self.rows)} tones from {low} to {high}"
        return f"together: {size}, {self.margin:.1f} dB over masking, from {named}"


@dataclass(frozen=True, eq=False, repr=False)
class Audibility:
    """Which tones of a prediction will be heard, and which layer made them.

    Parameters
    ----------
    rows : tuple of ToneAudibility
        One for each tone, in ascending frequency.
    channel : int
        The channel that was judged.
    calibration : float or None
        Sound pressure level in dB of RMS 1; None: the threshold of hearing was not judged.
    assumptions : tuple of str
    groups : tuple of ToneGroup
        Tones that are heard together alone, the most audible group first; no tone is in two.
    """

    rows: tuple[ToneAudibility, ...]
    channel: int
    calibration: float | None
    assumptions: tuple[str, ...]
    groups: tuple[ToneGroup, ...] = ()

    @property
    def audible(self) -> tuple[ToneAudibility, ...]:
        """The tones that will be heard, the most audible first (of equal ones the strongest)."""
        heard = [row for row in self.rows if row.audible]
        return tuple(sorted(heard, key=lambda row: (-_best(row), -row.power)))

    def table(self) -> str:
        """Return all tones as a table of text."""
        if not self.rows:
            return "no tones"
        header = ["frequency", "layer", "cause", "TNR", "over masking"]
        shared = any(row.neighbours for row in self.rows)
        header += ["together"] if shared else []
        programme = any(row.programme is not None for row in self.rows)
        header += ["re programme"] if programme else []
        header += ["SPL"] if self.calibration is not None else []
        cells = [[*header, "verdict"]]
        for row in self.rows:
            levels = [_level(row.tnr), _level(row.margin)]
            levels += [_level(row.together)] if shared else []
            levels += [] if row.programme is None else [_level(row.programme)]
            levels += [] if row.level is None else [_level(row.level)]
            place = [format_hertz(row.tone.frequency), row.place, row.tone.cause]
            cells.append([*place, *levels, row.verdict])
        return _aligned(cells)

    def __repr__(self) -> str:
        sounds = [row for row in self.rows if row.power and row.tone.frequency]
        count = f"{len(sounds)} tone{'s' if len(sounds) > 1 else ''}"
        heard = self.audible
        if not sounds:
            lines = ["no tones to hear: nothing in this channel repeats except its offset"]
        elif not heard:
            lines = [f"none of {count} will be heard"]
        else:
            places = [spoken(place) for place in dict.fromkeys(row.place for row in heard)]
            named = ", ".join(places[:4]) + (", ..." if len(places) > 4 else "")
            if len(places) > 1 and all(place.startswith("layer ") for place in places):
                named = "layers " + named.replace("layer ", "")
            lines = [f"{len(heard)} of {count} will be heard, from {named}:"]
        shown = heard[:4] or sorted(sounds, key=lambda row: -row.margin)[:4]
        rest = len(heard) - len(shown)
        lines += _aligned([_told(row) for row in shown]).splitlines()
        lines += [f"  and {rest} more"] if rest > 0 else []
        lines += [f"  {group}" for group in self.groups[:4]]
        lines.append(self._closing())
        return "\n".join(lines)

    def _closing(self) -> str:
        if self.calibration is None:
            judged = "threshold of hearing not judged (calibration=94 if RMS 1 plays at 94 dB SPL)"
        else:
            judged = f"RMS 1 played at {self.calibration:g} dB SPL"
        return f"channel {self.channel} alone, steady sound; {judged}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain, versioned data; infinite levels are the words "inf" and "-inf"."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "channel": self.channel,
            "calibration": self.calibration,
            "assumptions": list(self.assumptions),
            "tones": [
                {
                    "frequency": row.tone.frequency,
                    "fraction": str(row.tone.fraction),
                    "layer": row.tone.layer,
                    "cause": row.tone.cause,
                    "power": row.power,
                    "tnr": _plain(row.tnr),
                    "margin": _plain(row.margin),
                    "prominent": row.prominent,
                    "level": None if row.level is None else _plain(row.level),
                    "above_threshold": row.above_threshold,
                    "audible": row.audible,
                    "together": _plain(row.together),
                    "neighbours": row.neighbours,
                    "in_group": row.in_group,
                    "programme": None if row.programme is None else _plain(row.programme),
                }
                for row in self.rows
            ],
            "groups": [
                {
                    "fractions": [str(row.tone.fraction) for row in group.rows],
                    "margin": _plain(group.margin),
                }
                for group in self.groups
            ],
        }


def judge_tones(
    tones: Sequence[Tone],
    grid: Array,
    psd: Array | None,
    *,
    channel: int,
    places: Mapping[str, str],
    calibration: float | None,
    recorded: bool,
    programme: float | None = None,
) -> Audibility:
    """Return what is heard of tones in one channel's density.

    Parameters
    ----------
    tones : sequence of Tone
    grid : array (F,)
    psd : array (channels, F) or None
    channel : int
    places : mapping of str to str
        How each tone's layer is to be called.
    calibration : float or None
    recorded : bool
        Whether the density is that of a recording, not of noise.
    programme : float, optional
        Mean square of the channel without its offset, where the output is at hand.
    """
    amplitudes = np.sqrt([tone.power for tone in tones]) if tones else np.zeros((0, channel + 1))
    # A tone is listed when any channel has it; here another channel may hold its rounding.
    least = rounding(_ROUNDED_TERMS, float(amplitudes.max(initial=0.0)))
    powers = np.where(amplitudes[:, channel] > least, amplitudes[:, channel] ** 2, 0.0)
    frequencies = np.asarray([tone.frequency for tone in tones], dtype=np.float64)
    density = None
    if psd is not None:
        # Rounding may leave a density of zero a little below it; more than that is an error.
        most = rounding(_ROUNDED_TERMS, float(np.abs(psd).max(initial=0.0)))
        density = np.where((psd[channel] < 0) & (psd[channel] >= -most), 0.0, psd[channel])
    found = audibility(
        frequencies, powers, None if psd is None else grid, density, calibration=calibration
    )
    bands = together(
        frequencies,
        powers,
        None if psd is None else grid,
        density,
        found,
        calibration=calibration,
    )
    rows = tuple(
        ToneAudibility(
            tone,
            float(powers[number]),
            places[tone.layer],
            float(found.tnr[number]),
            float(found.margin[number]),
            bool(found.prominent[number]),
            None if found.level is None else float(found.level[number]),
            None if found.above_threshold is None else bool(found.above_threshold[number]),
            float(bands.levels.margin[number]),
            bands.members[number].size - 1,
            bool(bands.heard[number]),
            None if not programme else float(decibels(powers[number]) - decibels(programme)),
        )
        for number, tone in enumerate(tones)
    )
    assumed = _assumptions(frequencies, powers, grid if psd is not None else None)
    if recorded:
        assumed.append("the recording counts as steady noise, its own tones included")
    if calibration is None:
        assumed.append("threshold of hearing: not judged, the level of playback is not known")
    else:
        assumed.append("threshold of hearing: of young listeners in a free field (Terhardt 1979)")
    groups = tuple(
        ToneGroup(
            tuple(rows[each] for each in bands.members[number]),
            float(bands.levels.margin[number]),
        )
        for number in bands.apart()
    )
    return Audibility(rows, channel, calibration, tuple(assumed), groups)


def _best(row: ToneAudibility) -> float:
    """Return the margin by which a tone is heard, alone or in its group."""
    return row.together if row.in_group else row.margin


def _assumptions(frequencies: Array, powers: Array, grid: Array | None) -> list[str]:
    """Return what the judgement of these lines takes for granted."""
    assumed = [
        "steady sound: tones and noise that last, one channel alone, a loudspeaker that is flat",
        "noise: mean of the predicted density over the critical band, straight between its points",
    ]
    present = (powers > 0) & (frequencies >= HEARING_RANGE[0]) & (frequencies <= HEARING_RANGE[1])
    hertz = frequencies[present]
    lows, highs = critical_band(hertz)
    shared = sum(
        np.count_nonzero((hertz >= low) & (hertz <= high)) > 1
        for low, high in zip(lows, highs, strict=True)
    )
    if shared:
        assumed.append(
            f"together: {shared} tones share a critical band, and their powers add there "
            "(ISO/TS 20065); prominence is that of each tone alone"
        )
    if grid is not None:
        cut = np.count_nonzero((lows < grid[0]) | (highs > grid[-1]))
        if cut:
            assumed.append(
                f"{cut} critical band{'s reach' if cut > 1 else ' reaches'} beyond the density: "
                "the mean of what is there stands for the whole"
            )
    far = np.count_nonzero((hertz < PROMINENCE_RANGE[0]) | (hertz > PROMINENCE_RANGE[1]))
    if far:
        assumed.append(
            f"prominence is extrapolated outside 89.1 Hz to 11.22 kHz, at {far} of the tones"
        )
    return assumed


def _told(row: ToneAudibility) -> list[str]:
    noise = f"TNR {_level(row.tnr)}" if np.isfinite(row.tnr) else "no noise in its critical band"
    return [
        f"  {format_hertz(row.tone.frequency)}",
        noise,
        row.verdict,
        f"{spoken(row.place)}, {row.tone.cause}",
    ]


def _level(level: float) -> str:
    return f"{level:.1f} dB" if np.isfinite(level) else "-inf" if level < 0 else "inf: no noise"


def _plain(level: float) -> float | str:
    return level if np.isfinite(level) else str(level)


def _aligned(cells: Sequence[Sequence[str]]) -> str:
    # upsim.show.tables does this for the floors above.
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rows = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in cells)
    return "\n".join(rows)
