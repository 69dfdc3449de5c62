r"""The cheaper form of a covariance: channels taken as independent, only ``c = c'`` is kept.

A layer of many random weights mixes its channels so that what one has in common with another
nearly averages out; the more channels, the better.  It is chosen where the covariance of all pairs
would not fit the memory that is allowed, and the prediction says so.

Where branches meet, a channel of one is kept together with the same channel of the other, through
whatever acts on each channel by itself.  What a layer has mixed is taken as unrelated to what it
came from: of a sum over C independent channels, any one of them is a share of 1/C.  Long layers
reach far, but weakly: lags that hold less than 1e-4 of the power are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from upsim.operators import Operator, PolyphaseMatrix, StretchFIR
from upsim.theory.moments.covariance import Covariance, aligned, mirrored

Array = NDArray[np.float64]

#: What the lags that are cut may hold, as a share of a channel's power.
SHARE = 1e-4


@dataclass(frozen=True, eq=False)
class IndependentCovariance(Covariance):
    """Covariances of independent channels, each with its own; ``values`` is (P, T, 1, C)."""

    per_channel: ClassVar[bool] = True

    @classmethod
    def of(cls, covariance: Covariance) -> IndependentCovariance:
        """Return the diagonal of an autocovariance."""
        if isinstance(covariance, IndependentCovariance):
            return covariance
        kept = np.einsum("ptcc->ptc", covariance.values)[:, :, None, :]
        return cls(np.ascontiguousarray(kept), covariance.starts, covariance.period)

    @classmethod
    def unrelated(cls, channels: int, ratio: Fraction) -> IndependentCovariance:
        """Return the zero covariance with a signal of ``ratio`` samples to each of this one's."""
        count, period = ratio.denominator, ratio.numerator
        starts = np.arange(count) * period // count
        return cls(np.zeros((count, 1, 1, channels)), starts, period)

    def through(self, operator: Operator) -> IndependentCovariance:
        """Return the covariance of x and ``A y``, for an A that filters each channel by itself."""
        made = super().through(operator)
        return IndependentCovariance(made.values, made.starts, made.period)

    def transposed(self) -> Self:
        """Return the same channels with the time of y first."""
        moved = Covariance(self.values, self.starts, self.period).transposed()
        return replace(
            self, values=moved.values.swapaxes(2, 3), starts=moved.starts, period=moved.period
        )

    def on_both_sides(self, operator: Operator) -> IndependentCovariance:
        r"""Return the autocovariances of ``A x``, output by output.

        .. math:: R_o = \sum_c A_{oc} R_c A_{oc}^T
        """
        outputs = range(operator.out_channels)
        return self._pairs_through(operator, outputs, outputs).shortened()

    def shortened(self) -> Self:
        r"""Return an autocovariance without the lags that hold next to nothing.

        Cut are lags beyond D with :math:`\sum_{|d| > D} \max |R[d]| \le 10^{-4} R[0]` in every
        channel, the largest over the phases: no frequency of the density, averaged over time,
        changes by more than that share of a channel's power per sample.
        """
        record = self.centred()
        reach = record.width // 2
        largest = np.abs(record.values[:, :, 0]).max(axis=0)
        power = record.variance().mean(axis=0)
        sides = largest[:reach][::-1] + largest[reach + 1 :]
        beyond = np.cumsum(sides[::-1], axis=0)[::-1]
        kept = int(np.count_nonzero(np.any(beyond > SHARE * power, axis=1)))
        if kept == reach:
            return record
        values = np.ascontiguousarray(record.values[:, reach - kept : reach + kept + 1])
        return replace(record, values=values, starts=np.arange(record.phases) - kept)

    def halves_through(self, operator: Operator) -> IndependentCovariance:
        """Return the covariance of output o of the first half with its partner in the second.

        The operator mixes channels; one that does not gives independent halves nothing in common.
        """
        half = operator.out_channels // 2
        return self._pairs_through(operator, range(half), range(half, 2 * half))._trimmed()

    def _pairs_through(
        self, operator: Operator, first: Sequence[int], second: Sequence[int]
    ) -> IndependentCovariance:
        r"""Return :math:`\sum_c A_{oc} R_c A_{o'c}^T` for pairs of outputs o, o'."""
        if isinstance(operator, StretchFIR) and operator.down == 1:
            return self._by_taps(operator, first, second)
        matrix = operator.polyphase()
        tiled = self.over(1, matrix.down)
        parts = [
            _filtered(tiled, matrix, matrix.blocks[:, other].swapaxes(2, 3)).transposed()
            for other in second
        ]
        whole = [
            _filtered(part, matrix, matrix.blocks[:, one].swapaxes(2, 3)).transposed()
            for one, part in zip(first, parts, strict=True)
        ]
        values = [each.values.sum(axis=3, keepdims=True) for each in whole]
        return replace(whole[0], values=np.concatenate(values, axis=3))

    def _by_taps(
        self, operator: StretchFIR, first: Sequence[int], second: Sequence[int]
    ) -> IndependentCovariance:
        """Add, for each two taps, what two samples that they reach have in common: one GEMM each.

        Input p and p + d leave at ``n = p L + t`` and ``n + d L + t' - t`` by taps at t and t'.
        """
        record, factor = self.centred(), operator.factor
        samples, reach = record.values[:, :, 0], record.width // 2
        places, taps = operator.positions, _by_group(operator)
        one, two = taps[list(first)], taps[list(second)]
        alone, same = taps.shape[1] == 1, first == second
        phases = record.phases * factor
        far = reach * factor + operator.reach - 1
        # An autocovariance follows from its lags from 0 on.
        begin = 0 if same else -far
        answer = np.zeros((phases, far - begin + 1, len(one)))
        for (k, here), (other, there) in product(enumerate(places), repeat=2):
            weights = one[:, :, k] * two[:, :, other]
            if not weights.any():
                continue
            shift = int(there - here)
            least = max(-reach, -((shift - begin) // factor))
            lags = slice(least * factor + shift - begin, None, factor)
            wanted = samples[:, least + reach :]
            made = wanted * weights[:, 0] if alone else wanted @ weights.T
            lead = int(here) % phases
            before_end = -(-(phases - lead) // factor)
            answer[lead::factor, lags][:, : made.shape[1]] += made[:before_end]
            answer[lead % factor : lead : factor, lags][:, : made.shape[1]] += made[before_end:]
        if same:
            answer = mirrored(answer[:, :, None], per_channel=True)[:, :, 0]
        starts = np.arange(phases) - far
        return IndependentCovariance(answer[:, :, None], starts, phases)

    def variance(self) -> Array:
        """Return the variances, (P, C)."""
        return np.maximum(self.lagged(0)[:, 0], 0.0)

    def averaged(self) -> Array:
        """Return each channel's autocovariance, averaged over time: (2 D + 1, C)."""
        return np.asarray(self.centred().values[:, :, 0].mean(axis=0))


def filters_each(operator: Operator) -> bool:
    """Return True if an operator filters each channel by itself."""
    return isinstance(operator, StretchFIR) and operator.by_channel


def independent(autocovariance: Array) -> IndependentCovariance:
    """Return it for stationary channels, from lags -D to D, shape (2 D + 1, C)."""
    starts = np.array([-(len(autocovariance) // 2)])
    return IndependentCovariance(autocovariance[None, :, None], starts, 1)


def side_by_side(parts: Sequence[Covariance]) -> IndependentCovariance:
    """Return the autocovariances of channels that are stacked."""
    parts = aligned([IndependentCovariance.of(part) for part in parts])
    values = np.concatenate([part.values for part in parts], axis=3)
    return IndependentCovariance(values, parts[0].starts, parts[0].period)


def _by_group(operator: StretchFIR) -> Array:
    """Return the taps, (out, in, K), groups written out but where each channel is by itself."""
    out, width, count = operator.taps.shape
    if operator.groups == 1 or (width == 1 and operator.groups == out):
        return operator.taps
    dense = np.zeros((out, operator.in_channels, count))
    rows = out // operator.groups
    for group in range(operator.groups):
        chosen = slice(group * rows, (group + 1) * rows)
        dense[chosen, group * width : (group + 1) * width] = operator.taps[chosen]
    return dense


def _filtered(
    record: IndependentCovariance, matrix: PolyphaseMatrix, taps: Array
) -> IndependentCovariance:
    """Filter each channel of y by its own taps (J, up, down, C); no sum over channels."""
    up, down = matrix.up, matrix.down
    count, width, _, channels = record.values.shape
    lead = record.starts % down
    blocks = -(-(int(lead.max()) + width) // down)
    padded = np.zeros((count, blocks * down, channels))
    padded[np.arange(count)[:, None], lead[:, None] + np.arange(width)] = record.values[:, :, 0]
    parts = padded.reshape(count, blocks, down, channels)
    answer = np.zeros((count, blocks + len(taps) - 1, up, channels))
    for j, phase, part in np.ndindex(len(taps), up, down):
        tap = taps[j, phase, part]
        if tap.any():
            answer[:, j : j + blocks, phase] += parts[:, :, part] * tap
    starts = (record.starts // down + matrix.first) * up
    values = answer.reshape(count, -1, 1, channels)
    return replace(record, values=values, starts=starts, period=record.period // down * up)
