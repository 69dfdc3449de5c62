"""Layers made of layers: residual connections and parallel branches, nested at will."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import reduce
from itertools import islice
from math import lcm, prod
from typing import Any, Self, final

import numpy as np

from upsim.errors import (
    ArgumentError,
    ArgumentTypeError,
    ShapeError,
    TooLargeError,
    UpsimError,
)
from upsim.layers.base import Branch, Layer
from upsim.layers.merging import MERGINGS
from upsim.operators import LengthRule
from upsim.operators.repeating import period_behind
from upsim.words.arguments import generator, one_of, shown

#: Layers in a chain; a list without end is refused there.
LARGEST_CHAIN = 2**16

#: Branches in branches; no network comes near, and every question here walks down recursively.
DEEPEST_NESTING = 100


_ONE = Fraction(1)


def layer_tuple(value: object, name: str) -> tuple[Layer, ...]:
    """Return a branch as a tuple of layers; a single layer is a branch of one."""
    if isinstance(value, Layer):
        return (value,)
    if not isinstance(value, Iterable) or isinstance(value, str):
        raise ArgumentTypeError(
            f"{name} must be layers",
            given=f"{name} of type {type(value).__name__}",
            expected="a layer, or several in a list",
        )
    layers = []
    for layer in finite_list(value, name):
        if not isinstance(layer, Layer):
            raise ArgumentTypeError(
                f"{name} must hold layers only",
                given=shown(layer),
                expected="upsim layers",
                fix="upsim.ReLU(), with brackets" if isinstance(layer, type) else "",
            )
        layers.append(layer)
    return tuple(layers)


def finite_list(value: Iterable[object], name: str) -> tuple[object, ...]:
    """Return what an iterable yields, or refuse one without end."""
    try:
        found = tuple(islice(value, LARGEST_CHAIN + 1))
    except UpsimError:
        raise
    except Exception as error:  # noqa: BLE001 - a stranger's iterator raises what it likes
        raise ArgumentTypeError(
            f"{name} must be layers", given=f"{name}={shown(value)}: {error}", expected="a list"
        ) from None
    if len(found) > LARGEST_CHAIN:
        raise TooLargeError(
            f"{name} holds too many layers",
            given=f"more than {LARGEST_CHAIN}",
            expected=f"at most {LARGEST_CHAIN}",
            fix="a shorter stack",
        )
    return found


def chain_channels(layers: tuple[Layer, ...], channels: int) -> int:
    """Return the channels after a chain."""
    for layer in layers:
        channels = layer.channels_out(channels)
    return channels


def chain_lengths(layers: tuple[Layer, ...]) -> LengthRule:
    """Return the length law of a chain."""
    return reduce(lambda rule, layer: rule.then(layer.length_rule()), layers, LengthRule())


def chain_channels_in(layers: tuple[Layer, ...]) -> int | None:
    """Return the channels that a chain asks for: those of its first layer that asks."""
    ratio = Fraction(1)
    for layer in layers:
        if layer.channels_in is not None:
            wanted = layer.channels_in / ratio
            return int(wanted) if wanted.denominator == 1 else None
        ratio *= layer.channel_ratio
    return None


def chain_block(layers: tuple[Layer, ...]) -> tuple[int, int]:
    """Return the output and input samples after which a chain repeats itself.

    Two layers meet where the blocks of the first fill whole blocks of the second.
    """
    up, down = 1, 1
    for layer in layers:
        next_up, next_down = layer.block
        up, down = period_behind(up, next_up, next_down), period_behind(next_down, down, up)
    return up, down


def refuse_deep_nesting(layers: tuple[Layer, ...]) -> None:
    """Refuse branches in branches in branches beyond any network's depth."""
    level, depth = layers, 0
    while level:
        level = tuple(
            layer
            for branch in level
            if isinstance(branch, Branch)
            for part in branch.parts
            for layer in part
        )
        depth += 1
        if depth > DEEPEST_NESTING:
            raise ArgumentError(
                "branches are nested too deeply",
                given=f"more than {DEEPEST_NESTING} branches inside each other",
                expected=f"at most {DEEPEST_NESTING}",
                fix="one after another: Stack([Residual(...), Residual(...)], sample_rate)",
            )


def draw_parts(parts: tuple[tuple[Layer, ...], ...], rng: np.random.Generator) -> list[list[Layer]]:
    """Return drawn branches; each layer of each has a random stream of its own.

    So a change of one layer, or one more at a branch's end, leaves the others' numbers as they
    were.
    """
    return [
        [layer.draw(own) for layer, own in zip(part, stream.spawn(len(part)), strict=True)]
        for part, stream in zip(parts, generator(rng).spawn(len(parts)), strict=True)
    ]


class _Parts(Branch):
    """What Residual and Parallel share: everything follows from the parts and the merging."""

    @property
    def channels_in(self) -> int | None:
        """The channels that the first branch that asks asks for."""
        for part in self.parts:
            wanted = chain_channels_in(part)
            if wanted is not None:
                return wanted
        return None

    @property
    def channel_ratio(self) -> Fraction:
        """Output channels per input channel, where no part asks for a number of its own."""
        ratios = [prod((layer.channel_ratio for layer in part), start=_ONE) for part in self.parts]
        return sum(ratios, Fraction(0)) if self.merging == "concatenate" else ratios[0]

    def channels_out(self, channels: int) -> int:
        """Return the channels after merging."""
        each = [chain_channels(part, channels) for part in self.parts]
        try:
            return MERGINGS[self.merging].merged_channels(each)
        except UpsimError as error:
            raise error.at(type(self).__name__) from None

    def length_rule(self) -> LengthRule:
        """Return the law that all branches obey."""
        return chain_lengths(self.parts[0])

    def output_length(self, length: int) -> int:
        """Return the common length of all parts, or refuse one for which they differ."""
        found = []
        for part in self.parts:
            made = length
            for layer in part:
                made = layer.output_length(made)
            found.append(made)
        if len(set(found)) > 1:
            raise ShapeError(
                "branches that meet have different lengths",
                given=" and ".join(map(str, found)) + f" samples, for {length} in",
                expected="equal lengths",
                fix="upsim.lengths(stack, n), which names the nearest lengths that fit",
                where=type(self).__name__,
            )
        return found[0]

    @property
    def block(self) -> tuple[int, int]:
        """The common block of the parts."""
        blocks = [chain_block(part) for part in self.parts]
        up = lcm(*(block[0] for block in blocks))
        return up, blocks[0][1] * up // blocks[0][0]

    def _check_lengths(self) -> None:
        rules = [chain_lengths(part) for part in self.parts]
        for rule in rules[1:]:
            # A U-Net's branches agree for whole blocks only; that much is asked for here.
            if rule.common_length(rules[0]) is None:
                raise ShapeError(
                    "the branches give different lengths",
                    given=" and ".join(_outcome(each) for each in rules),
                    expected="equal lengths, at least for some inputs",
                    fix="change a padding, or add upsim.Crop(left, right) to a branch",
                )

    @property
    def is_drawn(self) -> bool:
        """Whether all layers of all branches are drawn."""
        return all(layer.is_drawn for part in self.parts for layer in part)

    def parameters(self, channels: int) -> int:
        """Return the parameters of all branches."""
        return sum(self._each(channels, lambda layer, given, _: layer.parameters(given)))

    def macs(self, channels: int) -> Fraction:
        """Return the operations of all branches, per input sample."""
        return sum(
            self._each(channels, lambda layer, given, rate: layer.macs(given) * rate), Fraction(0)
        )

    def _each(self, channels: int, count: Any) -> list[Any]:
        found = []
        for part in self.parts:
            given, rate = channels, Fraction(1)
            for layer in part:
                found.append(count(layer, given, rate))
                given, rate = layer.channels_out(given), rate * layer.rate
        return found


def _outcome(rule: LengthRule) -> str:
    text = "n"
    for up, down, extra in rule.steps:
        text = f"{up} {text}" if up != 1 else text
        text = f"{text} {'+' if extra > 0 else '-'} {abs(extra)}" if extra else text
        text = f"floor(({text}) / {down})" if down != 1 else text
    return text


@final
@dataclass(frozen=True, init=False, eq=False, repr=False)
class Residual(_Parts):
    """``body(x) + skip(x)``; without a skip branch, ``body(x) + x``.

    Parameters
    ----------
    *layers : Layer
        The body, in order.
    skip : layers, optional
        The other way, a plain wire if empty.

    Examples
    --------
    >>> from upsim.layers import Conv, Residual, ReLU
    >>> Residual(ReLU(), Conv(8, 8, 3, padding=1)).channels_out(8)
    8
    """

    layers: tuple[Layer, ...]
    skip: tuple[Layer, ...] = field(default=(), kw_only=True)

    def __init__(self, *layers: Layer | Iterable[Layer], skip: object = ()) -> None:
        given = layers[0] if len(layers) == 1 else layers
        self._set(layers=layer_tuple(given, "layers"), skip=layer_tuple(skip, "skip"))
        self.__post_init__()

    def _check(self) -> None:
        refuse_deep_nesting((self,))
        self._check_lengths()

    @property
    def parts(self) -> tuple[tuple[Layer, ...], ...]:
        """The body and the skip branch."""
        return (self.layers, self.skip)

    @property
    def merging(self) -> str:
        """A sum."""
        return "sum"

    def draw(self, rng: np.random.Generator) -> Self:
        """Return the layer with drawn branches."""
        body, skip = draw_parts(self.parts, rng)
        return type(self)(*body, skip=skip)

    def __repr__(self) -> str:
        parts = [repr(layer) for layer in self.layers]
        parts += [f"skip={self.skip!r}"] if self.skip else []
        return f"Residual({', '.join(parts)})"


@final
@dataclass(frozen=True, init=False, eq=False, repr=False)
class Parallel(_Parts):
    """Branches that read one input and are added, averaged or concatenated (channels).

    Parameters
    ----------
    *branches : layers
        Each a layer or a tuple of layers; an empty tuple is a plain wire.
    merge : str
        "sum", "mean" or "concatenate".

    Examples
    --------
    >>> from upsim.layers import Conv, Parallel
    >>> Parallel(Conv(8, 4, 1), (), merge="concatenate").channels_out(8)
    12
    """

    branches: tuple[tuple[Layer, ...], ...]
    merge: str = field(default="sum", kw_only=True)

    def __init__(self, *branches: Layer | Iterable[Layer], merge: str = "sum") -> None:
        found = tuple(layer_tuple(branch, "a branch") for branch in branches)
        self._set(branches=found, merge=merge)
        self.__post_init__()

    def _check(self) -> None:
        one_of(self.merge, "merge", tuple(MERGINGS))
        if not self.branches:
            raise ShapeError(
                "a Parallel needs at least one branch", given="none", fix="upsim.Parallel((), ())"
            )
        refuse_deep_nesting((self,))
        self._check_lengths()

    @property
    def parts(self) -> tuple[tuple[Layer, ...], ...]:
        """The branches."""
        return self.branches

    @property
    def merging(self) -> str:
        """As given."""
        return self.merge

    def draw(self, rng: np.random.Generator) -> Self:
        """Return the layer with drawn branches."""
        return type(self)(*draw_parts(self.branches, rng), merge=self.merge)

    def __repr__(self) -> str:
        parts = [repr(branch[0]) if len(branch) == 1 else repr(branch) for branch in self.branches]
        parts += [f"merge={self.merge!r}"] if self.merge != "sum" else []
        return f"Parallel({', '.join(parts)})"
