r"""The ladder of line families: which layer a line can come from at all.

A stretch by ``L`` repeats what it is given at every multiple of its INPUT rate.  So the tones born
in a layer lie on those multiples, whatever the weights.  On the way to the output a stretch repeats
lines and a decimation folds them:

* a line at ``f`` before a stretch lies at all ``f + k r`` behind it, ``r`` the rate before;
* a line at ``f`` before a decimation lies at ``f mod r`` behind it, ``r`` the rate behind.

Both together say: a line at ``f`` of the output can come from ``f'`` at some earlier value if and
only if :math:`f \equiv f' \pmod g`, with ``g`` the largest frequency of which the rates of all
values on the way are multiples (the congruences of a chain join by the Chinese remainder theorem).
One walk from the output back finds ``g`` for every value.  All positions are exact fractions.
What activations make of lines is in :mod:`upsim.theory.lines.distortion`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm

import numpy as np
from numpy.typing import NDArray

from upsim.errors import ArgumentError
from upsim.network.feed import Feed, signals_of
from upsim.network.graph import Graph, needs_network
from upsim.network.node import Node
from upsim.network.signals import Signal
from upsim.network.walk import walk, walk_back
from upsim.theory.lines.distortion import Distortion, shared

#: Periods up to which the origins of all lines are kept: they follow from the graph alone.
_KEPT = 2**12

#: Ways to the output that are told apart at one value; beyond, they count as one coarser way.
_MOST_WAYS = 64


@dataclass(frozen=True)
class Family:
    """The lines that one layer can make.

    Parameters
    ----------
    layer : str
        Label of the layer.
    name : str
        Label and type.
    spacing : Fraction
        In Hz: the lines lie on its multiples, at the stack's output.
    factor : int
        The layer's upsampling factor; 1 for an activation.
    cause : str
        "offset" for what an upsampling layer makes of an offset, "activation" for what an
        activation makes of lines that are there.
    """

    layer: str
    name: str
    spacing: Fraction
    factor: int
    cause: str = "offset"


@dataclass(frozen=True)
class Origin:
    """Where a line at some place can come from.

    Parameters
    ----------
    layer : str
        Label of the layer where it was first possible; "" when it is in the input already.
    node : int
        Number of the node in the graph's order, -1 for the first input, -2 for the second.
    at : Fraction
        The line's frequency at that layer's output, cycles per sample.
    image_of : Fraction
        For a line of the input: its frequency there, in cycles per input sample, folded.
    moved_by : str
        For a line of the input: label of the last layer that put it into another band.
    """

    layer: str
    node: int
    at: Fraction = Fraction(0)
    image_of: Fraction = Fraction(0)
    moved_by: str = ""


def families(stack: Graph, signal: Feed | None = None) -> tuple[Family, ...]:
    """Return the line families: of each upsampling layer, in order, then of activations.

    Activations mix the lines that they are given.  Of offsets they make no line outside the
    families of the strides, but for branches of different strides that meet.  Of a signal's own
    lines they make harmonics and aliases: a family for each activation with lines of its own.

    Parameters
    ----------
    stack : Stack or Graph
        Weights need not be drawn.
    signal : Signal, or dict of input name to Signal, optional
        Its own lines count; without it only offsets do.

    Examples
    --------
    >>> from upsim.layers import Nearest, ReLU
    >>> from upsim.network.signals import Sine
    >>> from upsim.network.stack import Stack
    >>> stack = Stack([Nearest(2), Nearest(2), Nearest(2)], sample_rate=32000)
    >>> [int(family.spacing) for family in families(stack)]
    [4000, 8000, 16000]
    >>> stack = Stack([Nearest(3), ReLU()], sample_rate=24000)
    >>> [(each.name, int(each.spacing)) for each in families(stack, Sine(1000))]
    [('layer 1 (Nearest)', 8000), ('layer 2 (ReLU)', 1000)]
    """
    graph = needs_network(stack, "families")
    found = _offset_families(graph)
    spacings = {each.spacing for each in found}
    lines = frozenset() if signal is None else input_lines(graph, signals_of(graph, signal))
    for maker in reversed(Distortion(graph, lines).all_makers):
        own = maker.spacing < graph.sample_rate
        if own and all((maker.spacing / each).denominator > 1 for each in spacings):
            found.append(Family(maker.layer, maker.name, maker.spacing, 1, "activation"))
    return tuple(found)


def _offset_families(graph: Graph) -> list[Family]:
    ways = graph.once(_ways_to_output)
    found = []
    for node in graph.nodes:
        if node.layer.rate.numerator > 1:
            spacing = graph.value_rates[node.inputs[0]]
            for way in ways[node.output]:
                spacing = shared(spacing, way)
            found.append(Family(node.name, node.title, spacing, node.layer.rate.numerator))
    return found


def _ways_to_output(graph: Graph) -> list[frozenset[Fraction]]:
    """Return, for each value, the shared frequency ``g`` of the rates on each way to the output."""
    rates = graph.value_rates

    def before(node: Node, ways: frozenset[Fraction]) -> list[frozenset[Fraction]]:
        rate = rates[node.inputs[0]]
        return [frozenset(shared(way, rate) for way in ways)] * len(node.inputs)

    found = walk_back(graph, frozenset([graph.sample_rate]), before, _few)
    return [ways or frozenset() for ways in found]


def _ways_from(graph: Graph, number: int) -> list[frozenset[Fraction]]:
    """Return, for each value, the shared frequency of the rates on each way from an input."""
    rates = graph.value_rates

    def after(node: Node, given: Sequence[frozenset[Fraction]]) -> frozenset[Fraction]:
        joined = frozenset[Fraction]()
        for ways in given:
            joined = _few(joined, frozenset(shared(way, rates[node.output]) for way in ways))
        return joined

    starts = [frozenset[Fraction]() for _ in graph.inputs]
    starts[number] = frozenset([rates[number]])
    return walk(graph, starts, after)


def _few(first: frozenset[Fraction], second: frozenset[Fraction]) -> frozenset[Fraction]:
    """Join ways; where they are too many, one stands for all that they can do."""
    both = first | second
    if len(both) <= _MOST_WAYS:
        return both
    coarse = Fraction(0)
    for way in both:
        coarse = shared(coarse, way)
    return frozenset([coarse])


@dataclass(frozen=True)
class _Stretch:
    """A node that stretches, in whole numbers of a common unit of frequency.

    ``before`` is the rate of its input, ``inside`` that of the stretched signal, ``after`` that of
    its output, ``ways`` the moduli of the ways from there to the output, ``read`` the value that it
    reads.
    """

    number: int
    name: str
    read: int
    before: int
    inside: int
    after: int
    ways: tuple[int, ...]


def input_lines(graph: Graph, signals: Sequence[Signal]) -> frozenset[tuple[int, Fraction]]:
    """Return the lines of the inputs' signals but their offsets: number of the input, and Hz."""
    return frozenset(
        (number, line.frequency)
        for number, (signal, rate) in enumerate(zip(signals, graph.input_rates, strict=True))
        for line in signal.lines(graph.inputs[number].channels, rate)
        if line.frequency
    )


class Ladder:
    """Finds the layers in which a line of a graph's output was first possible.

    Parameters
    ----------
    graph : Graph
    lines : collection of (int, Fraction)
        The inputs' own lines: the number of the input, and the frequency in Hz.
    """

    def __init__(self, graph: Graph, lines: frozenset[tuple[int, Fraction]] = frozenset()) -> None:
        self.graph = graph
        self.lines = lines
        rates = graph.value_rates
        own = [frequency for _, frequency in lines]
        self._unit = lcm(*(each.denominator for each in (*rates, *own)))
        ways = graph.once(_ways_to_output)
        self._ways = [tuple(map(self._whole, each)) for each in ways[: len(graph.inputs)]]
        self._rate = self._whole(graph.sample_rate)
        self._ways_from: dict[int, list[tuple[int, ...]]] = {}
        self._stretches = [
            _Stretch(
                number,
                node.name,
                node.inputs[0],
                self._whole(rates[node.inputs[0]]),
                self._whole(rates[node.inputs[0]]) * node.layer.rate.numerator,
                self._whole(rates[node.output]),
                tuple(self._whole(way) for way in ways[node.output]),
            )
            for number, node in enumerate(graph.nodes)
            if node.layer.rate.numerator > 1
        ]
        self._stretches.reverse()
        self._known: dict[int, tuple[tuple[Origin, ...], ...]] = {}

    @classmethod
    def of(cls, graph: Graph, lines: frozenset[tuple[int, Fraction]]) -> Ladder:
        """Return the ladder of a graph; that without lines of the inputs is made once."""
        return cls(graph, lines) if lines else graph.once(cls)

    def _whole(self, rate: Fraction) -> int:
        return int(rate * self._unit)

    def origin(self, fraction: Fraction) -> Origin | None:
        """Return where a line was first possible at the latest, None if nothing can make it."""
        found = self.origins(fraction)
        return found[0] if found else None

    def origins(self, fraction: Fraction) -> tuple[Origin, ...]:
        """Return every place where a line of the output was first possible, the latest first.

        A chain without decimations has one; branches and aliases may each have one.

        Parameters
        ----------
        fraction : Fraction
            Frequency in cycles per output sample.
        """
        return self.origins_of_lines([fraction.numerator], fraction.denominator)[0]

    def origins_of_lines(self, numbers: Sequence[int], count: int) -> list[tuple[Origin, ...]]:
        """Return the origins of the lines at ``number / count`` cycles per output sample.

        Whole numbers all the way, so exact.

        Notes
        -----
        A stretch can make the line ``f`` of an offset if some multiple of the rate before it that
        is no multiple of the stretched rate (those are the offset itself) is congruent to ``f``.
        """
        if any(number % count == 0 for number in numbers):
            raise ArgumentError(
                "0 Hz is the offset itself, not a tone that an offset makes", given="frequency 0"
            )
        if not self.lines and count <= _KEPT:
            known = self._known.get(count)
            if known is None:
                every = self._search(range(1, count), count)
                known = self._known[count] = ((), *every)
            return [known[number % count] for number in numbers]
        return self._search(numbers, count)

    def _search(self, numbers: Sequence[int], count: int) -> list[tuple[Origin, ...]]:
        # Frequencies in units of 1 / (unit * count) Hz: whole numbers.
        wide = self._rate * count > 2**62
        places = np.array(
            [number % count * self._rate for number in numbers], dtype=object if wide else np.int64
        )
        found: list[list[Origin]] = [[] for _ in numbers]
        for stretch in self._stretches:
            for way in stretch.ways:
                self._born(stretch, way, places, count, found)
        if self.lines:
            for number, place in enumerate(places.tolist()):
                found[number] += self._images(place, count)
        return [tuple(each) for each in found]

    def _born(
        self,
        stretch: _Stretch,
        way: int,
        places: NDArray[np.int64],
        count: int,
        found: list[list[Origin]],
    ) -> None:
        """Note a stretch for each line that it can make of an offset along one way."""
        shared = gcd(stretch.before, way) * count
        if way % stretch.inside == 0:
            # No decimation comes after: one place at the layer, and it must not be the offset.
            there = (places % shared == 0) & (places % (stretch.inside * count) != 0)
        elif lcm(stretch.before, way) % stretch.inside == 0:
            there = (places % shared == 0) & (places % (way * count) != 0)
        else:
            there = places % shared == 0
        for number in np.flatnonzero(there).tolist():
            if not found[number] or found[number][-1].node != stretch.number:
                at = self._at(stretch, way, int(places[number]), count)
                found[number].append(Origin(stretch.name, stretch.number, at))

    @staticmethod
    def _at(stretch: _Stretch, way: int, place: int, count: int) -> Fraction:
        """Return the line's frequency at the layer's output, cycles per sample.

        It is ``t`` times the rate before, with ``t before = place (mod way)``; of several, the
        first that is not the offset.
        """
        shared = gcd(stretch.before, way)
        modulus = way // shared
        times = place // count // shared * pow(stretch.before // shared, -1, modulus) % modulus
        turns = Fraction(times * stretch.before, stretch.after) % 1
        if turns == 0:
            turns = Fraction((times + modulus) * stretch.before, stretch.after) % 1
        return turns

    def _images(self, place: int, count: int) -> list[Origin]:
        """Return for each input a line of its own whose image lies at a place, if there is one."""
        found: dict[int, Origin] = {}
        for number, frequency in sorted(self.lines):
            own = self._whole(frequency) * count
            for way in self._ways[number]:
                if number not in found and any(
                    (place - side * own) % (way * count) == 0 for side in (1, -1)
                ):
                    turns = frequency / self.graph.input_rates[number]
                    mover = self._moved_by(number, own, place, count)
                    found[number] = Origin("", -1 - number, image_of=turns, moved_by=mover)
        return list(found.values())

    def _moved_by(self, number: int, own: int, place: int, count: int) -> str:
        """Return the last stretch that put an input's line into another band, "" if none did.

        In the stretched signal the line is at ``x = +-own`` modulo the way from the input, and at
        ``x = place`` modulo the way to the output.  The stretch moved it where each such ``x``,
        folded, lies above half the rate before.
        """
        for stretch in self._stretches:
            lowest = [
                least
                for way_in in self._ways_in(number)[stretch.read]
                for way in stretch.ways
                for side in (1, -1)
                if (least := _least(side * own, way_in * count, place, way * count)) is not None
            ]
            if lowest and 2 * min(lowest) > stretch.before * count:
                return stretch.name
        return ""

    def _ways_in(self, number: int) -> list[tuple[int, ...]]:
        if number not in self._ways_from:
            found = _ways_from(self.graph, number)
            self._ways_from[number] = [tuple(map(self._whole, ways)) for ways in found]
        return self._ways_from[number]


def _least(first: int, modulus: int, second: int, other: int) -> int | None:
    """Return the least size of a number congruent to two others by two moduli; None if none is."""
    common = gcd(modulus, other)
    if (second - first) % common:
        return None
    steps = (second - first) // common * pow(modulus // common, -1, other // common)
    found, every = first + modulus * steps, modulus // common * other
    return min(found % every, -found % every)
