"""Five minutes of music through a linear stack, against the plain NumPy run of its layers."""

from __future__ import annotations

import resource

import numpy as np
from timing import Result, in_turn, report

import upsim
from upsim import neural

SAMPLE_RATE = 44100
SECONDS = 300
TURNS = 3


def main() -> None:
    layers = [
        upsim.TransposedConv(given, made, 4, 2, 1) for given, made in ((1, 8), (8, 8), (8, 1))
    ]
    stack = upsim.Stack(layers, SAMPLE_RATE).draw(0)
    count = int(SECONDS * stack.input_rate)
    samples = np.random.default_rng(0).standard_normal(count)
    recording = upsim.Recorded(samples, stack.input_rate)
    upsim.predict(stack, recording)
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    ours, instead = in_turn(
        lambda: upsim.predict(stack, recording),
        lambda: neural.run(stack, samples[None, None]),
        turns=TURNS,
    )
    report(
        Result(
            "five minutes of a recording through a linear stack (1, 8, 8, 1 channels, three "
            "times x 2)",
            "`predict(stack, Recorded(...))`: every sample, and its density",
            "the layers in NumPy, samples alone",
            ours,
            instead,
            "at most 1",
            ours <= instead,
            f"the interpreter held {held:.0f} MiB at most, {8 * SAMPLE_RATE * SECONDS / 2**20:.0f} "
            "MiB of which are the output",
        )
    )


if __name__ == "__main__":
    main()
