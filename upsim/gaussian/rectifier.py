r"""Two straight lines that meet at 0: identity, ReLU, leaky and parametric ReLU.

Let ``f(x) = x`` for x >= 0 and ``a x`` below, ``z = mu / s``, and let ``p(z) = phi(z) + z Phi(z)``
be the mean of ``max(z + Z, 0)``.  Since ``max(x, 0) = x + max(-x, 0)``, a positive mean folds to a
negative one::

    f(x) = a x + (1 - a) max(x, 0)       used for mu <= 0
    f(x) =   x + (1 - a) max(-x, 0)      used for mu > 0

so that the positive part is always the rarer one and no large numbers cancel (at mu = 1, s = 1e-8
``E f^2 - (E f)^2`` would have no correct digit).  Hermite coefficients by Stein's lemma,
``alpha_k sqrt(k!) = s^k E f^(k)(x)`` with ``f'' = (1 - a) delta``, and
``E delta^(n)(x) = (-1)^n p^(n)(0)``, p the density of x, ``p^(n)(0) = (-1)^n He_n(-z) phi(z) /
s^(n+1)``::

    alpha_0 = a mu + (1 - a) s p(z),   alpha_1 = s (a + (1 - a) Phi(z)),
    alpha_k = (1 - a) s phi(z) He_{k-2}(-z) / sqrt(k!)   for k >= 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from upsim.gaussian.covariance import Covariance
from upsim.gaussian.form import Form, parameter
from upsim.gaussian.hermite import cumulative, density, density_times_hermite
from upsim.gaussian.inputs import gaussian, standardised
from upsim.gaussian.moments import DEFAULT_ORDER, ActivationMoments
from upsim.gaussian.quadrant import centred_positive_parts, positive_parts
from upsim.words.arguments import whole_number
from upsim.words.tolerance import rounding

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Rectifier(Form):
    """``x`` where positive, ``slope x`` elsewhere; slope 0 is the ReLU, slope 1 the identity.

    Examples
    --------
    >>> relu = Rectifier().moments(0.0, 1.0)
    >>> round(float(10 * np.log10(relu.mean**2 / relu.variance)), 2)
    -3.31
    """

    slope: float | Array = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "slope", parameter(self.slope, "slope"))

    @property
    def kinks(self) -> tuple[float, ...]:
        """The corner at 0."""
        return (0.0,)

    @property
    def is_homogeneous(self) -> bool:
        """Two lines through 0."""
        return True

    def function(self, x: Array) -> Array:
        """Return f(x)."""
        if np.ndim(self.slope) == 0 and 0 <= self.slope <= 1:
            # a third of the passes over memory
            return np.maximum(x, self.slope * x if self.slope else 0.0)
        return np.where(x >= 0, x, self.slope * x)

    def expectation(self, mean: Array, deviation: Array) -> Array:
        """Return E f(x) alone."""
        z = standardised(mean, deviation)
        near = -np.abs(z)
        rare = deviation * (density(z) + near * cumulative(near))
        return np.asarray(np.where(z > 0, mean, self.slope * mean) + (1 - self.slope) * rare)

    @np.errstate(over="ignore", invalid="ignore")  # refused below, not warned of
    def moments(
        self, mean: ArrayLike, deviation: ArrayLike, *, order: int = DEFAULT_ORDER
    ) -> ActivationMoments:
        """Return the moments in closed form."""
        order = whole_number(order, "order")
        mu, s = gaussian(mean, deviation)
        z = standardised(mu, s)
        near = -np.abs(z)
        a = np.asarray(self.slope)
        line = np.where(z > 0, 1.0, a)  # f = line x + (1 - a) (the rarer positive part)
        chance = cumulative(near)
        part = density(z) + near * chance  # E of that part, over s
        # Its variance over s^2, and its covariance with x: +Phi(z) s^2, or -Phi(-z) s^2 folded.
        spread = np.maximum((1 + near**2) * chance + near * density(z) - part**2, 0.0)
        fold = np.where(z > 0, -1.0, 1.0)
        variance = s**2 * (line**2 + 2 * line * (1 - a) * fold * chance + (1 - a) ** 2 * spread)
        slope = line + (1 - a) * fold * chance
        rows = [line * mu + (1 - a) * s * part, s * slope]
        if order > 1:
            k = np.arange(2, order + 1).reshape(-1, *([1] * z.ndim))
            scaled = (1 - a) * s * density_times_hermite(z, order - 2)
            rows.extend(scaled / np.sqrt(k * (k - 1.0)))
        steep = 1 + np.abs(a)
        # Operations counted along the longest path; phi(z) is good to z^2 u, and z^2 phi(z) < 1.
        return ActivationMoments(
            form=self,
            input_mean=mu,
            input_deviation=s,
            mean=rows[0],
            variance=np.maximum(variance, 0.0),
            slope=slope,
            coefficients=np.stack([np.broadcast_to(row, np.shape(rows[0])) for row in rows]),
            mean_error=rounding(12, 1.0) * steep * (np.abs(mu) + s),
            variance_error=rounding(32, 1.0) * steep**2 * s**2,
            slope_error=rounding(12, 1.0) * steep * np.ones_like(s),
            coefficients_error=rounding(12 + 6 * order, 1.0) * steep * s
            + rounding(12, 1.0) * steep * np.abs(mu),
            method="closed",
        )

    def closed_covariance(
        self, x: ActivationMoments, y: ActivationMoments, rho: Array
    ) -> Covariance | None:
        """Return the covariance with another rectifier, from the bivariate normal distribution."""
        if not isinstance(y.form, Rectifier):
            return None
        z, w = (
            standardised(x.input_mean, x.input_deviation),
            standardised(y.input_mean, y.input_deviation),
        )
        a, b = np.asarray(self.slope), np.asarray(y.form.slope)
        fold_x, fold_y = np.where(z > 0, -1.0, 1.0), np.where(w > 0, -1.0, 1.0)
        line_x, line_y = np.where(z > 0, 1.0, a), np.where(w > 0, 1.0, b)
        # Cov(x, max(+-y, 0)) = +-rho s s' Phi(+-w) by Stein; a fold turns the sign of rho.
        mixed = line_x * (1 - b) * fold_y * cumulative(-np.abs(w))
        mixed = mixed + line_y * (1 - a) * fold_x * cumulative(-np.abs(z))
        parts = positive_parts(-np.abs(z), -np.abs(w), fold_x * fold_y * rho)
        scale = x.input_deviation * y.input_deviation
        values = scale * (rho * (line_x * line_y + mixed) + (1 - a) * (1 - b) * parts)
        # |a b Phi(a, b)| <= |a| Phi(a) |b| < |b|: the terms of the product are at most this large.
        size = (1 + np.abs(a)) * (1 + np.abs(b)) * (4 + np.abs(z) + np.abs(w))
        return Covariance(values, rounding(48, 1.0) * scale * size, "closed")

    def centred_covariance(self, rho: Array) -> Array:
        r"""Return ``Cov(f(X), f(Y))``, X and Y standard normal of correlation rho.

        As ``f(s x) = s f(x)``, that is all of it for means zero: :math:`a\rho + (1-a)^2 J(\rho)`
        with J the covariance of the positive parts.

        Examples
        --------
        >>> Rectifier(1.0).centred_covariance(np.array([0.5]))
        array([0.5])
        """
        parts = centred_positive_parts(rho)
        parts *= (1 - np.asarray(self.slope)) ** 2
        parts += self.slope * rho
        return parts
