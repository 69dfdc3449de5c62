"""Two answers side by side: lines matched by frequency, densities by band, shares by source."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upsim.answer.prediction import Prediction
from upsim.answer.predictor import predict
from upsim.answer.tone_table import place_of
from upsim.errors import ArgumentError, ArgumentTypeError
from upsim.network.feed import Feed
from upsim.network.graph import Graph
from upsim.show.tables import html_table, text_table
from upsim.theory.lines.tones import Tone
from upsim.words.arguments import plain_text, shown, whole_number
from upsim.words.units import decibels, format_decibels, format_hertz

Array = NDArray[np.float64]

FORMAT, VERSION = "upsim-comparison", 1

#: Octaves below half the lower of the two rates, and what is under them as one band.
_OCTAVES = 8

_LINES = ("frequency", "first", "second", "difference", "layer", "cause")
_BANDS = ("band", "first", "second", "difference")
_SHARES = ("cause", "layer", "first", "second", "difference")


@dataclass(frozen=True)
class Levels:
    """A power in both answers.

    Parameters
    ----------
    first, second : float or None
        None where the answer has none of it.  In expectation a share may be negative: the lines
        are the weaker for the source.
    """

    first: float | None
    second: float | None

    @property
    def difference(self) -> float | None:
        """The second over the first, in dB; None where one of them is missing or not positive."""
        first, second = self.first or 0.0, self.second or 0.0
        return float(decibels(second / first)) if min(first, second) > 0 else None


@dataclass(frozen=True)
class ComparedLine(Levels):
    """One line in both answers.

    Parameters
    ----------
    first, second : float or None
        Its power, both mirror lines together; None where the answer has no such line.
    frequency : Fraction
        In Hz.
    layers, causes : (str, str)
        Where it was first possible and what made it there, in each answer; "" without the line.
    """

    frequency: Fraction
    layers: tuple[str, str]
    causes: tuple[str, str]


@dataclass(frozen=True)
class ComparedBand(Levels):
    """The noise in one band of both answers.

    Parameters
    ----------
    first, second : float or None
        The integral of the density over the band; None without a density.
    low, high : float
        In Hz.
    """

    low: float
    high: float


@dataclass(frozen=True)
class ComparedShare(Levels):
    """What one source gives to all tones of both answers.

    Parameters
    ----------
    first, second : float or None
        Sum of the powers that each tone (not the offset) would have from this source alone; None
        where the source gives nothing.
    layer, cause : str
        The source; "input" for an input without a name.
    """

    layer: str
    cause: str


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """Two answers side by side.

    Parameters
    ----------
    names : (str, str)
        One line about each network.
    sample_rates : (Fraction, Fraction)
        Of the outputs, in Hz.
    lines : tuple of ComparedLine
        All lines of either answer, in ascending frequency.
    bands : tuple of ComparedBand
        Octaves up to half the lower rate, the lowest first, and what the higher rate has above.
        Empty where neither answer has a density.
    shares : tuple of ComparedShare
        The sources of tones, those that changed most first.
    assumptions : tuple of str
        What was assumed for either answer.
    """

    names: tuple[str, str]
    sample_rates: tuple[Fraction, Fraction]
    lines: tuple[ComparedLine, ...]
    bands: tuple[ComparedBand, ...]
    shares: tuple[ComparedShare, ...]
    assumptions: tuple[str, ...]

    @property
    def only_first(self) -> tuple[ComparedLine, ...]:
        """Lines that the first answer alone has."""
        return tuple(line for line in self.lines if line.second is None)

    @property
    def only_second(self) -> tuple[ComparedLine, ...]:
        """Lines that the second answer alone has."""
        return tuple(line for line in self.lines if line.first is None)

    @property
    def both(self) -> tuple[ComparedLine, ...]:
        """Lines that both answers have."""
        return tuple(line for line in self.lines if None not in (line.first, line.second))

    def table(self) -> str:
        """Return three tables of text: lines, bands of noise, sources of tones."""
        parts = []
        if self.lines:
            parts.append(text_table(_LINES, self._line_rows()))
        if self.bands:
            rows = [
                [f"{format_hertz(each.low)} to {format_hertz(each.high)}", *_cells(each)]
                for each in self.bands
            ]
            parts.append(text_table(_BANDS, rows))
        if self.shares:
            rows = [[each.cause, each.layer, *_cells(each)] for each in self.shares]
            parts.append(text_table(_SHARES, rows))
        return "\n\n".join(parts) or "no lines and no noise"

    def _line_rows(self) -> list[list[str]]:
        return [
            [
                format_hertz(line.frequency),
                *_cells(line),
                _either(line.layers),
                _either(line.causes),
            ]
            for line in self.lines
        ]

    def __repr__(self) -> str:
        lines = [f"first:  {self.names[0]}", f"second: {self.names[1]}"]
        counts = (len(self.both), len(self.only_first), len(self.only_second))
        lines.append(
            "lines: {} in both, {} in the first alone, {} in the second alone".format(*counts)
        )
        tones = [line for line in self.both if line.frequency] or list(self.both)
        if tones:
            most = max(tones, key=_change)
            lines.append(f"  most changed: {_told(most)} at {format_hertz(most.frequency)}")
        if self.bands:
            band = max(self.bands, key=_change)
            place = f"{format_hertz(band.low)} to {format_hertz(band.high)}"
            lines.append(f"noise: most changed: {_told(band)}, {place}")
        if self.shares:
            source = self.shares[0]
            lines.append(
                f"sources: most changed: {_told(source)}, {source.cause} of {source.layer}"
            )
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return html_table(_LINES, self._line_rows())

    def plot(self, ax: Any = None, *, title: str | None = None) -> Any:
        """Draw the lines of both answers in pairs, and their noise in steps; return the Axes.

        Parameters
        ----------
        ax : matplotlib Axes, optional
        title : str, optional

        Returns
        -------
        Axes
        """
        from upsim.show import draw_pairs

        if title is not None:
            plain_text(title, "title")
        return draw_pairs(
            [
                (float(line.frequency), line.first or 0.0, line.second or 0.0)
                for line in self.lines
                if line.frequency
            ],
            [
                (band.low, band.high, max(band.first or 0.0, 0.0), max(band.second or 0.0, 0.0))
                for band in self.bands
            ],
            sample_rate=float(max(self.sample_rates)),
            ax=ax,
            title=title,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain, versioned data: numbers, strings and lists."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "names": list(self.names),
            "sample_rates": [str(rate) for rate in self.sample_rates],
            "lines": [
                {
                    "frequency": str(line.frequency),
                    "frequency_hz": float(line.frequency),
                    **_levels(line),
                    "layers": list(line.layers),
                    "causes": list(line.causes),
                }
                for line in self.lines
            ],
            "bands": [
                {"low_hz": band.low, "high_hz": band.high, **_levels(band)} for band in self.bands
            ],
            "shares": [
                {"layer": each.layer, "cause": each.cause, **_levels(each)} for each in self.shares
            ],
            "assumptions": list(self.assumptions),
        }

    def to_json(self, *, indent: int | None = None) -> str:
        """Return :meth:`to_dict` as JSON."""
        if indent is not None:
            indent = whole_number(indent, "indent", least=0, most=64)
        return json.dumps(self.to_dict(), indent=indent)


def compare(
    first: Graph | Prediction,
    second: Graph | Prediction,
    signal: Feed | None = None,
    *,
    channel: int | None = None,
) -> Comparison:
    """Set two answers side by side: before and after training, or two configurations.

    Parameters
    ----------
    first, second : Stack, Graph or Prediction
        A network is predicted first.  One with open weights is predicted in expectation.
    signal : Signal, or dict of input name to Signal, optional
        What is fed to networks: ``Constant(1) + WhiteNoise(1)`` by default.  A prediction has its
        own.
    channel : int, optional
        Output channel that is compared; the strongest one of each line by default, and the first
        one for noise and shares.

    Returns
    -------
    Comparison

    Notes
    -----
    Lines are the same where their frequencies in Hz are, as exact fractions.  A source is the same
    where its node's name and its cause are.

    Examples
    --------
    >>> from upsim import Constant, Stack, TransposedConv
    >>> def stack(weight):
    ...     return Stack([TransposedConv(1, 1, 4, 2, bias=False, weight=weight)], 16000)
    >>> compare(stack([[[1, 2, 1, 1]]]), stack([[[1, 1.1, 1, 1]]]), Constant(1.0))
    first:  stack: 1 layer, 1 to 1 channels, 8 kHz to 16 kHz
    second: stack: 1 layer, 1 to 1 channels, 8 kHz to 16 kHz
    lines: 2 in both, 0 in the first alone, 0 in the second alone
      most changed: -20.00 dB (-6.02 dB to -26.02 dB) at 8 kHz
    sources: most changed: -20.00 dB (-6.02 dB to -26.02 dB), input offset of input
    """
    found = [_predicted(first, signal, "first"), _predicted(second, signal, "second")]
    if channel is not None:
        channel = whole_number(channel, "channel", least=0)
        for each, name in zip(found, ("first", "second"), strict=True):
            if channel >= each.channels:
                raise ArgumentError(
                    "there is no such channel",
                    given=f"channel={channel}, {name} has {each.channels}",
                    expected=f"0 to {min(one.channels for one in found) - 1}",
                    fix="channel=0",
                )
    assumptions = tuple(
        f"{name}: {text}"
        for each, name in zip(found, ("first", "second"), strict=True)
        for text in each.assumptions
    )
    return Comparison(
        (found[0].stack.summary(), found[1].stack.summary()),
        (found[0].sample_rate, found[1].sample_rate),
        _lines(found, channel),
        _bands(found, channel or 0),
        _shares(found, channel or 0),
        assumptions,
    )


def _predicted(given: object, signal: Feed | None, name: str) -> Prediction:
    if isinstance(given, Prediction):
        return given
    if not isinstance(given, Graph):
        raise ArgumentTypeError(
            f"{name} must be a network or a prediction",
            given=f"{name}={shown(given)}",
            expected="an upsim.Stack, upsim.Graph or upsim.Prediction",
            fix="upsim.compare(stack.draw(seed=0), stack.draw(seed=1))",
        )
    return predict(given, signal)


def _lines(found: Sequence[Prediction], channel: int | None) -> tuple[ComparedLine, ...]:
    """Return the lines of both answers, matched by their exact frequencies in Hz."""
    known: list[dict[Fraction, Tone]] = [
        {tone.fraction * each.sample_rate: tone for tone in each.tones} for each in found
    ]

    def power(number: int, frequency: Fraction) -> float | None:
        tone = known[number].get(frequency)
        if tone is None:
            return None
        return float(tone.power.max() if channel is None else tone.power[channel])

    def words(number: int, frequency: Fraction) -> tuple[str, str]:
        tone = known[number].get(frequency)
        return ("", "") if tone is None else (place_of(found[number], tone.layer), tone.cause)

    rows = []
    for frequency in sorted(known[0].keys() | known[1].keys()):
        (here, why), (there, wherefore) = words(0, frequency), words(1, frequency)
        rows.append(
            ComparedLine(
                power(0, frequency), power(1, frequency), frequency, (here, there), (why, wherefore)
            )
        )
    return tuple(rows)


def _bands(found: Sequence[Prediction], channel: int) -> tuple[ComparedBand, ...]:
    """Return the noise in octaves that end at half the lower rate."""
    if all(each.psd is None for each in found):
        return ()
    low, high = sorted(float(each.sample_rate) / 2 for each in found)
    edges = [0.0, *(low / 2**octave for octave in range(_OCTAVES, -1, -1))]
    edges += [high] if high > low else []
    powers = [_band_powers(each, edges, channel) for each in found]
    return tuple(
        ComparedBand(powers[0][number], powers[1][number], start, end)
        for number, (start, end) in enumerate(pairwise(edges))
    )


def _band_powers(
    prediction: Prediction, edges: Sequence[float], channel: int
) -> list[float | None]:
    """Return the integral of a density from edge to edge, straight between its points.

    The bins of a recording's DFT are a sum, each at its own frequency.
    """
    count = len(edges) - 1
    if prediction.psd is None:
        return [None] * count
    grid, level = prediction.frequencies, prediction.psd[channel]
    if prediction.waveform is not None:
        width = float(grid[1] - grid[0]) if grid.size > 1 else float(prediction.sample_rate)
        places = np.clip(np.searchsorted(edges, grid, side="right") - 1, 0, count - 1)
        summed = np.bincount(places, level * width, minlength=count)
    else:
        points = np.union1d(grid, edges)
        values = np.interp(points, grid, level)
        pieces = np.diff(points) * (values[1:] + values[:-1]) / 2
        # Beyond the points nothing is known, and nothing is added.
        inside = (points[:-1] >= grid[0]) & (points[1:] <= grid[-1])
        places = np.clip(np.searchsorted(edges, points[:-1], side="right") - 1, 0, count - 1)
        summed = np.bincount(places, np.where(inside, pieces, 0.0), minlength=count)
    half = float(prediction.sample_rate) / 2
    return [
        float(value) if start < half else None for value, start in zip(summed, edges, strict=False)
    ]


def _shares(found: Sequence[Prediction], channel: int) -> tuple[ComparedShare, ...]:
    """Return what each source gives to all tones, those that changed most first."""
    sums: list[dict[tuple[str, str], float]] = [{}, {}]
    for each, known in zip(found, sums, strict=True):
        for tone in each.tones:
            for share in tone.contributions if tone.fraction else ():
                key = (share.cause, share.place)
                known[key] = known.get(key, 0.0) + float(share.power[channel])
    rows = [
        ComparedShare(sums[0].get(key), sums[1].get(key), key[1], key[0])
        for key in dict.fromkeys([*sums[0], *sums[1]])
    ]
    return tuple(sorted(rows, key=_size, reverse=True))


def _size(share: ComparedShare) -> float:
    """Return the power that a source gained or lost."""
    return abs((share.second or 0.0) - (share.first or 0.0))


def _change(levels: Levels) -> float:
    """Return how many dB lie between the two; none where one is missing."""
    return abs(levels.difference or 0.0)


def _cells(levels: Levels) -> list[str]:
    return [
        _power(levels.first),
        _power(levels.second),
        "" if levels.difference is None else f"{levels.difference:+.2f} dB",
    ]


def _power(power: float | None) -> str:
    if power is None:
        return "none"
    return f"less {format_decibels(-power)}" if power < 0 else format_decibels(power)


def _told(levels: Levels) -> str:
    first, second, difference = _cells(levels)
    return f"{difference} ({first} to {second})" if difference else f"{first} to {second}"


def _either(words: tuple[str, str]) -> str:
    first, second = words
    return first if first == second or not second else f"{first} / {second}" if first else second


def _levels(levels: Levels) -> dict[str, float | None]:
    return {"first": levels.first, "second": levels.second, "difference": levels.difference}
