r"""Covariances of two times: one line part that never fades, one part of finite memory.

For a signal whose statistics repeat every ``p`` samples, :math:`C[n, n + \delta]` needs ``p`` rows.
It is kept in two parts: ``fixed``, what two runs with independent inputs share (the lines; it
repeats in the lag), and ``excess``, what one run has beyond that (the noise; it ends).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import lcm

import numpy as np
from numpy.typing import NDArray

from upsim.arguments import refuse_beyond_memory

Array = NDArray[np.float64]

#: (covariance, sample n mod p, sample n + lag mod p) to the covariance behind an activation.
PointwiseMap = Callable[[Array, NDArray[np.intp], NDArray[np.intp]], Array]


@dataclass(frozen=True, eq=False)
class TwoTime:
    """A covariance of two times in a signal of period p.

    Parameters
    ----------
    fixed : array (p, M)
        At sample ``n mod p`` and lag ``delta mod M``.
    excess : array (p, 2 D + 1)
        At sample ``n mod p`` and lag ``delta = -D … D``; zero beyond.
    """

    fixed: Array
    excess: Array

    @property
    def period(self) -> int:
        """Samples after which the covariance repeats itself."""
        return int(self.fixed.shape[0])

    @property
    def reach(self) -> int:
        """Largest lag of the excess."""
        return int(self.excess.shape[1]) // 2

    @property
    def variance(self) -> Array:
        """Variance at each sample of the period, (p,)."""
        return np.asarray(self.fixed[:, 0] + self.excess[:, self.reach])

    def through_taps(
        self, tap_covariance: Array, positions: NDArray[np.intp], factor: int
    ) -> TwoTime:
        r"""Return the covariance behind a stretch by ``L`` and taps known by their covariance.

        .. math:: C_y[n, n'] = \sum_{k, k'} S[k, k']\,
                  C_x\!\left[\tfrac{n - p_k}{L}, \tfrac{n' - p_{k'}}{L}\right]

        over the whole indices.  For random taps ``S`` is their covariance (diagonal if they are
        independent), for a fixed kernel the outer product of its taps.  A lag ``e`` of the input
        becomes the lag ``L e + p_k' - p_k``.
        """
        entries = np.argwhere(tap_covariance)
        shifts = positions[entries[:, 1]] - positions[entries[:, 0]]
        spread = int(np.abs(shifts).max(initial=0))
        rows, turns = self.period * factor, self.fixed.shape[1] * factor
        reach = self.reach * factor + spread
        refuse_beyond_memory(
            rows * (turns + 2 * reach + 1),
            "the covariance of two times",
            fix="use fewer or shorter strides",
        )
        fixed = np.zeros((rows, turns))
        excess = np.zeros((rows, 2 * reach + 1))
        lags = np.arange(self.fixed.shape[1]) * factor
        near = np.arange(-self.reach, self.reach + 1) * factor + reach
        for (first, second), shift in zip(entries, shifts, strict=True):
            weight = tap_covariance[first, second]
            phase, delay = positions[first] % factor, positions[first] // factor
            fixed[phase::factor, (lags + shift) % turns] += weight * np.roll(self.fixed, delay, 0)
            excess[phase::factor, near + shift] += weight * np.roll(self.excess, delay, 0)
        return TwoTime(fixed, excess).reduced()

    def decimated(self, factor: int, phase: int = 0) -> TwoTime:
        """Return the covariance of every ``factor``-th sample."""
        if factor == 1:
            return self
        rows, turns = lcm(self.period, factor), lcm(self.fixed.shape[1], factor)
        whole = self.tiled(rows, turns)
        keep = self.reach // factor
        centre = self.reach
        near = centre + np.arange(-keep, keep + 1) * factor
        order = np.arange(phase, phase + rows, factor) % rows
        return TwoTime(whole.fixed[order][:, ::factor], whole.excess[order][:, near]).reduced()

    def tiled(self, rows: int, turns: int, reach: int | None = None) -> TwoTime:
        """Return the same with a longer period, a longer lag period, or more (zero) lags."""
        fixed = np.tile(self.fixed, (rows // self.period, turns // self.fixed.shape[1]))
        excess = np.tile(self.excess, (rows // self.period, 1))
        more = 0 if reach is None else reach - self.reach
        return TwoTime(fixed, np.pad(excess, ((0, 0), (more, more))))

    def averaged(self) -> TwoTime:
        """Return the average over the period: all that layers without a decimation need."""
        return TwoTime(self.fixed.mean(axis=0)[None], self.excess.mean(axis=0)[None])

    def aligned(self, other: TwoTime) -> tuple[TwoTime, TwoTime]:
        """Return both over their common periods and lags."""
        rows = lcm(self.period, other.period)
        turns = lcm(self.fixed.shape[1], other.fixed.shape[1], rows)
        reach = max(self.reach, other.reach)
        return self.tiled(rows, turns, reach), other.tiled(rows, turns, reach)

    def __add__(self, other: TwoTime) -> TwoTime:
        """Return the covariance of the sum of two independent signals."""
        first, second = self.aligned(other)
        return TwoTime(first.fixed + second.fixed, first.excess + second.excess)

    def scaled(self, weight: float) -> TwoTime:
        """Return the covariance times a number."""
        return TwoTime(weight * self.fixed, weight * self.excess)

    def mapped(self, pointwise: PointwiseMap) -> TwoTime:
        """Return the covariance behind an activation.

        The line part follows from the line part alone (two runs share no noise), the whole from
        the whole; the excess is their difference and ends where it ended before.
        """
        period = self.period
        turns = lcm(self.fixed.shape[1], period)
        whole = self.tiled(period, turns)
        sample = np.arange(period)[:, None]
        fixed = pointwise(whole.fixed, sample, (sample + np.arange(turns)) % period)
        lags = np.arange(-self.reach, self.reach + 1)
        base = whole.fixed[:, lags % turns]
        full = pointwise(base + self.excess, sample, (sample + lags) % period)
        return TwoTime(fixed, full - fixed[:, lags % turns]).reduced()

    def reduced(self) -> TwoTime:
        """Return the same over the shortest period and lag period, found by exact comparison."""
        rows = self.period
        for candidate in (d for d in range(1, rows) if rows % d == 0):
            repeats = np.array_equal(self.fixed, np.roll(self.fixed, candidate, 0)) and (
                np.array_equal(self.excess, np.roll(self.excess, candidate, 0))
            )
            if repeats:
                return TwoTime(self.fixed[:candidate], self.excess[:candidate])._shorter_lags()
        return self._shorter_lags()

    def _shorter_lags(self) -> TwoTime:
        turns = self.fixed.shape[1]
        for candidate in (d for d in range(self.period, turns) if turns % d == 0):
            if np.array_equal(self.fixed, np.roll(self.fixed, candidate, 1)):
                return TwoTime(self.fixed[:, :candidate], self.excess)
        return self

    def line_powers(self) -> Array:
        r"""Return the expected power of each line ``k / M``, (M,).

        .. math:: E|a_k|^2 = \frac1{pM} \sum_{n, \delta}
                  C_{fixed}[n, n + \delta]\, e^{-j 2 \pi k \delta / M}

        the double DFT of the line part.
        """
        averaged = self.fixed.mean(axis=0)
        return np.asarray(np.fft.fft(averaged).real / averaged.size)

    def density(self, turns: Array) -> Array:
        """Return the density per cycle per sample at frequencies in cycles per sample, (F,)."""
        lags = np.arange(-self.reach, self.reach + 1)
        averaged = self.excess.mean(axis=0)
        return np.asarray((np.exp(-2j * np.pi * np.outer(turns, lags)) @ averaged).real)


def constant(level: float) -> TwoTime:
    """Return the covariance of a random constant of variance ``level``."""
    return TwoTime(np.array([[level]]), np.zeros((1, 1)))
