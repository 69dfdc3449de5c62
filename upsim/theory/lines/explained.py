r"""The lines of a run, each split exactly into what made it.

The mean of a value at each phase of the period obeys a linear recursion: through operators as they
are, through whatever else with a gain of the run and a rest that is a source.  So a walk over one
period, fed with the run's rests, ends in the run's own mean period, and each line of it is a sum
over sources (:mod:`upsim.theory.lines.provenance`).  What a run with ends makes beyond the map of
the means is a source as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from upsim.network.graph import Graph
from upsim.network.node import Node
from upsim.network.signals import Signal
from upsim.network.walk import walk
from upsim.operators.repeating import Repeating
from upsim.theory.lines.provenance import RunGains
from upsim.theory.lines.statistics import LineStatistics
from upsim.theory.lines.tones import Tone, find_tones, repeating
from upsim.theory.moments import DeterministicMoments, Moments, Source
from upsim.theory.moments.merging import merged_samples
from upsim.theory.moments.propagation import Trace
from upsim.words.tolerance import probable

Real = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MeanPeriods:
    """The mean periods of a run, and its gains.

    Parameters
    ----------
    fed : sequence of array (channels, period)
        Of each input.
    causes : sequence of str
        What is in each input beside its lines: "input noise" or "recording".
    made : mapping of str to array (channels, period)
        By the name of a node: of each that is not linear, and in a run with ends of all.
    gains : mapping of str to array (parts, channels)
        By the name of each node that is not linear.
    ends : bool
        Whether the run has ends.
    """

    fed: Sequence[Real]
    causes: Sequence[str]
    made: Mapping[str, Real]
    gains: Mapping[str, Real]
    ends: bool = False


def lines_fed(graph: Graph, signal: Signal, number: int, whole: int) -> DeterministicMoments:
    """Return the lines of an input's signal over a common period of ``whole`` samples."""
    label = graph.inputs[number].name if len(graph.inputs) > 1 else ""
    channels, rate = graph.inputs[number].channels, graph.input_rates[number]
    start = DeterministicMoments.from_signal(signal, channels, rate, provenance=True, label=label)
    return replace(
        start,
        period=Repeating(start.period).over(whole),
        shares=Repeating(start.shares).over(whole),
        waveform=None,
    )


def explained(
    graph: Graph,
    signals: Sequence[Signal],
    starts: Sequence[DeterministicMoments],
    run: MeanPeriods,
    found: LineStatistics,
    *,
    provenance: bool = True,
) -> tuple[Tone, ...]:
    """Return the listed lines with their shares.

    Parameters
    ----------
    starts : sequence of DeterministicMoments
        The lines of each input over the common period.
    """
    records = []
    for number, (start, period) in enumerate(zip(starts, run.fed, strict=True)):
        label = graph.inputs[number].name if len(graph.inputs) > 1 else ""
        own = (period - start.period)[None]
        source = Source(run.causes[number], label)
        records.append(
            replace(
                start,
                period=period,
                sources=(*start.sources, source),
                shares=np.concatenate([start.shares, own]) if start.sources else own,
            )
        )
    seconds = run.fed[0].shape[1] / graph.input_rate

    def after(node: Node, given: Sequence[Moments]) -> Moments:
        periods = [repeating(each).period for each in given]
        if node.name in run.made:
            period = run.made[node.name]
        elif node.merging:
            period = merged_samples(periods, node.merging)
        else:
            operator = graph.operators[node.output - len(graph.inputs)]
            assert operator is not None
            whole = int(seconds * graph.value_rates[node.output])
            period = Repeating(operator.periodic(periods[0])).over(whole)
            if operator.offset is not None:
                period = period + Repeating(operator.offset).over(whole)
        return DeterministicMoments(period, provenance=False)

    inputs: list[Moments] = list(records)
    trace = Trace(graph, tuple(walk(graph, inputs, after)), graph.operators)
    numbers = np.flatnonzero(found.listed).tolist()
    tones = find_tones(
        trace, signals, starts=records, lines=numbers, run=RunGains(run.gains, run.ends)
    )
    powers, errors = found.powers, found.errors
    return tuple(
        replace(
            tone,
            power=powers[:, number],
            error=errors[:, number],
            contributions=tone.contributions if provenance else (),
        )
        for tone, number in zip(tones, numbers, strict=True)
    )


def regressed(ones: Real, gram: Real, cross: Real, after: Real, samples: float) -> Real:
    r"""Return the gain from each part, (parts, channels): the regression of an output on them.

    With one part that is Bussgang's :math:`\mathrm{Cov}(f, x) / \mathrm{Var}(x)`.  Parts that
    do not move have no gain, and parts that move alike share it.

    Parameters
    ----------
    ones : array (parts, channels)
        Sums of the parts over time.
    gram : array (parts, parts, channels)
        Sums of their products.
    cross : array (parts, channels)
        Sums of their products with the output.
    after : array (channels,)
        Sum of the output.
    samples : float
        How many were added.
    """
    if not len(ones):
        return np.zeros_like(ones)
    means = ones / samples
    moved = gram / samples - means[:, None] * means
    agreed = cross / samples - means * after / samples
    # What moves by rounding only has no gain.
    squares = np.einsum("iic->ic", gram) / samples
    still = np.einsum("iic->ic", moved) <= probable(4, 1.0) * squares
    moved = np.where(still[:, None] | still, 0.0, moved)
    inverse = np.linalg.pinv(moved.transpose(2, 0, 1), hermitian=True)
    return np.asarray(np.einsum("cij,jc->ic", inverse, agreed))
