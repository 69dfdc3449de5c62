"""Activations with their parameters, one number for all channels or one a channel."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st

from upsim.layers.activations import (
    ELU,
    GELU,
    Clamp,
    LeakyReLU,
    PReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Sin,
    Snake,
    SnakeBeta,
    Softplus,
    Tanh,
)
from upsim.layers.base import Layer
from upsim.layers.gated import GLU, Gate, Softmax
from upsim.layers.pointwise import Pointwise
from upsim.testing.strategies.values import Array, arrays, dyadics

_positive = st.sampled_from([0.5, 1.0, 2.0])


def _per_channel(channels: int) -> st.SearchStrategy[float | Array]:
    vectors = st.lists(_positive, min_size=channels, max_size=channels).map(np.array)
    return st.one_of(_positive, vectors)


@st.composite
def _clamps(draw: st.DrawFn, channels: int) -> Layer:
    del channels
    low, high = draw(st.one_of(st.none(), dyadics())), draw(st.one_of(st.none(), dyadics()))
    return Clamp(low, high) if low is None or high is None else Clamp(*sorted((low, high)))


@st.composite
def _prelus(draw: st.DrawFn, channels: int) -> Layer:
    count = draw(st.sampled_from([1, channels]))
    weight = draw(st.one_of(st.none(), arrays((count,))))
    return PReLU(count, draw(st.sampled_from([0.0, 0.25])), weight=weight)


_halves = st.sampled_from([None, Tanh(), Sigmoid(), LeakyReLU(0.25), GELU(), Clamp(-1.0, 1.0)])

_plain: dict[str, st.SearchStrategy[Layer]] = {
    "ReLU": st.builds(ReLU),
    "LeakyReLU": st.builds(LeakyReLU, st.sampled_from([0.01, 0.1, 0.25])),
    "ELU": st.builds(ELU, _positive),
    "GELU": st.builds(GELU, st.sampled_from(["none", "tanh", "sigmoid"])),
    "Tanh": st.builds(Tanh),
    "Sigmoid": st.builds(Sigmoid),
    "SiLU": st.builds(SiLU),
    "Softplus": st.builds(Softplus, _positive, st.sampled_from([1.0, 20.0])),
    "GLU": st.builds(GLU),
    "Gate": st.builds(Gate, _halves, _halves),
    "Softmax": st.builds(Softmax),
}


def _any_channels(strategy: st.SearchStrategy[Layer]) -> Callable[[int], st.SearchStrategy[Layer]]:
    return lambda channels: strategy  # noqa: ARG005 - the same function for every channel


_ONE, _TWO = ("tanh", "sin", "abs", "sigmoid", "negative"), ("add", "multiply", "maximum")


@st.composite
def _programs(draw: st.DrawFn, channels: int) -> Layer:
    """Programs of one value, and of two where the channels are even; bounded but for products."""
    values = draw(st.sampled_from([1, 2])) if channels % 2 == 0 else 1
    constants = _per_channel(channels // values)
    known = [f"x{number}" for number in range(values)]
    steps: list[tuple[str, *tuple[object, ...]]] = [("tanh", known[-1])]
    for number in range(draw(st.integers(0, 3))):
        operands = st.one_of(st.sampled_from([*known, f"s{number}"]), constants)
        name = draw(st.sampled_from(_ONE + _TWO))
        steps.append((name, f"s{number}", *([draw(operands)] if name in _TWO else [])))
    return Pointwise(steps)


STRATEGIES: dict[str, Callable[[int], st.SearchStrategy[Layer]]] = {
    **{name: _any_channels(strategy) for name, strategy in _plain.items()},
    "PReLU": _prelus,
    "Pointwise": _programs,
    "Clamp": _clamps,
    "Sin": lambda channels: st.builds(
        Sin, _per_channel(channels), _per_channel(channels), _per_channel(channels)
    ),
    "Snake": lambda channels: st.builds(Snake, _per_channel(channels)),
    "SnakeBeta": lambda channels: st.builds(
        SnakeBeta, _per_channel(channels), _per_channel(channels)
    ),
}
