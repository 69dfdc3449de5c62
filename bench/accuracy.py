"""How far off the closure and the wide limit are, against width and depth: the accuracy study.

    python bench/accuracy.py            # measures what bench/accuracy.csv lacks, then draws
    python bench/accuracy.py --picture  # draws docs/_static/accuracy-*.png from the file alone
    python bench/accuracy.py --quick    # a smoke test of seconds; writes nothing

The networks: 1 to 6 times TransposedConv(width, width, 4, 2, 1) and an activation, then, for the
closure, a Conv(width, 16, 3); Gaussian weights without bias, scaled so that in the wide limit every
activation meets a mean square of 1.  The input: a constant and white noise of power 1/2 each.

Three questions, each asked of the density and of the lines apart from the offset:

* closure: weights drawn, one network at a time;
* independent: the same with channels taken as independent, measured when ``predict`` still gave
  a density in this form (``bench/closure_elsewhere.py`` has its lines);
* wide limit: weights not drawn, against the average over networks.

Every run has two halves with independent noise.  With the errors e1 and e2 that they show, the mean
of e1 e2 over bins has the expectation of the squared error of the prediction: their sampling noise
averages out.  Over networks, the variance of the average is estimated and taken off.  The closure
is exact at depth 1, so what is measured there shows what the method resolves.  Intervals are 95 %:
Student's t over networks for the closure, the bootstrap's deviation over networks for the wide
limit.
"""

from __future__ import annotations

import csv
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import upsim
from upsim.layers.base import Activation
from upsim.neural import run

Array = NDArray[np.float64]

HERE = Path(__file__).parent
DATA = HERE / "accuracy.csv"
PICTURE = str(HERE.parent / "docs" / "_static" / "accuracy-{}.png")
QUESTIONS, QUANTITIES = ("closure", "independent", "wide limit"), ("density", "lines")

WIDTHS = (8, 16, 32, 64, 128, 256, 512)
DEPTHS = (1, 2, 3, 4, 5, 6)
ACTIVATIONS = (
    upsim.LeakyReLU(0.1),
    upsim.ReLU(),
    upsim.Tanh(),
    upsim.Snake(),
    upsim.GELU(),
)
#: The closure's work grows with the square of width x 2^depth.  How many networks for up to which
#: of these; beyond the last but one only for the first activation, beyond the last not at all.
CLOSURE_NETWORKS = {256: 8, 1024: 4, 4096: 3}
WIDE_NETWORKS = {8: 300, 16: 200, 32: 160, 64: 96, 128: 48, 256: 20, 512: 10}

#: What is measured first, should there not be time for all: cells up to this width x 2^depth for
#: all activations, and up to the second one for the first activation.
COMMON, LARGE = 256, 2048

OUTPUTS = 16
SEGMENT = 128
#: Points of a density from 0 to half the rate: enough for exact lags of the longest response.
GRID = 513
CONSTANT, NOISE = 0.5**0.5, 0.5
SIGNAL = upsim.Constant(CONSTANT) + upsim.WhiteNoise(NOISE)
#: Samples of each half.
LONG, SHORT = 2**15, 2**13
#: Input samples at either end whose outputs the ends touch.
EDGE = 4
#: Decibels of a small relative change.
DB = 10 / np.log(10)
#: Decibels below which a measured line is not followed.
FLOOR = -30
RESAMPLES = 400


@dataclass(frozen=True)
class Row:
    """One measured error, in dB; 0 where the estimate of its square is not above zero."""

    activation: str
    width: int
    depth: int
    question: str
    quantity: str
    channels: str
    networks: int
    error: float
    low: float
    high: float


def network(activation: Activation, width: int, depth: int) -> upsim.Stack:
    """Return a network whose weights are not drawn."""
    square = float(activation.moments(0.0, 1.0).second)
    layers: list[upsim.layers.Layer] = []
    for number in range(depth):
        weight = upsim.Normal((2 * width * (square if number else 1.0)) ** -0.5)
        up = upsim.TransposedConv(width, width, 4, 2, 1, bias=False, weight=weight)
        layers += [up, activation]
    last = upsim.Normal((3 * width * square) ** -0.5)
    layers.append(upsim.Conv(width, OUTPUTS, 3, padding=1, bias=False, weight=last))
    return upsim.Stack(layers, 2**depth)


def measured(stack: upsim.Stack, count: int, seed: int) -> tuple[NDArray[np.complex128], Array]:
    """Return two halves' lines (2, channels, period) and one-sided densities (2, channels, F)."""
    from scipy.signal import welch

    period = int(stack.sample_rate)
    shape = (2, stack.in_channels, count // period + 2 * EDGE)
    noise = np.random.default_rng([seed, 1]).standard_normal(shape)
    made = run(stack, CONSTANT + NOISE**0.5 * noise, dtype=np.float32)
    made = made[..., EDGE * period : -EDGE * period].astype(np.float64)
    mean = made.reshape(2, stack.out_channels, -1, period).mean(axis=2)
    rest = made - np.tile(mean, made.shape[2] // period)
    power = welch(rest, 1.0, nperseg=SEGMENT, detrend=False, axis=-1)[1]
    return np.fft.fft(mean) / period, power[..., 1:-1]


def as_welch(prediction: upsim.Prediction) -> Array:
    """Return what Welch's average of the predicted density must be, (channels, F)."""
    from scipy.signal import get_window

    lags = np.fft.irfft(prediction.psd * float(prediction.sample_rate))[:, :SEGMENT]
    window = get_window("hann", SEGMENT)
    lags *= np.correlate(window, window, "full")[SEGMENT - 1 :] / (window @ window)
    turns = np.arange(1, SEGMENT // 2) / SEGMENT
    waves = np.cos(2 * np.pi * np.outer(np.arange(1, SEGMENT), turns))
    return lags[:, :1] + 2 * lags[:, 1:] @ waves


def closure(
    activation: Activation, width: int, depth: int, networks: int
) -> Iterator[tuple[str, Array, str]]:
    """Yield (quantity, squared error of each network, form of the channels)."""
    densities, lines = [], []
    for seed in range(networks):
        stack = network(activation, width, depth).draw(seed)
        answer = upsim.predict(stack, SIGNAL, frequencies=GRID, provenance=False)
        made, power = measured(stack, LONG, seed)
        errors = DB * np.log(power / as_welch(answer))
        densities.append(np.mean(errors[0] * errors[1]))
        half = made[..., 1 : made.shape[2] // 2 + 1]
        wanted = np.zeros(half.shape[1:], dtype=complex)
        for tone in answer.tones:
            if tone.fraction:
                wanted[:, int(tone.fraction * made.shape[2]) - 1] = tone.amplitude
        missed = half - wanted
        shared = np.sum(missed[0] * missed[1].conj()).real
        lines.append(shared / np.sum(np.abs(wanted) ** 2))
    yield "density", np.array(densities), "all pairs"
    yield "lines", np.array(lines), "all pairs"


def wide_limit(
    activation: Activation, width: int, depth: int, networks: int
) -> Iterator[tuple[str, Array, Array]]:
    """Yield (quantity, powers of each network, their predicted expectation)."""
    # Second moments pass a linear layer exactly: the last activation's own channels say the same
    # as the outputs, and there are more of them.
    stack = network(activation, width, depth).upto(2 * depth)
    answer = upsim.predict(stack, SIGNAL, frequencies=GRID)
    densities, lines = [], []
    for seed in range(networks):
        made, power = measured(stack.draw(seed), SHORT, seed)
        densities.append(power.mean(axis=(0, 1)))
        half = made[..., 1 : made.shape[2] // 2 + 1]
        lines.append((half[0] * half[1].conj()).real.mean(axis=0))
    wanted = np.zeros(lines[0].size)
    for tone in answer.tones:
        if tone.fraction:
            sides = 1 if 2 * tone.fraction == 1 else 2
            wanted[int(tone.fraction * 2 * wanted.size) - 1] = tone.power.mean() / sides
    yield "density", np.array(densities), as_welch(answer).mean(axis=0)
    yield "lines", np.array(lines), wanted


def squared_error(powers: Array, wanted: Array) -> float:
    """Return the mean square over bins of the average's error in dB, its variance taken off."""
    average = powers.mean(axis=0)
    ratio = np.maximum(average / wanted, 10 ** (FLOOR / 10))
    variance = powers.var(axis=0, ddof=1) / len(powers) / (ratio * wanted) ** 2
    return float(np.mean((DB * np.log(ratio)) ** 2 - DB**2 * variance))


def row(names: tuple[object, ...], square: float, deviation: float, *, relative: bool) -> Row:
    """Return a row from a squared error and the half width of its interval."""
    ends = np.sqrt(np.maximum([square, square - deviation, square + deviation], 0.0))
    # Lines that are missed by r of their amplitude are off by up to 20 lg(1 + r).
    levels = 2 * DB * np.log1p(ends) if relative else ends
    return Row(*names, *(round(float(level), 4) for level in levels))  # type: ignore[arg-type]


def measure_closure(activation: Activation, width: int, depth: int, networks: int) -> list[Row]:
    from scipy.stats import t

    rows = []
    for quantity, squares, form in closure(activation, width, depth, networks):
        spread = t.ppf(0.975, networks - 1) * squares.std(ddof=1) / networks**0.5
        names = (repr(activation), width, depth, "closure", quantity, form, networks)
        rows.append(row(names, squares.mean(), spread, relative=quantity == "lines"))
    return rows


def measure_wide_limit(activation: Activation, width: int, depth: int, networks: int) -> list[Row]:
    rows = []
    for quantity, powers, wanted in wide_limit(activation, width, depth, networks):
        rng = np.random.default_rng(2)
        again = [
            squared_error(powers[rng.integers(networks, size=networks)], wanted)
            for _ in range(RESAMPLES)
        ]
        names = (repr(activation), width, depth, "wide limit", quantity, "alike", networks)
        square = squared_error(powers, wanted)
        rows.append(row(names, square, 1.96 * float(np.std(again)), relative=False))
    return rows


def closure_networks(activation: Activation, width: int, depth: int) -> int:
    """Return how many networks the closure is measured on; 0 where it would take too long."""
    *_, most, heavy = CLOSURE_NETWORKS
    size = width * 2**depth
    if size > (heavy if activation == ACTIVATIONS[0] else most):
        return 0
    return next(count for limit, count in CLOSURE_NETWORKS.items() if size <= limit)


def read() -> list[Row]:
    """Return the rows of the file."""
    if not DATA.is_file():
        return []
    with DATA.open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    kinds = {
        field.name: {"int": int, "float": float}.get(str(field.type), str) for field in fields(Row)
    }
    return [Row(**{name: kinds[name](text) for name, text in each.items()}) for each in found]


def write(rows: list[Row]) -> None:
    """Write the file, in the order of the study; whoever stops it keeps a whole file."""
    names = [repr(activation) for activation in ACTIVATIONS]
    rows = sorted(rows, key=lambda r: (names.index(r.activation), r.question, r.width, r.depth))
    made = DATA.with_suffix(".part")
    with made.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(each) for each in rows)
    made.replace(DATA)


def cells() -> list[tuple[Activation, int, int]]:
    """Return activation, width and depth of every cell, the cheap ones of all activations first."""

    def effort(cell: tuple[Activation, int, int]) -> tuple[int, int, int]:
        activation, width, depth = cell
        size = width * 2**depth
        number = ACTIVATIONS.index(activation)
        first = 0 if size <= COMMON or (size <= LARGE and not number) else size
        return first, size, number

    return sorted(product(ACTIVATIONS, WIDTHS, DEPTHS), key=effort)


def measure_all() -> list[Row]:
    """Measure what the file lacks, and write it after every cell."""
    rows = read()
    done = {(each.activation, each.width, each.depth, each.question) for each in rows}
    for activation, width, depth in cells():
        for question, networks, measure in (
            ("closure", closure_networks(activation, width, depth), measure_closure),
            ("wide limit", WIDE_NETWORKS[width], measure_wide_limit),
        ):
            if not networks or (repr(activation), width, depth, question) in done:
                continue
            start = time.process_time()
            made = measure(activation, width, depth, networks)
            rows += made
            write(rows)
            levels = ", ".join(f"{r.quantity} {r.error} ({r.low}-{r.high}) dB" for r in made)
            seconds = time.process_time() - start
            print(f"{activation}, {width} x {depth}, {question}: {levels}, {seconds:.1f} s")
            sys.stdout.flush()
    return rows


def quick() -> None:
    for activation in ACTIVATIONS[:2]:
        for made in (measure_closure, measure_wide_limit):
            for each in made(activation, 8, 2, 4):
                print(each)


def short(activation: str) -> str:
    """Return an activation's name without the names of its arguments."""
    return re.sub(r"\(.*?=(.*)\)", r"(\1)", activation).removesuffix("()")


def draw(rows: list[Row], quantity: str) -> None:
    """Draw error against width: a column an activation, a row a question, a line a depth."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    from upsim.show.style import COLOUR_MAP, FIGURE_SIZE, LABEL_SIZE, SMALL_SIZE, TICK_SIZE

    names = list(dict.fromkeys(each.activation for each in rows))
    questions = ("closure", "wide limit")
    figure, axes = plt.subplots(
        2, len(names), figsize=FIGURE_SIZE, sharex=True, sharey=True, layout="constrained",
        squeeze=False,
    )  # fmt: skip
    colours = mpl.colormaps[COLOUR_MAP](np.linspace(0.0, 0.82, len(DEPTHS)))
    least, most = 0.01, 4.0
    for ax, (question, name) in zip(axes.flat, product(questions, names), strict=True):
        for depth, colour, marker in zip(DEPTHS, colours, "ov^sDP", strict=True):
            cell = [
                each
                for each in rows
                if (each.activation, each.question, each.quantity, each.depth)
                == (name, question, quantity, depth)
            ]
            widths = np.array([each.width for each in cell]) * 1.04 ** (depth - 3.5)
            # A point is what is told from zero; a bar alone is the interval of what is not.
            found = np.array([each.error for each in cell])
            ends = [np.array([getattr(each, end) for each in cell]) for end in ("low", "high")]
            shown = ends[0] > 0
            low = np.maximum(ends[0], least)
            ax.vlines(widths, low, np.maximum(ends[1], least), color=colour, lw=1, alpha=0.6)
            ax.plot(
                widths[shown], found[shown], color=colour, marker=marker, ms=5, lw=1.2, label=depth
            )
        ax.set(xscale="log", yscale="log", ylim=(least, most))
        ax.set_xticks(WIDTHS[::2], [str(width) for width in WIDTHS[::2]])
        ax.set_yticks([0.01, 0.1, 1.0], ["0.01", "0.1", "1"])
        ax.minorticks_off()
        ax.tick_params(labelsize=TICK_SIZE)
        ax.grid(visible=True, lw=0.5, alpha=0.5)
        if question == questions[0]:
            ax.set_title(short(name), fontsize=LABEL_SIZE)
    for ax, question in zip(axes[:, 0], questions, strict=True):
        ax.set_ylabel(f"{question}: error, dB", fontsize=LABEL_SIZE)
    figure.supxlabel("width (channels)", fontsize=LABEL_SIZE)
    handles, labels = axes[1, 0].get_legend_handles_labels()
    figure.legend(
        handles, labels, title="activations in a row", ncols=len(DEPTHS), fontsize=SMALL_SIZE,
        title_fontsize=SMALL_SIZE, loc="outside upper center",
    )  # fmt: skip
    figure.savefig(PICTURE.format(quantity), dpi=80)
    plt.close(figure)


def table(rows: list[Row], question: str, quantity: str) -> str:
    """Return the largest error over activations, in dB: a row a width, a column a depth.

    Where none is told from zero, the end of the longest interval with a "<", or what the study
    resolves (the longest at depth 1 of the closure, which is exact) if that is more; a star where
    not all activations were measured.
    """
    exact = [e for e in rows if (e.question, e.quantity, e.depth) == ("closure", quantity, 1)]
    resolved = max(each.high for each in exact)
    rows = [each for each in rows if (each.question, each.quantity) == (question, quantity)]
    depths = sorted({each.depth for each in rows})
    lines = ["| width | " + " | ".join(f"depth {depth}" for depth in depths) + " |"]
    lines.append("|---" * (len(depths) + 1) + "|")
    everything = len({each.activation for each in rows})
    for width in sorted({each.width for each in rows}):
        cells = []
        for depth in depths:
            found = [each for each in rows if (each.width, each.depth) == (width, depth)]
            seen = any(each.low > 0 for each in found)
            level = f"{max(each.error for each in found):.2f}" if seen else ""
            if found and not seen:
                level = f"< {max(resolved, *(each.high for each in found)):.2f}"
            cells.append(level + "*" * (0 < len(found) < everything))
        lines.append(f"| {width} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    if "--quick" in sys.argv:
        quick()
        return
    rows = read() if "--picture" in sys.argv else measure_all()
    for quantity in QUANTITIES:
        draw(rows, quantity)
        for question in QUESTIONS:
            print(f"\n{question}, {quantity}\n\n{table(rows, question, quantity)}")


if __name__ == "__main__":
    main()
