"""How often the 95 % intervals of `measure` hold the truth.

    python bench/coverage.py --seeds 2000

For each of two networks of one activation, one with random weights and one with the heavy taps and
large biases that training leaves, whose density and lines are known in closed form, it measures
with every seed and counts. It prints the share of intervals that hold the true value, with two
standard errors of that share, and ends with 1 if a share is outside 93.4 to 96.6 %.
"""

import argparse
import sys
from fractions import Fraction

import numpy as np

import upsim


def networks() -> dict[str, upsim.Stack]:
    """Return the networks by name."""
    layers = [upsim.TransposedConv(2, 8, 8, 4), upsim.LeakyReLU(0.1)]
    last = upsim.TransposedConv(8, 1, 4, 2)
    random = upsim.Stack([*layers, last], 16000).draw(1)
    rng = np.random.default_rng(5)
    heavy, bias = 0.2 * rng.standard_t(3, (2, 8, 8)), rng.standard_normal(8)
    first = upsim.TransposedConv(2, 8, 8, 4, weight=heavy, bias=bias)
    parts = [first, upsim.ReLU(), random.parts[2].layer]
    return {"random": random, "as trained": upsim.Stack(parts, 16000)}


def banded(stack: upsim.Stack, run: upsim.Prediction) -> np.ndarray:
    """Return the true density at the bins of a circle, averaged over the bands of the run."""
    count = round(run.measured.seconds / run.measured.circles * float(run.sample_rate))
    step = count // run.measured.period
    places = np.array([k for k in range(count // 2 + 1) if k % step]) * 16000 / count
    true = upsim.predict(stack, upsim.WhiteNoise(1.0), frequencies=places).psd
    band = np.floor(places / run.frequencies[1] + 0.5).astype(int)
    return np.array([np.bincount(band, row) / np.bincount(band) for row in true])


def coverage(stack: upsim.Stack, seeds: int) -> dict[str, tuple[int, int]]:
    """Return how many intervals hold the truth, of how many: of lines, of the density."""
    true = {tone.fraction: tone for tone in upsim.predict(stack, upsim.WhiteNoise(1.0)).tones}
    inside = {"lines": [0, 0], "density": [0, 0]}
    density = None
    for seed in range(seeds):
        run = upsim.measure(
            stack, upsim.WhiteNoise(1.0), target_db=None, seconds=0.6, frequencies=9, seed=seed
        )
        # The lines that no run misses: others are listed only where chance makes them large.
        for fraction in (Fraction(0), Fraction(1, 2)):
            tone = next(each for each in run.tones if each.fraction == fraction)
            low, high = run.measured.line_interval(tone)
            inside["lines"][0] += int(
                ((low <= true[fraction].power) & (true[fraction].power <= high)).sum()
            )
            inside["lines"][1] += low.size
        density = banded(stack, run) if density is None else density
        low, high = run.measured.density_interval(run.psd)
        inside["density"][0] += int(((low <= density) & (density <= high)).sum())
        inside["density"][1] += low.size
    return {name: (held, of) for name, (held, of) in inside.items()}


def main() -> int:
    """Print the shares."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seeds", type=int, default=2000)
    seeds = arguments.parse_args().seeds
    missed = 0
    for name, stack in networks().items():
        for what, (held, of) in coverage(stack, seeds).items():
            share = held / of
            # Intervals of one seed may go together: at most as many are independent as seeds.
            error = 2 * np.sqrt(0.95 * 0.05 / seeds)
            print(f"{name}, {what}: {100 * share:.2f} % of {of}, +- {100 * error:.2f}", flush=True)
            missed += not 0.934 <= share <= 0.966
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
