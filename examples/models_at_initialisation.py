"""Write the tables and the picture of docs/models-at-initialisation.md.

Usage: ``python examples/models_at_initialisation.py [--limit SECONDS]``.  Every model is predicted
in expectation over its initialisation, without drawing a weight, for white noise of power 1 in
every input channel.  A model that takes longer than the limit keeps a row that says so.
"""

import argparse
import multiprocessing
import re
import time
from fractions import Fraction
from pathlib import Path

import numpy as np

import upsim
from upsim import models
from upsim.models.demucs_variants import separator

PAGE = Path(__file__).resolve().parents[1] / "docs" / "models-at-initialisation.md"
PICTURE = PAGE.parent / "_static" / "models_at_initialisation.png"

#: Points of the spectra with which lines are compared, as a spectrogram of the figures has them.
WINDOW = 2048

#: Figures 1 and 9 and table 1 of Pons et al. first.
MODELS = (
    "melgan",
    "demucs",
    "demucs-modified",
    "demucs-subpixel",
    "demucs-subpixel-modified",
    "demucs-nearest",
    "demucs-linear",
    "wave-unet",
    "wave-unet-learned",
    "segan",
    "wavegan",
    "gan-tts",
    "wgan",
    "wgan-resize",
    "subpixel-autoencoder",
)
#: Predicted up to the layer before tanh, which takes minutes there: a quadrature for each pair of
#: strongly correlated samples, at 120 phases.
BEFORE_TANH = ("gan-tts",)

HEADINGS = {
    "models": ("model", "noise", "strongest line", "re noise", "over its bin"),
    "changes": ("Demucs", "upsampler", "line at 11.025 kHz", "re noise", "change"),
    "drawn": ("Demucs, three levels", "", "noise", "0 Hz", "5.5125 kHz", "11.025 kHz", "22.05 kHz"),
}


def decibels(ratio):
    return 10 * float(np.log10(ratio))


def answer(stack):
    """Return the noise's power, the lines' powers by fraction, and lines over the noise's bins."""
    prediction = upsim.predict(stack, upsim.WhiteNoise(1.0), frequencies=WINDOW // 2 + 1)
    rate = float(stack.sample_rate)
    lines = {tone.fraction: tone.power[0] for tone in prediction.tones}
    density = prediction.psd[0]
    over = {
        fraction: power / (density[round(fraction * WINDOW)] * rate / WINDOW)
        for fraction, power in lines.items()
    }
    return np.trapezoid(density, prediction.frequencies), lines, over


def model_row(name):
    """Return the row of one model."""
    stack = models.build(name)
    if name in BEFORE_TANH:
        stack = stack.upto(len(stack) - 1)
    try:
        noise, lines, over = answer(stack)
    except upsim.errors.NotPredictableError as error:
        return (name, f"not predicted: {error.what}", "", "", "")
    tones = {fraction: power for fraction, power in lines.items() if fraction}
    level = f"{decibels(noise):.1f} dB"
    if not tones:
        return (name, level, "not expected", "", "")
    strongest = max(tones, key=tones.get)
    return (
        name,
        level,
        f"{float(strongest * stack.sample_rate):,g} Hz",
        f"{decibels(tones[strongest] / noise):+.1f} dB",
        f"{decibels(over[strongest]):+.1f} dB",
    )


def change_rows(upsampling):
    """Return what each of the two changes of figure 9 does alone, and both."""
    rows, start = [], None
    for label, changes in (
        ("original", {}),
        ("no biases", {"bias": False}),
        ("no first ReLU", {"first_relu": False}),
        ("both: modified", {"bias": False, "first_relu": False}),
    ):
        noise, lines, _ = answer(separator("", upsampling=upsampling, **changes))
        level = decibels(lines[Fraction(1, 4)])
        relative = level - decibels(noise)
        start = relative if start is None else start
        change = "" if not changes else f"{relative - start:+.1f} dB"
        rows.append((label, upsampling, f"{level:.1f} dB", f"{relative:+.1f} dB", change))
    return rows


def drawn_rows(label, networks=12, periods=60, **changes):
    """Return expectation and the mean over drawn networks, for Demucs' three outer levels."""
    stack = separator("", widths=(100, 200, 400), **changes)
    places = [Fraction(k, 8) for k in (0, 1, 2, 4)]
    noise, lines, _ = answer(stack)
    length = periods
    for _ in range(3):
        length = (length - 1) * 4 + 8
    found = np.zeros((networks, 1 + len(places)))
    for seed in range(networks):
        samples = np.random.default_rng(1000 + seed).normal(size=(stack.in_channels, length))
        found[seed] = line_powers(upsim.neural.run(stack.draw(seed), samples), places)
    expected = [noise, *(lines.get(place, 0.0) for place in places)]
    return [
        (label, "expected", *(shown(power, "not expected") for power in expected)),
        (
            "",
            f"mean of {networks} networks",
            *(shown(power, "not found") for power in found.mean(axis=0)),
        ),
    ]


def line_powers(samples, places, period=64):
    """Return the noise's and the lines' powers, averaged over the channels of one run."""
    count = samples.shape[1] // period
    folded = samples[:, : count * period].reshape(len(samples), count, period)
    mean = folded.mean(axis=1)
    noise = folded.var(axis=1, ddof=1).mean(axis=1)
    # The mean over the periods still has 1 / count of the noise in it.
    lines = np.abs(np.fft.fft(mean, axis=1) / period) ** 2 - noise[:, None] / (count * period)
    sides = [2 if 0 < place < Fraction(1, 2) else 1 for place in places]
    powers = [
        side * lines[:, int(p * period)].mean() for side, p in zip(sides, places, strict=True)
    ]
    return np.array([noise.mean(), *powers])


def shown(power, otherwise):
    return f"{decibels(power):.1f} dB" if power > 0 else otherwise


def table(name, rows):
    """Return rows as Markdown."""
    heading = HEADINGS[name]
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def written(page, name, rows):
    """Return a page with one of its tables replaced."""
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
    pattern = re.escape(begin) + ".*?" + re.escape(end)
    return re.sub(pattern, lambda _: begin + table(name, rows) + "\n" + end, page, flags=re.DOTALL)


def bins(name):
    """Return the frequencies of a spectrum in kHz, and the expected power in each bin in dB."""
    prediction = upsim.predict(
        models.build(name), upsim.WhiteNoise(1.0), frequencies=WINDOW // 2 + 1
    )
    rate = float(prediction.sample_rate)
    power = np.array(prediction.psd[0]) * rate / WINDOW
    for tone in prediction.tones:
        power[round(tone.fraction * WINDOW)] += tone.power[0]
    # A zero of the filters is a gap in the curve.
    return prediction.frequencies / 1000, 10 * np.log10(np.where(power > 0, power, np.nan))


def draw(path):
    """Draw what a spectrum of figures 1 and 9 is expected to show."""
    import matplotlib.pyplot as plt

    names = {
        "demucs": "demucs (figure 1 b)",
        "demucs-nearest": "demucs-nearest (1 c)",
        "demucs-subpixel": "demucs-subpixel (1 d)",
        "demucs-modified": "demucs-modified (9 a)",
        "melgan": "melgan (1 a)",
        "demucs-subpixel-modified": "demucs-subpixel-modified (9 b)",
    }
    figure, axes = plt.subplots(2, 3, figsize=(12.8, 6.4), dpi=100, layout="constrained")
    for (name, title), ax in zip(names.items(), axes.flat, strict=True):
        frequencies, level = bins(name)
        ax.plot(frequencies, level, lw=1.2, color="#0072B2")
        # Clear of the offset at 0 Hz, which no ear hears; the same range of 50 dB for all Demucs.
        low, high = np.nanmin(level[1:]), np.nanmax(level[1:])
        ax.set_ylim((low - 10, high + 5) if name == "melgan" else (-65, -15))
        ax.set_title(title, loc="left", fontsize=13)
        ax.grid(visible=True, color="0.9")
        ax.tick_params(labelsize=11)
    for ax in axes[-1]:
        ax.set_xlabel("frequency (kHz)", fontsize=12)
    for ax in axes[:, 0]:
        ax.set_ylabel(f"dB in a bin of {WINDOW} points", fontsize=12)
    figure.savefig(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit", type=float, default=600.0, help="seconds for one model")
    limit = parser.parse_args().limit
    rows = []
    for name in MODELS:
        start = time.perf_counter()
        with multiprocessing.Pool(1) as pool:
            try:
                rows.append(pool.apply_async(model_row, (name,)).get(limit))
            except multiprocessing.TimeoutError:
                rows.append((name, f"not predicted in {limit:g} s", "", "", ""))
        print(f"{time.perf_counter() - start:6.1f} s  {rows[-1]}", flush=True)
    page = PAGE.read_text(encoding="utf-8")
    page = written(page, "models", rows)
    page = written(page, "changes", change_rows("transposed") + change_rows("subpixel"))
    drawn = [
        *drawn_rows("original"),
        *drawn_rows("modified", bias=False, first_relu=False),
        *drawn_rows("nearest neighbour", upsampling="nearest"),
    ]
    page = written(page, "drawn", drawn)
    PAGE.write_text(page, encoding="utf-8")
    draw(PICTURE)


if __name__ == "__main__":
    main()
