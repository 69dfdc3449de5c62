"""How far a network looks, and what its chunks need: the record, its words, table and picture."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from upsim.errors import NotPredictableError
from upsim.show.tables import html_table, text_table
from upsim.theory.reports.context import InputReach, Overlap
from upsim.words.arguments import plain_text, whole_number
from upsim.words.units import counted, format_decibels, format_hertz

FORMAT, VERSION = "upsim-context", 1

_HEADER = ("context", "before", "behind", "error", "worst sample", "largest")


@dataclass(frozen=True)
class ChunkError:
    """The error of a chunk that is run with some context, against the whole.

    Powers are relative to the mean square of the output.

    Parameters
    ----------
    context : int
        Frames a side that were asked for.
    left, right : int
        Frames before and behind the chunk that were fed: no more than are looked at, and so many
        that the network can be run.
    mean : float
        Power of the error over the whole chunk.
    worst : float
        Power of the error at its worst sample.
    largest : float or None
        The largest error there can be, squared, for inputs between -1 and 1; None if the error
        was measured.
    deviation : float
        Standard error of ``mean``, 0 for a closed form.
    """

    context: int
    left: int
    right: int
    mean: float
    worst: float
    largest: float | None
    deviation: float


@dataclass(frozen=True, eq=False, repr=False)
class Context:
    """How far a network looks, and what its chunks need.

    Frames are samples of the first input.

    Parameters
    ----------
    name : str
        One line about the network.
    input_rate, sample_rate : Fraction
        Of the first input and of the output, in Hz.
    inputs : tuple of InputReach
        The reach at each input.
    left, right : int
        Frames before and behind a stretch of frames that its output looks at: the receptive
        field.  Taps count, also those that happen to be zero.
    step : int
        Frames after which the network repeats itself; chunks start at its multiples.
    endless : tuple of str
        Normalisations with statistics over the whole signal: no context is enough.
    unknown : tuple of str
        Opaque nodes: what they look at is not known and not counted.
    chunk : int or None
        Frames of a chunk.
    overlap : (int, int) or None
        The safe overlap: frames to feed before and behind a chunk so that its output equals that
        of the whole.  None without a chunk.
    errors : tuple of ChunkError
        Where they were asked for.
    how : str
        "exact" (closed form), "measured" (runs of the NumPy witness on white noise; where no
        context is enough, with so many frames a side as the whole); "" without errors.
    """

    name: str
    input_rate: Fraction
    sample_rate: Fraction
    inputs: tuple[InputReach, ...]
    left: int
    right: int
    step: int
    endless: tuple[str, ...]
    unknown: tuple[str, ...]
    chunk: int | None = None
    overlap: Overlap | None = None
    errors: tuple[ChunkError, ...] = ()
    how: str = ""

    @property
    def bounded(self) -> bool:
        """Whether some context is enough."""
        return not self.endless and not self.unknown

    @property
    def lookahead(self) -> Fraction:
        """Frames of the future that an output sample looks at, at most; exact."""
        return max(each.future * self.input_rate / each.sample_rate for each in self.inputs)

    @property
    def delay(self) -> Fraction:
        """Frames from the middle of what an output sample looks at to its own time.

        The delay of the signal where the response is symmetric; of several inputs, the first.
        """
        return (self.inputs[0].past - self.inputs[0].future) / 2

    @property
    def latency(self) -> int | None:
        """Frames from a chunk's first one until its output can be made; None without a chunk."""
        if self.chunk is None or self.overlap is None:
            return None
        return self.chunk + self.overlap.right

    def table(self) -> str:
        """Return the errors as a table of text, in dB re the mean square of the output."""
        if not self.errors:
            return "no errors: upsim.context(graph, chunk, errors=True) finds them"
        return text_table(_HEADER, self._rows())

    def _rows(self) -> list[list[str]]:
        return [
            [
                str(each.context),
                str(each.left),
                str(each.right),
                "none" if not each.mean else format_decibels(each.mean),
                "none" if not each.worst else format_decibels(each.worst),
                "" if each.largest is None else _power(each.largest),
            ]
            for each in self.errors
        ]

    def _told(self, frames: Fraction) -> str:
        """Return a time in frames, output samples and milliseconds."""
        samples = float(frames * self.sample_rate / self.input_rate)
        milliseconds = float(1000 * frames / self.input_rate)
        unit, made = (
            counted(float(_short(each)), noun)
            for each, noun in ((float(frames), "frame"), (samples, "output sample"))
        )
        return f"{unit} ({made}, {_short(milliseconds)} ms)"

    def __repr__(self) -> str:
        frames = counted(self.left, "frame")
        lines = [
            self.name,
            (
                f"context: {'at least ' if not self.bounded else ''}{frames} of "
                f"{format_hertz(self.input_rate)} before, {self.right} behind"
            ),
            f"lookahead {self._told(self.lookahead)}; delay {self._told(self.delay)}",
        ]
        if self.endless:
            more = f" and {len(self.endless) - 1} more" if len(self.endless) > 1 else ""
            lines.append(
                f"{self.endless[0]}{more}: statistics of the whole signal, so no context is enough"
            )
        if self.unknown:
            more = f" and {len(self.unknown) - 1} more" if len(self.unknown) > 1 else ""
            lines.append(f"{self.unknown[0]}{more}: opaque, what it looks at is not known")
        if self.step > 1:
            lines.append(f"chunks start at multiples of {self.step} frames")
        if self.chunk is not None and self.overlap is not None:
            before, behind = self.overlap
            equal = "equals the whole" if self.bounded else "equals it but for the nodes named"
            lines.append(
                f"chunk of {self.chunk}: feed {before} before and {behind} behind, keep "
                f"{int(self.chunk * self.sample_rate / self.input_rate)} output samples from "
                f"{int(before * self.sample_rate / self.input_rate)} on: {equal}"
            )
        if self.errors:
            none = self.errors[0]
            lines.append(
                f"without context the error is {_power(none.mean)} re the output ({self.how})"
            )
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from html import escape

        words = "<br>".join(map(escape, repr(self).splitlines()))
        return f"<p>{words}</p>" + (html_table(_HEADER, self._rows()) if self.errors else "")

    def plot(self, ax: Any = None, *, title: str | None = None) -> Any:
        """Draw the error of a chunk over its context; return the Axes.

        Parameters
        ----------
        ax : matplotlib Axes, optional
        title : str, optional

        Returns
        -------
        Axes
        """
        from upsim.show import draw_context

        if not self.errors:
            raise NotPredictableError(
                "there is no error to draw",
                given="a context without errors",
                fix="upsim.context(graph, chunk, errors=True).plot()",
            )
        return draw_context(
            [(each.context, each.mean, each.worst, each.largest) for each in self.errors],
            enough=max(self.overlap) if self.overlap is not None and self.bounded else None,
            how=self.how,
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
            "left": self.left,
            "right": self.right,
            "lookahead": self._times(self.lookahead),
            "delay": self._times(self.delay),
            "step": self.step,
            "bounded": self.bounded,
            "endless": list(self.endless),
            "unknown": list(self.unknown),
            "inputs": [
                {
                    "name": each.name,
                    "sample_rate": str(each.sample_rate),
                    "left": each.left,
                    "right": each.right,
                    "past": str(each.past),
                    "future": str(each.future),
                }
                for each in self.inputs
            ],
            "chunk": self.chunk,
            "overlap": None if self.overlap is None else list(self.overlap),
            "latency": self.latency,
            "how": self.how,
            "errors": [
                {
                    "context": each.context,
                    "left": each.left,
                    "right": each.right,
                    "mean": each.mean,
                    "worst": each.worst,
                    "largest": each.largest,
                    "deviation": each.deviation,
                }
                for each in self.errors
            ],
        }

    def to_json(self, *, indent: int | None = None) -> str:
        """Return :meth:`to_dict` as JSON."""
        if indent is not None:
            indent = whole_number(indent, "indent", least=0, most=64)
        return json.dumps(self.to_dict(), indent=indent)

    def _times(self, frames: Fraction) -> dict[str, float]:
        return {
            "frames": float(frames),
            "output_samples": float(frames * self.sample_rate / self.input_rate),
            "milliseconds": float(1000 * frames / self.input_rate),
        }


def _power(power: float) -> str:
    return format_decibels(power) if power else "none"


def _short(number: float) -> str:
    return f"{number:.4g}"
