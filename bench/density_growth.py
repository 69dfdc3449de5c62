"""How the density of a linear stack grows with its channels, and with its depth.

Width: decoders of 64 to 1024 channels (strides 8, 8, 2, 2, channels halved each time).  The time
may grow no faster than the parameters: the slope of its logarithm over theirs is at most 1.

Depth: 14 stages of ``TransposedConv(8, 8, 4, 2, 1)``, a response of 49,000 samples.  The peer is
the shortest run that gives the same answer: torch in double precision answers eight unit
impulses, and an FFT of what comes out is the density.
"""

from __future__ import annotations

import statistics
import time

import numpy as np
from timing import Result, in_turn, report

import upsim

SAMPLE_RATE = 22050
WIDTHS = (64, 128, 256, 512, 1024)
STAGES, FRAMES = 14, 9
TURNS = 5


def decoder(width: int) -> upsim.Stack:
    """Return a linear decoder."""
    layers: list[upsim.layers.Layer] = []
    channels = width
    for stride in (8, 8, 2, 2):
        layers.append(
            upsim.TransposedConv(channels, channels // 2, 2 * stride, stride, stride // 2)
        )
        channels //= 2
    layers.append(upsim.Conv(channels, 1, 7, padding=3))
    return upsim.Stack(layers, SAMPLE_RATE).draw(0)


def deep() -> upsim.Stack:
    """Return 14 stages that double the rate."""
    stages = [upsim.TransposedConv(8, 8, 4, 2, 1, bias=False) for _ in range(STAGES)]
    return upsim.Stack([*stages, upsim.Conv(8, 1, 7, padding=3, bias=False)], SAMPLE_RATE).draw(0)


def width() -> Result:
    """Return the row of the width."""
    stacks = [decoder(each) for each in WIDTHS]
    sizes = [sum(layer.weight.size for layer in stack) for stack in stacks]
    noise = upsim.WhiteNoise()
    taken: list[list[float]] = [[] for _ in stacks]
    for _ in range(TURNS):
        for stack, times in zip(stacks, taken, strict=True):
            upsim.predict(stack, noise)
            start = time.process_time()
            upsim.predict(stack, noise)
            times.append(time.process_time() - start)
    seconds = [statistics.median(times) for times in taken]
    slope = float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])
    each = ", ".join(
        f"{width}: {1e3 * second:.3g} ms" for width, second in zip(WIDTHS, seconds, strict=True)
    )
    return Result(
        "density of a linear decoder of 1024 channels, against 64",
        f"`predict(stack, WhiteNoise())`, {sizes[-1] / 1e6:.1f} M parameters",
        f"the same at 64 channels, {sizes[0] / 1e6:.2f} M parameters",
        seconds[-1],
        seconds[0],
        "grows no faster than the parameters",
        slope <= 1,
        f"log-log slope over parameters {slope:.2f}; {each}",
    )


def depth() -> Result:
    """Return the row of the depth."""
    import torch

    from upsim.neural import to_torch

    torch.set_num_threads(1)
    stack, noise = deep(), upsim.WhiteNoise()
    module = to_torch(stack, dtype="float64")
    impulses = torch.zeros(8, 8, FRAMES, dtype=torch.float64)
    impulses[range(8), range(8), FRAMES // 2] = 1
    found = upsim.predict(stack, noise)
    assert found.psd is not None
    points = 2 * (found.frequencies.size - 1)

    def run() -> np.ndarray:
        with torch.inference_mode():
            made = module(impulses)[:, 0].numpy()
        turns = -(-made.shape[1] // points)
        folded = np.pad(made, ((0, 0), (0, turns * points - made.shape[1])))
        spectra = np.fft.rfft(folded.reshape(8, turns, points).sum(axis=1), axis=1)
        # A white input of power 1 has the density 2 / rate, and a line is shared by the images.
        level = (np.abs(spectra) ** 2).sum(axis=0) / float(stack.rate) * 2 / SAMPLE_RATE
        return np.asarray(level)

    assert np.allclose(run(), found.psd[0], rtol=1e-9, atol=1e-12 * found.psd.max())
    ours, theirs = in_turn(lambda: upsim.predict(stack, noise), run, turns=TURNS)
    return Result(
        f"density of {STAGES} linear stages that double the rate, 8 channels",
        f"`predict(stack, WhiteNoise())` at {found.frequencies.size} frequencies",
        f"torch float64 on 8 unit impulses, {FRAMES} frames, and an FFT",
        ours,
        theirs,
        "at most 1",
        ours <= theirs,
    )


if __name__ == "__main__":
    report(width())
    report(depth())
