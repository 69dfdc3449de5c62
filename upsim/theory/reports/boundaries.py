"""Boundaries: how far the ends of a finite signal reach into the output."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from upsim.errors import ArgumentTypeError
from upsim.network.stack import Stack
from upsim.operators import Operator, StretchFIR
from upsim.words.arguments import refuse_beyond_memory, whole_number


@dataclass(frozen=True)
class Transient:
    """Output samples at the two ends that differ from the steady state.

    Parameters
    ----------
    layer, name : str
        The layer after which they are counted.
    left, right : int
        Samples at that layer's output, all layers up to there together.
    left_seconds, right_seconds : float
    """

    layer: str
    name: str
    left: int
    right: int
    left_seconds: float
    right_seconds: float


@dataclass(frozen=True)
class Boundaries:
    """Transients and lengths of a stack for one input length.

    Parameters
    ----------
    input_length, output_length : int
    expected_length : Fraction
        Input length times the stack's rate.
    deficit : Fraction
        Expected minus actual length: samples that are missing (negative: too many).
    transients : tuple of Transient
        After each step.
    """

    input_length: int
    output_length: int
    expected_length: Fraction
    deficit: Fraction
    transients: tuple[Transient, ...]


def boundary_report(stack: Stack, input_length: int) -> Boundaries:
    """Return how far the ends reach after every step, and what the length law gives.

    The ends are followed by the supports of the operators: an output is steady when every input
    that it looks at is inside the signal and steady itself.
    """
    input_length = whole_number(input_length, "input_length")
    lengths, edges, rates = {0: input_length}, {0: (0, 0)}, {0: stack.input_rate}
    found = []
    for step, operator in zip(stack.steps, stack.operators, strict=True):
        first = step.inputs[0]
        if operator is None:
            length, rate = lengths[first], rates[first]
            left = max(edges[value][0] for value in step.inputs)
            right = max(edges[value][1] for value in step.inputs)
        else:
            length = operator.output_length(lengths[first])
            # Each output sample is looked at with some arrays of whole numbers.
            refuse_beyond_memory(8 * length, f"the output of {step.name}", fix="a shorter input")
            rate = rates[first] * operator.length.rate
            left, right = _reach(operator, lengths[first], length, edges[first])
        lengths[step.output], rates[step.output] = length, rate
        edges[step.output] = (left, right)
        found.append(
            Transient(step.label, step.name, left, right, float(left / rate), float(right / rate))
        )
    expected = input_length * stack.rate
    last = lengths[stack.steps[-1].output]
    return Boundaries(input_length, last, expected, expected - last, tuple(found))


def _reach(operator: Operator, given: int, made: int, edges: tuple[int, int]) -> tuple[int, int]:
    """Return the unsteady output samples at each end; all of them if none is steady."""
    first, last = operator.support()
    outputs = np.arange(made)
    blocks, phases = outputs // operator.up * operator.down, outputs % operator.up
    sees_any = last[phases] >= first[phases]
    early = sees_any & (blocks + first[phases] < edges[0])
    late = sees_any & (blocks + last[phases] >= given - edges[1])
    left = int(np.flatnonzero(early)[-1]) + 1 if early.any() else 0
    right = made - int(np.flatnonzero(late)[0]) if late.any() else 0
    return min(left, made), min(right, made)


def coverage(operator: StretchFIR, input_length: int) -> NDArray[np.int64]:
    """Return the number of taps that fall on each output sample of a finite signal.

    For an all-ones kernel this is the output for a constant 1: seed figures 3 to 5 are its plots.

    Examples
    --------
    >>> coverage(StretchFIR(np.ones((1, 1, 3)), 2), 3)
    array([1, 1, 2, 1, 2, 1, 1])
    """
    if not isinstance(operator, StretchFIR):
        raise ArgumentTypeError(
            "coverage counts the taps of one stretch and its FIR",
            given=type(operator).__name__,
            expected="a StretchFIR",
            fix="upsim.coverage(upsim.fold(stack), input_length)",
        )
    input_length = whole_number(input_length, "input_length")
    ones = StretchFIR(
        np.ones((1, 1, operator.taps.shape[2])),
        operator.factor,
        down=operator.down,
        dilation=operator.dilation,
        crop=operator.crop,
    )
    counted = ones.apply(np.ones((1, input_length)))[0]
    return np.asarray(np.rint(counted), dtype=np.int64)
