r"""Covariances near rho = +-1: quadrature over what two samples have in common.

Samples of correlation rho > 0 are ``X = sqrt(rho) U + sqrt(1 - rho) V`` and the same with an
independent W, so that, given the common part U, they are independent::

    Cov(f(x), g(y)) = Cov_U(F(U), G(U)),
    F(u) = E f(mu + s sqrt(rho) u + s sqrt(1 - rho) V),  G likewise;

for rho < 0 the common part of y is -U.  F is itself a Gaussian mean (closed for most forms), a
kink of f is smoothed in it over ``sqrt((1 - rho) / rho)``, and one integral is left.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from upsim.gaussian.form import Form
from upsim.gaussian.hermite import density
from upsim.gaussian.moments import ActivationMoments
from upsim.gaussian.panels import integrate
from upsim.gaussian.quadrature import breakpoints
from upsim.words.tolerance import rounding

Array = NDArray[np.float64]

#: phi(10) = 8e-23
_WINDOW = 10.0
#: Entries at once; each takes hundreds of nodes, each of which may be a quadrature of its own.
_CHUNK = 256
#: The means are good to some 1e-15 of their scale: what agrees better agrees by chance.
_AGREED = 1e-13
#: Cuts about a smoothed kink, in units of its smoothing.
_CUTS = (-12.0, -4.0, 0.0, 4.0, 12.0)


def _cuts(form: Form, mean: Array, deviation: Array, smoothing: Array) -> Array:
    """Return where to cut the axis of U, shape (count, size)."""
    positive = np.where(deviation > 0, deviation, 1.0)
    with np.errstate(over="ignore"):  # clipped below
        around = [
            (kink - mean) / positive + cut * smoothing for kink in form.kinks for cut in _CUTS
        ]
    smooth = breakpoints(form, mean, deviation, _WINDOW)
    return np.concatenate([smooth, *[np.clip(row, -_WINDOW, _WINDOW)[None] for row in around]])


def common_part(x: ActivationMoments, y: ActivationMoments, rho: Array) -> tuple[Array, Array]:
    """Return the covariances of flat arrays of pairs, and the bound that two rules give."""
    size = rho.size
    pieces = [
        _piece(x[part], y[part], rho[part])
        for part in np.array_split(np.arange(size), max(1, -(-size // _CHUNK)))
    ]
    values, error = (np.concatenate(piece) for piece in zip(*pieces, strict=True))
    return values, error


def _piece(x: ActivationMoments, y: ActivationMoments, rho: Array) -> tuple[Array, Array]:
    shared, apart = np.sqrt(np.abs(rho)), np.sqrt(1 - np.abs(rho))
    sign = np.where(rho < 0, -1.0, 1.0)
    smoothing = apart / np.where(shared > 0, shared, 1.0)
    first = _cuts(x.form, x.input_mean, x.input_deviation * shared, smoothing)
    second = sign * _cuts(y.form, y.input_mean, y.input_deviation * shared, smoothing)
    breaks = np.sort(np.concatenate([first, second]), axis=0)

    def smoothed(moments: ActivationMoments, u: Array) -> tuple[Array, Array]:
        s = moments.input_deviation
        means = moments.input_mean + s * shared * u
        inner = np.broadcast_to(s * apart, u.shape)
        values, error = moments.form.expectation_with_error(means, inner)
        return values - moments.mean, error

    def sums(u: Array, weights: Array) -> Array:
        chance = weights * density(u)
        left, left_error = smoothed(x, u)
        right, right_error = smoothed(y, sign * u)
        missed = np.abs(left) * right_error + np.abs(right) * left_error
        return np.stack([np.sum(chance * left * right, axis=0), np.sum(chance * missed, axis=0)])

    scale = np.sqrt(x.variance * y.variance)
    values, error = integrate(
        sums, breaks, lambda _: np.stack([scale, scale]), relative=_AGREED, depth=6
    )
    # The means F and G are each known as well as the means of f and g.
    lost = x.mean_error * np.sqrt(y.variance) + y.mean_error * np.sqrt(x.variance)
    lost = 2 * lost + x.mean_error * y.mean_error + rounding(64, 1.0) * scale
    return values[0], np.asarray(error[0] + np.abs(values[1]) + lost)
