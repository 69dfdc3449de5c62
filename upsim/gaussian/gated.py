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
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from upsim.errors import ArgumentError
from upsim.gaussian.covariance import Covariance, covariance
from upsim.gaussian.gates import SIGMOID, Gate
from upsim.gaussian.inputs import correlation, gaussian
from upsim.gaussian.moments import DEFAULT_ORDER, ActivationMoments
from upsim.tolerance import rounding

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
    def second(self) -> Array:
        """``E y^2``."""
        return self.variance + self.mean**2

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

    Examples
    --------
    >>> glu = gated_moments(0.0, 1.0, 0.0, 1.0)
    >>> float(glu.mean), round(float(glu.variance), 6)
    (0.0, 0.293379)
    """
    mean, s = gaussian(carrier_mean, carrier_deviation)
    r = correlation(rho)
    parts = tuple(form.moments(gate_mean, gate_deviation, order=order) for form in gate.derivatives)
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
        variance=np.maximum(variance, 0.0),
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
    s, r = x.carrier_deviation, y.carrier_deviation
    mu, nu = x.carrier_mean, y.carrier_mean
    p, q = x.gate[0].input_deviation, y.gate[0].input_deviation
    # covariances of carriers with gates: own and crossed
    own_x, own_y = x.rho * s * p, y.rho * r * q
    cross_x, cross_y = ab * s * q, ba * r * p
    weights = {
        (0, 0): mu * nu + aa * s * r,
        (1, 0): nu * own_x + mu * cross_y,
        (0, 1): nu * cross_x + mu * own_y,
        (2, 0): own_x * cross_y,
        (0, 2): cross_x * own_y,
        (1, 1): own_x * own_y + cross_x * cross_y,
    }
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
