"""A graph beside the ONNX model that it was read from, on the same samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from math import gcd, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upsim.errors import NotPredictableError, TooLargeError, UpsimError
from upsim.importers.lowering import Lowered
from upsim.importers.onnx_evaluation import CannotRunError, evaluated_nodes
from upsim.importers.onnx_model import OnnxModel
from upsim.importers.onnx_part import Sizes, input_shapes
from upsim.importers.onnx_recorder import OnnxRecorder
from upsim.importers.recording import Shape
from upsim.importers.views import View, time_axis
from upsim.neural.run import run_graph
from upsim.words.tolerance import probable

Array = NDArray[Any]

#: Products of a run whose length may be chosen: as many as take some milliseconds.
_MOST_PRODUCTS = 2**24

#: Numbers of all values of a run together: 128 MiB where the length may be chosen, 512 at most.
_MANY_NUMBERS, _MOST_NUMBERS = 2**24, 2**26

#: Products of a run whose length is fixed: they take a quarter of a minute.
_TOO_MANY_PRODUCTS = 2**34

#: Products in the time that the evaluator takes for one number of a resize.
_OF_A_RESIZE = 2**15

#: Roundings of one number of a resize: the evaluator computes its weights in single precision.
_ROUNDINGS_OF_A_RESIZE = 64


class DifferenceError(NotPredictableError):
    """The graph does not compute what the model does; no other way to read it is tried."""


class Comparison:
    """Runs of the model and of the graph, at any length.

    Parameters
    ----------
    model : OnnxModel
    recorder : OnnxRecorder
        That has recorded the part.
    found : Lowered
        The graph, and where the model's values are in it.
    sizes : mapping of str to sizes
        Of the inputs.
    lengths : sequence of int
        At which the part was recorded; empty for a model that has fixed its length.
    """

    def __init__(
        self,
        model: OnnxModel,
        recorder: OnnxRecorder,
        found: Lowered,
        sizes: Mapping[str, Sizes],
        lengths: Sequence[int],
    ) -> None:
        self.model, self.recorder, self.found = model, recorder, found
        self.sizes, self.lengths = sizes, lengths

    def _shapes(self, length: int) -> dict[str, Shape]:
        """Return the inputs' shapes at a length; 0 is the one that the model has fixed."""
        lengths = (length,) if self.lengths else ()
        return {name: each for name, (each,) in input_shapes(self.sizes, lengths).items()}

    def notes(self) -> list[str]:
        """Return what a reader should know of the comparison; a difference is an error.

        It is made at a length that was not recorded, a short one if the model is large.  What
        differs there is looked at again at a longer one: the ends of a short input may meet.
        """
        if not self.lengths:
            return self._at_fixed_length()
        first, last = self.lengths
        longer = (first + last, first)
        short = self._short_length()
        why = ""
        unlike: DifferenceError | None = None
        for length in [short, first] if short else longer:
            try:
                self._compare(length)
            except DifferenceError as error:
                unlike = error
                break
            except UpsimError as error:
                why = why or _why(error)
            else:
                return []
        if unlike is None:
            return [f"the graph is not compared with the model's own output: {why}"]
        for other in longer if short else ():
            try:
                self._compare(other)
            except DifferenceError as error:
                raise error from None
            except UpsimError:
                continue
            what = f"for an input of {short} samples the graph is not what the model is"
            return [f"{what}; at {other} samples they are the same"]
        raise unlike

    def _at_fixed_length(self) -> list[str]:
        """Return the notes on a model that takes one length only."""
        sizes = " and ".join(str(shape) for shape in self._shapes(0).values())
        notes = [f"the model takes inputs of shape {sizes} only, and is followed at no other"]
        try:
            self._compare(0)
        except DifferenceError:
            raise
        except UpsimError as error:
            notes.append(f"the graph is not compared with the model's own output: {_why(error)}")
        return notes

    def _short_length(self) -> int:
        """Return the longest divisor of the recorded lengths that is cheap; 0 for none."""
        shared = gcd(*self.lengths)
        products = self._products(self.lengths[0])
        for parts in range(1, shared // 2 + 1):
            length = shared // parts
            if shared % parts or length in self.lengths or length < 2:
                continue
            is_cheap = products * length <= _MOST_PRODUCTS * self.lengths[0]
            if self._numbers(length) <= _MANY_NUMBERS and (is_cheap or length == 2):
                return length
        return 0

    def _numbers(self, length: int) -> int:
        """Return about how many numbers all values have together at a length."""
        shapes = self.found.recording.shapes[0].values()
        count = sum(map(prod, shapes))
        return count * length // self.lengths[0] if self.lengths else count

    def _products(self, length: int) -> int:
        """Return about how many products a run of a length takes."""
        recording, count = self.found.recording, 0
        for step in recording.steps:
            shape = recording.shapes[0][step.makes[0]]
            numbers = prod(shape)
            if step.kind in ("convolution", "matmul") and not isinstance(step.reads[1], str):
                weight = np.shape(step.reads[1])  # type: ignore[arg-type]
                each = prod(weight[1:])
                if step.fields.get("transposed"):
                    each = max(1, each // (weight[1] * int(step.fields["stride"])) * weight[0])
                count += numbers * each
            count += numbers * (_OF_A_RESIZE if step.kind == "resize" else 1)
        return count * length // self.lengths[0] if self.lengths else count

    @cached_property
    def _tolerance(self) -> float:
        """How far two right runs may lie apart, of the largest number.

        Both are computed in double precision.  A number that the file holds in single precision,
        a slope say, is read as it was typed here and as it is stored there: one rounding a step.
        """
        kinds = [step.kind for step in self.found.recording.steps]
        count = len(kinds) + _ROUNDINGS_OF_A_RESIZE * kinds.count("resize")
        return probable(count, 1.0, np.float32)

    def _compare(self, length: int) -> None:
        """Compare both at one length, on random numbers."""
        if self._numbers(length) > _MOST_NUMBERS:
            raise TooLargeError("its values take too much memory together")
        if self._products(length) > _TOO_MANY_PRODUCTS:
            raise TooLargeError("a run takes too many products")
        source = np.random.default_rng(length)
        feeds: dict[str, Array] = {}
        for name, shape in self._shapes(length).items():
            feeds[name] = source.standard_normal(shape)
        nodes = [self.model.nodes[number] for number in self.recorder.changing()]
        values = feeds | self.recorder.fixed()
        made = evaluated_nodes(self.model, nodes, values)
        graph, views = self.found.graph, self.found.views
        given = []
        signals = {views[value].base.name: value for value in self.found.inputs if value in views}
        for each in graph.inputs:
            value = signals[each.name]
            given.append(_samples(made[value], views[value].shapes))
        with np.errstate(all="ignore"):  # numbers beyond all bounds are compared, too
            run = run_graph(graph, given)
        expected = _samples(made[self.found.recording.output], self._output.shapes)
        difference = _difference(expected, run[graph.end], self._tolerance)
        if difference:
            name, difference = self._first(made, run) or (self._maker, difference)
            raise DifferenceError(
                "the graph does not compute what the model does",
                given=f"{difference}, for an input of {given[0].shape[-1]} samples, "
                f"first at node {name!r}",
                expected="what ONNX's own evaluator makes of the same input",
                fix="inputs= behind that node, and a report of the model",
            )

    @property
    def _output(self) -> View:
        return self.found.views[self.found.recording.output]

    @property
    def _maker(self) -> str:
        """What makes the output."""
        recording = self.found.recording
        return next(step.name for step in recording.steps if recording.output in step.makes)

    def _first(self, made: Mapping[str, Array], run: Sequence[Array]) -> tuple[str, str] | None:
        """Return the first node of which both have a value, and the values differ."""
        numbers = {node.name: node.output for node in self.found.graph.nodes}
        for step in self.found.recording.steps:
            for value in step.makes:
                view = self.found.views.get(value)
                if view is None or value not in made:
                    continue
                latest = view.latest
                number = numbers.get(latest.base.name)
                if number is None or not latest.is_plain:
                    continue
                expected = _samples(made[value], latest.shapes)
                difference = _difference(expected, run[number], self._tolerance)
                if difference:
                    return step.name, difference
        return None


def _samples(array: Array, shapes: Sequence[Shape]) -> Array:
    """Return a tensor as (1, channels, time)."""
    axis = time_axis(shapes) if len(shapes) > 1 else array.ndim - 1
    if axis is None:
        return np.asarray(array, dtype=np.float64).reshape(1, -1, 1)
    last = np.moveaxis(np.asarray(array, dtype=np.float64), axis, -1)
    return np.ascontiguousarray(last.reshape(1, -1, last.shape[-1]))


def _difference(expected: Array, made: Array, tolerance: float) -> str:
    """Return how two values differ, in words; nothing where they do not."""
    if made.shape != expected.shape:
        return f"{made.shape[1:]} channels and samples for {expected.shape[1:]}"
    finite = np.isfinite(expected)
    if not np.array_equal(finite, np.isfinite(made)):
        return f"{np.sum(finite != np.isfinite(made))} numbers are finite in one of them only"
    expected, made = expected[finite], made[finite]
    largest = max(float(np.max(np.abs(each), initial=0.0)) for each in (expected, made))
    off = float(np.max(np.abs(made - expected), initial=0.0))
    return "" if off <= tolerance * largest else f"off by {off:.2g} of {largest:.2g}"


def _why(error: UpsimError) -> str:
    return str(error) if isinstance(error, CannotRunError) else f"{error.what}"
