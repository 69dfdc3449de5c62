"""The witness as it is run here: a backend, a precision, and inputs that are long enough."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upsim import neural
from upsim.errors import NotPredictableError, ShapeError
from upsim.layers.base import Normalisation
from upsim.network.graph import Graph
from upsim.theory.moments import DeterministicMoments
from upsim.theory.moments.propagation import Trace, propagate

Array = NDArray[np.float64]


class Runner:
    """The witness in one precision: samples (batch, channels, time) to every layer's output."""

    def __init__(self, backend: str, dtype: np.dtype[Any]) -> None:
        self.backend, self.dtype = backend, dtype
        self.name = f"{backend} {dtype.name}"

    def __call__(self, stack: Graph, samples: Array) -> list[Array]:
        """Return the output of every layer (torch: of the last), in double precision."""
        if self.backend == "numpy":
            made = neural.run(stack, samples, dtype=self.dtype, each=True)
            return [np.asarray(each, dtype=np.float64) for each in made]
        device = "cuda" if self.backend == "cuda" else "cpu"
        last = neural.run_torch(stack, samples, dtype=self.dtype, device=device)
        return [np.asarray(last, dtype=np.float64)]


def unit_length(stack: Graph) -> int:
    """Return a number of samples that may be added to any input which passes every branch."""
    return prod(node.layer.rate.denominator for node in stack.nodes)


def shortest_input(stack: Graph, unit: int, *, least: int = 1) -> int:
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


def _fits(stack: Graph, length: int) -> bool | None:
    """Tell whether branches end equally long; None where a layer is left without a sample."""
    lengths = {0: length}
    for node in stack.nodes:
        given = {lengths[value] for value in node.inputs}
        if len(given) > 1:
            return False
        try:
            lengths[node.output] = node.layer.output_length(given.pop())
        except ShapeError:
            return None
    return True


def finite_trace(stack: Graph, samples: Array) -> Trace:
    """Carry finite samples through the stack's exact finite maps."""
    silence = np.zeros((stack.in_channels, 1))
    start = DeterministicMoments(silence, waveform=samples, provenance=False)
    return propagate(stack, [start])


def refuse_normalisations(stack: Graph, what: str) -> None:
    """Refuse a check that a finite run cannot make behind a normalisation."""
    for node in stack.nodes:
        if isinstance(node.layer, Normalisation):
            raise NotPredictableError(
                f"a finite run's {what} includes its ends, a long signal's does not",
                given=node.title,
                expected="no normalisation over time; the samples check covers finite signals",
                fix=f"upsim.verify({stack.before(node)}), the layers before it"
                if stack.before(node)
                else "upsim.verify(stack, signal), and read the samples check",
            )
