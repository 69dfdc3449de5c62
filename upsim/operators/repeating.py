r"""A value that repeats: one period of samples, ``x[n + P] = x[n]``.

Two such values have a common period, the least common multiple of theirs.  Every ``D``-th sample
repeats after ``P / gcd(P, D)``.  The lines of a value stand at ``k / P`` cycles per sample:

.. math:: X[k] = \frac1P \sum_{n=0}^{P-1} x[n]\, e^{-j 2 \pi k n / P}.

Time is the last axis.  A table that has its phases first is handed over transposed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import final

import numpy as np
from numpy.typing import NDArray

from upsim.words.frozen import frozen

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]
Whole = NDArray[np.intp]


@final
@dataclass(frozen=True, eq=False)
class Repeating:
    """One period of a value, sample number 0 first.

    Parameters
    ----------
    samples : array (..., P)

    Examples
    --------
    >>> total = Repeating(np.array([1.0, 2.0])) + Repeating(np.array([0.0, 0.0, 3.0]))
    >>> total.samples
    array([1., 2., 4., 2., 1., 5.])
    >>> total.decimated(2).samples
    array([1., 4., 1.])
    >>> (total + Repeating(np.array([0.0, 0.0, -3.0]))).shortest().samples
    array([1., 2.])
    """

    samples: Real

    def __post_init__(self) -> None:
        object.__setattr__(self, "samples", frozen(self.samples))

    @classmethod
    def constant(cls, level: float) -> Repeating:
        """Return a level that never changes, shape (1,)."""
        return cls(np.full(1, level))

    @property
    def period(self) -> int:
        """``P``."""
        return int(self.samples.shape[-1])

    def over(self, whole: int) -> Real:
        """Return the samples of a multiple of the period, read-only where that is one period."""
        times = whole // self.period
        return self.samples if times == 1 else np.tile(self.samples, times)

    def at(self, moments: Whole) -> Real:
        """Return the samples of any numbers, (..., P) to (..., *moments.shape)."""
        return self.samples[..., moments % self.period]

    def run(self, count: int, start: int = 0) -> Real:
        """Return ``count`` samples from number ``start``, (..., count)."""
        turned = np.roll(self.samples, -start, axis=-1)
        return np.tile(turned, -(-count // self.period))[..., :count]

    def __add__(self, other: Repeating) -> Repeating:
        """Return the sum over the common period."""
        whole = lcm(self.period, other.period)
        return Repeating(self.over(whole) + other.over(whole))

    def __mul__(self, other: Repeating) -> Repeating:
        """Return the product, sample by sample, over the common period."""
        whole = lcm(self.period, other.period)
        return Repeating(self.over(whole) * other.over(whole))

    def scaled(self, weight: float) -> Repeating:
        """Return the value times a number."""
        return Repeating(weight * self.samples)

    def decimated(self, step: int, phase: int = 0) -> Repeating:
        """Return the samples ``phase + step m``."""
        kept = np.arange(lcm(self.period, step) // step)
        return Repeating(self.at(phase + step * kept))

    def lines(self, whole: int | None = None) -> Complex:
        """Return the coefficients at ``k / P``, (..., P).

        With a multiple ``whole`` of the period: at ``k / whole``, zero where the value has no line.
        """
        found = np.fft.fft(self.samples, norm="forward")
        if whole is None or whole == self.period:
            return np.asarray(found)
        spread = np.zeros((*found.shape[:-1], whole), dtype=np.complex128)
        spread[..., :: whole // self.period] = found
        return spread

    def half_lines(self) -> Complex:
        """Return the coefficients up to 1/2, (..., P // 2 + 1); the others are their conjugates."""
        return np.asarray(np.fft.rfft(self.samples, norm="forward"))

    def repeats_after(self, period: int) -> bool:
        """Return True if the samples repeat after so many; most that do not differ at once."""
        samples = self.samples
        return np.array_equal(samples[..., 0], samples[..., period]) and np.array_equal(
            samples[..., period:], samples[..., :-period]
        )

    def shortest(self) -> Repeating:
        """Return the value over its shortest period, found by exact comparison."""
        for period in divisors(self.period):
            if self.repeats_after(period):
                return Repeating(self.samples[..., :period])
        return self


def divisors(period: int) -> Iterator[int]:
    """Yield the divisors of a period that are less than it, in ascending order."""
    return (each for each in range(1, period // 2 + 1) if period % each == 0)


def period_behind(period: int, up: int, down: int) -> int:
    """Return the period behind an operator that makes ``up`` samples of every ``down``.

    Whole periods must be whole blocks: ``lcm(P, D)`` samples become ``lcm(P, D) U / D``.

    Examples
    --------
    >>> period_behind(6, up=3, down=4)
    9
    """
    return lcm(period, down) // down * up


def period_of_lines(turns: Iterable[Fraction]) -> int:
    """Return the period of a sum of lines at fractions of a cycle per sample.

    Examples
    --------
    >>> period_of_lines([Fraction(1, 4), Fraction(1, 6)])
    12
    """
    return lcm(*(each.denominator for each in turns), 1)


def whole_turns(*spans: tuple[int, int]) -> int:
    """Return how many of its own periods hold whole periods of others: pairs (own, other).

    Examples
    --------
    >>> whole_turns((4, 6), (2, 5))
    15
    """
    return lcm(*(lcm(own, other) // own for own, other in spans))
