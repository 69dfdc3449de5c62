"""A network: named nodes in single-assignment order.

Every node reads values that exist and makes one new value, which bears the node's name.  A value
may be read by several nodes: that is how skips cross and parts share.  Everything that goes through
a network (rates, channels, lengths, moments, the neural run, files) is a rule for
:func:`upsim.network.walk.walk`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from types import TracebackType
from typing import Self, TypeVar

import numpy as np

from upsim.errors import ArgumentError, ArgumentTypeError, ShapeError, UpsimError
from upsim.layers.base import Layer, LinearLayer
from upsim.layers.branches import refuse_deep_nesting
from upsim.network.lowering import Lowering
from upsim.network.node import (
    Input,
    Node,
    Part,
    checked_inputs,
    checked_name,
    checked_notes,
    checked_parts,
    spoken,
    unknown_node,
    value_of,
)
from upsim.network.walk import walk, walk_back
from upsim.operators import Operator
from upsim.words.arguments import (
    LARGEST_LENGTH,
    LARGEST_SEED,
    plain_text,
    shown,
    whole_number,
)
from upsim.words.units import format_hertz, positive_rate, rate_text

Value = TypeVar("Value")


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
        parts = checked_parts(nodes)
        self._fill(
            parts,
            checked_inputs(inputs),
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
            notes=checked_notes(notes),
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
        made = Lowering(self.inputs, self.named)
        for place, part in enumerate(self.parts, 1):
            reads = tuple(value_of(values, name, part) for name in part.reads)
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
            raise unknown_node(name, list(self._by_name))
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
            raise unknown_node(where, [part.name for part in self.parts])
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
