"""Branches and layers of several steps, said as plain nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from upsim.errors import ShapeError
from upsim.layers.base import Branch, Layer
from upsim.layers.merging import MERGINGS, Merging, lowering
from upsim.network.node import Input, Node, Part, spoken


class Lowering:
    """The nodes of the given parts, and the channels of each value, part by part."""

    def __init__(
        self, inputs: Sequence[Input], named: Callable[[str], AbstractContextManager[None]]
    ) -> None:
        self.nodes: list[Node] = []
        self.channels = [each.channels for each in inputs]
        self._named = named

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
        with self._named(name):
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
        with self._named(name):
            if isinstance(layer, Merging):
                made = layer.merged_channels(each)
            else:
                made = layer.channels_out(each[0])
        self.nodes.append(Node(name, layer, values, len(self.channels), place, kind))
        self.channels.append(made)
        return len(self.channels) - 1
