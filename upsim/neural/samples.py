"""Bias, crop and decimation by broadcasting and slicing."""

from __future__ import annotations

import numpy as np

from upsim.errors import ShapeError
from upsim.layers.samples import Bias, Crop, Decimate, Pad, Slice
from upsim.neural.padding import pad
from upsim.neural.precision import Signal, like
from upsim.neural.registry import register


@register(Bias)
def add_bias(layer: Bias, samples: Signal) -> Signal:
    """Add one number to all channels, or one to each."""
    bias = like(samples, np.asarray(layer.bias, dtype=np.float64))
    return samples + (bias[:, None] if bias.ndim else bias)


@register(Crop)
def crop(layer: Crop, samples: Signal) -> Signal:
    """Slice ``left : n - right``; where a crop is negative, zeros are added to what is left."""
    first, end = max(0, layer.left), samples.shape[-1] - max(0, layer.right)
    if end < first:
        _refuse_nothing(samples[:, :, :0], samples)
    kept = samples[:, :, first:end]
    return _refuse_nothing(pad(kept, max(0, -layer.left), max(0, -layer.right), "zeros"), samples)


@register(Pad)
def pad_ends(layer: Pad, samples: Signal) -> Signal:
    """Add samples at both ends."""
    return pad(samples, layer.left, layer.right, layer.mode)


@register(Decimate)
def decimate(layer: Decimate, samples: Signal) -> Signal:
    """Slice ``phase::factor``."""
    return _refuse_nothing(samples[:, :, layer.phase :: layer.factor], samples)


@register(Slice)
def take_slice(layer: Slice, samples: Signal) -> Signal:
    """Slice ``start:stop:step``, as it is written."""
    return _refuse_nothing(samples[:, :, layer.start : layer.stop : layer.step], samples)


def _refuse_nothing(kept: Signal, samples: Signal) -> Signal:
    if not kept.shape[-1]:
        raise ShapeError(
            "no sample is left",
            given=f"{samples.shape[-1]} samples",
            fix="use a longer input, or cut less",
        )
    return kept
