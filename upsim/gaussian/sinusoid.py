r"""A line and a wave, ``f(x) = a x + b + c sin(omega x + phase)``: sin, cos, Snake, SnakeBeta.

From ``E e^{j omega x} = e^{j omega mu - omega^2 s^2 / 2}``, with ``t = omega mu + phase`` and
``q = omega s``, each derivative of the sine turning t by a quarter::

    alpha_0 = a mu + b + c e^{-q^2/2} sin t,
    alpha_k = [k = 1] a s + c e^{-q^2/2} q^k / sqrt(k!) sin(t + k pi/2)

and, for two waves, ``h = (q^2 + q'^2)/2`` and ``v = rho q q'``::

    Cov = c c' e^{-h} (cos t cos t' sinh v + sin t sin t' (cosh v - 1)),

in which ``|v| <= h``, so that nothing overflows once the exponents are added, and no term is a
difference of nearly equal ones.  A line and a wave: ``rho s s' c' omega' e^{-q'^2/2} cos t'``
(Stein).  Snake is ``x + sin^2(alpha x) / beta = x + 1/(2 beta) - cos(2 alpha x) / (2 beta)``
(Ziyin, Hartwig & Ueda, NeurIPS 2020; beta apart from alpha: BigVGAN, arXiv 2206.04658).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from upsim.errors import ArgumentError
from upsim.gaussian.covariance import Covariance
from upsim.gaussian.form import Form, parameter
from upsim.gaussian.inputs import gaussian
from upsim.gaussian.moments import DEFAULT_ORDER, ActivationMoments
from upsim.words.arguments import whole_number
from upsim.words.tolerance import rounding

Array = NDArray[np.float64]


def _waves(h: Array, v: Array, first: Array, second: Array) -> Array:
    """Return ``e^-h (first sinh v + second (cosh v - 1))`` for |v| <= h."""
    # sinh v = sign(v) e^|v| (1 - e^-2|v|) / 2 ; cosh v - 1 = 2 sinh^2(v/2) = e^|v| (1 - e^-|v|)^2/2
    size = np.abs(v)
    grown = 0.5 * np.exp(np.minimum(size - h, 0.0))
    sinh = -np.sign(v) * grown * np.expm1(-2 * size)
    return np.asarray(first * sinh + second * grown * np.expm1(-size) ** 2)


@dataclass(frozen=True, eq=False)
class Sinusoid(Form):
    """``line x + offset + amplitude sin(frequency x + phase)``; frequency in radians per unit.

    Examples
    --------
    >>> sine = Sinusoid().moments(0.0, 1.0)
    >>> bool(np.isclose(sine.variance, (1 - np.exp(-2)) / 2))
    True
    """

    line: float | Array = 0.0
    offset: float | Array = 0.0
    amplitude: float | Array = 1.0
    frequency: float | Array = 1.0
    phase: float | Array = 0.0

    def __post_init__(self) -> None:
        for name in ("line", "offset", "amplitude", "frequency", "phase"):
            object.__setattr__(self, name, parameter(getattr(self, name), name))

    @property
    def width(self) -> float:
        """A radian of the fastest wave."""
        return float(1 / max(np.max(np.abs(self.frequency)), 1e-300))

    def function(self, x: Array) -> Array:
        """Return f(x)."""
        # sin(t + p) = sin p + 2 sin(t / 2) cos(t / 2 + p): small samples keep their digits, and the
        # constant of a snake, offset + amplitude sin(-pi / 2), is 0 to the last one.
        half = np.sin(0.5 * self.frequency * x)
        turned = half
        if np.ndim(self.phase) or self.phase != -0.5 * np.pi:
            turned = np.cos(0.5 * self.frequency * x + self.phase)
        constant = self.offset + self.amplitude * np.sin(self.phase)
        return np.asarray(self.line * x + constant + 2 * self.amplitude * half * turned)

    def expectation(self, mean: Array, deviation: Array) -> Array:
        """Return E f(x) alone."""
        wave = np.exp(-0.5 * (self.frequency * deviation) ** 2) * np.sin(
            self.frequency * mean + self.phase
        )
        return np.asarray(self.line * mean + self.offset + self.amplitude * wave)

    @np.errstate(over="ignore", invalid="ignore")  # refused below, not warned of
    def moments(
        self, mean: ArrayLike, deviation: ArrayLike, *, order: int = DEFAULT_ORDER
    ) -> ActivationMoments:
        """Return the moments in closed form."""
        order = whole_number(order, "order")
        mu, s = gaussian(mean, deviation)
        c, a = np.asarray(self.amplitude), np.asarray(self.line)
        q = self.frequency * s
        t = self.frequency * mu + self.phase
        # sin(t + k pi/2), without adding to t what rounding would lose
        quarter = [np.sin(t), np.cos(t), -np.sin(t), -np.cos(t)]
        # e^{-q^2/2} q^k / sqrt(k!): each factor may under- or overflow, their logarithms do not
        from scipy.special import gammaln

        logarithm = np.log(np.maximum(np.abs(q), 1e-300))
        rows = [self.expectation(mu, s)]
        for k in range(1, order + 1):
            size = np.exp(-0.5 * q * q + k * logarithm - 0.5 * gammaln(k + 1.0))
            rows.append(c * np.where(q < 0, (-1.0) ** k, 1.0) * size * quarter[k % 4])
        damped = np.exp(-0.5 * q * q)
        gain = a + c * self.frequency * damped * np.cos(t)
        rows[1] = s * gain
        wave = _waves(q * q, q * q, np.cos(t) ** 2, np.sin(t) ** 2)
        variance = (a * s) ** 2 + 2 * a * s * c * q * damped * np.cos(t) + c**2 * wave
        rows = [np.broadcast_to(row, np.shape(variance)) for row in rows]
        # A wave is known to the rounding of its argument, |t| u; it deviates by at most |q|, or 1.
        wide = np.abs(c) * np.minimum(np.abs(q), 1.0)
        unit = 1 + np.abs(self.frequency * mu) + np.abs(np.asarray(self.phase))
        steep = np.abs(a) * s + wide
        return ActivationMoments(
            form=self,
            input_mean=mu,
            input_deviation=s,
            mean=rows[0],
            variance=np.maximum(variance, 0.0),
            slope=gain,
            coefficients=np.stack(rows),
            mean_error=rounding(12, 1.0)
            * (np.abs(a * mu) + np.abs(self.offset) + np.abs(c) * unit),
            variance_error=rounding(24, 1.0) * steep**2 * unit,
            slope_error=rounding(12, 1.0) * (np.abs(a) + np.abs(c * self.frequency) * unit),
            coefficients_error=rounding(12, 1.0)
            * (
                np.abs(a) * (np.abs(mu) + s)
                + np.abs(self.offset)
                + np.abs(c) * (unit + order * (1 + np.abs(logarithm)))
            ),
            method="closed",
        )

    def closed_covariance(
        self, x: ActivationMoments, y: ActivationMoments, rho: Array
    ) -> Covariance | None:
        """Return the covariance with another line and wave."""
        other = y.form
        if not isinstance(other, Sinusoid):
            return None
        s, r = x.input_deviation, y.input_deviation
        q, p = self.frequency * s, other.frequency * r
        t = self.frequency * x.input_mean + self.phase
        u = other.frequency * y.input_mean + other.phase
        c, d = np.asarray(self.amplitude), np.asarray(other.amplitude)
        waves = _waves(
            0.5 * (q * q + p * p), rho * q * p, np.cos(t) * np.cos(u), np.sin(t) * np.sin(u)
        )
        lines = np.asarray(self.line * other.line) * s * r
        lines = lines + self.line * s * d * p * np.exp(-0.5 * p * p) * np.cos(u)
        lines = lines + other.line * r * c * q * np.exp(-0.5 * q * q) * np.cos(t)
        unit = 1 + np.abs(t) + np.abs(u)
        size = (np.abs(self.line) * s + np.abs(c) * np.minimum(np.abs(q), 1)) * (
            np.abs(other.line) * r + np.abs(d) * np.minimum(np.abs(p), 1)
        )
        return Covariance(rho * lines + c * d * waves, rounding(24, 1.0) * size * unit, "closed")


def snake(alpha: ArrayLike = 1.0, beta: ArrayLike | None = None) -> Sinusoid:
    """Return ``x + sin^2(alpha x) / beta``; beta = alpha unless given.

    Examples
    --------
    >>> bool(np.isclose(snake(2.0).function(np.array(0.3)), 0.3 + np.sin(0.6) ** 2 / 2))
    True
    """
    a = np.asarray(parameter(alpha, "alpha"))
    b = a if beta is None else np.asarray(parameter(beta, "beta"))
    if not np.all(b):
        name = "alpha" if beta is None else "beta"
        raise ArgumentError(f"{name} must not be zero", given=f"{name}=0", fix=f"{name}=1.0")
    half = 0.5 / b
    # cos w = sin(w + pi/2): the phase of -cos is -pi/2
    return Sinusoid(line=1.0, offset=half, amplitude=half, frequency=2 * a, phase=-0.5 * np.pi)
