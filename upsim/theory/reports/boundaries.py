"""Boundaries: how far the ends of a finite signal reach into the output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from upsim.errors import ArgumentTypeError, NotPredictableError
from upsim.layers.base import LinearLayer, Unmodelled
from upsim.network.graph import Graph, Node, needs_network, walk
from upsim.operators import StretchFIR
from upsim.operators.random_taps import ApartTaps, RandomBias, RandomTaps
from upsim.words.arguments import refuse_beyond_memory, whole_number


@dataclass(frozen=True)
class Transient:
    """Output samples at the two ends that differ from the steady state.

    Parameters
    ----------
    layer, name : str
        The layer after which they are counted.
    left, right : int
        Samples at that layer's output, all layers up to there together.
    left_seconds, right_seconds : float
    """

    layer: str
    name: str
    left: int
    right: int
    left_seconds: float
    right_seconds: float


@dataclass(frozen=True)
class Boundaries:
    """Transients and lengths of a stack for one input length.

    Parameters
    ----------
    input_length, output_length : int
    expected_length : Fraction
        Input length times the stack's rate.
    deficit : Fraction
        Expected minus actual length: samples that are missing (negative: too many).
    transients : tuple of Transient
        After each node.
    """

    input_length: int
    output_length: int
    expected_length: Fraction
    deficit: Fraction
    transients: tuple[Transient, ...]


def boundary_report(graph: Graph, input_length: int) -> Boundaries:
    """Return how far the ends reach after every node, and what the length law gives.

    The ends are followed by the supports of the operators: an output is steady when every input
    that it looks at is inside the signal and steady itself.
    """
    graph = needs_network(graph, "coverage")
    lengths = graph.lengths(whole_number(input_length, "input_length"))
    found = []

    def after(node: Node, given: Sequence[tuple[int, int]]) -> tuple[int, int]:
        edges = (max(left for left, _ in given), max(right for _, right in given))
        if isinstance(node.layer, LinearLayer):
            made = lengths[node.output]
            # Each output sample is looked at with some arrays of whole numbers.
            refuse_beyond_memory(8 * made, f"the output of {node.title}", fix="a shorter input")
            sight = _sight(node.layer, graph.value_channels[node.inputs[0]])
            edges = _reach(sight, lengths[node.inputs[0]], made, edges)
        if isinstance(node.layer, Unmodelled):  # how far it sees is not known
            edges = (lengths[node.output], lengths[node.output])
        rate = graph.value_rates[node.output]
        seconds = (float(edges[0] / rate), float(edges[1] / rate))
        found.append(Transient(node.name, node.title, *edges, *seconds))
        return edges

    walk(graph, [(0, 0)] * len(graph.inputs), after)
    expected, last = input_length * graph.rate, lengths[graph.end]
    return Boundaries(input_length, last, expected, expected - last, tuple(found))


class _Sight(NamedTuple):
    """The first and the last input sample that each phase of a layer's output sees."""

    up: int
    down: int
    first: NDArray[np.intp]
    last: NDArray[np.intp]


def _sight(layer: LinearLayer, channels: int) -> _Sight:
    """Return what a layer's output sees of its input: where its taps stand, open or drawn."""
    try:
        parts = layer.in_expectation(channels)
    except NotPredictableError:
        parts = ()
    part, *more = (each for each in parts if not isinstance(each, RandomBias)) if parts else (None,)
    if more or not isinstance(part, RandomTaps | ApartTaps):
        # Given weights, or a layer that is no single kernel before it is drawn.
        operator = layer.draw(np.random.default_rng(0)).operator(channels)
        return _Sight(operator.up, operator.down, *operator.support())
    stride = part.stride if isinstance(part, RandomTaps) else 1
    whole = gcd(part.factor, stride)
    up = part.factor // whole
    first, last = np.zeros(up, dtype=np.intp), np.full(up, -1, dtype=np.intp)
    for phase in range(up):
        # Output sample `phase` is sample phase stride of the filter's output, where the tap at p
        # stands over input sample (phase stride - p) / factor, if that is whole.
        looks = phase * stride - part.positions
        seen = looks[looks % part.factor == 0] // part.factor
        if seen.size:
            first[phase], last[phase] = seen.min(), seen.max()
    return _Sight(up, stride // whole, first, last)


def _reach(sight: _Sight, given: int, made: int, edges: tuple[int, int]) -> tuple[int, int]:
    """Return the unsteady output samples at each end; all of them if none is steady."""
    first, last = sight.first, sight.last
    outputs = np.arange(made)
    blocks, phases = outputs // sight.up * sight.down, outputs % sight.up
    sees_any = last[phases] >= first[phases]
    early = sees_any & (blocks + first[phases] < edges[0])
    late = sees_any & (blocks + last[phases] >= given - edges[1])
    left = int(np.flatnonzero(early)[-1]) + 1 if early.any() else 0
    right = made - int(np.flatnonzero(late)[0]) if late.any() else 0
    return min(left, made), min(right, made)


def coverage(operator: StretchFIR, input_length: int) -> NDArray[np.int64]:
    """Return the number of taps that fall on each output sample of a finite signal.

    For an all-ones kernel this is the output for a constant 1: seed figures 3 to 5 are its plots.

    Examples
    --------
    >>> coverage(StretchFIR(np.ones((1, 1, 3)), 2), 3)
    array([1, 1, 2, 1, 2, 1, 1])
    """
    if not isinstance(operator, StretchFIR):
        raise ArgumentTypeError(
            "coverage counts the taps of one stretch and its FIR",
            given=type(operator).__name__,
            expected="a StretchFIR",
            fix="upsim.coverage(upsim.fold(stack), input_length)",
        )
    input_length = whole_number(input_length, "input_length")
    ones = StretchFIR(
        np.ones((1, 1, operator.taps.shape[2])),
        operator.factor,
        down=operator.down,
        dilation=operator.dilation,
        crop=operator.crop,
    )
    counted = ones.apply(np.ones((1, input_length)))[0]
    return np.asarray(np.rint(counted), dtype=np.int64)
