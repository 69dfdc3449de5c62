"""Normalisations: given statistics or those of the signal, groups, with and without weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from upsim.layers.base import Layer
from upsim.layers.normalisation import BatchNorm, GroupNorm, InstanceNorm, LayerNorm
from upsim.layers.weight_norm import WeightNorm
from upsim.testing.strategies import weighted
from upsim.testing.strategies.values import Array, arrays

_eps = st.sampled_from([1e-5, 1e-3, 0.25])


@st.composite
def _affine(draw: st.DrawFn, channels: int, switch: str) -> dict[str, Any]:
    """No weights at all, those that torch starts with, or given ones."""
    if draw(st.booleans()):
        return {switch: False}
    both = {name: draw(st.one_of(st.none(), arrays((channels,)))) for name in ("weight", "bias")}
    return {switch: True, **both}


def _squares(channels: int) -> st.SearchStrategy[Array]:
    return arrays((channels,)).map(np.square)


@st.composite
def _batch_norms(draw: st.DrawFn, channels: int) -> Layer:
    return BatchNorm(
        channels,
        draw(_eps),
        **draw(_affine(channels, "affine")),
        running_mean=draw(st.one_of(st.none(), arrays((channels,)))),
        running_var=draw(st.one_of(st.none(), _squares(channels))),
    )


@st.composite
def _group_norms(draw: st.DrawFn, channels: int) -> Layer:
    groups = draw(st.sampled_from([count for count in (1, 2) if channels % count == 0]))
    return GroupNorm(groups, channels, draw(_eps), **draw(_affine(channels, "affine")))


@st.composite
def _instance_norms(draw: st.DrawFn, channels: int) -> Layer:
    return InstanceNorm(channels, draw(_eps), **draw(_affine(channels, "affine")))


@st.composite
def _layer_norms(draw: st.DrawFn, channels: int) -> Layer:
    return LayerNorm(channels, draw(_eps), **draw(_affine(channels, "elementwise_affine")))


@st.composite
def _weight_norms(draw: st.DrawFn, channels: int) -> Layer:
    kinds = [weighted.convs, weighted.transposed_convs, weighted.subpixel_convs]
    layer = draw(draw(st.sampled_from(kinds))(channels))  # type: ignore[operator]
    weight = layer.weight_array()
    # A slice of zeros has no direction.
    if not weight.any(axis=(1, 2)).all():
        return WeightNorm(layer)
    gain = draw(st.one_of(st.none(), arrays(weight.shape[:1])))
    return WeightNorm(layer, gain=gain)


STRATEGIES: dict[str, Callable[[int], st.SearchStrategy[Layer]]] = {
    "BatchNorm": _batch_norms,
    "GroupNorm": _group_norms,
    "InstanceNorm": _instance_norms,
    "LayerNorm": _layer_norms,
    "WeightNorm": _weight_norms,
}
