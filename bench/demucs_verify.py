"""The judgement of a whole Demucs, against its prediction and the witness's shortest run.

``upsim.verify`` predicts and judges every claim.  Instead one would run the layers in NumPy on the
shortest input whose output holds one period that sees no end, and compare by hand.  The target:
``verify`` costs at most the prediction and two such runs.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from timing import Result, in_turn, report

import upsim
from upsim import neural
from upsim.errors import ShapeError
from upsim.theory.reports.boundaries import boundary_report

TURNS = 3


def fits(stack: upsim.Stack, length: int) -> bool:
    """Return True if an input leaves a sample after each layer, and branches equally long."""
    try:
        stack.lengths(length)
    except ShapeError:
        return False
    return True


def shortest_input(stack: upsim.Stack, period: int) -> int:
    """Return the fewest input samples whose output holds a period that sees no end."""
    length = next(n for n in range(1, 100 * period) if fits(stack, n))
    while True:
        if fits(stack, length):
            edges = boundary_report(stack, length).transients[-1]
            if stack.output_length(length) - edges.left - edges.right >= period:
                return length
        # Branches agree for one remainder of the strides.
        length += period


def main() -> None:
    stack, signal = upsim.models.demucs().draw(0), upsim.Constant(1.0)
    answer = upsim.predict(stack, signal)
    period = max(tone.fraction.denominator for tone in answer.tones)
    length = shortest_input(stack, period)
    samples = np.ones((stack.in_channels, length))
    judged, run = in_turn(
        partial(upsim.verify, stack, signal), partial(neural.run, stack, samples), turns=TURNS
    )
    predicted, _ = in_turn(partial(upsim.predict, stack, signal), lambda: None, turns=TURNS)
    allowed = predicted + 2 * run
    report(
        Result(
            "every claim about a whole Demucs",
            "`verify(stack, Constant(1.0))`",
            f"`predict` and two NumPy runs of {length} samples, the shortest that hold the period",
            judged,
            allowed,
            "at most as long",
            judged <= allowed,
            f"the prediction takes {predicted:.2f} s, one run {run:.2f} s",
        )
    )


if __name__ == "__main__":
    main()
