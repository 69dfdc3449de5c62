"""The ladder of line families: which layer a line can come from at all.

A stretch by ``L`` repeats an offset at every ``k / L`` of its output rate.  So the tones born in a
layer lie on multiples of its INPUT rate, ``f_l = F / (s_l ... s_N)``, whatever the weights; a line
was first possible at the last layer whose ``f_l`` divides it, and a line that no ``f_l`` divides
cannot come from an offset in this stack.  All positions are exact fractions of the output rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import gcd

from upsim.errors import ArgumentError
from upsim.network.stack import Stack, Step, stack_of


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
        In Hz: the lines lie on its multiples, at the stack's output.
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
    rates = {0: stack_of(stack).input_rate}
    found: list[Family] = []
    for step in stack.steps:
        before = rates[step.inputs[0]]
        own = Fraction(1) if step.layer is None else step.layer.rate
        after = rates[step.output] = before * own
        if own.denominator > 1:
            # A decimation folds the lines at the new rate onto multiples of what both share.
            found = [replace(each, spacing=_shared(each.spacing, after)) for each in found]
        if own.numerator > 1:
            found.append(Family(step.label, step.name, before, own.numerator))
    return tuple(found)


def _shared(first: Fraction, second: Fraction) -> Fraction:
    """Return the largest frequency of which both are multiples."""
    numerators = first.numerator * second.denominator, second.numerator * first.denominator
    return Fraction(gcd(*numerators), first.denominator * second.denominator)


#: A step that moves lines: its number, by how much it goes up and down, the values it reads.
_Move = tuple[int, int, int, tuple[int, ...]]


class Ladder:
    """Traces lines of a stack's output back to the layer where they were first possible.

    Parameters
    ----------
    stack : Stack
    lines : collection of Fraction
        Frequencies of the input's own lines, cycles per input sample, folded into [0, 1/2].
    steps : sequence of Step, optional
        Those of the stack, where they are known already.
    """

    def __init__(
        self,
        stack: Stack,
        lines: frozenset[Fraction] = frozenset(),
        *,
        steps: Sequence[Step] | None = None,
    ) -> None:
        self.steps = steps if steps is not None else stack.steps
        self.lines = lines - {Fraction(0)}
        # A value whose lines are all those of an earlier value stands for that one: layers that
        # keep the rate move no line, so only the stretches on the way are visited.
        self._same = [0]
        self._moves: dict[int, _Move] = {}
        for number, step in enumerate(self.steps):
            up, down = (1, 1) if step.layer is None else step.layer.block
            sources = tuple({self._same[value]: None for value in step.inputs})
            if up == down == len(sources) == 1:
                self._same.append(sources[0])
                continue
            self._same.append(step.output)
            self._moves[step.output] = (number, up, down, sources)
        self._known: dict[tuple[int, int, int], tuple[Origin, ...]] = {}

    def origin(self, fraction: Fraction) -> Origin | None:
        """Return where a line was first possible at the latest, None if nothing can make it."""
        found = self.origins(fraction)
        return found[0] if found else None

    def origins(self, fraction: Fraction) -> tuple[Origin, ...]:
        """Return every place where a line of the output was first possible, the latest first.

        A chain has one; branches that meet may each have one.

        Parameters
        ----------
        fraction : Fraction
            Frequency in cycles per output sample.

        Notes
        -----
        Going back through a layer of rate ``u / d``, a line at ``g`` comes from
        ``f = (u g + l) / d``, ``l = 0 … d - 1``.  If one of these is 0 the layer could make the
        line of an offset; the others are followed further back.
        """
        return self.origins_of_line(fraction.numerator, fraction.denominator)

    def origins_of_line(self, number: int, count: int) -> tuple[Origin, ...]:
        """Return the origins of the line at ``number / count`` cycles per output sample.

        Whole numbers all the way: exact, and no fraction is reduced.
        """
        if number % count == 0:
            raise ArgumentError(
                "0 Hz is the offset itself, not a tone that an offset makes", given="frequency 0"
            )
        return self._origins(number % count, count, self._same[-1])

    def _origins(self, number: int, count: int, value: int) -> tuple[Origin, ...]:
        """Return where the line ``number / count`` was first possible."""
        key = (value, min(number, count - number), count)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._search(number, count, value)
        return found

    def _search(self, number: int, count: int, value: int) -> tuple[Origin, ...]:
        if value == 0:
            folded = Fraction(min(number, count - number), count)
            return (Origin("", -1, image_of=folded),) if folded in self.lines else ()
        maker, up, down, sources = self._moves[value]
        if down == len(sources) == 1 and not self.lines and up * number % count:
            # One way back, and what comes that way was born there: nothing to sort or to mark.
            return self._origins(up * number % count, count, sources[0])
        label = self.steps[maker].label
        is_image = up > 1 and 2 * up * min(number, count - number) > count
        found: dict[int, Origin] = {}
        for before in sources:
            for alias in range(down):
                # f = (u g + l) / d, modulo 1
                frequency = (up * number + alias * count) % (count * down)
                if frequency == 0:
                    found[maker] = Origin(label, maker, Fraction(number, count))
                    continue
                for each in self._origins(frequency, count * down, before):
                    moved = each.step < 0 and is_image
                    found.setdefault(each.step, replace(each, moved_by=label) if moved else each)
        return tuple(found[number] for number in sorted(found, reverse=True))
