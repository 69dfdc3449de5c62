r"""The lines of a run, each split exactly into what made it.

The mean of a value at each phase of the period obeys a linear recursion: through operators as they
are, through whatever else with a gain of the run and a rest that is a source.  So a walk over one
period, fed with the run's rests, ends in the run's own mean period, and each line of it is a sum
over sources (:mod:`upsim.theory.lines.provenance`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from upsim.measuring.plan import Plan
from upsim.measuring.statistics import LineStatistics
from upsim.network.graph import Node, walk
from upsim.network.signals import Signal
from upsim.operators.repeating import Repeating
from upsim.theory.lines.provenance import RunGains
from upsim.theory.lines.tones import Tone, find_tones
from upsim.theory.moments import DeterministicMoments, Source
from upsim.theory.moments.merging import merged_samples
from upsim.theory.moments.propagation import Trace

Real = NDArray[np.float64]


def lines_fed(signal: Signal, channels: int, plan: Plan, number: int) -> DeterministicMoments:
    """Return the lines of an input's signal over the common period, by source."""
    graph = plan.graph
    label = graph.inputs[number].name if len(graph.inputs) > 1 else ""
    start = DeterministicMoments.from_signal(
        signal, channels, graph.input_rates[number], provenance=True, label=label
    )
    whole = plan.periods[number]
    return replace(
        start,
        period=Repeating(start.period).over(whole),
        shares=Repeating(start.shares).over(whole),
    )


def explained(
    plan: Plan,
    signals: Sequence[Signal],
    starts: Sequence[DeterministicMoments],
    fed: Sequence[Real],
    made: Mapping[str, Real],
    gains: Mapping[str, Real],
    found: LineStatistics,
) -> tuple[Tone, ...]:
    """Return the listed lines with their shares.

    Parameters
    ----------
    starts : sequence of DeterministicMoments
        The lines of each input.
    fed : sequence of array (channels, period)
        The mean period of each input in the run.
    made, gains : mapping
        By the name of each node that is not linear: the mean period of what it made, and its gains.
    """
    graph = plan.graph
    records = []
    for number, (start, period) in enumerate(zip(starts, fed, strict=True)):
        label = graph.inputs[number].name if len(graph.inputs) > 1 else ""
        own = (period - start.period)[None]
        records.append(
            replace(
                start,
                period=period,
                sources=(*start.sources, Source("input noise", label)),
                shares=np.concatenate([start.shares, own]) if start.sources else own,
            )
        )

    def after(node: Node, given: Sequence[DeterministicMoments]) -> DeterministicMoments:
        periods = [each.period for each in given]
        if node.name in made:
            period = made[node.name]
        elif node.merging:
            period = merged_samples(periods, node.merging)
        else:
            operator = graph.operators[node.output - len(graph.inputs)]
            assert operator is not None
            whole = plan.periods[node.output]
            period = Repeating(operator.periodic(periods[0])).over(whole)
            if operator.offset is not None:
                period = period + Repeating(operator.offset).over(whole)
        return DeterministicMoments(period, provenance=False)

    values = walk(graph, records, after)
    trace = Trace(graph, tuple(values), graph.operators)
    numbers = np.flatnonzero(found.listed).tolist()
    tones = find_tones(trace, signals, starts=records, lines=numbers, run=RunGains(gains))
    powers, errors = found.powers, found.errors
    return tuple(
        replace(tone, power=powers[:, number], error=errors[:, number])
        for tone, number in zip(tones, numbers, strict=True)
    )
