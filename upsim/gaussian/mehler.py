r"""Mehler's series: its sum, what it leaves out, and how far it reaches.

For jointly Gaussian x and y of correlation rho, with Hermite coefficients ``alpha_k`` of f at x and
``alpha'_k`` of g at y (Mehler 1866, Price 1958)::

    Cov(f(x), g(y)) = sum_{k>=1} alpha_k alpha'_k rho^k.

Beyond K terms the rest is at most ``|rho|^{K+1} sqrt(tail tail')`` (Cauchy and Schwarz), a tail
being the variance less the squares of the first K coefficients.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: A tail at the level of rounding counts as none.
_ROUNDED = 1e-15


def summed(product: Callable[[int], Array], rho: Array, order: int) -> Array:
    """Return ``sum_{k=1..K} product(k) rho^k``, by Horner's rule in place: no power is stored.

    Examples
    --------
    >>> summed(lambda k: np.array(1.0), np.array([0.5]), 3)
    array([0.875])
    """
    total = np.zeros(rho.shape)
    for k in range(order, 0, -1):
        total += product(k)
        total *= rho
    return total


def tail_shares(powers: Array, variance: Array, orders: Sequence[int]) -> tuple[float, ...]:
    """Return the largest share of the variance beyond each order.

    Parameters
    ----------
    powers : array (K, *shape)
        Of the orders 1, 2, ...; orders beyond K are left out of the answer.
    variance : array (*shape)
    orders : sequence of int
        Ascending.

    Examples
    --------
    >>> tail_shares(np.array([[0.75]]), np.array([1.0]), (1, 2))
    (0.250000000000001,)
    """
    energies = np.cumsum(powers, axis=0)
    found = []
    for order in orders:
        if order <= len(powers):
            tail = np.maximum(variance - energies[order - 1], 0.0)
            share = np.divide(tail, variance, out=np.zeros_like(tail), where=variance > 0)
            share = np.where(variance > 0, share + _ROUNDED, 0.0)
            found.append(float(share.max(initial=0.0)))
    return tuple(found)


def furthest(order: int, rest: float, accuracy: float) -> float:
    """Return the largest correlation up to which a series of an order is accurate.

    ``rest`` is what it leaves out where the correlation is one.
    """
    return min(1.0, (accuracy / rest) ** (1 / (order + 1))) if rest > accuracy else 1.0
