"""Lines of a recording: those that its exact waveform holds, behind activations.

An activation makes lines of a recording that it makes of nothing else: noise and music of changing
power become offsets, and offsets become lines.  The waveform is known exactly and so is where a
line may stand, so each place is tested against its neighbours, and what stands out is split by its
sources as the lines of any run are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from upsim.network.graph import Graph
from upsim.network.node import Node
from upsim.network.signals import Signal
from upsim.operators import StretchFIR
from upsim.operators.repeating import Repeating
from upsim.theory.lines.explained import MeanPeriods, explained, lines_fed, regressed
from upsim.theory.lines.repetition import common_time
from upsim.theory.lines.statistics import LEAST_TURNS, LineStatistics, beside_neighbours
from upsim.theory.lines.tones import Tone, repeating
from upsim.theory.moments.propagation import Trace
from upsim.words.tolerance import probable

Real = NDArray[np.float64]


def recorded_lines(
    trace: Trace, signals: Sequence[Signal], *, provenance: bool
) -> tuple[tuple[Tone, ...], LineStatistics, int] | None:
    """Return the lines of a recording's output, what was tested, and the period.

    None where the recording holds too few periods for a test.
    """
    graph = trace.graph
    span = common_time(graph, signals)
    periods = [int(span * rate) for rate in graph.value_rates]
    waveform = repeating(trace.end).waveform
    assert waveform is not None
    if waveform.shape[1] < LEAST_TURNS * periods[graph.end]:
        return None

    def samples(value: int) -> Real:
        """Return whole periods of a value: of its waveform, or of what repeats for ever."""
        record = repeating(trace.values[value])
        if record.waveform is None:
            return Repeating(record.period).over(periods[value])
        return record.waveform[:, : record.waveform.shape[1] // periods[value] * periods[value]]

    def mean(value: int) -> Real:
        return mean_period(samples(value), periods[value])

    gains = {
        node.name: _gains(node, samples)
        for node, operator in zip(graph.nodes, trace.operators, strict=True)
        if operator is None and not node.merging
    }
    run = MeanPeriods(
        [mean(number) for number in range(len(graph.inputs))],
        ["recording"] * len(graph.inputs),
        {node.name: mean(node.output) for node in graph.nodes},
        gains,
        ends=True,
    )
    floor = probable(terms(graph), 1.0) * np.sqrt(np.square(waveform).mean(axis=1))
    found = beside_neighbours(waveform, periods[graph.end], floor)
    starts = [
        lines_fed(graph, signal, number, periods[number]) for number, signal in enumerate(signals)
    ]
    tones = explained(graph, signals, starts, run, found, provenance=provenance)
    return tones, found, periods[graph.end]


def _gains(node: Node, samples: Callable[[int], Real]) -> Real:
    """Return the gains of a node that is not linear, by regression over the recording."""
    before, after = samples(node.inputs[0]), samples(node.output)
    if before.shape[1] != after.shape[1] or len(before) % len(after):
        return np.zeros((0, len(after)))
    parts = before.reshape(-1, *after.shape)
    return regressed(
        parts.sum(axis=2),
        np.einsum("ict,jct->ijc", parts, parts),
        np.einsum("ict,ct->ic", parts, after),
        after.sum(axis=1),
        after.shape[1],
    )


def mean_period(samples: Real, period: int) -> Real:
    """Return the mean at each phase of whole periods, (channels, n) to (channels, period)."""
    return np.asarray(samples.reshape(len(samples), -1, period).mean(axis=1))


def terms(graph: Graph) -> int:
    """Return the terms of the longest sum on the way to an output sample, layer after layer."""
    found = 1
    for operator in graph.operators:
        if isinstance(operator, StretchFIR):
            found += operator.taps.shape[1] * operator.taps.shape[2]
        elif operator is not None:
            count, _, channels, _, down = operator.polyphase().blocks.shape
            found += count * channels * down
    return found
