"""Cost: parameters, operations and memory, as frameworks would spend them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from upsim.network.stack import Stack, stack_of


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


def cost(stack: Stack) -> Cost:
    """Return what a stack costs; no weight is needed.

    Examples
    --------
    >>> from upsim.layers import TransposedConv
    >>> report = cost(Stack([TransposedConv(8, 4, 16, 8)], sample_rate=16000))
    >>> report.parameters, report.macs
    (516, Fraction(64, 1))
    """
    counts = stack_of(stack).channel_counts()
    rate = 1 / stack.rate
    found = []
    for number, layer in enumerate(stack, 1):
        macs = layer.macs(counts[number - 1]) * rate
        rate *= layer.rate
        found.append(
            LayerCost(
                str(number),
                stack.label(number),
                layer.parameters(counts[number - 1]),
                macs,
                counts[number] * rate,
            )
        )
    return Cost(tuple(found), stack.sample_rate)
