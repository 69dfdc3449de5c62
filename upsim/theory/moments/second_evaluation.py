"""A second evaluation with larger roundings: how far rounding moves what normalisations pass on.

A bound on the largest error of a channel passes every layer at its largest gain.  A normalisation
divides by what is left of the signal, so behind several of them such a bound has lost all touch
with the error.  There the period is carried a second time, and each rounding on the way is made
:data:`LARGER` times as large, with random signs.  Its distance from the period, divided by that
number, is the error: it passes the same gains, and cancels where errors cancel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from upsim.operators.repeating import Repeating
from upsim.theory.moments.merging import merged_samples
from upsim.theory.moments.passed_error import largest

Array = NDArray[np.float64]

#: A power of two between one rounding and the square root of it: 1e-16 becomes 1e-10, which a
#: gain of a million still passes in proportion.
LARGER = 2.0**20

#: Samples of a channel at least, over all copies: their largest is seldom small by chance.
_SAMPLES = 16


@dataclass(frozen=True, eq=False)
class SecondEvaluation:
    """Copies of a period with larger roundings, (copies, channels, P)."""

    copies: Array

    @classmethod
    def of(cls, period: Array, error: Array, label: str) -> Self:
        """Begin with a period (channels, P) and the error (channels,) that it has so far."""
        count = max(1, -(-_SAMPLES // period.shape[1]))
        return cls(np.repeat(period[None], count, axis=0)).rounded(error, label)

    def rounded(self, error: Array, label: str) -> Self:
        """Move each sample by an error (channels,), up or down by chance; a label seeds it."""
        signs = np.random.default_rng(crc32(label.encode())).integers(0, 2, self.copies.shape)
        return replace(self, copies=self.copies + (LARGER * error)[:, None] * (2 * signs - 1))

    def through(self, function: Callable[[Array], Array]) -> Self:
        """Apply what is done to a period to each copy."""
        return replace(self, copies=function(self.copies))

    def error(self, period: Array) -> Array:
        """Return how far rounding may have moved the samples of a period, (channels,)."""
        return np.asarray(largest(self.copies - period).max(axis=0) / LARGER)


def merged_evaluations(
    parts: Sequence[SecondEvaluation], whole: int, merging: str
) -> SecondEvaluation:
    """Return the copies of values that meet, over their common period ``whole``."""
    count = max(len(part.copies) for part in parts)
    over = [Repeating(np.resize(part.copies, (count, *part.copies.shape[1:]))) for part in parts]
    made = merged_samples([each.over(whole) for each in over], merging)
    return SecondEvaluation(made)
