"""Noise through a decoder: the closure against the run that measures the same thing.

    python bench/closure.py [--run]

The decoder has 64 channels, four upsamplers (8, 8, 2, 2) with a LeakyReLU(0.1) after each, and
halves its channels each time, as HiFi-GAN does.  Asked is what a user would read off a long run,
with an error of 0.2 dB: the density, and the lines down to some level below the noise's power.

A line of amplitude a in noise of density S (two-sided, per sample) has an error of
``8.7 sqrt(S / 2 T) / |a|`` dB after T samples; a bin of the density ``4.3 / sqrt(K)`` dB after K
periodograms of 4096 samples.  The run's time is that of a million samples, scaled to T; with
``--run`` it is that of the density's T, whole.  The closure gives all of it at once.
"""

import sys
import time
import tracemalloc

import numpy as np

import upsim
from upsim.neural import run

RATE, WANTED, BINS = 22050, 0.2, 4096
LEVELS = (-30, -40, -50, -60)


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


def samples_for_lines(answer, level):
    """Return how many lines are above a level in dB re the noise, and the T that they need."""
    floor = answer.noise_power[0] * 10 ** (level / 10)
    lines = [tone for tone in answer.tones if tone.power[0] > floor]
    density = np.interp([t.frequency for t in lines], answer.frequencies, answer.psd[0]) * RATE / 2
    amplitudes = np.abs([tone.amplitude[0] for tone in lines])
    return len(lines), (8.7 / WANTED) ** 2 * float(np.max(density / (2 * amplitudes**2)))


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
    for_density = BINS * (4.3 / WANTED) ** 2
    chunk = 2**18
    noise = np.random.default_rng(0).standard_normal((1, 64, chunk // 256)).astype(np.float32)
    run(stack, noise, dtype=np.float32)
    chunks = -(-int(for_density) // chunk) if "--run" in sys.argv else 4
    start = time.perf_counter()
    for _ in range(chunks):
        run(stack, noise, dtype=np.float32)
    each = (time.perf_counter() - start) / (chunks * chunk)
    print(f"closure: {closed:.2f} s, {memory:.0f} MiB at most, all {len(answer.tones)} lines")
    print("| asked, to 0.2 dB | samples of output | run (NumPy, float32) | closure / run |")
    print("|---|---|---|---|")
    rows = [("density", for_density)]
    for level in LEVELS:
        count, needed = samples_for_lines(answer, level)
        rows.append((f"density and {count} lines down to {level} dB", max(needed, for_density)))
    for name, needed in rows:
        ratio = each * needed / closed
        print(f"| {name} | {needed:.2g} | {each * needed:.0f} s | 1/{ratio:.3g} |")


if __name__ == "__main__":
    main()
