"""The parts of a network: its inputs and nodes, their names, and what is checked of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from upsim.errors import ArgumentError, ArgumentTypeError, UnknownNameError
from upsim.layers.base import Layer
from upsim.layers.branches import finite_list
from upsim.layers.merging import Merging
from upsim.network.signal import Signal
from upsim.words.arguments import near_names, plain_text, shown, whole_number


class Part(NamedTuple):
    """One node as it was given: its name, what it does, the names of the values that it reads."""

    name: str
    layer: Layer
    reads: tuple[str, ...]


@dataclass(frozen=True, repr=False)
class Input:
    """An input of a graph: its name and its channels.  Its rate follows from the graph.

    Parameters
    ----------
    name : str
    channels : int
    signal : Signal, optional
        What the network itself feeds there, as noise inside a decoder; nobody needs to give it.
        Another one that is given for this input by name takes its place.

    Examples
    --------
    >>> from upsim.network.signals import WhiteNoise
    >>> Input("noise", 1, WhiteNoise(0.01))
    Input('noise', 1, WhiteNoise(power=0.01))
    """

    name: str
    channels: int
    signal: Signal | None = None

    def __post_init__(self) -> None:
        name = checked_name(self.name)
        object.__setattr__(self, "channels", whole_number(self.channels, f"channels of {name!r}"))
        if self.signal is not None and not isinstance(self.signal, Signal):
            raise ArgumentTypeError(
                "the signal of an input must be an upsim signal",
                given=f"{shown(self.signal)} for {name!r}",
                expected="Silence, Constant, WhiteNoise, Sine, Density, Recorded, or None",
                fix=f"upsim.Input({name!r}, {self.channels}, upsim.WhiteNoise(1.0))",
            )

    def __repr__(self) -> str:
        own = "" if self.signal is None else f", {self.signal!r}"
        return f"Input({self.name!r}, {self.channels}{own})"


@dataclass(frozen=True, eq=False)
class Node:
    """One layer, or one merging, in the order in which a network is run.

    Values are numbered in single-assignment order: the inputs first, then one for each node.

    Parameters
    ----------
    name : str
        Unique.  A layer of a stack without a name of its own bears its number, "3"; the second
        layer of the first branch of layer 3 is "3.1.2".
    layer : Layer
        What the node does; a :class:`~upsim.layers.merging.Merging` reads several values.
    inputs : tuple of int
        The values that it reads.
    output : int
        The value that it makes.
    place : int
        The number of the given part that it belongs to, counted from 1.
    kind : str
        What it was given as, where ``layer`` is only the last of what that is made of: "product".
    """

    name: str
    layer: Layer
    inputs: tuple[int, ...]
    output: int
    place: int
    kind: str = ""

    @cached_property
    def title(self) -> str:
        """The name with what the node does: ``layer 3.1.2 (Conv)`` or ``up1 (TransposedConv)``."""
        return f"{spoken(self.name)} ({self.kind or _kind_of(self.layer)})"

    @property
    def merging(self) -> str:
        """How several values are merged: "sum", "mean", "concatenate"; "" for a layer."""
        return self.layer.how if isinstance(self.layer, Merging) else ""


def _kind_of(layer: Layer) -> str:
    return layer.how if isinstance(layer, Merging) else layer.called


def spoken(name: str) -> str:
    """Return a node's name as sentences say it: a number is called a layer.

    Its kind in brackets may follow.

    Examples
    --------
    >>> spoken("3.1"), spoken("up1"), spoken("3 (Conv)")
    ('layer 3.1', 'up1', 'layer 3 (Conv)')
    """
    number = name.partition(" ")[0].replace(".", "")
    return f"layer {name}" if number.isdigit() else name


def checked_name(name: object) -> str:
    """Return a node's name if reports can print it."""
    if not isinstance(name, str):
        raise ArgumentTypeError("a node's name must be a string", given=shown(name))
    if not name or not name.isprintable():
        raise ArgumentError(
            "a node's name must be printable and not empty", given=shown(name), fix='"up1"'
        )
    return name


def checked_parts(nodes: object) -> tuple[Part, ...]:
    """Return the nodes of a graph, each a name, a layer and the names of what it reads."""
    if isinstance(nodes, str) or not isinstance(nodes, Iterable):
        raise ArgumentTypeError(
            "nodes must be a list of (name, layer, reads)",
            given=f"nodes={shown(nodes)}",
            fix='[("up", upsim.Nearest(2), "input")]',
        )
    found = []
    for item in finite_list(nodes, "nodes"):
        if not isinstance(item, tuple | list) or len(item) != 3:
            raise ArgumentTypeError(
                "a node is a name, a layer and the names of what it reads",
                given=shown(item),
                fix='("up", upsim.Nearest(2), "input")',
            )
        name, layer, reads = item
        if not isinstance(layer, Layer):
            raise ArgumentTypeError(
                "a node needs a layer",
                given=shown(layer),
                fix="upsim.ReLU(), with brackets" if isinstance(layer, type) else "",
                where=f"node {name!r:.40}",
            )
        listed = (reads,) if isinstance(reads, str) else reads
        listed = tuple(listed) if isinstance(listed, tuple | list) else ()
        if not listed or not all(isinstance(each, str) for each in listed):
            raise ArgumentTypeError(
                "a node reads values by their names",
                given=f"reads={shown(reads)}",
                where=f"node {name!r:.40}",
            )
        found.append(Part(checked_name(name), layer, listed))
    if not found:
        raise ArgumentError("a graph needs at least one node", given="no nodes")
    return tuple(found)


def checked_inputs(inputs: object) -> tuple[Input, ...]:
    """Return the inputs of a graph, from a mapping of names to channels or a list of inputs."""
    listed: Iterable[object] = ()
    if isinstance(inputs, Mapping):
        listed = [Input(name, channels) for name, channels in inputs.items()]
    elif isinstance(inputs, Iterable) and not isinstance(inputs, str | bytes):
        listed = finite_list(inputs, "inputs")
    found = tuple(each for each in listed if isinstance(each, Input))
    if not found or len(found) < len(tuple(listed)):
        raise ArgumentTypeError(
            "inputs must map each input's name to its channels",
            given=f"inputs={shown(inputs)}",
            expected="a dict, or a list of upsim.Input",
            fix='inputs={"input": 1}',
        )
    names = [each.name for each in found]
    again = next((name for name in names if names.count(name) > 1), None)
    if again is not None:
        raise ArgumentError("two inputs have one name", given=repr(again), fix="another name")
    return found


def checked_notes(notes: object) -> tuple[str, ...]:
    """Return the notes of a graph."""
    if not isinstance(notes, tuple | list):
        raise ArgumentTypeError(
            "notes must be a list of texts", given=f"notes={shown(notes)}", fix="notes=[]"
        )
    return tuple(plain_text(each, f"notes[{number}]") for number, each in enumerate(notes))


def value_of(values: Mapping[str, int], name: str, part: Part) -> int:
    """Return the value of a name that a part reads; refuse one that is not there, or made twice."""
    if part.name in values:
        raise ArgumentError("two values have one name", given=repr(part.name), fix="another name")
    if name not in values:
        near = near_names(name, values)
        raise UnknownNameError(
            "a node reads a value that is not there yet",
            given=repr(name),
            expected="an input, or a node before it",
            fix=near,
            where=spoken(part.name),
        )
    return values[name]


def unknown_node(name: str, known: Sequence[str]) -> UnknownNameError:
    """Return the error for a node that is not there."""
    listed = ", ".join(known[:12]) + (", …" if len(known) > 12 else "")
    return UnknownNameError(
        "there is no such node",
        given=shown(name),
        expected=listed,
        fix=near_names(name, known),
    )
