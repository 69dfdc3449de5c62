"""Replicas: where each band of the input lands in the output, and which stretch put it there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import prod

import numpy as np
from numpy.typing import NDArray

from upsim.errors import TooLargeError
from upsim.network.stack import Stack
from upsim.operators.operator import frozen
from upsim.theory.moments.propagation import transfer
from upsim.theory.moments.transfer import spread
from upsim.words.arguments import refuse_beyond_memory

#: Places in a band at which its gain is averaged.
_POINTS = 32

#: Rows that a list of replicas may have.
_MOST_ROWS = 2**14


@dataclass(frozen=True, eq=False)
class Replica:
    """One band of the output, and the band of the input that lands there.

    Parameters
    ----------
    low, high : Fraction
        Output band in Hz.
    input_low, input_high : Fraction
        Input band in Hz, ``input_low < input_high``.
    mirrored : bool
        Whether the top of the input band lands at the bottom.
    made_by : tuple of str
        Labels of the layers whose stretch moved the band, the last one first; empty for the
        baseband.
    gain : array (channels,) or None
        Output density over input density, averaged over the band, for independent input channels
        of equal density; None where the stack is not linear or not drawn.
    """

    low: Fraction
    high: Fraction
    input_low: Fraction
    input_high: Fraction
    mirrored: bool
    made_by: tuple[str, ...]
    gain: NDArray[np.float64] | None = None

    @property
    def is_image(self) -> bool:
        """Whether a stretch put the band here."""
        return bool(self.made_by)


def find_replicas(
    stack: Stack,
    gains: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None,
) -> tuple[Replica, ...]:
    """Return the bands of a stack's output, in ascending frequency.

    An output frequency ``g`` (cycles per sample) comes from ``f = (U g + K) / D``; between
    multiples of ``1 / (2 U)`` each ``K`` is one straight piece of one input band.

    Parameters
    ----------
    stack : Stack
    gains : callable, optional
        Frequencies (F,) in cycles per output sample to power gains (channels, D, F).
    """
    up, down = repeats(stack)
    _refuse_many(up * down)
    paths = _Paths(stack)
    found = []
    for band in range(up):
        low, high = Fraction(band, 2 * up), Fraction(band + 1, 2 * up)
        levels = None
        if gains is not None:
            inside = float(low) + (np.arange(_POINTS) + 0.5) / _POINTS * float(high - low)
            levels = frozen(gains(inside).mean(axis=2))
        ways = paths.back((low + high) / 2, every_alias=True)
        for alias in range(down):
            centre = _folded((up * (low + high) / 2 + alias) / down)
            level = None if levels is None else levels[:, alias]
            ends = [_folded((up * edge + alias) / down) for edge in (low, high)]
            found.append(_replica(stack, (low, high), ends, ways.get(centre, ()), level))
    return tuple(found)


def find_bands(stack: Stack) -> tuple[Replica, ...]:
    """Return one row for each band of the output: what a picture shades.

    Where a decimation folds several input bands onto one, the row follows the lowest alias.  There
    is none where there would be more than can be told apart.
    """
    up, down = repeats(stack)
    if up > _MOST_ROWS:
        return ()
    paths = _Paths(stack)
    found = []
    for band in range(up):
        low, high = Fraction(band, 2 * up), Fraction(band + 1, 2 * up)
        ways = paths.back((low + high) / 2, every_alias=False)
        ends = [_folded(up * edge / down) for edge in (low, high)]
        found.append(_replica(stack, (low, high), ends, min(ways.values(), key=len), None))
    return tuple(found)


def repeats(stack: Stack) -> tuple[int, int]:
    """Return the products of the layers' blocks: output and input samples."""
    return prod(layer.block[0] for layer in stack), prod(layer.block[1] for layer in stack)


def _refuse_many(count: int) -> None:
    if count > _MOST_ROWS:
        raise TooLargeError(
            f"the list of replicas would have {count} rows",
            given="large strides, up or down",
            expected=f"at most {_MOST_ROWS}",
            fix="smaller strides, or fewer layers: stack.upto(1)",
        )


def _replica(
    stack: Stack,
    band: tuple[Fraction, Fraction],
    ends: list[Fraction],
    movers: tuple[str, ...],
    level: NDArray[np.float64] | None,
) -> Replica:
    first, last = ends
    return Replica(
        band[0] * stack.sample_rate,
        band[1] * stack.sample_rate,
        min(first, last) * stack.input_rate,
        max(first, last) * stack.input_rate,
        first > last,
        movers,
        level,
    )


def _folded(turns: Fraction) -> Fraction:
    turns %= 1
    return min(turns, 1 - turns)


class _Paths:
    """Follows an output frequency back to the input, step by step.

    In each upsampling layer it lies above the old Nyquist frequency, and the layer moved it, or
    not.  Of several ways to one input frequency (aliases, branches) the one with fewest moves
    counts: where a wire leads there, nothing was moved.
    """

    def __init__(self, stack: Stack) -> None:
        self._steps = {step.output: step for step in stack.steps}
        self._end = max(self._steps)
        self._known: dict[tuple[int, Fraction, bool], dict[Fraction, tuple[str, ...]]] = {}

    def back(self, turns: Fraction, *, every_alias: bool) -> dict[Fraction, tuple[str, ...]]:
        """Return the layers that moved a line at ``turns``, by input frequency, the last first."""
        return self._back(self._end, turns, every=every_alias)

    def _back(self, value: int, turns: Fraction, *, every: bool) -> dict[Fraction, tuple[str, ...]]:
        if value == 0:
            return {turns: ()}
        key = (value, turns, every)
        if key not in self._known:
            self._known[key] = self._search(value, turns, every=every)
        return self._known[key]

    def _search(
        self, value: int, turns: Fraction, *, every: bool
    ) -> dict[Fraction, tuple[str, ...]]:
        step = self._steps[value]
        rate = Fraction(1) if step.layer is None else step.layer.rate
        up, down = rate.numerator, rate.denominator
        moved = (step.label,) if up > 1 and turns > Fraction(1, 2 * up) else ()
        found: dict[Fraction, tuple[str, ...]] = {}
        for before in step.inputs:
            for alias in range(down if every else 1):
                frequency = _folded((up * turns + alias) / down)
                for source, movers in self._back(before, frequency, every=every).items():
                    way = (*moved, *movers)
                    if source not in found or len(way) < len(found[source]):
                        found[source] = way
        return found


def linear_gains(stack: Stack) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Return the power gains of a linear stack, summed over input channels: (F,) to (out, D, F)."""
    widest = max(stack.channel_counts())
    down = prod(layer.block[1] for layer in stack)
    count = 2 * _POINTS * stack.in_channels * widest * down
    refuse_beyond_memory(count, "the gains of all channel pairs", fix="fewer channels")
    rows = transfer(stack, _POINTS * repeats(stack)[0])

    def gains(frequencies: NDArray[np.float64]) -> NDArray[np.float64]:
        found = spread(rows.gains(frequencies), down)
        return np.asarray((np.abs(found) ** 2).sum(axis=3).transpose(2, 1, 0))

    return gains
