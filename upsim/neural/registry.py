"""Which function performs which layer: a table by type that anybody may add to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import numpy as np

from upsim.errors import ArgumentTypeError, ShapeError, UnknownNameError, UpsimError
from upsim.layers.base import Layer
from upsim.neural.precision import Signal

Kind = TypeVar("Kind", bound=Layer)
Forward = Callable[[Any, Signal], Signal]

_FORWARDS: dict[type[Layer], Forward] = {}


def register(
    kind: type[Kind],
) -> Callable[[Callable[[Kind, Signal], Signal]], Callable[[Kind, Signal], Signal]]:
    """Return a decorator that makes a function the forward of a layer type.

    The function takes the layer and samples of shape (batch, channels, time), float32 or float64,
    and returns new samples of the same precision.  A type without a forward of its own
    uses that of its kind; registering a type again replaces its forward.

    Parameters
    ----------
    kind : type of Layer

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> from upsim.layers import Activation
    >>> @dataclass(frozen=True, eq=False, repr=False)
    ... class Square(Activation):
    ...     def function(self, samples):
    ...         return samples**2
    >>> @register(Square)
    ... def square(layer, samples):
    ...     return samples * samples
    >>> forward(Square(), np.full((1, 1, 2), 3.0))
    array([[[9., 9.]]])
    """
    given: object = kind
    if not (isinstance(given, type) and issubclass(given, Layer)):
        raise ArgumentTypeError(
            "a forward is registered for a layer type",
            given=str(getattr(given, "__name__", type(given).__name__)),
            expected="a subclass of upsim.layers.Layer",
            fix="@upsim.neural.register(MyLayer), with the type in the brackets",
        )

    def keep(function: Callable[[Kind, Signal], Signal]) -> Callable[[Kind, Signal], Signal]:
        _FORWARDS[kind] = function
        return function

    return keep


def forward(layer: Layer, samples: Signal) -> Signal:
    """Return what one layer makes of samples of shape (batch, channels, time)."""
    function = _forward_of(type(layer))
    layer.channels_out(samples.shape[1])  # refuses channels that the layer cannot take
    made = function(layer, samples)
    returned: object = made  # a stranger's function may return anything
    if not (
        isinstance(returned, np.ndarray)
        and made.ndim == 3
        and made.shape[0] == samples.shape[0]
        and made.dtype == samples.dtype
    ):
        shape, precision = np.shape(made), getattr(made, "dtype", type(made).__name__)
        raise ShapeError(
            "a forward must return (batch, channels, time) in the precision it was given",
            given=f"shape {shape}, {precision}, from samples of shape {samples.shape}, "
            f"{samples.dtype}",
            where=type(layer).__name__,
        )
    return made


def steps(layers: Iterable[Layer], samples: Signal) -> Iterator[Signal]:
    """Yield the samples after each layer of a chain; an error names the layer's place."""
    listed = tuple(layers)
    for number, layer in enumerate(listed, 1):
        try:
            samples = forward(layer, samples)
        except UpsimError as error:
            place = f"layer {number} of {len(listed)} ({type(layer).__name__})"
            raise error.at(place) from None
        yield samples


def chain(layers: Iterable[Layer], samples: Signal) -> Signal:
    """Return the samples after the last layer of a chain; an empty chain is a plain wire."""
    for made in steps(layers, samples):
        samples = made
    return samples


def _forward_of(kind: type[Layer]) -> Forward:
    for ancestor in kind.__mro__:
        if ancestor in _FORWARDS:
            return _FORWARDS[ancestor]
    raise UnknownNameError(
        "the witness has no forward for this layer",
        given=kind.__name__,
        expected="a layer of upsim.layers.CATALOGUE, or one with a registered forward",
        fix=f"@upsim.neural.register({kind.__name__}) above a function (layer, samples) -> samples",
    )
