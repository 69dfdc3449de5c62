"""Residual and Parallel layers whose branches are of equal length, nested up to two deep."""

from __future__ import annotations

from hypothesis import strategies as st

from upsim.layers.activations import LeakyReLU, ReLU
from upsim.layers.base import Layer
from upsim.layers.branches import Parallel, Residual
from upsim.layers.convolution import Conv, TransposedConv
from upsim.layers.interpolation import Hold, Linear, Nearest, Stretch
from upsim.layers.samples import Bias
from upsim.testing.strategies.values import arrays, dyadics

_DEEPEST = 2


@st.composite
def _level(draw: st.DrawFn, channels: int, *, linear: bool, depth: int) -> Layer:
    """Layers that keep channels and length."""
    kinds = ["conv", "bias", "hold"] + ([] if linear else ["activation"])
    kind = draw(st.sampled_from(kinds + (["residual"] if depth < _DEEPEST else [])))
    if kind == "conv":
        count = draw(st.sampled_from([1, 3]))
        weight = draw(arrays((channels, channels, count)))
        bias = draw(arrays((channels,))) if draw(st.booleans()) else False
        return Conv(channels, channels, count, padding=count // 2, bias=bias, weight=weight)
    if kind == "bias":
        return Bias(draw(dyadics()))
    if kind == "hold":
        return Hold(2, draw(st.integers(1, 2)))
    if kind == "activation":
        return draw(st.sampled_from([ReLU(), LeakyReLU(0.25)]))
    return draw(residuals(channels, linear=linear, depth=depth + 1))


@st.composite
def _upsampling(draw: st.DrawFn, channels: int, factor: int) -> Layer:
    """Layers that keep the channels and make ``n L`` samples of ``n``."""
    kind = draw(st.sampled_from(["nearest", "linear", "stretch", "transposed"]))
    if kind != "transposed":
        plain: dict[str, Layer] = {
            "nearest": Nearest(factor),
            "linear": Linear(factor),
            "stretch": Stretch(factor),
        }
        return plain[kind]
    # (n - 1) L - 2 p + K = n L for K = L + 2 p.
    padding = draw(st.integers(0, 2))
    count = factor + 2 * padding
    weight = draw(arrays((channels, channels, count)))
    return TransposedConv(channels, channels, count, factor, padding, bias=False, weight=weight)


@st.composite
def _chains(
    draw: st.DrawFn,
    channels: int,
    *,
    factor: int,
    linear: bool,
    depth: int,
) -> tuple[Layer, ...]:
    before = draw(st.lists(_level(channels, linear=linear, depth=depth), max_size=1))
    middle = [draw(_upsampling(channels, factor))] if factor > 1 else []
    after = draw(st.lists(_level(channels, linear=linear, depth=depth), max_size=1))
    return (*before, *middle, *after)


@st.composite
def residuals(draw: st.DrawFn, channels: int, *, linear: bool = False, depth: int = 1) -> Residual:
    """Residual layers, at the rate of their input or above it."""
    factor = draw(st.integers(1, 3)) if depth == 1 else 1
    body = draw(_chains(channels, factor=factor, linear=linear, depth=depth))
    return Residual(*body, skip=draw(_chains(channels, factor=factor, linear=linear, depth=depth)))


@st.composite
def parallels(draw: st.DrawFn, channels: int, *, linear: bool = False, depth: int = 1) -> Parallel:
    """Parallel layers of one to three branches and all merges."""
    factor = draw(st.integers(1, 3))
    chains = st.lists(
        _chains(channels, factor=factor, linear=linear, depth=depth), min_size=1, max_size=3
    )
    return Parallel(*draw(chains), merge=draw(st.sampled_from(["sum", "mean", "concatenate"])))
