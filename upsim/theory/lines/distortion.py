r"""Which lines an activation can make: a question of whole numbers, decided without weights.

A pointwise function of a signal of period ``P`` has the period ``P``, so its lines lie on the
multiples of ``1 / P``; nothing narrower holds for every function.  Three rules carry that through
a network, all for frequencies in cycles per sample:

* The input has the period ``P = lcm`` of the denominators of its lines, 1 for a constant.
* A linear layer that makes ``U`` samples of ``D`` turns a line ``f`` into the lines
  :math:`g = (D f + k) / U`.  So multiples of ``1 / P`` become the multiples of ``1 / P'`` with
  :math:`P' = U P / \gcd(P, D)`, and that is the period of what leaves it.
* Where branches meet, the period is the ``lcm`` of theirs.

The same numbers hold for noise.  Its law repeats with the period, so a mean that an activation
makes of it (of noise whose power changes with the phase: "modulation") has its lines there too.
With no line in the input the multiples of ``1 / P`` are the lattice of the strides.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm

from upsim.layers.base import Activation
from upsim.network.stack import Stack

#: Ways of merging that are linear; after any other one sums and differences of lines appear.
_LINEAR = ("sum", "difference", "mean", "concatenate")


@dataclass(frozen=True)
class Maker:
    """An activation, and the lines of the stack's output that it can make.

    Parameters
    ----------
    layer, name : str
        Label; label and type.
    step : int
        Number of the step in the stack's order.
    period : int
        The lines are the multiples of ``1 / period``, in cycles per output sample.
    own_period : int
        The period of what the activation makes, in samples of its own rate.
    """

    layer: str
    name: str
    step: int
    period: int
    own_period: int

    def makes(self, fraction: Fraction) -> bool:
        """Return whether the activation can make a line here."""
        return (fraction * self.period).denominator == 1


class Distortion:
    """Knows what the activations of a stack can make of an input with given lines.

    Parameters
    ----------
    stack : Stack
        Weights need not be drawn.
    lines : collection of Fraction
        Frequencies of the input's own lines, cycles per input sample.

    Examples
    --------
    >>> from upsim.layers import Nearest, ReLU
    >>> stack = Stack([Nearest(3), ReLU()], 24000)
    >>> known = Distortion(stack, frozenset([Fraction(1, 8)]))
    >>> [maker.name for maker in known.makers(Fraction(2, 24))]
    ['layer 2 (ReLU)']
    >>> known.harmonic(Fraction(10, 24))
    (Fraction(1, 8), 2)
    """

    def __init__(self, stack: Stack, lines: frozenset[Fraction] = frozenset()) -> None:
        self._rate = stack.rate
        self._lines = sorted(lines - {Fraction(0)})
        #: Period of each value with the input's lines, and without them.
        periods, lattices = [lcm(*(line.denominator for line in lines))], [1]
        # Of each value: the step of an activation that feeds it, and the period there.
        reaches: list[dict[int, int]] = [{}]
        for number, step in enumerate(stack.steps):
            up, down = (1, 1) if step.layer is None else step.layer.block
            sources = dict.fromkeys(step.inputs)
            period, lattice = (
                lcm(*(_carried(known[value], up, down) for value in sources))
                for known in (periods, lattices)
            )
            reach: dict[int, int] = {}
            for value in sources:
                for maker, count in reaches[value].items():
                    # One activation on several ways: each way's lines are among the lcm's.
                    reach[maker] = lcm(reach.get(maker, 1), _carried(count, up, down))
            if isinstance(step.layer, Activation) or (
                step.layer is None and step.merging not in _LINEAR
            ):
                reach[number] = period
            periods.append(period)
            lattices.append(lattice)
            reaches.append(reach)
        self._lattice = lattices[-1]
        steps = stack.steps
        self.all_makers = tuple(
            Maker(
                steps[number].label,
                steps[number].name,
                number,
                period,
                periods[steps[number].output],
            )
            for number, period in sorted(reaches[-1].items(), reverse=True)
        )

    @property
    def lattice(self) -> Fraction:
        """The spacing of the lines that strides alone can make, cycles per output sample."""
        return Fraction(1, self._lattice)

    def makers(self, fraction: Fraction) -> tuple[Maker, ...]:
        """Return the activations that can make a line here, the latest first; empty: none can."""
        return tuple(each for each in self.all_makers if each.makes(fraction))

    def harmonic(self, fraction: Fraction) -> tuple[Fraction, int] | None:
        r"""Return the input's line whose lowest harmonic can land here, and its number.

        Harmonic ``m`` of a line at ``h`` (cycles per output sample) has its images and aliases at
        :math:`m h + k / T`, with ``T`` the lattice of the strides; folded, ``m`` may be negative.
        So :math:`m \cdot hT \equiv fT` modulo 1: with :math:`hT = a / q` in lowest terms,
        :math:`m \equiv fTq \cdot a^{-1}` modulo ``q``.

        Returns
        -------
        line, number : Fraction, int
            The line in cycles per input sample; None where no harmonic of a single line lands.
        """
        found: list[tuple[int, Fraction]] = []
        for line in self._lines:
            turns = line / self._rate * self._lattice
            wanted = fraction * self._lattice * turns.denominator
            if wanted.denominator == 1:
                count = turns.denominator
                number = int(wanted) * pow(turns.numerator, -1, count) % count
                found.append((min(number, count - number), line))
        if not found:
            return None
        number, line = min(found)
        return line, number


def _carried(period: int, up: int, down: int) -> int:
    """Return the period behind a layer that makes ``up`` samples of ``down``."""
    return up * period // gcd(period, down)
