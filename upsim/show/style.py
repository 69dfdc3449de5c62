"""How a cause, a layer and a letter look: one palette for every picture.

The colours are the colour-blind-safe set of Okabe & Ito, *Color Universal Design* (2008). No
meaning hangs on colour alone: each cause has a marker, a line style and a hatch of its own, so that
a grey print and a bad projector still tell them apart.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "CAUSES",
    "COLOUR_MAP",
    "CURVE_COLOUR",
    "FIGURE_SIZE",
    "LABEL_SIZE",
    "PALETTE",
    "SMALL_SIZE",
    "TICK_SIZE",
    "TITLE_SIZE",
    "CauseStyle",
    "cause_style",
    "layer_name",
]

PALETTE: dict[str, str] = {
    "black": "#000000",
    "orange": "#E69F00",
    "sky blue": "#56B4E9",
    "green": "#009E73",
    "yellow": "#F0E442",
    "blue": "#0072B2",
    "vermilion": "#D55E00",
    "purple": "#CC79A7",
}

# 12.8 x 7.2 inches at 100 dots an inch is the 1280 x 720 of a projector; there 11 points are 15
# pixels, the smallest letters that the last row reads.
FIGURE_SIZE = (12.8, 7.2)
TITLE_SIZE = 17.0
LABEL_SIZE = 15.0
TICK_SIZE = 13.0
SMALL_SIZE = 11.5

CURVE_COLOUR = "#3A3A3A"
# Lightness rises steadily along it, so it reads the same in grey and without red or green.
COLOUR_MAP = "magma"


@dataclass(frozen=True)
class CauseStyle:
    """How one cause is drawn: colour, and three things that survive a grey print."""

    colour: str
    marker: str
    linestyle: str
    hatch: str


# Yellow is left out: a thin yellow stem cannot be seen on white.
CAUSES: dict[str, CauseStyle] = {
    "input": CauseStyle(PALETTE["blue"], "o", "-", ""),
    "input offset": CauseStyle(PALETTE["sky blue"], "s", "--", "//"),
    "bias": CauseStyle(PALETTE["vermilion"], "^", "-.", "\\\\"),
    "activation": CauseStyle(PALETTE["green"], "D", ":", "xx"),
    "overlap": CauseStyle(PALETTE["orange"], "v", "--", "--"),
    "weights": CauseStyle(PALETTE["purple"], "P", "-", ".."),
    "modulation": CauseStyle(PALETTE["black"], "*", "-.", "++"),
}
_UNKNOWN = CauseStyle("#7F7F7F", "X", "-", "oo")


def cause_style(cause: str) -> CauseStyle:
    """Style of a cause; grey crosses for a word that is none of `CAUSES`.

    Examples
    --------
    >>> cause_style("bias").marker
    '^'
    >>> cause_style("something new").marker
    'X'
    """
    return CAUSES.get(cause, _UNKNOWN)


def layer_name(label: str) -> str:
    """A layer's label as it is read aloud.

    Examples
    --------
    >>> layer_name("2"), layer_name("2.1.3"), layer_name("input"), layer_name("decoder.2")
    ('layer 2', 'layer 2.1.3', 'input', 'decoder.2')
    """
    return f"layer {label}" if label.replace(".", "").isdigit() else label
