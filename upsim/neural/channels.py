"""Whole channels: scaled, and picked by their numbers."""

from __future__ import annotations

from upsim.layers.channels import Scale, Select
from upsim.neural.activations import per_channel
from upsim.neural.precision import Signal
from upsim.neural.registry import register


@register(Scale)
def scale(layer: Scale, samples: Signal) -> Signal:
    """Multiply each channel by its number, and add its bias."""
    scaled = per_channel(samples, layer.scale, "scale") * samples
    return scaled + per_channel(samples, layer.bias, "bias") if layer.has_bias else scaled


@register(Select)
def select(layer: Select, samples: Signal) -> Signal:
    """Stack the channels, one after another."""
    return samples[:, list(layer.numbers)]
