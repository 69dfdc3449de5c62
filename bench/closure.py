"""Noise through a decoder: the closure against the run that measures the same thing.

    python bench/closure.py [--run]

The decoder has 64 channels, four upsamplers (8, 8, 2, 2) with a LeakyReLU(0.1) after each, and
halves its channels each time, as HiFi-GAN does.  Asked is what a user would read off a long run:
the lines down to 40 dB below the strongest, and the density, each with an error of 0.2 dB.

A line of amplitude a in noise of density S (two-sided, per sample) has an error of
``8.7 sqrt(S / 2 T) / |a|`` dB after T samples; a bin of the density ``4.3 / sqrt(K)`` dB after K
periodograms of 4096 samples.  T is the larger of what the two need.  With ``--run`` the whole run
is made; without, the time of a tenth of a million samples is scaled up.
"""

import sys
import time
import tracemalloc

import numpy as np

import upsim
from upsim.neural import run

RATE, WANTED, BINS, FLOOR = 22050, 0.2, 4096, 40.0


def decoder():
    """Return the decoder."""
    layers, channels = [], 64
    for factor in (8, 8, 2, 2):
        kernel = 2 * factor
        layers.append(
            upsim.TransposedConv(
                channels, channels // 2, kernel, factor, padding=(kernel - factor) // 2
            )
        )
        layers.append(upsim.LeakyReLU(0.1))
        channels //= 2
    layers.append(upsim.Conv(channels, 1, 7, padding=3))
    return upsim.Stack(layers, RATE).draw(0)


def samples_needed(answer):
    """Return T for the lines, and for the density."""
    strongest = max(tone.power[0] for tone in answer.tones)
    lines = [t for t in answer.tones if t.power[0] > strongest * 10 ** (-FLOOR / 10)]
    density = np.interp([t.frequency for t in lines], answer.frequencies, answer.psd[0]) * RATE / 2
    amplitudes = np.abs([tone.amplitude[0] for tone in lines])
    for_lines = (8.7 / WANTED) ** 2 * float(np.max(density / (2 * amplitudes**2)))
    return for_lines, BINS * (4.3 / WANTED) ** 2, len(lines)


def main():
    """Print the table."""
    stack = decoder()
    signal = upsim.WhiteNoise()
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        answer = upsim.predict(stack, signal)
        seconds.append(time.perf_counter() - start)
    closed = min(seconds)
    tracemalloc.start()
    upsim.predict(stack, signal)
    memory = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    for_lines, for_density, count = samples_needed(answer)
    needed = max(for_lines, for_density)
    chunk = 2**18
    noise = np.random.default_rng(0).standard_normal((1, 64, chunk // 256)).astype(np.float32)
    run(stack, noise, dtype=np.float32)
    chunks = -(-int(needed) // chunk) if "--run" in sys.argv else 4
    start = time.perf_counter()
    for _ in range(chunks):
        run(stack, noise, dtype=np.float32)
    measured = (time.perf_counter() - start) / (chunks * chunk) * needed
    print(f"| closure | {closed:.2f} s, {memory:.0f} MiB |")
    print(f"| samples for {count} lines and for the density | {for_lines:.3g}, {for_density:.3g} |")
    print(f"| the run (NumPy, float32) | {measured:.1f} s |")
    print(f"| ratio | 1/{measured / closed:.0f} |")


if __name__ == "__main__":
    main()
