"""The input of the witness: one period of a signal's lines, apart from its offset."""

from __future__ import annotations

from fractions import Fraction
from math import lcm

import numpy as np
from numpy.typing import NDArray

from upsim.answer.prediction import Prediction
from upsim.network.feed import signals_of
from upsim.network.signals import Signal
from upsim.words.arguments import refuse_beyond_memory

Array = NDArray[np.float64]


def periods_of_lines(prediction: Prediction) -> list[dict[tuple[str, str], Array]]:
    """Return one period of each input's lines by source, each (channels, P).

    A source is a cause and the input's name, "" where there is one input: "input offset" is the
    line at 0 Hz, "input" are all others.
    """
    graph = prediction.stack
    signals = signals_of(graph, prediction.signal)
    several = len(graph.inputs) > 1
    return [
        _lines_of(signal, each.channels, rate, each.name if several else "")
        for signal, each, rate in zip(signals, graph.inputs, graph.input_rates, strict=True)
    ]


def whole_periods(prediction: Prediction) -> list[Array]:
    """Return one period of each input, all lines together."""
    return [sum_of(parts) for parts in periods_of_lines(prediction)]


def sum_of(parts: dict[tuple[str, str], Array]) -> Array:
    """Return the sum of the sources of an input."""
    return np.asarray(np.sum(list(parts.values()), axis=0))


def _lines_of(
    signal: Signal, channels: int, rate: Fraction, label: str
) -> dict[tuple[str, str], Array]:
    """Return one period of a signal's lines, by source.

    A line of amplitude ``a`` is ``2 Re(a exp(j 2 pi f n))``; at 0 Hz and at half the rate it is its
    own mirror and counts once.
    """
    lines = signal.lines(channels, rate)
    turns = [Fraction(line.frequency / rate) for line in lines]
    count = lcm(*(each.denominator for each in turns), 1)
    refuse_beyond_memory(
        4 * channels * count, "one period of the signal", fix="sines that repeat sooner"
    )
    causes = (("input offset", label), ("input", label))
    found = {cause: np.zeros((channels, count)) for cause in causes}
    index = np.arange(count)
    for line, each in zip(lines, turns, strict=True):
        angle = 2 * np.pi * (index * each.numerator % each.denominator) / each.denominator
        sides = 1 if each in (0, Fraction(1, 2)) else 2
        wave = line.amplitude[:, None] * np.exp(1j * angle)
        found[causes[bool(each)]] += sides * wave.real
    return found
