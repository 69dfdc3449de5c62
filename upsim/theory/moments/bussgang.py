r"""Bussgang's gain: how much of a periodic signal passes a nonlinear layer, and what is left.

The output is written as :math:`f(x) = a\,x + r`, with one gain ``a`` a channel that makes
:math:`f(x) - f(0)` and ``a x`` agree best over the period
(:math:`a = \sum x (f(x) - f(0)) / \sum x^2`; J. J. Bussgang, MIT RLE report 216, 1952).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from upsim.layers.base import Activation

Array = NDArray[np.float64]


def bussgang(activation: Activation, before: Array, after: Array) -> tuple[Array, Array]:
    """Return the gain, (channels, 1), and the rest, (channels, P), of one period.

    What passes a gate is its carrier.
    """
    carrier = activation.passing(before)
    gain = bussgang_gain(carrier, after, activation.at_rest(len(before)))
    return gain, after - gain * carrier


def bussgang_gain(carrier: Array, made: Array, silent: Array) -> Array:
    """Return the gain from ``x`` (channels, P) to ``f(x)``; ``silent`` is ``f(0)``."""
    energy = (carrier**2).sum(axis=1, keepdims=True)
    agreement = (carrier * (made - silent)).sum(axis=1, keepdims=True)
    return np.asarray(np.divide(agreement, energy, out=np.zeros_like(energy), where=energy > 0))
