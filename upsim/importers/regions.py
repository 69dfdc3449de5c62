"""Elementwise steps that belong together: one function of one value, however it was written.

A Snake activation arrives as five steps, an exact GELU as five others.  A region is the steps
between a value and everything that is made of it alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upsim.errors import NotPredictableError
from upsim.importers.functions import Program, applied, evaluated
from upsim.importers.recording import Shape, Step
from upsim.layers import Pointwise

#: Steps of one function; no activation is written with more.
_LARGEST_REGION = 64


@dataclass(frozen=True)
class Region:
    """Steps that make one value of one value.

    Parameters
    ----------
    leaf : str
        The value that all of it is made of.
    steps : tuple of Step
        In their order; the last one makes the value.
    """

    leaf: str
    steps: tuple[Step, ...]

    @property
    def root(self) -> Step:
        """The step that makes the value."""
        return self.steps[-1]

    @property
    def has_reduce(self) -> bool:
        """Whether it takes means or sums."""
        return any(step.kind == "reduce" for step in self.steps)

    def evaluate(self, leaf: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what the region makes of a tensor, constants as they stand in the steps."""
        found: dict[str, NDArray[np.float64]] = {self.leaf: leaf}
        for step in self.steps:
            arrays = [
                found[read] if isinstance(read, str) else np.asarray(read, dtype=np.float64)
                for read in step.reads
                if read is not None
            ]
            if step.kind == "reduce":
                found[step.makes[0]] = reduced(step, arrays[0])
            else:
                function = str(step.fields["function"])
                found[step.makes[0]] = evaluated(function, arrays, step.fields)
        return found[self.root.makes[0]]

    def program(self) -> Pointwise:
        """Return it as a program; its constants are numbers, or columns (channels, 1)."""
        program, found = Program(), {self.leaf: "x0"}
        for step in self.steps:
            operands = [
                found[read] if isinstance(read, str) else np.ravel(read)
                for read in step.reads
                if read is not None
            ]
            given = [
                each if isinstance(each, str) or each.size > 1 else each[0] for each in operands
            ]
            made = applied(program, str(step.fields["function"]), given, step.fields)
            found[step.makes[0]] = made
        return Pointwise(program.steps)


def reduced(step: Step, array: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what a reduction makes of an array."""
    functions: dict[str, Any] = {
        "mean": np.mean,
        "sum": np.sum,
        "max": np.max,
        "min": np.min,
        "var": np.var,
    }
    function = functions[step.fields["function"]]
    axes = tuple(int(axis) for axis in np.atleast_1d(step.fields["axes"]))
    return np.asarray(function(array, axis=axes, keepdims=bool(step.fields["keepdims"])))


class Producers:
    """Which step makes which value."""

    def __init__(self, steps: Sequence[Step], shapes: Sequence[Mapping[str, Shape]]) -> None:
        self.steps = steps
        self.shapes = shapes
        self.number = {made: place for place, step in enumerate(steps) for made in step.makes}

    def step(self, value: str) -> Step | None:
        """Return the step that makes a value; None for an input."""
        number = self.number.get(value)
        return None if number is None else self.steps[number]

    def region(self, root: Step, *, beyond: int = 0) -> Region | None:
        """Return the smallest region that ends in a step, of one value; None if there is none.

        Going back from the step, the value that was made last is replaced by what it is made of,
        until one value is left: every way from the input to the step leads through it.

        Parameters
        ----------
        root : Step
        beyond : int
            How many such values to pass before the region ends.
        """
        frontier = set(root.values)
        steps = {self.number[root.makes[0]]}
        while True:
            if len(frontier) == 1:
                (leaf,) = frontier
                if not beyond:
                    ordered = tuple(self.steps[number] for number in sorted(steps))
                    return Region(leaf, ordered)
                beyond -= 1
            last = max(frontier, key=lambda value: self.number.get(value, -1), default=None)
            step = None if last is None else self.step(last)
            if step is None or last is None or not self._belongs(step):
                return None
            steps.add(self.number[last])
            if len(steps) > _LARGEST_REGION:
                return None
            frontier.remove(last)
            frontier.update(step.values)

    def _belongs(self, step: Step) -> bool:
        if step.kind == "reduce":
            return bool(step.fields["keepdims"])
        return step.kind == "elementwise"

    def same_shapes(self, region: Region) -> bool:
        """Return whether all values of a region have the shape of its leaf."""
        values = [made for step in region.steps for made in step.makes]
        return all(
            shapes[value] == shapes[region.leaf] for shapes in self.shapes for value in values
        )


def channel_numbers(
    constant: NDArray[Any], shapes: Sequence[Shape], axis: int | None
) -> float | NDArray[np.float64]:
    """Return a constant that is broadcast to shapes as a number, or as one a channel.

    Examples
    --------
    >>> channel_numbers(np.array([[1.0], [2.0]]), [(1, 2, 8)], 2)
    array([1., 2.])
    """
    array = np.asarray(constant, dtype=np.float64)
    if array.size == 1:
        return float(array.reshape(()))
    rank = len(shapes[-1])
    array = array.reshape((1,) * (rank - array.ndim) + array.shape)
    if axis is not None:
        first = np.take(array, [0], axis)
        if array.shape[axis] > 1 and not np.array_equal(np.broadcast_to(first, array.shape), array):
            raise NotPredictableError(
                "a constant changes with time",
                given=f"shape {array.shape}",
                expected="one number, or one a channel",
                fix="the part of the model behind this step",
            )
        array = first
    shape = [size if place != axis else 1 for place, size in enumerate(shapes[-1])]
    values = np.broadcast_to(array, shape).reshape(-1)
    return float(values[0]) if np.all(values == values[0]) else np.ascontiguousarray(values)
