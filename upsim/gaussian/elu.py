r"""The ELU, ``f(x) = x`` for x > 0, ``alpha (e^x - 1)`` elsewhere.

Completing the square, with ``z = mu/s``, ``u = z + l s`` and l >= 0::

    G_l = E e^{l x} 1[x <= 0] = e^{l mu + l^2 s^2 / 2} Phi(-u) = e^{-z^2/2} erfcx(u/sqrt 2) / 2,

the first form used for u < 0 (its exponent is then negative), the second for u >= 0: neither
overflows.  With p the mean of the positive part (:mod:`~upsim.gaussian.rectifier`)::

    E f   = s p + alpha (G_1 - G_0)
    E f^2 = (mu^2 + s^2) Phi(z) + mu s phi(z) + alpha^2 (G_2 - 2 G_1 + G_0).

For the coefficients let ``c_k = E[e^x 1[x <= 0] he_k(Z)]``, ``c_0 = G_1``.  Integrating by parts,
``sqrt(k) c_k = s c_{k-1} - phi(z) he_{k-1}(-z)``, and as the step ``1[x <= 0]`` has the same last
term, the difference of the two is ``s c_{k-1} / sqrt(k)``::

    alpha_k = alpha_k(ReLU) + alpha s c_{k-1} / sqrt(k),   E f' = Phi(z) + alpha G_1.

The recurrence multiplies an error by ``s / sqrt(k)``: harmless for s <= 1; for larger s the
integral ``c_k = int_0^inf e^{-s t} he_k(-z-t) phi(z+t) dt`` is taken by a Gauss-Legendre rule.

For small s the differences of the G cancel.  There either x lies on one side of 0 (|z| > 9, the
other side has a chance below 2e-19) and f is a line or an exponential, or |x| < 1 and the
expectations of ``(e^x - 1)^p`` over the negative half are taken by a rule of 64 nodes.  Both
rules integrate an entire function over a bounded range and are exact to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from upsim.gaussian.form import Form, parameter
from upsim.gaussian.hermite import (
    ROOT_TWO_PI,
    cumulative,
    density,
    density_times_hermite,
    weighted_hermite,
)
from upsim.gaussian.inputs import gaussian, standardised
from upsim.gaussian.moments import DEFAULT_ORDER, ActivationMoments
from upsim.gaussian.rectifier import Rectifier
from upsim.words.arguments import whole_number
from upsim.words.tolerance import rounding

Array = NDArray[np.float64]

#: Phi(-9) = 1e-19 is below rounding, 9 deviations are half the range of the narrow rule.
_FAR = 9.0
#: Below this deviation the differences of the G lose digits.
_NARROW = 0.05


def _negative_exponential(mu: Array, s: Array, z: Array, rate: float) -> Array:
    """Return ``G_rate = E e^{rate x} 1[x <= 0]``."""
    from scipy.special import erfcx

    u = z + rate * s
    above = u >= 0
    scaled = 0.5 * np.exp(-0.5 * z * z) * erfcx(np.where(above, u, 0.0) / np.sqrt(2))
    exponent = np.where(above, 0.0, rate * mu + 0.5 * (rate * s) ** 2)
    return np.where(above, scaled, np.exp(exponent) * cumulative(-u))


def _narrow_moments(s: Array, z: Array) -> tuple[Array, Array]:
    """Return ``E (e^x - 1)^p 1[x <= 0]`` for p = 1, 2, small s and |z| <= 9; x = -s t."""
    nodes, weights = np.polynomial.legendre.leggauss(64)
    t = _FAR * (nodes + 1)  # 0..18 reaches 9 deviations beyond the mean
    chance = _FAR * weights * density(t + z[:, None])
    value = np.expm1(-s[:, None] * t)
    return np.sum(chance * value, axis=1), np.sum(chance * value**2, axis=1)


def _composite(panels: int, count: int) -> tuple[Array, Array]:
    """Return a Gauss-Legendre rule on [-1, 1] made of equal panels."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    middles = (2 * np.arange(panels) + 1) / panels - 1
    return (middles[:, None] + nodes / panels).ravel(), np.tile(weights / panels, panels)


def _wide_coefficients(s: Array, z: Array, order: int) -> Array:
    """Return ``c_0..c_order`` for s > 1, shape (order + 1, size), by Gauss-Legendre.

    ``e^{-s t} phi(z + t)`` is a Gaussian about ``t = -u``, u = z + s, cut at t = 0: where u > 0
    it falls at least as e^{-u t} and as a Gaussian of deviation 1, so 14 or 45/u suffice.
    """
    nodes, weights = _composite(6, 32)
    u = z + s
    low = np.maximum(-u - 14.0, 0.0)
    high = np.where(u > 0, np.minimum(14.0, 45.0 / np.maximum(u, 1.0)), -u + 14.0)
    half = 0.5 * (high - low)[:, None]
    t = low[:, None] + half * (nodes + 1)
    point = z[:, None] + t
    # phi(z+t) he_k(-z-t) = e^{-(z+t)^2/4} / sqrt(2 pi) times the weighted polynomial
    base = half * weights * np.exp(-s[:, None] * t - 0.25 * point**2) / ROOT_TWO_PI
    return np.stack([np.sum(base * values, axis=1) for values in weighted_hermite(-point, order)])


def _exponential_coefficients(mu: Array, s: Array, z: Array, order: int) -> Array:
    """Return ``c_0..c_order``, shape (order + 1, *shape)."""
    deltas = density_times_hermite(z, order)
    rows = [_negative_exponential(mu, s, z, 1.0)]
    with np.errstate(over="ignore", invalid="ignore"):  # where s > 1, replaced below
        for k in range(1, order + 1):
            rows.append((s * rows[-1] - deltas[k - 1]) / np.sqrt(k))
    stacked = np.stack(rows)
    wide = s > 1
    if np.any(wide):
        stacked[:, wide] = _wide_coefficients(s[wide], z[wide], order)
    return stacked


@dataclass(frozen=True, eq=False)
class ExponentialLinear(Form):
    """``x`` where positive, ``alpha (e^x - 1)`` elsewhere (Clevert et al., arXiv 1511.07289).

    Examples
    --------
    >>> round(float(ExponentialLinear().moments(0.0, 1.0).mean), 6)
    0.160521
    """

    alpha: float | Array = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "alpha", parameter(self.alpha, "alpha"))

    @property
    def kinks(self) -> tuple[float, ...]:
        """The corner at 0 (of the second derivative, if alpha is 1)."""
        return (0.0,)

    def function(self, x: Array) -> Array:
        """Return f(x)."""
        return np.where(x > 0, x, self.alpha * np.expm1(np.minimum(x, 0.0)))

    def expectation(self, mean: Array, deviation: Array) -> Array:
        """Return E f(x) alone."""
        return self._two(*np.broadcast_arrays(mean, deviation))[0]

    def _two(self, mu: Array, s: Array) -> tuple[Array, Array]:
        """Return mean and variance."""
        z = standardised(mu, s)
        alpha = np.asarray(self.alpha)
        part = Rectifier().expectation(mu, s)
        square = (mu**2 + s**2) * cumulative(z) + mu * s * density(z)
        zero, one, two = (_negative_exponential(mu, s, z, rate) for rate in (0.0, 1.0, 2.0))
        first, second = np.array(one - zero), np.array(two - 2 * one + zero)
        narrow = (s < _NARROW) & (np.abs(z) <= _FAR) & (s > 0)
        if np.any(narrow):
            first[narrow], second[narrow] = _narrow_moments(s[narrow], z[narrow])
        mean = part + alpha * first
        variance = square + alpha**2 * second - mean**2
        right = z > _FAR
        left = (z < -_FAR) & (s < _NARROW)
        inner = np.where(left, mu + 0.5 * s**2, 0.0)
        mean = np.where(right, mu, np.where(left, alpha * np.expm1(inner), mean))
        lognormal = alpha**2 * np.exp(2 * inner) * np.expm1(np.where(left, s**2, 0.0))
        variance = np.where(right, s**2, np.where(left, lognormal, variance))
        still = s == 0
        mean = np.where(still, self.function(mu), mean)
        return mean, np.where(still, 0.0, np.maximum(variance, 0.0))

    @np.errstate(over="ignore", invalid="ignore")  # refused below, not warned of
    def moments(
        self, mean: ArrayLike, deviation: ArrayLike, *, order: int = DEFAULT_ORDER
    ) -> ActivationMoments:
        """Return the moments in closed form."""
        order = whole_number(order, "order")
        mu, s = gaussian(mean, deviation)
        z = standardised(mu, s)
        alpha = np.asarray(self.alpha)
        middle, variance = self._two(mu, s)
        relu = Rectifier().moments(mu, s, order=order)
        inner = _exponential_coefficients(mu, s, z, order - 1)
        k = np.arange(1, order + 1).reshape(-1, *([1] * z.ndim))
        rows = np.concatenate(
            [
                np.broadcast_to(middle, np.shape(middle))[None],
                relu.coefficients[1:] + alpha * s * inner / np.sqrt(k),
            ]
        )
        height = np.abs(alpha)
        size = np.minimum(1.0, np.abs(mu) + s)
        near = np.minimum(np.abs(z), _FAR)
        # Closed differences err by a few u alpha; the narrow rule by u times what it integrates.
        absolute = s >= _NARROW
        return ActivationMoments(
            form=self,
            input_mean=mu,
            input_deviation=s,
            mean=middle,
            variance=variance,
            slope=relu.slope + alpha * inner[0],
            coefficients=rows,
            mean_error=rounding(24, 1.0)
            * (np.abs(mu) + s + height * np.where(absolute, 1.0, size)),
            variance_error=rounding(64, 1.0)
            * (1 + near**2)
            * np.where(absolute, s**2 + height**2 + height * s, s**2 * (1 + height) ** 2),
            slope_error=rounding(16, 1.0) * (1 + height) * np.ones_like(s),
            coefficients_error=rounding(24, 1.0) * (np.abs(mu) + height * size)
            + rounding(24 + 8 * order, 1.0) * s * (1 + height),
            method="closed",
        )
