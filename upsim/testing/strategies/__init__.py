"""Hypothesis strategies for kernels, layers, stacks and signals, over the whole catalogue.

Values are small dyadic numbers (multiples of 1/8), so that sums of products of them are exact in
floating point and a law can ask for equality; those of deep stacks keep their level instead.
"""

from upsim.testing.strategies.deep import deep_stacks
from upsim.testing.strategies.layers import (
    STRATEGIES,
    activations,
    layers,
    layers_with_channels,
    linear_layers,
    upsamplers,
)
from upsim.testing.strategies.signals import signals
from upsim.testing.strategies.stacks import stacks
from upsim.testing.strategies.values import dyadics, kernels, samples

__all__ = [
    "STRATEGIES",
    "activations",
    "deep_stacks",
    "dyadics",
    "kernels",
    "layers",
    "layers_with_channels",
    "linear_layers",
    "samples",
    "signals",
    "stacks",
    "upsamplers",
]
