"""Checks of what a Gaussian is given by, and its standardised mean."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from upsim.errors import ArgumentError, ShapeError
from upsim.words.arguments import finite_array

Array = NDArray[np.float64]

#: Beyond this many deviations the normal density (e^-1800) is zero in double precision.
FAR = 60.0


def gaussian(mean: ArrayLike, deviation: ArrayLike) -> tuple[Array, Array]:
    """Return mean and deviation as finite float arrays of one shape, the deviation >= 0.

    Examples
    --------
    >>> mean, deviation = gaussian([0.0, 1.0], 2.0)
    >>> mean.shape == deviation.shape == (2,)
    True
    """
    means = finite_array(mean, "mean")
    deviations = finite_array(deviation, "deviation")
    if np.any(deviations < 0):
        raise ArgumentError(
            "deviation must not be negative",
            given=f"deviation={float(np.min(deviations))!r} as its least entry",
            expected="standard deviations >= 0",
            fix="deviation=np.sqrt(variance)",
        )
    try:
        shape = np.broadcast_shapes(means.shape, deviations.shape)
    except ValueError:
        raise ShapeError(
            "mean and deviation do not broadcast",
            given=f"mean of shape {means.shape}, deviation of shape {deviations.shape}",
            fix="one deviation for each mean, or one for all",
        ) from None
    return np.broadcast_to(means, shape), np.broadcast_to(deviations, shape)


def correlation(rho: ArrayLike, name: str = "rho") -> Array:
    """Return correlations, checked to lie in [-1, 1].

    Excursions of a few units in the last place, as every quotient of a covariance by two
    deviations makes them, are cut off; larger ones are refused.
    """
    values = finite_array(rho, name)
    slack = 16 * float(np.finfo(np.float64).eps)
    if np.any(np.abs(values) > 1 + slack):
        worst = float(values.flat[int(np.argmax(np.abs(values)))])
        raise ArgumentError(
            f"{name} must lie in [-1, 1]",
            given=f"{name}={worst!r}",
            expected="a correlation coefficient",
            fix=f"{name} = covariance / (deviation_x * deviation_y)",
        )
    return np.clip(values, -1.0, 1.0)


def standardised(mean: Array, deviation: Array) -> Array:
    """Return ``mean / deviation``, cut at 60: the limit s -> 0 has Phi = 0, 1/2 or 1."""
    tiny = np.abs(mean) >= FAR * deviation
    far = np.sign(mean) * FAR
    return np.where(tiny, far, mean / np.where(tiny, 1.0, deviation))
