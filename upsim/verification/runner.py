"""The witness as it is run here: a backend, a precision, and inputs that are long enough."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upsim import neural
from upsim.errors import NotPredictableError, ShapeError
from upsim.layers.base import Normalisation
from upsim.stack import Stack
from upsim.theory.moments import DeterministicMoments
from upsim.theory.propagation import Trace, propagate

Array = NDArray[np.float64]


class Runner:
    """The witness in one precision: samples (batch, channels, time) to every layer's output."""

    def __init__(self, backend: str, dtype: np.dtype[Any]) -> None:
        self.backend, self.dtype = backend, dtype
        self.name = f"{backend} {dtype.name}"

    def __call__(self, stack: Stack, samples: Array) -> list[Array]:
        """Return the output of every layer (torch: of the last), in double precision."""
        if self.backend == "numpy":
            made = neural.run(stack, samples, dtype=self.dtype, each=True)
            return [np.asarray(each, dtype=np.float64) for each in made]
        device = "cuda" if self.backend == "cuda" else "cpu"
        last = neural.run_torch(stack, samples, dtype=self.dtype, device=device)
        return [np.asarray(last, dtype=np.float64)]


def unit_length(stack: Stack) -> int:
    """Return a number of samples of which any multiple passes through every branch."""
    return prod(step.layer.rate.denominator for step in stack.steps if step.layer is not None)


def shortest_input(stack: Stack, unit: int) -> int:
    """Return an input length, a multiple of ``unit``, that leaves a sample after every layer."""
    length = unit
    while True:
        try:
            finite_trace(stack, np.zeros((stack.in_channels, length)))
        except ShapeError:
            length *= 2
            if length > 2**24:
                raise
        else:
            return length


def finite_trace(stack: Stack, samples: Array) -> Trace:
    """Carry finite samples through the stack's exact finite maps."""
    silence = np.zeros((stack.in_channels, 1))
    return propagate(stack, DeterministicMoments(silence, waveform=samples, provenance=False))


def refuse_normalisations(stack: Stack, what: str) -> None:
    """Refuse a check that a finite run cannot make behind a normalisation."""
    for step in stack.steps:
        if isinstance(step.layer, Normalisation):
            raise NotPredictableError(
                f"a finite run's {what} includes its ends, a long signal's does not",
                given=step.name,
                expected="no normalisation over time; the samples check covers finite signals",
                fix=f"upsim.verify(stack.upto({step.path[0] - 1})), the layers before it"
                if step.path[0] > 1
                else "upsim.verify(stack, signal), and read the samples check",
            )
