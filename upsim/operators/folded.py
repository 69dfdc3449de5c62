"""The taps of two filters in turn, and of a filter over fewer groups."""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from upsim.operators.length import LengthRule
from upsim.words.arguments import refuse_beyond_memory
from upsim.words.frozen import frozen

if TYPE_CHECKING:
    from upsim.operators.stretch_fir import StretchFIR

Real = NDArray[np.float64]

#: Products of a fold that are made in one call (512 KiB).
_SMALL = 2**16


def folded_taps(first: StretchFIR, second: StretchFIR) -> tuple[Real, int]:
    r"""Return the taps of two filters in turn and the groups that both keep apart.

    .. math:: h[n] = \sum_{L_2 k + D_1 i = n} h_2[i]\, h_1[k]

    with the stretch ``L2`` of the second filter and the decimation ``D1`` of the first.

    Returns
    -------
    taps : array (out, in / groups, reach)
    groups : int
    """
    mine, theirs = undilated(first), undilated(second)
    step, far = second.factor, first.down
    span = (theirs.shape[2] - 1) * far + 1
    reach = (mine.shape[2] - 1) * step + span
    groups = gcd(first.groups, second.groups)
    inward = first.in_channels // groups
    refuse_beyond_memory(
        second.out_channels * inward * reach,
        "the folded taps",
        fix="ask for the layers one by one",
    )
    if first.by_channel or second.by_channel:
        # No sum over the channels between: each pair of kernels is convolved.
        if first.by_channel:
            apart = mine[:, 0].reshape(groups, 1, inward, -1)
            rows = second.out_channels // groups
            mine = np.repeat(apart, rows, axis=1).reshape(*theirs.shape[:2], -1)
        pairs = np.zeros((*mine.shape[:2], reach))
        for tap in range(mine.shape[2]):
            start = tap * step
            pairs[..., start : start + span : far] += mine[..., tap, None] * theirs
        return pairs, groups
    mine = regrouped(mine, first.groups, groups)
    theirs = regrouped(theirs, second.groups, groups)
    out, inner = second.out_channels // groups, first.out_channels // groups
    left = mine.reshape(groups, inner, inward, mine.shape[2])
    right = theirs.reshape(groups, out, inner, theirs.shape[2]).transpose(0, 3, 1, 2)
    taps = np.zeros((groups, reach, out, inward))
    if taps.size * mine.shape[2] <= _SMALL:
        # One product for all taps: calls, not sums, are what small operators cost.
        pieces = right @ left.reshape(groups, 1, inner, -1)
        pieces = pieces.reshape(*pieces.shape[:3], *left.shape[2:])
        for tap in range(mine.shape[2]):
            taps[:, tap * step : tap * step + span : far] += pieces[..., tap]
    else:
        for tap in range(mine.shape[2]):
            taps[:, tap * step : tap * step + span : far] += right @ left[:, None, :, :, tap]
    return taps.transpose(0, 2, 3, 1).reshape(second.out_channels, inward, reach), groups


def undilated(operator: StretchFIR) -> Real:
    """Return the taps with the dilation written out, (out, in / groups, reach)."""
    if operator.dilation == 1:
        return operator.taps
    refuse_beyond_memory(
        operator.out_channels * operator.taps.shape[1] * operator.reach,
        "the taps with their dilation",
        fix="ask for the layers one by one",
    )
    taps = np.zeros((*operator.taps.shape[:2], operator.reach))
    taps[:, :, :: operator.dilation] = operator.taps
    return taps


def regrouped(taps: Real, groups: int, fewer: int) -> Real:
    """Return taps (out, in / groups, K) over fewer groups, (out, in / fewer, K)."""
    if groups == fewer:
        return taps
    out, per_group, count = taps.shape
    together = groups // fewer
    refuse_beyond_memory(
        taps.size * together, "the taps without groups", fix="ask for the layers one by one"
    )
    wide = np.zeros((fewer, together, out // groups, together, per_group, count))
    split = taps.reshape(fewer, together, out // groups, per_group, count)
    each = np.arange(together)
    # The two axes that are indexed together come first.
    wide[:, each, :, each] = split.swapaxes(0, 1)
    return wide.reshape(out, together * per_group, count)


def coprime(
    taps: Real,
    factor: int,
    down: int,
    *,
    groups: int,
    offset: Real | None,
    left: int,
    length: LengthRule,
    padding_mode: str = "zeros",
) -> StretchFIR:
    """Return a stretch-FIR of a given length law, divisors of stretch and decimation taken out.

    With ``g`` a common divisor, ``n D = m L + p`` holds for taps at places ``p`` that are multiples
    of ``g`` and for no others.  The tap ``k`` is at ``p = k - left``.
    """
    from upsim.operators.stretch_fir import StretchFIR

    common = gcd(factor, down)
    if common > 1:
        first = left % common
        taps, left = taps[..., first::common], (left - first) // common
        factor, down = factor // common, down // common
        if not taps.shape[2]:
            taps = np.zeros((*taps.shape[:2], 1))
    law, extra = length.reduced(), 0
    single = len(law.steps) < 2
    if law.steps and single:
        extra = law.steps[0][2]
    return StretchFIR(
        frozen(np.ascontiguousarray(taps)),
        factor,
        down=down,
        groups=groups,
        offset=offset,
        crop=(left, taps.shape[2] - factor + down - 1 - left - extra),
        padding_mode=padding_mode,
        law=None if single else law,
    )
