"""Layers with a kernel of numbers: convolutions of all kinds."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from upsim.layers.convolution import Conv, TransposedConv
from upsim.layers.interpolation import LearnedInterpolation
from upsim.layers.subpixel import SubpixelConv
from upsim.operators.edges import PADDING_MODES
from upsim.testing.strategies.values import Array, arrays


@st.composite
def _weights(draw: st.DrawFn, shape: tuple[int, ...]) -> Array:
    """Any small weights, all zeros, or all ones."""
    kind = draw(st.sampled_from(["any", "any", "any", "zeros", "ones"]))
    if kind == "any":
        return draw(arrays(shape))
    return np.zeros(shape) if kind == "zeros" else np.ones(shape)


@st.composite
def _bias(draw: st.DrawFn, count: int) -> Array | bool:
    return draw(arrays((count,))) if draw(st.booleans()) else False


def _groups(draw: st.DrawFn, channels: int, out: int) -> int:
    both = [count for count in (1, 2) if channels % count == 0 and out % count == 0]
    return draw(st.sampled_from(both))


@st.composite
def convs(draw: st.DrawFn, channels: int, out_channels: int | None = None) -> Conv:
    """Convolutions: stride, padding and its modes, dilation, groups."""
    out = draw(st.integers(1, 2)) if out_channels is None else out_channels
    stride, count = draw(st.integers(1, 3)), draw(st.integers(1, 5))
    groups = _groups(draw, channels, out)
    named = ["valid"] + (["same"] if stride == 1 else [])
    return Conv(
        channels,
        out,
        count,
        stride,
        draw(st.one_of(st.integers(0, 3), st.sampled_from(named))),
        draw(st.integers(1, 3)),
        groups,
        draw(_bias(out)),
        draw(st.sampled_from(PADDING_MODES)),
        weight=draw(_weights((out, channels // groups, count))),
    )


@st.composite
def transposed_convs(
    draw: st.DrawFn, channels: int, out_channels: int | None = None
) -> TransposedConv:
    """Transposed convolutions: any K against any L, padding, output padding, dilation, groups."""
    out = draw(st.integers(1, 2)) if out_channels is None else out_channels
    stride, count, dilation = draw(st.integers(1, 4)), draw(st.integers(1, 6)), draw(_dilations)
    groups = _groups(draw, channels, out)
    return TransposedConv(
        channels,
        out,
        count,
        stride,
        draw(st.integers(0, 3)),
        draw(st.integers(0, max(stride, dilation) - 1)),
        groups,
        draw(_bias(out)),
        dilation,
        weight=draw(_weights((channels, out // groups, count))),
    )


_dilations = st.sampled_from([1, 1, 2, 3])


@st.composite
def subpixel_convs(draw: st.DrawFn, channels: int) -> SubpixelConv:
    """Subpixel convolutions in both channel orders."""
    out, factor, count = draw(st.integers(1, 2)), draw(st.integers(1, 4)), draw(st.integers(1, 4))
    groups = _groups(draw, channels, out * factor)
    settings: dict[str, Any] = {
        "padding": draw(st.one_of(st.integers(0, 2), st.sampled_from(["same", "valid"]))),
        "dilation": draw(st.integers(1, 2)),
        "groups": groups,
        "bias": draw(_bias(out * factor)),
        "padding_mode": draw(st.sampled_from(PADDING_MODES)),
        "order": draw(st.sampled_from(["torch", "tensorflow"])),
    }
    weight = draw(_weights((out * factor, channels // groups, count)))
    return SubpixelConv(channels, out, count, factor, **settings, weight=weight)


def learned_interpolations(channels: int) -> st.SearchStrategy[LearnedInterpolation]:
    """Learned interpolations; weight 0 is plain linear interpolation."""
    return arrays((channels,)).map(lambda weight: LearnedInterpolation(channels, weight=weight))
