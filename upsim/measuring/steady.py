"""Where nothing is random: one period of the steady state, run by the witness."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from upsim.measuring.sums import Seen, fetched
from upsim.network.graph import Graph
from upsim.network.signals import Signal
from upsim.neural.backends import Backend, NumpyBackend
from upsim.operators.repeating import Repeating
from upsim.theory.lines.explained import MeanPeriods, explained, lines_fed
from upsim.theory.lines.repetition import common_time
from upsim.theory.lines.statistics import LineStatistics
from upsim.theory.lines.tones import Tone
from upsim.verification.witness import Witness, run_period
from upsim.words.arguments import refuse_beyond_memory

Real = NDArray[np.float64]


def steady_lines(
    graph: Graph, signals: Sequence[Signal], backend: Backend
) -> tuple[tuple[Tone, ...], Real, int]:
    """Return the lines, the bounds of those that are not listed, and the output's period.

    A line is listed where it is more than rounding may have made of it.
    """
    span = common_time(graph, signals)
    periods = tuple(int(span * rate) for rate in graph.value_rates)
    channels = graph.value_channels
    refuse_beyond_memory(
        3 * sum(c * p for c, p in zip(channels, periods, strict=True)),
        "one period of all values",
        fix="sines whose frequencies share a larger divisor with the input rate",
    )
    starts = [
        lines_fed(graph, signal, number, periods[number]) for number, signal in enumerate(signals)
    ]
    run = run_period(graph, [start.period[None] for start in starts], Witness.of(backend))

    def samples(value: int) -> Real:
        return Repeating(run.places[value].samples[0]).over(periods[value])

    made, gains = {}, {}
    for node, operator in zip(graph.nodes, graph.operators, strict=True):
        if operator is None and not node.merging:
            before, after = samples(node.inputs[0]), samples(node.output)
            parts = 0 if len(before) % len(after) else len(before) // len(after)
            parts = parts if before.shape[1] == after.shape[1] else 0
            plain, period = NumpyBackend(), after.shape[1]
            seen = Seen.at(plain, before[None], after[None], parts, period, gains=True)
            sums = fetched({node.name: seen}, plain)[node.name]
            made[node.name], gains[node.name] = sums.mean, sums.gains()
    found = _without_scatter(samples(graph.end), run.end.error)
    fed = [samples(number) for number in range(len(starts))]
    means = MeanPeriods(fed, ["input noise"] * len(fed), made, gains)
    tones = explained(graph, signals, starts, means, found)
    bounds = np.where(found.listed, np.nan, found.bounds)
    bounds.setflags(write=False)
    return tones, bounds, periods[graph.end]


def _without_scatter(period: Real, error: Real) -> LineStatistics:
    """Return lines that only rounding may have moved."""
    amplitudes = Repeating(period).half_lines()
    numbers = np.arange(amplitudes.shape[1])
    sides = np.where((2 * numbers) % period.shape[1] == 0, 1.0, 2.0)
    size = np.abs(amplitudes)
    none = np.zeros_like(size)
    return LineStatistics(
        amplitudes,
        none,
        np.broadcast_to(error[:, None], size.shape),
        np.any(size > error[:, None], axis=0, keepdims=True)[0],
        sides * (size + error[:, None]) ** 2,
        sides,
    )
