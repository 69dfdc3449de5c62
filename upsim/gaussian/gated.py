r"""Gated pairs, ``y = a g(b)`` with (a, b) jointly Gaussian: GLU has the sigmoid for g.

Write ``b = mu_b + s_b Z`` and ``a = mu_a + s_a (r Z + sqrt(1 - r^2) W)``, W independent of Z, and
let ``beta_k``, ``gamma_k`` be the Hermite coefficients of g and of g^2 at b.  Then, exactly::

    E y   = mu_a beta_0 + r s_a beta_1
    E y^2 = (mu_a^2 + s_a^2) gamma_0 + 2 mu_a r s_a gamma_1 + sqrt(2) r^2 s_a^2 gamma_2

(``Z = He_1``, ``Z^2 = He_2 + 1``).  With mu_a = 0 and r = 0 the mean is 0: such a gate makes no
offset.  For two pairs, integrating a and a' out by parts (Stein, twice) leaves expectations of
derivatives of the gates alone, with ``c = Cov``::

    E y y' = (mu mu' + c_aa') E g g'
           + mu' (c_ab E g_1 g' + c_ab' E g g'_1) + mu (c_a'b E g_1 g' + c_a'b' E g g'_1)
           + c_ab c_a'b E g_2 g' + c_ab' c_a'b' E g g'_2 + (c_ab c_a'b' + c_ab' c_a'b) E g_1 g'_1

(indices: derivatives), each of them a :func:`~upsim.gaussian.covariance.covariance` and a product
of means.  Independent halves leave the first term only.  Exact are the formulas; the moments of
the gate and of its derivatives are quadratures, whose bounds are carried through.

A series for the same.  With ``kappa = Cov(a, b) / s_b^2`` and ``B = (b - mu_b) / s_b``, the part of
a that b does not tell is ``e = a - mu_a - kappa (b - mu_b)``, independent of b, and::

    a g(b) = h(b) + e g(b),     h(b) = (mu_a + kappa s_b B) g(b),

so with ``x He_k = He_{k+1} + k He_{k-1}`` the coefficients of h are
``eta_k = mu_a beta_k + kappa s_b (sqrt(k) beta_{k-1} + sqrt(k+1) beta_{k+1})``.  The part of order
k of ``a g(b)`` (its Wiener chaos: Wick polynomials of a and b of degree k) is
``eta_k He_k(B) / sqrt(k!) + beta_{k-1} e He_{k-1}(B) / sqrt((k-1)!)``, with the power
``eta_k^2 + Var(e) beta_{k-1}^2``; parts of different orders are uncorrelated, within one signal and
between two.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from upsim.errors import ArgumentError
from upsim.gaussian.covariance import Covariance, covariance
from upsim.gaussian.gates import SIGMOID, Gate
from upsim.gaussian.inputs import correlation, gaussian
from upsim.gaussian.moments import DEFAULT_ORDER, ActivationMoments, relative_error
from upsim.gaussian.trapezoid import products
from upsim.words.tolerance import rounding

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class GatedMoments:
    """Moments of ``y = a g(b)``, entry by entry.

    Attributes
    ----------
    carrier_mean, carrier_deviation, rho : array (*shape)
        Mean and deviation of a, its correlation with b.
    gate : tuple of ActivationMoments
        Moments at b of g, g' and g''.
    mean, variance, mean_error, variance_error : array (*shape)
    """

    carrier_mean: Array
    carrier_deviation: Array
    rho: Array
    gate: tuple[ActivationMoments, ActivationMoments, ActivationMoments]
    mean: Array
    variance: Array
    mean_error: Array
    variance_error: Array

    @property
    def relative_error(self) -> float:
        """The largest bound of a mean or a variance, over the larger of what goes in and out."""
        return relative_error(self, np.abs(self.carrier_mean) + self.carrier_deviation)

    @property
    def second(self) -> Array:
        """``E y^2``."""
        return self.variance + self.mean**2

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the means."""
        return self.mean.shape

    @property
    def slopes(self) -> tuple[Array, Array]:
        r"""``E g(b)`` and ``E a g'(b) = mu_a E g' + Cov(a, b) E g''``.

        What a and b pass on: ``Cov(a g(b), z)`` is the first times ``Cov(a, z)`` plus the second
        times ``Cov(b, z)``, for any z that is jointly Gaussian with them (Stein).
        """
        base, first, second = self.gate
        shared = self.rho * self.carrier_deviation * base.input_deviation
        return base.mean, self.carrier_mean * first.mean + shared * second.mean

    @property
    def lean(self) -> Array:
        """``kappa``: what a has of b; 0 where b does not move."""
        s = self.gate[0].input_deviation
        along = self.rho * self.carrier_deviation
        return np.divide(along, s, out=np.zeros_like(along), where=s > 0)

    @property
    def remainder(self) -> Array:
        """``Var(e) = s_a^2 (1 - r^2)``: the part of a that does not follow from b."""
        return np.asarray(self.carrier_deviation**2 * (1 - self.rho) * (1 + self.rho))

    @property
    def coefficients(self) -> tuple[Array, Array]:
        """``eta_0 .. eta_{K-1}`` and ``beta_0 .. beta_{K-1}``, each (K, *shape)."""
        beta = self.gate[0].coefficients
        number = np.arange(1, len(beta)).reshape(-1, *[1] * self.mean.ndim)
        risen = np.sqrt(number) * beta[1:]
        risen[1:] += np.sqrt(number[:-1]) * beta[:-2]
        return self.carrier_mean * beta[:-1] + self.rho * self.carrier_deviation * risen, beta[:-1]

    def __getitem__(self, index: Any) -> GatedMoments:
        """Return the moments of some entries."""
        changed = {
            item.name: getattr(self, item.name)[index]
            for item in fields(self)
            if item.name != "gate"
        }
        base, first, second = (each[index] for each in self.gate)
        return GatedMoments(gate=(base, first, second), **changed)

    def __repr__(self) -> str:
        return f"<moments of a gated pair, shape {self.mean.shape}>"


def gated_moments(
    carrier_mean: ArrayLike,
    carrier_deviation: ArrayLike,
    gate_mean: ArrayLike,
    gate_deviation: ArrayLike,
    *,
    rho: ArrayLike = 0.0,
    gate: Gate = SIGMOID,
    order: int = DEFAULT_ORDER,
) -> GatedMoments:
    """Return the moments of ``a g(b)``, a and b of correlation rho.

    ``order`` is that of the gate's Hermite coefficients; its derivatives have 32 at most.

    Examples
    --------
    >>> glu = gated_moments(0.0, 1.0, 0.0, 1.0)
    >>> float(glu.mean), round(float(glu.variance), 6)
    (0.0, 0.293379)
    """
    mean, s = gaussian(carrier_mean, carrier_deviation)
    shape = np.broadcast_shapes(mean.shape, np.shape(gate_mean), np.shape(gate_deviation))
    shape = np.broadcast_shapes(shape, np.shape(rho))
    mean, s, r = (np.broadcast_to(each, shape) for each in (mean, s, correlation(rho)))
    gate_mean, gate_deviation = (
        np.broadcast_to(each, shape) for each in gaussian(gate_mean, gate_deviation)
    )
    # What is asked of the derivatives is a mean and a short series.
    orders = (order, min(order, DEFAULT_ORDER), min(order, DEFAULT_ORDER))
    parts = tuple(
        form.moments(gate_mean, gate_deviation, order=count)
        for form, count in zip(gate.derivatives, orders, strict=True)
    )
    square = gate.square.moments(gate_mean, gate_deviation, order=2)
    base = parts[0]
    beta, gamma = base.coefficients, square.coefficients
    centre = mean * beta[0] + r * s * beta[1]
    # E y^2 - (E y)^2 with the square of beta_0 taken out, so that large means do not cancel
    variance = (
        mean**2 * base.variance
        + 2 * mean * r * s * (gamma[1] - beta[0] * beta[1])
        + s**2 * (gamma[0] + r**2 * (np.sqrt(2) * gamma[2] - beta[1] ** 2))
    )
    off = base.coefficients_error
    size = np.abs(mean) + s
    return GatedMoments(
        carrier_mean=mean,
        carrier_deviation=s,
        rho=r,
        gate=(parts[0], parts[1], parts[2]),
        mean=centre,
        variance=np.asarray(np.maximum(variance, 0.0)),
        mean_error=np.abs(mean) * base.mean_error
        + np.abs(r) * s * off
        + rounding(4, 1.0) * size * np.sqrt(base.second),
        variance_error=mean**2 * base.variance_error
        + 2 * np.abs(mean * r) * s * (square.coefficients_error + 2 * off * np.sqrt(base.second))
        + s**2 * (3 * square.coefficients_error + square.mean_error + 2 * off * np.abs(beta[1]))
        + rounding(16, 1.0) * size**2 * np.sqrt(square.second),
    )


def gated_covariance(
    x: GatedMoments,
    y: GatedMoments,
    *,
    carriers: ArrayLike,
    gates: ArrayLike,
    carrier_gate: ArrayLike = 0.0,
    gate_carrier: ArrayLike = 0.0,
) -> Covariance:
    """Return ``Cov(a g(b), a' g(b'))``.

    Parameters
    ----------
    x, y : GatedMoments
    carriers, gates, carrier_gate, gate_carrier : array_like
        The correlations of (a, a'), (b, b'), (a, b') and (b, a').

    Examples
    --------
    >>> glu = gated_moments(0.0, 1.0, 0.0, 1.0)
    >>> same = gated_covariance(glu, glu, carriers=1.0, gates=1.0)
    >>> bool(np.isclose(same.values, glu.variance))
    True
    """
    aa, bb = correlation(carriers, "carriers"), correlation(gates, "gates")
    ab, ba = correlation(carrier_gate, "carrier_gate"), correlation(gate_carrier, "gate_carrier")
    _refuse_impossible(x.rho, y.rho, aa, bb, ab, ba)
    weights = _weights(x, y, aa, ab, ba)
    total: Array = np.zeros(())
    error: Array = np.zeros(())
    for (i, j), weight in weights.items():
        if not np.any(weight):
            continue
        first, second = x.gate[i], y.gate[j]
        part = covariance(first, second, bb)
        means = first.mean * second.mean
        total = total + weight * (part.values + means)
        lost = first.mean_error * np.abs(second.mean) + second.mean_error * np.abs(first.mean)
        lost = lost + rounding(8, 1.0) * (np.abs(means) + np.abs(part.values))
        error = error + np.abs(weight) * (part.error + lost)
    product = x.mean * y.mean
    lost = x.mean_error * np.abs(y.mean) + y.mean_error * np.abs(x.mean)
    return Covariance(total - product, error + lost + rounding(4, 1.0) * np.abs(product), "series")


def close_covariance(
    x: GatedMoments, y: GatedMoments, gate: Gate, aa: Array, bb: Array, ab: Array, ba: Array
) -> Array:
    """Return :func:`gated_covariance` of flat arrays of pairs by sums over equidistant points.

    For correlations near one and wide deviations, where no series ends.  The correlations, of
    (a, a'), (b, b'), (a, b') and (b, a'), are not checked to be those of four Gaussian variables:
    what comes from long sums may miss that by their rounding.

    Examples
    --------
    >>> glu = gated_moments(np.zeros(1), 1.0, 0.0, 4.0)
    >>> one, none = np.ones(1), np.zeros(1)
    >>> bool(np.isclose(close_covariance(glu, glu, SIGMOID, one, one, none, none), glu.variance))
    True
    """
    inputs = [(each.gate[0].input_mean, each.gate[0].input_deviation) for each in (x, y)]
    functions = [form.function for form in gate.derivatives]
    means = products(functions, gate.strip, inputs[0], inputs[1], bb)
    weights = _weights(x, y, aa, ab, ba)
    total = np.sum([weight * means[i, j] for (i, j), weight in weights.items()], axis=0)
    return np.asarray(total - x.mean * y.mean)


def _weights(
    x: GatedMoments, y: GatedMoments, aa: Array, ab: Array, ba: Array
) -> dict[tuple[int, int], Array]:
    """Return what multiplies the mean product of each two derivatives of the gates."""
    s, r = x.carrier_deviation, y.carrier_deviation
    mu, nu = x.carrier_mean, y.carrier_mean
    p, q = x.gate[0].input_deviation, y.gate[0].input_deviation
    # covariances of carriers with gates: own and crossed
    own_x, own_y = x.rho * s * p, y.rho * r * q
    cross_x, cross_y = ab * s * q, ba * r * p
    return {
        (0, 0): mu * nu + aa * s * r,
        (1, 0): nu * own_x + mu * cross_y,
        (0, 1): nu * cross_x + mu * own_y,
        (2, 0): own_x * cross_y,
        (0, 2): cross_x * own_y,
        (1, 1): own_x * own_y + cross_x * cross_y,
    }


def _refuse_impossible(
    rho_x: Array, rho_y: Array, aa: Array, bb: Array, ab: Array, ba: Array
) -> None:
    """Refuse six correlations that no four random variables can have."""
    one = np.ones(np.broadcast_shapes(*(c.shape for c in (rho_x, rho_y, aa, bb, ab, ba))))
    rows = [[one, rho_x, aa, ab], [rho_x, one, ba, bb], [aa, ba, one, rho_y], [ab, bb, rho_y, one]]
    matrix = np.stack(
        [np.stack([np.broadcast_to(c, one.shape) for c in row], axis=-1) for row in rows], axis=-2
    )
    least = float(np.min(np.linalg.eigvalsh(matrix), initial=0.0))
    if least < -rounding(64, 4.0):
        raise ArgumentError(
            "no four Gaussian variables have these correlations",
            given=f"a correlation matrix with the eigenvalue {least:.3g}",
            expected="a positive semidefinite matrix of (a, b, a', b')",
            fix="carriers=, gates=, carrier_gate=, gate_carrier= of one covariance matrix",
        )
