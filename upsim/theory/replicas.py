"""Replicas: where each band of the input lands in the output, and which stretch put it there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import prod

import numpy as np
from numpy.typing import NDArray

from upsim.arguments import refuse_beyond_memory
from upsim.operators.operator import frozen
from upsim.stack import Stack
from upsim.theory.propagation import transfer_chain
from upsim.theory.transfer import chain_gains

#: Places in a band at which its gain is averaged.
_POINTS = 32


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
    up = prod(layer.block[0] for layer in stack)
    down = prod(layer.block[1] for layer in stack)
    refuse_beyond_memory(up * down * 64, "the list of replicas", fix="look at fewer layers")
    found = []
    for band in range(up):
        low, high = Fraction(band, 2 * up), Fraction(band + 1, 2 * up)
        levels = None
        if gains is not None:
            inside = float(low) + (np.arange(_POINTS) + 0.5) / _POINTS * float(high - low)
            levels = frozen(gains(inside).mean(axis=2))
        for alias in range(down):
            ends = [_folded((up * edge + alias) / down) for edge in (low, high)]
            centre = _folded((up * (low + high) / 2 + alias) / down)
            first, last = _unfolded_ends(ends, centre)
            found.append(
                Replica(
                    low * stack.sample_rate,
                    high * stack.sample_rate,
                    min(first, last) * stack.input_rate,
                    max(first, last) * stack.input_rate,
                    first > last,
                    _movers(stack, (low + high) / 2, centre),
                    None if levels is None else levels[:, alias],
                )
            )
    return tuple(found)


def _folded(turns: Fraction) -> Fraction:
    turns %= 1
    return min(turns, 1 - turns)


def _unfolded_ends(ends: list[Fraction], centre: Fraction) -> tuple[Fraction, Fraction]:
    """Return the ends of a band; a band of full width has both ends inside [0, 1/2]."""
    first, last = ends
    return (first, last) if first != last else (first, 2 * centre - first)


def _movers(stack: Stack, centre: Fraction, target: Fraction) -> tuple[str, ...]:
    """Return the layers that bring input frequency ``target`` to ``centre``, the last one first.

    The output frequency is followed back; in each upsampling layer it lies above the old Nyquist
    or not.  Where a downsampling layer offers several ways, the one with fewest moves counts.
    """
    ways: dict[Fraction, tuple[str, ...]] = {centre: ()}
    for number in range(len(stack), 0, -1):
        up, down = stack[number - 1].block
        before: dict[Fraction, tuple[str, ...]] = {}
        for turns, moved in ways.items():
            is_image = up > 1 and turns > Fraction(1, 2 * up)
            movers = (*moved, str(number)) if is_image else moved
            for alias in range(down):
                frequency = _folded((up * turns + alias) / down)
                if frequency not in before or len(movers) < len(before[frequency]):
                    before[frequency] = movers
        ways = before
    return ways.get(target, ())


def linear_gains(stack: Stack) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Return the power gains of a linear stack, summed over input channels: (F,) to (out, D, F)."""
    chain = transfer_chain(stack)

    def gains(frequencies: NDArray[np.float64]) -> NDArray[np.float64]:
        found = chain_gains(chain, frequencies, stack.in_channels)
        return np.asarray((np.abs(found) ** 2).sum(axis=3).transpose(2, 1, 0))

    return gains
