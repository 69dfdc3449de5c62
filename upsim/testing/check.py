"""The door: check a layer of your own against every law that speaks of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import numpy as np

from upsim.errors import ArgumentTypeError
from upsim.layers.base import Layer
from upsim.testing.laws import LAWS, Law, default_channels

_Test = TypeVar("_Test", bound=Callable[..., Any])


def laws_for(layer: Layer, channels: int | None = None) -> tuple[Law, ...]:
    """Return the laws that speak of a layer.

    Examples
    --------
    >>> from upsim.layers import ReLU
    >>> [law.name for law in laws_for(ReLU())]
    ['immutable', 'length', 'moments_of_the_function', 'pointwise', 'repr_round_trip', 'two_calls',
     'witness']
    """
    drawn = _ready(layer)
    found = (law for law in LAWS.values() if law.applies(drawn, channels))
    return tuple(sorted(found, key=lambda law: law.name))


def check_upsampler(layer: Layer, channels: int | None = None) -> None:
    """Run every law that speaks of a layer; raise one AssertionError that lists all failures.

    Parameters
    ----------
    layer : Layer
        An upsampler, or any other layer or branch; initialisations are drawn with seed 0.
    channels : int, optional
        Input channels; those that the layer asks for, or the fewest it takes, by default.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> from upsim.layers import Activation, Nearest
    >>> check_upsampler(Nearest(3))
    >>> @dataclass(frozen=True, eq=False, repr=False)
    ... class Echo(Activation):
    ...     def function(self, samples):
    ...         return samples + np.roll(samples, 1, axis=-1)
    >>> try:
    ...     check_upsampler(Echo())
    ... except AssertionError as error:
    ...     print(str(error).splitlines()[1].strip().split(":")[0])
    moments_of_the_function
    """
    drawn = _ready(layer)
    count = default_channels(drawn) if channels is None else channels
    laws = laws_for(drawn, count)
    failures = []
    for law in laws:
        try:
            law(drawn, count)
        except Exception as error:  # noqa: BLE001 - whatever a stranger's layer raises is reported
            kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
            failures.append(
                f"  {law.name}: {kind}{error}\n"
                f"    law: {law.statement}\n    formula: {law.formula}\n    source: {law.source}"
            )
    if failures:
        head = f"{drawn!r:.200} breaks {len(failures)} of {len(laws)} laws ({count} channels in):"
        raise AssertionError("\n".join([head, *failures]))


def parametrize_with_laws(layers: Iterable[Layer]) -> Callable[[_Test], _Test]:
    """Return a pytest decorator: one test for each layer and each law that speaks of it.

    The test takes ``layer`` and ``law``, as scikit-learn's ``parametrize_with_checks`` gives an
    estimator and a check.

    Examples
    --------
    >>> from upsim.layers import Nearest
    >>> @parametrize_with_laws([Nearest(2)])
    ... def test_my_layers(layer, law):
    ...     law(layer)
    """
    import pytest

    drawn = [_ready(layer) for layer in layers]
    pairs = [
        pytest.param(layer, law, id=f"{type(layer).__name__}{number}-{law.name}")
        for number, layer in enumerate(drawn)
        for law in laws_for(layer)
    ]
    decorate: Callable[[_Test], _Test] = pytest.mark.parametrize(("layer", "law"), pairs)
    return decorate


def _ready(layer: Layer) -> Layer:
    given: object = layer
    if not isinstance(given, Layer):
        raise ArgumentTypeError(
            "only layers obey these laws",
            given=f"{layer!r:.60}",
            expected="an upsim layer",
            fix=f"{given.__name__}(...)" if isinstance(given, type) else "",
        )
    return layer if layer.is_drawn else layer.draw(np.random.default_rng(0))
