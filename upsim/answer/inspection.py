"""A network as a table: each node with its rate, channels, parameters, lines and length rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from upsim.layers.merging import Merging
from upsim.network.feed import Feed
from upsim.network.graph import Graph, needs_network
from upsim.network.node import Node, spoken
from upsim.operators import LengthRule
from upsim.show.tables import html_table, text_table
from upsim.theory.lines.ladder import Family, families
from upsim.words.units import format_hertz

FORMAT, VERSION = "upsim-inspection", 1

_HEADER = ("name", "kind", "reads", "rate", "channels", "parameters", "lines", "length")


@dataclass(frozen=True)
class InspectedNode:
    """One value of a network and the node that makes it.

    Parameters
    ----------
    name, kind : str
        "input" is the kind of an input.
    reads : tuple of str
        Names of the values that it reads; none for an input.
    rate : Fraction
        Of the value, in Hz.
    channels : int
    parameters : int
        Trainable numbers of the node.
    is_drawn : bool
        Whether its weights are numbers; true of a node without weights.
    lines : Fraction or None
        In Hz: lines are first possible here at the multiples of it, at the network's output.  None
        where the node can make no line that was not possible before.
    cause : str
        What makes these lines: "offset" (an upsampling layer repeats offsets), "activation" (it
        distorts lines), "" for none.
    length : LengthRule
        Output samples for a number of input samples.
    """

    name: str
    kind: str
    reads: tuple[str, ...]
    rate: Fraction
    channels: int
    parameters: int
    is_drawn: bool
    lines: Fraction | None
    cause: str
    length: LengthRule

    @property
    def length_text(self) -> str:
        """The length rule as a formula of ``n``.

        Examples
        --------
        >>> from upsim import Conv, Stack
        >>> inspect(Stack([Conv(1, 1, 4, stride=2, padding=1)], 8000)).nodes[1].length_text
        'floor(n / 2)'
        """
        return _formula(self.length)


@dataclass(frozen=True, eq=False, repr=False)
class Inspection:
    """A network as a table.

    Parameters
    ----------
    name : str
        One line about the whole.
    nodes : tuple of InspectedNode
        The inputs, then the nodes in the order in which the network runs.
    """

    name: str
    nodes: tuple[InspectedNode, ...]

    @property
    def parameters(self) -> int:
        """Trainable numbers of the whole network."""
        return sum(node.parameters for node in self.nodes)

    def table(self) -> str:
        """Return the nodes as a table of text."""
        return text_table(_HEADER, self._rows(self.nodes))

    def _rows(self, nodes: Sequence[InspectedNode]) -> list[list[str]]:
        return [
            [
                node.name,
                node.kind,
                ", ".join(node.reads),
                format_hertz(node.rate),
                str(node.channels),
                f"{node.parameters:,}" + ("" if node.is_drawn else " open"),
                _lines(node),
                node.length_text if node.kind != "input" else "",
            ]
            for node in nodes
        ]

    def __repr__(self) -> str:
        makers = [node for node in self.nodes if node.lines is not None]
        lines = [self.name, f"{len(self.nodes)} values, {self.parameters:,} parameters"]
        lines += [
            f"  {spoken(node.name)} ({node.kind}): lines at {_lines(node)}" for node in makers[:4]
        ]
        if not makers:
            lines.append("  no node makes a line of an offset")
        lines += [f"  and {len(makers) - 4} more"] if len(makers) > 4 else []
        return "\n".join([*lines, "(.table() has all nodes)"])

    def _repr_html_(self) -> str:
        return html_table(_HEADER, self._rows(self.nodes))

    def to_dict(self) -> dict[str, Any]:
        """Return plain, versioned data: numbers, strings and lists."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "name": self.name,
            "parameters": self.parameters,
            "nodes": [
                {
                    "name": node.name,
                    "kind": node.kind,
                    "reads": list(node.reads),
                    "rate": str(node.rate),
                    "channels": node.channels,
                    "parameters": node.parameters,
                    "is_drawn": node.is_drawn,
                    "lines": None if node.lines is None else str(node.lines),
                    "cause": node.cause,
                    "length": [list(step) for step in node.length.steps],
                }
                for node in self.nodes
            ],
        }


def inspect(graph: Graph, signal: Feed | None = None) -> Inspection:
    """Return a network as a table: what each node is, and which lines are first possible there.

    No weight is looked at.

    Parameters
    ----------
    graph : Stack or Graph
        Weights need not be drawn.
    signal : Signal, or dict of input name to Signal, optional
        Its own lines count; without it only offsets do.

    Returns
    -------
    Inspection

    Examples
    --------
    >>> from upsim import LeakyReLU, Stack, TransposedConv
    >>> layers = [("up", TransposedConv(8, 4, 16, 8, padding=4)), ("act", LeakyReLU(0.1))]
    >>> print(inspect(Stack(layers, sample_rate=16000)).table())
    name   kind            reads  rate    channels  parameters  lines                   length
    input  input                  2 kHz   8         0
    up     TransposedConv  input  16 kHz  4         516 open    multiples of 2 kHz      8 n
    act    LeakyReLU       up     16 kHz  4         0                                   n
    """
    graph = needs_network(graph, "inspect")
    known = {each.layer: each for each in reversed(families(graph, signal))}
    names = [each.name for each in graph.inputs] + [node.name for node in graph.nodes]
    rows = [
        InspectedNode(each.name, "input", (), rate, each.channels, 0, True, None, "", LengthRule())
        for each, rate in zip(graph.inputs, graph.input_rates, strict=True)
    ]
    rows += [_inspected(graph, node, names, known.get(node.name)) for node in graph.nodes]
    return Inspection(graph.summary(), tuple(rows))


def _inspected(
    graph: Graph, node: Node, names: Sequence[str], family: Family | None
) -> InspectedNode:
    merging = isinstance(node.layer, Merging)
    return InspectedNode(
        node.name,
        node.merging or node.layer.called,
        tuple(names[value] for value in node.inputs),
        graph.value_rates[node.output],
        graph.value_channels[node.output],
        0 if merging else node.layer.parameters(graph.value_channels[node.inputs[0]]),
        node.layer.is_drawn,
        None if family is None else family.spacing,
        "" if family is None else family.cause,
        LengthRule() if merging else node.layer.length_rule(),
    )


def _lines(node: InspectedNode) -> str:
    if node.lines is None:
        return ""
    of = ", by distortion" if node.cause == "activation" else ""
    return f"multiples of {format_hertz(node.lines)}{of}"


def _formula(rule: LengthRule) -> str:
    """Return a length law in ``n``, one step inside the next."""
    text = "n"
    for up, down, extra in rule.steps:
        # floor((n + e) / d) = floor((n + e mod d) / d) + e // d: what is whole stands outside.
        whole, rest = divmod(extra, down)
        inner = text if " " not in text or up == 1 else f"({text})"
        inner = inner if up == 1 else f"{up} {inner}"
        if down == 1:
            text = inner + _signed(whole)
            continue
        inner = f"({inner}{_signed(rest)})" if rest or " " in inner else inner
        text = f"floor({inner} / {down}){_signed(whole)}"
    return text


def _signed(number: int) -> str:
    return f" {'+' if number > 0 else '-'} {abs(number)}" if number else ""
