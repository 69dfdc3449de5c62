"""What a family of models is: how its configurations are told, and what is made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from upsim.errors import ArgumentError, ShapeError
from upsim.importers.fields import Fields
from upsim.layers import Layer
from upsim.models.chain import Chain, as_graph
from upsim.network.graph import Graph

#: Modules of one kind that a field may ask for in a row.
MOST_MODULES = 256


@dataclass(frozen=True, kw_only=True)
class Model:
    """A generator as a configuration describes it.

    Parameters
    ----------
    chain : chain
        Its modules, or else ``nodes``, where two values go side by side.
    inputs : mapping of str to int
        Channels of each input; the chain reads the first.
    factors : sequence of (str, int)
        What multiplies to the samples of a frame: a word and a number each.
    rate : Fraction
        Of the output, in Hz.
    frames : sequence of (str, Fraction)
        Samples of a frame as other fields have them.
    """

    chain: Chain = ()
    nodes: Sequence[tuple[str, Layer, tuple[str, ...]]] = ()
    inputs: Mapping[str, int]
    factors: Sequence[tuple[str, int]]
    rate: Fraction
    frames: Sequence[tuple[str, Fraction]] = ()

    def graph(self, name: str, notes: Sequence[str]) -> Graph:
        """Return the generator as a graph."""
        if self.nodes:
            return Graph(self.nodes, self.inputs, self.rate, name=name, notes=notes)
        return as_graph(self.chain, self.inputs, self.rate, name, notes)


@dataclass(frozen=True, kw_only=True)
class Family:
    """A family of models.

    Parameters
    ----------
    title : str
    types : sequence of str
        What ``model_type``, ``_target_`` and their like call it, in lower case.
    keys : sequence of str
        Fields that stand together in its section, split by spaces; one set each.
    keys_if_told : sequence of str
        Fields that are enough where the kind is said, too.
    read : callable
        ``read(fields, sample_rate)`` returns the model.
    beside : sequence of str
        Its fields that change nothing of the decoder.
    refusal : str
        Why it cannot be said, if it cannot.
    """

    title: str
    types: Sequence[str] = ()
    keys: Sequence[str]
    keys_if_told: Sequence[str] = ()
    read: Callable[[Fields, object], Model] | None = None
    beside: Sequence[str] = ()
    refusal: str = ""
    sets: tuple[tuple[str, ...], ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sets", tuple(tuple(each.split()) for each in self.keys))

    def sets_for(self, *, told: bool) -> tuple[tuple[str, ...], ...]:
        """Return the sets of fields by which it is known, with or without its kind being said."""
        more = tuple(tuple(each.split()) for each in self.keys_if_told) if told else ()
        return (*self.sets, *more)


def equally_long(first: Sequence[object], second: Sequence[object], names: str) -> None:
    """Refuse two lists that go side by side and are of unequal lengths."""
    if len(first) != len(second):
        raise ShapeError(
            f"{names} are of unequal lengths",
            given=f"{len(first)} and {len(second)} entries",
            expected="one entry a stage",
        )


def halved(width: int, stages: int, name: str) -> None:
    """Refuse a width that leaves no channel after so many halvings."""
    if width // 2**stages < 1:
        raise ArgumentError(
            f"{name} is halved at each stage and leaves no channel",
            given=f"{name}={width}, {stages} stages",
            expected=f"at least {2**stages}",
        )


def doubled(strides: Sequence[int]) -> tuple[int, ...]:
    """Return the kernels that a family implies: twice the strides."""
    return tuple(2 * stride for stride in strides)


def no_shorter(kernels: Sequence[int], strides: Sequence[int], name: str) -> None:
    """Refuse a kernel that is shorter than its stride: its padding ``(k - s) // 2`` is negative."""
    for number, (kernel_size, stride) in enumerate(zip(kernels, strides, strict=True)):
        if kernel_size < stride:
            raise ArgumentError(
                "a kernel is shorter than its stride, so its padding (k - s) // 2 is negative",
                given=f"{name}[{number}]={kernel_size}, stride {stride}",
                expected=f"at least {stride}",
            )


def odd(kernels: Sequence[int], name: str) -> None:
    """Refuse an even kernel where the length must stay: its two paddings would differ by one."""
    for number, kernel_size in enumerate(kernels):
        if kernel_size % 2 == 0:
            raise ArgumentError(
                "an even kernel changes the length of its branch",
                given=f"{name}[{number}]={kernel_size}",
                expected="an odd number",
                fix=f"{name}[{number}]={kernel_size + 1}",
            )
