"""The public test kit: laws for anybody's layer, and Hypothesis strategies for all of ours.

>>> import upsim
>>> from upsim.testing import check_upsampler
>>> check_upsampler(upsim.Linear(2))

Strategies are in :mod:`upsim.testing.strategies` and the laws in :mod:`upsim.testing.laws`.
"""

from upsim.testing.check import check_upsampler, laws_for, parametrize_with_laws
from upsim.testing.laws import LAWS, Law
from upsim.testing.strategies import (
    activations,
    kernels,
    layers,
    layers_with_channels,
    linear_layers,
    samples,
    signals,
    stacks,
    upsamplers,
)

__all__ = [
    "LAWS",
    "Law",
    "activations",
    "check_upsampler",
    "kernels",
    "laws_for",
    "layers",
    "layers_with_channels",
    "linear_layers",
    "parametrize_with_laws",
    "samples",
    "signals",
    "stacks",
    "upsamplers",
]
