r"""The windows that covariances would fill: sizes, worked out before an array is made.

The covariance of x and y is kept for ``P`` phases of x, and for each in a window of lags

.. math:: m - p\,\frac{P'}{P} \in [\text{low}, \text{high}],

m and p the samples of y and of x, P' the samples of y in one period.  An operator whose answer to
input sample m lies between ``m U/D + a`` and ``m U/D + b`` makes of it ``[low U/D + a, high U/D +
b]``; on both sides, ``[low U/D + a - b, high U/D + b - a]``.  Windows follow exactly, but for the
samples that a covariance need not keep at some phases; sizes are bounds for that reason, and tight
(the tests say how tight).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor, lcm

import numpy as np
from numpy.typing import NDArray

from upsim.operators import Operator, StretchFIR
from upsim.operators.repeating import whole_turns
from upsim.theory.moments.covariance import Covariance
from upsim.theory.moments.rules import Nonlinearity, Rules

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LagWindow:
    """One window: phases of x, samples of y in a period, lags, and channels of both.

    Examples
    --------
    White noise, each sample held twice:

    >>> held = StretchFIR(np.ones((1, 1, 2)), 2)
    >>> LagWindows(per_channel=False).on_both_sides(
    ...     LagWindow(1, 1, Fraction(0), Fraction(0), 1, 1), held
    ... )
    LagWindow(phases=2, period=2, low=Fraction(-1, 1), high=Fraction(1, 1), rows=1, columns=1)
    """

    phases: int
    period: int
    low: Fraction
    high: Fraction
    rows: int
    columns: int

    @property
    def width(self) -> int:
        """Samples in the widest window."""
        return floor(self.high - self.low) + 1

    def over(self, phases: int, period: int) -> LagWindow:
        """Return it over the shortest span that holds whole periods of both arguments."""
        times = whole_turns((self.phases, phases), (self.period, period))
        return replace(self, phases=self.phases * times, period=self.period * times)

    def centred(self) -> LagWindow:
        """Return it with lags from -D to D."""
        reach = Fraction(ceil(max(-self.low, self.high)))
        return replace(self, low=-reach, high=reach)


class LagWindows(Rules[LagWindow]):
    """The windows, and the bytes of the largest array on the way (``largest``)."""

    def __init__(self, *, per_channel: bool) -> None:
        super().__init__(per_channel=per_channel)
        self.largest = 0

    def bytes_of(self, between: LagWindow) -> int:
        """Return what the window takes in memory."""
        rows, columns = between.rows, between.columns
        channels = max(rows, columns) if self.per_channel else rows * columns
        return 8 * between.phases * between.width * channels

    def _noted(self, window: LagWindow) -> LagWindow:
        self.largest = max(self.largest, self.bytes_of(window))
        return window

    def start(self, lags: Array) -> LagWindow:
        """Return that of the signal."""
        reach, channels = Fraction(len(lags) // 2), lags.shape[1]
        return self._noted(LagWindow(1, 1, -reach, reach, channels, channels))

    def transposed(self, between: LagWindow) -> LagWindow:
        """Exchange the signals."""
        pace = Fraction(between.phases, between.period)
        return LagWindow(
            between.period,
            between.phases,
            -between.high * pace,
            -between.low * pace,
            between.columns,
            between.rows,
        )

    def _through(self, between: LagWindow, operator: Operator) -> LagWindow:
        """Apply an operator to y."""
        found = between.over(1, operator.down)
        first, last = answered(operator)
        pace = Fraction(operator.up, operator.down)
        return replace(
            found,
            period=found.period // operator.down * operator.up,
            low=found.low * pace + first,
            high=found.high * pace + last,
            columns=operator.out_channels,
        )

    def on_both_sides(self, own: LagWindow, operator: Operator) -> LagWindow:
        """Apply the operator on both sides."""
        half = self._through(own, operator)
        if not self.per_channel:
            # Blocks begin and end between the samples that are needed.
            slack = operator.up * (2 if operator.down > 1 else 1)
            self._noted(replace(half, high=half.high + slack))
        return self._noted(self._through(self.transposed(half), operator))

    def on_the_left(self, between: LagWindow, operator: Operator) -> LagWindow:
        """Apply the operator to x."""
        made = self._through(self.transposed(between), operator)
        return self._noted(self.transposed(self._noted(made)))

    def activated(
        self, own: LagWindow, function: Nonlinearity, halves: Callable[[], Covariance | None]
    ) -> LagWindow:
        """Keep the lags, both ways."""
        found = own.over(function.phases, function.phases).centred()
        return self._noted(self._of_outputs(found, function, function))

    def both_activated(
        self, between: LagWindow, left: Nonlinearity, right: Nonlinearity
    ) -> LagWindow:
        """Keep the lags."""
        found = between.over(left.phases, right.phases)
        return self._noted(self._of_outputs(found, left, right))

    def _of_outputs(self, found: LagWindow, left: Nonlinearity, right: Nonlinearity) -> LagWindow:
        return replace(found, rows=left.channels, columns=right.channels)

    def left_activated(self, between: LagWindow, function: Nonlinearity) -> LagWindow:
        """Keep the lags."""
        return self._noted(replace(between.over(function.phases, 1), rows=function.channels))

    def scaled(self, between: LagWindow, left: Array, right: Array | None) -> LagWindow:
        """Keep the lags."""
        return self._noted(between.over(len(left), 1 if right is None else len(right)))

    def added(self, parts: Sequence[LagWindow], share: float) -> LagWindow:
        """Return one that holds all parts."""
        phases = lcm(*(part.phases for part in parts))
        found = parts[0].over(phases, 1)
        low, high = min(part.low for part in parts), max(part.high for part in parts)
        return self._noted(replace(found, low=low, high=high))

    def stacked(self, parts: Sequence[LagWindow]) -> LagWindow:
        """Return one that holds all parts, their channels one after another."""
        rows = sum(part.rows for part in parts)
        return self._noted(replace(self.added(parts, 1.0), rows=rows))

    def unrelated(self, rows: int, columns: int, ratio: Fraction) -> LagWindow:
        """Return the least window that there is."""
        none = Fraction(0)
        return LagWindow(ratio.denominator, ratio.numerator, none, none, rows, columns)


def answered(operator: Operator) -> tuple[Fraction, Fraction]:
    """Return between which output samples, re ``m U / D``, an input sample m is answered.

    Examples
    --------
    >>> answered(StretchFIR(np.ones((1, 1, 4)), 2, crop=(1, 1)))
    (Fraction(-1, 1), Fraction(2, 1))
    """
    if isinstance(operator, StretchFIR):
        first = -operator.crop[0]
        last = first + operator.reach - 1
        return Fraction(first, operator.down), Fraction(last, operator.down)
    matrix = operator.polyphase()
    used = np.argwhere(matrix.blocks.any(axis=(1, 3)))
    if not used.size:
        return Fraction(0), Fraction(0)
    ends = (matrix.first + used[:, 0]) * matrix.up + used[:, 1]
    pace = Fraction(matrix.up, matrix.down)
    found = [int(end) - int(part) * pace for end, part in zip(ends, used[:, 2], strict=True)]
    return min(found), max(found)


def answered_samples(operator: Operator, first: int, last: int) -> tuple[int, int]:
    """Return between which output samples the input samples from first to last are answered."""
    if isinstance(operator, StretchFIR):
        low, high = int(operator.positions[0]), int(operator.positions[-1])
        low, high = first * operator.factor + low, last * operator.factor + high
        return low // operator.down, -(-high // operator.down)
    matrix = operator.polyphase()
    low = (first // matrix.down + matrix.first) * matrix.up
    return low, (last // matrix.down + matrix.first + len(matrix.blocks)) * matrix.up - 1
