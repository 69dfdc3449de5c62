"""Where several values become one: added, averaged, stacked channel upon channel, multiplied.

A merging is a node of a graph, never a layer of a chain: it reads several values.  The theory knows
the sum, the mean and the concatenation.  A difference, a product and a quotient are made of these
and of layers: :func:`lowering` says how, and a graph has the nodes of that instead.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from upsim.errors import ShapeError
from upsim.layers.base import Layer
from upsim.layers.channels import Scale, Select
from upsim.layers.gated import Gate, Reciprocal
from upsim.layers.lowering import Lowering
from upsim.operators import LengthRule


class Merging(Layer):
    """Values of equal rate and length become one value.

    ``how`` is "sum", "mean" or "concatenate": all that a rule of the theory needs to know.
    """

    @property
    @abstractmethod
    def how(self) -> str:
        """The word."""

    @abstractmethod
    def merged_channels(self, each: Sequence[int]) -> int:
        """Return the output channels for values of so many channels each, or refuse."""

    def channels_out(self, channels: int) -> int:
        """Return the channels for one value."""
        return self.merged_channels([channels])

    def length_rule(self) -> LengthRule:
        """Return the law that keeps the length."""
        return LengthRule()


class _Elementwise(Merging):
    """Values are combined sample by sample, so their channels agree."""

    def merged_channels(self, each: Sequence[int]) -> int:
        """Return the common number of channels."""
        if len(set(each)) != 1:
            raise ShapeError(
                "branches that are added have different channels",
                given=f"{list(each)}",
                expected="equal numbers",
                fix='merge="concatenate"',
            )
        return each[0]


@final
@dataclass(frozen=True, eq=False, repr=False)
class Add(_Elementwise):
    """The sum of all values, as a residual connection has it.

    Examples
    --------
    >>> Add().merged_channels([8, 8])
    8
    """

    @property
    def how(self) -> str:
        """The word."""
        return "sum"


@final
@dataclass(frozen=True, eq=False, repr=False)
class Average(_Elementwise):
    """The mean of all values."""

    @property
    def how(self) -> str:
        """The word."""
        return "mean"


@final
@dataclass(frozen=True, eq=False, repr=False)
class Concatenate(Merging):
    """The channels of all values, in order.

    Examples
    --------
    >>> Concatenate().merged_channels([8, 4])
    12
    """

    @property
    def how(self) -> str:
        """The word."""
        return "concatenate"

    def merged_channels(self, each: Sequence[int]) -> int:
        """Return the channels of all values together."""
        return sum(each)


class _OfTwo(Merging):
    """Two values, the first and the second; one channel goes with all channels of the other."""

    def merged_channels(self, each: Sequence[int]) -> int:
        """Return the channels of the wider value."""
        if len(each) != 2:
            raise ShapeError(
                f"a {self.how} is of two values",
                given=f"{len(each)} values",
                expected="exactly two, in order",
                fix="one node for each two values",
            )
        _refuse_other_channels(each, self.how)
        return max(each)


@final
@dataclass(frozen=True, eq=False, repr=False)
class Subtract(_OfTwo):
    """The first value less the second."""

    @property
    def how(self) -> str:
        """The word."""
        return "difference"

    def lowered(self, values: int) -> Lowering:
        """Return the sum of the first and minus the second."""
        return Lowering(((), (Scale(-1.0),)), Add())


@final
@dataclass(frozen=True, eq=False, repr=False)
class Multiply(_OfTwo):
    """The product of two values; a mask of one channel goes with all channels.

    A line of the product is the first value's as far as it passes with one gain.

    Examples
    --------
    >>> Multiply().merged_channels([8, 1])
    8
    """

    @property
    def how(self) -> str:
        """The word."""
        return "product"

    def lowered(self, values: int) -> Lowering:
        """Return a gate of two identities on the channels of both."""
        return Lowering(((), ()), Concatenate(), (Gate(),))


@final
@dataclass(frozen=True, eq=False, repr=False)
class Divide(_OfTwo):
    """The first value divided by the second, which may not be random: its moments do not exist."""

    @property
    def how(self) -> str:
        """The word."""
        return "quotient"

    def lowered(self, values: int) -> Lowering:
        """Return a gate that the reciprocal of the second value opens."""
        return Lowering(((), ()), Concatenate(), (Gate(None, Reciprocal()),))


def lowering(layer: Layer, channels: Sequence[int]) -> Lowering | None:
    """Return what a node that reads values of so many channels is made of, None for one node.

    A layer that reads several values side by side reads their concatenation.  One channel beside
    several is repeated, as frameworks broadcast it.

    Examples
    --------
    >>> lowering(Add(), [8, 8]) is None
    True
    >>> lowering(Add(), [1, 2]).before
    ((Select((0, 0)),), ())
    """
    if isinstance(layer, _OfTwo):
        layer.merged_channels(channels)
    found = layer.lowered(len(channels))
    if isinstance(found, Layer):
        return lowering(found, channels) or Lowering(((),) * len(channels), found)
    if found is not None:
        made = found
    elif isinstance(layer, Merging):
        made = Lowering(((),) * len(channels), layer)
    elif len(channels) == layer.values_read > 1:
        _refuse_other_channels(channels, type(layer).__name__)
        made = Lowering(((),) * len(channels), Concatenate(), (layer,))
    else:
        return None
    widest = max(channels)
    if not isinstance(layer, Concatenate) and set(channels) == {1, widest}:
        repeated = Select((0,) * widest)
        before = tuple(
            (repeated, *chain) if count < widest else chain
            for count, chain in zip(channels, made.before, strict=True)
        )
        made = made._replace(before=before)
    return made if any(made.before) or made.after else None


def _refuse_other_channels(each: Sequence[int], what: str) -> None:
    if len({count for count in each if count > 1}) > 1:
        raise ShapeError(
            f"the values of a {what} have different channels",
            given=" and ".join(map(str, each)),
            expected="equal numbers, or one channel that goes with all",
        )


#: The mergings by the word that Parallel uses.
MERGINGS: dict[str, Merging] = {each.how: each for each in (Add(), Average(), Concatenate())}

#: All of them by the name of their class, as files have it.
NAMED_MERGINGS: dict[str, Merging] = {
    type(each).__name__: each for each in (*MERGINGS.values(), Subtract(), Multiply(), Divide())
}
