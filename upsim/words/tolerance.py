"""How far two right answers may differ: the one place where tolerances are derived.

Rounding.  A sum of ``operations`` products, each rounded to a relative error of at most
``u = eps/2``, differs from the exact sum by at most ``gamma(n) * sum |terms|`` with
``gamma(n) = n u / (1 - n u)`` (Higham, *Accuracy and Stability of Numerical Algorithms*, 2002,
section 3.1).  Two computations that order the sum differently are each within that bound of the
truth, so they are within twice that bound of each other.

Statistics.  An average of ``count`` independent values of standard deviation ``s`` lies within
``z s / sqrt(count)`` of the mean except with probability ``2 (1 - Phi(z))``; z = 5 gives 6e-7.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import DTypeLike

#: A precision: a NumPy dtype, or the relative distance of its neighbouring numbers.
Precision = DTypeLike | float


def rounding(operations: int, scale: float, dtype: Precision = np.float64) -> float:
    """Return the bound between two computations of one sum.

    Parameters
    ----------
    operations : int
        Additions and multiplications along the longest path to one output number.
    scale : float
        Sum of the absolute values of the terms, or a bound of it.
    dtype : dtype, optional
        The coarser of the precisions in which the two were computed.

    Returns
    -------
    float
        ``2 gamma(operations) scale``.

    Examples
    --------
    >>> rounding(100, 1.0) < 1e-13
    True
    """
    unit = _unit(dtype)
    steps = max(1, operations) * unit
    if steps >= 1:
        return math.inf
    return 2 * steps / (1 - steps) * scale


def probable(
    operations: int, scale: float, dtype: Precision = np.float64, confidence: float = 6.0
) -> float:
    """Return what two computations of one long sum may differ by, but for bad luck.

    Rounding errors of a sum of many terms are nearly independent and of mean zero, so they grow
    with the root of their number: the error is at most ``c sqrt(n) u sum |terms|`` with
    probability at least ``1 - 2 exp(-c^2 / 2)`` (Higham & Mary, *A new approach to probabilistic
    rounding error analysis*, SIAM J. Sci. Comput. 41, 2019); c = 6 leaves 3e-8.  Sums of thousands
    of terms, as wide layers have them, would pass any error under the worst-case bound.

    Examples
    --------
    >>> probable(10000, 1.0) < rounding(10000, 1.0) / 10
    True
    """
    unit = _unit(dtype)
    return 2 * confidence * math.sqrt(max(1, operations)) * unit * scale


#: Of double precision, the plain case, asked for at every step of a prediction.
_DOUBLE = float(np.finfo(np.float64).eps) / 2


def _unit(dtype: Precision) -> float:
    """Return the largest relative error of one rounding."""
    if isinstance(dtype, float):
        return dtype / 2
    return _DOUBLE if dtype is np.float64 else float(np.finfo(dtype).eps) / 2


def sampling(deviation: float, count: int, z: float = 5.0) -> float:
    """Return how far the average of ``count`` values may lie from its mean."""
    return z * deviation / math.sqrt(count)
