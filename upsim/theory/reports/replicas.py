"""Replicas: where each band of the input lands in the output, and which stretch put it there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

import numpy as np
from numpy.typing import NDArray

from upsim.errors import TooLargeError
from upsim.network.graph import Graph
from upsim.network.node import Node
from upsim.network.walk import walk, walk_back
from upsim.theory.moments.propagation import transfer
from upsim.theory.moments.transfer import spread
from upsim.words.arguments import refuse_beyond_memory
from upsim.words.frozen import frozen

#: Places in a band at which its gain is averaged.
_POINTS = 32

#: The layers that moved a line, the last first, by the input frequency that it comes from.
_Ways = dict[Fraction, tuple[str, ...]]

_UNMOVED: tuple[str, ...] = ()

#: Rows that a list of replicas may have.
_MOST_ROWS = 2**14


@dataclass(frozen=True, eq=False)
class Replica:
    """One band of the output, and the band of the input that lands there.

    Parameters
    ----------
    low, high : Fraction
        Output band in Hz.
    input_low, input_high : Fraction
        Input band in Hz, ``input_low < input_high``.
    mirrored : bool
        Whether the top of the input band lands at the bottom.
    made_by : tuple of str
        Labels of the layers whose stretch moved the band, the last one first; empty for the
        baseband.
    gain : array (channels,) or None
        Output density over input density, averaged over the band, for independent input channels
        of equal density; None where the stack is not linear or not drawn.
    """

    low: Fraction
    high: Fraction
    input_low: Fraction
    input_high: Fraction
    mirrored: bool
    made_by: tuple[str, ...]
    gain: NDArray[np.float64] | None = None

    @property
    def is_image(self) -> bool:
        """Whether a stretch put the band here."""
        return bool(self.made_by)


def find_replicas(
    graph: Graph,
    gains: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None,
) -> tuple[Replica, ...]:
    """Return the bands of a stack's output, in ascending frequency.

    An output frequency ``g`` (cycles per sample) comes from ``f = (U g + K) / D``; between
    multiples of ``1 / (2 U)`` each ``K`` is one straight piece of one input band.

    Parameters
    ----------
    graph : Graph or Stack
    gains : callable, optional
        Frequencies (F,) in cycles per output sample to power gains (channels, D, F).
    """
    up, down = repeats(graph)
    _refuse_many(up * down)
    centres = [Fraction(2 * band + 1, 4 * up) for band in range(up)]
    paths = _Paths(graph, centres, every_alias=True)
    found = []
    for band in range(up):
        low, high = Fraction(band, 2 * up), Fraction(band + 1, 2 * up)
        levels = None
        if gains is not None:
            inside = float(low) + (np.arange(_POINTS) + 0.5) / _POINTS * float(high - low)
            levels = frozen(gains(inside).mean(axis=2))
        ways = paths.back((low + high) / 2)
        for alias in range(down):
            centre = _folded((up * (low + high) / 2 + alias) / down)
            level = None if levels is None else levels[:, alias]
            ends = [_folded((up * edge + alias) / down) for edge in (low, high)]
            found.append(_replica(graph, (low, high), ends, ways.get(centre, ()), level))
    return tuple(found)


def find_bands(graph: Graph) -> tuple[Replica, ...]:
    """Return one row for each band of the output: what a picture shades.

    Where a decimation folds several input bands onto one, the row follows the lowest alias.  Empty
    where there would be too many rows to tell apart in a picture.
    """
    up, down = repeats(graph)
    if up > _MOST_ROWS:
        return ()
    centres = [Fraction(2 * band + 1, 4 * up) for band in range(up)]
    paths = _Paths(graph, centres, every_alias=False)
    found = []
    for band in range(up):
        low, high = Fraction(band, 2 * up), Fraction(band + 1, 2 * up)
        ways = paths.back((low + high) / 2)
        ends = [_folded(up * edge / down) for edge in (low, high)]
        found.append(_replica(graph, (low, high), ends, min(ways.values(), key=len), None))
    return tuple(found)


def repeats(graph: Graph) -> tuple[int, int]:
    """Return the products of the layers' blocks, output and input samples.

    Where branches meet their blocks are whole together.
    """

    def after(node: Node, given: Sequence[tuple[int, int]]) -> tuple[int, int]:
        up = lcm(*(each for each, _ in given))
        down = given[0][1] * up // given[0][0]
        return up * node.layer.block[0], down * node.layer.block[1]

    starts = [rate / graph.input_rate for rate in graph.input_rates]
    return walk(graph, [each.as_integer_ratio() for each in starts], after)[graph.end]


def _refuse_many(count: int) -> None:
    if count > _MOST_ROWS:
        raise TooLargeError(
            f"the list of replicas would have {count} rows",
            given="large strides, up or down",
            expected=f"at most {_MOST_ROWS}",
            fix="smaller strides, or fewer layers: graph.upto(1)",
        )


def _replica(
    graph: Graph,
    band: tuple[Fraction, Fraction],
    ends: list[Fraction],
    movers: tuple[str, ...],
    level: NDArray[np.float64] | None,
) -> Replica:
    first, last = ends
    return Replica(
        band[0] * graph.sample_rate,
        band[1] * graph.sample_rate,
        min(first, last) * graph.input_rate,
        max(first, last) * graph.input_rate,
        first > last,
        movers,
        level,
    )


def _folded(turns: Fraction) -> Fraction:
    turns %= 1
    return min(turns, 1 - turns)


class _Paths:
    """Follows output frequencies back to the input, node by node.

    In each upsampling layer a frequency lies above the old Nyquist frequency, and the layer moved
    it, or not.  Of several ways to one input frequency (aliases, branches) the one with fewest
    moves counts: where a wire leads there, nothing was moved.  One walk back notes which
    frequencies are asked of each value, one walk forward answers.
    """

    def __init__(self, graph: Graph, turns: Sequence[Fraction], *, every_alias: bool) -> None:
        self._graph, self._every = graph, every_alias
        asked = walk_back(graph, frozenset(turns), self._before, frozenset.union)
        self._asked = [each or frozenset() for each in asked]
        # Bands of the first input are listed; the others have none.
        first = {each: {each: _UNMOVED} for each in self._asked[0]}
        others: list[dict[Fraction, _Ways]] = [
            {each: {} for each in asked} for asked in self._asked[1 : len(graph.inputs)]
        ]
        self._found = walk(graph, [first, *others], self._after)[graph.end]

    def back(self, turns: Fraction) -> _Ways:
        """Return the layers that moved a line at ``turns``, by input frequency, the last first."""
        return self._found[turns]

    def _sources(self, node: Node, turns: Fraction) -> list[tuple[Fraction, bool]]:
        """Return the frequencies before a node, each with whether its stretch moved it.

        ``turns`` is folded by the decimation from ``(turns + alias) / D`` behind the stretch.
        """
        up, down = node.layer.rate.numerator, node.layer.rate.denominator
        aliases = range(down if self._every else 1)
        behind = [_folded((turns + alias) / down) for alias in aliases]
        return [(_folded(up * each), up > 1 and 2 * up * each > 1) for each in behind]

    def _before(self, node: Node, asked: frozenset[Fraction]) -> list[frozenset[Fraction]]:
        if node.layer.rate != 1:
            asked = frozenset(each for turns in asked for each, _ in self._sources(node, turns))
        return [asked] * len(node.inputs)

    def _after(self, node: Node, given: Sequence[dict[Fraction, _Ways]]) -> dict[Fraction, _Ways]:
        if node.layer.rate == 1 and len(given) == 1:
            return given[0]
        found: dict[Fraction, _Ways] = {}
        for turns in self._asked[node.output]:
            ways: _Ways = {}
            for before in given:
                for frequency, by_node in self._sources(node, turns):
                    moved = (node.name,) if by_node else ()
                    for source, movers in before[frequency].items():
                        way = (*moved, *movers)
                        if source not in ways or len(way) < len(ways[source]):
                            ways[source] = way
            found[turns] = ways
        return found


def linear_gains(graph: Graph) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Return the power gains of a linear stack, summed over input channels: (F,) to (out, D, F)."""
    widest = max(graph.value_channels)
    down = repeats(graph)[1]
    count = 2 * _POINTS * graph.in_channels * widest * down
    refuse_beyond_memory(count, "the gains of all channel pairs", fix="fewer channels")
    rows = transfer(graph, _POINTS * repeats(graph)[0])

    def gains(frequencies: NDArray[np.float64]) -> NDArray[np.float64]:
        found = spread(rows.gains(frequencies), down)
        return np.asarray((np.abs(found) ** 2).sum(axis=3).transpose(2, 1, 0))

    return gains
