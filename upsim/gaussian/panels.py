r"""Adaptive integration over panels that differ from entry to entry of an array.

Each panel is integrated by two Gauss-Legendre rules, of 20 and of 14 nodes.  For a function that
is analytic in an ellipse about the panel whose semi-axes sum to ``r`` half-lengths, a rule of n
nodes errs by ``O(r^-2n)`` (Trefethen, *Approximation theory and approximation practice*, theorem
19.3), so the difference of the two is, but for a vanishing part, the error of the coarser one and
bounds that of the finer.  Panels whose difference is not yet rounding are halved.  What is
reported is the sum of the differences over all panels, sixteenfold where it is not rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Takes nodes and weights, shape (nodes, *shape), returns weighted sums, shape (m, *shape).
Sums = Callable[[Array, Array], Array]

_FINE, _COARSE = 20, 14
EPSILON = float(np.finfo(np.float64).eps)
#: Where a panel has not converged, both rules may err alike, and more than they differ by.
_UNRESOLVED = 16.0
#: Panels that still disagree once this many are open are reported as they are.
_MOST_PANELS = 256


@cache
def _gauss(rule: int) -> tuple[Array, Array]:
    """Return Gauss and Legendre's rule: an eigenvalue problem, the same every time."""
    nodes, weights = np.polynomial.legendre.leggauss(rule)
    nodes.setflags(write=False)
    weights.setflags(write=False)
    return nodes, weights


def mapped(rule: int, left: Array, right: Array) -> tuple[Array, Array]:
    """Return the nodes and weights of a rule on panels, (rule, *shape)."""
    nodes, weights = _gauss(rule)
    shape = (-1, *([1] * left.ndim))
    half = 0.5 * (right - left)
    return 0.5 * (left + right) + half * nodes.reshape(shape), half * weights.reshape(shape)


def integrate(
    sums: Sums,
    breaks: Array,
    scale: Callable[[Array], Array],
    *,
    relative: float = 8 * EPSILON,
    depth: int = 40,
) -> tuple[Array, Array]:
    """Return integrals between the first and the last break, and the bounds of their errors.

    Parameters
    ----------
    sums : callable
        The weighted sums of m integrands at nodes of shape (nodes, *shape).
    breaks : array (count, *shape)
        Ascending along the first axis; panels of length 0 are free.
    scale : callable
        From the integrals of a first pass, what their errors are measured against.
    relative : float, optional
        A panel whose two rules agree this well, relative to the scale, is not halved.
    depth : int, optional
        How often a panel is halved at most; each halving adds two panels for a kink or a jump at
        an unknown place, and after 40 of them it weighs 2^-40.

    Returns
    -------
    values, error : array (m, *shape)
    """
    panels = [(a, b) for a, b in pairwise(breaks) if np.any(b > a)]
    if not panels:
        still = np.zeros_like(sums(breaks[:1], np.zeros_like(breaks[:1])))
        return still, still
    done: Array | None = None
    error: Array = np.zeros(())
    for level in range(depth + 1):
        pairs = [(sums(*mapped(_FINE, *p)), sums(*mapped(_COARSE, *p))) for p in panels]
        differences = [np.abs(fine - coarse) for fine, coarse in pairs]
        total = sum((fine for fine, _ in pairs), start=0.0 if done is None else done)
        wanted = relative * scale(np.asarray(total))
        last = level == depth or len(panels) > _MOST_PANELS
        open_panels = []
        for panel, (fine, _), difference in zip(panels, pairs, differences, strict=True):
            if not last and np.any(difference > wanted):
                open_panels.append(panel)
                continue
            done = fine if done is None else done + fine
            error = error + np.where(difference > wanted, _UNRESOLVED, 1.0) * difference
        if not open_panels:
            break
        middles = [0.5 * (a + b) for a, b in open_panels]
        panels = [
            half
            for (a, b), m in zip(open_panels, middles, strict=True)
            for half in ((a, m), (m, b))
        ]
    assert done is not None
    return np.asarray(done), np.asarray(error)
