"""Rows of gains, carried from an operator's output back to its input."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from upsim.operators.operator import Operator
from upsim.operators.stretch_fir import StretchFIR

Complex = NDArray[np.complex128]
Whole = NDArray[np.intp]


def rows_back(operator: Operator, rows: Complex, numbers: Whole, span: int) -> Complex:
    r"""Return what rows at the output of an operator are at its input.

    .. math:: r'_k = r_k\, G(k / N)

    with ``G(g)`` the gains of the operator at ``g`` cycles per output sample
    (:meth:`Operator.gains`): the line ``k`` of a signal ``y`` is ``r_k . Y`` and that of ``x``,
    behind which ``y`` stands, ``r'_k . X``.

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
    turns, place = np.unique(numbers % span, return_inverse=True)
    if isinstance(operator, StretchFIR) and operator.groups > 1:
        return operator.rows_back(rows, turns[place] / span)[:, 0]
    if not isinstance(operator, StretchFIR):
        return _by_line(rows, place, operator.gains(turns / span)[:, 0])
    taps, positions = operator.taps, operator.positions
    if taps.strides[2] < 0:
        taps, positions = taps[:, :, ::-1], positions[::-1]
    # The axes as they lie in memory, so that no reshape copies: (out, in, K) or (in, out, K).
    out_first = taps.strides[0] >= taps.strides[1]
    stored = taps if out_first else taps.swapaxes(0, 1)
    count = positions.size
    # Products a pair of channels: real waves times taps, then complex rows times their sums; or
    # two real rows a line times all taps.
    if 2 * count * turns.size + 4 * len(rows) < 2 * count * len(rows):
        angles = 2 * np.pi * (turns[:, None] * positions % span) / span
        waves = np.concatenate([np.cos(angles), -np.sin(angles)])
        parts = (waves @ stored.reshape(-1, count).T).reshape(2, turns.size, *stored.shape[:2])
        gains = (real + 1j * imaginary for real, imaginary in zip(*parts, strict=True))
        matrices = gains if out_first else (gain.T for gain in gains)
        return _by_line(rows, place, matrices) / operator.factor
    pair = np.stack([rows.real, rows.imag]).reshape(-1, rows.shape[2])
    if out_first:
        apart = (pair @ stored.reshape(stored.shape[0], -1)).reshape(len(pair), -1, count)
    else:
        apart = (pair @ stored).swapaxes(0, 1)
    real, imaginary = apart.reshape(2, *rows.shape[:2], -1, count)
    angles = 2 * np.pi * (numbers[:, None] * positions % span) / span
    waves = np.exp(-1j * angles)[:, None, :, None] / operator.factor
    return np.asarray(((real + 1j * imaginary) @ waves)[..., 0])


def _by_line(rows: Complex, place: Whole, matrices: Iterable[Complex]) -> Complex:
    """Return rows (lines, m, out) times the matrix of each line's frequency.

    Lines that are one frequency share a matrix.
    """
    order = np.argsort(place, kind="stable")
    groups = np.split(order, np.cumsum(np.bincount(place))[:-1])
    made = [
        (rows[chosen].reshape(-1, rows.shape[2]) @ matrix).reshape(chosen.size, rows.shape[1], -1)
        for chosen, matrix in zip(groups, matrices, strict=True)
    ]
    answer = np.concatenate(made)
    answer[order] = answer.copy()
    return answer
