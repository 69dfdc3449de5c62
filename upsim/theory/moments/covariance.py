r"""Cyclostationary covariances: arrays in, arrays out, exact through linear operators.

Two signals x and y repeat their statistics together: after ``P`` samples of x and ``P'`` samples
of y.  Their covariance is one window of lags for each phase of x::

    R[p, t, c, c'] = Cov(x_c[p], y_c'[s_p + t]),   R = 0 outside of the window,

and the same again a period later.  x and y may be one signal (an autocovariance), and may have
different rates, so that what meets after a branch keeps its covariance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import lcm
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from upsim.operators import Operator, StretchFIR
from upsim.operators.repeating import whole_turns

Array = NDArray[np.float64]
Whole = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Covariance:
    """The covariance of two signals over their common period.

    Parameters
    ----------
    values : array (P, T, C, C')
        ``R``: phase of x, place in the window, channel of x, channel of y.
    starts : array (P,)
        ``s_p``: sample of y at which the window of phase p begins.
    period : int
        ``P'``: samples of y in the time of ``P`` samples of x.

    Examples
    --------
    White noise, each sample held twice: neighbours of one pair agree, others do not.

    >>> held = StretchFIR(np.ones((1, 1, 2)), 2)
    >>> after = white(np.ones(1)).on_both_sides(held)
    >>> after.lagged(1)[:, 0, 0]
    array([1., 0.])
    """

    values: Array
    starts: Whole
    period: int

    #: Whether each channel meets itself alone, so that the windows are (P, T, 1, C).
    per_channel: ClassVar[bool] = False

    @property
    def phases(self) -> int:
        """``P``."""
        return int(self.values.shape[0])

    @property
    def width(self) -> int:
        """``T``, samples of y in a window."""
        return int(self.values.shape[1])

    def tiled(self, times: int) -> Self:
        """Return the same covariance over ``times`` periods."""
        if times == 1:
            return self
        later = np.arange(times)[:, None] * self.period + self.starts
        values = np.tile(self.values, (times, 1, 1, 1))
        return replace(self, values=values, starts=later.reshape(-1), period=self.period * times)

    def over(self, phases: int, period: int) -> Self:
        """Return it over the shortest span that holds whole periods of both arguments."""
        return self.tiled(whole_turns((self.phases, phases), (self.period, period)))

    def through(self, operator: Operator) -> Covariance:
        r"""Return the covariance of x and ``A y``.

        .. math:: \mathrm{Cov}(x_c[p], (A y)_o[n]) = \sum_{c', m} A[o, n; c', m]\,
                  \mathrm{Cov}(x_c[p], y_{c'}[m])

        A row ``(p, c)`` is a finite signal over m with channels c', and the operator acts on it.
        """
        tiled = self.over(1, operator.down)
        if isinstance(operator, StretchFIR) and operator.by_channel:
            return tiled._by_channel(operator)
        return tiled._by_blocks(operator)

    def _by_channel(self, operator: StretchFIR) -> Covariance:
        """Filter each channel of y by its own taps: products only, no GEMM.

        Output sample ``n`` behind a decimation is sample ``n D`` before it.
        """
        factor, step, down = operator.factor, operator.dilation, operator.down
        count, width = self.phases, self.width
        span = (width - 1) * factor + operator.reach
        answer = np.zeros((count, span, *self.values.shape[2:]))
        for tap in range(operator.taps.shape[2]):
            # LagWindow sample t lands at t L + d k.
            begin = step * tap
            place = slice(begin, begin + (width - 1) * factor + 1, factor)
            answer[:, place] += self.values * operator.taps[:, 0, tap]
        starts = self.starts * factor - operator.crop[0]
        if down > 1:
            kept = -(-starts // down)
            wanted = (kept * down - starts)[:, None] + np.arange(-(-span // down)) * down
            longer = np.concatenate([answer, np.zeros((count, down, *answer.shape[2:]))], axis=1)
            answer, starts = longer[np.arange(count)[:, None], np.minimum(wanted, span)], kept
        return Covariance(answer, starts, self.period * factor // down)

    def _by_blocks(self, operator: Operator) -> Covariance:
        """Apply the polyphase matrix block by block, each a GEMM over all phases and windows."""
        matrix = operator.polyphase()
        up, down, out = matrix.up, matrix.down, matrix.out_channels
        count, width, rows, inward = self.values.shape
        # LagWindows begin anywhere; blocks begin at multiples of `down`.
        lead = self.starts % down
        blocks = -(-(int(lead.max()) + width) // down)
        padded = self.values
        if down > 1:
            padded = np.zeros((count, blocks * down, rows, inward))
            columns = lead[:, None] + np.arange(width)
            padded[np.arange(count)[:, None], columns] = self.values
            shaped = padded.reshape(count, blocks, down, rows, inward).transpose(0, 1, 3, 4, 2)
            padded = np.ascontiguousarray(shaped).reshape(count, blocks, rows, inward * down)
        taps = matrix.blocks.transpose(0, 3, 4, 2, 1).reshape(-1, inward * down, up * out)
        answer = np.zeros((count, blocks + len(taps) - 1, rows, up * out))
        flat = padded.reshape(-1, inward * down)
        for j, tap in enumerate(taps):
            if tap.any():
                piece = (flat @ tap).reshape(count, blocks, rows, up * out)
                answer[:, j : j + blocks] += piece
        split = answer.reshape(count, -1, rows, up, out).transpose(0, 1, 3, 2, 4)
        starts = (self.starts // down + matrix.first) * up
        values = split.reshape(count, -1, rows, out)
        return Covariance(values, starts, self.period // down * up)

    def transposed(self) -> Covariance:
        """Return the covariance of y and x: the same numbers, windows over x."""
        moments = self.starts[:, None] + np.arange(self.width)
        phases, turns = moments % self.period, moments // self.period
        # y at phase n' + k P' meets x at p: y at n' meets x at p - k P.
        places = np.arange(self.phases)[:, None] - turns * self.phases
        starts = np.full(self.period, np.iinfo(np.intp).max)
        np.minimum.at(starts, phases, places)
        ends = np.full(self.period, np.iinfo(np.intp).min)
        np.maximum.at(ends, phases, places)
        unseen = starts > ends
        starts[unseen] = ends[unseen] = 0
        width = int((ends - starts).max()) + 1
        rows, columns = self.values.shape[2:]
        values = np.zeros((self.period, width, columns, rows))
        values[phases, places - starts[phases]] = self.values.swapaxes(2, 3)
        return Covariance(values, starts, self.phases)

    def on_both_sides(self, operator: Operator) -> Covariance:
        """Return the covariance of ``A x`` and ``A y``."""
        half = self.through(operator)._trimmed().transposed()
        return half._trimmed().through(operator)._trimmed().transposed()._trimmed()

    def _trimmed(self) -> Self:
        """Cut from each window what is exactly zero at its ends."""
        used = np.asarray(self.values.any(axis=(2, 3)))
        first = np.argmax(used, axis=1)
        last = self.width - 1 - np.argmax(used[:, ::-1], axis=1)
        width = int((last - first).max()) + 1
        if width == self.width or not used.any():
            return self
        # A window that would pass the end of the old one begins earlier instead.
        first = np.minimum(first, self.width - width)
        places = first[:, None] + np.arange(width)
        values = self.values[np.arange(self.phases)[:, None], places]
        return replace(self, values=values, starts=self.starts + first)

    def scaled(self, left: Array, right: Array | None = None) -> Self:
        """Multiply x by ``left[p, c]`` and y by ``right[p', c']``, both periodic."""
        found = self.over(len(left), 1 if right is None else len(right))
        gains = left[np.arange(found.phases) % len(left)]
        values = found.values * np.expand_dims(gains, (1, 2 if self.per_channel else 3))
        if right is not None:
            values *= right[found.moments() % len(right)][:, :, None, :]
        return replace(found, values=values)

    def moments(self) -> Whole:
        """Return the sample of y at each place of each window, (P, T)."""
        return self.starts[:, None] + np.arange(self.width)

    def lagged(self, lag: int) -> Array:
        """Return ``Cov(x[p], y[p + lag])`` for signals of one rate, shape (P, C, C')."""
        place = np.arange(self.phases) + lag - self.starts
        inside = (place >= 0) & (place < self.width)
        values = self.values[np.arange(self.phases), np.where(inside, place, 0)]
        return np.asarray(np.where(inside[:, None, None], values, 0.0))

    def variance(self) -> Array:
        """Return the variances of an autocovariance, (P, C), rounding below zero cut off."""
        return np.asarray(np.maximum(np.einsum("pcc->pc", self.lagged(0)), 0.0))

    def centred(self) -> Self:
        """Return an autocovariance with windows from ``p - D`` to ``p + D``, D as small as it may.

        LagWindows that were cut hold zeros at their ends, which are no lags to keep.
        """
        lags = self.moments() - np.arange(self.phases)[:, None]
        used = np.asarray(self.values.any(axis=(2, 3)))
        reach = int(np.abs(lags[used]).max(initial=0))
        if self.width == 2 * reach + 1 and np.all(lags[:, 0] == -reach):
            return self
        values = np.zeros((self.phases, 2 * reach + 1, *self.values.shape[2:]))
        rows, places = np.nonzero(np.abs(lags) <= reach)
        values[rows, lags[rows, places] + reach] = self.values[rows, places]
        return replace(self, values=values, starts=np.arange(self.phases) - reach)

    def from_later(self, later: Array, variance: Array) -> Self:
        """Return an autocovariance in these windows from its lags 0 to D; its variances are known.

        Parameters
        ----------
        later : array (P, D + 1, C, C) or (P, D + 1, 1, C)
        variance : array (P, C)
        """
        channels = np.arange(later.shape[3])
        later[:, 0, 0 if self.per_channel else channels, channels] = variance
        return replace(self, values=mirrored(later, per_channel=self.per_channel))

    def averaged(self) -> Array:
        """Return each channel's autocovariance, averaged over time: (2 D + 1, C), lags -D to D."""
        centred = self.centred()
        return np.asarray(np.einsum("ptcc->tc", centred.values) / centred.phases)


def white(power: Array) -> Covariance:
    """Return the autocovariance of independent white channels."""
    return Covariance(np.diag(power)[None, None], np.zeros(1, dtype=np.intp), 1)


def stationary(autocovariance: Array) -> Covariance:
    """Return it for independent stationary channels, from lags -D to D, shape (2 D + 1, C)."""
    count, channels = autocovariance.shape
    values = np.zeros((1, count, channels, channels))
    values[0, :, np.arange(channels), np.arange(channels)] = autocovariance.T
    return Covariance(values, np.array([-(count // 2)]), 1)


def mirrored(later: Array, *, per_channel: bool) -> Array:
    """Return an autocovariance at lags -D to D from its lags 0 to D.

    Cov(y[p], y[p - d]) is Cov(y[p - d], y[p]) with the channels exchanged.
    """
    phases, width = later.shape[:2]
    whole = np.empty((phases, 2 * width - 1, *later.shape[2:]))
    whole[:, width - 1 :] = later
    for lag in range(1, width):
        before = later[(np.arange(phases) - lag) % phases, lag]
        whole[:, width - 1 - lag] = before if per_channel else before.swapaxes(1, 2)
    return whole


def added(parts: Sequence[Covariance]) -> Covariance:
    """Return the sum over parts: the covariance of a sum with one other signal."""
    parts = aligned(parts)
    return replace(parts[0], values=np.sum([part.values for part in parts], axis=0))


def stacked(parts: Sequence[Covariance]) -> Covariance:
    """Return the covariance of channels of x that are stacked, with one other signal."""
    parts = aligned(parts)
    values = np.concatenate([part.values for part in parts], axis=2)
    return Covariance(values, parts[0].starts, parts[0].period)


def aligned(parts: Sequence[Covariance]) -> list[Covariance]:
    """Return parts over one period and in one window."""
    phases = lcm(*(part.phases for part in parts))
    tiled = [part.over(phases, 1) for part in parts]
    starts = np.min([part.starts for part in tiled], axis=0)
    ends = np.max([part.starts + part.width for part in tiled], axis=0)
    width = int((ends - starts).max())
    found = []
    for part in tiled:
        values = np.zeros((phases, width, *part.values.shape[2:]))
        places = (part.starts - starts)[:, None] + np.arange(part.width)
        values[np.arange(phases)[:, None], places] = part.values
        found.append(replace(part, values=values, starts=starts))
    return found
