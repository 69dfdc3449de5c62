"""Answer "which layer makes the line at N Hz?", with weights or without."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import numpy as np

from upsim.errors import ArgumentError
from upsim.network.feed import Feed, signals_of
from upsim.network.graph import Graph, spoken
from upsim.theory.lines.ladder import Family, Ladder, families, input_lines
from upsim.theory.lines.tones import Tone
from upsim.words.units import exact, format_decibels, format_hertz


@dataclass(frozen=True, eq=False)
class Explanation:
    """What is known of one frequency of a stack's output.

    Parameters
    ----------
    frequency : Fraction
        In Hz, exact.
    fraction : Fraction
        Of the output rate.
    possible : bool
        Whether anything in the stack can make a line here.
    layer : str
        Label of the layer at which it was first possible; "" if none, or the input.
    text : str
        The answer in a few lines.
    tone : Tone or None
        The predicted line, if there is one.
    """

    frequency: Fraction
    fraction: Fraction
    possible: bool
    layer: str
    text: str
    tone: Tone | None = None

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text


def explain(
    stack: Graph,
    frequency: object,
    *,
    signal: Feed | None = None,
    tones: tuple[Tone, ...] | None = None,
) -> Explanation:
    """Say which layer a line at ``frequency`` Hz can come from.

    A frequency typed with few digits (86.13 for 86.1328125) is taken for the possible line within
    half a unit of its last digit, and the answer says so.

    Parameters
    ----------
    stack : Stack
        Weights need not be drawn.
    frequency : number
        In Hz, from 0 to half the sample rate.
    signal : Signal, optional
        Its own lines are then known too.
    tones : tuple of Tone, optional
        Predicted lines, to say what is really there.
    """
    asked = exact(frequency, "frequency")
    if not 0 <= asked <= stack.sample_rate / 2:
        raise ArgumentError(
            "frequency must lie between 0 and half the sample rate",
            given=format_hertz(asked),
            expected=f"0 to {format_hertz(stack.sample_rate / 2)}",
            fix=f"explain({float(stack.sample_rate / 4):g})",
        )
    own = input_lines(stack, signals_of(stack, signal)) if signal is not None else frozenset()
    ladder = Ladder(stack, own)
    meant = _meant(asked, _last_digit(frequency), stack, ladder, tones)
    fraction = meant / stack.sample_rate
    tone = next((each for each in tones or () if each.fraction == fraction), None)
    lines = [_opening(asked, meant, fraction, stack)]
    layer, possible = "", True
    if fraction == 0:
        lines[0] += "0 Hz is the output's own offset"
    else:
        origins = ladder.origins(fraction)
        # What was predicted says which of several candidates it is; without it, the latest.
        named = [each for each in origins if tone is not None and each.layer == tone.layer]
        origin = next(iter((*named, *origins)), None)
        if tone is not None and tone.cause == "activation":
            layer = tone.layer
            lines[0] += f"made by the activation of {_name(stack, layer)}, which distorts a line"
        elif origin is None:
            possible = False
            lines[0] += "no offset in this stack can make it"
            lines.append(_nearest(meant, stack))
        elif origin.node < 0:
            layer = origin.moved_by
            place = format_hertz(origin.image_of * stack.input_rate)
            made = f", an image made by {_name(stack, layer)}" if layer else ""
            lines[0] += f"the input's own line at {place}{made}"
        else:
            layer = origin.layer
            family = next(each for each in families(stack) if each.layer == layer)
            lines[0] += (
                f"first possible at {_name(stack, layer)}, "
                f"whose lines are the multiples of {format_hertz(family.spacing)}"
            )
    if tone is not None:
        lines += _level(stack, tone)
    elif tones is not None and possible:
        lines.append("  with these weights and this signal there is no line here")
    return Explanation(meant, fraction, possible, layer, "\n".join(lines), tone)


def _opening(asked: Fraction, meant: Fraction, fraction: Fraction, stack: Graph) -> str:
    of_rate = f"{fraction} of the output rate {format_hertz(stack.sample_rate)}: "
    if asked == meant:
        return f"{format_hertz(meant)} = {of_rate}"
    return f"{format_hertz(asked)}, read as {format_hertz(meant)} = {of_rate}"


def _name(stack: Graph, label: str) -> str:
    return f"{spoken(label)} ({stack.kind(label)})" if label else "the input"


def _last_digit(frequency: object) -> Fraction:
    """Return half a unit of the last digit of a number as it was typed; 0 if it was exact."""
    if not isinstance(frequency, float):
        return Fraction(0)
    exponent = Decimal(repr(float(frequency))).as_tuple().exponent
    return Fraction(10) ** int(exponent) / 2 if isinstance(exponent, int) else Fraction(0)


def _meant(
    asked: Fraction, slack: Fraction, stack: Graph, ladder: Ladder, tones: tuple[Tone, ...] | None
) -> Fraction:
    known = [each.fraction * stack.sample_rate for each in tones or ()]
    if asked in known or asked == 0 or ladder.origin(asked / stack.sample_rate) is not None:
        return asked
    near = known + [_nearest_multiple(asked, family) for family in families(stack)]
    near = [line for line in near if abs(line - asked) <= slack and line > 0]
    return min(near, key=lambda line: abs(line - asked)) if near else asked


def _nearest_multiple(frequency: Fraction, family: Family) -> Fraction:
    return round(frequency / family.spacing) * family.spacing


def _nearest(frequency: Fraction, stack: Graph) -> str:
    found = families(stack)
    if not found:
        return "  the stack has no upsampling layer, so it makes no tones of offsets"
    lowest = min(found, key=lambda family: family.spacing)
    below = frequency // lowest.spacing * lowest.spacing
    near = (below, below + lowest.spacing)
    choices = [line for line in near if 0 < line <= stack.sample_rate / 2]
    listed = " and ".join(format_hertz(line) for line in choices)
    return (
        f"  possible lines are the multiples of {format_hertz(lowest.spacing)}; nearest: {listed}"
    )


def _level(stack: Graph, tone: Tone) -> list[str]:
    level = format_decibels(float(tone.power.max()))
    what = {
        "overlap": "made there by uneven overlap",
        "weights": "made there by unequal phase gains of the weights",
        "bias": "made there by the layer's own bias",
        "activation": "made there by the activation",
        "modulation": "noise whose power repeats there, made a line by an activation",
        "input": "carried over from the input",
        "input offset": "carried over from the input",
    }[tone.cause]
    lines = [f"  predicted: {level}, {what}"]
    if tone.contributions:
        lines.append(_shares(stack, tone) if tone.interaction is None else _losses(tone))
    return lines


def _shares(stack: Graph, tone: Tone) -> str:
    """Return the shares of one network's line, the strongest four."""
    shares = [
        f"{each.cause}{' of ' + _name(stack, each.layer) if each.layer else ''} "
        f"{format_decibels(float(each.power.max()))}"
        for each in tone.contributions[:4]
    ]
    more = len(tone.contributions) - len(shares)
    rest = f", and {more} weaker" if more > 0 else ""
    return f"  from: {'; '.join(shares)}{rest}"


def _losses(tone: Tone) -> str:
    """Return what an expected line loses without each cause, and what several make together."""
    assert tone.interaction is not None
    loudest = int(np.argmax(tone.power))
    parts = [
        (each.cause + (f" of {each.place}" if each.layer else ""), each.power)
        for each in tone.contributions
    ]
    parts.append(("several together", tone.interaction))
    percent = [(name, 100 * float(power[loudest] / tone.power[loudest])) for name, power in parts]
    named = [f"{name} {share:.0f} %" for name, share in percent if abs(share) >= 0.5]
    return f"  part of its power that goes without each: {'; '.join(named)}"
