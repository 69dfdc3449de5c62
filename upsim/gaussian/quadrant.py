r"""Two correlated normal variables: the chance of a quadrant, and products of positive parts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from upsim.gaussian.hermite import cumulative, density

Array = NDArray[np.float64]

#: Phi(-38) is 3e-316: nothing is left of a positive part that far out.
_GONE = -38.0


def _owen_argument(h: Array, k: Array, rho: Array, root: Array) -> Array:
    """Return ``(k - rho h) / (h root)``, with its limits at h = 0."""
    # (k -+ h) / h +- (1 - |rho|): it vanishes exactly where k = +-h and rho = +-1, and nothing is
    # multiplied by h, which may be the smallest number there is.
    sign = np.where(rho < 0, -1.0, 1.0)
    both = np.sqrt((1 - rho) / np.maximum(1 + rho, 1e-300))
    at_zero = np.where(k == 0, both, np.where(k > 0, np.inf, -np.inf))
    zero = h == 0
    with np.errstate(over="ignore"):
        apart = (k - sign * h) / np.where(zero, 1.0, h)
        return np.where(zero, at_zero, (apart + sign * (1 - np.abs(rho))) / root)


def both_below(h: Array, k: Array, rho: Array) -> Array:
    r"""Return ``P(X <= h, Y <= k)`` for standard normal X, Y of correlation rho, |rho| < 1.

    Owen (*Tables for computing bivariate normal probabilities*, Ann. Math. Stat. 27, 1956, eq.
    2.1): ``(Phi(h) + Phi(k)) / 2 - T(h, (k - rho h) / (h r)) - T(k, (h - rho k) / (k r)) - b``,
    ``r = sqrt(1 - rho^2)``, b = 1/2 if h and k have different signs (or one is 0 and the other
    negative), else 0.

    Examples
    --------
    >>> zero = np.array(0.0)
    >>> chance = both_below(zero, zero, np.array(0.5))
    >>> bool(np.isclose(chance, 0.25 + np.arcsin(0.5) / (2 * np.pi)))
    True
    """
    from scipy.special import owens_t

    h, k, rho = np.broadcast_arrays(h, k, rho)
    root = np.sqrt((1 - rho) * (1 + rho))
    # by signs: the product of two tiny numbers underflows to 0
    side = np.sign(h) * np.sign(k)
    apart = (side < 0) | ((side == 0) & (h + k < 0))
    return np.asarray(
        0.5 * (cumulative(h) + cumulative(k))
        - owens_t(h, _owen_argument(h, k, rho, root))
        - owens_t(k, _owen_argument(k, h, rho, root))
        - 0.5 * apart
    )


def positive_parts(a: Array, b: Array, rho: Array) -> Array:
    r"""Return ``Cov(max(a + X, 0), max(b + Y, 0))``, X and Y standard normal, a, b <= 0.

    Integrating ``(a + X)(b + Y)`` over the quadrant by parts (Stein, twice; Rosenbaum, *Moments of
    a truncated bivariate normal distribution*, JRSS B 23, 1961), with ``r = sqrt(1 - rho^2)``::

        E = (a b + rho) P(X > -a, Y > -b) + b phi(a) Phi((b - rho a)/r)
            + a phi(b) Phi((a - rho b)/r) + r/(2 pi) exp(-(a^2 - 2 rho a b + b^2)/(2 r^2))

    At a = b = 0 this is the arc-cosine kernel of order 1 (Cho & Saul 2009).  At rho = 1 both
    events are one, ``X > -min(a, b)``, and ``E = (a b + 1) Phi(m) + max(a, b) phi(m)``, m the
    minimum; at rho = -1 they exclude each other.  The callers fold positive means to negative
    ones, where the mean that is subtracted is small: nothing cancels.
    """
    a, b, rho = np.broadcast_arrays(a, b, rho)
    inner = np.abs(rho) < 1
    inside = np.where(inner, rho, 0.0)
    root = np.sqrt((1 - inside) * (1 + inside))
    # b - rho a and the quadratic form are written so that they vanish exactly where b = rho a.
    toward = np.where(inside >= 0, inside, -inside)
    sign = np.where(inside >= 0, 1.0, -1.0)
    from_a = (b - sign * a + sign * (1 - toward) * a) / root
    from_b = (a - sign * b + sign * (1 - toward) * b) / root
    form = ((a - sign * b) ** 2 + 2 * sign * (1 - toward) * a * b) / root**2
    product = (
        (a * b + inside) * both_below(a, b, inside)
        + b * density(a) * cumulative(from_a)
        + a * density(b) * cumulative(from_b)
        + root / (2 * np.pi) * np.exp(-0.5 * form)
    )
    low, high = np.minimum(a, b), np.maximum(a, b)
    together = np.where(rho > 0, (a * b + 1) * cumulative(low) + high * density(low), 0.0)
    product = np.where(inner, product, together)
    means = (density(a) + a * cumulative(a)) * (density(b) + b * cumulative(b))
    return np.where(low < _GONE, 0.0, product - means)


def centred_positive_parts(rho: Array) -> Array:
    r"""Return ``Cov(max(X, 0), max(Y, 0))``, X and Y standard normal.

    The arc-cosine kernel of order 1 (Cho & Saul 2009) less the product ``1 / 2 pi`` of the means::

        [sqrt(1 - rho^2) - 1 + rho (pi / 2 + asin rho)] / 2 pi,

    its first two terms written as ``-rho^2 / (1 + sqrt(1 - rho^2))``, which does not cancel.

    Examples
    --------
    >>> centred_positive_parts(np.array([-1.0, 0.0, 1.0])) * 2 * np.pi
    array([-1.        ,  0.        ,  2.14159265])
    """
    root = (1 - rho) * (1 + rho)
    np.sqrt(root, out=root)
    root += 1
    square = rho * rho
    square /= root
    turned = np.arcsin(rho, out=root)
    turned += np.pi / 2
    turned *= rho
    turned -= square
    turned /= 2 * np.pi
    return np.asarray(turned)
