"""How long a circle is, and how many there are: sizes, before anything is run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from upsim.errors import ArgumentError, TooLargeError
from upsim.network.graph import Graph
from upsim.network.signals import Signal
from upsim.theory.lines.repetition import common_time
from upsim.theory.reports.context import find_reach
from upsim.words.arguments import MEMORY_BUDGET

Real = NDArray[np.float64]
Whole = NDArray[np.intp]

#: Bins of a band in one circle, at least: with half of them at its ends.
_BINS = 4


@dataclass(frozen=True)
class Plan:
    """The sizes of a circle, in samples of each value.

    Parameters
    ----------
    graph : Graph
    periods : tuple of int
        By value number: samples in the time after which the expectation of all values repeats.
    turns : int
        Such times in one circle.
    rows : int
        Circles that are run side by side.
    notes : tuple of str
        What a circle of finite length leaves out.
    """

    graph: Graph
    periods: tuple[int, ...]
    turns: int
    rows: int
    notes: tuple[str, ...]

    @property
    def seconds(self) -> Fraction:
        """The duration of one circle."""
        return self.length(self.graph.end) / self.graph.sample_rate

    def length(self, value: int) -> int:
        """Return the samples of a value on the circle."""
        return self.periods[value] * self.turns

    @property
    def period(self) -> int:
        """Samples of the output's period."""
        return self.periods[self.graph.end]


def planned(
    graph: Graph,
    signals: Sequence[Signal],
    grid: Real,
    seconds: Fraction | None,
    least: int,
    numbers: int = 1,
) -> Plan:
    """Return the plan of circles for a density on a grid of frequencies.

    A circle is twice as long as the network looks: then no two samples of its output have an input
    in common that they have not on the infinite line, and what is measured is that of the line.
    Each band of the density has some bins in it beside the lines.

    Parameters
    ----------
    grid : array (F,)
        In Hz.
    seconds : Fraction or None
        What may be run in all.
    least : int
        Circles that this must hold.
    numbers : int
        Of the widest value, that are run side by side: so many short circles share a run.
    """
    span = common_time(graph, signals)
    periods = tuple(int(span * rate) for rate in graph.value_rates)
    if seconds is not None and span > seconds:
        raise ArgumentError(
            "the period is longer than the run",
            given=f"a period of {float(span):g} s, seconds={float(seconds):g}",
            expected="whole periods in each batch",
            fix=f"seconds={float(least * span):g}",
        )
    _refuse_long(graph, span, periods)
    reach = find_reach(graph)
    notes = [f"{title}: statistics of each batch" for title in reach.endless] + [
        f"{title}: run on each batch until settled" for title in reach.unknown
    ]
    seen = max((each.left + each.right) / each.sample_rate for each in reach.inputs)
    resolved = Fraction(_BINS) / Fraction(float(np.diff(grid).min())) if grid.size > 1 else 0
    turns = max(_BINS, -(-2 * seen // span), int(-(-resolved // span)))
    circle = turns * span
    if seconds is not None and least * circle > seconds:
        raise ArgumentError(
            "there is no time for enough batches",
            given=f"seconds={float(seconds):g}",
            expected=f"at least {least} batches of {float(circle):.4g} s, each twice as long as "
            "the network looks and as the resolution of the density asks for",
            fix=f"seconds={float(least * circle):.4g}",
        )
    widest = max(
        channels * period * turns
        for channels, period in zip(graph.value_channels, periods, strict=True)
    )
    if 8 * widest > MEMORY_BUDGET:
        raise TooLargeError(
            "one batch would not fit in memory",
            given=f"{float(circle):.4g} s, {8 * widest / 2**20:.0f} MiB in its widest value",
            expected=f"at most {MEMORY_BUDGET / 2**20:.0f} MiB",
            fix="frequencies=17",
        )
    return Plan(graph, periods, int(turns), max(1, numbers // widest), tuple(notes))


def _refuse_long(graph: Graph, span: Fraction, periods: Sequence[int]) -> None:
    kept = sum(c * p for c, p in zip(graph.value_channels, periods, strict=True))
    if 16 * kept > MEMORY_BUDGET:
        raise TooLargeError(
            "one period of all values would not fit in memory",
            given=f"a period of {float(span):g} s, {16 * kept / 2**20:.0f} MiB",
            expected=f"at most {MEMORY_BUDGET / 2**20:.0f} MiB",
            fix="sines whose frequencies share a larger divisor with the input rate",
        )


def bands(plan: Plan, grid: Real) -> Whole:
    """Return the band of each bin of a circle's spectrum, (N // 2 + 1,); -1 where it is in none.

    A band reaches half the way to its neighbours.  The bins of the lines, every ``turns``-th, are
    in no band.
    """
    count = plan.length(plan.graph.end)
    places = np.arange(count // 2 + 1) * (float(plan.graph.sample_rate) / count)
    edges = (grid[1:] + grid[:-1]) / 2
    first, last = grid[0] - (edges[0] - grid[0]), grid[-1] + (grid[-1] - edges[-1])
    found = np.searchsorted(edges, places, side="right")
    found[(places < first) | (places > last)] = -1
    found[:: plan.turns] = -1
    return found
