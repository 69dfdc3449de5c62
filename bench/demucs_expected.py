"""Expected spectra of a six-layer Demucs-like decoder, against the average over drawn networks.

Six upsamplers by 4 from 3200 to 8 channels, kernels of 8 or 9 taps, a ReLU between; 44.1 kHz.
Asked is what no single network tells: the expectation over initialisations.  Instead one draws
networks, runs each and averages.  A line's power over networks deviates by as much as its mean (an
exponential variable), so an average over N networks is wrong by ``4.3 / sqrt(N)`` dB: 0.5 dB takes
74.  The run's time is that of one forward over a second of audio and its periodogram, times 74; to
draw the weights is left out.  Rows with a convolution and a GLU before each upsampler, as Demucs
has them, are compared with the run without them, which is less work.
"""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Callable
from functools import partial
from itertools import pairwise

from timing import Result, in_turn, report

import upsim

WIDTHS = (3200, 1600, 800, 400, 200, 100, 8)
SAMPLE_RATE, TARGET = 44100, 2.0
WANTED, DEVIATION = 0.5, 4.3

UPSAMPLERS = {
    "transposed": lambda before, after: [upsim.TransposedConv(before, after, 8, 4)],
    "nearest": lambda before, after: [
        upsim.Nearest(4),
        upsim.Conv(before, after, 9, padding=4),
    ],
    "linear": lambda before, after: [upsim.Linear(4), upsim.Conv(before, after, 9, padding=4)],
    "subpixel": lambda before, after: [upsim.SubpixelConv(before, after, 9, 4, padding=4)],
}


def decoder(kind: str, *, gated: bool) -> upsim.Stack:
    """Return the decoder; ``gated`` has Demucs' convolution and GLU before each upsampler."""
    layers: list[upsim.layers.Layer] = []
    for before, after in pairwise(WIDTHS):
        if gated:
            layers += [upsim.Conv(before, 2 * before, 3, padding=1), upsim.GLU()]
        layers += [*UPSAMPLERS[kind](before, after), upsim.ReLU()]
    return upsim.Stack(layers[:-1], SAMPLE_RATE)


def mebibytes(stack: upsim.Stack) -> float:
    """Return the most memory that a prediction holds."""
    tracemalloc.start()
    upsim.predict(stack)
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    return peak


def network(stack: upsim.Stack) -> Callable[[], object]:
    """Return a function that runs one drawn network and takes its periodogram."""
    import torch
    from scipy.signal import welch

    from upsim.neural import to_torch

    torch.set_num_threads(1)
    module = to_torch(stack.draw(0), dtype="float32")
    signal = 1 + torch.randn(1, WIDTHS[0], round(SAMPLE_RATE / 4**6))

    def forward() -> object:
        with torch.inference_mode():
            return welch(module(signal)[0].numpy(), SAMPLE_RATE, nperseg=4096)

    return forward


def main() -> None:
    networks = math.ceil((DEVIATION / WANTED) ** 2)
    for kind in UPSAMPLERS:
        run = network(decoder(kind, gated=False))
        for gated in (False, True):
            stack = decoder(kind, gated=gated)
            ours, once = in_turn(partial(upsim.predict, stack), run, turns=3)
            report(
                Result(
                    f"expected spectrum of a Demucs decoder, {kind}{', GLU' if gated else ''}",
                    "`predict(stack)`, no weight drawn",
                    f"{networks} torch networks{' without GLU' if gated else ''}, 1 s of audio and "
                    "Welch each: 0.5 dB",
                    ours,
                    once * networks,
                    "at most 2 s",
                    ours <= TARGET,
                    f"at most {mebibytes(stack):.0f} MiB",
                )
            )


if __name__ == "__main__":
    main()
