"""The public test kit: laws for anybody's layer or callable, and Hypothesis strategies for ours.

>>> import upsim
>>> from upsim.testing import check_upsampler
>>> check_upsampler(upsim.Linear(2))

Strategies are in :mod:`upsim.testing.strategies` and the laws in :mod:`upsim.testing.laws`.
"""

from upsim.testing.callables.frameworks import Framework, register_framework
from upsim.testing.callables.laws import CALLABLE_LAWS, CallableLaw
from upsim.testing.callables.subject import Subject, subject
from upsim.testing.check import check_upsampler, laws_for, parametrize_with_laws
from upsim.testing.laws import LAWS, Law
from upsim.testing.strategies import (
    activations,
    deep_stacks,
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
    "CALLABLE_LAWS",
    "LAWS",
    "CallableLaw",
    "Framework",
    "Law",
    "Subject",
    "activations",
    "check_upsampler",
    "deep_stacks",
    "kernels",
    "laws_for",
    "layers",
    "layers_with_channels",
    "linear_layers",
    "parametrize_with_laws",
    "register_framework",
    "samples",
    "signals",
    "stacks",
    "subject",
    "upsamplers",
]
