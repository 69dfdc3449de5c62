"""The graph under construction: its nodes so far, and the values that they make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from upsim.errors import ShapeError, UpsimError
from upsim.layers.base import Layer
from upsim.layers.merging import Merging
from upsim.network.graph import Graph
from upsim.network.node import Input
from upsim.network.signal import Signal


class Wire(NamedTuple):
    """One value of the graph: its name, its channels, its samples at each recorded length."""

    name: str
    channels: int
    lengths: tuple[int, ...]

    @property
    def is_still(self) -> bool:
        """Whether it is one sample, however long the input is: it has no time."""
        return set(self.lengths) == {1}


class Wiring:
    """Nodes in the order in which they are made; names are kept unique."""

    def __init__(self) -> None:
        self._inputs: list[Input] = []
        self._nodes: list[tuple[str, Layer, tuple[Wire, ...]]] = []
        self._makers: dict[str, tuple[Layer, tuple[Wire, ...]]] = {}
        self._taken: dict[str, int] = {}

    def input(
        self, name: str, channels: int, lengths: tuple[int, ...], signal: Signal | None = None
    ) -> Wire:
        """Add an input; with a signal, one that the network feeds itself."""
        wire = Wire(self._unique(name), channels, lengths)
        self._inputs.append(Input(wire.name, channels, signal))
        return wire

    def node(self, name: str, layer: Layer, *reads: Wire) -> Wire:
        """Add one node, and return what it makes."""
        lengths = {read.lengths for read in reads if not read.is_still} or {reads[0].lengths}
        with _at(name):
            if len(lengths) > 1:
                raise ShapeError(
                    "values of different lengths meet",
                    given=" and ".join(str(each[-1]) for each in sorted(lengths)) + " samples",
                )
            (given,) = lengths
            if isinstance(layer, Merging):
                channels = layer.merged_channels([read.channels for read in reads])
            else:
                # A layer of several values takes them as groups of channels of one.
                channels = layer.channels_out(sum(read.channels for read in reads))
            made = tuple(_length(layer, each) for each in given)
        wire = Wire(self._unique(name), channels, made)
        self._nodes.append((wire.name, layer, reads))
        self._makers[wire.name] = (layer, reads)
        return wire

    def maker(self, wire: Wire) -> tuple[Layer, tuple[Wire, ...]] | None:
        """Return what makes a value, and what that reads; None for an input."""
        return self._makers.get(wire.name)

    def chain(self, name: str, layers: Sequence[Layer], wire: Wire, *, main: int = -1) -> Wire:
        """Add layers one after another; the ``main`` one bears the name, the others a part of it.

        A layer beside it is called by what it does: "ups.0.pad", "ups.0.crop".
        """
        bearer = main % len(layers) if layers else 0
        for number, layer in enumerate(layers):
            own = name if number == bearer else f"{name}.{type(layer).__name__.lower()}"
            wire = self.node(own, layer, wire)
        return wire

    def graph(
        self, output: Wire, sample_rate: object, name: str, notes: Sequence[str] = ()
    ) -> Graph:
        """Return the graph of all nodes that reach the output."""
        needed = {output.name}
        kept = []
        for node, layer, reads in reversed(self._nodes):
            if node in needed:
                names = tuple(read.name for read in reads)
                needed.update(names)
                kept.append((node, layer, names))
        if not kept:
            raise ShapeError(
                "nothing is computed between the inputs and the output",
                given=f"output {output.name!r}",
                fix="another output, or other inputs",
            )
        inputs = [each for each in self._inputs if each.name in needed]
        return Graph(
            reversed(kept), inputs, sample_rate, output=output.name, name=name, notes=tuple(notes)
        )

    def _unique(self, name: str) -> str:
        plain = "".join(sign if sign.isprintable() else "?" for sign in name) or "value"
        return unique(plain, self._taken)


def unique(name: str, taken: dict[str, int]) -> str:
    """Return a name that is free, and note it: "act", "act.2", "act.3".

    ``taken`` holds each name with the last number behind it, so many equal names cost no search.
    """
    found, number = name, taken.get(name, 0)
    while found in taken:
        number += 1
        found = f"{name}.{number + 1}"
    taken[name] = max(number, taken.get(name, 0))
    taken.setdefault(found, 0)
    return found


def _length(layer: Layer, length: int) -> int:
    return layer.output_length(length)


class _at:  # noqa: N801 - reads as a word
    """Add a place to an error of upsim."""

    def __init__(self, place: str) -> None:
        self.place = place

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if isinstance(error, UpsimError):
            raise error.at(self.place) from None
