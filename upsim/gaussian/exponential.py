r"""The exponential, ``f(x) = e^{rate x}``: log-normal moments.

``E e^{l x} = e^{l mu + l^2 s^2 / 2}``, ``alpha_k = (l s)^k / sqrt(k!) E f`` and
``Cov(e^{l x}, e^{m y}) = E e^{l x} E e^{m y} (e^{l m rho s s'} - 1)``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from upsim.gaussian.covariance import Covariance
from upsim.gaussian.form import Form, parameter
from upsim.gaussian.inputs import gaussian
from upsim.gaussian.moments import DEFAULT_ORDER, ActivationMoments
from upsim.words.arguments import whole_number
from upsim.words.tolerance import rounding

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Exponential(Form):
    """``e^{rate x}``.

    Examples
    --------
    >>> bool(np.isclose(Exponential().moments(0.0, 1.0).mean, np.exp(0.5)))
    True
    """

    rate: float | Array = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "rate", parameter(self.rate, "rate"))

    def function(self, x: Array) -> Array:
        """Return f(x)."""
        return np.exp(self.rate * x)

    def expectation(self, mean: Array, deviation: Array) -> Array:
        """Return E f(x) alone."""
        return np.exp(self.rate * mean + 0.5 * (self.rate * deviation) ** 2)

    def moments(
        self, mean: ArrayLike, deviation: ArrayLike, *, order: int = DEFAULT_ORDER
    ) -> ActivationMoments:
        """Return the moments in closed form; refuse what overflows."""
        order = whole_number(order, "order")
        mu, s = gaussian(mean, deviation)
        q = self.rate * s
        with np.errstate(over="ignore", invalid="ignore"):
            middle = self.expectation(mu, s)
            variance = middle**2 * np.expm1(q * q)
            rows = [middle]
            for k in range(1, order + 1):
                rows.append(rows[-1] * q / np.sqrt(k))
            # e^t is good to |t| u
            unit = 1 + np.abs(self.rate * mu) + q * q
            return ActivationMoments(
                form=self,
                input_mean=mu,
                input_deviation=s,
                mean=middle,
                variance=variance,
                slope=self.rate * middle,
                coefficients=np.stack(rows),
                mean_error=rounding(6, 1.0) * unit * middle,
                variance_error=rounding(12, 1.0) * unit * variance,
                slope_error=rounding(8, 1.0) * unit * np.abs(self.rate * middle),
                coefficients_error=rounding(6 + 3 * order, 1.0)
                * unit
                * np.sqrt(middle**2 + variance),
                method="closed",
            )

    def closed_covariance(
        self, x: ActivationMoments, y: ActivationMoments, rho: Array
    ) -> Covariance | None:
        """Return the covariance with another exponential."""
        if not isinstance(y.form, Exponential):
            return None
        v = rho * self.rate * x.input_deviation * y.form.rate * y.input_deviation
        middle = x.mean * y.mean
        values = middle * np.expm1(v)
        error = np.abs(np.expm1(v)) * (x.mean_error * y.mean + y.mean_error * x.mean)
        # v is a product of five factors; where it underflows it is off by a part of the least one.
        lost = np.abs(v) + np.finfo(np.float64).tiny
        error = error + rounding(8, 1.0) * middle * lost * np.exp(np.maximum(v, 0))
        return Covariance(values, error, "closed")
