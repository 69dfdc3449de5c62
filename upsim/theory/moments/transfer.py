"""A chain of operators in the frequency domain: from the output back to the input.

An output exponential at ``g`` (cycles per output sample) comes from the input frequencies
``f_K = (U g + K) / D``, ``U`` and ``D`` being the products of the chain's ``up`` and ``down``.
Paths through different aliases on the way that reach the same ``K`` are one input frequency and
add as amplitudes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from upsim.operators import Operator, StretchFIR
from upsim.words.arguments import refuse_beyond_memory

Complex = NDArray[np.complex128]
Real = NDArray[np.float64]

#: Complex numbers in one block of a frequency sweep (32 MiB).
_BLOCK = 2**21


def chain_gains(chain: Sequence[Operator], frequencies: Real, channels: int) -> Complex:
    """Return the gains of a chain, shape (F, D, out, in).

    Parameters
    ----------
    chain : sequence of Operator
        From the input to the output; may be empty.
    frequencies : array (F,)
        Output frequencies, cycles per output sample.
    channels : int
        Input channels, for an empty chain.

    Notes
    -----
    The product is taken from the output back: the row of the output (few channels) times one
    layer's matrix after another, where it is not cheaper to fold the layers first.  A lower-rate
    layer sees each of its frequencies many times (``L g`` modulo 1); its matrix is made once for
    each different one.
    """
    count = frequencies.size
    chain = shortened(chain, count)
    if len(chain) == 1 and chain[0].down == 1:
        return chain[0].gains(frequencies)
    out = chain[-1].out_channels if chain else channels
    # paths: (F, D so far) frequencies, unreduced; rows: their gains.
    paths = frequencies.reshape(count, 1)
    rows = np.broadcast_to(np.eye(out, dtype=np.complex128), (count, 1, out, out))
    ups = 1
    for operator in reversed(chain):
        before, down, up = paths.shape[1], operator.down, operator.up
        moved = _times_gains(operator, rows.reshape(-1, out, rows.shape[3]), paths.reshape(-1))
        moved = moved.reshape(count, before, down, out, operator.in_channels)
        # f = (up (U g + K) / D + l) / down = (U up g + up K + D l) / (D down).
        total = before * down
        index = (up * np.arange(before)[:, None] + before * np.arange(down)) % total
        rows = np.zeros((count, total, out, operator.in_channels), dtype=np.complex128)
        for k in range(before):
            # The aliases of one frequency are as many different ones.
            rows[:, index[k]] += moved[:, k]
        ups *= up
        paths = (ups * frequencies[:, None] + np.arange(total)) / total
    return np.asarray(rows)


def shortened(chain: Sequence[Operator], count: int) -> tuple[Operator, ...]:
    """Return a chain with neighbours folded where that costs less than ``count`` evaluations.

    Products, with ``o`` channels at the chain's end, ``m`` between the two and ``c`` before them:
    folding K taps into R costs ``o m c K R``; keeping them apart costs a sum of K terms for each
    of ``m c`` pairs and a product with ``o`` rows, at each frequency, in complex numbers.
    """
    kept: list[Operator] = []
    for operator in reversed(chain):
        later = kept[-1] if kept else None
        if (
            isinstance(operator, StretchFIR)
            and isinstance(later, StretchFIR)
            and operator.down == later.down == 1
        ):
            pairs = operator.out_channels * operator.in_channels
            folding = later.out_channels * pairs * operator.taps.shape[2] * later.reach
            apart = pairs * count * (2 * operator.taps.shape[2] + 4 * later.out_channels)
            if folding <= apart:
                kept[-1] = operator.then(later)
                continue
        kept.append(operator)
    return tuple(reversed(kept))


def _times_gains(operator: Operator, rows: Complex, frequencies: Real) -> Complex:
    """Return rows (n, out, mid) times the gains at n frequencies: (n, down, out, in)."""
    turns, place = np.unique(frequencies % 1.0, return_inverse=True)
    # The frequencies of a block differ by whole turns from those asked for; an alias is counted
    # from the frequency itself, so whole turns shift the alias number.
    whole = np.rint(frequencies - turns[place]).astype(np.intp)
    shift = (whole * operator.up) % operator.down
    if isinstance(operator, StretchFIR) and operator.groups > 1:
        moved = operator.rows_back(rows, turns[place])
        if not shift.any():
            return moved
        turned = (np.arange(operator.down) + shift[:, None]) % operator.down
        return np.asarray(moved[np.arange(rows.shape[0])[:, None], turned])
    gains = operator.gains(turns)
    answer = np.empty(
        (rows.shape[0], operator.down, rows.shape[1], operator.in_channels), dtype=np.complex128
    )
    if 4 * turns.size <= frequencies.size:
        order = np.argsort(place, kind="stable")
        edges = np.searchsorted(place[order], np.arange(turns.size + 1))
        for unique in range(turns.size):
            chosen = order[edges[unique] : edges[unique + 1]]
            stacked = rows[chosen].reshape(-1, rows.shape[2])
            for alias in range(operator.down):
                piece = (stacked @ gains[unique, alias]).reshape(chosen.size, rows.shape[1], -1)
                answer[chosen, (alias - shift[chosen]) % operator.down] = piece
        return answer
    for alias in range(operator.down):
        answer[np.arange(rows.shape[0]), (alias - shift) % operator.down] = (
            rows @ gains[place, alias]
        )
    return answer


def density_through(
    chain: Sequence[Operator],
    frequencies: Real,
    density: Callable[[Real], Real],
    channels: int,
    shift: int = 0,
) -> Complex:
    r"""Return the cyclic density of a chain's output for a stationary input.

    .. math:: S^{\alpha}_y(g) = \sum_K A_K(g)\, S_x(f_K)\, A_{K + s}(g - s / U)^*,
              \qquad \alpha = s / U

    and, for ``shift`` s = 0, the time-averaged density.  Densities are per Hz on both sides: a
    stretch spreads a density over a band ``L`` times as wide and samples ``L`` times as many, and
    the two cancel (for one stretch-FIR this is :math:`\frac1L |H|^2 S_x(L f)` per cycle per
    sample).  Source: Sathe & Vaidyanathan, IEEE Trans. SP 41 (1993), section III.

    Parameters
    ----------
    chain : sequence of Operator
    frequencies : array (F,)
        Cycles per output sample.
    density : callable
        Input frequencies (n,) in cycles per input sample to (channels, n), channels independent.
    channels : int
        Input channels.
    shift : int
        Number of the cyclic frequency.

    Returns
    -------
    array (out, F)
        Complex for a cyclic density; the imaginary part is zero for ``shift = 0``.
    """
    ups = prod(operator.up for operator in chain)
    downs = prod(operator.down for operator in chain)
    out = chain[-1].out_channels if chain else channels
    widest = max([channels, *(operator.in_channels for operator in chain)])
    fix = "ask for fewer frequencies, or use a smaller stride"
    refuse_beyond_memory(
        frequencies.size * downs,
        "the input frequencies behind all output frequencies",
        fix=fix,
        itemsize=16,
    )
    refuse_beyond_memory(downs * out * widest, "the gains at one frequency", fix=fix, itemsize=16)
    # One layer's matrices of a block, and the rows that pass through them.
    matrices = [each.down * each.out_channels * each.in_channels for each in chain]
    block = max(1, _BLOCK // max([downs * out * widest, *matrices]))
    answer = np.empty((out, frequencies.size), dtype=np.complex128)
    for start in range(0, frequencies.size, block):
        grid = frequencies[start : start + block]
        gains = chain_gains(chain, grid, channels)
        inputs = (ups * grid[:, None] + np.arange(downs)) / downs
        levels = density(inputs.reshape(-1)).reshape(channels, grid.size, downs)
        if not shift:
            squared = (gains.real**2 + gains.imag**2) * levels.transpose(1, 2, 0)[:, :, None]
            answer[:, start : start + block] = squared.sum(axis=(1, 3)).T
            continue
        moved = chain_gains(chain, grid - shift / ups, channels)
        other = np.roll(moved, -shift, axis=1)
        answer[:, start : start + block] = np.einsum(
            "fkoc,cfk,fkoc->of", gains, levels, other.conj(), optimize=True
        )
    return answer
