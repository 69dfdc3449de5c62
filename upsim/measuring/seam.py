"""A linear layer on a circle, run as it is, and once more where the ends meet.

A layer that is fed one turn of a circle is right but near its ends, where it sees its own padding.
So only the few samples about the seam are run again, with what stands beyond it.  To turn and
lengthen the whole value instead copies all of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from upsim.errors import ShapeError
from upsim.layers.base import Layer
from upsim.neural.backends import Backend
from upsim.operators import Operator
from upsim.verification.witness import Circle, seen_by

#: A seam is run again where it is at most so small a part of the turn.
_WORTH = 64


@dataclass(frozen=True)
class Seam:
    """Which samples of a layer's output are run again.

    Parameters
    ----------
    count : int
        Samples of the output's turn.
    tail : int
        So many of them stand before the seam.
    again : Circle or None
        What is fed for them and for those behind the seam; None where there are none.
    """

    count: int
    tail: int
    again: Circle | None

    @classmethod
    def of(cls, operator: Operator, layer: Layer, given: int) -> Seam | None:
        """Return the seam of a turn of ``given`` samples; None where all is as well run anew."""
        up, down = operator.up, operator.down
        own = 1 if operator.offset is None else operator.offset.shape[1]
        if given % down or up % own:
            return None
        blocks = given // down
        try:
            made = layer.output_length(given)
        except ShapeError:
            return None
        if made < blocks * up:
            return None
        # Block b sees the inputs from b D + first to b D + last.
        first, last = seen_by(operator)
        spared = -(-max(0, -first) // down)
        ends = min(blocks, max(0, (given - 1 - last) // down + 1))
        missing = blocks - ends + spared
        if not missing:
            return cls(blocks * up, 0, None)
        if _WORTH * missing > blocks:
            return None
        length = max(spared + missing, spared + missing - 1 + last // down + 1) * down
        while (short := (spared + missing) * up - _made(layer, length)) > 0:
            length += -(-short // up) * down
        again = Circle((ends - spared) * down, length, spared * up, missing * up)
        return cls(blocks * up, (blocks - ends) * up, again)

    def run(self, backend: Backend, layer: Layer, value: Any) -> Any:
        """Return a turn of the output for a turn of the input, on the backend."""
        made = backend.layer(layer, value)[:, :, : self.count]
        if self.again is None:
            return made
        fed = backend.turned(value, self.again.start, self.again.length)
        piece = backend.layer(layer, fed)
        begin, middle = self.again.begin, self.again.begin + self.tail
        made = backend.own(made, value)
        made[:, :, self.count - self.tail :] = piece[:, :, begin:middle]
        end = self.again.begin + self.again.count
        made[:, :, : end - middle] = piece[:, :, middle:end]
        return made


def _made(layer: Layer, length: int) -> int:
    """Return how many samples a layer makes; none where the input is too short for it."""
    try:
        return layer.output_length(length)
    except ShapeError:
        return 0
