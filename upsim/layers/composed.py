"""A linear layer that is made of others, one after another."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import fields, replace
from fractions import Fraction
from functools import reduce
from math import prod
from typing import Any, Self

import numpy as np

from upsim.errors import ShapeError
from upsim.layers.base import LinearLayer
from upsim.operators import LengthRule, Operator
from upsim.operators.random_taps import Part


class Composed(LinearLayer):
    """A chain of linear layers and operators: one answer, drawn or in expectation over draws.

    A class says which chain it is.  The layers of the chain are fields of its own, or made from
    them; drawing the layer draws those fields.
    """

    _derived = ("operator", "in_expectation")

    @abstractmethod
    def chain(self, channels: int) -> tuple[LinearLayer | Operator, ...]:
        """Return the layers and operators, in order, for ``channels`` input channels."""

    def operator(self, channels: int) -> Operator:
        """Return the chain as one operator."""
        found = []
        for link in self.chain(channels):
            found.append(link if isinstance(link, Operator) else link.operator(channels))
            channels = found[-1].out_channels
        return reduce(lambda first, second: first.then(second), found)

    def in_expectation(self, channels: int) -> tuple[Part, ...]:
        """Return the parts of the chain's layers, one after another."""
        parts: list[Part] = []
        for link in self.chain(channels):
            if isinstance(link, Operator):
                parts.append(link)
                channels = link.out_channels
            else:
                parts += link.in_expectation(channels)
                channels = link.channels_out(channels)
        return tuple(parts)

    def _layers(self) -> dict[str, LinearLayer]:
        """Return the fields that are layers, by name."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}  # type: ignore[arg-type]
        return {name: value for name, value in values.items() if isinstance(value, LinearLayer)}

    @property
    def is_drawn(self) -> bool:
        """Whether all layers among the fields are drawn."""
        return all(layer.is_drawn for layer in self._layers().values())

    def draw(self, rng: np.random.Generator) -> Self:
        """Return the layer with its fields drawn."""
        if self.is_drawn:
            return self
        changed: dict[str, Any] = {
            name: layer.draw(own)
            for (name, layer), own in zip(
                self._layers().items(), rng.spawn(len(self._layers())), strict=True
            )
        }
        return replace(self, **changed)  # type: ignore[type-var]

    @property
    def channels_in(self) -> int | None:
        """Those of the first field that asks for a number."""
        asked = (layer.channels_in for layer in self._layers().values())
        return next((channels for channels in asked if channels is not None), None)

    @property
    def channel_ratio(self) -> Fraction:
        """Output channels per input channel, of the layers among the fields."""
        return prod((layer.channel_ratio for layer in self._layers().values()), start=Fraction(1))

    def channels_out(self, channels: int) -> int:
        """Return the channels behind the chain."""
        for link in self.chain(channels):
            if not isinstance(link, Operator):
                channels = link.channels_out(channels)
            elif link.in_channels != channels:
                raise ShapeError(
                    "an operator of the chain has other channels than come to it",
                    given=f"{link.in_channels} channels, {channels} come",
                    expected=f"{channels}",
                    fix=f"in_channels={link.in_channels}",
                    where=type(self).__name__,
                )
            else:
                channels = link.out_channels
        return channels

    def length_rule(self) -> LengthRule:
        """Return the length law of the chain."""
        rules = (
            link.length if isinstance(link, Operator) else link.length_rule()
            for link in self.chain(self.channels_in or self.channel_ratio.denominator)
        )
        return reduce(lambda first, second: first.then(second), rules, LengthRule())

    def parameters(self, channels: int) -> int:
        """Return the numbers of the layers among the fields."""
        layers = self._layers().values()
        return sum(layer.parameters(layer.channels_in or channels) for layer in layers)

    def macs(self, channels: int) -> Fraction:
        """Return multiply-accumulates per input sample, link by link."""
        total, rate = Fraction(0), Fraction(1)
        for link in self.chain(channels):
            if isinstance(link, Operator):
                total += rate * link.length.rate * link.out_channels * link.terms
                rate, channels = rate * link.length.rate, link.out_channels
            else:
                total += rate * link.macs(channels)
                rate, channels = rate * link.rate, link.channels_out(channels)
        return total
