"""The operator of a layer, a branch or a chain, put together in the plainest way."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce

import numpy as np

from upsim.errors import NotPredictableError
from upsim.layers.base import Activation, Branch, Layer, LinearLayer, Normalisation, Unmodelled
from upsim.operators import Operator, StretchFIR
from upsim.operators.operator import Real


def default_channels(layer: Layer) -> int:
    """Return input channels that the layer takes: those it asks for, or the fewest it can divide.

    Examples
    --------
    >>> from upsim.layers import Nearest, PeriodicShuffle
    >>> default_channels(Nearest(2)), default_channels(PeriodicShuffle(4))
    (1, 4)
    """
    if layer.channels_in is not None:
        return layer.channels_in
    for name in ("bias", "alpha", "beta"):
        count = int(np.size(getattr(layer, name, 1.0)))
        if count > 1:
            return count
    return layer.least_channels


def is_linear(layer: Layer, channels: int = 1) -> bool:
    """Return True if a layer, and every part of a branch, is linear."""
    if isinstance(layer, Branch):
        return all(is_linear(each, channels) for part in layer.parts for each in part)
    return isinstance(layer, LinearLayer)


def scaled_wire(channels: int, gain: float = 1.0) -> StretchFIR:
    """Return ``y = gain x`` on each channel."""
    return StretchFIR(np.full((channels, 1, 1), gain), groups=channels)


def operator_of(layer: Layer, channels: int) -> Operator:
    """Return the operator of a linear layer, or of a branch of linear layers, folded."""
    if isinstance(layer, LinearLayer):
        return layer.operator(channels)
    if not isinstance(layer, Branch) or not is_linear(layer):
        raise NotPredictableError("only linear layers have an operator", given=f"{layer!r:.60}")
    parts = [fold(part, channels) for part in layer.parts]
    if layer.merging == "concatenate":
        total = sum(part.out_channels for part in parts)
        starts = np.cumsum([0, *(part.out_channels for part in parts)])
        parts = [
            part.then(_placed(part.out_channels, total, int(start)))
            for part, start in zip(parts, starts, strict=False)
        ]
    merged = reduce(_added, parts)
    if layer.merging == "mean":
        return merged.then(scaled_wire(merged.out_channels, 1 / len(parts)))
    return merged


def _added(one: Operator, other: Operator) -> Operator:
    return one + other if isinstance(one, StretchFIR) else one.polyphase() + other


def _placed(channels: int, total: int, start: int) -> StretchFIR:
    """Return the map that writes its channels from number ``start`` of ``total``."""
    taps = np.zeros((total, channels, 1))
    taps[start + np.arange(channels), np.arange(channels)] = 1
    return StretchFIR(taps)


def fold(layers: Iterable[Layer], channels: int) -> Operator:
    """Return the operator of a chain of linear layers; an empty chain is a wire.

    Examples
    --------
    >>> from upsim.layers import Nearest
    >>> fold([Nearest(2), Nearest(3)], 1).phase_gains().tolist()
    [[[1.0, 1.0, 1.0, 1.0, 1.0, 1.0]]]
    """
    folded: Operator = scaled_wire(channels)
    for layer in layers:
        folded = folded.then(operator_of(layer, channels))
        channels = layer.channels_out(channels)
    return folded


def run_finite(layers: Iterable[Layer], samples: Real) -> Real:
    """Run a chain on finite samples (channels, n), layer by layer, edges and offsets included."""
    for layer in layers:
        if isinstance(layer, LinearLayer):
            operator = layer.operator(samples.shape[0])
            samples = operator.apply(samples)
            samples = samples + operator.offset_samples(samples.shape[1])
        elif isinstance(layer, Branch):
            ends = [run_finite(part, samples) for part in layer.parts]
            samples = np.concatenate(ends) if layer.merging == "concatenate" else np.sum(ends, 0)
            samples = samples / (len(ends) if layer.merging == "mean" else 1)
        elif isinstance(layer, Activation | Normalisation):
            samples = layer.function(samples)
        elif isinstance(layer, Unmodelled):
            samples = layer.answer(samples)
        else:
            raise NotPredictableError("a layer of no known kind", given=f"{layer!r:.60}")
    return samples
