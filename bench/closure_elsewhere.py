"""The closure's errors on networks that no rule was fitted to; see docs/accuracy.md.

The rules of ``upsim/theory/moments/closure_error.py`` are fitted to ``bench/accuracy.py``: one
shape of layer, as many inputs as channels.  Here are other shapes: strides 4, 2, 2 (and 2), kernels
of 8 and 4, ReLU and LeakyReLU(0.2), other widths, one to four inputs or as many as channels,
torch's own initialisation with its biases, white noise.

Each network is run by torch, float32, in 64 batches.  Lines are the means of its phases; their
standard errors come from the batches, and a line is counted where that error is below 0.25 dB.
The density is Welch's, 129 bins.  What chance does is taken off: squares add.

    python bench/closure_elsewhere.py
"""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy.signal import welch

import upsim
from upsim.neural import to_torch
from upsim.theory.moments.lag_window import LagWindows
from upsim.theory.moments.propagation import propagate, starting_moments

RATE, BATCHES, FRAMES, SEGMENT = 16000, 64, 2**11, 256
WIDTHS, INPUTS, SEEDS = (12, 24), ("1", "2", "4", "as many"), (11,)
ACTIVATIONS = (upsim.ReLU(), upsim.LeakyReLU(0.2))
#: Lines weaker than this, re the noise, are not looked at.
WEAKEST = -45.0


def network(width: int, inputs: int, activation: upsim.layers.Layer, *, deep: bool) -> upsim.Stack:
    """Return a decoder that is not drawn yet."""
    layers = [upsim.TransposedConv(inputs, width, 8, 4, 2), activation]
    for _ in range(1 + deep):
        layers += [upsim.TransposedConv(width, width, 4, 2, 1), activation]
    return upsim.Stack([*layers, upsim.TransposedConv(width, 1, 4, 2, 1)], RATE)


def measured(stack: upsim.Stack, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the lines of each batch, (BATCHES, P), and the density with its relative error."""
    import torch

    torch.manual_seed(seed)
    module, period = to_torch(stack, dtype="float32"), int(stack.rate)
    lines, levels = [], []
    for _ in range(BATCHES):
        with torch.inference_mode():
            made = module(torch.randn(1, stack.in_channels, FRAMES))[0, 0].numpy()
        made = made[period * 64 : -period * 64].astype(np.float64)
        means = made[: made.size // period * period].reshape(-1, period).mean(axis=0)
        lines.append(np.fft.fft(means) / period)
        rest = made - np.resize(means, made.size)
        levels.append(welch(rest, RATE, nperseg=SEGMENT, detrend=False)[1])
    found = np.array(levels)
    deviation = found.std(axis=0, ddof=1) / np.sqrt(BATCHES) / found.mean(axis=0)
    return np.array(lines), found.mean(axis=0), deviation


def of_lines(answer: upsim.Prediction, lines: np.ndarray, power: float) -> list[float]:
    """Return squared errors of lines in dB, chance taken off."""
    found = []
    for tone in answer.tones:
        if tone.fraction == 0 or 10 * np.log10(tone.power[0] / power) < WEAKEST:
            continue
        each = lines[:, int(tone.fraction * lines.shape[1])]
        mean = each.mean()
        chance = 8.686 * np.abs(each - mean).std() / np.sqrt(2 * BATCHES) / abs(mean)
        if chance < 0.25:
            error = 20 * np.log10(abs(mean) / abs(tone.amplitude[0]))
            found.append(error**2 - chance**2)
    return found


def per_channel(stack: upsim.Stack, signal: upsim.WhiteNoise) -> upsim.Prediction:
    """Return the prediction of channels taken as independent, however much memory there is."""
    plain = LagWindows.bytes_of
    LagWindows.bytes_of = lambda self, window: plain(self, window) if self.per_channel else 2**60
    try:
        return upsim.predict(stack, signal)
    finally:
        LagWindows.bytes_of = plain


def density_error(stack: upsim.Stack, level: np.ndarray, deviation: np.ndarray) -> float:
    """Return the squared error of the density in dB, chance taken off."""
    start = starting_moments(stack, [upsim.WhiteNoise()], provenance=False)
    known = 2 * propagate(stack, start).end.density(np.linspace(0, 0.5, SEGMENT // 2 + 1)).real[0]
    inner = slice(1, -1)
    errors = 10 * np.log10(level[inner] / known[inner])
    return float(np.mean(errors**2 - (4.343 * deviation[inner]) ** 2))


def main() -> None:
    rows: dict[tuple[str, str], list[float]] = {}
    for width, few, activation, deep in product(WIDTHS, INPUTS, ACTIVATIONS, (False, True)):
        for seed in SEEDS:
            inputs = width if few == "as many" else int(few)
            stack = network(width, inputs, activation, deep=deep).draw(seed)
            lines, level, deviation = measured(stack, seed)
            power = float(level.sum() * RATE / SEGMENT)
            pairs = upsim.predict(stack, upsim.WhiteNoise())
            for name, values in (
                ("closure, density", [density_error(stack, level, deviation)]),
                ("closure, lines", of_lines(pairs, lines, power)),
                (
                    "per channel, lines",
                    of_lines(per_channel(stack, upsim.WhiteNoise()), lines, power),
                ),
            ):
                rows.setdefault((name, few), []).extend(values)
    print(
        "| question | inputs | rms, dB | 90 % below | worst | counted |\n|---|---|---|---|---|---|"
    )
    for (name, few), values in sorted(rows.items()):
        errors = np.sqrt(np.maximum(values, 0.0))
        shown = [np.sqrt(max(np.mean(values), 0.0)), np.quantile(errors, 0.9), errors.max()]
        print(f"| {name} | {few} | " + " | ".join(f"{each:.2f}" for each in shown), end="")
        print(f" | {len(values)} |")


if __name__ == "__main__":
    main()
