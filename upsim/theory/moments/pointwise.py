r"""A covariance through pointwise functions, pair by pair.

For jointly Gaussian ``x ~ N(mu, s^2)`` and ``y ~ N(mu', s'^2)`` of correlation rho, with the
Hermite coefficients ``alpha_k`` of f at x and ``alpha'_k`` of g at y (Mehler 1866, Price 1958)::

    Cov(f(x), g(y)) = sum_{k >= 1} alpha_k alpha'_k rho^k,     Cov(f(x), y) = (alpha_1 / s) Cov(x, y).

Most pairs of a long window are nearly independent and need few terms; how many is decided lag by
lag.  Pairs that no series of that length can give (neighbours of one channel, mostly) are left to
:func:`upsim.gaussian.covariance`, which has closed forms and quadrature.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from upsim.gaussian import ActivationMoments, covariance
from upsim.theory.moments.covariance import Covariance

Array = NDArray[np.float64]

#: What the series may miss of the geometric mean of the two variances.
ACCURACY = 1e-13

#: Hermite coefficients that are kept; a correlation below 0.48 needs no more.
ORDER = 40

#: Orders in which lags are summed together.
_ORDERS = (1, 2, 3, 4, 6, 8, 12, 16, 24, ORDER)

#: Numbers in one piece of work (16 MiB).
_PIECE = 2**21


def both_mapped(
    between: Covariance, left: ActivationMoments, right: ActivationMoments, *, same: bool
) -> Covariance:
    """Return ``Cov(f(x), g(y))``.

    Parameters
    ----------
    between : Covariance
        Of x and y.
    left, right : ActivationMoments
        Of f at x and g at y, shapes (phases, channels).
    same : bool
        Whether f(x) is g(y), so that half of the lags follow from the other half and the variance
        is known.
    """
    record = between.over(left.shape[0], right.shape[0])
    if same:
        record = record.centred()
    half = record.width // 2 if same else 0
    values = record.values[:, half:]
    phases = np.arange(record.phases) % left.shape[0]
    moments = record.moments()[:, half:] % right.shape[0]
    mapped = _mapped(values, left, right, phases, moments)
    if not same:
        return Covariance(mapped, record.starts, record.period)
    channels = np.arange(left.shape[1])
    mapped[:, 0, channels, channels] = left.variance[phases]
    whole = np.empty_like(record.values)
    whole[:, half:] = mapped
    # Cov(y[p], y[p - d]) is Cov(y[p - d], y[p]) with the channels exchanged.
    for lag in range(1, half + 1):
        earlier = (np.arange(record.phases) - lag) % record.phases
        whole[:, half - lag] = mapped[earlier, lag].swapaxes(1, 2)
    return Covariance(whole, record.starts, record.period)


def left_mapped(between: Covariance, left: ActivationMoments) -> Covariance:
    """Return ``Cov(f(x), y)``: the mean slope of f times the covariance (Bussgang 1952)."""
    return between.scaled(left.slope)


def _mapped(
    values: Array,
    left: ActivationMoments,
    right: ActivationMoments,
    phases: NDArray[np.intp],
    moments: NDArray[np.intp],
) -> Array:
    """Map windows (P, T, C, C'), x at ``phases`` (P,) and y at ``moments`` (P, T)."""
    inverse_left, inverse_right = _inverse(left), _inverse(right)
    rho = values * inverse_left[phases][:, None, :, None]
    rho *= inverse_right[moments][:, :, None, :]
    np.clip(rho, -1.0, 1.0, out=rho)
    largest = np.abs(rho).max(axis=(0, 2, 3), initial=0.0)
    # The rest beyond K terms is at most |rho|^(K+1) sqrt(tail tail'), tails over the variances.
    rests = [_rest(left, right, order) for order in _ORDERS]
    limits = np.array(
        [
            min(1.0, (ACCURACY / rest) ** (1 / (order + 1))) if rest > ACCURACY else 1.0
            for rest, order in zip(rests, _ORDERS, strict=True)
        ]
    )
    band = np.minimum(np.searchsorted(limits, largest), len(_ORDERS) - 1)
    answer = np.zeros_like(rho)
    for number, order in enumerate(_ORDERS):
        lags = np.flatnonzero((band == number) & (largest > 0))
        size = max(1, _PIECE // max(1, rho[:, 0].size))
        for start in range(0, lags.size, size):
            chosen = lags[start : start + size]
            answer[:, chosen] = _summed(
                rho[:, chosen],
                left.coefficients[: order + 1, phases],
                right.coefficients[: order + 1, moments[:, chosen]],
            )
    close = np.nonzero(np.abs(rho) > limits[-1])
    if close[0].size:
        p, t, c, d = close
        answer[close] = covariance(left[phases[p], c], right[moments[p, t], d], rho[close]).values
    return answer


def _summed(rho: Array, left: Array, right: Array) -> Array:
    """Return the series by Horner's rule: rho (P, T, C, C'), left (K+1, P, C), right (K+1, P, T, C')."""
    total = np.zeros_like(rho)
    for k in range(len(left) - 1, 0, -1):
        total += left[k][:, None, :, None] * right[k][:, :, None, :]
        total *= rho
    return total


def _inverse(moments: ActivationMoments) -> Array:
    deviation = moments.input_deviation
    return np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 0)


def _rest(left: ActivationMoments, right: ActivationMoments, order: int) -> float:
    """Return the largest share of the deviations beyond ``order`` coefficients, over all pairs."""
    return float(np.sqrt(_tail_share(left, order) * _tail_share(right, order)))


def _tail_share(moments: ActivationMoments, order: int) -> float:
    energy = np.sum(moments.coefficients[1 : order + 1] ** 2, axis=0)
    tail = np.maximum(moments.variance - energy, 0.0) + 1e-15 * moments.variance
    share = np.divide(tail, moments.variance, out=np.zeros_like(tail), where=moments.variance > 0)
    return float(share.max(initial=0.0))
