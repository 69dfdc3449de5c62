"""The input of the witness: one period of a signal's lines, apart from its offset."""

from __future__ import annotations

from fractions import Fraction
from math import lcm

import numpy as np
from numpy.typing import NDArray

from upsim.network.signals import Signal
from upsim.network.stack import Stack
from upsim.words.arguments import refuse_beyond_memory

Array = NDArray[np.float64]


def period_of_lines(signal: Signal, stack: Stack) -> dict[str, Array]:
    """Return one period of the signal's lines by cause, each (channels, P).

    "input offset" is the line at 0 Hz, "input" all others.  A line of amplitude ``a`` is
    ``2 Re(a exp(j 2 pi f n))``; at 0 Hz and at half the rate it is its own mirror and counts once.
    """
    channels, rate = stack.in_channels, stack.input_rate
    lines = signal.lines(channels, rate)
    turns = [Fraction(line.frequency / rate) for line in lines]
    count = lcm(*(each.denominator for each in turns), 1)
    refuse_beyond_memory(
        4 * channels * count, "one period of the signal", fix="sines that repeat sooner"
    )
    found = {"input offset": np.zeros((channels, count)), "input": np.zeros((channels, count))}
    index = np.arange(count)
    for line, each in zip(lines, turns, strict=True):
        angle = 2 * np.pi * (index * each.numerator % each.denominator) / each.denominator
        sides = 1 if each in (0, Fraction(1, 2)) else 2
        wave = line.amplitude[:, None] * np.exp(1j * angle)
        found["input" if each else "input offset"] += sides * wave.real
    return found
