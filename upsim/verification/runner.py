"""The witness as it is run here: a backend, a precision, and inputs that are long enough."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upsim import neural
from upsim.errors import NotPredictableError, ShapeError
from upsim.layers.base import Normalisation
from upsim.network.stack import Stack
from upsim.theory.moments import DeterministicMoments
from upsim.theory.moments.propagation import Trace, propagate

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
    """Return a number of samples that may be added to any input which passes every branch."""
    return prod(step.layer.rate.denominator for step in stack.steps if step.layer is not None)


def shortest_input(stack: Stack, unit: int, *, least: int = 1) -> int:
    """Return an input length that leaves a sample after every layer, and branches equally long.

    A multiple of ``unit`` where that will do; where a branch decimates without padding only one
    remainder fits.

    Parameters
    ----------
    stack : Stack
    unit : int
        Of :func:`unit_length`.
    least : int, optional
        Samples that there must be.
    """
    length = -(-least // unit) * unit
    while True:
        # Lengths repeat themselves with `unit`: where none of so many fits, a longer one may leave
        # more samples after each layer, but never bring branches together.
        found = [_fits(stack, length + more) for more in range(unit)]
        fits = length + found.index(True) if True in found else length
        try:
            # Edges may ask for more than a sample, as a reflection does.
            finite_trace(stack, np.zeros((stack.in_channels, fits)))
        except ShapeError:
            length *= 2
            if length > 2**24 or all(each is False for each in found):
                raise
        else:
            return fits


def _fits(stack: Stack, length: int) -> bool | None:
    """Tell whether branches end equally long; None where a layer is left without a sample."""
    lengths = {0: length}
    for step in stack.steps:
        given = {lengths[value] for value in step.inputs}
        if len(given) > 1:
            return False
        (made,) = given
        try:
            lengths[step.output] = made if step.layer is None else step.layer.output_length(made)
        except ShapeError:
            return None
        if lengths[step.output] < 1:
            return None
    return True


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
