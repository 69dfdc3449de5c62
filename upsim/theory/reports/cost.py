"""Cost: parameters, operations and memory, as frameworks would spend them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from upsim.layers.merging import Merging
from upsim.network.graph import Graph, needs_network


@dataclass(frozen=True)
class LayerCost:
    """Cost of one top-level layer.

    Parameters
    ----------
    layer, name : str
    parameters : int
    macs : Fraction
        Multiply-accumulates per sample of the stack's output.
    activations : Fraction
        Numbers that the layer's output holds, per sample of the stack's output.
    """

    layer: str
    name: str
    parameters: int
    macs: Fraction
    activations: Fraction


@dataclass(frozen=True)
class Cost:
    """Cost of a stack: the layers, and their sums.

    Parameters
    ----------
    layers : tuple of LayerCost
    sample_rate : Fraction
        Of the output, in Hz.
    """

    layers: tuple[LayerCost, ...]
    sample_rate: Fraction

    @property
    def parameters(self) -> int:
        """Trainable numbers."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def macs(self) -> Fraction:
        """Multiply-accumulates per output sample."""
        return sum((layer.macs for layer in self.layers), Fraction(0))

    @property
    def macs_per_second(self) -> float:
        """Multiply-accumulates per second of output."""
        return float(self.macs * self.sample_rate)

    @property
    def activation_bytes(self) -> float:
        """Bytes of all layers' outputs for one second, as float32: what training keeps."""
        return 4 * float(sum(layer.activations for layer in self.layers) * self.sample_rate)


def cost(stack: Graph) -> Cost:
    """Return what a network costs; no weight is needed.

    Examples
    --------
    >>> from upsim.layers import TransposedConv
    >>> from upsim.network.stack import Stack
    >>> report = cost(Stack([TransposedConv(8, 4, 16, 8)], sample_rate=16000))
    >>> report.parameters, report.macs
    (516, Fraction(64, 1))
    """
    graph = needs_network(stack, "cost")
    found: dict[int, LayerCost] = {}
    for node in graph.nodes:
        if isinstance(node.layer, Merging):
            parameters, macs = 0, Fraction(0)
        else:
            given = graph.value_channels[node.inputs[0]]
            rate = graph.value_rates[node.inputs[0]] / graph.sample_rate
            parameters, macs = node.layer.parameters(given), node.layer.macs(given) * rate
        before = found.get(node.place)
        part = graph.parts[node.place - 1]
        made = graph.value_rates[node.output] / graph.sample_rate
        found[node.place] = LayerCost(
            part.name,
            graph.label(node.place),
            parameters + (before.parameters if before else 0),
            macs + (before.macs if before else 0),
            graph.value_channels[node.output] * made,
        )
    return Cost(tuple(found[place] for place in sorted(found)), graph.sample_rate)
