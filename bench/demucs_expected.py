"""Expected spectra of a six-layer Demucs-like decoder, against the average over drawn networks.

    python bench/demucs_expected.py [--run]

Six upsamplers by 4 from 3200 to 8 channels, kernels of 8 or 9 taps, a ReLU between; 44.1 kHz.
Asked is what no single network tells: the expectation over initialisations.  Instead one draws
networks, runs each and averages.  A line's power over networks deviates by as much as its mean (an
exponential variable), so an average over N networks is wrong by ``4.3 / sqrt(N)`` dB: 0.5 dB takes
75.  The run's time is that of one forward over a second of audio and its periodogram, times 75; the
time of drawing the weights is left out.  With ``--run`` it is measured, otherwise it is not stated.
"""

from __future__ import annotations

import sys
import tracemalloc
from itertools import pairwise

import numpy as np
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


def network(stack: upsim.Stack) -> object:
    """Return a function that runs one drawn network and takes its periodogram."""
    import torch
    from scipy.signal import welch

    from upsim.neural import to_torch

    torch.set_num_threads(1)
    module = to_torch(stack.draw(0), dtype="float32")
    frames = round(SAMPLE_RATE / 4**6)
    signal = 1 + torch.randn(1, WIDTHS[0], frames)

    def forward() -> object:
        with torch.inference_mode():
            return welch(module(signal)[0].numpy(), SAMPLE_RATE, nperseg=4096)

    return forward


def main() -> None:
    networks = int(np.ceil((DEVIATION / WANTED) ** 2))
    for gated in (False, True):
        for kind in UPSAMPLERS:
            stack = decoder(kind, gated=gated)
            predict = lambda stack=stack: upsim.predict(stack)  # noqa: E731
            run = network(stack) if "--run" in sys.argv and not gated else predict
            ours, once = in_turn(predict, run, turns=3)
            measured = run is not predict
            report(
                Result(
                    f"expected spectrum of a Demucs decoder, {kind}{', GLU' if gated else ''}",
                    "`predict(stack)`, no weight drawn",
                    f"{networks} networks run for 1 s of audio each (0.5 dB), one measured"
                    if measured
                    else "the same again (a run of networks: `--run`)",
                    ours,
                    once * networks if measured else once,
                    "at most 2 s",
                    ours <= TARGET,
                    f"at most {mebibytes(stack):.0f} MiB",
                )
            )


if __name__ == "__main__":
    main()
