r"""Filters that act on both times of a covariance.

A table ``C[m, e]`` holds ``Cov(x[m], x[m + e])`` for each sample m of a period and each lag e.
Behind a stretch by ``L`` and taps of covariance ``S`` at the positions ``p_k``,

.. math:: C_y[n, n'] = \sum_{k, k'} S[k, k']\,
          C_x\!\left[\tfrac{n - p_k}{L}, \tfrac{n' - p_{k'}}{L}\right].

Independent taps, ``S`` diagonal, keep the lag and mix rows: K passes instead of K^2.  Any other
``S`` is a sum of few products ``h h^T``, one for a fixed kernel, and each acts on the later time
first and on the earlier time then: 2 K passes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from upsim.operators.repeating import Repeating
from upsim.words.tolerance import rounding

Array = NDArray[np.float64]
Whole = NDArray[np.intp]

#: Numbers in a block of rows (256 KiB).
_BLOCK = 2**15


def tap_factors(tap_covariance: Array) -> list[Array]:
    """Return kernels whose products ``h h^T`` sum to a covariance of taps.

    Cholesky's elimination, the largest remaining variance first, ended where rounding is all that
    is left; exact for one kernel of whole numbers.

    Examples
    --------
    >>> [taps.tolist() for taps in tap_factors(np.outer([1.0, -2.0], [1.0, -2.0]))]
    [[-1.0, 2.0]]
    """
    rest, found = tap_covariance.copy(), []
    floor = rounding(len(rest) + 2, float(np.diagonal(rest).max(initial=0.0)))
    for _ in range(len(rest)):
        pivot = int(np.argmax(np.diagonal(rest)))
        largest = rest[pivot, pivot]
        if largest <= floor:
            break
        taps = rest[pivot] / np.sqrt(largest)
        found.append(taps)
        rest = rest - np.outer(taps, taps)
    return found


def random_rows(table: Array, weights: Array, positions: Whole, factor: int) -> Array:
    """Return the rows behind independent taps of variances ``weights``; lag ``e`` becomes ``L e``.

    Row ``n = L m + phase`` of the answer sums the rows ``m - delay`` of the taps of its phase.  If
    these sums take whole turns of the period, all with one weight, they are the same for every m,
    to the last bit: the answer's period is the shortest that the weights tell.
    """
    period = len(table)
    counts = np.zeros((factor, period))
    np.add.at(counts, (positions % factor, positions // factor % period), weights)
    shortest = Repeating(counts).shortest().period
    folded = table.reshape(period // shortest, shortest, -1).sum(axis=0)
    answer = np.zeros((shortest * factor, table.shape[1]))
    for phase in range(factor):
        delays = np.flatnonzero(counts[phase, :shortest])
        terms = [(counts[phase, delay], int(delay), 0) for delay in delays]
        _add_terms(answer[phase::factor], folded, terms)
    return answer


def filtered(
    table: Array, taps: Array, positions: Whole, factor: int, *, into: Array, circular: bool
) -> None:
    """Add what a kernel makes of both times to a table, of lags -D … D or of lags modulo M."""
    period, width = table.shape
    offsets = positions - positions.min()
    span = int(offsets.max())
    turns = width * factor
    late = np.zeros((period, turns if circular else turns - factor + 1 + span))
    for tap, offset in zip(taps, offsets, strict=True):
        if not tap:
            continue
        if circular:
            turned = np.roll(table, offset // factor, axis=1)
            late[:, offset % factor :: factor] += tap * turned
        else:
            late[:, offset : offset + (width - 1) * factor + 1 : factor] += tap * table
    shifts = -offsets % turns if circular else span - offsets
    for phase in range(factor):
        used = np.flatnonzero((positions % factor == phase) & (taps != 0))
        terms = [(taps[k], int(positions[k] // factor % period), int(shifts[k])) for k in used]
        _add_terms(into[phase::factor], late, terms)


def lag_products(tap_covariance: Array, positions: Whole) -> tuple[Array, int]:
    """Return ``sum S[k, k']`` over the pairs of each distance ``p_k' - p_k``, and the first one.

    Examples
    --------
    >>> lag_products(np.ones((2, 2)), np.arange(2))
    (array([1., 2., 1.]), -1)
    """
    pairs = np.argwhere(tap_covariance)
    shifts = positions[pairs[:, 1]] - positions[pairs[:, 0]]
    spread = int(np.abs(shifts).max(initial=0))
    sums = np.zeros(2 * spread + 1)
    np.add.at(sums, shifts + spread, tap_covariance[pairs[:, 0], pairs[:, 1]])
    return sums, -spread


def _add_terms(into: Array, table: Array, terms: list[tuple[float, int, int]]) -> None:
    """Add a table times each weight, moved down by a delay and to the right by a shift, circular.

    Block by block of rows: what all terms of a block need stays in the processor's cache.
    """
    period, width = table.shape
    size = max(1, _BLOCK // width)
    buffer = np.empty((min(size, period), width))
    for start in range(0, period, size):
        stop = min(start + size, period)
        for weight, delay, shift in terms:
            first = start
            while first < stop:
                source = (first - delay) % period
                count = min(stop - first, period - source)
                piece = np.multiply(table[source : source + count], weight, out=buffer[:count])
                rows = into[first : first + count]
                inside = min(width, into.shape[1] - shift)
                rows[:, shift : shift + inside] += piece[:, :inside]
                rows[:, : width - inside] += piece[:, inside:]
                first += count
