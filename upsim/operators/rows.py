"""Rows carried from an operator's output back to its input: of taps, and of gains.

What one output of a linear network makes of a signal inside it is a row: one filter, or one gain
a frequency, for each channel of that signal.  A row behind an operator times the operator is the
row before it.  Where outputs are few this costs a vector-matrix product a layer, and no matrix of
the layer at any frequency is formed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from upsim.operators.operator import Operator
from upsim.operators.stretch_fir import StretchFIR

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]
Whole = NDArray[np.intp]

#: Numbers in one piece of work (16 MiB).
_PIECE = 2**21


@dataclass(frozen=True, eq=False)
class RowFilter:
    r"""What outputs make of a signal, as filters.

    .. math:: y_o[n] = \sum_{c, m, r} h_{ocr}\, x_c[m], \qquad n = m L + s + r

    Parameters
    ----------
    taps : array (out, C, R)
        ``h``.
    start : int
        ``s``: output sample of the first tap.
    factor : int
        ``L``: output samples per sample of x.

    Examples
    --------
    >>> held = StretchFIR(np.ones((1, 1, 2)), 2)
    >>> RowFilter.identity(1).before(held).before(held).taps
    array([[[1., 1., 1., 1.]]])
    """

    taps: Real
    start: int = 0
    factor: int = 1

    @classmethod
    def identity(cls, channels: int) -> RowFilter:
        """Return the rows of a signal in itself."""
        return cls(np.eye(channels)[:, :, None])

    @property
    def reach(self) -> int:
        """Output samples that one sample of x touches."""
        return int(self.taps.shape[2])

    def before(self, operator: StretchFIR) -> RowFilter:
        r"""Return the rows before an operator.

        .. math:: h'_{oc}[\,p_k L + r\,] \mathrel{+}= \sum_m h_{omr}\, g_{mck}

        g the operator's taps and :math:`p_k` their positions: sample j of its input lands at
        ``j L' + p_k`` of its output, and that at ``(j L' + p_k) L + s + r`` (the noble identity,
        Vaidyanathan 1993, section 4.2).  Groups stay groups.
        """
        out, _, reach = self.taps.shape
        groups, taps = operator.groups, operator.taps
        made, given, count = taps.shape[0] // groups, taps.shape[1], taps.shape[2]
        # (groups, out R, m) times (groups, m, c), one tap after another.
        rows = self.taps.reshape(out, groups, made, reach).transpose(1, 0, 3, 2)
        flat = rows.reshape(groups, out * reach, made)
        step = operator.dilation * self.factor
        span = (count - 1) * step + reach
        answer = np.zeros((groups, out, span, given))
        for tap in range(count):
            kernel = taps[:, :, tap].reshape(groups, made, given)
            piece = (flat @ kernel).reshape(groups, out, reach, given)
            answer[:, :, tap * step : tap * step + reach] += piece
        ordered = answer.transpose(1, 0, 3, 2).reshape(out, groups * given, span)
        start = self.start - operator.crop[0] * self.factor
        return RowFilter(np.ascontiguousarray(ordered), start, self.factor * operator.factor)

    def __add__(self, other: RowFilter) -> RowFilter:
        """Return the rows of a signal that is read twice."""
        start = min(self.start, other.start)
        end = max(self.start + self.reach, other.start + other.reach)
        taps = np.zeros((*self.taps.shape[:2], end - start))
        for part in (self, other):
            taps[:, :, part.start - start : part.start - start + part.reach] += part.taps
        return RowFilter(taps, start, self.factor)

    def part(self, channels: slice, share: float = 1.0) -> RowFilter:
        """Return ``share`` times the rows of some channels of x."""
        taps = self.taps[:, channels]
        return RowFilter(taps if share == 1 else share * taps, self.start, self.factor)

    def gains(self, frequencies: Real, channels: slice) -> Complex:
        """Return the gains from channels of x at output frequencies, (F, out, C)."""
        chosen = StretchFIR(self.taps[:, channels], self.factor, crop=(-self.start, 0))
        return chosen.gains(frequencies)[:, 0]


def rows_back(operator: Operator, rows: Complex, numbers: Whole, span: int) -> Complex:
    r"""Return what rows at the output of an operator are at its input, for lines ``k / N``.

    Parameters
    ----------
    operator : Operator
        That does not decimate.
    rows : array (lines, m, out)
    numbers : array (lines,)
        Numbers ``k`` of the lines.
    span : int
        ``N``; lines that differ by it are one frequency here.

    Returns
    -------
    array (lines, m, in)

    Examples
    --------
    The two lines that a held constant could have: all of it at 0, nothing at half the rate.

    >>> held = StretchFIR(np.ones((1, 1, 2)), 2)
    >>> rows_back(held, np.ones((2, 1, 1), complex), np.array([0, 1]), 2)[:, 0, 0].real.round(12)
    array([1., 0.])
    """
    return rows_at(operator, rows, (numbers % span) / span)[:, 0]


def rows_at(operator: Operator, rows: Complex, frequencies: Real) -> Complex:
    r"""Return what rows at the output of an operator are at its input.

    .. math:: r'_l(g) = r(g)\, G_l(g)

    with :math:`G_l(g)` the gains from the input frequency :math:`f_l = (U g + l) / D`
    (:meth:`Operator.gains`): one row for each of the D aliases.

    Parameters
    ----------
    operator : Operator
    rows : array (n, m, out)
    frequencies : array (n,)
        Cycles per output sample; they may lie beyond one turn, from which aliases are counted.

    Returns
    -------
    array (n, D, m, in)
    """
    if not len(rows):
        shape = (0, operator.down, rows.shape[1], operator.in_channels)
        return np.zeros(shape, dtype=np.complex128)
    if isinstance(operator, StretchFIR) and operator.down > 1:
        return _decimated_rows(operator, rows, frequencies)
    turns, place = np.unique(frequencies % operator.down, return_inverse=True)
    if not isinstance(operator, StretchFIR):
        return _by_frequency(rows, place, _matrices(operator, turns), operator)
    taps, positions = operator.taps, operator.positions
    if taps.strides[2] < 0:
        taps, positions = taps[:, :, ::-1], positions[::-1]
    count = positions.size
    # Products a pair of channels: real waves times taps, then complex rows times their sums; or
    # two real rows a frequency times all taps.
    if 2 * count * turns.size + 4 * rows.shape[0] * rows.shape[1] < (
        2 * count * rows.shape[0] * rows.shape[1]
    ):
        return _by_responses(operator, rows, place, turns)[:, None] / operator.factor
    made = [
        _by_taps(operator, taps, rows[part], _waves(frequencies[part], positions))
        for part in _parts(len(rows), 2 * rows.shape[1] * operator.in_channels * count)
    ]
    return np.concatenate(made)[:, None] / operator.factor


def _decimated_rows(operator: StretchFIR, rows: Complex, frequencies: Real) -> Complex:
    r"""Return rows before a stretch, an FIR and a decimation, (n, D, m, in).

    The decimation folds the stretched frequencies :math:`(g + j) / D` onto ``g``.  With the
    positions of the taps :math:`p = q D + r`, the gains at all of them are one Fourier transform
    of D points,

    .. math:: H\!\left(\tfrac{g + j}{D}\right) = \sum_{r=0}^{D-1} e^{-j 2\pi j r / D}
              e^{-j 2\pi g r / D} \sum_q h[q D + r]\, e^{-j 2\pi g q}.

    L times :math:`(g + j) / D` is alias ``l = L j`` modulo D, and each has its own, as L and D
    share no divisor.
    """
    down, (n, m, _) = operator.down, rows.shape
    whole, left = np.divmod(operator.positions, down)
    turns, place = np.unique(whole, return_inverse=True)
    width, each = m * operator.in_channels, np.arange(down)
    answer = np.empty((n, down, m, operator.in_channels), dtype=np.complex128)
    # Behind the last layer all frequencies have one row, and its taps are arranged once.
    one = bool(np.all(rows == rows[:1]))
    # Products of the transform, and of all aliases one by one as `rows_at` chooses.
    count, pairs = operator.positions.size, operator.taps.shape[0] * operator.taps.shape[1]
    transform = 2 * count * (1 if one else n) * m * pairs + 8 * n * width * turns.size * down
    responses = 2 * count * np.unique(frequencies % 1.0).size * down * pairs
    if min(responses + 4 * n * down * m * pairs, 2 * count * n * down * m * pairs) < transform:
        behind = (frequencies[:, None] + each) / down
        repeated = np.repeat(rows, down, axis=0)
        every = rows_at(replace(operator, down=1), repeated, behind.reshape(-1))
        answer[:, operator.factor * each % down] = every.reshape(n, down, m, -1)
        return answer
    for part in _parts(n, 4 * width * (down if one else turns.size * down)):
        grid = frequencies[part]
        chosen = rows[:1] if one else rows[part]
        taps = np.zeros((2, len(chosen), width, turns.size, down))
        taps[..., place, left] = _times_taps(operator, operator.taps, chosen)
        # Real and imaginary part of the wave, each times both of the rows: (2, 2, F, width, D).
        wave = np.moveaxis(_waves(grid, turns), 2, 0)
        if one:
            made = np.tensordot(wave, taps[:, 0], (2, 2)).transpose(0, 2, 1, 3, 4)
        else:
            made = (wave.swapaxes(0, 1)[:, None] @ taps).transpose(3, 0, 1, 2, 4)
        summed = made[0, 0] - made[1, 1] + 1j * (made[0, 1] + made[1, 0])
        summed *= np.exp(-2j * np.pi / down * np.outer(grid, each))[:, None]
        gains = np.fft.fft(summed, axis=2) / operator.factor
        answer[part, operator.factor * each % down] = gains.reshape(
            grid.size, m, operator.in_channels, down
        ).transpose(0, 3, 1, 2)
    return answer


def _waves(frequencies: Real, positions: Whole) -> Real:
    """Return the real and imaginary parts of ``exp(-j 2 pi f p)``, (F, K, 2)."""
    angles = 2 * np.pi * ((frequencies[:, None] * positions) % 1.0)
    return np.stack([np.cos(angles), -np.sin(angles)], axis=2)


def _by_taps(operator: StretchFIR, taps: Real, rows: Complex, waves: Real) -> Complex:
    """Return real rows times all taps, then the sum over the taps with a wave: (n, m, in)."""
    n, m, _ = rows.shape
    real, imaginary = _times_taps(operator, taps, rows) @ waves
    answer = np.empty(real.shape[:2], dtype=np.complex128)
    answer.real = real[..., 0] - imaginary[..., 1]
    answer.imag = real[..., 1] + imaginary[..., 0]
    return answer.reshape(n, m, operator.in_channels)


def _times_taps(operator: StretchFIR, taps: Real, rows: Complex) -> Real:
    """Return rows (n, m, out) times all taps, real parts and imaginary ones: (2, n, m in, K)."""
    n, m, out = rows.shape
    groups, count = operator.groups, taps.shape[2]
    made, given = out // groups, taps.shape[1]
    pair = np.stack([rows.real, rows.imag]).reshape(-1, out)
    if groups == 1 and taps.strides[0] < taps.strides[1]:
        # Stored input first: as it lies in memory, so that no reshape copies.
        apart = (pair @ taps.swapaxes(0, 1)).swapaxes(0, 1)
    else:
        split = pair.reshape(-1, groups, made).swapaxes(0, 1)
        kernels = taps.reshape(groups, made, given * count)
        apart = (split @ kernels).swapaxes(0, 1)
    return np.asarray(apart.reshape(2, n, m * groups * given, count))


def _by_responses(operator: StretchFIR, rows: Complex, place: Whole, turns: Real) -> Complex:
    """Return rows (n, m, out) times the response at their frequencies, (n, m, in).

    Real and imaginary parts are multiplied one by one: a complex matrix would be written for each
    frequency, and read once.
    """
    (n, m, _), groups = rows.shape, operator.groups
    taps, positions = operator.taps, operator.positions
    if taps.strides[2] < 0:
        taps, positions = taps[:, :, ::-1], positions[::-1]
    # The axes as they lie in memory, so that no reshape copies: (out, in, K) or (in, out, K).
    out_first = taps.strides[0] >= taps.strides[1] or groups > 1
    stored = taps if out_first else taps.swapaxes(0, 1)
    shape = (groups, stored.shape[0] // groups, stored.shape[1])
    order = np.argsort(place, kind="stable")
    edges = np.concatenate([[0], np.cumsum(np.bincount(place))])
    answer = np.empty((n, m, operator.in_channels), dtype=np.complex128)
    for part in _parts(turns.size, 2 * stored.shape[0] * stored.shape[1]):
        waves = np.moveaxis(_waves(turns[part], positions), 2, 0).reshape(-1, positions.size)
        parts = (waves @ stored.reshape(-1, positions.size).T).reshape(2, -1, *shape)
        for number, (real, imaginary) in enumerate(zip(*parts, strict=True), part.start):
            chosen = order[edges[number] : edges[number + 1]]
            given = rows[chosen].reshape(chosen.size * m, groups, -1).swapaxes(0, 1)
            pair = np.concatenate([given.real, given.imag], axis=1)
            count = given.shape[1]
            by_real = pair @ (real if out_first else real.swapaxes(1, 2))
            by_imaginary = pair @ (imaginary if out_first else imaginary.swapaxes(1, 2))
            made = np.empty((groups, count, by_real.shape[2]), dtype=np.complex128)
            made.real = by_real[:, :count] - by_imaginary[:, count:]
            made.imag = by_real[:, count:] + by_imaginary[:, :count]
            answer[chosen] = made.swapaxes(0, 1).reshape(chosen.size, m, -1)
    return answer


def _matrices(operator: Operator, turns: Real) -> Iterator[Complex]:
    """Yield each frequency's matrices, (D, 1, out, in), a piece at a time."""
    for part in _parts(turns.size, operator.down * operator.out_channels * operator.in_channels):
        yield from operator.gains(turns[part])[:, :, None]


def _by_frequency(
    rows: Complex, place: Whole, matrices: Iterator[Complex], operator: Operator
) -> Complex:
    """Return rows (n, m, out) times the matrices of their frequencies.

    Rows of one frequency share its matrices, (aliases, groups, out, in).
    """
    n, m, out = rows.shape
    order = np.argsort(place, kind="stable")
    edges = np.concatenate([[0], np.cumsum(np.bincount(place))])
    sorted_rows = rows if np.array_equal(order, np.arange(n)) else rows[order]
    answer = np.empty((n, operator.down, m, operator.in_channels), dtype=np.complex128)
    for number, matrix in enumerate(matrices):
        chosen = sorted_rows[edges[number] : edges[number + 1]]
        groups = matrix.shape[1]
        # (1, groups, rows, out) times (aliases, groups, out, in).
        split = chosen.reshape(-1, groups, out // groups).swapaxes(0, 1)
        made = (split[None] @ matrix).swapaxes(1, 2).reshape(operator.down, -1, m, answer.shape[3])
        answer[order[edges[number] : edges[number + 1]]] = made.swapaxes(0, 1)
    return answer


def _parts(count: int, size: int) -> Iterator[slice]:
    """Yield slices of a range, each of at most a piece of work where one has ``size`` numbers."""
    step = max(1, _PIECE // max(1, size))
    for start in range(0, count, step):
        yield slice(start, start + step)
