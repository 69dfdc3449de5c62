r"""A covariance through pointwise functions, pair by pair.

``Cov(f(x), g(y))`` is Mehler's series (:mod:`upsim.gaussian.mehler`), and for the identity in the
place of g Bussgang's gain is left, ``Cov(f(x), y) = (alpha_1 / s) Cov(x, y)``.

Most pairs of a long window are nearly independent and need few terms; how many is decided lag by
lag.  Pairs that no series of that length can give (neighbours of one channel, mostly) are left to
:func:`upsim.gaussian.covariance`, which has closed forms and quadrature.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from upsim.gaussian import ActivationMoments, covariance
from upsim.gaussian.mehler import furthest, summed, tail_shares
from upsim.theory.moments.covariance import Covariance

Array = NDArray[np.float64]

#: What the series may miss of the geometric mean of the two variances.
ACCURACY = 1e-13

#: Hermite coefficients that are kept; a correlation below 0.48 needs no more.
ORDER = 40

#: Orders in which lags are summed together.
_ORDERS = (1, 2, 3, 4, 6, 8, 12, 16, 24, ORDER)

#: Numbers in one piece of work (4 MiB).
_PIECE = 2**19

#: Pairs that are worked out one by one, at once: their moments are two pieces of work.
_PAIRS = 2**14


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
    mapped = _mapped(values, left, right, phases, moments, per_channel=record.per_channel)
    if not same:
        return replace(record, values=mapped)
    return record.from_later(mapped, left.variance[phases])


def left_mapped(between: Covariance, left: ActivationMoments) -> Covariance:
    """Return ``Cov(f(x), y)``: the mean slope of f times the covariance (Bussgang 1952)."""
    return between.scaled(left.slope)


def _mapped(
    values: Array,
    left: ActivationMoments,
    right: ActivationMoments,
    phases: NDArray[np.intp],
    moments: NDArray[np.intp],
    *,
    per_channel: bool,
) -> Array:
    """Map windows (P, T, C, C'), x at ``phases`` (P,) and y at ``moments`` (P, T).

    Channels that are kept ``per_channel`` have windows (P, T, 1, C).
    """
    axis = 2 if per_channel else 3
    inverse_left, inverse_right = (
        reciprocal(left.input_deviation),
        reciprocal(right.input_deviation),
    )
    rho = values * np.expand_dims(inverse_left[phases], (1, axis))
    rho *= inverse_right[moments][:, :, None, :]
    np.clip(rho, -1.0, 1.0, out=rho)
    largest = np.abs(rho).max(axis=(0, 2, 3), initial=0.0)
    tails = [
        tail_shares(each.coefficients[1:] ** 2, each.variance, _ORDERS) for each in (left, right)
    ]
    rests = [float(np.sqrt(one * two)) for one, two in zip(*tails, strict=True)]
    answer = np.zeros_like(rho)
    # Each lag takes its numbers, and the coefficients at its moments.
    each = rho[:, 0].size + (ORDER + 1) * moments.shape[0] * right.shape[1]
    for order, chosen in bands(largest, _ORDERS, rests, each):
        answer[:, chosen] = _summed(
            rho[:, chosen],
            np.expand_dims(left.coefficients[: order + 1, phases], (2, axis + 1)),
            right.coefficients[: order + 1, moments[:, chosen]],
        )
    limit = furthest(_ORDERS[-1], rests[-1], ACCURACY)
    for close in pieces(np.nonzero(np.abs(rho) > limit)):
        p, t, c, d = close
        own = d if per_channel else c
        found = covariance(left[phases[p], own], right[moments[p, t], d], rho[close])
        answer[close] = found.values
    return answer


def pieces(found: tuple[NDArray[np.intp], ...]) -> Iterator[tuple[NDArray[np.intp], ...]]:
    """Yield indices of single pairs, so many at once that their moments are a piece of work."""
    for start in range(0, found[0].size, _PAIRS):
        yield tuple(axis[start : start + _PAIRS] for axis in found)


def bands(
    largest: Array, orders: Sequence[int], rests: Sequence[float], size: int
) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Yield the order of the series and the lags that it is enough for, a piece of work at a time.

    Parameters
    ----------
    largest : array (T,)
        The largest correlation of each lag; a lag of none is left out.
    orders, rests : sequence
        Lengths of the series, and what each leaves out where the correlation is one.
    size : int
        Numbers of one lag.
    """
    limits = [furthest(order, rest, ACCURACY) for order, rest in zip(orders, rests, strict=True)]
    band = np.minimum(np.searchsorted(np.array(limits), largest), len(orders) - 1)
    step = max(1, _PIECE // max(1, size))
    for number, order in enumerate(orders):
        lags = np.flatnonzero((band == number) & (largest > 0))
        for start in range(0, lags.size, step):
            yield order, lags[start : start + step]


def _summed(rho: Array, left: Array, right: Array) -> Array:
    """Return the series.

    Shapes: rho (P, T, C, C'), left (K + 1, P, 1, C, 1), right (K + 1, P, T, C').
    """
    return summed(lambda k: left[k] * right[k][:, :, None, :], rho, len(left) - 1)


def reciprocal(deviation: Array) -> Array:
    """Return one over deviations; zero for what does not vary."""
    return np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 0)
