"""Noise through a decoder: the closure, against the simulation that measures the same thing.

The decoder has 64 channels, four upsamplers (8, 8, 2, 2) with a LeakyReLU(0.1) after each, and
halves its channels each time, as HiFi-GAN does.  Asked is what a user would read off a long run
with an error of 0.2 dB (one standard deviation): the density in 2049 bins, and every line down to
60 dB below the noise's power.

A line of amplitude a in noise of density S (two-sided, per sample) has an error of
``8.7 sqrt(S / 2 T) / |a|`` dB after T samples; a bin of the density ``4.3 / sqrt(K)`` dB after K
periodograms of 4096 samples.  T follows from the lines and the density of the decoder; the
simulation's time is that of a piece of it, times T over the piece's samples.  It is run by the
faster of torch and the NumPy witness, both float32; averaging what it puts out is not counted.
"""

from __future__ import annotations

import tracemalloc

import numpy as np
from timing import Result, in_turn, report

import upsim
from upsim.neural import run, to_torch

SAMPLE_RATE, WANTED, BINS = 22050, 0.2, 4096
STRIDES = (8, 8, 2, 2)
#: Lines down to this level, in dB re the noise; the note gives the others.
LEVEL, OTHERS = -60, (-50, -40)
#: Input samples of a piece.
PIECE = 2**10


def decoder() -> upsim.Stack:
    """Return the decoder."""
    layers: list[upsim.layers.Layer] = []
    channels = 64
    for stride in STRIDES:
        up = upsim.TransposedConv(channels, channels // 2, 2 * stride, stride, stride // 2)
        layers += [up, upsim.LeakyReLU(0.1)]
        channels //= 2
    layers.append(upsim.Conv(channels, 1, 7, padding=3))
    return upsim.Stack(layers, SAMPLE_RATE).draw(0)


def samples_needed(answer: upsim.Prediction, level: float) -> tuple[int, float]:
    """Return how many lines are above a level, and the samples that they and the density need."""
    floor = answer.noise_power[0] * 10 ** (level / 10)
    lines = [tone for tone in answer.tones if tone.power[0] > floor]
    frequencies = [tone.frequency for tone in lines]
    density = np.interp(frequencies, answer.frequencies, answer.psd[0]) * SAMPLE_RATE / 2
    amplitudes = np.abs([tone.amplitude[0] for tone in lines])
    for_lines = (8.7 / WANTED) ** 2 * float(np.max(density / (2 * amplitudes**2)))
    return len(lines), max(for_lines, BINS * (4.3 / WANTED) ** 2)


def main() -> None:
    import torch

    torch.set_num_threads(1)
    stack, signal = decoder(), upsim.WhiteNoise()
    module = to_torch(stack, dtype="float32")
    noise = np.random.default_rng(0).standard_normal((1, 64, PIECE)).astype(np.float32)
    tensor = torch.from_numpy(noise)

    def by_torch() -> object:
        with torch.inference_mode():
            return module(tensor)

    def closure() -> upsim.Prediction:
        return upsim.predict(stack, signal)

    def by_numpy() -> object:
        return run(stack, noise, dtype=np.float32)

    torch_seconds, numpy_seconds = in_turn(by_torch, by_numpy, turns=3)
    faster = torch_seconds <= numpy_seconds
    name, piece = ("torch", by_torch) if faster else ("the NumPy witness", by_numpy)
    ours, a_piece = in_turn(closure, piece, turns=3)
    answer = closure()
    tracemalloc.start()
    closure()
    memory = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    per_sample = a_piece / stack.output_length(PIECE)
    count, needed = samples_needed(answer, LEVEL)
    simulated = per_sample * needed
    others = []
    for level in OTHERS:
        lines, samples = samples_needed(answer, level)
        ratio = ours / (per_sample * samples)
        shown = f"1/{1 / ratio:.2g}" if ratio < 1 else f"{ratio:.2g}"
        others.append(f"{lines} lines down to {level} dB the ratio is {shown}")
    report(
        Result(
            f"density and lines down to {LEVEL} dB of a 64-channel decoder with 4 upsamplers",
            f"`predict(stack, WhiteNoise())`, Gaussian closure, all {len(answer.tones)} lines",
            f"{name}, float32, the {needed:.2g} samples that give {WANTED} dB",
            ours,
            simulated,
            "at most 1/20",
            ours <= simulated / 20,
            f"{count} lines; for {', for '.join(others)}; the closure takes {memory:.0f} MiB at "
            "most, and its own error is not part of the question; the simulation's time is scaled "
            f"from {stack.output_length(PIECE)} samples",
        )
    )


if __name__ == "__main__":
    main()
