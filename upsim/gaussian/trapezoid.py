r"""Means of products of smooth functions of two nearly equal Gaussian samples.

Samples of correlation rho share a part U: ``X = sqrt(|rho|) U + sqrt(1 - |rho|) V`` and
``Y = sign(rho) sqrt(|rho|) U + sqrt(1 - |rho|) W``, all independent, so that ::

    E f(x) g(y) = E_U[F(U) G(U)],   F(u) = E_V f(mu + s sqrt(|rho|) u + s sqrt(1 - |rho|) V).

For functions that are analytic in a strip of half-width ``d`` about the real axis both integrals
are sums over equidistant points, whose error falls as ``exp(-2 pi d / (s h))`` with the step h
(Trefethen & Weideman, SIAM Review 56, 2014); a sigmoid has d = pi.  Steps are chosen so that this
is below the rounding, whatever the deviation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from upsim.gaussian.hermite import density

Array = NDArray[np.float64]

#: phi(10) = 8e-23.
_WINDOW = 10.0
#: ``exp(-40)`` = 4e-18.
_DIGITS = 40.0
#: Values in one piece of work (8 MiB).
_PIECE = 2**20


def products(
    functions: Sequence[Callable[[Array], Array]],
    strip: float,
    first: tuple[Array, Array],
    second: tuple[Array, Array],
    rho: Array,
) -> Array:
    """Return ``E f_i(x) f_j(y)``, shape (functions, functions, pairs).

    Parameters
    ----------
    functions : sequence of callable
        Analytic for imaginary parts below ``strip``.
    strip : float
    first, second : (array (pairs,), array (pairs,))
        Mean and deviation of x and of y.
    rho : array (pairs,)

    Examples
    --------
    >>> half = np.array([0.5])
    >>> found = products([np.sin], 5.0, (0 * half, 2 * half), (0 * half, 2 * half), half)
    >>> bool(np.isclose(found[0, 0, 0], np.exp(-1) * np.sinh(0.5)))
    True
    """
    common, own = np.sqrt(np.abs(rho)), np.sqrt(1 - np.abs(rho))
    widest = float(max(first[1].max(initial=0.0), second[1].max(initial=0.0)))
    narrow = float(max((first[1] * own).max(initial=0.0), (second[1] * own).max(initial=0.0)))
    shared, shared_weights = _points(strip, widest)
    inner, weights = _points(strip, narrow)
    answer = np.empty((len(functions), len(functions), rho.size))
    size = max(1, _PIECE // (shared.size * inner.size))
    for start in range(0, rho.size, size):
        part = slice(start, start + size)
        smoothed = []
        for (mean, deviation), sign in ((first, 1.0), (second, np.sign(rho[part]))):
            centre = mean[part] + sign * (deviation * common)[part] * shared[:, None]
            samples = centre[:, :, None] + (deviation * own)[part][:, None] * inner
            smoothed.append(np.array([function(samples) @ weights for function in functions]))
        left, right = smoothed
        answer[:, :, part] = np.einsum("iup,jup,u->ijp", left, right, shared_weights)
    return answer


def _points(strip: float, deviation: float) -> tuple[Array, Array]:
    """Return points and the weights of a standard normal variable."""
    # The density itself is a strip without end: its own error is exp(-2 pi^2 / h^2).
    step = min(2 * np.pi * strip / (_DIGITS * max(deviation, 1e-300)), np.pi * (2 / _DIGITS) ** 0.5)
    count = int(np.ceil(_WINDOW / step))
    points = np.arange(-count, count + 1) * step
    return points, density(points) * step
