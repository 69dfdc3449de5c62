r"""The covariance of two activations of jointly Gaussian samples.

Mehler's series (:mod:`~upsim.gaussian.mehler`) gives it wherever it is cut soon.  For kinked
functions the coefficients fall as powers of k, and near rho = +-1 the series is slow;
there a closed form is used if the two functions have one, and
:mod:`~upsim.gaussian.common_part` if not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from upsim.errors import ShapeError
from upsim.gaussian.common_part import common_part
from upsim.gaussian.inputs import correlation
from upsim.gaussian.mehler import summed
from upsim.words.tolerance import rounding

if TYPE_CHECKING:
    from upsim.gaussian.moments import ActivationMoments

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: What the series may miss, over sqrt(variance variance'), before another way is taken: a line at
#: -200 dB of the continuum is far below the -145 dB of 24-bit audio.
ACCURACY = 1e-10


@dataclass(frozen=True, eq=False, repr=False)
class Covariance:
    """Covariances, the bounds of their errors, and how they were found.

    Attributes
    ----------
    values, error : array
    method : str
        "closed", "series", "quadrature", or "series and quadrature".
    """

    values: Array
    error: Array
    method: str

    def __post_init__(self) -> None:
        values = np.array(self.values, dtype=np.float64)
        error = np.array(np.broadcast_to(self.error, values.shape), dtype=np.float64)
        # Below the smallest normal number there is no relative precision.
        error += np.finfo(np.float64).tiny
        for name, array in (("values", values), ("error", error)):
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    def __repr__(self) -> str:
        worst = float(np.max(self.error, initial=0.0))
        return f"<covariances, shape {self.values.shape}, {self.method}, error <= {worst:.1e}>"


def series(x: ActivationMoments, y: ActivationMoments, rho: ArrayLike) -> Covariance:
    """Return the covariance by Mehler's series, evaluated by Horner's rule, with its bound.

    Shapes broadcast: ``series(m[:, None], m[None, :], rho)`` takes rho of shape (channels,
    channels).
    """
    correlations = correlation(rho)
    shape = _common_shape(x, y, correlations)
    order = min(x.order, y.order)
    total = summed(
        lambda k: x.coefficients[k] * y.coefficients[k], np.broadcast_to(correlations, shape), order
    )
    wide_x, wide_y = np.sqrt(x.variance), np.sqrt(y.variance)
    off_x, off_y = (np.sqrt(order) * m.coefficients_error for m in (x, y))
    shaken = off_x * wide_y + off_y * wide_x + off_x * off_y
    shaken = shaken + rounding(3 * order, 1.0) * wide_x * wide_y
    error = truncation(x, y, correlations) + np.abs(correlations) * shaken
    return Covariance(total, error, "series")


def truncation(x: ActivationMoments, y: ActivationMoments, rho: Array) -> Array:
    """Return ``|rho|^(K+1) sqrt(tail tail')``, what the terms beyond the series sum to at most."""
    order = min(x.order, y.order)
    tails = [m.tail_bound + np.sum(m.coefficients[order + 1 :] ** 2, axis=0) for m in (x, y)]
    return np.asarray(np.abs(rho) ** (order + 1) * np.sqrt(tails[0] * tails[1]))


def covariance(
    x: ActivationMoments,
    y: ActivationMoments,
    rho: ArrayLike,
    *,
    accuracy: float = ACCURACY,
) -> Covariance:
    """Return ``Cov(f(x), g(y))`` for correlations rho, by the best way that there is.

    1. ``f`` or ``g`` linear: ``rho alpha_1 alpha'_1``, exact; a closed form if the pair has one.
    2. The series, where its truncation bound is at most ``accuracy`` of
       ``sqrt(variance variance')``.
    3. Elsewhere (large ``|rho|``) quadrature over the part that x and y have in common.

    At rho = 1 and equal moments the result is the variance itself.

    Parameters
    ----------
    x, y : ActivationMoments
        Shapes broadcast against each other and against rho.
    rho : array_like
        Correlations in [-1, 1] of the inputs, not of the outputs.
    accuracy : float, optional

    Returns
    -------
    Covariance

    Examples
    --------
    >>> from upsim.gaussian import Rectifier
    >>> m = Rectifier().moments(0.0, 1.0)
    >>> answer = covariance(m, m, [0.0, 1.0])
    >>> bool(np.allclose(answer.values, [0.0, m.variance]))
    True
    """
    correlations = correlation(rho)
    shape = _common_shape(x, y, correlations)
    same = np.broadcast_to(_same(x, y, correlations), shape)
    closed = x.form.closed_covariance(x, y, correlations)
    if closed is None:
        wanted = accuracy * np.sqrt(x.variance * y.variance)
        slow = np.broadcast_to(truncation(x, y, correlations) > wanted, shape) & ~same
        closed = series(x, y, correlations)
        if np.any(slow):
            closed = _with_quadrature(x, y, correlations, closed, slow)
    if not np.any(same):
        return closed
    return Covariance(
        np.where(same, x.variance, closed.values),
        np.where(same, x.variance_error, closed.error),
        closed.method,
    )


def _with_quadrature(
    x: ActivationMoments, y: ActivationMoments, rho: Array, answer: Covariance, slow: Mask
) -> Covariance:
    """Return the answer with the entries where the series is slow found by quadrature."""
    values, error = answer.values.copy(), answer.error.copy()
    shape = values.shape
    found, found_error = common_part(
        x.spread(shape)[slow], y.spread(shape)[slow], np.broadcast_to(rho, shape)[slow]
    )
    better = found_error < error[slow]
    values[slow] = np.where(better, found, values[slow])
    error[slow] = np.where(better, found_error, error[slow])
    return Covariance(values, error, "quadrature" if np.all(slow) else "series and quadrature")


def _same(x: ActivationMoments, y: ActivationMoments, rho: Array) -> Mask:
    """Return where y is x: one function, one mean, one deviation, rho = 1."""
    return np.asarray(
        x.form.equals(y.form)
        & (rho == 1)
        & (x.input_mean == y.input_mean)
        & (x.input_deviation == y.input_deviation)
    )


def _common_shape(x: ActivationMoments, y: ActivationMoments, rho: Array) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(x.shape, y.shape, rho.shape)
    except ValueError:
        raise ShapeError(
            "moments and correlations do not broadcast",
            given=f"shapes {x.shape}, {y.shape} and {rho.shape}",
            fix="covariance(m[:, None], m[None, :], rho) for a matrix of channels",
        ) from None
