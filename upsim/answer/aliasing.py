"""``aliasing``: aliased over harmonic power for sines, and the record of the answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from upsim.errors import ArgumentError, NotPredictableError
from upsim.network.graph import Graph, needs_network
from upsim.show.tables import html_table, text_table
from upsim.theory.reports.aliasing import AliasedSine, aliased_sine, numbers_of
from upsim.words.arguments import (
    axes_of,
    finite_array,
    finite_number,
    one_of,
    plain_text,
    refuse_beyond_memory,
    whole_number,
)
from upsim.words.overflow import in_range
from upsim.words.progress import Progress, told
from upsim.words.units import counted, exact, format_decibels, format_hertz

FORMAT, VERSION = "upsim-aliasing", 1

#: Sines when the caller does not say how many, and the lowest as a share of the highest there is.
_COUNT, _SPAN = 24, 100

#: Most sines of one question.
_MOST = 4096

#: What is divided by what.  A is what is aliased, H fundamental and harmonics, D the offset.
DEFINITIONS: dict[str, tuple[str, Callable[[AliasedSine], tuple[float, float]]]] = {
    "mean-removed": ("A / H", lambda each: (each.aliased, each.signal)),
    # Sums of |Y[k]|^2 from k = 0 to half the rate hold half the power of a line, as its mirror is
    # not among them, and all of the offset's, which has none.
    "all-bins": (
        "(A + 2 D) / H",
        lambda each: (each.aliased + 2 * each.offset, each.signal),
    ),
    "residual": ("A / (H + D)", lambda each: (each.aliased, each.signal + each.offset)),
    "peaks": ("A / H of peaks", lambda each: (each.alias_peaks, each.signal_peaks)),
}

_HEADER = ("sine", "aliased/harmonic", "images", "folds", "tones")


@dataclass(frozen=True, eq=False, repr=False)
class Aliasing:
    """Aliased over harmonic power, sine by sine.

    Parameters
    ----------
    name : str
        One line about the network.
    input_rate, sample_rate : Fraction
        In Hz.
    amplitude : float
        Of the sines.
    definition : str
        One of "mean-removed", "all-bins", "residual", "peaks"; see :func:`aliasing`.
    sines : tuple of AliasedSine
        In the order of the question; powers are summed over the output's channels.
    """

    name: str
    input_rate: Fraction
    sample_rate: Fraction
    amplitude: float
    definition: str
    sines: tuple[AliasedSine, ...]

    @property
    def frequencies(self) -> NDArray[np.float64]:
        """The sines' frequencies in Hz, (sines,)."""
        return np.array([float(each.frequency) for each in self.sines])

    @property
    def ratios(self) -> NDArray[np.float64]:
        """Aliased over harmonic power of each sine, (sines,); 0 where nothing is aliased."""
        return self.by(self.definition)

    @property
    def overall(self) -> float:
        """All that is aliased over all that is harmonic, sines of equal power taken together."""
        return self._overall(self.definition)

    def by(self, definition: str) -> NDArray[np.float64]:
        """Return the ratio of each sine by another definition, (sines,)."""
        _, parts = DEFINITIONS[one_of(definition, "definition", tuple(DEFINITIONS))]
        return np.array([_over(*parts(each)) for each in self.sines])

    def _overall(self, definition: str) -> float:
        parts = [DEFINITIONS[definition][1](each) for each in self.sines]
        return _over(sum(one for one, _ in parts), sum(other for _, other in parts))

    def table(self) -> str:
        """Return one row a sine: the ratio in dB, and what is aliased by kind, re the harmonics."""
        return text_table(_HEADER, self._rows())

    def _rows(self) -> list[list[str]]:
        return [
            [
                format_hertz(each.frequency),
                _level(ratio),
                *(_level(_over(one, each.signal)) for one in (each.images, each.folds, each.tones)),
            ]
            for each, ratio in zip(self.sines, self.ratios, strict=True)
        ]

    def definitions(self) -> str:
        """Return what each of the four definitions reports for these sines, as a table of text."""
        rows = [
            [
                name,
                formula,
                _level(self._overall(name)),
                _level(float(self.by(name).min())),
                _level(float(self.by(name).max())),
            ]
            for name, (formula, _) in DEFINITIONS.items()
        ]
        return text_table(["definition", "ratio", "all sines", "least", "most"], rows)

    def __repr__(self) -> str:
        worst = int(np.argmax(self.ratios))
        formula = f"{self.definition}: {DEFINITIONS[self.definition][0]}"
        asked = f"{counted(len(self.sines), 'sine')} of amplitude {self.amplitude:g}"
        most = _level(float(self.ratios[worst]))
        return (
            f"{self.name}\n"
            f"aliased over harmonic power ({formula}), {asked}: {_level(self.overall)}\n"
            f"most at {format_hertz(self.sines[worst].frequency)}: {most}"
        )

    def _repr_html_(self) -> str:
        from html import escape

        words = "<br>".join(map(escape, repr(self).splitlines()))
        return f"<p>{words}</p>" + html_table(_HEADER, self._rows())

    def plot(self, ax: Any = None, *, title: str | None = None) -> Any:
        """Draw aliased power over the frequency of the sine; return the Axes.

        Parameters
        ----------
        ax : matplotlib Axes, optional
        title : str, optional

        Returns
        -------
        Axes
        """
        from upsim.show import draw_aliasing

        rows = list(zip(self.frequencies.tolist(), self.ratios.tolist(), strict=True))
        return draw_aliasing(
            {self.definition: rows},
            ax=ax,
            title=self.name if title is None else plain_text(title, "title"),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain, versioned data: numbers, strings and lists."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "name": self.name,
            "input_rate": str(self.input_rate),
            "sample_rate": str(self.sample_rate),
            "amplitude": self.amplitude,
            "definition": self.definition,
            "overall": {name: self._overall(name) for name in DEFINITIONS},
            "sines": [
                {
                    **asdict(each),
                    "frequency": str(each.frequency),
                    "ratios": {name: float(self.by(name)[number]) for name in DEFINITIONS},
                }
                for number, each in enumerate(self.sines)
            ],
        }

    def to_json(self, *, indent: int | None = None) -> str:
        """Return :meth:`to_dict` as JSON."""
        if indent is not None:
            indent = whole_number(indent, "indent", least=0, most=64)
        return json.dumps(self.to_dict(), indent=indent)


def aliasing(
    stack: Graph,
    frequencies: int | ArrayLike | None = None,
    *,
    amplitude: float = 1.0,
    definition: str = "mean-removed",
    progress: Progress | None = None,
) -> Aliasing:
    r"""Return aliased over harmonic power against the frequency of a sine, exactly.

    A sine is fed to every channel of the input.  What is neither at its frequency, nor at a
    multiple below half the output rate, nor at 0 Hz is aliased: images that upsamplers leave of the
    sine, harmonics of activations that a rate folds back, and copies of offsets.  No run is
    averaged and no window leaks: the sine has a prime period, one period of the output is carried
    through all layers, and each line of it has one order (:mod:`upsim.theory.reports.aliasing`).

    Four definitions of the ratio are in use.  With the powers A of all that is aliased, H of
    fundamental and harmonics, and D of the offset:

    * ``"mean-removed"``: A / H.  The offset is taken off first, as in RTNeural's notes.
    * ``"all-bins"``: (A + 2 D) / H.  Every bin but the harmonics is aliased, 0 Hz too (Sato &
      Smith, arXiv 2505.04082).  Their sums are one-sided, so the offset counts twice.
    * ``"residual"``: A / (H + D).  What is left when a band-limited signal of the same harmonics
      and offset is subtracted.
    * ``"peaks"``: A / H of the lines within 80 dB of the strongest, without 0 Hz, as programs find
      them that look for peaks.

    Parameters
    ----------
    stack : Stack or Graph
        One input, weights drawn.  ``graph.after("ups.2")`` asks for the part behind a node.
    frequencies : int or array, optional
        How many sines, or their frequencies in Hz, each below half of the input's and of the
        output's rate.  By default 24, from a hundredth of that up to nine tenths in equal ratios.
        Each is moved to the nearest frequency of a prime period, by a percent at most as a rule.
    amplitude : float
        Of the sines.  What smooth activations alias depends on it.
    definition : str
    progress : callable, optional
        Called with the part that is done, 0 to 1, and what comes next.

    Returns
    -------
    Aliasing

    Examples
    --------
    Nearest neighbour leaves images, and a rectifier folds harmonics of both:

    >>> from upsim.layers import Nearest, ReLU
    >>> from upsim.network.stack import Stack
    >>> print(aliasing(Stack([Nearest(2), ReLU()], sample_rate=44100), [1000, 8000]).table())
    sine          aliased/harmonic  images     folds      tones
    1.001283 kHz  -20.78 dB         -23.66 dB  -23.92 dB  none
    7.999909 kHz  -2.17 dB          -4.05 dB   -6.71 dB   none
    """
    graph = needs_network(stack, "aliasing")
    one_of(definition, "definition", tuple(DEFINITIONS))
    size = finite_number(amplitude, "amplitude")
    if size <= 0:
        raise ArgumentError(
            "amplitude must be positive", given=f"amplitude={size:g}", fix="amplitude=1.0"
        )
    tell = told(progress)
    if len(graph.inputs) > 1:
        raise NotPredictableError(
            "a sine is fed to one input",
            given=f"{len(graph.inputs)} inputs: " + ", ".join(each.name for each in graph.inputs),
            fix="the part behind a node that all inputs have reached: "
            "upsim.aliasing(graph.after(name))",
        )
    if not graph.is_drawn:
        raise NotPredictableError(
            "what is aliased depends on the weights",
            given="a network with open weights",
            fix="upsim.aliasing(stack.draw(seed=0))",
        )
    wanted = _sines(frequencies, graph)
    found = []
    with in_range():
        for number, each in enumerate(wanted):
            tell(number / len(wanted), f"a sine of {format_hertz(each)}")
            refuse_beyond_memory(
                numbers_of(graph, each), "the period of a sine", fix="higher frequencies"
            )
            found.append(aliased_sine(graph, each, size))
    return Aliasing(
        graph.summary(), graph.input_rate, graph.sample_rate, size, definition, tuple(found)
    )


def _sines(frequencies: object, graph: Graph) -> list[Fraction]:
    """Return the frequencies that are asked for, each inside the band of input and output."""
    highest = min(graph.input_rate, graph.sample_rate) / 2
    if frequencies is None or axes_of(frequencies) == 0:
        count = _COUNT
        if frequencies is not None:
            count = whole_number(frequencies, "frequencies", least=1, most=_MOST)
        steps = np.geomspace(1 / _SPAN, 0.9, count) if count > 1 else [0.1]
        return [exact(float(step * float(highest)), "frequencies") for step in steps]
    values = finite_array(frequencies, "frequencies", shape=(None,))
    if not 0 < values.size <= _MOST:
        raise ArgumentError(
            "there must be a sine",
            given=f"{values.size} frequencies",
            expected=f"1 to {_MOST}",
            fix="frequencies=24",
        )
    for each in values:
        if not 0 < each < highest:
            raise ArgumentError(
                "a sine lies outside the band of the input or of the output",
                given=format_hertz(each),
                expected=f"above 0 Hz and below {format_hertz(highest)}",
                fix=f"frequencies=[{float(highest) / 2:g}]",
            )
    return [exact(float(each), "frequencies") for each in values]


def _over(one: float, other: float) -> float:
    """Return a ratio of powers; nothing over nothing is nothing."""
    if not one:
        return 0.0
    return one / other if other else np.inf


def _level(ratio: float) -> str:
    return format_decibels(ratio) if ratio else "none"
