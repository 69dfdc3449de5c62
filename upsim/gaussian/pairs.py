r"""Covariances of very many pairs of samples of one function, a few statistics among them.

A table of correlations, rows of samples by columns of lags, holds millions of pairs, but most are
weakly correlated and need few terms of Mehler's series (:mod:`~upsim.gaussian.covariance`): column
by column, as many as bring its truncation bound below :data:`ACCURACY`.  Two rectifiers of samples
of mean zero have one closed form, the arc-cosine kernel, times the deviations.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from upsim.gaussian.covariance import covariance
from upsim.gaussian.mehler import furthest, summed, tail_shares
from upsim.gaussian.moments import ActivationMoments

Array = NDArray[np.float64]
Whole = NDArray[np.intp]

#: What the series may miss of sqrt(variance variance').
ACCURACY = 1e-13

#: Orders in which columns are summed together: few for most, the others if anything needs them.
ORDERS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 40)
LONG_ORDERS = (*ORDERS, 64, 96, 160)

#: What the last quarter of an interpolation's coefficients may sum to, over the variance.
_AGREED = 1e-11

#: Pairs that are left to closed forms and quadrature at once.
_AT_ONCE = 2**14


class PairedMoments:
    """Moments of one function at many samples, and the covariances of pairs of them.

    Parameters
    ----------
    moments_of : callable
        (means, deviations, order) to :class:`~upsim.gaussian.ActivationMoments`.
    mean, deviation : array (n,)
        Of each sample.  Samples of equal mean and deviation share their moments.

    Examples
    --------
    >>> import numpy as np
    >>> from upsim.gaussian import Rectifier
    >>> relu = lambda mean, deviation, order: Rectifier().moments(mean, deviation, order=order)
    >>> pairs = PairedMoments(relu, np.zeros(2), np.array([1.0, 2.0]))
    >>> first, second = np.array([[0]]), np.array([[1]])
    >>> pairs.covariances(np.array([[0.0]]), first, second)
    array([[0.]])
    """

    def __init__(
        self,
        moments_of: Callable[[Array, Array, int], ActivationMoments],
        mean: Array,
        deviation: Array,
    ) -> None:
        levels, place = np.unique(np.stack([mean, deviation]), axis=1, return_inverse=True)
        self._moments_of, self._levels, self._place = moments_of, levels, place.reshape(-1)
        self._moments = moments_of(levels[0], levels[1], ORDERS[-1])
        self._orders: tuple[int, ...] = ORDERS
        form = self._moments.form
        self._homogeneous = form.is_homogeneous and not mean.any()

    @property
    def relative_error(self) -> float:
        """The largest bound of the moments, as a share of what goes in or out."""
        return self._moments.relative_error

    @property
    def mean(self) -> Array:
        """Mean of the function at each sample, (n,)."""
        return np.asarray(self._moments.mean[self._place])

    def covariances(self, given: Array, sample: Whole, partner: Whole) -> Array:
        """Return the covariances behind the function.

        Parameters
        ----------
        given : array (rows, columns)
            Covariances of the inputs.
        sample, partner : array of int
            Numbers of the two samples; they broadcast to the shape of ``given``.
        """
        left, right = self._place[sample], self._place[partner]
        deviation = self._levels[1]
        if deviation.size == 1:
            scale = np.asarray(deviation[0] ** 2)
        else:
            scale = deviation[left] * deviation[right]
        if scale.all():
            rho = given / scale
        else:
            rho = np.divide(given, scale, out=np.zeros(given.shape), where=scale > 0)
        np.clip(rho, -1.0, 1.0, out=rho)
        if self._homogeneous:
            closed = self._moments.form.centred_covariance(rho)
            if closed is not None:
                closed *= scale
                return closed
        return self._series(rho, left, right)

    def _series(self, rho: Array, left: Whole, right: Whole) -> Array:
        size = np.abs(rho)
        # A sample and itself: within the rounding of deviation^2 / variance.
        same = size >= 1 - 8 * np.finfo(np.float64).eps
        if same.any():
            same &= (left == right) & (rho > 0)
            size[same] = 0.0
        limits = _limits(self._moments, self._orders)
        if self._orders is ORDERS and np.count_nonzero(size > limits[-1]) > _AT_ONCE // 16:
            self._lengthen()
            limits = _limits(self._moments, self._orders)
        largest = size.max(axis=0, initial=0.0)
        band = np.minimum(np.searchsorted(limits, largest), limits.size - 1)
        answer = np.zeros(rho.shape)
        for number, order in enumerate(self._orders):
            columns = np.flatnonzero((band == number) & (largest > 0))
            if columns.size:
                answer[:, columns] = self._summed(rho[:, columns], left, right, columns, order)
        rows, columns = np.nonzero(size > limits[-1])
        lefts = np.broadcast_to(left, rho.shape)
        rights = np.broadcast_to(right, rho.shape)
        if self._levels.shape[1] == 1 and rows.size:
            answer[rows, columns] = strong_covariances(self._moments[:1], rho[rows, columns])
            rows = rows[:0]
        for start in range(0, rows.size, _AT_ONCE):
            chosen = rows[start : start + _AT_ONCE], columns[start : start + _AT_ONCE]
            x, y = self._moments[lefts[chosen]], self._moments[rights[chosen]]
            answer[chosen] = covariance(x, y, rho[chosen]).values
        if same.any():
            answer[same] = self._moments.variance[lefts[same]]
        return answer

    def _lengthen(self) -> None:
        """Take more coefficients, unless strong correlations have a closed form."""
        one = self._moments[:1]
        if one.form.closed_covariance(one, one, np.zeros(1)) is None:
            self._moments = self._moments_of(self._levels[0], self._levels[1], LONG_ORDERS[-1])
            self._orders = LONG_ORDERS

    def _summed(self, rho: Array, left: Whole, right: Whole, columns: Whole, order: int) -> Array:
        """Return the series."""
        coefficients = self._moments.coefficients
        if self._place.max() == 0:
            return summed(lambda k: np.asarray(coefficients[k, 0] ** 2), rho, order)
        right = right[:, columns] if right.shape[1] > 1 else right
        left = left[:, columns] if left.shape[1] > 1 else left
        return summed(lambda k: coefficients[k][left] * coefficients[k][right], rho, order)


def strong_covariances(moments: ActivationMoments, rho: Array) -> Array:
    r"""Return the covariances of samples of one mean and deviation at many strong correlations.

    They are one smooth function of :math:`t = \sqrt{1 - |\rho|}` (of t, not of rho: a kink or a
    step makes half powers), so that its values at a few dozen Chebyshev points give all others;
    twice as many points are taken until the last coefficients vanish.
    """
    answer = np.empty(rho.shape)
    for chosen in (rho < 0, rho >= 0):
        if chosen.any():
            answer[chosen] = _on_one_side(moments, rho[chosen])
    return answer


def _on_one_side(moments: ActivationMoments, rho: Array) -> Array:
    sign = -1.0 if rho[0] < 0 else 1.0
    t = np.sqrt(1 - np.abs(rho))
    low, high = t.min(), t.max()
    floor = _AGREED * float(moments.variance[0])
    for count in (32, 64, 128, 256):
        if rho.size < 4 * count or high - low < _AGREED:
            break
        angles = np.pi * (np.arange(count) + 0.5) / count
        at = low + (high - low) * 0.5 * (1 + np.cos(angles))
        values = covariance(moments, moments, sign * (1 - at**2), accuracy=ACCURACY).values
        series = 2 / count * np.cos(np.outer(np.arange(count), angles)) @ values
        series[0] /= 2
        if np.abs(series[-count // 4 :]).sum() <= floor:
            place = np.clip(2 * (t - low) / (high - low) - 1, -1, 1)
            return np.asarray(np.polynomial.chebyshev.chebval(place, series))
    return covariance(moments, moments, rho).values


def _limits(moments: ActivationMoments, orders: tuple[int, ...]) -> Array:
    """Return the correlation up to which each order is enough for every pair."""
    rests = tail_shares(moments.coefficients[1:] ** 2, moments.variance, orders)
    limits = [furthest(k, rest, ACCURACY) for k, rest in zip(orders, rests, strict=True)]
    return np.array(limits)
