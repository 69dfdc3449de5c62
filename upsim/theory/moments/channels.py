r"""Channels with the same statistics over networks: what each kind of layer makes of a group.

Behind random weights channels are alike, and one stands for all.  Where a layer gives them numbers
of their own (a trained normalisation, a given bias) or signals are concatenated, there are several
groups; the rules here act on one of them, or on the average over some.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from math import lcm

import numpy as np
from numpy.typing import NDArray

from upsim.operators.random_taps import ApartTaps
from upsim.operators.two_time import TwoTime
from upsim.words.arguments import refuse_beyond_memory
from upsim.words.tolerance import rounding

Array = NDArray[np.float64]

#: Numbers of groups, and how many of their channels are meant.
Shares = tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class Channels:
    """Channels with the same statistics.

    Parameters
    ----------
    count : int
    mean : array (p,)
        Over networks and inputs.
    covariance : TwoTime
        About the mean, of one channel.
    """

    count: int
    mean: Array
    covariance: TwoTime

    def second_moment(self, *, averaged: bool) -> TwoTime:
        """Return the moment about zero, of each phase or averaged over them."""
        if not self.mean.any():
            return self.covariance.averaged() if averaged else self.covariance
        if averaged:
            power = np.abs(np.fft.fft(self.mean)) ** 2 / self.mean.size
            products = np.fft.ifft(power).real
            return self.covariance.averaged() + TwoTime(products[None], np.zeros((1, 1)))
        return self.covariance + of_mean(self.mean)

    def scaled(self, weight: float) -> Channels:
        """Return the channels times a number."""
        return replace(self, mean=weight * self.mean, covariance=self.covariance.scaled(weight**2))

    def moved(self, offset: Array) -> Channels:
        """Return the channels with a periodic offset added to their mean."""
        return replace(self, mean=shortest(added_means(self.mean, offset)))

    def counted(self, count: int) -> Channels:
        """Return ``count`` channels of these statistics."""
        return replace(self, count=count)

    def decimated(self, stride: int) -> Channels:
        """Return every ``stride``-th sample."""
        if stride == 1:
            return self
        whole = lcm(self.mean.size, stride)
        mean = np.tile(self.mean, whole // self.mean.size)[::stride]
        return replace(self, mean=shortest(mean), covariance=self.covariance.decimated(stride))

    def through_apart(self, taps: ApartTaps) -> Channels:
        r"""Return the channels behind random taps with a mean, each channel by its own.

        .. math:: C_y = E[h h^T] \circ C_x + (E[h h^T] - E h\, E h^T) \circ m m^T

        with :math:`\circ` the sum over pairs of taps of
        :meth:`~upsim.operators.two_time.TwoTime.through_taps`.
        """
        made = self.covariance.through_taps(taps.products, taps.positions, taps.factor)
        varying = taps.products - np.outer(taps.mean, taps.mean)
        if self.mean.any():
            made = made + of_mean(self.mean).through_taps(varying, taps.positions, taps.factor)
        mean = filtered_mean(self.mean, taps.mean, taps.positions, taps.factor)
        return replace(self, mean=mean, covariance=made.reduced())


def filtered_mean(mean: Array, taps: Array, positions: NDArray[np.intp], factor: int) -> Array:
    """Return a periodic mean behind a stretch and taps."""
    made = np.zeros(mean.size * factor)
    places = np.arange(mean.size) * factor
    for tap, position in zip(taps, positions, strict=True):
        # Samples that one tap reaches are different ones.
        made[(places + position) % made.size] += tap * mean
    return shortest(made)


def average(groups: Sequence[Channels], shares: Shares, *, averaged: bool = False) -> TwoTime:
    """Return the second moment about zero, averaged over channels."""
    total, (first, most) = sum(count for _, count in shares), shares[0]
    found = groups[first].second_moment(averaged=averaged)
    for number, count in shares[1:]:
        found = found.plus(groups[number].second_moment(averaged=averaged), count / most)
    return found.scaled(most / total)


def average_mean(groups: Sequence[Channels], shares: Shares) -> Array:
    """Return the mean over channels, (p,)."""
    total = sum(count for _, count in shares)
    return reduce(added_means, [groups[number].mean * (count / total) for number, count in shares])


def shares_of(groups: Sequence[Channels], first: int, count: int) -> Shares:
    """Return which groups ``count`` channels from ``first`` on belong to."""
    found, start = [], 0
    for number, group in enumerate(groups):
        inside = min(first + count, start + group.count) - max(first, start)
        if inside > 0:
            found.append((number, inside))
        start += group.count
    return tuple(found)


def split_at(groups: Sequence[Channels], bounds: set[int]) -> tuple[Channels, ...]:
    """Return the groups cut at the given channels, and at their own ends."""
    ends = {int(end) for end in np.cumsum([group.count for group in groups])}
    found, start = [], 0
    for end in sorted(ends | {bound for bound in bounds if 0 < bound < max(ends)}):
        ((number, count),) = shares_of(groups, start, end - start)
        found.append(replace(groups[number], count=count))
        start = end
    return tuple(found)


def ends_of(groups: Sequence[Channels]) -> set[int]:
    """Return the channels at which groups end."""
    return {int(end) for end in np.cumsum([group.count for group in groups])}


def added(groups: Sequence[Channels]) -> Channels:
    """Return the sum of independent channels."""
    mean = reduce(added_means, [group.mean for group in groups])
    covariance = reduce(TwoTime.__add__, [group.covariance for group in groups])
    return Channels(groups[0].count, shortest(mean), covariance.reduced())


def of_mean(mean: Array) -> TwoTime:
    """Return the products of a periodic mean with itself."""
    # The products, their lags, and their square and its copy while the shortest period is found.
    refuse_beyond_memory(
        4 * mean.size**2,
        f"the products of a mean that repeats after {mean.size} samples",
        fix="stack = stack.draw(seed=0), and predict that one network; or sines whose frequencies "
        "share a larger divisor with the input rate",
    )
    lags = (np.arange(mean.size)[:, None] + np.arange(mean.size)) % mean.size
    return TwoTime(mean[:, None] * mean[lags], np.zeros((mean.size, 1))).reduced()


def added_means(first: Array, second: Array) -> Array:
    """Return the sum of two periodic means over their common period."""
    whole = lcm(first.size, second.size)
    return np.tile(first, whole // first.size) + np.tile(second, whole // second.size)


def shortest(mean: Array) -> Array:
    """Return a periodic mean over its shortest period, found by exact comparison."""
    for period in (d for d in range(1, mean.size) if mean.size % d == 0):
        if np.array_equal(mean, np.roll(mean, period)):
            return mean[:period]
    return mean


def moving(mean: Array, level: Array) -> Array:
    """Return a mean without a level, zero where rounding alone is left."""
    made = added_means(mean, -level)
    floor = rounding(mean.size + level.size, float(np.abs(mean).max() + np.abs(level).max()))
    return shortest(np.where(np.abs(made) > floor, made, 0.0))
