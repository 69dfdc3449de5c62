"""Answer "which layer makes the line at N Hz?", with weights or without."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from upsim.answer.measured import Measured
from upsim.answer.structure import Structure, Verdict
from upsim.errors import ArgumentError, ArgumentTypeError
from upsim.network.feed import Feed, signals_of
from upsim.network.graph import Graph, needs_network
from upsim.network.node import spoken
from upsim.network.recorded import Recorded
from upsim.theory.lines.expected_tones import lines_left_out
from upsim.theory.lines.tones import Tone
from upsim.theory.reports.offset_step import OffsetStep
from upsim.words.arguments import shown
from upsim.words.reading import Reading, reading
from upsim.words.units import format_decibels, format_hertz

#: Candidates of a reading that the text names; :attr:`Explanation.candidates` has all.
_NAMED = 4

#: Shares of a line that the text names.
_SHARES = 4


@dataclass(frozen=True)
class Candidate:
    """A possible line within a reading.

    Parameters
    ----------
    frequency : Fraction
        In Hz.
    what : str
        "family 3", "image of 1 kHz", "harmonic 2 of 1 kHz" (a line of the input), or
        "predicted line".
    """

    frequency: Fraction
    what: str


@dataclass(frozen=True, eq=False)
class Explanation:
    """What is known of one frequency of a stack's output.

    Parameters
    ----------
    frequency : Fraction
        In Hz, exact: what was asked, or the likeliest line within the reading.
    fraction : Fraction
        Of the output rate.
    possible : bool
        Whether anything known of the stack and its input can make a line here.
    layer : str
        Label of the layer at which it was first possible, of the latest activation that can make
        it; "" if none, or the input.
    text : str
        The answer in a few lines.
    tone : Tone or None
        The predicted line, if there is one.
    origin : str
        What a line here comes from: "offset", "input" (an image of the input's own line),
        "activation" (harmonics, sums and differences of lines), "opaque" (a node without a
        formula), "" if nothing can make it.
    asked : Reading or None
        The frequency as it was asked for.
    candidates : tuple of Candidate
        Possible lines within the reading, those of the coarsest family first.
    """

    frequency: Fraction
    fraction: Fraction
    possible: bool
    layer: str
    text: str
    tone: Tone | None = None
    origin: str = ""
    asked: Reading | None = None
    candidates: tuple[Candidate, ...] = ()

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text


def explain(
    stack: Graph,
    frequency: object,
    *,
    within: object = None,
    signal: Feed | None = None,
    tones: tuple[Tone, ...] | None = None,
    run: Measured | None = None,
) -> Explanation:
    """Say which layer a line at ``frequency`` can come from.

    No weight is drawn and nothing is predicted: strides, activations and the input's own lines
    decide what is possible.

    Parameters
    ----------
    stack : Stack or Graph
        Weights need not be drawn.
    frequency : number or str
        From 0 to half the sample rate.  A number is in Hz and exact.  A text ("5.5kHz", "689") is
        read as people write: half a unit of its last digit to each side, at most 0.5 %.
    within : number, optional
        In Hz: how far the line may lie to each side, instead; half a bin of a spectrogram.
    signal : Signal, or dict of input name to Signal, optional
        Its own lines are then known too, and what activations make of them.
    tones : tuple of Tone, optional
        Predicted lines, to say what is really there.
    run : Measured, optional
        Of a measured answer: how strong a line that is not listed may be.

    Examples
    --------
    >>> from upsim.layers import Stretch
    >>> from upsim.network.stack import Stack
    >>> stack = Stack([Stretch(stride) for stride in (8, 8, 2, 2)], sample_rate=22050)
    >>> print(explain(stack, "5.5kHz"))
    5.5 kHz itself: no offset in this stack can make it
    5.5125 kHz, family 3, lies within the reading (27.5 Hz to each side): 1/4 of the output rate \
22.05 kHz, first possible at layer 3 (Stretch), whose lines are the multiples of 5.5125 kHz
    """
    stack = needs_network(stack, "explain")
    given: object = tones
    if given is not None and not (
        isinstance(given, tuple | list) and all(isinstance(tone, Tone) for tone in given)
    ):
        raise ArgumentTypeError(
            "tones must be those of a prediction",
            given=f"tones={shown(given)}",
            expected="a tuple of Tone",
            fix="upsim.predict(stack, signal).explain(frequency)",
        )
    asked = reading(frequency, within=within)
    half = stack.sample_rate / 2
    if asked.value < 0 or asked.value - asked.within > half:
        raise ArgumentError(
            "frequency must lie between 0 and half the sample rate",
            given=format_hertz(asked.value),
            expected=f"0 to {format_hertz(half)}",
            fix=f"upsim.explain(stack, {float(stack.sample_rate / 4)!r})",
        )
    structure = Structure(stack, signal)
    known = {each.fraction * stack.sample_rate: each for each in tones or ()}
    candidates = _candidates(structure, asked, known)
    meant, verdict = asked.value, structure.verdict(asked.value / stack.sample_rate)
    lines: list[str] = []
    certain = verdict.origin in ("offset", "input") or asked.value in known
    read_as = None
    beyond = asked.value > half
    if beyond or (not certain and all(each.frequency != asked.value for each in candidates)):
        itself = "above half the output rate" if beyond else verdict.text
        lines.append(f"{format_hertz(asked.value)} itself: {itself}")
        predicted = (each for each in candidates if each.frequency in known)
        read_as = next(iter((*predicted, *candidates)), None)
    if read_as is not None:
        meant = read_as.frequency
        verdict = structure.verdict(meant / stack.sample_rate)
    elif beyond:
        # Nothing that it may be read as: half the rate is the last frequency that there is.
        meant = half
        verdict = structure.verdict(Fraction(1, 2))
    fraction, tone = meant / stack.sample_rate, known.get(meant)
    if tone is not None and fraction:
        verdict = _predicted(structure, tone)
    of_rate = f"{fraction} of the output rate {format_hertz(stack.sample_rate)}"
    if read_as is None:
        kept = lines if beyond else []
        lines = [*kept, f"{format_hertz(meant)} = {of_rate}: {verdict.text}"]
        lines += structure.hints(meant) if not verdict.origin else []
    else:
        width = f"{format_hertz(asked.within)} to each side"
        lines.append(
            f"{format_hertz(meant)}, {read_as.what}, lies within the reading ({width}): "
            f"{of_rate}, {verdict.text}"
        )
    if tone is not None:
        lines += _level(stack, tone)
    elif tones is not None and verdict.origin:
        lines.append(_absent(stack, signal) if run is None else _bounded(stack, run, fraction))
    if asked.value and asked.holds(Fraction(0)):
        lines.append("  0 Hz lies within the reading, too: the output's offset, which is no line")
    others = [each for each in candidates if each.frequency != meant]
    if others:
        named = [f"{format_hertz(each.frequency)} ({each.what})" for each in others[:_NAMED]]
        more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
        lines.append(f"  also within the reading: {', '.join(named)}{more}")
    return Explanation(
        meant,
        fraction,
        bool(verdict.origin) or tone is not None,
        verdict.layer,
        "\n".join(lines),
        tone,
        verdict.origin,
        asked,
        candidates,
    )


def _candidates(
    structure: Structure, asked: Reading, known: dict[Fraction, Tone]
) -> tuple[Candidate, ...]:
    """Return the possible lines within a reading, each once."""
    if not asked.within:
        return ()
    found: dict[Fraction, str] = {}
    for frequency, what in structure.near(asked):
        found.setdefault(frequency, what)
    for frequency in sorted(known, key=lambda line: abs(line - asked.value)):
        if frequency and asked.holds(frequency):
            found.setdefault(frequency, "predicted line")
    return tuple(Candidate(frequency, what) for frequency, what in found.items())


def _predicted(structure: Structure, tone: Tone) -> Verdict:
    """Return the verdict on a predicted line, which decides between several possible makers."""
    if tone.cause == "activation":
        name = structure.name(tone.layer)
        made = f"made by the activation of {name}, which distorts a line"
        return Verdict("activation", tone.layer, made)
    if tone.cause == "opaque":
        made = f"made or passed on by {structure.name(tone.layer)}, which has no formula"
        return Verdict("opaque", tone.layer, made)
    return structure.verdict(tone.fraction, layer=tone.layer)


def _absent(stack: Graph, signal: Feed | None) -> str:
    if signal is not None and any(
        isinstance(term, Recorded) for each in signals_of(stack, signal) for term in each.terms()
    ):
        return "  of offsets and sines there is no line here; the recording's own is in its density"
    if stack.is_drawn:
        return "  with these weights and this signal there is no line here"
    weak = "; of noise one network may make a weak one" if lines_left_out(stack) else ""
    return f"  the expectation over networks has no line here{weak}"


def _bounded(stack: Graph, run: Measured, fraction: Fraction) -> str:
    bound = run.bound(fraction)
    if bound is None:
        return _absent(stack, None)
    level = format_decibels(float(bound.max()))
    return f"  measured: no line stands out here; at most {level} (95 %), or run for longer"


def _level(stack: Graph, tone: Tone) -> list[str]:
    level = format_decibels(float(tone.power.max()))
    what = {
        "overlap": "made there by uneven overlap",
        "weights": "made there by unequal phase gains of the weights",
        "bias": "made there by the layer's own bias",
        "activation": "made there by the activation",
        "modulation": "noise whose power repeats there, made a line by an activation",
        "opaque": "made or passed on by an opaque node",
        "input": "carried over from the input",
        "input offset": "carried over from the input",
        "input noise": "no more than the mean of the input's noise in this run",
        "ends": "made by the ends of the recording",
        "recording": "a line of the recording itself, carried over",
    }[tone.cause]
    if tone.error is not None:
        off = float(tone.error[int(np.argmax(tone.power))] / max(tone.power.max(), 1e-300))
        level += f" (standard error {10 / np.log(10) * off:.2g} dB)"
    how = "predicted" if tone.error is None else "measured"
    lines = [f"  {how}: {level}, {what}"]
    if tone.fraction == 0:
        lines.append(f"  silent inside; {OffsetStep(tone.power, stack.sample_rate)}")
    if tone.contributions:
        lines.append(_shares(stack, tone) if tone.interaction is None else _losses(tone))
    return lines


def _shares(stack: Graph, tone: Tone) -> str:
    """Return the shares of one network's line, the strongest ones."""
    shares = [
        f"{each.cause}{_of(stack, each.layer)} {format_decibels(float(each.power.max()))}"
        for each in tone.contributions[:_SHARES]
    ]
    more = len(tone.contributions) - len(shares)
    rest = f", and {more} weaker" if more > 0 else ""
    return f"  from: {'; '.join(shares)}{rest}"


def _of(stack: Graph, label: str) -> str:
    return f" of {spoken(label)} ({stack.kind(label)})" if label else ""


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
