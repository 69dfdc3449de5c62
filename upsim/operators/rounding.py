r"""The running bound of rounding through one linear operator, on the values that pass.

A sum of ``n`` products differs from its exact value by at most :math:`\gamma_n \sum_k |h_k||x_k|`
(:mod:`upsim.words.tolerance`).  So an operator's own rounding is
:math:`\gamma_n\,(|h| * |x| + |b|)`.
It passes on the error that it is given.  Errors of different samples and channels are independent,
so their variances pass through the squares of the taps.  Samples of a period come again with the
same error, so the taps that meet them are added before they are squared.  A bound that multiplies
the largest gains of the layers would grow without limit with depth.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import DTypeLike, NDArray

from upsim.operators.operator import Operator, Real
from upsim.operators.polyphase import PolyphaseMatrix
from upsim.operators.stretch_fir import StretchFIR
from upsim.words.tolerance import probable

Index = NDArray[np.intp]

#: Taps that are squared in one call (1 MiB).
_PIECE = 2**17


def running_error(
    operator: Operator,
    size: Real,
    error: Real,
    *,
    period: int | None = None,
    dtype: DTypeLike = np.float64,
) -> Real:
    """Return how far rounding may have moved the samples behind an operator.

    Parameters
    ----------
    operator : Operator
    size : array (in,)
        The largest magnitude of each input channel.
    error : array (in,)
        How far rounding may have moved its samples so far.
    period : int, optional
        Input samples after which the signal repeats; None for a signal that does not.
    dtype : dtype
        The coarser precision of the two computations that are compared.

    Returns
    -------
    array (out,)

    Examples
    --------
    >>> sums = StretchFIR(np.ones((1, 1, 4)))
    >>> once = running_error(sums, np.ones(1), np.zeros(1))
    >>> bool(0 < once[0] < 1e-13)
    True
    """
    out = operator.out_channels
    terms, passed = np.zeros(out), np.zeros(out)
    for rows, taps, samples in _phases(operator):
        # (groups, rows, in / groups, taps of this phase)
        groups, per_group = taps.shape[0], taps.shape[2]
        count = taps.shape[3]
        sizes = np.repeat(size.reshape(groups, per_group, 1), count, axis=1)
        places = np.arange(count) if period is None else samples % period
        alone = np.unique(places).size == count
        errors = error.reshape(groups, per_group, 1) ** 2
        flat = np.abs(taps).reshape(groups, -1, per_group * count)
        sums = (flat @ sizes).reshape(-1)
        if alone:
            squares = flat * flat @ np.repeat(errors, count, axis=1)
        else:
            squares = np.zeros((groups, taps.shape[1], 1))
            for place in np.unique(places):
                together = taps[..., places == place].sum(axis=3)
                squares += together * together @ errors
        terms[rows] = np.maximum(terms[rows], sums)
        passed[rows] = np.maximum(passed[rows], squares.reshape(-1))
    if operator.offset is not None:
        terms = terms + np.abs(operator.offset).max(axis=1)
    own = probable(operator.terms + 1, 1.0, dtype) * terms
    return np.asarray(np.hypot(own, np.sqrt(passed)))


def _phases(operator: Operator) -> Iterator[tuple[slice, Real, Index]]:
    """Yield the taps that meet in one output sample, phase by phase and some rows at a time.

    Each with the output rows that they are for, and the input sample that each tap sees.
    """
    if isinstance(operator, StretchFIR):
        taps = operator.taps.reshape(operator.groups, -1, *operator.taps.shape[1:])
        phases = operator.positions % operator.factor
        for phase in np.unique(phases):
            chosen = np.flatnonzero(phases == phase)
            samples = (phase - operator.positions[chosen]) // operator.factor
            yield from _pieces(_strided(taps, chosen), samples)
        return
    matrix: PolyphaseMatrix = operator.polyphase()
    count, out, up, inward, down = matrix.blocks.shape
    delays = -(matrix.first + np.arange(count))[:, None] * down + np.arange(down)
    for phase in range(up):
        rows = matrix.blocks[:, :, phase].transpose(1, 2, 0, 3)
        size = max(1, _PIECE // (inward * count * down))
        for first in range(0, out, size):
            part = rows[first : first + size]
            shaped = part.reshape(1, len(part), inward, count * down)
            yield slice(first, first + len(part)), shaped, delays.reshape(-1)


def _strided(taps: Real, chosen: Index) -> Real:
    """Return the chosen taps; a view where they are evenly spaced."""
    step = int(chosen[1] - chosen[0]) if chosen.size > 1 else 1
    if np.all(np.diff(chosen) == step):
        return taps[..., int(chosen[0]) : int(chosen[-1]) + 1 : step]
    return taps[..., chosen]


def _pieces(
    taps: Real, samples: NDArray[np.intp]
) -> Iterator[tuple[slice, Real, NDArray[np.intp]]]:
    """Yield all groups at once where they are small, else the rows of the one group in pieces."""
    groups, rows = taps.shape[:2]
    if groups > 1 or taps.size <= _PIECE:
        yield slice(0, groups * rows), taps, samples
        return
    each = max(1, _PIECE // (taps.shape[2] * taps.shape[3]))
    for first in range(0, rows, each):
        part = taps[:, first : first + each]
        yield slice(first, first + part.shape[1]), part, samples
