"""A network: named nodes in single-assignment order, and the one walk over them.

Every node reads values that exist and makes one new value, which bears the node's name.  A value
may be read by several nodes: that is how skips cross and parts share.  Everything that goes through
a network (rates, channels, lengths, moments, the neural run, files) is a rule for :func:`walk`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from types import TracebackType
from typing import NamedTuple, Self, TypeVar

import numpy as np

from upsim.errors import ArgumentError, ArgumentTypeError, ShapeError, UnknownNameError, UpsimError
from upsim.layers.base import Branch, Layer, LinearLayer
from upsim.layers.branches import finite_list, refuse_deep_nesting
from upsim.layers.merging import MERGINGS, Merging, lowering
from upsim.network.signal import Signal
from upsim.operators import Operator
from upsim.words.arguments import (
    LARGEST_LENGTH,
    LARGEST_SEED,
    near_names,
    plain_text,
    shown,
    whole_number,
)
from upsim.words.progress import Progress, silent
from upsim.words.units import format_hertz, positive_rate

Value = TypeVar("Value")

#: A rule for the walk: the node and the values that it reads give the value that it makes.
Rule = Callable[["Node", Sequence[Value]], Value]


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


class Graph:
    """A network of named nodes with one output.

    Parameters
    ----------
    nodes : iterable of (name, layer, reads)
        In an order in which each node reads only inputs and earlier nodes.  ``reads`` is a name, or
        several for a merging (:class:`upsim.Add`, :class:`upsim.Average`,
        :class:`upsim.Concatenate`, :class:`upsim.Subtract`, :class:`upsim.Multiply`,
        :class:`upsim.Divide`) or for a layer of several values, such as a gate.  A ``Residual`` or
        ``Parallel`` becomes the nodes of its branches and a merging.
    inputs : mapping of str to int, or iterable of Input
        The channels of each input, by name.  An :class:`Input` may have a signal of its own.
    sample_rate : number
        Of the OUTPUT, in Hz; kept as an exact fraction.  The rates of the inputs follow from it.
    output : str, optional
        The node whose value is the output; the last one by default.
    name : str, optional
    notes : sequence of str
        What a reader of answers should know of how the network came about: what was left out, what
        was assumed.  Predictions list them first among their assumptions.

    Examples
    --------
    >>> from upsim.layers import Add, Conv, Nearest
    >>> graph = Graph(
    ...     [
    ...         ("up", Nearest(2), "mel"),
    ...         ("source", Conv(1, 8, 3, padding=1), "pitch"),
    ...         ("sum", Add(), ("up", "source")),
    ...     ],
    ...     inputs={"mel": 8, "pitch": 1},
    ...     sample_rate=16000,
    ... )
    >>> graph.input_rates
    (Fraction(8000, 1), Fraction(16000, 1))
    """

    parts: tuple[Part, ...]
    inputs: tuple[Input, ...]
    sample_rate: Fraction
    output: str
    name: str
    notes: tuple[str, ...]

    def __init__(
        self,
        nodes: Iterable[tuple[str, Layer, str | Iterable[str]]],
        inputs: Mapping[str, int] | Iterable[Input],
        sample_rate: object,
        *,
        output: str | None = None,
        name: str = "",
        notes: Sequence[str] = (),
    ) -> None:
        parts = _checked_parts(nodes)
        self._fill(
            parts,
            _checked_inputs(inputs),
            sample_rate,
            parts[-1].name if output is None else checked_name(output),
            name,
            notes,
        )

    def _fill(
        self,
        parts: tuple[Part, ...],
        inputs: tuple[Input, ...],
        sample_rate: object,
        output: str,
        name: str,
        notes: Sequence[str] = (),
    ) -> None:
        """Keep the fields, once they fit together."""
        plain_text(name, "name")
        refuse_deep_nesting(tuple(part.layer for part in parts))
        self._keep(
            parts=parts,
            inputs=inputs,
            sample_rate=positive_rate(sample_rate),
            output=output,
            name=name,
            notes=_checked_notes(notes),
        )
        _refuse_unread(self)
        _ = self.value_channels, self.value_rates

    def _keep(self, **fields: object) -> None:
        for key, value in fields.items():
            object.__setattr__(self, key, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a {type(self).__name__} cannot be changed; see .replace()")

    def __getstate__(self) -> dict[str, object]:
        """Return the fields: what was worked out from them is not sent along."""
        return {key: vars(self)[key] for key in self._fields}

    def __setstate__(self, state: dict[str, object]) -> None:
        self._keep(**state)

    #: What a given part is called.
    _unit = "node"

    _fields = ("parts", "inputs", "sample_rate", "output", "name", "notes")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Graph):
            return NotImplemented
        return all(getattr(self, key) == getattr(other, key) for key in Graph._fields)

    def __hash__(self) -> int:
        return hash(tuple(getattr(self, key) for key in Graph._fields))

    # ------------------------------------------------------------------ nodes and values

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """All layers and mergings, branches lowered, in single-assignment order."""
        return self._lowered[0]

    @cached_property
    def _lowered(self) -> tuple[tuple[Node, ...], tuple[int, ...]]:
        """The nodes, and the channels of each value."""
        values = {each.name: number for number, each in enumerate(self.inputs)}
        made = _Lowering(self)
        for place, part in enumerate(self.parts, 1):
            reads = tuple(_value_of(values, name, part) for name in part.reads)
            values[part.name] = made.append(part, reads, place)
        return tuple(made.nodes), tuple(made.channels)

    @cached_property
    def ends(self) -> tuple[int, ...]:
        """The value after each given part, by its number from 1; ``ends[0]`` is the first input."""
        last = {node.place: node.output for node in self.nodes}
        return (0, *(last[place] for place in range(1, len(self.parts) + 1)))

    @cached_property
    def end(self) -> int:
        """The value that is the output."""
        return self.ends[self.place_of(self.output)]

    @cached_property
    def readers(self) -> tuple[tuple[int, ...], ...]:
        """The nodes, by their number, that read each value."""
        found: list[list[int]] = [[] for _ in range(len(self.inputs) + len(self.nodes))]
        for number, node in enumerate(self.nodes):
            for value in dict.fromkeys(node.inputs):
                found[value].append(number)
        return tuple(map(tuple, found))

    def node(self, name: str) -> Node:
        """Return the node of a name, or say which names there are."""
        found = self._by_name.get(checked_name(name))
        if found is None:
            raise _unknown_node(name, list(self._by_name))
        return found

    @cached_property
    def _by_name(self) -> dict[str, Node]:
        return {node.name: node for node in self.nodes}

    def place_of(self, where: int | str) -> int:
        """Return the number of a given part, counted from 1, by its name or number."""
        if isinstance(where, str):
            for place, part in enumerate(self.parts, 1):
                if part.name == where:
                    return place
            raise _unknown_node(where, [part.name for part in self.parts])
        place = whole_number(where, "count")
        if place > len(self.parts):
            what = f"{self._unit}s"
            raise ArgumentError(
                f"the {type(self).__name__.lower()} has fewer {what}",
                given=f"count={place}, {len(self.parts)} {what}",
                expected=f"at most {len(self.parts)}",
                fix=f"count={len(self.parts)}",
            )
        return place

    # ------------------------------------------------------------------ what follows from the nodes

    @cached_property
    def value_channels(self) -> tuple[int, ...]:
        """Channels of each value."""
        return self._lowered[1]

    @cached_property
    def value_rates(self) -> tuple[Fraction, ...]:
        """Sample rate of each value, in Hz: from the output back, where its rate is known."""

        def before(node: Node, rate: Fraction) -> list[Fraction]:
            return [rate / node.layer.rate] * len(node.inputs)

        def met(first: Fraction, second: Fraction) -> Fraction:
            if first != second:
                raise ShapeError(
                    "a value is read at two rates",
                    given=f"{format_hertz(first)} and {format_hertz(second)}",
                    expected="one rate, however the output is reached",
                    fix="equal factors in the branches that meet",
                )
            return first

        found = walk_back(self, self.sample_rate, before, met)
        return tuple(rate for rate in found if rate is not None)

    @cached_property
    def operators(self) -> tuple[Operator | None, ...]:
        """The operator of each node; None for what is not linear, and for mergings.

        Layers do not change, so their operators are made once for a graph.
        """
        found: list[Operator | None] = []
        for node in self.nodes:
            operator = None
            if isinstance(node.layer, LinearLayer):
                with self.placed(node):
                    operator = node.layer.operator(self.value_channels[node.inputs[0]])
            found.append(operator)
        return tuple(found)

    def once(self, make: Callable[[Graph], Value]) -> Value:
        """Return ``make(self)``, worked out once: for what follows from the nodes alone."""
        known: dict[object, Value] = vars(self).setdefault("_once", {})
        if make not in known:
            known[make] = make(self)
        return known[make]

    @property
    def in_channels(self) -> int:
        """Channels of the first input."""
        return self.inputs[0].channels

    @property
    def out_channels(self) -> int:
        """Channels of the output."""
        return self.value_channels[self.end]

    @property
    def input_rates(self) -> tuple[Fraction, ...]:
        """Sample rate of each input, in Hz."""
        return self.value_rates[: len(self.inputs)]

    @property
    def input_rate(self) -> Fraction:
        """Sample rate of the first input, in Hz."""
        return self.value_rates[0]

    @cached_property
    def rate(self) -> Fraction:
        """Output samples per sample of the first input."""
        return self.sample_rate / self.input_rate

    def channel_counts(self) -> list[int]:
        """Return the channels of the first input and after each given part."""
        return [self.value_channels[value] for value in self.ends]

    def rates(self) -> list[Fraction]:
        """Return the sample rate, in Hz, of the first input and after each given part."""
        return [self.value_rates[value] for value in self.ends]

    @cached_property
    def is_drawn(self) -> bool:
        """Whether all weights are numbers."""
        return all(part.layer.is_drawn for part in self.parts)

    def lengths(self, length: int) -> list[int]:
        """Return the number of samples of each value for ``length`` samples at the first input.

        Other inputs are as long as the first in seconds.
        """
        length = whole_number(length, "length", most=LARGEST_LENGTH)
        return walk(self, self.input_lengths(length), _length_after)

    def input_lengths(self, length: int) -> list[int]:
        """Return the samples of each input for ``length`` samples of the first."""
        length = whole_number(length, "length", most=None)
        return [self._samples_at(number, length) for number in range(len(self.inputs))]

    def _samples_at(self, number: int, length: int) -> int:
        samples = length * self.input_rates[number] / self.input_rate
        if samples.denominator != 1:
            raise ShapeError(
                "the inputs have no common length",
                given=f"{length} samples of {self.inputs[0].name!r} are {float(samples):g} of "
                f"{self.inputs[number].name!r}",
                fix=f"a multiple of {samples.denominator} samples",
            )
        return int(samples)

    def output_length(self, length: int) -> int:
        """Return the number of output samples for ``length`` input samples, or refuse."""
        return self.lengths(length)[self.end]

    # ------------------------------------------------------------------ other graphs

    def draw(self, seed: int | np.random.Generator | None) -> Self:
        """Return the network with every initialisation replaced by drawn arrays.

        Each layer draws from a stream of its own, so a change of one layer leaves the numbers of
        the others as they were.

        Parameters
        ----------
        seed : int, numpy Generator or None
            None draws anew each time.
        """
        if isinstance(seed, np.random.Generator):
            streams = seed.spawn(len(self.parts))
        else:
            if seed is not None:
                seed = whole_number(seed, "seed", least=0, most=LARGEST_SEED)
            sequence = np.random.SeedSequence(seed).spawn(len(self.parts))
            streams = [np.random.default_rng(each) for each in sequence]
        return self._with_layers(
            [part.layer.draw(own) for part, own in zip(self.parts, streams, strict=True)]
        )

    def _with_layers(self, layers: Sequence[Layer]) -> Self:
        """Return the same network of other layers, one for each given part."""
        made = object.__new__(type(self))
        pairs = zip(self.parts, layers, strict=True)
        parts = tuple(part._replace(layer=layer) for part, layer in pairs)
        made._keep(**(self.__getstate__() | {"parts": parts}))
        _ = made.value_channels
        return made

    def replace(self, **changes: object) -> Graph:
        """Return a graph with some of its arguments changed."""
        fields: dict[str, object] = {
            "nodes": self.parts,
            "inputs": self.inputs,
            "sample_rate": self.sample_rate,
            "output": self.output,
            "name": self.name,
            "notes": self.notes,
        }
        return Graph(**(fields | changes))  # type: ignore[arg-type]

    def upto(self, where: int | str) -> Self:
        """Return the network up to a given part, by its name or its number from 1."""
        place = self.place_of(where)
        needed = {self.parts[place - 1].name}
        for part in reversed(self.parts[:place]):
            if part.name in needed:
                needed.update(part.reads)
        made = object.__new__(type(self))
        fields = {
            "parts": tuple(part for part in self.parts[:place] if part.name in needed),
            "inputs": tuple(each for each in self.inputs if each.name in needed),
            "sample_rate": self.rates()[place],
            "output": self.parts[place - 1].name,
        }
        made._keep(**(self.__getstate__() | fields))
        if "operators" in vars(self):
            kept = [number for number, node in enumerate(self.nodes) if node.name in made._by_name]
            vars(made)["operators"] = tuple(self.operators[number] for number in kept)
        return made

    def after(self, name: int | str) -> Graph:
        """Return the network behind a node: its value becomes an input of the same name.

        Other inputs stay where they are still needed.

        Parameters
        ----------
        name : str or int
            Of any node, inside a branch too; a given part also by its number from 1.

        Examples
        --------
        >>> from upsim.layers import Nearest, Opaque
        >>> nodes = [("lstm", Opaque("LSTM", 8), "codes"), ("up", Nearest(2), "lstm")]
        >>> Graph(nodes, inputs={"codes": 8}, sample_rate=16000).after("lstm")
        Graph([('up', Nearest(2), 'lstm')], inputs={'lstm': 8}, sample_rate=16000)
        """
        if not isinstance(name, str):
            name = self.parts[self.place_of(name) - 1].name
        node = self.node(name)
        if node.output == self.end:
            raise ArgumentError(
                "nothing comes after the output",
                given=repr(name),
                expected="a node before it",
                fix=self.before(node),
            )
        parts = self.parts
        if all(part.name != name for part in parts):
            names = [*(each.name for each in self.inputs), *(each.name for each in self.nodes)]
            parts = tuple(
                Part(each.name, each.layer, tuple(names[value] for value in each.inputs))
                for each in self.nodes
            )
        needed, kept = {self.output}, []
        for part in reversed(parts):
            if part.name in needed and part.name != name:
                kept.append(part)
                needed.update(part.reads)
        made = object.__new__(Graph)
        made._fill(
            tuple(reversed(kept)),
            (
                Input(name, self.value_channels[node.output]),
                *(each for each in self.inputs if each.name in needed),
            ),
            self.sample_rate,
            self.output,
            self.name,
            self.notes,
        )
        return made

    def values_upto(self, where: int | str) -> tuple[int, ...]:
        """Return the values of this network that :meth:`upto` keeps, in its order."""
        kept = self.upto(where)
        names = {each.name: number for number, each in enumerate(self.inputs)}
        names |= {node.name: node.output for node in self.nodes}
        return tuple(
            names[name]
            for name in [each.name for each in kept.inputs] + [node.name for node in kept.nodes]
        )

    def before(self, node: Node) -> str:
        """Return what to type for the network before a node; "" where nothing comes before."""
        place = node.place
        if not any(name in self._by_name for name in self.parts[place - 1].reads):
            return ""
        read = self.parts[place - 1].reads[0]
        return f"graph.upto({read!r})"

    def placed(self, node: Node) -> _Placed:
        """Return a context that adds a node's place to an error: the outer ring of two."""
        return self.named(node.name)

    def named(self, name: str) -> _Placed:
        """Return a context that adds the place of the node of a name."""
        of = f" of {len(self.parts)}" if spoken(name) != name else ""
        return _Placed(spoken(name) + of)

    # ------------------------------------------------------------------ words

    def __len__(self) -> int:
        return len(self.parts)

    def label(self, number: int) -> str:
        """Return a given part's name as reports print it: ``layer 2 (TransposedConv)``."""
        part = self.parts[self.place_of(number) - 1]
        return f"{spoken(part.name)} ({part.layer.called})"

    def kind(self, name: str) -> str:
        """Return what bears a name: ``2.1.2`` may be a ``TransposedConv``, ``mel`` an input."""
        name = checked_name(name)
        if any(each.name == name for each in self.inputs):
            return "input"
        for part in self.parts:
            if part.name == name:
                return part.layer.called
        return self.node(name).layer.called

    def __repr__(self) -> str:
        nodes = [
            (part.name, part.layer, part.reads[0] if len(part.reads) == 1 else part.reads)
            for part in self.parts
        ]
        inputs: object = {each.name: each.channels for each in self.inputs}
        if any(each.signal is not None for each in self.inputs):
            inputs = list(self.inputs)
        words = [repr(nodes), f"inputs={inputs!r}", f"sample_rate={rate_text(self.sample_rate)}"]
        words += [f"output={self.output!r}"] if self.output != self.parts[-1].name else []
        words += [f"name={self.name!r}"] if self.name else []
        words += [f"notes={list(self.notes)!r}"] if self.notes else []
        return f"Graph({', '.join(words)})"

    def summary(self) -> str:
        """Return one line: channels and rates from end to end."""
        count = len(self.parts)
        what, unit = type(self).__name__.lower(), self._unit
        rate, made = self.input_rate, self.sample_rate
        return (
            f"{self.name or what}: {count} {unit}{'' if count == 1 else 's'}, "
            f"{self.in_channels} to {self.out_channels} channels, "
            f"{format_hertz(rate)} to {format_hertz(made)}"
        )


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


def needs_network(value: object, who: str) -> Graph:
    """Return a graph or stack, or refuse anything else in its caller's name."""
    if not isinstance(value, Graph):
        raise ArgumentTypeError(
            f"{who} needs a Stack or a Graph",
            given=shown(value),
            expected="an upsim.Stack or upsim.Graph",
            fix="upsim.Stack([upsim.Nearest(2)], sample_rate=16000)",
        )
    return value


def refuse_several_inputs(graph: Graph, who: str) -> None:
    """Refuse a graph of several inputs where only one has a meaning."""
    if len(graph.inputs) > 1:
        names = ", ".join(repr(each.name) for each in graph.inputs)
        raise ShapeError(
            f"{who} needs a network of one input",
            given=f"{len(graph.inputs)} inputs: {names}",
            fix=_part_of_one_input(graph),
        )


def _part_of_one_input(graph: Graph) -> str:
    """Return what to type for the last part that one input alone reaches; "" if there is none."""
    starts = [frozenset([number]) for number in range(len(graph.inputs))]
    reached = walk(graph, starts, lambda _, given: frozenset[int]().union(*given))
    alone = [
        part.name
        for part, end in zip(graph.parts, graph.ends[1:], strict=True)
        if len(reached[end]) == 1
    ]
    return f"graph.upto({alone[-1]!r})" if alone else ""


class _Placed:
    """Add a place to an error of upsim."""

    def __init__(self, place: str) -> None:
        self.place = place

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, UpsimError):
            raise error.at(self.place) from None


def _length_after(node: Node, given: Sequence[int]) -> int:
    """Return the length after a node; branches that meet must be equally long."""
    if len(set(given)) > 1:
        raise ShapeError(
            "branches that meet have different lengths",
            given=" and ".join(map(str, given)) + " samples",
            expected="equal lengths",
            fix="another input length, another padding, or upsim.Crop(left, right) in a branch",
        )
    return node.layer.output_length(given[0])


class _Lowering:
    """The nodes of the given parts, and the channels of each value, part by part."""

    def __init__(self, graph: Graph) -> None:
        self.nodes: list[Node] = []
        self.channels = [each.channels for each in graph.inputs]
        self._graph = graph

    def append(self, part: Part, reads: tuple[int, ...], place: int) -> int:
        """Append the nodes of one part; return the value that it makes."""
        layer = part.layer
        several = isinstance(layer, Merging) or len(reads) == layer.values_read
        if len(reads) != 1 and not several:
            raise ShapeError(
                "a layer reads one value",
                given=f"{len(reads)} values",
                fix="a merging before it: upsim.Add(), upsim.Average() or upsim.Concatenate()",
                where=spoken(part.name),
            )
        return self._single(layer, reads, part.name, place)

    # Nesting is bounded (refuse_deep_nesting); the length of a chain is not, and costs no depth.
    def _single(self, layer: Layer, values: tuple[int, ...], name: str, place: int) -> int:
        if isinstance(layer, Branch):
            ends = [
                self._chain(branch, values[0], f"{name}.{number}", place)
                for number, branch in enumerate(layer.parts, 1)
            ]
            return self._node(name, MERGINGS[layer.merging], tuple(ends), place)
        with self._graph.named(name):
            made = lowering(layer, [self.channels[value] for value in values])
        if made is None:
            return self._node(name, layer, values, place)
        # What comes before the last node is numbered; the last bears the name.
        count = sum(map(len, made.before)) + len(made.after)
        names = [*(f"{name}.{number}" for number in range(1, count + 1)), name]
        ends = []
        for value, chain in zip(values, made.before, strict=True):
            end = value
            for each in chain:
                end = self._node(names.pop(0), each, (end,), place)
            ends.append(end)
        kind = layer.how if isinstance(layer, Merging) else ""
        for each, read in [(made.merging, tuple(ends)), *((each, ()) for each in made.after)]:
            reads = read or (len(self.channels) - 1,)
            own = names.pop(0)
            self._node(own, each, reads, place, kind if own == name else "")
        return len(self.channels) - 1

    def _chain(self, layers: Sequence[Layer], value: int, path: str, place: int) -> int:
        for number, layer in enumerate(layers, 1):
            value = self._single(layer, (value,), f"{path}.{number}", place)
        return value

    def _node(
        self, name: str, layer: Layer, values: tuple[int, ...], place: int, kind: str = ""
    ) -> int:
        """Append one node."""
        each = [self.channels[value] for value in values]
        with self._graph.named(name):
            if isinstance(layer, Merging):
                made = layer.merged_channels(each)
            else:
                made = layer.channels_out(each[0])
        self.nodes.append(Node(name, layer, values, len(self.channels), place, kind))
        self.channels.append(made)
        return len(self.channels) - 1


def _checked_parts(nodes: object) -> tuple[Part, ...]:
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


def checked_name(name: object) -> str:
    """Return a node's name if reports can print it."""
    if not isinstance(name, str):
        raise ArgumentTypeError("a node's name must be a string", given=shown(name))
    if not name or not name.isprintable():
        raise ArgumentError(
            "a node's name must be printable and not empty", given=shown(name), fix='"up1"'
        )
    return name


def _checked_notes(notes: object) -> tuple[str, ...]:
    if not isinstance(notes, tuple | list):
        raise ArgumentTypeError(
            "notes must be a list of texts", given=f"notes={shown(notes)}", fix="notes=[]"
        )
    return tuple(plain_text(each, f"notes[{number}]") for number, each in enumerate(notes))


def _checked_inputs(inputs: object) -> tuple[Input, ...]:
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


def _value_of(values: Mapping[str, int], name: str, part: Part) -> int:
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


def _unknown_node(name: str, known: Sequence[str]) -> UnknownNameError:
    listed = ", ".join(known[:12]) + (", …" if len(known) > 12 else "")
    return UnknownNameError(
        "there is no such node",
        given=shown(name),
        expected=listed,
        fix=near_names(name, known),
    )


def _refuse_unread(graph: Graph) -> None:
    """Refuse nodes and inputs that do not reach the output."""
    reached = walk_back(graph, 1, lambda node, _: [1] * len(node.inputs), max)
    names = [each.name for each in graph.inputs] + [node.name for node in graph.nodes]
    for name, worth in zip(names, reached, strict=True):
        if worth is None:
            raise ArgumentError(
                "a value does not reach the output",
                given=f"{name!r}, output {graph.output!r}",
                fix="leave it out, or name another output=",
            )


def rate_text(rate: Fraction) -> str:
    """Return a rate as a constructor takes it."""
    return str(int(rate)) if rate.denominator == 1 else repr(rate)
