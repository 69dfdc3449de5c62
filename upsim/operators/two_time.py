r"""Covariances of two times: one line part that never fades, one part of finite memory.

For a signal whose statistics repeat every ``p`` samples, :math:`C[n, n + \delta]` needs ``p`` rows.
It is kept in two parts: ``fixed``, what two runs with independent inputs share (the lines; it
repeats in the lag), and ``excess``, what one run has beyond that (the noise; it ends).

The lines behind an activation need the excess at lag 0 only, phase by phase, and a layer in front
asks for a few lags more.  So where period times lags would pass a budget, short lags keep their
phases and the lags beyond are averaged over the phases (``far``): the lines stay exact, and of the
density only what an activation makes of those lags is approximate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import lcm

import numpy as np
from numpy.typing import NDArray

from upsim.errors import TooLargeError
from upsim.operators.lag_filter import filtered, lag_products, random_rows, tap_factors
from upsim.operators.repeating import Repeating, divisors
from upsim.words.arguments import MEMORY_BUDGET, refuse_beyond_memory

Array = NDArray[np.float64]

#: (covariance, sample n mod p, sample n + lag mod p) to the covariance behind an activation.
PointwiseMap = Callable[[Array, NDArray[np.intp], NDArray[np.intp]], Array]

#: Lags, before and after, that keep their phases whatever they cost: a line needs those within the
#: span of a kernel, and a long line part costs more than these.
_FEWEST = 256

#: Numbers in one piece of work (4 MiB).
_PIECE = 2**19


@dataclass(frozen=True, eq=False)
class TwoTime:
    """A covariance of two times in a signal of period p.

    Parameters
    ----------
    fixed : array (p, M)
        At sample ``n mod p`` and lag ``delta mod M``.
    excess : array (p, 2 D + 1)
        At sample ``n mod p`` and lag ``delta = -D … D``.
    far : array (F,)
        The excess at the lags ``D + 1 … D + F`` and their negatives, averaged over the period; zero
        beyond.  Empty where every lag keeps its phases.
    most : int
        Numbers that the excess may hold; see :meth:`lags_kept`.

    Examples
    --------
    White noise through the two-sample average, which is known of each phase:

    >>> noise = TwoTime(np.zeros((1, 1)), np.ones((1, 1)))
    >>> made = noise.through_taps(np.full((2, 2), 0.25), np.arange(2), 1)
    >>> made.excess
    array([[0.25, 0.5 , 0.25]])
    """

    fixed: Array
    excess: Array
    far: Array = field(default_factory=lambda: np.zeros(0))
    most: int = MEMORY_BUDGET // 256

    @property
    def period(self) -> int:
        """Samples after which the covariance repeats itself."""
        return int(self.fixed.shape[0])

    @property
    def turns(self) -> int:
        """Lags after which the line part repeats itself, ``M``."""
        return int(self.fixed.shape[1])

    @property
    def reach(self) -> int:
        """Largest lag of the excess that keeps its phases, ``D``."""
        return int(self.excess.shape[1]) // 2

    @property
    def variance(self) -> Array:
        """Variance at each sample of the period, (p,)."""
        return np.asarray(self.fixed[:, 0] + self.excess[:, self.reach])

    def lags_kept(self, wanted: int, rows: int) -> int:
        """Return how many lags on each side may keep their phases.

        As many as fit ``most`` numbers, and in any case enough for the kernels in front of the next
        activations; a signal of period 1 keeps all, for its average is itself.
        """
        return wanted if rows == 1 else min(wanted, max(self.most // rows, _FEWEST) // 2)

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
        weights = np.diagonal(tap_covariance)
        if np.count_nonzero(tap_covariance) == np.count_nonzero(weights):
            return self._through_independent(tap_covariance, positions, factor)
        used = np.flatnonzero(weights)
        spread = int(np.ptp(positions[used]))
        rows, turns = self.period * factor, self.turns * factor
        reach = self._reach_behind(rows, turns, factor, spread)
        inner = self._short(min(self.reach, (reach + spread) // factor))
        fixed = np.zeros((rows, turns))
        excess = np.zeros((rows, 2 * (inner.reach * factor + spread) + 1))
        for taps in tap_factors(tap_covariance[np.ix_(used, used)]):
            filtered(self.fixed, taps, positions[used], factor, into=fixed, circular=True)
            filtered(inner.excess, taps, positions[used], factor, into=excess, circular=False)
        made = TwoTime(fixed, excess, most=self.most)._short(reach)
        return self._with_far(made, tap_covariance, positions, factor)

    def _through_independent(
        self, tap_covariance: Array, positions: NDArray[np.intp], factor: int
    ) -> TwoTime:
        """Return the same where no two taps are correlated: each lag ``L e`` comes from ``e``."""
        weights = np.diagonal(tap_covariance)
        fixed = random_rows(self.fixed, weights, positions, factor)
        rows, turns = fixed.shape[0], self.turns * factor
        reach = self._reach_behind(rows, turns, factor, 0)
        inner = self._short(min(self.reach, reach // factor))
        excess = random_rows(inner.excess, weights, positions, factor)
        if factor > 1:
            fixed = _spaced(fixed, turns, factor)
            excess = _spaced(excess, 2 * inner.reach * factor + 1, factor)
        made = TwoTime(fixed, excess, most=self.most)._short(reach)
        return self._with_far(made, tap_covariance, positions, factor)

    def _reach_behind(self, rows: int, turns: int, factor: int, spread: int) -> int:
        """Return the lags that keep their phases behind a layer, all from lags that have them."""
        known = self.reach * factor + spread
        if self.far.size:
            known = (self.reach + 1) * factor - 1 - spread
        reach = self.lags_kept(known, rows)
        if reach < 0:
            raise TooLargeError(
                f"a kernel of {spread + 1} samples needs more lags of each phase than are kept",
                given=f"{self.reach} lags, period {self.period}",
                fix="more memory: predict(..., memory=2**33)",
            )
        refuse_beyond_memory(
            rows * (turns + 2 * reach + 1),
            "the covariance of two times",
            fix="use fewer or shorter strides",
        )
        return reach

    def _with_far(
        self, made: TwoTime, tap_covariance: Array, positions: NDArray[np.intp], factor: int
    ) -> TwoTime:
        """Return ``made``, this covariance behind taps, with the lags that it does not hold.

        Averaged over the phases, the excess is filtered by the taps' lag products and divided by
        the factor: exact, if the average of the input is.
        """
        end = self.reach + self.far.size
        products, first = lag_products(tap_covariance, positions)
        last = end * factor + products.size - 1 + first
        if last <= made.reach:
            return made.reduced()
        stretched = np.zeros(2 * end * factor + 1)
        stretched[::factor] = self.averaged().excess[0]
        average = np.convolve(stretched, products) / factor
        return replace(made, far=average[average.size // 2 + made.reach + 1 :]).reduced()

    def _short(self, reach: int) -> TwoTime:
        """Return the lags up to ``reach`` alone, dropping what is beyond."""
        centre = self.reach
        kept = self.excess[:, centre - min(reach, centre) : centre + min(reach, centre) + 1]
        return TwoTime(self.fixed, kept, most=self.most)

    def decimated(self, factor: int, phase: int = 0) -> TwoTime:
        """Return the covariance of every ``factor``-th sample."""
        if factor == 1:
            return self
        rows, turns = lcm(self.period, factor), lcm(self.turns, factor)
        whole = self.tiled(rows, turns)
        keep = self.reach // factor
        near = self.reach + np.arange(-keep, keep + 1) * factor
        order = np.arange(phase, phase + rows, factor) % rows
        far = self.far[(keep + 1) * factor - self.reach - 1 :: factor]
        made = TwoTime(
            whole.fixed[order][:, ::factor], whole.excess[order][:, near], far, self.most
        )
        return made.reduced()

    def over(self, period: int) -> TwoTime:
        """Return the same over the common period with another, the lag period whole ones of it."""
        rows = lcm(self.period, period)
        return self.tiled(rows, lcm(self.turns, rows))

    def tiled(self, rows: int, turns: int) -> TwoTime:
        """Return the same with a longer period or a longer lag period."""
        fixed, excess = self.fixed, self.excess
        if fixed.shape != (rows, turns):
            fixed = np.tile(fixed, (rows // self.period, turns // self.turns))
        if rows > self.period:
            excess = np.tile(excess, (rows // self.period, 1))
        return replace(self, fixed=fixed, excess=excess)

    def averaged(self) -> TwoTime:
        """Return the average over the period: all that layers without a decimation need."""
        excess = np.concatenate([self.far[::-1], self.excess.mean(axis=0), self.far])
        return TwoTime(self.fixed.mean(axis=0)[None], excess[None], most=self.most)

    def __add__(self, other: TwoTime) -> TwoTime:
        """Return the covariance of the sum of two independent signals."""
        return self.plus(other)

    def plus(self, other: TwoTime, weight: float = 1.0) -> TwoTime:
        """Return the covariance of the sum of two independent signals, one times sqrt(weight)."""
        rows = lcm(self.period, other.period)
        turns = lcm(self.turns, other.turns, rows)
        # Lags that one of the two knows by their average only are known so of the sum.
        known = [each.reach for each in (self, other) if each.far.size]
        reach = min(known, default=max(self.reach, other.reach))
        reach = self.lags_kept(reach, rows)
        terms = ((self, 1.0), (other, weight))
        fixed = np.zeros((rows, turns))
        _add_repeated(fixed, [(each.fixed, scale) for each, scale in terms])
        if self.excess.shape == (rows, 2 * reach + 1) and not other.excess.any():
            return replace(self, fixed=fixed)
        excess = np.zeros((rows, 2 * reach + 1))
        far = np.zeros(max(max(each.reach + each.far.size for each, _ in terms) - reach, 0))
        for each, scale in terms:
            short = each._short(reach).excess
            inside = slice(reach - short.shape[1] // 2, reach + short.shape[1] // 2 + 1)
            _add_repeated(excess[:, inside], [(short, scale)])
            if far.size:
                beyond = each.averaged().excess[0, each.reach + each.far.size + reach + 1 :]
                far[: beyond.size] += scale * beyond
        return replace(self, fixed=fixed, excess=excess, far=far)

    def scaled(self, weight: float) -> TwoTime:
        """Return the covariance times a number."""
        return replace(
            self, fixed=weight * self.fixed, excess=weight * self.excess, far=weight * self.far
        )

    def mapped(self, pointwise: PointwiseMap, average: PointwiseMap | None = None) -> TwoTime:
        """Return the covariance behind an activation.

        The line part follows from the line part alone (two runs share no noise), the whole from
        the whole; the excess is their difference and ends where it ended before.  As
        ``C[n, n + d] = C[n + d, n]``, half of the lags are enough.

        Parameters
        ----------
        pointwise : callable
        average : callable, optional
            The same for a signal with the average statistics: what the lags of ``far`` meet.
        """
        period, reach = self.period, self.reach
        before = self.over(period).fixed
        turns = before.shape[1]
        sample = np.arange(period)[:, None]
        fixed = np.empty((period, turns))
        for lags in _pieces(np.arange(turns // 2 + 1), period):
            fixed[:, lags] = pointwise(before[:, lags], sample, (sample + lags) % period)
        for lags in _pieces(np.arange(turns // 2 + 1, turns), period):
            fixed[:, lags] = fixed[(sample + lags) % period, turns - lags]
        excess = np.zeros_like(self.excess)
        for lags in _pieces(np.flatnonzero(self.excess[:, reach:].any(axis=0)), period):
            given = before[:, lags % turns] + self.excess[:, reach + lags]
            full = pointwise(given, sample, (sample + lags) % period)
            full -= fixed[:, lags % turns]
            excess[:, reach + lags] = full
            excess[(sample + lags) % period, reach - lags] = full
        far = self.far
        if far.size:
            assert average is not None
            lags = np.arange(reach + 1, reach + 1 + far.size) % turns
            lines, only = before.mean(axis=0)[lags][None], np.zeros((1, 1), np.intp)
            far = (average(lines + far, only, only) - average(lines, only, only))[0]
        return replace(self, fixed=fixed, excess=excess, far=far).reduced()

    def reduced(self) -> TwoTime:
        """Return the same over the shortest period and lag period, found by exact comparison."""
        rows = lcm(*(Repeating(each.T).shortest().period for each in (self.fixed, self.excess)))
        made = replace(self, fixed=self.fixed[:rows], excess=self.excess[:rows])
        return made._shorter_lags()

    def _shorter_lags(self) -> TwoTime:
        made = self.averaged() if self.period == 1 and self.far.size else self
        fixed = Repeating(self.fixed)
        for candidate in divisors(self.turns):
            if candidate >= self.period and fixed.repeats_after(candidate):
                return replace(made, fixed=self.fixed[:, :candidate])
        return made

    def line_powers(self, whole: int | None = None) -> Array:
        r"""Return the expected power of each line ``k / M``, (M,), or ``k / whole``.

        .. math:: E|a_k|^2 = \frac1{pM} \sum_{n, \delta}
                  C_{fixed}[n, n + \delta]\, e^{-j 2 \pi k \delta / M}

        the double DFT of the line part.
        """
        return Repeating(self.fixed.mean(axis=0)).lines(whole).real

    def density(self, turns: Array) -> Array:
        r"""Return the density per cycle per sample at frequencies in cycles per sample, (F,).

        .. math:: S(f) = \bar C[0] + 2 \sum_{\delta > 0} \bar C[\delta] \cos 2 \pi f \delta

        On the even grid ``k / N``, k = 0 … N / 2, that is a DFT of the lags counted modulo ``N``.
        """
        row = self.averaged().excess[0]
        half = row[row.size // 2 :] * np.where(np.arange(row.size // 2 + 1) > 0, 2.0, 1.0)
        steps = np.arange(turns.size)
        count = max(1, 2 * (turns.size - 1))
        if np.all(np.abs(turns * count - steps) <= 4 * np.finfo(np.float64).eps * steps):
            folded = np.zeros(count)
            np.add.at(folded, np.arange(half.size) % count, half)
            return np.asarray(np.fft.rfft(folded).real)
        answer = np.zeros(turns.size)
        for lags in _pieces(np.arange(half.size), turns.size):
            answer += np.cos(2 * np.pi * np.outer(turns, lags)) @ half[lags]
        return answer


def _spaced(table: Array, width: int, factor: int) -> Array:
    """Return a table with ``factor - 1`` zeros after each lag."""
    answer = np.zeros((len(table), width))
    answer[:, ::factor] = table
    return answer


def _add_repeated(into: Array, terms: list[tuple[Array, float]]) -> None:
    """Add tables times numbers, each repeated until it fills the sum."""
    for table, weight in terms:
        part = table if weight == 1 else weight * table
        if part.shape[1] < into.shape[1]:
            part = Repeating(part).over(into.shape[1])
        repeated = into.reshape(-1, *part.shape)
        repeated += part


def _pieces(lags: NDArray[np.intp], rows: int) -> list[NDArray[np.intp]]:
    """Split lags so that a table of them has about as many numbers as a cache holds."""
    size = max(1, _PIECE // rows)
    return [lags[start : start + size] for start in range(0, lags.size, size)]


def constant(level: float) -> TwoTime:
    """Return the covariance of a random constant of variance ``level``."""
    return TwoTime(np.array([[level]]), np.zeros((1, 1)))
