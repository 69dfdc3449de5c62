"""The one walk over a network, forth and back: everything that goes through it is a rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from upsim.errors import UpsimError
from upsim.network.node import Node
from upsim.words.progress import Progress, silent

if TYPE_CHECKING:
    from upsim.network.graph import Graph

Value = TypeVar("Value")

#: A rule for the walk: the node and the values that it reads give the value that it makes.
Rule = Callable[["Node", Sequence[Value]], Value]


def walk(
    graph: Graph,
    starts: Sequence[Value],
    rule: Rule[Value],
    progress: Progress = silent,
    forget: Value | None = None,
) -> list[Value]:
    """Return every value of a graph: the given inputs, then what ``rule`` makes at each node.

    The order of nodes has this one owner.  An error that a rule raises is given the node's place.

    Parameters
    ----------
    graph : Graph
    starts : sequence
        One for each input.
    rule : callable
        ``rule(node, values that it reads)`` returns the value that the node makes.
    progress : callable, optional
        Called with the part that is done and the node that comes next.
    forget : optional
        What takes the place of a value once its last reader has run, so that its memory is free;
        the output stays.
    """
    values = list(starts)
    count = len(graph.nodes)
    for number, node in enumerate(graph.nodes):
        progress(number / count, node.title)
        try:
            values.append(rule(node, [values[value] for value in node.inputs]))
        except UpsimError as error:
            with graph.placed(node):
                raise error from None
        if forget is not None:
            for value in node.inputs:
                if graph.readers[value][-1] == number and value != graph.end:
                    values[value] = forget
    return values


def walk_back(
    graph: Graph,
    at_output: Value,
    rule: Callable[[Node, Value], Sequence[Value | None]],
    add: Callable[[Value, Value], Value],
) -> list[Value | None]:
    """Return what each value is worth to the output: from the output back.

    ``rule(node, worth of its value)`` returns the worth that it hands to each value that it reads,
    None for a value that it passes nothing of; what several readers hand to one value is joined by
    ``add``.  None for a value that does not reach the output.
    """
    found: list[Value | None] = [None] * (len(graph.inputs) + len(graph.nodes))
    found[graph.end] = at_output
    for node in reversed(graph.nodes):
        worth = found[node.output]
        if worth is None:
            continue
        with graph.placed(node):
            for value, handed in zip(node.inputs, rule(node, worth), strict=True):
                known = found[value]
                if handed is not None:
                    found[value] = handed if known is None else add(known, handed)
    return found
