r"""Channels with the same statistics over networks: what each kind of layer makes of a group.

Behind random weights channels are alike, and one stands for all.  Where a layer gives them numbers
of their own (a trained normalisation, a given bias) or signals are concatenated, there are several
groups; the rules here act on one of them, or on the average over some.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upsim.operators.random_taps import ApartTaps
from upsim.operators.repeating import Repeating
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
    mean : Repeating, (p,)
        Over networks and inputs.
    covariance : TwoTime
        About the mean, of one channel.
    """

    count: int
    mean: Repeating
    covariance: TwoTime

    def second_moment(self, *, averaged: bool) -> TwoTime:
        """Return the moment about zero, of each phase or averaged over them."""
        if not self.mean.samples.any():
            return self.covariance.averaged() if averaged else self.covariance
        if averaged:
            products = np.fft.ifft(np.abs(self.mean.lines()) ** 2, norm="forward").real
            return self.covariance.averaged() + TwoTime(products[None], np.zeros((1, 1)))
        return self.covariance + of_mean(self.mean)

    def scaled(self, weight: float) -> Channels:
        """Return the channels times a number."""
        return replace(
            self, mean=self.mean.scaled(weight), covariance=self.covariance.scaled(weight**2)
        )

    def moved(self, offset: Repeating) -> Channels:
        """Return the channels with a periodic offset added to their mean."""
        return replace(self, mean=(self.mean + offset).shortest())

    def counted(self, count: int) -> Channels:
        """Return ``count`` channels of these statistics."""
        return replace(self, count=count)

    def decimated(self, stride: int) -> Channels:
        """Return every ``stride``-th sample."""
        if stride == 1:
            return self
        mean = self.mean.decimated(stride).shortest()
        return replace(self, mean=mean, covariance=self.covariance.decimated(stride))

    def through_apart(self, taps: ApartTaps) -> Channels:
        r"""Return the channels behind random taps with a mean, each channel by its own.

        .. math:: C_y = E[h h^T] \circ C_x + (E[h h^T] - E h\, E h^T) \circ m m^T

        with :math:`\circ` the sum over pairs of taps of
        :meth:`~upsim.operators.two_time.TwoTime.through_taps`.
        """
        made = self.covariance.through_taps(taps.products, taps.positions, taps.factor)
        varying = taps.products - np.outer(taps.mean, taps.mean)
        if self.mean.samples.any():
            made = made + of_mean(self.mean).through_taps(varying, taps.positions, taps.factor)
        mean = filtered_mean(self.mean, taps.mean, taps.positions, taps.factor)
        return replace(self, mean=mean, covariance=made.reduced())


def filtered_mean(
    mean: Repeating, taps: Array, positions: NDArray[np.intp], factor: int
) -> Repeating:
    """Return a periodic mean behind a stretch and taps."""
    made = np.zeros(mean.period * factor)
    places = np.arange(mean.period) * factor
    for tap, position in zip(taps, positions, strict=True):
        # Samples that one tap reaches are different ones.
        made[(places + position) % made.size] += tap * mean.samples
    return Repeating(made).shortest()


def average(groups: Sequence[Channels], shares: Shares, *, averaged: bool = False) -> TwoTime:
    """Return the second moment about zero, averaged over channels."""
    total, (first, most) = sum(count for _, count in shares), shares[0]
    found = groups[first].second_moment(averaged=averaged)
    for number, count in shares[1:]:
        found = found.plus(groups[number].second_moment(averaged=averaged), count / most)
    return found.scaled(most / total)


def average_mean(groups: Sequence[Channels], shares: Shares) -> Repeating:
    """Return the mean over channels, (p,)."""
    total = sum(count for _, count in shares)
    return reduce(add, [groups[number].mean.scaled(count / total) for number, count in shares])


def shares_of(groups: Sequence[Channels], first: int, count: int) -> Shares:
    """Return which groups ``count`` channels from ``first`` on belong to."""
    found, start = [], 0
    for number, group in enumerate(groups):
        inside = min(first + count, start + group.count) - max(first, start)
        if inside > 0:
            found.append((number, inside))
        start += group.count
    return tuple(found)


def runs(count: int, *tables: NDArray[Any]) -> list[tuple[int, int]]:
    """Return the first and the number of neighbours that are equal in all tables.

    A table has a row for each of ``count`` channels, or one row for all of them.
    """
    others = np.zeros(count - 1, np.bool_)
    for table in tables:
        if len(table) > 1:
            others |= np.any((table[1:] != table[:-1]).reshape(count - 1, -1), axis=1)
    starts = np.flatnonzero(np.concatenate([[True], others]))
    return list(zip(starts.tolist(), np.diff(starts, append=count).tolist(), strict=True))


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
    mean = reduce(add, [group.mean for group in groups])
    covariance = reduce(add, [group.covariance for group in groups])
    return Channels(groups[0].count, mean.shortest(), covariance.reduced())


def of_mean(mean: Repeating) -> TwoTime:
    """Return the products of a periodic mean with itself."""
    # The products, their lags, and their square and its copy while the shortest period is found.
    refuse_beyond_memory(
        4 * mean.period**2,
        f"the products of a mean that repeats after {mean.period} samples",
        fix="stack = stack.draw(seed=0), and predict that one network; or sines whose frequencies "
        "share a larger divisor with the input rate",
    )
    samples, moments = mean.samples[:, None], np.arange(mean.period)
    products = samples * mean.at(moments[:, None] + moments)
    return TwoTime(products, np.zeros_like(samples)).reduced()


def moving(mean: Repeating, level: Repeating) -> Repeating:
    """Return a mean without a level, zero where rounding alone is left."""
    made = (mean + level.scaled(-1.0)).samples
    sizes = np.abs(mean.samples).max() + np.abs(level.samples).max()
    floor = rounding(mean.period + level.period, float(sizes))
    return Repeating(np.where(np.abs(made) > floor, made, 0.0)).shortest()
