r"""Orthonormal Hermite polynomials under their weight.

``he_n(x) = He_n(x) / sqrt(n!)`` is orthonormal for the standard normal density.  It overflows for
large n and x, but ``e^{-x^2/4} |he_n(x)| <= 1.0865`` for every n and x (Cramer's inequality,
Abramowitz & Stegun 22.14.17), so the weighted functions are what is computed.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ROOT_TWO_PI = float(np.sqrt(2 * np.pi))


def weighted_hermite(x: Array, order: int) -> Iterator[Array]:
    r"""Yield ``e^{-x^2/4} he_n(x)`` for n = 0..order.

    Recurrence ``sqrt(n+1) he_{n+1} = x he_n - sqrt(n) he_{n-1}`` (A&S 22.7.14, normalised); the
    wanted solution is not dominated by the other one where it grows (|x| > 2 sqrt n), and both
    oscillate elsewhere, so going forward is stable.

    Examples
    --------
    >>> [round(float(value), 3) for value in weighted_hermite(np.array(0.0), 4)]
    [1.0, 0.0, -0.707, -0.0, 0.612]
    """
    previous = np.zeros_like(x)
    current = np.exp(-0.25 * x * x)
    for n in range(order + 1):
        yield current
        following = (x * current - np.sqrt(n) * previous) / np.sqrt(n + 1)
        previous, current = current, following


def density_times_hermite(z: Array, order: int) -> Array:
    """Return ``phi(z) he_n(-z)``, shape (order + 1, *z.shape).

    These are the Hermite coefficients of a delta: ``E[delta(mu + s Z) he_n(Z)] s`` at z = mu / s.
    """
    weight = np.exp(-0.25 * z * z) / ROOT_TWO_PI
    return np.stack([weight * values for values in weighted_hermite(-z, order)])


def density(z: Array) -> Array:
    """Return the standard normal density."""
    return np.exp(-0.5 * z * z) / ROOT_TWO_PI


def cumulative(z: Array) -> Array:
    """Return the standard normal distribution function, accurate in its lower tail."""
    from scipy.special import ndtr

    return np.asarray(ndtr(z))
