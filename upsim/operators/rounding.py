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
    sizes: list[Real] = []
    squares: list[Real] = []
    for taps, phases, looks in _taps(operator):
        plain, folded = _Meeting.of(phases, looks, None), _Meeting.of(phases, looks, period)
        for sums, values in (
            (sizes, plain.by_phase(np.abs(plain.folded(taps)))),
            (squares, folded.by_phase(folded.folded(taps) ** 2)),
        ):
            groups, _, per_group, _ = values.shape
            sums.append(values.transpose(0, 3, 1, 2).reshape(groups, -1, per_group))
    rows = operator.out_channels // len(sizes[0])
    joined = np.concatenate(sizes, axis=1), np.concatenate(squares, axis=1)
    return _Exact(joined[0].shape[1] // rows, *joined)


def _norms(operator: Operator, period: int | None) -> _Norms:
    """Return the norms of a large operator, the largest over the phases."""
    found = []
    for taps, phases, looks in _taps(operator):
        plain, folded = _Meeting.of(phases, looks, None), _Meeting.of(phases, looks, period)
        own = plain.norms(taps)
        again = own if folded.count == plain.count else folded.norms(taps)
        found.append(((np.sqrt(plain.taps) * own).max(axis=2), again.max(axis=2)))
    largest = [np.max(norms, axis=0) for norms in zip(*found, strict=True)]
    return _Norms(len(largest[0]), *largest)


@dataclass(frozen=True, eq=False)
class _Meeting:
    """Which taps meet in one output phase, and which of them see the same sample of the period.

    ``order`` sorts the taps by phase and sample; ``samples`` are the places in it where a new
    sample begins, ``phases`` those of the samples where a new phase begins, and ``taps`` are the
    taps of each phase.
    """

    order: Index
    samples: Index
    phases: Index
    taps: Index

    @classmethod
    def of(cls, phases: Index, looks: Index, period: int | None) -> _Meeting:
        """Return what meets, of taps in ``phases`` that look at the samples ``looks``."""
        seen = looks if period is None else looks % period
        order = np.lexsort((seen, phases))
        turns = np.diff(phases[order], prepend=-1) != 0
        samples = np.flatnonzero(turns | (np.diff(seen[order], prepend=0) != 0))
        begins = np.flatnonzero(turns)
        taps = np.diff(begins, append=order.size)
        return cls(order, samples, np.searchsorted(samples, begins), taps)

    @property
    def count(self) -> int:
        """Different samples that are seen, over all phases."""
        return self.samples.size

    def folded(self, taps: Real) -> Real:
        """Return the taps (..., K) in order, those that see one sample added up."""
        ordered = taps[..., self.order]
        return ordered if self.count == self.order.size else self._added(ordered, self.samples)

    def by_phase(self, values: Real) -> Real:
        """Return values (..., samples) added up over each phase."""
        return values if self.phases.size == self.count else self._added(values, self.phases)

    def norms(self, taps: Real) -> Real:
        """Return the norms (groups, rows, phases) of taps (groups, rows, in, K), in pieces."""
        rows = taps.shape[1]
        size, pieces = max(1, _PIECE * rows // max(1, taps.size)), []
        for first in range(0, rows, size):
            part = taps[:, first : first + size]
            if self.count == self.order.size:
                energy = np.einsum("grik,grik->grk", part, part)[..., self.order]
            else:
                folded = self.folded(part)
                energy = np.einsum("grik,grik->grk", folded, folded)
            pieces.append(self.by_phase(energy))
        return np.asarray(np.sqrt(np.concatenate(pieces, axis=1)))

    @staticmethod
    def _added(values: Real, begins: Index) -> Real:
        return np.asarray(np.add.reduceat(values, begins, axis=-1))


def _taps(operator: Operator) -> Iterator[tuple[Real, Index, Index]]:
    """Yield taps (groups, out / groups, in / groups, K), some phases at a time.

    And the output phase and the input sample of each, counted from any place that all of a phase
    share.
    """
    if isinstance(operator, StretchFIR):
        # Output sample n is sample n D behind the stretch, so n D = m L + position.
        late, places = np.divmod(operator.positions, operator.factor)
        yield operator.taps.reshape(operator.groups, -1, *operator.taps.shape[1:]), places, -late
        return
    matrix = operator.polyphase()
    count, out, up, given, down = matrix.blocks.shape
    looks = (-(matrix.first + np.arange(count))[:, None] * down + np.arange(down)).ravel()
    for phase in range(up):
        # All phases at once would be a copy of the weights.
        own = matrix.blocks[:, :, phase].transpose(1, 2, 0, 3).reshape(1, out, given, count * down)
        yield own, np.full(looks.size, phase), looks
