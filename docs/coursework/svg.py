"""Drawings in SVG whose colours are those of the page, light or dark.

A colour is a custom property with a fallback, ``var(--up-1, #0072b2)``.  Inside a page the style
sheet ``_static/course.css`` sets it for the reader's theme.  A file of its own, on a slide, has the
fallbacks.  Text and lines take the colour of the text around them.
"""

from dataclasses import dataclass
from html import escape

#: The colour-blind-safe set of Okabe & Ito, as elsewhere in the package; fallbacks for white paper.
COLOURS = {
    "1": "#0072b2",
    "2": "#d55e00",
    "3": "#009e73",
    "4": "#aa4499",
    "5": "#e69f00",
    "6": "#56b4e9",
    "faint": "#d8dce2",
}
INK = "currentColor"
FONT = "system-ui, sans-serif"


def colour(name):
    """Return a colour of the theme: a digit, or ``faint``; digits go round after six."""
    if name.isdigit():
        name = str((int(name) - 1) % 6 + 1)
    return f"var(--up-{name}, {COLOURS[name]})"


def number(value):
    """Return a coordinate as short as it is exact to a hundredth."""
    return f"{float(value):.2f}".rstrip("0").rstrip(".")


def element(tag, /, content="", **attributes):
    """Return one element; ``stroke_width=2`` becomes ``stroke-width="2"``."""
    written = "".join(
        f' {name.replace("_", "-")}="{escape(value if isinstance(value, str) else number(value))}"'
        for name, value in attributes.items()
    )
    return f"<{tag}{written}>{content}</{tag}>" if content else f"<{tag}{written}/>"


def text(x, y, words, *, size=14, anchor="middle", weight="normal", fill=INK):
    """Return a line of text, its middle at the height y."""
    return element(
        "text",
        escape(str(words)),
        x=x,
        y=y + 0.35 * size,
        font_size=size,
        font_family=FONT,
        font_weight=weight,
        text_anchor=anchor,
        fill=fill,
    )


def cell(x, y, width, height, words="", *, fill="none", shade=1.0, edge=INK, size=14):
    """Return a box with a word in its middle; a shade under 1 lets the page's ground through."""
    box = element(
        "rect", x=x, y=y, width=width, height=height, rx=3,
        fill=fill, fill_opacity=shade, stroke=edge, stroke_width=1, stroke_opacity=0.55,
    )  # fmt: skip
    return box + (text(x + width / 2, y + height / 2, words, size=size) if words != "" else "")


def line(x, y, to_x, to_y, *, stroke=INK, width=1.5, opacity=1.0, dash=""):
    """Return a straight line."""
    more = {"stroke_dasharray": dash} if dash else {}
    return element(
        "line", x1=x, y1=y, x2=to_x, y2=to_y,
        stroke=stroke, stroke_width=width, stroke_opacity=opacity, stroke_linecap="round", **more,
    )  # fmt: skip


def dot(x, y, radius=4.0, *, fill=INK):
    """Return the head of a stem."""
    return element("circle", cx=x, cy=y, r=radius, fill=fill)


@dataclass(frozen=True)
class Drawing:
    """A picture with its words.

    Parameters
    ----------
    title : str
        What the picture finds, one sentence.
    alt : str
        What is seen, for those who do not see it.
    body : str
        SVG elements.
    width, height : float
        Of the view, in pixels.
    """

    title: str
    alt: str
    body: str
    width: float
    height: float

    def svg(self):
        """Return the picture for a page, which shows the title in its own letters."""
        return self._written(self.body, 0.0, "")

    def file(self):
        """Return the picture as a file for a slide, with its title inside, on white."""
        lines = _wrapped(self.title, self.width / 10.5)
        above = 24.0 * len(lines) + 12
        heading = "".join(
            text(8, 22 + 24 * row, words, size=17, anchor="start", weight="600")
            for row, words in enumerate(lines)
        )
        ground = element(
            "rect", x=0, y=-above, width=self.width, height=self.height + above, fill="#fff"
        )
        moved = element("g", heading, transform=f"translate(0 {number(-above)})")
        return self._written(ground + moved + self.body, above, ' color="#1b1f24"') + "\n"

    def _written(self, body, above, more):
        box = f"0 {number(-above)} {number(self.width)} {number(self.height + above)}"
        named = element("title", escape(self.title)) + element("desc", escape(self.alt))
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" width="{number(self.width)}"'
            f' role="img" aria-label="{escape(self.alt)}"{more}>{named}{body}</svg>'
        )

    def figure(self):
        """Return the HTML figure: the finding first, then the picture."""
        caption = element("figcaption", escape(self.title))
        return f'<figure class="up-drawing">{caption}{self.svg()}</figure>'


def _wrapped(words, most):
    lines = [""]
    for word in words.split():
        if len(lines[-1]) + len(word) + 1 > most and lines[-1]:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
