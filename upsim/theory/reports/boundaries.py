"""Boundaries: how far the ends of a finite signal reach into the output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from upsim.errors import ArgumentTypeError
from upsim.layers.base import LinearLayer, Unmodelled
from upsim.network.graph import Graph, needs_network
from upsim.network.node import Node
from upsim.network.walk import walk
from upsim.operators import StretchFIR
from upsim.theory.reports.sight import sight
from upsim.words.arguments import whole_number


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
            inside, made = lengths[node.inputs[0]], lengths[node.output]
            seen = sight(node.layer, graph.value_channels[node.inputs[0]])
            known = seen.known_from(np.array([edges[0]]))
            until = seen.known_until(np.array([inside - edges[1]]))
            edges = (int(np.clip(known[0], 0, made)), int(np.clip(made - until[0], 0, made)))
        if isinstance(node.layer, Unmodelled):  # how far it sees is not known
            edges = (lengths[node.output], lengths[node.output])
        rate = graph.value_rates[node.output]
        seconds = (float(edges[0] / rate), float(edges[1] / rate))
        found.append(Transient(node.name, node.title, *edges, *seconds))
        return edges

    walk(graph, [(0, 0)] * len(graph.inputs), after)
    expected, last = input_length * graph.rate, lengths[graph.end]
    return Boundaries(input_length, last, expected, expected - last, tuple(found))


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
