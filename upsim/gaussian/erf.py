r"""The normal distribution function and erf: ``f(x) = offset + gain Phi(scale x)``.

``Phi(c x) = P(W <= c x)`` for an independent standard normal W, so with ``q = c s``,
``w = c mu / sqrt(1 + q^2)`` and ``t = q / sqrt(1 + q^2)``::

    alpha_0 = offset + gain Phi(w)
    alpha_k = gain t^k (-1)^{k-1} he_{k-1}(w) phi(w) / sqrt(k),  he_n = He_n / sqrt(n!)
    E Phi(c x) Phi(c' y) = P(U <= w, V <= w'),  correlation t t' rho

(differentiate ``Phi(w)`` k times for mu; Price 1958 for the last).  The variance is
``Phi(w) Phi(-w) - 2 T(w, 1/sqrt(1 + 2 q^2))``, T Owen's function; for q < 0.7 it is the sum of
the squared coefficients instead, whose terms fall at least as t^2k <= 3^-k and do not cancel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from upsim.gaussian.covariance import Covariance
from upsim.gaussian.form import Form, parameter
from upsim.gaussian.hermite import cumulative, density, density_times_hermite
from upsim.gaussian.inputs import gaussian
from upsim.gaussian.moments import DEFAULT_ORDER, ActivationMoments
from upsim.gaussian.quadrant import both_below
from upsim.words.arguments import whole_number
from upsim.words.tolerance import rounding

Array = NDArray[np.float64]

#: q^2 = 1/2 gives t^2 = 1/3, and 3^-36 < 1e-17: the series to this order is the variance.
SERIES_BELOW = float(np.sqrt(0.5))
SERIES_ORDER = 36


def cumulative_coefficients(mean: Array, deviation: Array, order: int) -> Array:
    """Return the Hermite coefficients of ``Phi(x)``, shape (order + 1, ...)."""
    root = np.sqrt(1 + deviation**2)
    w, t = mean / root, deviation / root
    k = np.arange(1, order + 1).reshape(-1, *([1] * w.ndim))
    # phi(w) he_n(-w) = (-1)^n phi(w) he_n(w)
    rest = t**k * density_times_hermite(w, order - 1) / np.sqrt(k)
    return np.concatenate([cumulative(w)[None], rest])


def variance_of_cumulative(mean: Array, deviation: Array) -> Array:
    """Return ``Var Phi(x)``."""
    from scipy.special import owens_t

    w = mean / np.sqrt(1 + deviation**2)
    series = np.sum(cumulative_coefficients(mean, deviation, SERIES_ORDER)[1:] ** 2, axis=0)
    owen = cumulative(w) * cumulative(-w) - 2 * owens_t(w, 1 / np.sqrt(1 + 2 * deviation**2))
    return np.where(deviation < SERIES_BELOW, series, np.maximum(owen, 0.0))


@dataclass(frozen=True, eq=False)
class NormalCumulative(Form):
    """``offset + gain Phi(scale x)``; :func:`erf` is ``-1 + 2 Phi(sqrt(2) x)``.

    Examples
    --------
    >>> bool(np.isclose(NormalCumulative().moments(0.0, 1.0).variance, 1 / 12))
    True
    """

    scale: float | Array = 1.0
    gain: float | Array = 1.0
    offset: float | Array = 0.0

    def __post_init__(self) -> None:
        for name in ("scale", "gain", "offset"):
            object.__setattr__(self, name, parameter(getattr(self, name), name))

    @property
    def width(self) -> float:
        """A deviation of the steepest distribution function."""
        return float(1 / max(np.max(np.abs(self.scale)), 1e-300))

    def function(self, x: Array) -> Array:
        """Return f(x)."""
        return np.asarray(self.offset + self.gain * cumulative(self.scale * x))

    def expectation(self, mean: Array, deviation: Array) -> Array:
        """Return E f(x) alone."""
        return self.function(mean / np.sqrt(1 + (self.scale * deviation) ** 2))

    @np.errstate(over="ignore", invalid="ignore")  # refused below, not warned of
    def moments(
        self, mean: ArrayLike, deviation: ArrayLike, *, order: int = DEFAULT_ORDER
    ) -> ActivationMoments:
        """Return the moments in closed form."""
        order = whole_number(order, "order")
        mu, s = gaussian(mean, deviation)
        c, g = np.asarray(self.scale), np.asarray(self.gain)
        # A negative scale turns every odd coefficient: cumulative_coefficients takes q signed.
        q, middle = c * s, c * mu
        rows = g * cumulative_coefficients(middle, q, order)
        rows = np.concatenate([rows[:1] + self.offset, rows[1:]])
        root = np.sqrt(1 + q * q)
        size = np.minimum(np.abs(q), 1.0)
        return ActivationMoments(
            form=self,
            input_mean=mu,
            input_deviation=s,
            mean=rows[0],
            variance=g**2 * variance_of_cumulative(middle, np.abs(q)),
            slope=g * c * density(middle / root) / root,
            coefficients=rows,
            mean_error=rounding(10, 1.0) * (np.abs(g) + np.abs(self.offset)),
            variance_error=rounding(40, 1.0) * g**2 * size**2,
            slope_error=rounding(12, 1.0) * np.abs(g * c) / root,
            coefficients_error=rounding(10, 1.0) * (np.abs(g) + np.abs(self.offset))
            + rounding(8 * order, 1.0) * np.abs(g) * size,
            method="closed",
        )

    def closed_covariance(
        self, x: ActivationMoments, y: ActivationMoments, rho: Array
    ) -> Covariance | None:
        """Return the covariance with another normal distribution function (of any scale)."""
        other = y.form
        if not isinstance(other, NormalCumulative):
            return None
        q, p = self.scale * x.input_deviation, other.scale * y.input_deviation
        w = self.scale * x.input_mean / np.sqrt(1 + q * q)
        v = other.scale * y.input_mean / np.sqrt(1 + p * p)
        # |t t'| < 1 but for q near 1e8 and beyond, where Phi(q x) is a step to rounding
        ceiling = 1 - float(np.finfo(np.float64).eps)
        inner = np.clip(rho * q * p / np.sqrt((1 + q * q) * (1 + p * p)), -ceiling, ceiling)
        product = both_below(w, v, inner) - cumulative(w) * cumulative(v)
        size = np.abs(np.asarray(self.gain) * np.asarray(other.gain))
        return Covariance(
            np.asarray(self.gain * other.gain) * product, rounding(16, 1.0) * size, "closed"
        )


def erf() -> NormalCumulative:
    """Return the error function, ``2 Phi(sqrt(2) x) - 1``.

    Examples
    --------
    >>> round(float(erf().function(np.array(1.0))), 6)
    0.842701
    """
    return NormalCumulative(scale=float(np.sqrt(2)), gain=2.0, offset=-1.0)
