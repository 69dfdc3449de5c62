r"""Which lines an activation can make: a question of whole numbers, decided without weights.

A pointwise function of a signal of period ``1 / s`` seconds has that period, so its lines lie on
the multiples of ``s``; nothing narrower holds for every function.  Three rules carry the spacing
``s`` through a network, in Hz:

* At an input it is the largest frequency of which the sample rate and the signal's lines are all
  multiples.  Sampled signals have no lines but modulo the rate, so the rate is among them.
* A layer with the rate ``r`` behind it moves a line by multiples of the rate before it (a stretch)
  or folds it by multiples of ``r`` (a decimation).  ``s`` divides the former already; behind the
  layer the spacing is :math:`\gcd(s, r)`.
* Where branches meet it is the gcd of theirs.

The same numbers hold for noise.  Its law repeats with the period, so a mean that an activation
makes of it (of noise whose power changes with the phase: "modulation") has its lines there too.
With no line in the input the multiples of ``s`` are the lattice of the strides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from math import gcd
from typing import NamedTuple

from upsim.layers.base import LinearLayer, Normalisation
from upsim.layers.merging import Merging
from upsim.network.graph import Graph
from upsim.network.node import Node
from upsim.network.walk import walk

#: Ways of merging that are linear; after any other one sums and differences of lines appear.
_LINEAR = ("sum", "difference", "mean", "concatenate")


@dataclass(frozen=True)
class Maker:
    """An activation, and the lines of the network's output that it can make.

    Parameters
    ----------
    layer, name : str
        Label; label and type.
    spacing : Fraction
        The lines are its multiples, in Hz.
    repeats : bool
        Whether what it is given repeats after more than one of its samples.
    """

    layer: str
    name: str
    spacing: Fraction
    repeats: bool


class _Known(NamedTuple):
    """What is known of a value.

    ``spacing`` and ``lattice`` in Hz, with and without the inputs' lines; ``reach`` has the
    spacing of each activation that feeds the value, by its node's output.
    """

    spacing: Fraction
    lattice: Fraction
    reach: Mapping[int, Fraction]


class Distortion:
    """Knows what the activations of a network can make of inputs with given lines.

    Parameters
    ----------
    graph : Stack or Graph
        Weights need not be drawn.
    lines : collection of (int, Fraction)
        The inputs' own lines: the number of the input, and the frequency in Hz.

    Examples
    --------
    >>> from upsim.layers import Nearest, ReLU
    >>> from upsim.network.stack import Stack
    >>> stack = Stack([Nearest(3), ReLU()], 24000)
    >>> known = Distortion(stack, frozenset([(0, Fraction(1000))]))
    >>> [maker.name for maker in known.makers(Fraction(2000))]
    ['layer 2 (ReLU)']
    >>> known.harmonic(Fraction(10000))
    (Fraction(1000, 1), 2)
    """

    def __init__(self, graph: Graph, lines: frozenset[tuple[int, Fraction]] = frozenset()) -> None:
        self._lines = sorted({frequency for _, frequency in lines})
        rates = graph.value_rates

        def behind(node: Node, given: Sequence[_Known]) -> _Known:
            rate = rates[node.output]
            spacing = reduce(shared, (each.spacing for each in given), rate)
            lattice = reduce(shared, (each.lattice for each in given), rate)
            reach: Mapping[int, Fraction] = given[0].reach
            if len(given) > 1 or node.layer.rate != 1:
                # An activation on several ways: the lines of each are among the gcd's.
                ways = [way for each in given for way in each.reach.items()]
                joined: dict[int, Fraction] = {}
                for maker, own in ways:
                    joined[maker] = shared(joined.get(maker, rate), own)
                reach = joined
            if isinstance(node.layer, Merging):
                bends = node.layer.how not in _LINEAR
            else:
                # Given its statistics over time, a normalisation is linear.
                bends = not isinstance(node.layer, LinearLayer | Normalisation)
            if bends:
                reach = {**reach, node.output: spacing}
            return _Known(spacing, lattice, reach)

        starts = [
            _Known(
                reduce(shared, (own for number, own in lines if number == place), rate), rate, {}
            )
            for place, rate in enumerate(graph.input_rates)
        ]
        values = walk(graph, starts, behind)
        end = values[graph.end]
        #: The spacing in Hz of the lines that strides alone can make.
        self.lattice = end.lattice
        first = len(graph.inputs)
        #: Every activation that reaches the output, the latest first.
        self.all_makers = tuple(
            Maker(
                graph.nodes[value - first].name,
                graph.nodes[value - first].title,
                spacing,
                values[value].spacing < rates[value],
            )
            for value, spacing in sorted(end.reach.items(), reverse=True)
        )

    def makers(self, frequency: Fraction) -> tuple[Maker, ...]:
        """Return the activations that can make a line at a frequency in Hz, the latest first."""
        return tuple(
            each for each in self.all_makers if (frequency / each.spacing).denominator == 1
        )

    def harmonic(self, frequency: Fraction) -> tuple[Fraction, int] | None:
        r"""Return the inputs' line whose lowest harmonic can land here, and its number.

        Harmonic ``m`` of a line at ``h`` has its images and aliases at :math:`m h + k s`, with
        ``s`` the lattice of the strides; folded, ``m`` may be negative.  So
        :math:`m h / s \equiv f / s` modulo 1: with :math:`h / s = a / q` in lowest terms,
        :math:`m \equiv (f q / s)\, a^{-1}` modulo ``q``.

        Returns
        -------
        line, number : Fraction, int
            The line in Hz; None where no harmonic of a single line lands.
        """
        found: list[tuple[int, Fraction]] = []
        for line in self._lines:
            turns = line / self.lattice
            wanted = frequency / self.lattice * turns.denominator
            if wanted.denominator == 1:
                count = turns.denominator
                number = int(wanted) * pow(turns.numerator, -1, count) % count
                found.append((min(number, count - number), line))
        if not found:
            return None
        number, line = min(found)
        return line, number


def shared(first: Fraction, second: Fraction) -> Fraction:
    """Return the largest frequency of which both are multiples.

    Examples
    --------
    >>> shared(Fraction(6000), Fraction(4000)), shared(Fraction(0), Fraction(1, 3))
    (Fraction(2000, 1), Fraction(1, 3))
    """
    numerators = first.numerator * second.denominator, second.numerator * first.denominator
    return Fraction(gcd(*numerators), first.denominator * second.denominator)
