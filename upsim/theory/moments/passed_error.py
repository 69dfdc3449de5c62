"""How the rounding error of a period passes functions and mergings.

Linear operators have :func:`upsim.operators.rounding.running_error`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from upsim.layers.base import Activation
from upsim.theory.moments.merging import share
from upsim.words.tolerance import rounding

Array = NDArray[np.float64]


def error_of_function(activation: Activation, before: Array, error: Array, made: Array) -> Array:
    """Return what rounding may have done to a sample behind an activation, (channels,).

    The error passes with the slope there is: the function is asked again where the samples
    ``before`` are moved by their error; one that mixes channels also where the second half of them
    is moved the other way, as a gate's halves may work against each other.
    """
    moved = rounding(8, 1.0) * largest(made)
    if not error.any():
        return moved
    steps = [error[:, None]]
    if activation.mixes_channels:
        half = np.arange(len(before))[:, None] >= len(before) // 2
        steps.append(np.where(half, -steps[0], steps[0]))
    apart = [largest(activation.function(before + step) - made) for step in steps]
    return np.asarray(moved + np.max(apart, axis=0))


def merged_error(errors: Sequence[Array], merging: str) -> Array:
    """Return the error of values that meet; errors of different branches are independent."""
    if merging == "concatenate":
        return np.concatenate(errors)
    return np.asarray(share(merging, len(errors)) * np.sqrt(np.sum(np.square(errors), axis=0)))


def largest(samples: Array) -> Array:
    """Return the largest magnitude along the last axis, 0 where there is none."""
    return np.asarray(np.abs(samples).max(axis=-1, initial=0.0))
