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

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from upsim.operators.operator import Operator, Real
from upsim.operators.stretch_fir import StretchFIR
from upsim.words.tolerance import Precision, probable

Index = NDArray[np.intp]

#: Taps that are squared in one call (1 MiB).
_PIECE = 2**17

#: Operators of more taps are bounded by the norms of their taps, taken once.
_FEW = 2**9


def running_error(
    operator: Operator,
    size: Real,
    error: Real,
    *,
    period: int | None = None,
    dtype: Precision = np.float64,
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
    kept = _bound(operator, period)
    if isinstance(kept, _Exact):
        groups, _, per_group = kept.sizes.shape
        terms = _largest_phase(kept.sizes @ size.reshape(groups, per_group, 1), kept.phases)
        given = error.reshape(groups, per_group, 1) ** 2
        passed = _largest_phase(kept.squares @ given, kept.phases)
    else:
        # |h| * |x| <= |h|_2 |x|_2, and no channel's error is larger than the largest.
        sizes = np.sqrt((size.reshape(kept.groups, -1) ** 2).sum(axis=1))
        errors = error.reshape(kept.groups, -1).max(axis=1)
        terms = (kept.taps * sizes[:, None]).ravel()
        passed = ((kept.folded * errors[:, None]) ** 2).ravel()
    if operator.offset is not None:
        terms = terms + np.abs(operator.offset).max(axis=1)
    own = probable(operator.terms + 1, 1.0, dtype) * terms
    return np.asarray(np.hypot(own, np.sqrt(passed)))


def _largest_phase(made: Real, phases: int) -> Real:
    """Return the largest of the phases, which lie below each other in (groups, phases rows, 1)."""
    groups = made.shape[0]
    return np.asarray(made.reshape(groups, phases, -1).max(axis=1).reshape(-1))


@dataclass(frozen=True, eq=False)
class _Exact:
    """What a small operator does to sizes and to variances, (groups, phases rows, in / groups).

    ``sizes`` are sums of absolute taps; ``squares`` of the squares of the taps that meet one sample
    of the period.
    """

    phases: int
    sizes: Real
    squares: Real


@dataclass(frozen=True, eq=False)
class _Norms:
    """The largest Euclidean norms of the taps that meet in one output phase, (groups, rows) each.

    ``taps``: times the root of the number of input samples that a row's taps see;
    ``folded``: of the taps as a period meets them.
    """

    groups: int
    taps: Real
    folded: Real


#: What depends on the weights alone is worked out once, for each period that is shorter than the
#: taps, and once for all longer ones.
_KNOWN: WeakKeyDictionary[Operator, dict[int | None, _Exact | _Norms]] = WeakKeyDictionary()


def _bound(operator: Operator, period: int | None) -> _Exact | _Norms:
    """Return what an operator does to sizes and errors."""
    if isinstance(operator, StretchFIR) and period is not None:
        # No two taps of one phase meet one sample of a period that is longer than the taps.
        period = None if -(-operator.reach // operator.factor) <= period else period
    known = _KNOWN.setdefault(operator, {})
    found = known.get(period)
    if found is None:
        few = operator.terms * operator.out_channels <= _FEW
        found = known[period] = _exact(operator, period) if few else _norms(operator, period)
    return found


def _exact(operator: Operator, period: int | None) -> _Exact:
    """Return the sums of a small operator, phase by phase."""
    sizes, squares = [], []
    for taps, samples in _phases(operator):
        groups, rows, per_group = taps.shape[:3]
        sizes.append(np.abs(taps).reshape(groups, rows, per_group, -1).sum(axis=3))
        folded = [together**2 for together in _folded(taps, samples, period)]
        squares.append(np.sum(folded, axis=0))
    return _Exact(len(sizes), np.concatenate(sizes, axis=1), np.concatenate(squares, axis=1))


def _norms(operator: Operator, period: int | None) -> _Norms:
    """Return the norms of a large operator, the largest over the phases."""
    phases = None
    if period is not None:
        phases = list(_phases(operator))
        if all(np.unique(samples % period).size == samples.size for _, samples in phases):
            period = None
    taps_norm: Real | float = 0.0
    folded_norm: Real | float = 0.0
    groups = 1
    for taps, samples in phases or _phases(operator):
        groups, own = len(taps), _norm([taps])
        folded = own if period is None else _norm(_folded(taps, samples, period))
        taps_norm = np.maximum(taps_norm, np.sqrt(samples.size) * own)
        folded_norm = np.maximum(folded_norm, folded)
    shape = (groups, operator.out_channels // groups)
    return _Norms(groups, *(np.broadcast_to(norm, shape) for norm in (taps_norm, folded_norm)))


def _norm(parts: Iterable[Real]) -> Real:
    """Return the norms of rows (groups, rows, ...), all parts together, some rows at a time."""
    total: Real | float = 0.0
    for part in parts:
        groups, rows = part.shape[:2]
        size = max(1, _PIECE * rows // max(1, part.size))
        pieces = []
        for first in range(0, rows, size):
            flat = part[:, first : first + size].reshape(groups, min(size, rows - first), -1)
            pieces.append(np.einsum("grk,grk->gr", flat, flat))
        total = total + np.concatenate(pieces, axis=1)
    return np.asarray(np.sqrt(total))


def _folded(taps: Real, samples: Index, period: int | None) -> Iterator[Real]:
    """Yield the taps (groups, rows, in / groups) that meet each sample, added where several do."""
    places = np.arange(samples.size).reshape(samples.shape) if period is None else samples % period
    for place in (chosen := np.unique(places)):
        if chosen.size == 1:
            yield taps.sum(axis=tuple(range(3, taps.ndim)))
        else:
            yield taps[..., places == place].sum(axis=3)


def _phases(operator: Operator) -> Iterator[tuple[Real, Index]]:
    """Yield the taps (groups, out / groups, in / groups, ...) that meet in each output phase.

    And the input sample that each of them sees, of the shape of the last axes.
    """
    if isinstance(operator, StretchFIR):
        taps = operator.taps.reshape(operator.groups, -1, *operator.taps.shape[1:])
        places = operator.positions % operator.factor
        for phase in range(operator.factor):
            # Output sample n is sample n D behind the stretch, so n D = m L + p.
            behind = phase * operator.down
            chosen = np.flatnonzero(places == behind % operator.factor)
            if chosen.size:
                looks = (behind - operator.positions[chosen]) // operator.factor
                yield _strided(taps, chosen), looks
        return
    matrix = operator.polyphase()
    count, _, up, _, down = matrix.blocks.shape
    delays = -(matrix.first + np.arange(count))[:, None] * down + np.arange(down)
    for phase in range(up):
        # (1, out, in, blocks, down): a view; all of it at once would be a copy of the weights.
        yield matrix.blocks[:, :, phase].transpose(1, 2, 0, 3)[None], delays


def _strided(taps: Real, chosen: Index) -> Real:
    """Return the chosen taps; a view where they are evenly spaced."""
    step = int(chosen[1] - chosen[0]) if chosen.size > 1 else 1
    if np.all(np.diff(chosen) == step):
        return taps[..., int(chosen[0]) : int(chosen[-1]) + 1 : step]
    return taps[..., chosen]
