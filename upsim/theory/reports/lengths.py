"""Lengths: how many samples each node makes, which one loses some, and which inputs fit.

A layer of rate ``r`` turns ``n`` samples into ``n r`` less its own loss.  What it loses is
``r_after`` times as much at the output, ``r_after`` the rate from there on.  Branches that meet
must be equally long, so not every length can be run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

import numpy as np
from numpy.typing import NDArray

from upsim.errors import ShapeError
from upsim.layers.merging import Merging
from upsim.network.graph import Graph, needs_network
from upsim.network.node import Node
from upsim.network.walk import walk
from upsim.words.arguments import LARGEST_LENGTH, whole_number
from upsim.words.units import counted

Counts = NDArray[np.int64]

#: Lengths on each side of the asked one that are tried at a time, and in all.
_BLOCK, _MOST = 2**12, 2**20


@dataclass(frozen=True)
class NodeLength:
    """What one node does to the number of samples.

    Parameters
    ----------
    name, title : str
    length_in, length_out : int
    loss : Fraction
        Samples that the node itself loses, of its own output: input length times its rate, less
        its output length.  Negative: it adds samples.
    loss_at_output : Fraction
        The same in samples of the network's output.
    """

    name: str
    title: str
    length_in: int
    length_out: int
    loss: Fraction
    loss_at_output: Fraction


@dataclass(frozen=True)
class Lengths:
    """The lengths of a network for one input length.

    Parameters
    ----------
    input_length : int
    nodes : tuple of NodeLength
        As far as the signal can be run.
    output_length : int or None
        None if it cannot be run.
    expected_length : Fraction
        Input length times the network's rate.
    refusal : str
        Why it cannot be run, "" if it can.
    below, above : int or None
        The nearest lengths that can be run, the asked one included.
    every : int
        Lengths that fit recur with this period, once they are long enough.
    """

    input_length: int
    nodes: tuple[NodeLength, ...]
    output_length: int | None
    expected_length: Fraction
    refusal: str
    below: int | None
    above: int | None
    every: int

    @property
    def accepted(self) -> bool:
        """Whether an input of this length can be run."""
        return self.output_length is not None

    @property
    def losses(self) -> tuple[NodeLength, ...]:
        """The nodes that lose or add samples."""
        return tuple(node for node in self.nodes if node.loss)

    def __str__(self) -> str:
        n = self.input_length
        if not self.accepted:
            near = [str(each) for each in (self.below, self.above) if each is not None]
            ways = f"; the nearest lengths that can: {' and '.join(near)}" if near else ""
            return f"{counted(n, 'sample')} cannot be run: {self.refusal}{ways}"
        lines = [f"{counted(n, 'sample')} in, {self.output_length} out"]
        missing = self.expected_length - (self.output_length or 0)
        if missing:
            word = "fewer" if missing > 0 else "more"
            lines[0] += f", {_count(abs(missing))} {word} than {_count(self.expected_length)}"
        for node in self.losses:
            verb = "loses" if node.loss > 0 else "adds"
            there = _count(abs(node.loss_at_output))
            lines.append(
                f"  {node.title}: {node.length_in} to {node.length_out}, {verb} "
                f"{_count(abs(node.loss))} of its own, {there} at the output"
            )
        return "\n".join(lines)


def lengths(stack: Graph, input_length: int) -> Lengths:
    """Return how many samples each node of a network makes, and which input lengths fit.

    Parameters
    ----------
    stack : Stack or Graph
        Weights are not looked at.
    input_length : int
        Samples at the first input; other inputs are as long in seconds.

    Examples
    --------
    >>> from upsim.layers import Conv, Residual, TransposedConv
    >>> from upsim.network.stack import Stack
    >>> down, up = Conv(1, 1, 4, 2, 1), TransposedConv(1, 1, 4, 2, 1)
    >>> print(lengths(Stack([Residual(down, up)], 16000), 9))
    9 samples cannot be run: branches that meet have different lengths, 8 and 9 samples, at layer 1
    (sum); the nearest lengths that can: 8 and 10
    """
    graph = needs_network(stack, "lengths")
    length = whole_number(input_length, "input_length", most=LARGEST_LENGTH)
    rows: list[NodeLength] = []
    refusal = ""

    def after(node: Node, given: Sequence[int]) -> int:
        if len(set(given)) > 1:
            raise ShapeError("branches that meet have different lengths", given=_joined(given))
        made = node.layer.output_length(given[0])
        loss = given[0] * node.layer.rate - made
        there = loss * graph.sample_rate / graph.value_rates[node.output]
        rows.append(NodeLength(node.name, node.title, given[0], made, loss, there))
        return made

    made: int | None = None
    try:
        made = walk(graph, graph.input_lengths(length), after)[graph.end]
    except ShapeError as error:
        done = {row.name for row in rows}
        stopped = next((node for node in graph.nodes if node.name not in done), None)
        place = f", at {stopped.title}" if stopped else ""
        refusal = ", ".join(part for part in (error.what, error.given) if part) + place
    below, above = (length, length) if made is not None else _nearest(graph, length)
    return Lengths(
        length,
        tuple(rows),
        made,
        length * graph.rate,
        refusal,
        below,
        above,
        period_of_lengths(graph),
    )


def accepts(graph: Graph, counts: Counts) -> NDArray[np.bool_]:
    """Tell which of many input lengths a network can run: one walk for all of them."""
    starts, fits = [], np.ones(counts.shape, dtype=bool)
    for rate in graph.input_rates:
        ratio = rate / graph.input_rate
        whole, rest = np.divmod(counts * ratio.numerator, ratio.denominator)
        fits &= rest == 0
        starts.append(whole)

    def after(node: Node, given: Sequence[Counts]) -> Counts:
        # 0 stands for a length that cannot be run.
        equal = np.all([each == given[0] for each in given], axis=0)
        taken = np.where(equal, given[0], 0)
        if isinstance(node.layer, Merging):
            return taken
        made = node.layer.length_rule().of_many(taken)
        return np.where(taken >= node.layer.shortest_input, made, 0)

    return np.asarray(fits & (walk(graph, starts, after)[graph.end] > 0))


def _nearest(graph: Graph, length: int) -> tuple[int | None, int | None]:
    """Return the nearest lengths below and above that fit; None where none was found."""
    found: list[int | None] = []
    for sign in (-1, 1):
        nearest = None
        for start in range(1, _MOST, _BLOCK):
            counts = length + sign * np.arange(start, start + _BLOCK, dtype=np.int64)
            counts = counts[counts > 0]
            fits = np.flatnonzero(accepts(graph, counts)) if counts.size else np.zeros(0)
            if fits.size or not counts.size:
                nearest = int(counts[fits[0]]) if fits.size else None
                break
        found.append(nearest)
    return found[0], found[1]


def period_of_lengths(graph: Graph) -> int:
    """Return a number of samples that may be added to any length that fits.

    With every ``down`` of a rate ``up / down`` divided out, all floors on the way shift by whole
    samples alike in all branches.
    """

    def needs(node: Node, given: Sequence[Fraction]) -> Fraction:
        return given[0] * node.layer.rate

    steps = walk(graph, [rate / graph.input_rate for rate in graph.input_rates], needs)
    return lcm(*(each.denominator for each in steps))


def _joined(given: Sequence[int]) -> str:
    return " and ".join(map(str, dict.fromkeys(given))) + " samples"


def _count(value: Fraction) -> str:
    return str(value) if value.denominator == 1 else f"{float(value):g}"
