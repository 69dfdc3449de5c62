r"""The exact GELU, ``f(x) = x Phi(x)``.

Multiplying by ``x = mu + s Z`` mixes neighbours, ``Z he_k = sqrt(k+1) he_{k+1} + sqrt(k)
he_{k-1}``, so with ``B_k`` the coefficients of Phi (:mod:`~upsim.gaussian.erf`)::

    alpha_k = mu B_k + s (sqrt(k+1) B_{k+1} + sqrt(k) B_{k-1})
    alpha_0 = mu Phi(w) + s^2 / sqrt(1 + s^2) phi(w),   w = mu / sqrt(1 + s^2).

Second moment, by Stein twice, ``E x g(x) = mu E g + s^2 E g'``, with ``g = x Phi^2`` and then
``Phi^2`` (that order leaves no terms of size s^3 to cancel)::

    E f^2     = (mu^2 + s^2) E Phi^2 + 2 s^2 (mu E phi Phi + E x phi Phi)
    E Phi^2   = Phi(w) - 2 T(w, 1/sqrt(1 + 2 s^2))              (Owen's T)
    E phi Phi = phi(w)/sqrt(1 + s^2)  E Phi(v)
    E x phi Phi = phi(w)/sqrt(1 + s^2)  E v Phi(v),  v ~ N(mu/(1+s^2), s^2/(1+s^2)),

the last two because ``phi(x)`` times the density of x is a Gaussian again.  For mu > 0,
``f(x) = x + f(-x)`` folds the variance to the negative mean, and for s^2 < 1/2 it is the sum of
squared coefficients: large numbers never cancel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from upsim.gaussian.erf import SERIES_BELOW, SERIES_ORDER, cumulative_coefficients
from upsim.gaussian.form import Form
from upsim.gaussian.hermite import cumulative, density
from upsim.gaussian.inputs import gaussian
from upsim.gaussian.moments import DEFAULT_ORDER, ActivationMoments
from upsim.words.arguments import whole_number
from upsim.words.tolerance import rounding

Array = NDArray[np.float64]


def _coefficients(mean: Array, deviation: Array, order: int) -> Array:
    """Return the Hermite coefficients of ``x Phi(x)``, shape (order + 1, ...)."""
    inner = cumulative_coefficients(mean, deviation, order + 1)
    k = np.arange(order + 2).reshape(-1, *([1] * mean.ndim))
    raised = np.sqrt(k[1:]) * inner[1:]  # sqrt(k+1) B_{k+1}
    lowered = np.concatenate([np.zeros_like(inner[:1]), np.sqrt(k[1:-1]) * inner[:-2]])
    return np.asarray(mean * inner[:-1] + deviation * (raised + lowered))


def _mean(mean: Array, deviation: Array) -> Array:
    root = np.sqrt(1 + deviation**2)
    w = mean / root
    return np.asarray(mean * cumulative(w) + deviation * (deviation / root) * density(w))


def _slope(mean: Array, deviation: Array) -> Array:
    """Return ``E f' = E Phi + E x phi``; ``E x phi = w phi(w) / (1 + s^2)``."""
    square = 1 + deviation**2
    w = mean / np.sqrt(square)
    return np.asarray(cumulative(w) + w * density(w) / square)


def _second(mean: Array, deviation: Array) -> Array:
    """Return ``E x^2 Phi(x)^2`` for mean <= 0."""
    from scipy.special import owens_t

    square = 1 + deviation**2
    root = np.sqrt(square)
    w = mean / root
    phis = cumulative(w) - 2 * owens_t(w, 1 / np.sqrt(1 + 2 * deviation**2))
    inner_mean, inner_deviation = mean / square, deviation / root
    peak = density(w) / root
    one = peak * cumulative(inner_mean / np.sqrt(1 + inner_deviation**2))
    weighted = peak * _mean(inner_mean, inner_deviation)
    return np.asarray((mean**2 + deviation**2) * phis + 2 * deviation**2 * (mean * one + weighted))


@dataclass(frozen=True)
class ExactGELU(Form):
    """``x Phi(x)`` (Hendrycks & Gimpel, arXiv 1606.08415).

    Examples
    --------
    >>> gelu = ExactGELU().moments(0.0, 1.0)
    >>> round(float(10 * np.log10(gelu.mean**2 / gelu.variance)), 2)
    -6.38
    """

    def function(self, x: Array) -> Array:
        """Return f(x)."""
        return np.asarray(x * cumulative(x))

    def expectation(self, mean: Array, deviation: Array) -> Array:
        """Return E f(x) alone."""
        return _mean(mean, deviation)

    @np.errstate(over="ignore", invalid="ignore")  # refused below, not warned of
    def moments(
        self, mean: ArrayLike, deviation: ArrayLike, *, order: int = DEFAULT_ORDER
    ) -> ActivationMoments:
        """Return the moments in closed form."""
        order = whole_number(order, "order")
        mu, s = gaussian(mean, deviation)
        rows = _coefficients(mu, s, max(order, SERIES_ORDER))
        near = -np.abs(mu)
        owen = _second(near, s) - _mean(near, s) ** 2
        owen = owen + np.where(mu > 0, s**2 * (1 - 2 * _slope(near, s)), 0.0)
        variance = np.where(s < SERIES_BELOW, np.sum(rows[1:] ** 2, axis=0), owen)
        return ActivationMoments(
            form=self,
            input_mean=mu,
            input_deviation=s,
            mean=_mean(mu, s),
            variance=np.maximum(variance, 0.0),
            slope=_slope(mu, s),
            coefficients=rows[: order + 1],
            mean_error=rounding(16, 1.0) * (np.abs(mu) + s),
            # each term is at most a few s^2: mu^2 Phi(w), s^2 mu phi(w) / sqrt(1 + s^2)
            variance_error=rounding(64, 1.0) * s**2 * (1 + SERIES_ORDER * (s < SERIES_BELOW)),
            slope_error=rounding(16, 1.0) * np.ones_like(s),
            coefficients_error=rounding(16, 1.0) * np.abs(mu) + rounding(8 * order + 16, 1.0) * s,
            method="closed",
        )
