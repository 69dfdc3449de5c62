"""The cheaper form of a covariance: channels taken as independent, only ``c = c'`` is kept.

A layer of many random weights mixes its channels so that what one has in common with another
nearly averages out; the more channels, the better.  It is chosen where the covariance of all pairs
would not fit the memory that is allowed, and the prediction says so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import lcm
from typing import NoReturn, Self

import numpy as np
from numpy.typing import NDArray

from upsim.errors import TooLargeError
from upsim.operators import Operator, PolyphaseMatrix
from upsim.theory.moments.covariance import Covariance

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class IndependentCovariance(Covariance):
    """Autocovariances of independent channels; ``values`` has the shape (P, T, 1, C)."""

    @classmethod
    def of(cls, covariance: Covariance) -> IndependentCovariance:
        """Return the diagonal of an autocovariance."""
        if isinstance(covariance, IndependentCovariance):
            return covariance
        kept = np.einsum("ptcc->ptc", covariance.values)[:, :, None, :]
        return cls(np.ascontiguousarray(kept), covariance.starts, covariance.period)

    def through(self, operator: Operator) -> NoReturn:
        """Refuse: what meets what it came from needs all pairs."""
        raise self._refusal()

    def scaled(self, left: Array, right: Array | None = None) -> Self:
        """Multiply x by ``left[p, c]`` and y by ``right[p', c]``, both periodic."""
        found = self.over(len(left), 1 if right is None else len(right))
        values = found.values * left[np.arange(found.phases) % len(left)][:, None, None, :]
        if right is not None:
            values *= right[found.moments() % len(right)][:, :, None, :]
        return replace(found, values=values)

    def _refusal(self) -> TooLargeError:
        return TooLargeError(
            "branches that meet need the covariances of all channels, which do not fit",
            given="more than the memory that is allowed",
            fix="predict(..., memory=<bytes>) for more, or fewer channels",
        )

    def transposed(self) -> Self:
        """Return the same channels with the time of y first."""
        moved = Covariance(self.values, self.starts, self.period).transposed()
        return replace(
            self, values=moved.values.swapaxes(2, 3), starts=moved.starts, period=moved.period
        )

    def on_both_sides(self, operator: Operator) -> Self:
        r"""Return the autocovariances of ``A x``, output by output.

        .. math:: R_o = \sum_c A_{oc} R_c A_{oc}^T
        """
        matrix = operator.polyphase()
        times = lcm(self.period, matrix.down) // self.period
        outputs = [_one_output(self.tiled(times), matrix, o) for o in range(matrix.out_channels)]
        values = np.concatenate([output.values for output in outputs], axis=3)
        return replace(self, values=values, starts=outputs[0].starts, period=outputs[0].period)

    def variance(self) -> Array:
        """Return the variances, (P, C)."""
        return np.maximum(self.lagged(0)[:, 0], 0.0)

    def averaged(self) -> Array:
        """Return each channel's autocovariance, averaged over time: (2 D + 1, C)."""
        return np.asarray(self.centred().values[:, :, 0].mean(axis=0))


def _one_output(
    record: IndependentCovariance, matrix: PolyphaseMatrix, output: int
) -> IndependentCovariance:
    half = _by_channel(record, matrix, output).transposed()
    whole = _by_channel(half, matrix, output).transposed()
    return replace(whole, values=whole.values.sum(axis=3, keepdims=True))


def _by_channel(
    record: IndependentCovariance, matrix: PolyphaseMatrix, output: int
) -> IndependentCovariance:
    """Filter each channel of y by its own taps to one output; nothing is summed over channels."""
    up, down = matrix.up, matrix.down
    count, width, _, channels = record.values.shape
    lead = record.starts % down
    blocks = -(-(int(lead.max()) + width) // down)
    padded = np.zeros((count, blocks * down, channels))
    padded[np.arange(count)[:, None], lead[:, None] + np.arange(width)] = record.values[:, :, 0]
    parts = padded.reshape(count, blocks, down, channels)
    taps = matrix.blocks[:, output]
    answer = np.zeros((count, blocks + len(taps) - 1, up, channels))
    for j, phase, part in np.ndindex(len(taps), up, down):
        tap = taps[j, phase, :, part]
        if tap.any():
            answer[:, j : j + blocks, phase] += parts[:, :, part] * tap
    starts = (record.starts // down + matrix.first) * up
    values = answer.reshape(count, -1, 1, channels)
    return replace(record, values=values, starts=starts, period=record.period // down * up)
