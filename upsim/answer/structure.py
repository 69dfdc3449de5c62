"""What a stack's structure says of a frequency: who could make a line there, in words.

Strides, activations and the input's own lines decide it.  No weight is needed, and nothing is
predicted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from upsim.network.feed import Feed, signals_of
from upsim.network.graph import Graph
from upsim.network.node import spoken
from upsim.network.signals import Recorded
from upsim.theory.lines.distortion import Distortion
from upsim.theory.lines.ladder import Ladder, Origin, families, input_lines
from upsim.words.reading import Reading
from upsim.words.units import format_hertz

#: Harmonics of the input's lines that are looked for within a reading.
_HIGHEST_HARMONIC = 16

#: Activations that are named one by one.
_NAMED = 3


@dataclass(frozen=True)
class Verdict:
    """Who could make a line.

    Parameters
    ----------
    origin : str
        "offset", "input", "activation", "opaque", or "" if nothing can.
    layer : str
        Label of the layer; "" for the input or none.
    text : str
    """

    origin: str
    layer: str
    text: str


class Structure:
    """Answers for one network and its inputs which lines are possible.

    Parameters
    ----------
    stack : Stack or Graph
        Weights need not be drawn.
    signal : Signal, or dict of input name to Signal, optional
        Without it only offsets are known to come in.
    """

    def __init__(self, stack: Graph, signal: Feed | None = None) -> None:
        self._stack = stack
        self._signals = None if signal is None else signals_of(stack, signal)
        lines = frozenset() if self._signals is None else input_lines(stack, self._signals)
        self._own = sorted({frequency for _, frequency in lines})
        self._ladder = Ladder(stack, lines)
        self._distortion = Distortion(stack, lines)
        self._families = families(stack, signal)

    def name(self, label: str) -> str:
        """Return a layer in words."""
        return f"{spoken(label)} ({self._stack.kind(label)})" if label else "the input"

    def verdict(self, fraction: Fraction, *, layer: str | None = None) -> Verdict:
        """Return who could make a line at a fraction of the output rate.

        ``layer`` chooses among several that could; otherwise the latest answers.
        """
        if fraction == 0:
            return Verdict("offset", "", "0 Hz is the output's own offset")
        origins = self._ladder.origins(fraction)
        named = [each for each in origins if (each.layer or each.moved_by) == layer]
        for origin in (*named, *origins):
            return self._of_origin(origin)
        return self._of_activations(fraction)

    def _of_origin(self, origin: Origin) -> Verdict:
        if origin.node < 0:
            place = format_hertz(origin.image_of * self._stack.input_rates[-1 - origin.node])
            mover = origin.moved_by
            made = f", an image made by {self.name(mover)}" if mover else ""
            return Verdict("input", mover, f"the input's own line at {place}{made}")
        spacing = next(
            each.spacing
            for each in self._families
            if (each.layer, each.cause) == (origin.layer, "offset")
        )
        text = (
            f"first possible at {self.name(origin.layer)}, "
            f"whose lines are the multiples of {format_hertz(spacing)}"
        )
        return Verdict("offset", origin.layer, text)

    def _of_activations(self, fraction: Fraction) -> Verdict:
        """Return the verdict on a line that neither an offset nor an image explains."""
        frequency = fraction * self._rate
        makers = self._distortion.makers(frequency)
        if not makers:
            return Verdict("", "", self._refusal())
        names = [each.name for each in makers[:_NAMED]]
        more = f" and {len(makers) - _NAMED} more" if len(makers) > _NAMED else ""
        what = self._mixture(frequency)
        text = f"possible at {', '.join(names)}{more}, by distortion: {what}"
        return Verdict("activation", makers[0].layer, text)

    def _mixture(self, frequency: Fraction) -> str:
        found = self._distortion.harmonic(frequency)
        if not self._own:
            return "sums and differences of the lines that branches of different strides have"
        if found is None:
            return "sums and differences of the input's lines"
        line, number = found
        harmonic = f"harmonic {number} of the input's line at {format_hertz(line)}"
        return harmonic if number * line == frequency else f"{harmonic}, as an image or alias"

    def _refusal(self) -> str:
        if self._signals is None or self._records():
            return "no offset in this stack can make it"
        return "nothing in this stack can make it of this signal"

    def _records(self) -> bool:
        return any(
            isinstance(term, Recorded) for each in self._signals or () for term in each.terms()
        )

    def hints(self, frequency: Fraction) -> list[str]:
        """Return what to look at instead of an impossible line."""
        found = [self._neighbours(frequency)]
        if self._records():
            found.append("  the recording may hold a line here, or an activation make one of it")
        elif self._signals is None and self._distortion.all_makers:
            found.append(
                "  an input with lines of its own has more, by its activations: give the signal"
            )
        return found

    def _neighbours(self, frequency: Fraction) -> str:
        if not self._families:
            return "  the stack has no upsampling layer, so it makes no tones of offsets"
        spacing = min(each.spacing for each in self._families)
        below = frequency // spacing * spacing
        near = (below, below + spacing)
        choices = [line for line in near if 0 < line <= self._stack.sample_rate / 2]
        if not choices:
            return "  no line but the offset is possible"
        listed = " and ".join(format_hertz(line) for line in choices)
        return f"  possible lines are the multiples of {format_hertz(spacing)}; nearest: {listed}"

    def near(self, asked: Reading) -> Iterator[tuple[Fraction, str]]:
        """Yield possible lines within a reading: families first, the coarsest before the others.

        Then images of the input's lines, then their harmonics, the lowest first.
        """
        numbered = list(enumerate((each for each in self._families if each.factor > 1), 1))
        for number, family in sorted(numbered, key=lambda pair: -pair[1].spacing):
            for line in _nearest(asked.value, family.spacing, Fraction(0)):
                if self._holds(asked, line) and self._ladder.origins(line / self._rate):
                    yield line, f"family {number}"
        spacing = self._distortion.lattice
        for harmonic in range(1, _HIGHEST_HARMONIC + 1):
            for own in self._own:
                place = harmonic * own
                for line in (
                    *_nearest(asked.value, spacing, place),
                    *_nearest(asked.value, spacing, -place),
                ):
                    if self._holds(asked, line) and self._makes(line, harmonic):
                        what = "image" if harmonic == 1 else f"harmonic {harmonic}"
                        yield line, f"{what} of {format_hertz(own)}"

    def _makes(self, line: Fraction, harmonic: int) -> bool:
        if harmonic == 1:
            return bool(self._ladder.origins(line / self._rate))
        return bool(self._distortion.makers(line))

    @property
    def _rate(self) -> Fraction:
        return self._stack.sample_rate

    def _holds(self, asked: Reading, line: Fraction) -> bool:
        return asked.holds(line) and 0 < line <= self._rate / 2


def _nearest(value: Fraction, spacing: Fraction, start: Fraction) -> tuple[Fraction, ...]:
    """Return the two lines ``start + k spacing`` about a value, the nearer first."""
    below = (value - start) // spacing * spacing + start
    return tuple(sorted((below, below + spacing), key=lambda line: abs(line - value)))
