"""The tones of a prediction as rows of text: place, family, level, layer, cause, verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from upsim.theory.lines.ladder import families
from upsim.theory.lines.tones import Tone
from upsim.theory.reports.offset_step import OffsetStep
from upsim.words.units import format_decibels, format_full_scale, format_hertz

if TYPE_CHECKING:
    from upsim.answer.prediction import Prediction

#: The columns that are always there.
HEADER = ("frequency", "fraction", "power", "layer", "cause", "mostly from")


def tone_rows(prediction: Prediction, tones: Sequence[Tone]) -> list[list[str]]:
    """Return a row of :data:`HEADER` for each tone; the power is that of the strongest channel."""
    return [
        [
            format_hertz(tone.fraction * prediction.sample_rate),
            str(tone.fraction),
            format_decibels(float(tone.power.max())),
            place_of(prediction, tone.layer),
            tone.cause,
            _strongest(prediction, tone),
        ]
        for tone in tones
    ]


def wide_table(
    prediction: Prediction,
    *,
    family: bool,
    dbfs: bool,
    audible: bool,
    calibration: float | None,
) -> tuple[list[str], list[list[str]]]:
    """Return the header and a row for each tone, with the columns that are asked for."""
    header, rows = list(HEADER), tone_rows(prediction, prediction.tones)
    more: list[tuple[int, str, list[str]]] = []
    if family:
        more.append((2, "family", [family_of(prediction, tone) for tone in prediction.tones]))
    if dbfs:
        levels = [format_full_scale(float(tone.power.max())) for tone in prediction.tones]
        more.append((3, "full scale", levels))
    if audible:
        heard = prediction.audibility(calibration=calibration)
        name = "heard" if prediction.channels == 1 else "heard (channel 0)"
        more.append((len(header), name, [row.verdict for row in heard.rows]))
    if prediction.measured is not None and prediction.measured.degrees:
        more.append((3, "95 %", [interval_of(prediction, tone) for tone in prediction.tones]))
    more.sort(key=lambda column: column[0])
    # From the right, so that the places on the left stay what they are.
    for place, name, cells in reversed(more):
        header.insert(place, name)
        for row, cell in zip(rows, cells, strict=True):
            row.insert(place, cell)
    return header, rows


def interval_of(prediction: Prediction, tone: Tone) -> str:
    """Return the interval of a measured line's level in its strongest channel: "-30.1 to -29.2"."""
    assert prediction.measured is not None
    channel = int(tone.power.argmax())
    low, high = (each[channel] for each in prediction.measured.line_interval(tone))
    return f"{format_decibels(float(low))} to {format_decibels(float(high))}"


def family_of(prediction: Prediction, tone: Tone) -> str:
    """Return the family of a line by its number and spacing, "" if no upsampler has it."""
    known = [each for each in families(prediction.stack) if each.cause == "offset"]
    for number, each in enumerate(known, 1):
        multiple = tone.fraction * prediction.sample_rate / each.spacing
        if tone.fraction and each.layer == tone.layer and multiple.denominator == 1:
            return f"{number} ({format_hertz(each.spacing)})"
    return ""


def place_of(prediction: Prediction, label: str) -> str:
    """Return a layer's name with its kind, "input" for the input."""
    return f"{label} ({prediction.stack.kind(label)})" if label else "input"


def _strongest(prediction: Prediction, tone: Tone) -> str:
    parts = []
    if tone.contributions:
        first = tone.contributions[0]
        parts.append(first.cause + (f" of {first.place}" if first.layer else ""))
    if tone.fraction == 0:
        # Silent by itself; what is heard of it is this.
        parts.append(OffsetStep(tone.power, prediction.sample_rate).summary)
    return "; ".join(parts)
