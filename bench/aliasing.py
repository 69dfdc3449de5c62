"""The tables and the picture of docs/aliasing.md, exact: activation by upsampler, and vocoders.

    python bench/aliasing.py          # writes bench/aliasing.md and docs/_static/aliasing.png
    python bench/aliasing.py --tables # prints the tables and writes nothing

A cell of the first table is one upsampler by 2 to 44.1 kHz and one activation behind it, one
channel, a sine of amplitude 1.  Its number is all that is aliased over all that is harmonic, of
twelve sines from 100 Hz to 8 kHz in equal ratios.  Drawn kernels are the mean of 32 draws.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import upsim
from upsim.layers import Layer, antiderivative, oversampled

RATE = 44100
SINES = np.geomspace(100.0, 8000.0, 12)
DRAWS = 32
PAGE = Path(__file__).with_name("aliasing.md")
PICTURE = Path(__file__).parents[1] / "docs" / "_static" / "aliasing.png"

UPSAMPLERS: dict[str, Sequence[Layer]] = {
    "none": (),
    "TransposedConv(4, 2), drawn": (upsim.TransposedConv(1, 1, 4, 2, 1, bias=False),),
    "SubpixelConv(3), drawn": (upsim.SubpixelConv(1, 1, 3, 2, padding=1, bias=False),),
    "Nearest": (upsim.Nearest(2),),
    "Linear": (upsim.Linear(2),),
    "Cubic": (upsim.Cubic(2),),
    "WindowedSinc": (upsim.WindowedSinc(2),),
    "Resample, bigvgan": (upsim.Resample(1, 2, "bigvgan"),),
}
_SNAKE, _LEAKY = upsim.SnakeBeta(), upsim.LeakyReLU(0.1)
ACTIVATIONS: dict[str, Sequence[Layer]] = {
    "none": (),
    "ReLU": (upsim.ReLU(),),
    "LeakyReLU(0.1)": (_LEAKY,),
    "ELU": (upsim.ELU(),),
    "GELU": (upsim.GELU(),),
    "SiLU": (upsim.SiLU(),),
    "Tanh": (upsim.Tanh(),),
    "Sigmoid": (upsim.Sigmoid(),),
    "Softplus": (upsim.Softplus(),),
    "Clamp(-0.5, 0.5)": (upsim.Clamp(-0.5, 0.5),),
    "Sin": (upsim.Sin(),),
    "Snake": (upsim.Snake(),),
    "SnakeBeta": (_SNAKE,),
    "SnakeBeta, ×2 (BigVGAN)": oversampled(_SNAKE),
    "SnakeBeta, ×4": oversampled(_SNAKE, 4),
    "SnakeBeta, antiderivative": antiderivative(_SNAKE),
    "SnakeBeta, antiderivative ×2": (
        upsim.Resample(1, 2, "bigvgan"),
        *antiderivative(_SNAKE),
        upsim.Resample(2, 1, "bigvgan"),
    ),
    "LeakyReLU(0.1), ×2": oversampled(_LEAKY),
    "LeakyReLU(0.1), ×4": oversampled(_LEAKY, 4),
    "LeakyReLU(0.1), antiderivative": antiderivative(_LEAKY),
}
#: What a paper printed for its own settings (arXiv 2512.20211): dB, and our row or column.
PUBLISHED_ACTIVATIONS = (
    ("LeakyReLU(0.1)", -25.25),
    ("SnakeBeta", -39.63),
    ("SnakeBeta, antiderivative", -42.29),
    ("SnakeBeta, ×4", -42.43),
    ("SnakeBeta, antiderivative ×2", -45.95),
)
PUBLISHED_UPSAMPLERS = (("TransposedConv(4, 2), drawn", -21.67), ("Linear", -48.11))
#: Vocoders whose last stage is drawn: from the last transposed convolution's activation on.
VOCODERS: tuple[str, ...] = ("melgan", "hifigan_v1", "bigvgan", "dac_44k", "encodec_24k")


def ratio(layers: Sequence[Layer], sines: object = SINES, rate: int = RATE) -> float:
    """Return aliased over harmonic power of a chain, the mean over draws if it is drawn."""
    stack = upsim.Stack(list(layers) or [upsim.Scale(1.0)], rate)
    if stack.is_drawn:
        return upsim.aliasing(stack, sines).overall
    found = [upsim.aliasing(stack.draw(seed), sines) for seed in range(DRAWS)]
    aliased = sum(each.aliased for one in found for each in one.sines)
    return float(aliased / sum(each.signal for one in found for each in one.sines))


def level(ratio: float) -> str:
    """Return a ratio in dB; "none" of nothing."""
    return f"{10 * np.log10(ratio):.1f}" if ratio else "none"


def last_stage(name: str) -> upsim.Graph:
    """Return a vocoder from the activation before its last upsampler on, weights drawn."""
    graph = getattr(upsim.models, name)()
    parts = graph.parts
    ups = [
        number for number, part in enumerate(parts) if isinstance(part.layer, upsim.TransposedConv)
    ]
    first = ups[-1]
    while first > 1 and isinstance(parts[first - 1].layer, upsim.layers.Activation):
        first -= 1
    return graph.after(parts[first - 1].name).draw(seed=0)


def cells() -> str:
    """Return the table of activations by upsamplers, in dB."""
    lines = ["| | " + " | ".join(UPSAMPLERS) + " |", "|---" * (len(UPSAMPLERS) + 1) + "|"]
    for name, activation in ACTIVATIONS.items():
        row = [level(ratio([*up, *activation])) for up in UPSAMPLERS.values()]
        lines.append(f"| {name} | " + " | ".join(row) + " |")
    return "\n".join(lines)


def beside_published() -> str:
    """Return our numbers beside those of the paper."""
    lines = ["| | published, dB | here, dB |", "|---|---|---|"]
    for name, published in PUBLISHED_ACTIVATIONS:
        lines.append(f"| {name} | {published:.2f} | {level(ratio(ACTIVATIONS[name]))} |")
    for name, published in PUBLISHED_UPSAMPLERS:
        lines.append(f"| {name} | {published:.2f} | {level(ratio(UPSAMPLERS[name]))} |")
    return "\n".join(lines)


def definitions() -> str:
    """Return what the four definitions report for the same sines."""
    names = ("mean-removed", "all-bins", "residual", "peaks")
    lines = ["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for name in ("ReLU", "LeakyReLU(0.1)", "GELU", "Tanh", "SnakeBeta", "SnakeBeta, ×2 (BigVGAN)"):
        found = upsim.aliasing(upsim.Stack(list(ACTIVATIONS[name]), RATE), SINES).to_dict()
        lines.append(f"| {name} | " + " | ".join(level(found["overall"][n]) for n in names) + " |")
    return "\n".join(lines)


def curves() -> dict[str, list[tuple[float, float]]]:
    """Return the curve of each vocoder's last stage."""
    found = {}
    for name in VOCODERS:
        graph = last_stage(name)
        sines = np.geomspace(100.0, 0.9 * float(graph.input_rate) / 2, 24)
        answer = upsim.aliasing(graph, sines)
        pairs = zip(answer.frequencies.tolist(), answer.ratios.tolist(), strict=True)
        found[f"{name}, from {float(graph.input_rate):g} Hz"] = list(pairs)
    return found


def page() -> str:
    """Return the tables as one text."""
    return (
        f"**Activation by upsampler**, aliased over harmonic power in dB:\n\n{cells()}\n\n"
        "**Beside the published order**, each activation and each upsampler alone:\n\n"
        f"{beside_published()}\n\n"
        f"**Four definitions**, the same sines, no upsampler:\n\n{definitions()}\n"
    )


def main() -> None:
    text = page()
    print(text)
    if "--tables" in sys.argv:
        return
    PAGE.write_text(text, encoding="utf-8")
    from upsim.show import draw_aliasing

    ax = draw_aliasing(curves(), title="Last stage of vocoders, their own initialisation")
    ax.figure.savefig(PICTURE)


if __name__ == "__main__":
    main()
