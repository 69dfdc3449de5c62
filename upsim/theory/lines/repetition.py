"""After how long everything that a network makes of lines and offsets repeats."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import reduce
from math import lcm

from upsim.network.graph import Graph
from upsim.network.node import Node
from upsim.network.signals import Signal
from upsim.network.walk import walk
from upsim.operators.repeating import period_behind, period_of_lines


def common_time(graph: Graph, signals: Sequence[Signal]) -> Fraction:
    """Return the seconds after which the expectation of every value repeats.

    A line of the output, whatever makes it, stands at a multiple of one over this time.

    Examples
    --------
    >>> from upsim import Nearest, Sine, Stack, WhiteNoise
    >>> stack = Stack([Nearest(4)], 16000)
    >>> common_time(stack, [WhiteNoise()]), common_time(stack, [Sine(1000)])
    (Fraction(1, 4000), Fraction(1, 1000))
    """
    starts = [
        Fraction(period_of_lines(Fraction(line.frequency / rate) for line in lines), 1) / rate
        for lines, rate in (
            (signal.lines(each.channels, rate), rate)
            for signal, each, rate in zip(signals, graph.inputs, graph.input_rates, strict=True)
        )
    ]

    def after(node: Node, given: Sequence[Fraction]) -> Fraction:
        rate_before, rate = graph.value_rates[node.inputs[0]], graph.value_rates[node.output]
        period = int(reduce(_common, given) * rate_before)
        samples = period_behind(period, *node.layer.block)
        operator = graph.operators[node.output - len(graph.inputs)]
        if operator is not None and operator.offset is not None:
            samples = lcm(samples, operator.offset.shape[1])
        return samples / rate

    return reduce(_common, walk(graph, starts, after))


def _common(first: Fraction, second: Fraction) -> Fraction:
    """Return the least common multiple of two fractions.

    Examples
    --------
    >>> _common(Fraction(1, 4), Fraction(1, 6))
    Fraction(1, 2)
    """
    over = lcm(first.denominator, second.denominator)
    return Fraction(lcm(int(first * over), int(second * over)), over)
