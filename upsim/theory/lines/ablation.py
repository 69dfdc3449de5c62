r"""What a cause makes of a line in expectation: what the line loses without it.

Over networks a line has a power but no phase, and powers of causes do not simply add up behind an
activation.  So the walk through the stack is repeated, each time with one cause left out, and the
part of the cause is the power that the line loses:

============  ======================================================================
left out      what that means
============  ======================================================================
input offset  the signal without its constant
input         the signal without its lines
bias          no biases, random or given, and no offsets of normalisations
activation    each activation loses the offset that it adds: the average over time of
              its mean output, less what passes with its mean slope
modulation    each activation is given noise of the same covariance at all times
============  ======================================================================

Where all is linear a second moment is a sum over the sources, and the parts add up to the whole.
Otherwise there is a rest, the interaction: negative where a line needs two causes, so that both
are counted with it; positive where either would do.  Two causes that meet as amplitudes need each
other, too: an offset and the bias of a given layer, say, before the first random one.
Normalisations keep the gain that the whole signal gives them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from upsim.layers import ChannelNormalisation
from upsim.layers.base import Activation, LinearLayer, Normalisation, Unmodelled
from upsim.network.node import Node
from upsim.network.signals import Signal
from upsim.operators import Operator
from upsim.operators.random_taps import RandomBias
from upsim.theory.moments import EnsembleMoments
from upsim.theory.moments.propagation import Trace, repeat_without


def with_repeats(signals: Sequence[Signal], trace: Trace) -> Trace:
    """Return the trace of an expectation with the repeats that split its lines by cause."""
    if not isinstance(trace.end, EnsembleMoments):
        return trace
    repeats = {
        cause: repeat_without(trace.graph, signals, trace, frozenset({cause}))
        for cause in layers_by_cause(signals, trace)
    }
    return replace(trace, repeats=repeats)


def layers_by_cause(signals: Sequence[Signal], trace: Trace) -> dict[str, tuple[str, ...]]:
    """Return the causes that lines can have, each with the labels of its layers.

    Of the inputs' own, the names of the inputs where there are several.
    """
    graph = trace.graph
    fed = list(zip(signals, graph.inputs, graph.input_rates, strict=True))
    lines = {each.name: signal.lines(each.channels, rate) for signal, each, rate in fed}
    found: dict[str, tuple[str, ...]] = {}
    for cause, steady in (("input offset", True), ("input", False)):
        names = tuple(
            name
            for name, own in lines.items()
            if any((line.frequency == 0) == steady for line in own)
        )
        if names:
            found[cause] = names if len(fed) > 1 else ()
    biased = tuple(
        node.name for node in trace.nodes if _has_bias(node, trace.values[node.inputs[0]].channels)
    )
    if biased:
        found["bias"] = biased
    activations = tuple(
        node.name
        for node in trace.nodes
        if isinstance(node.layer, Activation) and not isinstance(node.layer, ChannelNormalisation)
    )
    opaque = tuple(node.name for node in trace.nodes if isinstance(node.layer, Unmodelled))
    if opaque:
        found["opaque"] = opaque
    if activations:
        found["activation"] = activations
        if any(signal.has_noise(each.channels, rate) for signal, each, rate in fed):
            found["modulation"] = activations
    return found


def own_bias(node: Node, channels: int) -> RandomBias | None:
    """Return the random bias of a layer."""
    if not isinstance(node.layer, LinearLayer):
        return None
    parts = node.layer.in_expectation(channels)
    return next((part for part in parts if isinstance(part, RandomBias)), None)


def _has_bias(node: Node, channels: int) -> bool:
    layer = node.layer
    if isinstance(layer, Normalisation | ChannelNormalisation):
        bias = layer.bias_array()
        return bias is not None and bool(np.any(bias))
    if not isinstance(layer, LinearLayer):
        return False
    return any(
        isinstance(part, RandomBias)
        or (isinstance(part, Operator) and part.offset is not None and bool(part.offset.any()))
        for part in layer.in_expectation(channels)
    )
