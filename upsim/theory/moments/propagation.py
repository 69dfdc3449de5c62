"""Push the record through a stack and keep it after every layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import reduce
from math import lcm
from operator import add
from typing import TYPE_CHECKING, cast

import numpy as np

from upsim.errors import NotPredictableError, ShapeError, TooLargeError
from upsim.layers.base import Activation, LinearLayer, Normalisation, Unmodelled, in_words
from upsim.layers.merging import Merging
from upsim.network.graph import Graph, needs_network, refuse_several_inputs
from upsim.network.node import Node
from upsim.network.signals import Line, Signal, WhiteNoise
from upsim.network.walk import walk
from upsim.operators import Operator, StretchFIR
from upsim.operators.repeating import period_behind, period_of_lines
from upsim.theory.moments import (
    DeterministicMoments,
    EnsembleMoments,
    Moments,
    StationaryMoments,
)
from upsim.theory.moments.memory_plan import Planned, merged
from upsim.theory.moments.merging import share
from upsim.theory.moments.places import Filtered, Place, Start
from upsim.theory.moments.stationary import no_density
from upsim.theory.moments.transfer import Transfer
from upsim.words.arguments import MEMORY_BUDGET, refuse_beyond_memory, whole_number
from upsim.words.progress import Progress, silent
from upsim.words.units import format_hertz

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True, eq=False)
class Trace:
    """What was known at every value of a graph.

    Parameters
    ----------
    graph : Graph
    values : tuple of Moments
        By value number, the inputs first.
    operators : tuple of Operator or None
        By node; None for activations, normalisations and mergings.
    repeats : mapping of str to Trace
        In expectation: the same with one cause of lines left out, by cause.
    """

    graph: Graph
    values: tuple[Moments, ...]
    operators: tuple[Operator | None, ...]
    repeats: Mapping[str, Trace] = field(default_factory=dict)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes of the graph."""
        return self.graph.nodes

    @property
    def end(self) -> Moments:
        """The record at the output."""
        return self.values[self.graph.end]

    def upto(self, place: int) -> Trace:
        """Return the trace of the graph up to a given part, by its number."""
        graph = self.graph.upto(place)
        kept = self.graph.values_upto(place)
        first = len(self.graph.inputs)
        nodes = [value - first for value in kept if value >= first]
        repeats = {cause: trace.upto(place) for cause, trace in self.repeats.items()}
        return Trace(
            graph,
            tuple(self.values[value] for value in kept),
            tuple(self.operators[node] for node in nodes),
            repeats,
        )


def starting_moments(
    graph: Graph,
    signals: Sequence[Signal],
    *,
    provenance: bool,
    budget: float = MEMORY_BUDGET,
    density_asked: bool = False,
) -> tuple[Moments, ...]:
    """Choose the regime; return the record at each input.

    Expectation over networks if the first layers with weights are random; else stationary if any
    part of the input's signal is random, else deterministic.  From such a start, too, a random
    layer makes an expectation of it.
    """
    random = [
        signal.has_noise(each.channels, rate)
        for signal, each, rate in zip(signals, graph.inputs, graph.input_rates, strict=True)
    ]
    _refuse_unmodelled(graph, random)
    several = len(graph.inputs) > 1
    if not graph.is_drawn and not _begins_drawn(graph):
        for signal, each in zip(signals, graph.inputs, strict=True):
            if signal.mixing(each.channels) is not None:
                raise NotPredictableError(
                    "an expectation over networks takes input channels as independent",
                    given="a Density with a covariance",
                    expected="drawn weights, or no covariance",
                    fix="stack = stack.draw(seed=0)",
                )
        return tuple(
            EnsembleMoments.from_signal(
                signal, each.channels, rate, budget=budget, name=each.name if several else ""
            )
            for signal, each, rate in zip(signals, graph.inputs, graph.input_rates, strict=True)
        )
    # Noise through an activation makes lines of its own, which only their shares tell apart.
    shared = provenance or (any(random) and has_activation(graph))
    # A linear network carries each sine as one complex number an image; others need its period.
    apart = is_linear(graph) and graph.is_drawn and not several
    periods = [
        1 if apart else period_of_lines(Fraction(line.frequency / rate) for line in lines)
        for lines, rate in zip(own_lines(graph, signals), graph.input_rates, strict=True)
    ]
    # A period of one sample costs nothing before `propagate` looks; a longer one is looked at here,
    # and one that does not fit by itself is refused by from_signal in the signal's words.
    fits = all(
        period * each.channels * 8 <= MEMORY_BUDGET
        for period, each in zip(periods, graph.inputs, strict=True)
    )
    lines_take = 0
    if (any(random) or max(periods) > 1) and fits:
        causes = [frozenset({"input"})] * len(periods)
        lines_take = _refuse_long_periods(graph, periods, causes, provenance=shared)
    means = [
        DeterministicMoments.from_signal(
            signal,
            each.channels,
            rate,
            provenance=shared,
            label=each.name if several else "",
            apart=apart,
        )
        for signal, each, rate in zip(signals, graph.inputs, graph.input_rates, strict=True)
    ]
    return tuple(
        StationaryMoments(
            mean,
            _start(signal, mean.channels, rate, budget - lines_take),
            provenance=provenance,
            density_asked=density_asked,
        )
        if noisy
        else mean
        for mean, noisy, signal, rate in zip(
            _heard_together(graph, means), random, signals, graph.input_rates, strict=True
        )
    )


def _start(signal: Signal, channels: int, rate: Fraction, budget: float) -> Place:
    """Return the place of an input's noise: where its channels go together, behind their mixing."""
    mixing = signal.mixing(channels)
    start = Start(signal.unmixed(), channels, rate, budget)
    return start if mixing is None else Filtered(start, StretchFIR(mixing[:, :, None]))


def _heard_together(
    graph: Graph, means: Sequence[DeterministicMoments]
) -> Sequence[DeterministicMoments]:
    """Return the inputs' records for one stretch of time, where any of them is a recording.

    What is no recording goes on for as long as the recordings last.
    """
    lengths = [None if mean.waveform is None else mean.waveform.shape[1] for mean in means]
    spans = {
        each.name: length / rate
        for each, length, rate in zip(graph.inputs, lengths, graph.input_rates, strict=True)
        if length is not None
    }
    if len(set(spans.values())) > 1:
        raise ShapeError(
            "the recordings have different lengths",
            given=", ".join(f"{name!r} of {float(span):g} s" for name, span in spans.items()),
            expected="one length in seconds, whatever the rates",
            fix="cut the longer ones, or pad the shorter ones with zeros",
        )
    found = []
    for mean, rate in zip(means, graph.input_rates, strict=True):
        made = mean
        if mean.waveform is None and spans:
            samples = next(iter(spans.values())) * rate
            if samples.denominator != 1:
                raise ShapeError(
                    "the inputs have no common length",
                    given=", ".join(f"{name!r} of {span} s" for name, span in spans.items()),
                    expected=f"a whole number of samples at {format_hertz(rate)}",
                    fix="cut or pad the recording",
                )
            refuse_beyond_memory(
                mean.channels * int(samples), "the recording", fix="use a shorter recording"
            )
            made = replace(mean, waveform=mean.samples(int(samples)))
        found.append(made)
    return found


def own_lines(graph: Graph, signals: Sequence[Signal]) -> list[tuple[Line, ...]]:
    """Return the lines of each input's signal."""
    return [
        signal.lines(each.channels, rate)
        for signal, each, rate in zip(signals, graph.inputs, graph.input_rates, strict=True)
    ]


def propagate(graph: Graph, starts: Sequence[Moments], progress: Progress = silent) -> Trace:
    """Return the record at every value of a graph."""
    if not graph.is_drawn:
        return _propagate_ensemble(graph, starts, progress=progress)
    means = [start.mean if isinstance(start, StationaryMoments) else start for start in starts]
    periods, causes, provenance = [], [], False
    for mean in means:
        assert isinstance(mean, DeterministicMoments)
        periods.append(mean.period.shape[1])
        causes.append(frozenset(source.cause for source in mean.sources))
        provenance = provenance or mean.provenance
    _refuse_long_periods(graph, periods, causes, provenance=provenance)
    random = [start for start in starts if isinstance(start, StationaryMoments)]
    if random and has_activation(graph):
        _refuse_unforeseen(graph, starts, density_asked=random[0].density_asked)

    def rule(node: Node, inputs: Sequence[Moments]) -> Moments:
        return _one_step(graph, node, graph.operators[node.output - len(starts)], inputs)

    return Trace(graph, tuple(walk(graph, list(starts), rule, progress)), graph.operators)


def _propagate_ensemble(
    graph: Graph,
    starts: Sequence[Moments],
    without: frozenset[str] = frozenset(),
    known: Trace | None = None,
    *,
    progress: Progress = silent,
) -> Trace:
    """Return the expectation over initialisations at every value of a graph.

    What no random layer has touched is one network's, and is carried as such where the graph has
    weights of its own there; from the first random layer on it is an expectation.  Phases of a
    period matter up to the last activation or decimation; behind it the average over time is
    carried, which costs less by the length of the period.

    ``known`` is the trace of the whole, for a repeat ``without`` some causes.
    """
    phased = [
        node.output
        for node in graph.nodes
        if isinstance(node.layer, Activation) or node.layer.block[1] > 1
    ]
    last = phased[-1] if phased else -1
    last_use = {value: node.output for node in graph.nodes for value in node.inputs}
    values: list[Moments] = list(starts)
    operators: list[Operator | None] = []
    expected: dict[int, EnsembleMoments] = {}
    named = [frozenset({each.name}) for each in graph.inputs]
    reached = walk(graph, named, lambda _, given: frozenset[str]().union(*given))
    names = [*(each.name for each in graph.inputs), *(node.name for node in graph.nodes)]

    def in_expectation(value: int) -> EnsembleMoments:
        record = values[value]
        if isinstance(record, EnsembleMoments):
            return record
        if value not in expected:
            expected[value] = EnsembleMoments.from_network(
                record, without, reached[value], names[value]
            )
        return expected[value]

    def rule(node: Node, _: Sequence[Moments]) -> Moments:
        random = any(isinstance(values[value], EnsembleMoments) for value in node.inputs)
        operator = None
        if random or not node.layer.is_drawn:
            given = [in_expectation(value) for value in node.inputs]
            if known is not None:
                whole = known.values[node.output]
                assert isinstance(whole, EnsembleMoments)
                given = [replace(each, gains=whole.gains) for each in given]
            if node.output > last:
                given = [each if each.averaged else each.over_time() for each in given]
            made: Moments = _expected(node, given)
        elif known is not None:
            number = node.output - len(graph.inputs)
            made, operator = known.values[node.output], known.operators[number]
        else:
            inputs = [values[value] for value in node.inputs]
            if isinstance(node.layer, LinearLayer):
                operator = node.layer.operator(inputs[0].channels)
            made = _one_step(graph, node, operator, inputs)
        values.append(made)
        operators.append(operator)
        for value in node.inputs:
            record = values[value]
            # What a report reads is averages; the phases have done their work.
            if last_use[value] == node.output and isinstance(record, EnsembleMoments):
                values[value] = record.over_time()
        return made

    walk(graph, list(starts), rule, progress)
    return Trace(graph, tuple(values), tuple(operators))


def repeat_without(
    graph: Graph, signals: Sequence[Signal], trace: Trace, without: frozenset[str]
) -> Trace:
    """Return the walk of an expectation over networks again, some causes of lines left out."""
    starts = trace.values[: len(graph.inputs)]

    def left(*, cheaply: bool) -> list[Moments]:
        return [
            start.repeated(signal, rate, without, cheaply=cheaply)
            if isinstance(start, EnsembleMoments)
            else start
            for start, signal, rate in zip(starts, signals, graph.input_rates, strict=True)
        ]

    try:
        return _propagate_ensemble(graph, left(cheaply=True), without, trace)
    except TooLargeError:
        # A given kernel on noise asks for more lags than none: those of the whole.
        return _propagate_ensemble(graph, left(cheaply=False), without, trace)


def _expected(node: Node, inputs: Sequence[EnsembleMoments]) -> EnsembleMoments:
    """Return the expectation after one node."""
    layer, made = node.layer, inputs[0]
    if isinstance(layer, Merging):
        return EnsembleMoments.merged(inputs, layer.how)
    if isinstance(layer, LinearLayer):
        for part in layer.in_expectation(made.channels):
            made = made.through(part, node.name)
    elif isinstance(layer, Normalisation):
        made = made.through_normalisation(layer, node.name)
    else:
        made = made.through_activation(cast("Activation", layer), node.name)
    return made.made_by(node.name)


def _one_step(
    graph: Graph, node: Node, operator: Operator | None, inputs: Sequence[Moments]
) -> Moments:
    """Return the record after one node."""
    layer = node.layer
    if isinstance(layer, Merging):
        random = next((each for each in inputs if isinstance(each, StationaryMoments)), None)
        if random is not None:
            rate = graph.value_rates[node.output]
            inputs = [
                random.beside(each, rate) if isinstance(each, DeterministicMoments) else each
                for each in inputs
            ]
        return type(inputs[0]).merged(inputs, layer.how)
    if operator is not None:
        return inputs[0].through_operator(operator, node.name)
    if isinstance(layer, Normalisation):
        return inputs[0].through_normalisation(layer, node.name)
    if isinstance(layer, Unmodelled):
        record = inputs[0]
        assert isinstance(record, DeterministicMoments)
        return record.through_unmodelled(layer, node.name)
    return inputs[0].through_activation(cast("Activation", layer), node.name)


def _refuse_unmodelled(graph: Graph, noisy: Sequence[bool]) -> None:
    """Refuse nodes without a formula that cannot be run, before anything is worked out."""

    def reached(node: Node, given: Sequence[str]) -> str:
        layer, reason = node.layer, next(filter(None, given), "")
        if isinstance(layer, Unmodelled):
            if not reason and not layer.can_run:
                reason = "no function to run it with"
            if reason:
                why = f", as {layer.why}" if layer.why else ""
                name, before = type(graph).__name__.lower(), graph.before(node)
                fix = f"{before}, the part before it" if before else "run=<a function>"
                if node.output != graph.end:
                    fix = f"{name}.after({node.name!r}), the part behind it, and a signal there"
                raise NotPredictableError(
                    f"{node.title} is opaque: it has no formula here{why}",
                    given=reason,
                    expected="a signal without noise, weights that are drawn, and run=<a function>",
                    fix=fix,
                )
        return reason if layer.is_drawn else reason or "weights before it that are not drawn"

    walk(graph, ["noise in its input" if each else "" for each in noisy], reached)


def _begins_drawn(graph: Graph) -> bool:
    """Return True if any layer that is one network's comes before all random ones."""
    random: set[int] = set()
    for node in graph.nodes:
        if not node.layer.is_drawn or random.intersection(node.inputs):
            random.add(node.output)
        elif isinstance(node.layer, Unmodelled) or (
            isinstance(node.layer, LinearLayer) and node.layer.weights is not None
        ):
            return True
    return False


def _refuse_long_periods(
    graph: Graph,
    periods: Sequence[int],
    causes: Sequence[frozenset[str]],
    *,
    provenance: bool,
) -> int:
    """Refuse, before any array is made, a graph whose periods would not fit in memory together.

    Returns the bytes that they take.

    One period after a layer has as many samples as the strides so far multiply to; it is kept for
    each channel, once in whole and once for each source of lines (input, biases, activations).
    """
    channels = graph.value_channels
    total = 0

    def after(
        node: Node, given: Sequence[tuple[int, frozenset[str]]]
    ) -> tuple[int, frozenset[str]]:
        nonlocal total
        period = period_behind(lcm(*(each for each, _ in given)), *node.layer.block)
        found = given[0][1].union(*(each for _, each in given[1:]))
        if isinstance(node.layer, Unmodelled):
            found = frozenset()
        if provenance and (isinstance(node.layer, Activation | Unmodelled) or node.layer.has_bias):
            found |= {node.name}
        total += (len(found) + 1) * channels[node.output] * period
        if 8 * total > MEMORY_BUDGET:
            longer = period > max(periods)
            refuse_beyond_memory(
                total,
                f"the periods up to {node.title}, {period} samples long,",
                fix=_shorter(graph, node, sines=max(periods) > 1, strides=longer),
            )
        return period, found

    walk(graph, list(zip(periods, causes, strict=True)), after)
    return 8 * total


def _shorter(graph: Graph, node: Node, *, sines: bool, strides: bool) -> str:
    """Return what shortens the periods up to a node: what makes them long, and that alone."""
    before = graph.before(node)
    ways = [f"{before}, the layers before it"] if before else []
    if strides:
        ways.append("smaller strides")
    if sines:
        ways.append("sines whose frequencies share a larger divisor with the input rate")
    return ", or ".join(ways) or "fewer channels"


def _refuse_unforeseen(graph: Graph, starts: Sequence[Moments], *, density_asked: bool) -> None:
    """Refuse covariances that fit in no form, before any of them is made."""

    def after(node: Node, inputs: Sequence[Planned]) -> Planned:
        if isinstance(node.layer, Merging):
            channels = [graph.value_channels[value] for value in node.inputs]
            made = merged(inputs, node.layer.how, channels, graph.value_rates[node.output])
        else:
            made = inputs[0].after(node.layer, graph.operators[node.output - len(starts)])
        if node.output == graph.end:
            made.settled()
            if density_asked and made.place is not None and made.place.per_channel:
                raise no_density(made.place)
        return made

    walk(graph, [Planned.at_input(start) for start in starts], after)


def fold(stack: Graph) -> Operator:
    """Return a linear network as one operator, by the noble identities and polyphase sums.

    Parameters
    ----------
    stack : Stack or Graph
        Of one input, without activations and normalisations; weights drawn.

    Returns
    -------
    Operator
        A stretch-FIR where every layer is one, a polyphase matrix otherwise.  Equal to the network
        on the infinite line, offsets included.
    """
    graph = needs_network(stack, "fold")
    wire: Operator = StretchFIR(np.ones((graph.in_channels, 1, 1)), groups=graph.in_channels)

    def folded(node: Node, inputs: Sequence[Operator]) -> Operator:
        if isinstance(node.layer, Merging):
            return merged_operators(inputs, node.layer.how)
        operator = graph.operators[node.output - 1]
        if operator is None:
            before = graph.before(node)
            raise NotPredictableError(
                f"a stack with {in_words(node.layer)} is not one linear operator",
                given=node.title,
                fix=f"upsim.fold({before}), the layers before it"
                if before
                else "upsim.predict(stack, signal), which needs no fold",
            )
        return inputs[0].then(operator)

    refuse_several_inputs(graph, "fold")
    return walk(graph, [wire], folded)[graph.end]


def merged_operators(operators: Sequence[Operator], merging: str) -> Operator:
    """Return the operator of branches that meet: sum, mean or concatenation of channels."""
    if merging != "concatenate":
        total, weight = reduce(add, operators), share(merging, len(operators))
        if weight == 1:
            return total
        scale = np.full((total.out_channels, 1, 1), weight)
        return total.then(StretchFIR(scale, groups=total.out_channels))
    sizes = [operator.out_channels for operator in operators]
    widened = []
    for position, operator in enumerate(operators):
        # Each branch writes its own channels of the whole: a selection matrix after it.
        select = np.zeros((sum(sizes), sizes[position], 1))
        start = sum(sizes[:position])
        select[start : start + sizes[position], :, 0] = np.eye(sizes[position])
        widened.append(operator.then(StretchFIR(select)))
    return reduce(add, widened)


def transfer(graph: Graph, count: int) -> Transfer:
    """Return the gains from the first input of a linear network.

    ``count`` frequencies will be asked for, about.
    """
    start = Start(WhiteNoise(1.0), graph.in_channels, graph.input_rate)

    def silent(channels: int) -> DeterministicMoments:
        return DeterministicMoments(np.zeros((channels, 1)), provenance=False)

    others = [silent(each.channels) for each in graph.inputs[1:]]
    end = propagate(graph, [StationaryMoments(silent(start.channels), start), *others]).end
    assert isinstance(end, StationaryMoments)
    return Transfer(end.place, start, count)


def is_linear(graph: Graph) -> bool:
    """Return True if all layers of a graph are linear."""
    return all(isinstance(node.layer, LinearLayer | Merging) for node in graph.nodes)


def has_activation(graph: Graph) -> bool:
    """Return True if a graph has an activation."""
    return any(isinstance(node.layer, Activation) for node in graph.nodes)


def finite_matrix(stack: Graph, length: int) -> csr_array:
    """Return the exact finite map of a chain of linear layers, edges included.

    It is the product of the layers' banded matrices.  Rows and columns run through the channels
    first; offsets are left out.
    """
    graph = needs_network(stack, "finite_matrix")
    length = whole_number(length, "length")
    matrices = []
    for node, operator in zip(graph.nodes, graph.operators, strict=True):
        if operator is None:
            raise NotPredictableError(
                "a finite matrix needs a chain of linear layers",
                given=f"a stack with {in_words(node.layer)}",
                fix="upsim.fold(stack) for branches, far from the ends",
                where=node.title,
            )
        matrices.append(operator.matrix(length))
        length = operator.output_length(length)
    return reduce(lambda first, second: second @ first, matrices)
