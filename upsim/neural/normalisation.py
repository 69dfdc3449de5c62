"""Normalisations: subtract a mean, divide by a deviation, scale and shift, in this order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from upsim.layers.normalisation import BatchNorm, GroupNorm, InstanceNorm, LayerNorm
from upsim.layers.weight_norm import WeightNorm
from upsim.neural.precision import Signal, like
from upsim.neural.registry import forward, register


def standardise(samples: Signal, axes: tuple[int, ...], eps: float) -> Signal:
    """Return samples less their mean, over the root of their variance and ``eps``.

    Examples
    --------
    >>> standardise(np.array([[1.0, 3.0]]), (1,), 0.0)
    array([[-1.,  1.]])
    """
    apart = samples - np.mean(samples, axis=axes, keepdims=True)
    power = np.mean(apart * apart, axis=axes, keepdims=True)
    made: Signal = apart / np.sqrt(power + like(samples, eps))
    return made


def scale_and_shift(samples: Signal, weight: object, bias: object) -> Signal:
    """Return samples times one weight a channel plus one bias a channel, where there are any."""
    if weight is not None:
        samples = samples * like(samples, np.asarray(weight, dtype=np.float64))[:, None]
    if bias is not None:
        samples = samples + like(samples, np.asarray(bias, dtype=np.float64))[:, None]
    return samples


@register(BatchNorm)
def batch_norm(layer: BatchNorm, samples: Signal) -> Signal:
    """Standardise by the running mean and variance."""
    if layer.running_mean is not None:
        samples = samples - like(samples, np.asarray(layer.running_mean))[:, None]
    variance = 1.0 if layer.running_var is None else np.asarray(layer.running_var)
    deviation = np.sqrt(like(samples, np.add(variance, layer.eps))).reshape(-1, 1)
    return scale_and_shift(samples / deviation, layer.weight, layer.bias)


@register(GroupNorm)
def group_norm(layer: GroupNorm, samples: Signal) -> Signal:
    """Standardise each group of channels over its channels and time."""
    grouped = samples.reshape(samples.shape[0], layer.num_groups, -1)
    made = standardise(grouped, (2,), layer.eps).reshape(samples.shape)
    return scale_and_shift(made, layer.weight, layer.bias)


@register(InstanceNorm)
def instance_norm(layer: InstanceNorm, samples: Signal) -> Signal:
    """Standardise each channel over time."""
    return scale_and_shift(standardise(samples, (2,), layer.eps), layer.weight, layer.bias)


@register(LayerNorm)
def layer_norm(layer: LayerNorm, samples: Signal) -> Signal:
    """Standardise each time step over the channels."""
    return scale_and_shift(standardise(samples, (1,), layer.eps), layer.weight, layer.bias)


@register(WeightNorm)
def weight_norm(layer: WeightNorm, samples: Signal) -> Signal:
    """Give each slice of the weight its length, then convolve."""
    inner = layer.layer
    if layer.gain is None:
        return forward(inner, samples)
    direction = like(samples, inner.weight_array())
    lengths = np.sqrt(np.sum(direction * direction, axis=(1, 2), keepdims=True))
    weight = direction / lengths * like(samples, np.asarray(layer.gain))[:, None, None]
    return forward(replace(inner, weight=weight), samples)
