"""The comparisons of samples: lengths, lines, the finite map, a recording."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from upsim.answer.prediction import Prediction
from upsim.errors import ArgumentError
from upsim.network.feed import signals_of
from upsim.network.graph import Graph
from upsim.network.signals import Line, Signal, Term
from upsim.theory.moments import DeterministicMoments
from upsim.theory.moments.propagation import propagate
from upsim.theory.reports.boundaries import boundary_report
from upsim.verification.report import Check
from upsim.verification.roundings import rounding_through
from upsim.verification.runner import (
    Runner,
    finite_trace,
    refuse_normalisations,
    shortest_input,
    unit_length,
)


def compare_lengths(stack: Graph, runner: Runner) -> Check:
    """Compare output lengths for several input lengths; whole numbers, so the tolerance is 0."""
    unit = unit_length(stack)
    worst = 0
    for count in (1, 2, 3):
        length = shortest_input(stack, unit) + unit * count
        made = runner(stack, np.zeros((1, stack.in_channels, length)))[-1]
        worst = max(worst, abs(made.shape[-1] - stack.output_length(length)))
    return Check("lengths", "output lengths for three inputs against the length law", worst, 0)


def compare_lines(stack: Graph, signal: Signal, runner: Runner) -> Check:
    """Compare one period of the predicted steady state with the middle of a long run."""
    refuse_normalisations(stack, "level")
    start = DeterministicMoments.from_signal(
        _LinesOf(signal), stack.in_channels, stack.input_rate, provenance=False
    )
    trace = propagate(stack, [start])
    end = trace.end
    assert isinstance(end, DeterministicMoments)
    period = end.period.shape[1]
    unit = unit_length(stack)
    length = shortest_input(stack, unit)
    while True:
        edges = boundary_report(stack, length).transients[-1]
        if stack.output_length(length) - edges.left - edges.right >= period:
            break
        length = shortest_input(stack, unit, least=2 * length)
        if length * stack.in_channels > 2**26:
            raise ArgumentError(
                "the steady state needs a run that is too long", given=f"{length} samples"
            )
    index = np.arange(length) % start.period.shape[1]
    made = runner(stack, start.period[None, :, index])
    middle = np.arange(edges.left, edges.left + period)
    error = np.abs(made[-1][0][:, middle] - end.period[:, middle % period]).max()
    size = f"{period} sample{'s' if period > 1 else ''}"
    return Check(
        "lines",
        f"one period ({size}) of the steady state, in the middle of a run of {length} in",
        float(error),
        rounding_through(trace, runner.dtype),
    )


@dataclass(frozen=True, eq=False, repr=False)
class _LinesOf(Term):
    """The lines of another signal, without its noise and recordings."""

    signal: Signal

    def lines(self, channels: int, rate: Fraction) -> tuple[Line, ...]:
        """Return the lines of the other signal."""
        return self.signal.lines(channels, rate)


def compare_samples(stack: Graph, runner: Runner, seed: int) -> Check:
    """Compare the finite map, edges included, on random samples."""
    unit = unit_length(stack)
    length = shortest_input(stack, unit) + 4 * unit
    samples = np.random.default_rng(seed).standard_normal((stack.in_channels, length))
    made = runner(stack, samples[None])
    trace = finite_trace(stack, samples)
    end = trace.end
    assert isinstance(end, DeterministicMoments)
    assert end.waveform is not None
    if made[-1][0].shape != end.waveform.shape:
        return Check("samples", "shapes differ", float("inf"), 0.0)
    return Check(
        "samples",
        f"{length} random samples through the finite map, edges included",
        float(np.abs(made[-1][0] - end.waveform).max()),
        rounding_through(trace, runner.dtype),
    )


def compare_recording(stack: Graph, prediction: Prediction, runner: Runner) -> Check:
    """Compare the output for the recording, sample by sample."""
    assert prediction.waveform is not None
    channels, rate = stack.in_channels, stack.input_rate
    start = DeterministicMoments.from_signal(
        signals_of(stack, prediction.signal)[0], channels, rate, provenance=False
    )
    assert start.waveform is not None
    trace = propagate(stack, [start])
    made = runner(stack, start.waveform[None])
    return Check(
        "recording",
        f"all {prediction.waveform.shape[1]} output samples of the recording",
        float(np.abs(made[-1][0] - prediction.waveform).max()),
        rounding_through(trace, runner.dtype),
    )
