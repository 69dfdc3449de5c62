"""The ladder of line families: which layer a line can come from at all.

A stretch by ``L`` repeats an offset at every ``k / L`` of its output rate.  So the tones born in a
layer lie on multiples of its INPUT rate, ``f_l = F / (s_l ... s_N)``, whatever the weights; a line
was first possible at the last layer whose ``f_l`` divides it, and a line that no ``f_l`` divides
cannot come from an offset in this stack.  All positions are exact fractions of the output rate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from upsim.errors import ArgumentError
from upsim.layers.base import LinearLayer
from upsim.stack import Stack, Step, lower


@dataclass(frozen=True)
class Family:
    """The lines that one upsampling layer can make of an offset.

    Parameters
    ----------
    layer : str
        Label of the layer.
    name : str
        Label and type.
    spacing : Fraction
        In Hz: the lines lie on its multiples.
    factor : int
        The layer's upsampling factor.
    """

    layer: str
    name: str
    spacing: Fraction
    factor: int


@dataclass(frozen=True)
class Origin:
    """Where a line at some place can come from.

    Parameters
    ----------
    layer : str
        Label of the layer where it was first possible; "" when it is in the input already.
    step : int
        Number of the step in the stack's order, -1 for the input.
    at : Fraction
        The line's frequency at that layer's output, cycles per sample.
    image_of : Fraction
        For a line of the input: its frequency there, in cycles per input sample, folded.
    moved_by : str
        For a line of the input: label of the last layer that put it into another band.
    """

    layer: str
    step: int
    at: Fraction = Fraction(0)
    image_of: Fraction = Fraction(0)
    moved_by: str = ""


def families(stack: Stack) -> tuple[Family, ...]:
    """Return the line family of each upsampling layer, in order.

    Examples
    --------
    >>> from upsim.layers import Nearest
    >>> stack = Stack([Nearest(2), Nearest(2), Nearest(2)], sample_rate=32000)
    >>> [int(family.spacing) for family in families(stack)]
    [4000, 8000, 16000]
    """
    rates = {0: stack.input_rate}
    found = []
    for step in lower(stack.layers):
        before = rates[step.inputs[0]]
        own = Fraction(1) if step.layer is None else step.layer.rate
        rates[step.output] = before * own
        if own.numerator > 1:
            found.append(Family(step.label, step.name, before, own.numerator))
    return tuple(found)


class Ladder:
    """Traces lines of a stack's output back to the layer where they were first possible.

    Parameters
    ----------
    stack : Stack
    lines : collection of Fraction
        Frequencies of the input's own lines, cycles per input sample, folded into [0, 1/2].
    """

    def __init__(self, stack: Stack, lines: frozenset[Fraction] = frozenset()) -> None:
        self.steps = lower(stack.layers)
        self.lines = lines - {Fraction(0)}
        self._makers = {step.output: number for number, step in enumerate(self.steps)}
        # A value whose lines are all those of an earlier value stands for that one: layers that
        # keep the rate move no line, so only the stretches on the way are visited.
        self._same = {0: 0}
        # Lines are numbered n / d in whole numbers on the way: exact, and no fraction is reduced.
        self._factors = [_factors(step) for step in self.steps]
        for step, factors in zip(self.steps, self._factors, strict=True):
            sources = {self._same[value] for value in step.inputs}
            keeps = factors == (1, 1) and len(sources) == 1
            self._same[step.output] = sources.pop() if keeps else step.output
        self._known: dict[tuple[int, int, int], Origin | None] = {}

    def origin(self, fraction: Fraction, value: int | None = None) -> Origin | None:
        """Return where a line was first possible, or None if nothing in the stack can make it.

        Parameters
        ----------
        fraction : Fraction
            Frequency in cycles per sample at the place asked about.
        value : int, optional
            The place, by value number; the stack's output by default.

        Notes
        -----
        Going back through a layer of rate ``u / d``, a line at ``g`` comes from
        ``f = (u g + l) / d``, ``l = 0 … d - 1``.  If one of these is 0 the layer made the line of
        an offset; otherwise the latest layer that could have made one of them did.
        """
        number, count = fraction.numerator % fraction.denominator, fraction.denominator
        if not number:
            raise ArgumentError(
                "0 Hz is the offset itself, not a tone that an offset makes", given="frequency 0"
            )
        last = self.steps[-1].output if value is None else value
        return self._origin(number, count, self._same[last])

    def _origin(self, number: int, count: int, value: int) -> Origin | None:
        """Return where the line ``number / count`` was first possible."""
        key = (value, min(number, count - number), count)
        if key not in self._known:
            self._known[key] = self._search(number, count, value)
        return self._known[key]

    def _search(self, number: int, count: int, value: int) -> Origin | None:
        if value == 0:
            folded = Fraction(min(number, count - number), count)
            return Origin("", -1, image_of=folded) if folded in self.lines else None
        maker = self._makers[value]
        step, (up, down) = self.steps[maker], self._factors[maker]
        best: Origin | None = None
        for before in step.inputs:
            for alias in range(down):
                # f = (u g + l) / d, modulo 1
                frequency = (up * number + alias * count) % (count * down)
                if frequency == 0:
                    found: Origin | None = Origin(step.label, maker, Fraction(number, count))
                else:
                    found = self._origin(frequency, count * down, self._same[before])
                    is_image = 2 * up * min(number, count - number) > count
                    if found is not None and found.step < 0 and up > 1 and is_image:
                        found = replace(found, moved_by=step.label)
                if found is not None and (best is None or found.step > best.step):
                    best = found
        return best


def _factors(step: Step) -> tuple[int, int]:
    """Return by how much a step goes up and down."""
    if not isinstance(step.layer, LinearLayer):
        return 1, 1
    rate = step.layer.rate
    return rate.numerator, rate.denominator
