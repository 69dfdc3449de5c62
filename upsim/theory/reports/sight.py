r"""What a layer's output sees of its input, and how far two cuts in the input reach.

Output sample ``n = b U + i`` of a layer sees the input samples from ``b D + first_i`` to
``b D + last_i``.  Where the input is known from sample ``s`` on, the output is known from

.. math::

    1 + \max_i\, \{ b U + i : b D + \mathrm{first}_i < s \}
    = 1 + \max_i \Bigl( \Bigl\lceil \frac{s - \mathrm{first}_i}{D} \Bigr\rceil - 1 \Bigr) U + i

on, and where it is known up to sample ``e`` (not included), up to

.. math::

    \min_i\, \{ b U + i : b D + \mathrm{last}_i \ge e \}
    = \min_i \Bigl\lceil \frac{e - \mathrm{last}_i}{D} \Bigr\rceil U + i .
"""

from __future__ import annotations

from math import gcd
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from upsim.errors import NotPredictableError, TooLargeError
from upsim.layers.base import LinearLayer
from upsim.operators.random_taps import ApartTaps, RandomBias, RandomTaps
from upsim.words.arguments import refuse_beyond_memory

Counts = NDArray[np.int64]

#: A cut so far away that no layer sees it.
FAR = 2**60


class Sight(NamedTuple):
    """The first and the last input sample that each phase of a layer's output sees."""

    up: int
    down: int
    first: NDArray[np.intp]
    last: NDArray[np.intp]

    def known_from(self, start: Counts) -> Counts:
        """Return the output sample from which all are known, for inputs known from ``start``."""
        blocks = self._blocks(start, self.first)
        if blocks is None:
            return np.full_like(start, -FAR)
        made = ((blocks - 1) * self.up + self._phases[:, None]).max(axis=0) + 1
        return np.where(start <= -FAR, -FAR, made)

    def known_until(self, end: Counts) -> Counts:
        """Return the output sample up to which all are known, for inputs known up to ``end``."""
        blocks = self._blocks(end, self.last)
        if blocks is None:
            return np.full_like(end, FAR)
        made = (blocks * self.up + self._phases[:, None]).min(axis=0)
        return np.where(end >= FAR, FAR, made)

    @property
    def _phases(self) -> NDArray[np.intp]:
        return np.flatnonzero(self.last >= self.first)

    def _blocks(self, cut: Counts, seen: NDArray[np.intp]) -> Counts | None:
        """Return the first block whose sample ``seen`` is at a cut or behind it, (phases, cuts)."""
        phases = self._phases
        if not phases.size:
            return None
        near = np.where(np.abs(cut) >= FAR, 0, cut)
        if (int(np.abs(near).max(initial=0)) // self.down + 1) * self.up >= FAR:
            raise TooLargeError(
                "the output has too many samples to be counted",
                given=f"{int(np.abs(near).max())} samples times {self.up} / {self.down}",
                fix="a shorter input",
            )
        refuse_beyond_memory(
            4 * phases.size * cut.size, "the phases of a layer", fix="smaller strides"
        )
        return np.asarray(-((seen[phases, None] - near) // self.down))


def sight(layer: LinearLayer, channels: int) -> Sight:
    """Return what a layer's output sees of its input: where its taps stand, open or drawn."""
    try:
        parts = layer.in_expectation(channels)
    except NotPredictableError:
        parts = ()
    part, *more = (each for each in parts if not isinstance(each, RandomBias)) if parts else (None,)
    if more or not isinstance(part, RandomTaps | ApartTaps):
        # Given weights, or a layer that is no single kernel before it is drawn.
        operator = layer.draw(np.random.default_rng(0)).operator(channels)
        return Sight(operator.up, operator.down, *operator.support())
    stride = part.stride if isinstance(part, RandomTaps) else 1
    whole = gcd(part.factor, stride)
    up = part.factor // whole
    first, last = np.zeros(up, dtype=np.intp), np.full(up, -1, dtype=np.intp)
    for phase in range(up):
        # Output sample `phase` is sample phase stride of the filter's output, where the tap at p
        # stands over input sample (phase stride - p) / factor, if that is whole.
        looks = phase * stride - part.positions
        seen = looks[looks % part.factor == 0] // part.factor
        if seen.size:
            first[phase], last[phase] = seen.min(), seen.max()
    return Sight(up, stride // whole, first, last)
