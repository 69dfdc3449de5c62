"""How the rounding error of a period passes functions and mergings.

Linear operators have :func:`upsim.operators.rounding.running_error`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from upsim.theory.moments.merging import share
from upsim.words.tolerance import rounding

Array = NDArray[np.float64]


def error_of_function(
    function: Callable[[Array], Array], before: Array, error: Array, made: Array
) -> Array:
    """Return what rounding may have done to a sample behind an activation, (channels,).

    The error passes with the slope there is: the function is asked again where the samples
    ``before`` are moved by their error, all up, and every other channel down, as a gate's halves
    may work against each other.
    """
    step = error[:, None]
    signs = np.where(np.arange(len(before)) % 2, -1.0, 1.0)[:, None]
    moved = np.zeros(len(made))
    if error.any():
        for each in (step, signs * step, -step):
            moved = np.maximum(moved, largest(function(before + each) - made))
    return moved + rounding(8, 1.0) * largest(made)


def merged_error(errors: Sequence[Array], merging: str) -> Array:
    """Return the error of values that meet; errors of different branches are independent."""
    if merging == "concatenate":
        return np.concatenate(errors)
    return np.asarray(share(merging, len(errors)) * np.sqrt(np.sum(np.square(errors), axis=0)))


def largest(samples: Array) -> Array:
    """Return the largest magnitude along the last axis, 0 where there is none."""
    return np.asarray(np.abs(samples).max(axis=-1, initial=0.0))
