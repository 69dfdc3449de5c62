r"""A layer of given weights on channels that are known by their statistics.

Output o of independent channels c has the mean :math:`\sum_c h_{oc} * m_c` and, as its covariance,
the sum over the channels of theirs, filtered by the taps on both times: exact for any taps.
Outputs that read the same channel are not independent of each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

from upsim.errors import NotPredictableError
from upsim.network.node import spoken
from upsim.operators import Operator, StretchFIR
from upsim.operators.repeating import Repeating
from upsim.operators.two_time import TwoTime
from upsim.theory.moments.channels import Channels, Shares, filtered_mean, runs

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class GivenLayer:
    """A filter and a decimation after it.

    Parameters
    ----------
    fir : StretchFIR
    stride : int
    """

    fir: StretchFIR
    stride: int

    @classmethod
    def of(cls, operator: Operator, label: str) -> GivenLayer:
        """Return an operator in this form."""
        if not isinstance(operator, StretchFIR):
            raise NotPredictableError(
                "a layer that depends on the input phase has no expectation here",
                given=f"{spoken(label)}, a map of {operator.down} input samples to {operator.up}",
                fix="stack = stack.draw(seed=0), and predict that one network",
            )
        if operator.down == 1:
            return cls(operator, 1)
        # What is added behind the decimation is added to the samples that it keeps.
        offset = operator.offset
        if offset is not None:
            offset = np.repeat(offset, operator.down, axis=1)
        fir = StretchFIR(
            operator.taps,
            operator.factor,
            dilation=operator.dilation,
            groups=operator.groups,
            offset=offset,
            crop=operator.crop,
        )
        return cls(fir, operator.down)

    @cached_property
    def _reads(self) -> NDArray[np.bool_]:
        """Which of its group's input channels each output reads, (out, in per group)."""
        return np.asarray(self.fir.taps.any(axis=2))

    @property
    def adds_channels(self) -> bool:
        """Whether any output is made of more than one input channel."""
        return bool(self._reads.sum(axis=1).max() > 1)

    @property
    def terms(self) -> int:
        """Independent terms that any output sample adds up at least: its channels."""
        return max(1, int(self._reads.sum(axis=1).min()))

    @property
    def shares_channels(self) -> bool:
        """Whether any input channel is read by more than one output."""
        by_group = self._reads.reshape(self.fir.groups, -1, self._reads.shape[1])
        return bool(by_group.sum(axis=1).max() > 1)

    def behind(self, groups: Sequence[Channels], *, with_bias: bool) -> list[Channels]:
        """Return the output channels, neighbours that are alike as one group."""
        fir, (_, inward) = self.fir, self._reads.shape
        outward = fir.out_channels // fir.groups
        group_of = np.repeat(np.arange(len(groups)), [group.count for group in groups])
        offset = fir.offset if with_bias else None
        found: list[tuple[Channels, int]] = []
        last: tuple[Array, ...] = ()
        for output, count in _runs(fir, group_of, offset):
            own = np.flatnonzero(self._reads[output])
            members = group_of[output // outward * inward + own]
            added_on = np.zeros(1) if offset is None else offset[output]
            key = (members, fir.taps[output, own], added_on)
            if last and all(map(np.array_equal, key, last)):
                found[-1] = (found[-1][0], found[-1][1] + count)
                continue
            last = key
            starts = np.flatnonzero(np.diff(members, prepend=-1))
            sizes = np.diff(starts, append=members.size)
            shares = tuple(zip(members[starts].tolist(), sizes.tolist(), strict=True))
            mean, covariance = filtered(groups, shares, key[1], fir)
            made = Channels(1, mean, covariance.reduced()).moved(Repeating(added_on))
            found.append((made.decimated(self.stride), count))
        return [made.counted(count) for made, count in found]


def filtered(
    groups: Sequence[Channels], shares: Shares, taps: Array, fir: StretchFIR
) -> tuple[Repeating, TwoTime]:
    r"""Return mean and covariance of one output of fixed taps over independent channels.

    With ``h_c`` the kernel of channel c, independent channels add as
    :math:`S = \sum_c h_c h_c^T`; their common mean passes through :math:`\sum_c h_c`.

    Parameters
    ----------
    shares : tuple of (group, count)
        The groups of the input channels, in their order.
    taps : array (in, K)
    fir : StretchFIR
        For the places of the taps.
    """
    means, parts, first = [], [], 0
    for number, count in shares:
        own, group = taps[first : first + count], groups[number]
        first += count
        if not own.any():
            continue
        parts.append(group.covariance.through_taps(own.T @ own, fir.positions, fir.factor))
        means.append(filtered_mean(group.mean, own.sum(axis=0), fir.positions, fir.factor))
    if not parts:
        return Repeating.constant(0.0), TwoTime(np.zeros((1, 1)), np.zeros((1, 1)))
    return reduce(add, means).shortest(), reduce(add, parts)


def _runs(
    fir: StretchFIR, group_of: NDArray[np.intp], offset: Array | None
) -> list[tuple[int, int]]:
    """Return output channels, and how many that follow are like them as far as is seen at once."""
    if not fir.groups == fir.out_channels == fir.in_channels:
        return [(output, 1) for output in range(fir.out_channels)]
    taps = fir.taps[:1] if fir.taps.strides[0] == 0 else fir.taps
    biases = np.zeros((1, 1)) if offset is None else offset
    return runs(fir.out_channels, group_of, taps, biases)
