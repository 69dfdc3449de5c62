"""A stack: layers in order, and the sample rate of what comes out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import cached_property
from math import prod

import numpy as np

from upsim.errors import ArgumentError, ArgumentTypeError, UnknownNameError, UpsimError
from upsim.layers.base import Branch, Layer, LinearLayer
from upsim.layers.branches import chain_channels_in, chain_lengths, layer_tuple, refuse_deep_nesting
from upsim.operators import LengthRule, Operator
from upsim.words.arguments import LARGEST_LENGTH, LARGEST_SEED, plain_text, shown, whole_number
from upsim.words.units import format_hertz, positive_rate


@dataclass(frozen=True, init=False, repr=False)
class Stack:
    """Layers in order.

    Parameters
    ----------
    layers : iterable of Layer
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
    """

    layers: tuple[Layer, ...]
    sample_rate: Fraction
    in_channels: int
    name: str

    def __init__(
        self,
        layers: Iterable[Layer],
        sample_rate: object,
        *,
        in_channels: int | None = None,
        name: str = "",
    ) -> None:
        found = layer_tuple(layers, "layers")
        if not found:
            raise ArgumentError(
                "a stack needs at least one layer",
                given="no layers",
                fix="upsim.Stack([upsim.Nearest(2)], sample_rate=16000)",
            )
        plain_text(name, "name")
        refuse_deep_nesting(found)
        rate = positive_rate(sample_rate)
        wanted = chain_channels_in(found)
        if in_channels is None:
            channels = wanted or _least_channels(found)
        else:
            channels = whole_number(in_channels, "in_channels")
        for key, value in (
            ("layers", found),
            ("sample_rate", rate),
            ("in_channels", channels),
            ("name", name),
        ):
            object.__setattr__(self, key, value)
        self.channel_counts()

    def channel_counts(self) -> list[int]:
        """Return the channels before the first layer and after each layer."""
        counts = [self.in_channels]
        for number, layer in enumerate(self.layers, 1):
            try:
                counts.append(layer.channels_out(counts[-1]))
            except UpsimError as error:
                raise error.at(f"layer {number} of {len(self.layers)}") from None
        return counts

    @property
    def out_channels(self) -> int:
        """Channels of the output."""
        return self.channel_counts()[-1]

    @cached_property
    def rate(self) -> Fraction:
        """Output samples per input sample."""
        return prod((layer.rate for layer in self.layers), start=Fraction(1))

    @property
    def input_rate(self) -> Fraction:
        """Sample rate of the input, in Hz."""
        return self.sample_rate / self.rate

    def rates(self) -> list[Fraction]:
        """Return the sample rate, in Hz, before the first layer and after each layer."""
        found = [self.input_rate]
        for layer in self.layers:
            found.append(found[-1] * layer.rate)
        return found

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The layers, branches and all, in single-assignment order."""
        return tuple(lower(self.layers))

    @cached_property
    def value_channels(self) -> tuple[int, ...]:
        """Channels of each value that :attr:`steps` number; value 0 is the input."""
        found = [self.in_channels]
        for step in self.steps:
            given = [found[value] for value in step.inputs]
            if step.layer is None:
                found.append(sum(given) if step.merging == "concatenate" else given[0])
                continue
            try:
                found.append(step.layer.channels_out(given[0]))
            except UpsimError as error:
                raise error.at(f"layer {step.label} of {len(self)}") from None
        return tuple(found)

    @cached_property
    def operators(self) -> tuple[Operator | None, ...]:
        """The operator of each step; None for activations, normalisations and mergings.

        Layers do not change, so their operators are made once for a stack.
        """
        found: list[Operator | None] = []
        for step in self.steps:
            operator = None
            if isinstance(step.layer, LinearLayer):
                try:
                    operator = step.layer.operator(self.value_channels[step.inputs[0]])
                except UpsimError as error:
                    raise error.at(f"layer {step.label} of {len(self)}") from None
            found.append(operator)
        return tuple(found)

    def length_rule(self) -> LengthRule:
        """Return the length law of the whole stack."""
        return chain_lengths(self.layers)

    def output_length(self, length: int) -> int:
        """Return the number of output samples for ``length`` input samples."""
        length = whole_number(length, "length", most=LARGEST_LENGTH)
        for number, layer in enumerate(self.layers, 1):
            try:
                length = layer.output_length(length)
            except UpsimError as error:
                raise error.at(
                    f"layer {number} of {len(self.layers)} ({type(layer).__name__})"
                ) from None
        return length

    @cached_property
    def is_drawn(self) -> bool:
        """Whether all weights are numbers."""
        return all(layer.is_drawn for layer in self.layers)

    def draw(self, seed: int | np.random.Generator | None) -> Stack:
        """Return the stack with every initialisation replaced by drawn arrays.

        Each layer draws from a stream of its own, so a change of one layer leaves the numbers of
        the others as they were.

        Parameters
        ----------
        seed : int, numpy Generator or None
            None draws anew each time.
        """
        if isinstance(seed, np.random.Generator):
            streams = seed.spawn(len(self.layers))
        else:
            if seed is not None:
                seed = whole_number(seed, "seed", least=0, most=LARGEST_SEED)
            sequence = np.random.SeedSequence(seed).spawn(len(self.layers))
            streams = [np.random.default_rng(each) for each in sequence]
        drawn = [layer.draw(stream) for layer, stream in zip(self.layers, streams, strict=True)]
        return self.replace(layers=drawn)

    def replace(self, **changes: object) -> Stack:
        """Return a stack with some of its fields changed."""
        fields = {
            "layers": self.layers,
            "sample_rate": self.sample_rate,
            "in_channels": self.in_channels,
            "name": self.name,
        }
        return Stack(**(fields | changes))  # type: ignore[arg-type]

    def upto(self, count: int) -> Stack:
        """Return the first ``count`` layers as a stack of their own, at their own rate."""
        count = whole_number(count, "count")
        if count > len(self):
            raise ArgumentError(
                "the stack has fewer layers",
                given=f"count={count}, {len(self)} layers",
                expected=f"at most {len(self)}",
                fix=f"count={len(self)}",
            )
        return self.replace(layers=self.layers[:count], sample_rate=self.rates()[count])

    def label(self, number: int) -> str:
        """Return a layer's name as reports print it: ``layer 2 (TransposedConv)``."""
        number = whole_number(number, "number", most=len(self))
        return f"layer {number} ({type(self.layers[number - 1]).__name__})"

    def kind(self, label: str) -> str:
        """Return the type of the layer at a label: ``2.1.2`` may be a ``TransposedConv``."""
        step = next((step for step in self.steps if step.label == str(label)), None)
        if step is None:
            raise UnknownNameError(
                "no layer has this label",
                given=f"label={shown(label)}",
                expected=f'"1" to "{len(self)}", or a layer inside a branch: "3.1.2"',
                fix="stack.kind('1')",
            )
        branch = self.layers[step.path[0] - 1]
        return type(branch if step.layer is None else step.layer).__name__

    def __getstate__(self) -> dict[str, object]:
        """Return the fields: what was worked out from them is not sent along."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __getitem__(self, index: int) -> Layer:
        return self.layers[index]

    def __repr__(self) -> str:
        rate = self.sample_rate
        parts = [repr(list(self.layers))]
        parts.append(f"sample_rate={int(rate) if rate.denominator == 1 else repr(rate)}")
        if self.in_channels != (chain_channels_in(self.layers) or _least_channels(self.layers)):
            parts.append(f"in_channels={self.in_channels}")
        parts += [f"name={self.name!r}"] if self.name else []
        return f"Stack({', '.join(parts)})"

    def summary(self) -> str:
        """Return one line: channels and rates from end to end."""
        counts = self.channel_counts()
        layers = "1 layer" if len(self) == 1 else f"{len(self)} layers"
        return (
            f"{self.name or 'stack'}: {layers}, {counts[0]} to {counts[-1]} channels, "
            f"{format_hertz(self.input_rate)} to {format_hertz(self.sample_rate)}"
        )


def stack_of(value: object, name: str = "stack") -> Stack:
    """Return a network as it was given, or refuse what is none: the one place that decides.

    Examples
    --------
    >>> from upsim.layers import Nearest
    >>> stack_of(Nearest(2))
    Traceback (most recent call last):
        ...
    upsim.errors.ArgumentTypeError: stack must be a Stack. given: stack=Nearest(2). ...
    """
    if isinstance(value, Stack):
        return value
    raise ArgumentTypeError(
        f"{name} must be a Stack",
        given=f"{name}={shown(value)}",
        expected="an upsim.Stack",
        fix="upsim.Stack([upsim.Nearest(2)], sample_rate=16000)",
    )


@dataclass(frozen=True)
class Step:
    """One layer, or one merging, in the order in which a stack is run.

    Values are numbered in single-assignment order: the input is value 0, and each step makes one
    new value.

    Parameters
    ----------
    layer : Layer or None
        None for a merging.
    inputs : tuple of int
        The values that the step reads.
    output : int
        The value that it makes.
    path : tuple of int
        Where the layer stands: (3,) is layer 3, (3, 1, 2) the second layer of the first branch of
        layer 3.
    merging : str
        "sum", "mean" or "concatenate" for a merging, else "".
    """

    layer: Layer | None
    inputs: tuple[int, ...]
    output: int
    path: tuple[int, ...]
    merging: str = ""

    @cached_property
    def label(self) -> str:
        """The path as reports print it: ``3`` or ``3.1.2``."""
        return ".".join(map(str, self.path))

    @property
    def name(self) -> str:
        """The label with the layer's type: ``layer 3.1.2 (Conv)``."""
        kind = self.merging if self.layer is None else type(self.layer).__name__
        return f"layer {self.label} ({kind})"


def lower(layers: Iterable[Layer]) -> list[Step]:
    """Return a chain of layers, branches and all, as steps over named values."""
    steps: list[Step] = []
    _lower_chain(tuple(layers), 0, (), steps)
    return steps


def _lower_chain(
    layers: tuple[Layer, ...], value: int, path: tuple[int, ...], steps: list[Step]
) -> int:
    for number, layer in enumerate(layers, 1):
        here = (*path, number)
        if isinstance(layer, Branch):
            ends = tuple(
                _lower_chain(part, value, (*here, branch), steps)
                for branch, part in enumerate(layer.parts, 1)
            )
            step = Step(None, ends, _next_value(steps), here, layer.merging)
        else:
            step = Step(layer, (value,), _next_value(steps), here)
        steps.append(step)
        value = step.output
    return value


def _next_value(steps: list[Step]) -> int:
    return steps[-1].output + 1 if steps else 1


def _least_channels(layers: tuple[Layer, ...]) -> int:
    """Return the fewest input channels that every shuffle on the way can divide."""
    ratio = Fraction(1)
    needed = 1
    for layer in layers:
        if layer.channels_in is not None:
            break
        ratio *= layer.channel_ratio
        needed = max(needed, ratio.denominator)
    return needed
