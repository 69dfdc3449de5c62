r"""Products of two pointwise functions, ``y = f(a) g(b)`` with (a, b) jointly Gaussian.

Write ``b = m_b + s_b B`` and ``a = m_a + s_a (r B + q E)``, ``q = sqrt(1 - r^2)``, with E and B
independent standard normal variables, and expand y in products of orthonormal Hermite polynomials::

    y = sum_{j,k} c_jk he_j(E) he_k(B),      c_jk = E[f(a) g(b) he_j(E) he_k(B)].

Parts of different orders ``n = j + k`` are uncorrelated, within one signal and between two.  For a
second product (dashed) let ``M = [[w, u], [v, rho]]`` be the correlations of (E, B) with (E', B').
By Wick's formula, i of the factors E meeting an E'::

    E[he_j(E) he_k(B) he_j'(E') he_k'(B')] = sqrt(j! k! j'! k'!)
        sum_i w^i u^(j-i) v^(j'-i) rho^(n-j-j'+i) / (i! (j-i)! (j'-i)! (n-j-j'+i)!),

and Cov(y, y') is the sum of ``c_jk c'_j'k'`` times this over all orders n >= 1 (Mehler's formula
for two variables each).  A pointwise function is the case ``c_0k = alpha_k``; a carrier that is
the identity has two rows, j = 0 and 1.

The coefficients are integrals over the plane: Gauss-Legendre panels in B and, for each B, in E,
cut where f and g have kinks and at multiples of their widths.  Two rules of different size give
the bound of the error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import pairwise
from math import factorial, sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from upsim.gaussian.form import Form
from upsim.gaussian.gated import GatedMoments
from upsim.gaussian.hermite import ROOT_TWO_PI, weighted_hermite
from upsim.gaussian.inputs import correlation, gaussian
from upsim.gaussian.moments import ActivationMoments, relative_error
from upsim.gaussian.panels import mapped
from upsim.gaussian.quadrature import breakpoints
from upsim.gaussian.rectifier import Rectifier
from upsim.words.tolerance import rounding

Array = NDArray[np.float64]

#: Orders of the expansion that are kept.
ORDER = 20

#: phi(9) = 1e-18.
_WINDOW = 9.0

#: Nodes of the two rules on each panel of an axis.
_FINE, _COARSE = 10, 7

#: Numbers in one piece of work (16 MiB).
_PIECE = 2**21


@dataclass(frozen=True)
class GatePair:
    """A carrier f and an opening g: ``f(a) g(b)``."""

    carrier: Form
    opening: Form

    @property
    def is_line(self) -> bool:
        """Whether the carrier is the identity."""
        return isinstance(self.carrier, Rectifier) and bool(np.all(self.carrier.slope == 1))


@dataclass(frozen=True, eq=False, repr=False)
class ProductMoments:
    """Moments of ``y = f(a) g(b)``, entry by entry.

    Attributes
    ----------
    carrier_mean, carrier_deviation, gate_mean, gate_deviation, rho : array (*shape)
        Means and deviations of a and b, and their correlation.
    mean, variance, mean_error, variance_error : array (*shape)
    plane : array (order + 1, order + 1, *shape)
        ``c_jk``; 0 where ``j + k`` passes the order.
    """

    carrier_mean: Array
    carrier_deviation: Array
    gate_mean: Array
    gate_deviation: Array
    rho: Array
    mean: Array
    variance: Array
    mean_error: Array
    variance_error: Array
    plane: Array

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the means."""
        return self.mean.shape

    @property
    def second(self) -> Array:
        """``E y^2``."""
        return self.variance + self.mean**2

    @property
    def relative_error(self) -> float:
        """The largest bound of a mean or a variance, over the larger of what goes in and out."""
        return relative_error(self, np.abs(self.carrier_mean) + self.carrier_deviation)

    @property
    def lean(self) -> Array:
        """``kappa = r s_a / s_b``: what a has of b; 0 where b does not move."""
        return _over(self.rho * self.carrier_deviation, self.gate_deviation)

    @property
    def remainder(self) -> Array:
        """``s_a^2 (1 - r^2)``: the power of a that b does not tell."""
        return np.asarray(self.carrier_deviation**2 * (1 - self.rho) * (1 + self.rho))

    @property
    def slopes(self) -> tuple[Array, Array]:
        """``E f'(a) g(b)`` and ``E f(a) g'(b)``, from the coefficients of order one (Stein)."""
        along = _over(self.plane[1, 0], np.sqrt(self.remainder))
        return along, _over(self.plane[0, 1], self.gate_deviation) - self.lean * along

    def __getitem__(self, index: Any) -> ProductMoments:
        """Return the moments of some entries."""
        changed = {
            item.name: getattr(self, item.name)[index]
            for item in fields(self)
            if item.name != "plane"
        }
        plane = np.array([[each[index] for each in row] for row in self.plane])
        return ProductMoments(plane=plane, **changed)

    def __repr__(self) -> str:
        return f"<moments of a product, shape {self.shape}>"


def product_moments(
    pair: GatePair,
    carrier_mean: ArrayLike,
    carrier_deviation: ArrayLike,
    gate_mean: ArrayLike,
    gate_deviation: ArrayLike,
    *,
    rho: ArrayLike = 0.0,
    order: int = ORDER,
) -> ProductMoments:
    """Return the moments of ``f(a) g(b)``, a and b of correlation rho.

    Examples
    --------
    >>> bilinear = GatePair(Rectifier(1.0), Rectifier(1.0))
    >>> found = product_moments(bilinear, 0.0, 1.0, 0.0, 1.0, rho=0.5)
    >>> [round(float(each), 12) for each in (found.mean, found.variance)]
    [0.5, 1.25]
    """
    first, second = gaussian(carrier_mean, carrier_deviation), gaussian(gate_mean, gate_deviation)
    pair.carrier.refuse_random(first[1])
    pair.opening.refuse_random(second[1])
    given = np.broadcast_arrays(*first, *second, correlation(rho))
    shape = given[0].shape
    places, back = np.unique(
        np.stack([each.ravel() for each in given]), axis=1, return_inverse=True
    )
    found = [_integrals(pair, chunk, order) for chunk in _chunks(places)]
    parts = zip(*found, strict=True)
    sums, error = (np.concatenate(part, axis=-1)[..., back.reshape(-1)] for part in parts)
    sums, error = (each.reshape(-1, *shape) for each in (sums, error))
    plane = sums[:-1].reshape(order + 1, order + 1, *shape)
    floor = rounding(64, 1.0) * (np.sqrt(np.abs(sums[-1])) + np.abs(given[0]) + given[1])
    mean_error = error[0] + floor
    return ProductMoments(
        carrier_mean=given[0],
        carrier_deviation=given[1],
        gate_mean=given[2],
        gate_deviation=given[3],
        rho=given[4],
        mean=plane[0, 0],
        variance=np.maximum(sums[-1] - plane[0, 0] ** 2, 0.0),
        mean_error=mean_error,
        variance_error=error[-1] + 2 * np.abs(plane[0, 0]) * mean_error + floor**2,
        plane=plane,
    )


def _chunks(places: Array) -> Iterator[Array]:
    """Yield entries, few enough that their nodes fit into one piece."""
    step = max(1, _PIECE // (24 * _FINE) ** 2)
    for start in range(0, places.shape[1], step):
        yield places[:, start : start + step]


def _integrals(pair: GatePair, places: Array, order: int) -> tuple[Array, Array]:
    """Return c_jk, row by row, and E y^2, (rows, entries), and what two rules differ by."""
    fine, coarse = (_by_rule(pair, places, order, rule) for rule in (_FINE, _COARSE))
    return fine, np.abs(fine - coarse)


def _by_rule(pair: GatePair, places: Array, order: int, rule: int) -> Array:
    mean, s, gate_mean, gate_s, r = places
    q = np.sqrt((1 - r) * (1 + r))
    b, weight_b = _nodes(pair.opening, gate_mean, gate_s, rule)  # (nodes, entries)
    moved = mean + s * r * b
    e, weight_e = _nodes(pair.carrier, moved, np.broadcast_to(s * q, b.shape), rule)
    # (nodes of E, nodes of B, entries)
    carried = pair.carrier.function(moved + s * q * e)
    opened = pair.opening.function(gate_mean + gate_s * b)
    chance_e = weight_e * np.exp(-0.25 * e * e) / ROOT_TWO_PI
    chance_b = weight_b * np.exp(-0.25 * b * b) / ROOT_TWO_PI
    lifted = chance_e * carried
    # Integrated over E: F_j(B), (j, nodes of B, entries)
    along = np.stack([np.sum(lifted * row, axis=0) for row in weighted_hermite(e, order)])
    square = np.sum(chance_e * np.exp(-0.25 * e * e) * carried**2, axis=0)
    across = np.stack([chance_b * opened * row for row in weighted_hermite(b, order)])
    plane = np.einsum("jbn,kbn->jkn", along, across)
    number = np.arange(order + 1)
    plane[number[:, None] + number > order] = 0.0
    total = np.sum(chance_b * np.exp(-0.25 * b * b) * opened**2 * square, axis=0)
    return np.concatenate([plane.reshape(-1, plane.shape[-1]), total[None]])


def _nodes(form: Form, mean: Array, deviation: Array, rule: int) -> tuple[Array, Array]:
    """Return nodes and weights for a standard normal variable, (nodes, *shape)."""
    cuts = breakpoints(form, mean, deviation, _WINDOW)
    panels = [mapped(rule, a, b) for a, b in pairwise(cuts) if np.any(b > a)]
    return (np.concatenate(each) for each in zip(*panels, strict=True))  # type: ignore[return-value]


def plane_of(moments: ActivationMoments | GatedMoments | ProductMoments, order: int) -> Array:
    """Return ``c_jk`` of any of the three, (rows, order + 1, *shape)."""
    if isinstance(moments, ProductMoments):
        return moments.plane[: order + 1, : order + 1]
    if isinstance(moments, ActivationMoments):
        return moments.coefficients[None, : order + 1]
    eta, beta = moments.coefficients
    carried = np.sqrt(moments.remainder) * beta[: order + 1]
    carried[order:] = 0.0
    return np.stack([eta[: order + 1], carried])


def product_covariance(
    left: Callable[[int, int], Array],
    right: Callable[[int, int], Array],
    correlations: tuple[Array, Array, Array, Array],
    order: int,
    rows: tuple[int, int],
) -> Array:
    """Return Cov(y, y') up to an order.

    Parameters
    ----------
    left, right : callable
        (j, k) to ``c_jk``, which broadcasts against the correlations.
    correlations : (w, u, v, rho)
        Of (E, E'), (E, B'), (B, E') and (B, B').
    order : int
    rows : (int, int)
        Rows j of each side that are there.
    """
    shape = np.broadcast_shapes(*(each.shape for each in correlations))
    powers = [_powers(each, order) for each in correlations]
    total = np.zeros(shape)
    for n in range(1, order + 1):
        for j in range(min(n, rows[0] - 1) + 1):
            inner = np.zeros(shape)
            for j_other in range(min(n, rows[1] - 1) + 1):
                wick = np.zeros(shape)
                for weight, exponents in _wick(n, j, j_other):
                    term = np.full(shape, weight)
                    for base, exponent in zip(powers, exponents, strict=True):
                        if exponent:
                            term *= base[exponent]
                    wick += term
                inner += right(j_other, n - j_other) * wick
            total += left(j, n - j) * inner
    return total


def _powers(base: Array, order: int) -> list[Array]:
    found = [np.ones_like(base)]
    for _ in range(order):
        found.append(found[-1] * base)
    return found


@lru_cache(maxsize=4096)
def _wick(n: int, j: int, j_other: int) -> tuple[tuple[float, tuple[int, int, int, int]], ...]:
    """Return the terms of the mean product: a weight and the exponents of (w, u, v, rho)."""
    root = sqrt(factorial(j) * factorial(n - j) * factorial(j_other) * factorial(n - j_other))
    terms = []
    for i in range(max(0, j + j_other - n), min(j, j_other) + 1):
        exponents = (i, j - i, j_other - i, n - j - j_other + i)
        ways = 1
        for exponent in exponents:
            ways *= factorial(exponent)
        terms.append((root / ways, exponents))
    return tuple(terms)


def _over(values: Array, by: Array) -> Array:
    return np.divide(values, by, out=np.zeros_like(values), where=by > 0)
