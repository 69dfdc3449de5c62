"""Laws of the record: it prints what it is, cannot change, and draws what it says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import numpy as np

from upsim.errors import NotPredictableError
from upsim.layers import CATALOGUE
from upsim.layers.base import Branch, Layer, LinearLayer
from upsim.layers.convolution import WeightedLayer
from upsim.layers.interpolation import LearnedInterpolation
from upsim.network import weights
from upsim.testing.laws.law import law
from upsim.testing.laws.subject import operator_of


def _parts(layer: Layer) -> Iterator[Layer]:
    yield layer
    if isinstance(layer, Branch):
        for part in layer.parts:
            for each in part:
                yield from _parts(each)


def _arrays(layer: Layer) -> Iterator[tuple[str, Any]]:
    for item in fields(layer):  # type: ignore[arg-type]
        value = getattr(layer, item.name)
        if isinstance(value, np.ndarray):
            yield item.name, value


def _prints(layer: Layer, channels: int) -> bool:
    del channels
    return "<array of shape" not in repr(layer)


@law(
    of=Layer,
    when=_prints,
    formula="eval(repr(layer)) == layer",
    source="the Python data model: a repr that looks like the expression that made it",
)
def repr_round_trip(layer: Layer, channels: int) -> None:
    """Check that the repr, typed in again, makes an equal layer with an equal hash."""
    del channels
    names: dict[str, Any] = {**CATALOGUE, **vars(weights)}
    names |= {type(each).__name__: type(each) for each in _parts(layer)}
    again = eval(repr(layer), names)
    if again != layer:
        raise AssertionError(f"{layer!r} comes back as {again!r}")
    if hash(again) != hash(layer):
        raise AssertionError("equal layers have different hashes")


@law(
    of=Layer,
    formula="array.flags.writeable is False",
    source="a record that can change under its reader cannot be trusted",
)
def immutable(layer: Layer, channels: int) -> None:
    """Check that no array that a layer or its operator holds can be written to."""
    held = [
        (f"{type(part).__name__}.{name}", value)
        for part in _parts(layer)
        for name, value in _arrays(part)
    ]
    if isinstance(layer, LinearLayer):
        operator = operator_of(layer, channels)
        for name in ("taps", "blocks", "offset"):
            value = getattr(operator, name, None)
            if isinstance(value, np.ndarray):
                held.append((f"operator.{name}", value))
    for name, value in held:
        if value.flags.writeable:
            raise AssertionError(f"{name} can be written to")


_WEIGHTED = (WeightedLayer, LearnedInterpolation)


@law(
    of=_WEIGHTED,
    formula="draw(seed) = draw(seed); draw(draw(x)) = draw(x)",
    source="a seed is an answer to: which weights were these?",
)
def drawing(layer: Layer, channels: int) -> None:
    """Check that equal seeds draw equal weights, and what is drawn stays as it is."""
    changes: dict[str, Any] = {"weight": "torch"}
    changes |= {"bias": True} if isinstance(layer, WeightedLayer) else {}
    undrawn = replace(layer, **changes)  # type: ignore[type-var]
    if undrawn.is_drawn:
        raise AssertionError("an initialisation counts as drawn")
    try:
        operator_of(undrawn, channels)
    except NotPredictableError:
        pass
    else:
        raise AssertionError("an operator is made of weights that are not drawn")
    first = undrawn.draw(np.random.default_rng(1))
    if not first.is_drawn:
        raise AssertionError("after draw() the layer is not drawn")
    if undrawn.draw(np.random.default_rng(1)) != first:
        raise AssertionError("equal seeds draw different weights")
    if undrawn.draw(np.random.default_rng(2)) == first:
        raise AssertionError("different seeds draw equal weights")
    if first.draw(np.random.default_rng(2)) != first:
        raise AssertionError("drawn weights are drawn again")


@law(
    of=_WEIGHTED,
    formula="parameters = size of weight + size of bias",
    source="the definition; torch: sum(p.numel() for p in layer.parameters())",
)
def parameters(layer: Layer, channels: int) -> None:
    """Check that as many parameters are counted as the drawn arrays hold numbers."""
    drawn = layer.draw(np.random.default_rng(0))
    held = sum(value.size for _, value in _arrays(drawn))
    if drawn.parameters(channels) != held:
        raise AssertionError(f"{drawn.parameters(channels)} counted, {held} held")
