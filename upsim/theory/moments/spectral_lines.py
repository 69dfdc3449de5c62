r"""Sinusoids through linear layers: one complex number a line, whatever its frequency.

A sinusoid is twice the real part of an exponential :math:`a\, e^{j 2 \pi f n}`.  A linear layer of
rate ``U / D`` turns it into ``U`` exponentials,

.. math:: g_k = \frac{D f + k}{U} \bmod 1, \qquad k = 0 \dots U - 1,

and :meth:`~upsim.operators.operator.Operator.image_gains` says with which amplitude.  Taps are
real, so the mirror at -f goes the same way and need not be carried.  Frequencies are exact
fractions; a period that may be millions of samples long is never written out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from upsim.errors import TooLargeError
from upsim.network.signals import Line
from upsim.operators import Operator
from upsim.operators.phasor import phasors
from upsim.theory.moments.merging import share
from upsim.words.arguments import LARGEST_LINES
from upsim.words.tolerance import probable, rounding

Complex = NDArray[np.complex128]
Real = NDArray[np.float64]

#: Complex numbers in one block of gains (32 MiB).
_BLOCK = 2**21


@dataclass(frozen=True, eq=False)
class SpectralLines:
    r"""Exponentials whose real part, doubled, is a signal.

    .. math:: x_c[n] = 2\, \mathrm{Re} \sum_i a_{ci}\, e^{j 2 \pi f_i n}

    Parameters
    ----------
    turns : tuple of Fraction
        ``f``, in cycles per sample, each different, in [0, 1).
    amplitudes : array (channels, lines)
        ``a``.
    errors : array (channels, lines)
        What rounding may have done to each of them.
    """

    turns: tuple[Fraction, ...]
    amplitudes: Complex
    errors: Real

    @classmethod
    def of_signal(cls, lines: Sequence[Line], rate: Fraction) -> SpectralLines | None:
        """Return the lines of a signal but for that at 0 Hz, None if it has no other."""
        moving = [line for line in lines if line.frequency]
        if not moving:
            return None
        turns = tuple(Fraction(line.frequency / rate) for line in moving)
        # A line at half the rate is its own mirror: half of it is doubled again.
        shares = [0.5 if 2 * turn == 1 else 1.0 for turn in turns]
        amplitudes = np.stack([line.amplitude for line in moving], axis=1) * shares
        return cls(turns, amplitudes, rounding(4, 1.0) * np.abs(amplitudes))

    @property
    def size(self) -> float:
        """No sample is larger."""
        return float(2 * np.abs(self.amplitudes).sum(axis=1).max(initial=0.0))

    def through(self, operator: Operator) -> SpectralLines:
        r"""Return the lines behind a linear layer, its offset left out.

        Rounding adds to a line what a sum of so many products may be off, and the phases of the
        taps, which lie up to the layer's span away.  Errors of different channels and layers are
        independent and add as powers (N. Higham & T. Mary, *A new approach to probabilistic
        rounding error analysis*, 2019), so they do not grow with depth faster than the signal.
        """
        up, down = operator.up, operator.down
        count = len(self.turns) * up
        if count > LARGEST_LINES:
            raise TooLargeError(
                "the sines have too many images to follow",
                given=f"{count} lines",
                expected=f"at most {LARGEST_LINES}",
                fix="fewer sines, or smaller strides",
            )
        turns = [(turn + k) * down / up % 1 for turn in self.turns for k in range(up)]
        amplitudes = np.empty((operator.out_channels, count), dtype=np.complex128)
        errors = np.empty(amplitudes.shape)
        block = max(1, _BLOCK // (up * down * operator.out_channels * operator.in_channels))
        for first in range(0, len(self.turns), block):
            given = slice(first, first + block)
            gains = operator.image_gains(self.turns[given])
            per_group, lines = gains.shape[1:3]
            # (groups, out / groups, in / groups, lines, up) times (groups, in / groups, lines).
            grouped = gains.reshape(operator.in_channels // per_group, -1, *gains.shape[1:])
            shape = (len(grouped), per_group, lines)
            squared = grouped.real**2 + grouped.imag**2
            moved = self.errors[:, given].reshape(shape) ** 2
            made = slice(first * up, (first + lines) * up)
            passed = np.einsum("griku,gik->grku", grouped, self.amplitudes[:, given].reshape(shape))
            amplitudes[:, made] = passed.reshape(operator.out_channels, -1)
            passed_errors = np.einsum("griku,gik->grku", squared, moved)
            errors[:, made] = np.sqrt(passed_errors).reshape(operator.out_channels, -1)
        given_size = np.abs(self.amplitudes).max(axis=0, initial=0.0)
        scale = operator.largest_gain() * np.repeat(given_size, up)
        own = probable(operator.terms + 2, 1.0) + rounding(round(2 * np.pi * _span(operator)), 1.0)
        return _collected(turns, amplitudes, np.hypot(errors, own * scale))

    def samples(self, moments: NDArray[np.intp]) -> Real:
        """Return the signal at whole moments, (channels, moments)."""
        total = np.zeros((len(self.amplitudes), moments.size))
        for turn, amplitude in zip(self.turns, self.amplitudes.T, strict=True):
            total += 2 * (amplitude[:, None] * phasors(turn, moments)).real
        return total

    def folded(self) -> dict[Fraction, tuple[Complex, Real]]:
        """Return amplitude and error of each line in [0, 1/2], in ascending frequency.

        A line and its mirror meet at 0 and 1/2, where the sum is real.
        """
        found: dict[Fraction, tuple[Complex, Real]] = {}
        for turn, amplitude, error in zip(
            self.turns, self.amplitudes.T, self.errors.T, strict=True
        ):
            for place, value in ((turn, amplitude), (-turn % 1, amplitude.conj())):
                if 2 * place <= 1:
                    other = found.get(place)
                    both = (value, error)
                    found[place] = (
                        both if other is None else (other[0] + value, np.hypot(other[1], error))
                    )
        return {place: found[place] for place in sorted(found)}


def merged_lines(
    parts: Sequence[SpectralLines | None], channels: Sequence[int], merging: str
) -> SpectralLines | None:
    """Return the lines where branches of so many channels meet: "sum", "mean", "concatenate"."""
    if all(part is None for part in parts):
        return None
    width = sum(channels) if merging == "concatenate" else channels[0]
    turns = [turn for part in parts if part is not None for turn in part.turns]
    amplitudes = np.zeros((width, len(turns)), dtype=np.complex128)
    errors = np.zeros(amplitudes.shape)
    weight = share(merging, len(parts))
    row = column = 0
    for part, own in zip(parts, channels, strict=True):
        if part is not None:
            placed = slice(row, row + own), slice(column, column + len(part.turns))
            amplitudes[placed], errors[placed] = weight * part.amplitudes, weight * part.errors
            column += len(part.turns)
        row += own if merging == "concatenate" else 0
    return _collected(turns, amplitudes, errors)


def _collected(turns: Sequence[Fraction], amplitudes: Complex, errors: Real) -> SpectralLines:
    """Return lines with those at one frequency added."""
    places = {turn: number for number, turn in enumerate(dict.fromkeys(turns))}
    if len(places) == len(turns):
        return SpectralLines(tuple(turns), amplitudes, errors)
    total = np.zeros((len(amplitudes), len(places)), dtype=np.complex128)
    squares = np.zeros(total.shape)
    for number, turn in enumerate(turns):
        total[:, places[turn]] += amplitudes[:, number]
        squares[:, places[turn]] += errors[:, number] ** 2
    return SpectralLines(tuple(places), total, squares**0.5)


def _span(operator: Operator) -> int:
    """Return how far from the start of its block an output sample's taps may lie."""
    first, last = operator.support()
    farthest = max(int(np.abs(first).max()), int(np.abs(last).max()))
    return -(-farthest * operator.up // operator.down) + operator.up
