"""Where several values become one: added, averaged, or stacked channel upon channel.

A merging is a node of a graph, never a layer of a chain: it reads several values.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from upsim.errors import ShapeError
from upsim.layers.base import Layer
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


#: The mergings by the word that Parallel uses.
MERGINGS: dict[str, Merging] = {each.how: each for each in (Add(), Average(), Concatenate())}
