"""A graph beside the module that it was read from, on the same samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from upsim.errors import NotPredictableError
from upsim.importers.recording import Recording
from upsim.importers.torch_lengths import OtherOperationsError
from upsim.importers.torch_recorder import Run
from upsim.importers.views import time_axis
from upsim.network.graph import Graph
from upsim.neural.run import run_to_end


@dataclass(frozen=True, eq=False)
class Ran:
    """One run at one length: what it wrote down, and the output."""

    run: Run
    output: str
    made: NDArray[np.float64]


def compare(graph: Graph, record: Recording, ran: Ran) -> None:
    """Refuse a graph whose run is not what the module made.

    A wrong step changes the first digits, rounding the last ones: half of the digits of double
    precision is the border between them.
    """
    noise = {step.name: step.makes[0] for step in record.steps if step.kind == "noise"}
    given = []
    for each in graph.inputs:
        value = noise.get(each.name, each.name)
        if value not in ran.run.arrays:
            raise OtherOperationsError(
                "the module computes other operations at another length of its input",
                given=f"no {each.name} at {ran.made.shape}",
                expected="the same operations at every length",
                fix="another length in input=",
            )
        given.append(_samples(ran.run.arrays[value], record, value))
    expected = _samples(ran.made, record, record.output)
    try:
        made = run_to_end(graph, given)
    except NotPredictableError as error:
        raise error.at("compared with the module") from None
    largest = max(float(np.max(np.abs(each), initial=0.0)) for each in (expected, made))
    if made.shape != expected.shape or not np.all(
        np.abs(made - expected) <= np.sqrt(np.finfo(np.float64).eps) * largest
    ):
        differs = (
            f"{made.shape[-1]} samples for {expected.shape[-1]}"
            if made.shape != expected.shape
            else f"off by {np.max(np.abs(made - expected)):.2g} of {largest:.2g}"
        )
        raise NotPredictableError(
            "the graph does not compute what the module does",
            given=f"{differs}, for an input of {given[0].shape[-1]}",
            expected="the module's own output at every length that it takes",
            fix="a part of the module, to find what is not followed",
        )


def _samples(array: NDArray[np.float64], record: Recording, value: str) -> NDArray[np.float64]:
    """Return a tensor as (1, channels, time)."""
    axis = time_axis([shapes[value] for shapes in record.shapes])
    last = np.moveaxis(array, -1 if axis is None else axis, -1)
    return np.ascontiguousarray(last.reshape(1, -1, last.shape[-1]))
