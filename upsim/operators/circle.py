"""Convolution on a circle: one period of a stretched signal through an FIR."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from upsim.words.arguments import refuse_beyond_memory

Real = NDArray[np.float64]
Positions = NDArray[np.intp]

#: Numbers in the largest intermediate array; longer kernels go tap by tap.
_BLOCK = 2**24

#: Real layers have fewer taps; only beyond is it worth a look whether the period is shorter still.
_MANY_TAPS = 1024

#: BLAS multiplies up to some million products as the numbers lie and rearranges more first, which
#: takes longer than the product if columns are few: up to _FEW are multiplied in pieces of _SMALL.
_FEW, _SMALL, _LEAST_ROWS = 32, 2**19, 16


def filtered(taps: Real, positions: Positions, columns: Real, factor: int) -> Real:
    r"""Return ``y[n] = sum_k h[k] x[m]`` over ``n = m L + position_k``, modulo ``P L``.

    Parameters
    ----------
    taps : array (groups, rows, in / groups, K)
    positions : array (K,)
        Output sample of each tap.
    columns : array (groups, in / groups, copies, P)
        One period of the input; copies are answered one by one.
    factor : int
        ``L``.

    Returns
    -------
    array (groups * rows, copies, P L)
    """
    groups, rows, per_group, tap_count = taps.shape
    copies, count = columns.shape[2:]
    refuse_beyond_memory(
        groups * rows * copies * count * factor,
        "one period of the output",
        fix="use a signal with a shorter period",
    )
    if tap_count > _MANY_TAPS:
        late = positions // factor
        slots = min(int(late.max() - late.min()) + 1, count)
        if 8 * slots < tap_count:
            return _by_slot(taps, positions, columns, factor, slots)
    # What is moved along the circle is the smaller of the two sides, inputs or answers.
    if factor == 1 and rows >= per_group:
        block = max(1, _BLOCK // max(1, columns.size))
        answer = _gathered(taps[..., :block], positions[:block], columns)
        for start in range(block, tap_count, block):
            part = slice(start, start + block)
            answer += _gathered(taps[..., part], positions[part], columns)
        return answer
    answer = np.zeros((groups, rows, copies, count, factor))
    block = max(1, _BLOCK // (groups * rows * copies * count))
    for start in range(0, tap_count, block):
        part = slice(start, start + block)
        _spread(answer, taps[..., part], positions[part], columns)
    return answer.reshape(groups * rows, copies, count * factor)


def _gathered(taps: Real, positions: Positions, columns: Real) -> Real:
    """Answer at factor 1: the inputs of all taps side by side, one product a group."""
    groups, rows, per_group, tap_count = taps.shape
    copies, count = columns.shape[2:]
    gathered = columns
    if tap_count > 1 or int(positions[0]) % count:
        gathered = np.empty((groups, per_group, tap_count, copies, count))
        for tap, position in enumerate(positions):
            # gathered[n] = columns[n - position] on a circle: two slices, no index array.
            turn = int(position) % count
            gathered[:, :, tap, :, turn:] = columns[..., : count - turn]
            if turn:
                gathered[:, :, tap, :, :turn] = columns[..., count - turn :]
    terms, width = per_group * tap_count, copies * count
    flat = gathered.reshape(groups, terms, width)
    kernels = taps.reshape(groups, rows, terms)
    answer = np.empty((groups, rows, width))
    piece = max(_LEAST_ROWS, _SMALL // (terms * width)) if 1 < width <= _FEW else rows
    for start in range(0, rows, piece):
        part = slice(start, start + piece)
        np.matmul(kernels[:, part], flat, out=answer[:, part])
    return answer.reshape(groups * rows, copies, count)


def _spread(answer: Real, taps: Real, positions: Positions, columns: Real) -> None:
    """Overlap-add on a circle, into an answer (groups, rows, copies, P, L).

    Every tap's answer lands at ``m L + position``, modulo ``P L``: in one phase, as many samples
    later as whole factors fit into the position.
    """
    groups, rows, per_group, tap_count = taps.shape
    copies, count, factor = answer.shape[2:]
    kernels = taps.transpose(0, 2, 1, 3).reshape(groups, per_group, rows * tap_count)
    flat = columns.reshape(groups, per_group, copies * count)
    # Samples times kernels, not the other way round: the large factor is then read as it is
    # stored, which takes half the time where samples are few.
    spread = (flat.swapaxes(1, 2) @ kernels).reshape(groups, copies, count, rows, tap_count)
    landing = spread.transpose(0, 3, 1, 2, 4)
    # Without dilation, taps of one factor are neighbours in phase, too, and land together.
    neighbours = tap_count > 1 and int(positions[1] - positions[0]) == 1
    first = 0
    while first < tap_count:
        late, phase = divmod(int(positions[first]), factor)
        turn = late % count
        last = min(first + factor - phase, tap_count) if neighbours else first + 1
        phases = slice(phase, phase + last - first)
        answer[..., turn:, phases] += landing[..., : count - turn, first:last]
        if turn:
            answer[..., :turn, phases] += landing[..., count - turn :, first:last]
        first = last


def _by_slot(taps: Real, positions: Positions, columns: Real, factor: int, slots: int) -> Real:
    """Answer for many taps and few slots of ``L`` output samples, one slot after another.

    On a circle of P input samples, taps a whole turn apart do the same and are added up first;
    the taps of one slot see the same input sample and are one product.
    """
    groups, rows, per_group, _ = taps.shape
    copies, count = columns.shape[2:]
    refuse_beyond_memory(
        groups * rows * per_group * slots * factor, "the folded taps", fix="use fewer taps"
    )
    first = int(positions.min()) // factor
    index = (positions - first * factor) % (slots * factor)
    if int(positions.max()) // factor - first < slots:
        index = positions - first * factor
    folded = np.array(
        [
            np.bincount(index, weights=row, minlength=slots * factor)
            for row in taps.reshape(-1, taps.shape[3])
        ]
    ).reshape(groups, rows, per_group, slots, factor)
    flat = columns.reshape(groups, per_group, copies * count)
    answer = np.zeros((groups * rows, factor, copies, count))
    for slot in range(slots):
        kernel = folded[:, :, :, slot].transpose(0, 1, 3, 2).reshape(groups, -1, per_group)
        piece = (kernel @ flat).reshape(answer.shape)
        answer += np.roll(piece, first + slot, axis=3)
    return answer.transpose(0, 2, 3, 1).reshape(groups * rows, copies, count * factor)


def by_phase(dense: Real, start: int, factor: int) -> Real:
    """Return the sum of the taps of each phase; tap ``r`` stands at output sample ``r + start``.

    Parameters
    ----------
    dense : array (out, in, reach)

    Returns
    -------
    array (out, in, factor)
    """
    lead = start % factor
    slots = -(-(lead + dense.shape[2]) // factor)
    refuse_beyond_memory(
        dense.shape[0] * dense.shape[1] * slots * factor,
        "the phases",
        fix="ask for the layers one by one",
    )
    padded = np.zeros((*dense.shape[:2], slots * factor))
    padded[:, :, lead : lead + dense.shape[2]] = dense
    summed = padded.reshape(*dense.shape[:2], slots, factor).sum(axis=2)
    return np.asarray(summed)
