"""Push the record through a stack and keep it after every layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import reduce
from math import lcm
from types import TracebackType
from typing import TYPE_CHECKING, cast

import numpy as np

from upsim.errors import NotPredictableError, TooLargeError, UpsimError
from upsim.layers.base import Activation, Layer, LinearLayer, Normalisation
from upsim.layers.convolution import WeightedLayer
from upsim.layers.weight_norm import WeightNorm
from upsim.network.signals import Signal, Silence
from upsim.network.stack import Stack, Step, stack_of
from upsim.operators import Operator, StretchFIR
from upsim.theory.moments import (
    DeterministicMoments,
    EnsembleMoments,
    Moments,
    StationaryMoments,
)
from upsim.theory.moments.foresight import Foreseen, merged, releases
from upsim.theory.moments.stationary import merged_operators
from upsim.words.arguments import MEMORY_BUDGET, refuse_beyond_memory, whole_number
from upsim.words.progress import Progress, silent

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True, eq=False)
class Trace:
    """What was known at every place of a stack.

    Parameters
    ----------
    steps : tuple of Step
        In the order in which they were taken.
    values : tuple of Moments
        By value number; value 0 is the input.
    operators : tuple of Operator or None
        By step; None for activations, normalisations and mergings.
    repeats : mapping of str to Trace
        In expectation: the same with one cause of lines left out, by cause.
    """

    steps: tuple[Step, ...]
    values: tuple[Moments, ...]
    operators: tuple[Operator | None, ...]
    repeats: Mapping[str, Trace] = field(default_factory=dict)

    def after(self, number: int) -> Moments:
        """Return the record after top-level layer ``number``; 0 is the input."""
        return self.values[self.value_after(number)]

    def upto(self, number: int) -> Trace:
        """Return the trace of the first ``number`` top-level layers."""
        end = self.value_after(number)
        repeats = {cause: trace.upto(number) for cause, trace in self.repeats.items()}
        return Trace(self.steps[:end], self.values[: end + 1], self.operators[:end], repeats)

    def value_after(self, number: int) -> int:
        """Return the number of the value that top-level layer ``number`` makes."""
        ends = [step.output for step in self.steps if step.path == (number,)]
        return ends[0] if ends else 0


def starting_moments(
    stack: Stack, signal: Signal, *, provenance: bool, budget: float = MEMORY_BUDGET
) -> Moments:
    """Choose the regime.

    Expectation over networks if the first layers with weights are random; else stationary if any
    part of the signal is random, else deterministic.  From such a start, too, a random layer makes
    an expectation of it.
    """
    channels, rate = stack.in_channels, stack.input_rate
    if not stack.is_drawn and not _begins_drawn(stack):
        return EnsembleMoments.from_signal(signal, channels, rate, budget=budget)
    random = signal.density(np.zeros(1), channels, rate) is not None
    # Noise through an activation makes lines of its own, which only their shares tell apart.
    shared = provenance or (random and _has_activation(stack))
    lines = signal.lines(channels, rate)
    period = lcm(*(Fraction(line.frequency / rate).denominator for line in lines), 1)
    # A period of one sample costs nothing before `propagate` looks; a longer one is looked at here,
    # and one that does not fit by itself is refused by from_signal in the signal's words.
    if period > 1 and period * channels * 8 <= MEMORY_BUDGET:
        _refuse_long_periods(stack, period, frozenset({"input"}), provenance=shared)
    mean = DeterministicMoments.from_signal(signal, channels, rate, provenance=shared)
    if not random:
        return mean
    return StationaryMoments(mean, signal, channels, rate, budget=budget, provenance=provenance)


def propagate(stack: Stack, start: Moments, progress: Progress = silent) -> Trace:
    """Return the record after every step of a stack."""
    if not stack.is_drawn:
        return _propagate_ensemble(stack, start, progress=progress)
    mean = start.mean if isinstance(start, StationaryMoments) else start
    assert isinstance(mean, DeterministicMoments)
    causes = frozenset(source.cause for source in mean.sources)
    _refuse_long_periods(stack, mean.period.shape[1], causes, provenance=mean.provenance)
    released: dict[int, list[int]] = {}
    if isinstance(start, StationaryMoments) and _has_activation(stack):
        released = releases(stack.steps, _foreseen(stack, start), start.budget)
    values: list[Moments] = [start]
    for number, (step, operator) in enumerate(zip(stack.steps, stack.operators, strict=True)):
        progress(number / len(stack.steps), step.name)
        inputs = [values[value] for value in step.inputs]
        with _Placed(step, len(stack)):
            made = _one_step(step, operator, inputs)
        values.append(made)
        for value in released.get(number, ()):
            record = values[value]
            assert isinstance(record, StationaryMoments)
            record.place.release()
    return Trace(stack.steps, tuple(values), stack.operators)


def _propagate_ensemble(
    stack: Stack,
    start: Moments,
    without: frozenset[str] = frozenset(),
    known: Trace | None = None,
    *,
    progress: Progress = silent,
) -> Trace:
    """Return the expectation over initialisations after every step of a stack.

    What no random layer has touched is one network's, and is carried as such where the stack has
    weights of its own there; from the first random layer on it is an expectation.  Phases of a
    period matter up to the last activation or decimation; behind it the average over time is
    carried, which costs less by the length of the period.

    ``known`` is the trace of the whole, for a repeat ``without`` some causes.
    """
    steps = stack.steps
    needs_phases = [
        number
        for number, step in enumerate(steps)
        if isinstance(step.layer, Activation) or (step.layer and step.layer.block[1] > 1)
    ]
    last = needs_phases[-1] if needs_phases else -1
    last_use = {value: number for number, step in enumerate(steps) for value in step.inputs}
    values: list[Moments] = [start]
    operators: list[Operator | None] = []
    expected: dict[int, EnsembleMoments] = {}

    def in_expectation(value: int) -> EnsembleMoments:
        record = values[value]
        if isinstance(record, EnsembleMoments):
            return record
        if value not in expected:
            expected[value] = EnsembleMoments.from_network(record, without)
        return expected[value]

    for number, step in enumerate(steps):
        progress(number / len(steps), step.name)
        random = any(isinstance(values[value], EnsembleMoments) for value in step.inputs)
        operator = None
        with _Placed(step, len(stack)):
            if random or not (step.layer is None or step.layer.is_drawn):
                given = [in_expectation(value) for value in step.inputs]
                if known is not None:
                    whole = known.values[step.output]
                    assert isinstance(whole, EnsembleMoments)
                    given = [replace(each, gains=whole.gains) for each in given]
                if number > last:
                    given = [each if each.averaged else each.over_time() for each in given]
                made: Moments = _expected(step, given)
            elif known is not None:
                made, operator = known.values[step.output], known.operators[number]
            else:
                inputs = [values[value] for value in step.inputs]
                if isinstance(step.layer, LinearLayer):
                    operator = step.layer.operator(inputs[0].channels)
                made = _one_step(step, operator, inputs)
        values.append(made)
        operators.append(operator)
        for value in step.inputs:
            record = values[value]
            # What a report reads is averages; the phases have done their work.
            if last_use[value] == number and isinstance(record, EnsembleMoments):
                values[value] = record.over_time()
    return Trace(steps, tuple(values), tuple(operators))


def repeat_without(stack: Stack, signal: Signal, trace: Trace, without: frozenset[str]) -> Trace:
    """Return the walk of an expectation over networks again, some causes of lines left out."""
    start = trace.values[0]
    if not isinstance(start, EnsembleMoments):
        return _propagate_ensemble(stack, start, without, trace)
    try:
        cheap = start.repeated(signal, stack.input_rate, without, cheaply=True)
        return _propagate_ensemble(stack, cheap, without, trace)
    except TooLargeError:
        # A given kernel on noise asks for more lags than none: those of the whole.
        full = start.repeated(signal, stack.input_rate, without, cheaply=False)
        return _propagate_ensemble(stack, full, without, trace)


def _expected(step: Step, inputs: Sequence[EnsembleMoments]) -> EnsembleMoments:
    """Return the expectation after one step."""
    layer, made = step.layer, inputs[0]
    if layer is None:
        return EnsembleMoments.merged(inputs, step.merging)
    if isinstance(layer, LinearLayer):
        for part in layer.in_expectation(made.channels):
            made = made.through(part, step.label)
    elif isinstance(layer, Normalisation):
        made = made.through_normalisation(layer, step.label)
    else:
        made = made.through_activation(cast("Activation", layer), step.label)
    return made.made_by(step.label)


def _one_step(step: Step, operator: Operator | None, inputs: Sequence[Moments]) -> Moments:
    """Return the record after one step."""
    if step.layer is None:
        return type(inputs[0]).merged(inputs, step.merging)
    if operator is not None:
        return inputs[0].through_operator(operator, step.label)
    if isinstance(step.layer, Normalisation):
        return inputs[0].through_normalisation(step.layer, step.label)
    return inputs[0].through_activation(cast("Activation", step.layer), step.label)


def _begins_drawn(stack: Stack) -> bool:
    """Tell whether any layer of weights of its own comes before all random ones."""
    random: set[int] = set()
    for step in stack.steps:
        drawn = step.layer is None or step.layer.is_drawn
        if not drawn or random.intersection(step.inputs):
            random.add(step.output)
        elif isinstance(step.layer, WeightedLayer | WeightNorm):
            return True
    return False


def _refuse_long_periods(
    stack: Stack, period: int, causes: frozenset[str], *, provenance: bool
) -> None:
    """Refuse, before any array is made, a stack whose periods would not fit in memory together.

    One period after a layer has as many samples as the strides so far multiply to; it is kept for
    each channel, once in whole and once for each source of lines (input, biases, activations).
    """
    sines = period > 1
    channels = stack.value_channels
    periods, sources = [period], [causes]
    total = 0
    for step in stack.steps:
        period = lcm(*(periods[value] for value in step.inputs))
        found = sources[step.inputs[0]].union(*(sources[value] for value in step.inputs[1:]))
        if step.layer is not None:
            up, down = step.layer.block
            period = lcm(period, down) // down * up
            if provenance and (isinstance(step.layer, Activation) or has_bias(step.layer)):
                found |= {step.label}
        periods.append(period)
        sources.append(found)
        total += (len(found) + 1) * channels[step.output] * period
        if 8 * total > MEMORY_BUDGET:
            refuse_beyond_memory(
                total,
                f"the periods up to {step.name}, {period} samples long,",
                fix=_shorter(step, sines=sines, strides=period > periods[0]),
            )


def _shorter(step: Step, *, sines: bool, strides: bool) -> str:
    """Return what shortens the periods up to a step: what makes them long, and that alone."""
    before = step.path[0] - 1
    ways = [f"stack.upto({before}), the layers before it"] if before else []
    if strides:
        ways.append("smaller strides")
    if sines:
        ways.append("sines whose frequencies share a larger divisor with the input rate")
    return ", or ".join(ways) or "fewer channels"


def _foreseen(stack: Stack, start: StationaryMoments) -> list[Foreseen]:
    """Return what each value's covariance will take; refuse one that fits in no form.

    Before any of them is made.
    """
    foreseen = [Foreseen.at_input(start)]
    for step, operator in zip(stack.steps, stack.operators, strict=True):
        inputs = [foreseen[value] for value in step.inputs]
        with _Placed(step, len(stack)):
            if step.layer is None:
                foreseen.append(merged(inputs, step.merging))
            else:
                foreseen.append(inputs[0].after(step.layer, operator))
            if step is stack.steps[-1]:
                foreseen[-1].settled()
    return foreseen


def has_bias(layer: Layer) -> bool:
    """Tell whether a layer adds a bias of its own."""
    inner = layer.layer if isinstance(layer, WeightNorm) else layer
    bias = getattr(inner, "bias", None)
    return bias is not None and bias is not False


def fold(stack: Stack) -> Operator:
    """Return a linear stack as one operator, by the noble identities and polyphase sums.

    Parameters
    ----------
    stack : Stack
        Without activations and normalisations; weights drawn.

    Returns
    -------
    Operator
        A stretch-FIR where every layer is one, a polyphase matrix otherwise.  Equal to the stack on
        the infinite line, offsets included.
    """
    stack_of(stack)
    wire: Operator = StretchFIR(np.ones((stack.in_channels, 1, 1)), groups=stack.in_channels)
    values = [wire]
    for step, operator in zip(stack.steps, stack.operators, strict=True):
        inputs = [values[value] for value in step.inputs]
        with _Placed(step, len(stack)):
            if step.layer is None:
                values.append(merged_operators(inputs, step.merging))
            elif operator is None:
                normalises = isinstance(step.layer, Normalisation)
                raise NotPredictableError(
                    f"a stack with {'a normalisation' if normalises else 'an activation'} is not "
                    "one linear operator",
                    given=step.name,
                    fix=f"upsim.fold(stack.upto({step.path[0] - 1})), the layers before it"
                    if step.path[0] > 1
                    else "upsim.predict(stack, signal), which needs no fold",
                )
            else:
                values.append(inputs[0].then(operator))
    return values[-1]


def transfer_chain(stack: Stack) -> tuple[Operator, ...]:
    """Return a linear stack as the operators from its input to its output, branches folded."""
    silent = DeterministicMoments(np.zeros((stack.in_channels, 1)), provenance=False)
    start = StationaryMoments(silent, Silence(), stack.in_channels, stack.input_rate)
    end = propagate(stack, start).after(len(stack))
    assert isinstance(end, StationaryMoments)
    assert end.chain is not None
    return end.chain


def is_linear(stack: Stack) -> bool:
    """Tell whether a stack has no activation and no normalisation."""
    kinds = (Activation, Normalisation)
    return not any(isinstance(step.layer, kinds) for step in stack.steps)


def _has_activation(stack: Stack) -> bool:
    return any(isinstance(step.layer, Activation) for step in stack.steps)


def finite_matrix(stack: Stack, length: int) -> csr_array:
    """Return the exact finite map of a chain of linear layers, edges included.

    It is the product of the layers' banded matrices.  Rows and columns run through the channels
    first; offsets are left out.
    """
    stack_of(stack)
    length = whole_number(length, "length")
    operators = stack.operators
    if any(operator is None for operator in operators):
        raise NotPredictableError(
            "a finite matrix needs a chain of linear layers",
            given="a stack with an activation, a normalisation or a branch",
            fix="upsim.fold(stack) for branches, far from the ends",
        )
    matrices = []
    for operator in operators:
        assert operator is not None
        matrices.append(operator.matrix(length))
        length = operator.output_length(length)
    return reduce(lambda first, second: second @ first, matrices)


class _Placed:
    """Add a step's place to an error: the outer ring of two."""

    def __init__(self, step: Step, count: int) -> None:
        self.step, self.count = step, count

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, UpsimError):
            raise error.at(f"layer {self.step.label} of {self.count}") from None
