"""What the example scripts share: a drawing of samples, and a picture file for whoever runs one."""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

#: The recording that figure 6 (left) plays: 10.7 s of tabla, CC0, described in AUDIO.md.
CLIP = Path(__file__).with_name("loop_tabla.flac")


def draw_samples(ax, predicted, measured, *, title):
    """Draw an output sample by sample: the NumPy run as stems, the prediction as rings."""
    index = np.arange(predicted.size)
    stems = ax.stem(index, measured, basefmt="k-", linefmt="0.6", markerfmt="k.")
    size = 10 if predicted.size <= 30 else 6
    (rings,) = ax.plot(index, predicted, "o", ms=size, mfc="none", mec="#D55E00", mew=1.5)
    ax.set_title(title, loc="left", fontsize=15)
    ax.set_xlabel("output sample", fontsize=13)
    ax.set_ylabel("amplitude", fontsize=13)
    ax.tick_params(labelsize=12)
    ax.xaxis.get_major_locator().set_params(integer=True)
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.28 * (high - low))
    ax.legend([rings, stems], ["predicted", "NumPy run"], loc="upper right", ncols=2, fontsize=12)
    return ax


def draw_run(ax, grid, density):
    """Draw the density of a run as rings over the prediction, and name them in its legend."""
    (rings,) = ax.plot(
        grid / 1000, 10 * np.log10(density), "o", ms=5, mfc="none", mec="#D55E00", zorder=7
    )
    known = ax.get_legend()
    names = [text.get_text() for text in known.get_texts()]
    ax.legend(
        [*known.legend_handles, rings], [*names, "NumPy run"], loc="upper center",
        ncols=len(names) + 1, fontsize=11.5, borderaxespad=0.3, handlelength=2.6,
    )  # fmt: skip


def new_axes(rows=1, columns=2, height=5.4):
    """Return axes of a figure that is as wide as a projector's picture."""
    return plt.subplots(
        rows, columns, figsize=(12.8, height), dpi=100, layout="constrained", squeeze=False
    )[1]


def save(figure, name):
    """Save a picture in the current folder and say so; the gallery collects its own."""
    if "sphinx_gallery.gen_rst" in sys.modules:
        return
    path = Path(name)
    replaced = " (an older one was replaced)" if path.exists() else ""
    figure.savefig(path)
    print(f"picture: {path}{replaced}")
