"""A stack: layers in order, and the sample rate of what comes out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from math import ceil
from typing import overload

from upsim.errors import ArgumentError
from upsim.layers.base import Layer
from upsim.layers.branches import chain_channels_in, finite_list, layer_tuple
from upsim.network.graph import Graph
from upsim.network.node import Input, Node, Part, checked_name
from upsim.words.arguments import whole_number
from upsim.words.units import rate_text

#: The name of a stack's input.
INPUT = "input"


class Stack(Graph):
    """Layers in order: the sequential constructor of a graph.

    Parameters
    ----------
    layers : iterable of Layer, or of (name, Layer)
        A layer without a name is called by its number: "3".
    sample_rate : number
        Of the OUTPUT, in Hz; kept as an exact fraction.
    in_channels : int, optional
        Needed only where no layer says it; 1 by default.
    name : str, optional

    Examples
    --------
    >>> from upsim.layers import Nearest
    >>> stack = Stack([Nearest(2), Nearest(2)], sample_rate=16000)
    >>> stack.input_rate, stack.output_length(100)
    (Fraction(4000, 1), 400)
    >>> Stack([("up1", Nearest(2)), ("up2", Nearest(2))], sample_rate=16000).label(2)
    'up2 (Nearest)'
    """

    _unit = "layer"

    def __init__(
        self,
        layers: Iterable[Layer | tuple[str, Layer]],
        sample_rate: object,
        *,
        in_channels: int | None = None,
        name: str = "",
    ) -> None:
        names, found = _named(layers)
        if in_channels is None:
            channels = chain_channels_in(found) or _least_channels(found)
        else:
            channels = whole_number(in_channels, "in_channels")
        reads = (INPUT, *names[:-1])
        parts = tuple(
            Part(own, layer, (read,)) for own, layer, read in zip(names, found, reads, strict=True)
        )
        self._fill(parts, (Input(INPUT, channels),), sample_rate, names[-1], name)

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each layer; its number where it was given none."""
        return tuple(part.name for part in self.parts)

    @property
    def is_named(self) -> bool:
        """Whether any layer was given a name."""
        return self.names != tuple(map(str, range(1, len(self) + 1)))

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers in order."""
        return tuple(part.layer for part in self.parts)

    def replace(self, **changes: object) -> Stack:
        """Return a stack with some of its fields changed."""
        fields = {
            "layers": _as_given(self),
            "sample_rate": self.sample_rate,
            "in_channels": self.in_channels,
            "name": self.name,
        }
        return Stack(**(fields | changes))  # type: ignore[arg-type]

    def before(self, node: Node) -> str:
        """Return what to type for the layers before a node's; "" where there are none."""
        return f"stack.upto({node.place - 1})" if node.place > 1 else ""

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    @overload
    def __getitem__(self, index: int) -> Layer: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Layer, ...]: ...
    def __getitem__(self, index: int | slice) -> Layer | tuple[Layer, ...]:
        return self.layers[index]

    def __repr__(self) -> str:
        parts = [repr(_as_given(self)), f"sample_rate={rate_text(self.sample_rate)}"]
        if self.in_channels != (chain_channels_in(self.layers) or _least_channels(self.layers)):
            parts.append(f"in_channels={self.in_channels}")
        parts += [f"name={self.name!r}"] if self.name else []
        return f"Stack({', '.join(parts)})"


def _named(layers: object) -> tuple[tuple[str, ...], tuple[Layer, ...]]:
    """Return the names and the layers of a stack as it was given."""
    if isinstance(layers, Iterable) and not isinstance(layers, str | Layer):
        listed = finite_list(layers, "layers")
    else:
        listed = layer_tuple(layers, "layers")
    if not listed:
        raise ArgumentError(
            "a stack needs at least one layer",
            given="no layers",
            fix="upsim.Stack([upsim.Nearest(2)], sample_rate=16000)",
        )
    names, found = [], []
    for number, each in enumerate(listed, 1):
        name, layer = each if isinstance(each, tuple) and len(each) == 2 else (str(number), each)
        is_number = isinstance(name, str) and name.replace(".", "").isdigit()
        if is_number and name != str(number):
            raise ArgumentError(
                "a layer whose name is a number bears its own number",
                given=f"{name!r} for layer {number}",
                fix=f'"layer{name}"',
            )
        names.append(checked_name(name))
        found.append(layer)
    return tuple(names), layer_tuple(found, "layers")


def _as_given(stack: Stack) -> list[Layer | tuple[str, Layer]]:
    """Return the layers, each with its name where it has one of its own."""
    return [
        part.layer if part.name == str(number) else (part.name, part.layer)
        for number, part in enumerate(stack.parts, 1)
    ]


def _least_channels(layers: tuple[Layer, ...]) -> int:
    """Return the fewest input channels that every layer on the way can take."""
    ratio = Fraction(1)
    needed = 1
    for layer in layers:
        if layer.channels_in is not None:
            break
        needed = max(needed, ceil(layer.least_channels / ratio))
        ratio *= layer.channel_ratio
        needed = max(needed, ratio.denominator)
    return needed
