"""An anti-aliased vocoder of 112 M parameters: its lines, against a forward over 1 s of audio.

A stack keeps its operators and what follows from them; nothing of an answer is kept.  So the first
call on a drawn stack and a later one with another constant are stated apart.  The memory that a
prediction may take is twice the float64 weights and 300 MiB.
"""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable
from functools import partial

from timing import Result, report

import upsim

TURNS = 3


def seconds(function: Callable[[], object]) -> float:
    """Return the processor's seconds of one call."""
    start = time.process_time()
    function()
    return time.process_time() - start


def peak() -> float:
    """Return the most memory that the process has had, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    stack = upsim.models.bigvgan().draw(0)
    weights = 8 * upsim.cost(stack).parameters / 2**20
    constants = [upsim.Constant(value) for value in (1.0, 0.5, 0.25, 2.0)]
    plain, shared = [], []
    for constant in constants:
        plain.append(seconds(partial(upsim.predict, stack, constant, provenance=False)))
        shared.append(seconds(partial(upsim.predict, stack, constant)))
    taken, allowed = peak(), 2 * weights + 300

    import torch

    from upsim.neural import to_torch

    torch.set_num_threads(1)
    module = to_torch(stack, dtype="float32")
    frames = round(stack.input_rate)
    mel = torch.ones(1, stack.in_channels, frames)

    def forward() -> object:
        with torch.inference_mode():
            return module(mel)

    forwards = statistics.median(seconds(forward) for _ in range(TURNS))
    instead = f"one torch float32 forward over 1 s of audio ({frames} frames)"
    memory = f"{taken:.0f} MiB of {allowed:.0f} allowed ({weights:.0f} MiB of float64 weights)"
    report(
        Result(
            "lines of a 112 M-parameter anti-aliased vocoder",
            "`predict(stack, Constant(c), provenance=False)`, exact, a repeated call",
            instead,
            statistics.median(plain[1:]),
            forwards,
            "less than 1",
            statistics.median(plain[1:]) < forwards,
            f"the first call on the drawn stack took {plain[0]:.2f} s",
        ),
        Result(
            "the same lines, each split by its sources",
            "`predict(stack, Constant(c))`, exact, a repeated call",
            instead,
            statistics.median(shared[1:]),
            forwards,
            "less than 1, and memory within twice the weights and 300 MiB",
            statistics.median(shared[1:]) < forwards and taken <= allowed,
            f"peak memory {memory}",
        ),
    )


if __name__ == "__main__":
    main()
