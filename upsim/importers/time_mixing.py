"""Steps that take all samples of time together: attention, a mean over time and what follows it.

Between them stand values with two axes of time, or none, which no value of a graph can be.  Such
steps become one opaque step, from the last values with a time of their own to the next one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upsim.errors import NotPredictableError
from upsim.importers.convolutions import convolution_layers
from upsim.importers.functions import evaluated
from upsim.importers.movements import moved
from upsim.importers.recording import Recording, Shape, Step
from upsim.importers.regions import reduced
from upsim.neural import run as run_layers

Tensor = NDArray[np.float64]

_WHY = "it takes all samples of time together"


def without_time_mixing(
    recording: Recording, planned: Sequence[tuple[Step, set[str]]], *, with_ends: bool = True
) -> list[Step]:
    """Return steps of which each makes a value with a time of its own, or none at all.

    Each step that makes such a value of values that are none becomes one opaque step with all
    that stands before it, back to the last values with a time of their own.  What several of them
    have in common, a mean that is subtracted and added again, each of them computes itself.

    Parameters
    ----------
    recording : Recording
    planned : sequence of (step, values that it needs)
        In their order.
    with_ends : bool, optional
        Whether a few samples that are only moved beside the signal are left as they are.
    """
    ends = _padding_ends(recording, planned) if with_ends else set()
    mixed = _mixed_values(recording, planned, ends) - {recording.output}
    ready = {made for step, _ in planned for made in step.makes} | set(recording.inputs)
    found: list[Step] = []
    for step, needs in planned:
        made = set(step.makes)
        if mixed & made:
            continue
        if mixed & needs:
            found.append(_as_one(recording, step, ready - mixed - made))
        else:
            found.append(step)
    return found


def _padding_ends(recording: Recording, planned: Sequence[tuple[Step, set[str]]]) -> set[str]:
    """Return the values of a few samples of time that are moved to stand beside the signal.

    A padding may be written so: ``cat([x[..., -2:], x, x[..., :2]], -1)``.  Only movements read
    such a value, and each of them makes another such value, or one that grows as another value
    that it reads does.
    """
    growing = _growing_axes(recording)
    readers: dict[str, list[Step]] = {}
    for step, needs in planned:
        for value in needs:
            readers.setdefault(value, []).append(step)
    found: set[str] = set()
    for step, _ in reversed(planned):
        if step.kind != "movement" or any(growing[made] for made in step.makes):
            continue
        if all(
            after.kind == "movement"
            and (
                found.issuperset(after.makes) or any(growing[value] == 1 for value in after.values)
            )
            for made in step.makes
            for after in readers.get(made, ())
        ):
            found.update(step.makes)
    return found - {recording.output}


def _growing_axes(recording: Recording) -> dict[str, int]:
    """Return how many axes of each value grow with the length; 2 where their number changes."""
    growing: dict[str, int] = {}
    for value, shape in recording.shapes[0].items():
        last = recording.shapes[-1][value]
        growing[value] = (
            sum(first != second for first, second in zip(shape, last, strict=True))
            if len(shape) == len(last)
            else 2
        )
    return growing


def _mixed_values(
    recording: Recording, planned: Sequence[tuple[Step, set[str]]], ends: set[str]
) -> set[str]:
    """Return the values with several axes that grow, or with none though they depend on time."""
    if len(recording.shapes) < 2:
        return set()
    growing = _growing_axes(recording)
    timed = {value for value, count in growing.items() if count}
    mixed: set[str] = set()
    for step, needs in planned:
        depends = not (needs.isdisjoint(timed) and needs.isdisjoint(mixed))
        mixed.update(
            made
            for made in step.makes
            if growing[made] > 1
            or (
                depends
                and not growing[made]
                and step.kind != "noise"
                and not (made in ends and needs.isdisjoint(mixed))
            )
        )
    return mixed


def _as_one(recording: Recording, last: Step, ready: set[str]) -> Step:
    """Return the opaque step that a step is with those before it, back to values that are ready."""
    makers = {made: number for number, step in enumerate(recording.steps) for made in step.makes}
    waiting, numbers = list(last.makes), set()
    reads: dict[str, None] = {}
    while waiting:
        value = waiting.pop()
        if value in ready:
            reads[value] = None
        elif value in makers and makers[value] not in numbers:
            numbers.add(makers[value])
            waiting += recording.steps[makers[value]].values
    inner = [recording.steps[number] for number in sorted(numbers)]
    names = tuple(value for value in recording.shapes[0] if value in reads)
    kinds = {step.kind for step in inner}
    types = {str(step.fields.get("type", "")) for step in inner}
    attention = "softmax" in kinds or "Softmax" in types
    run = _Run(recording, inner, names, last.makes[0])
    fields = {
        "type": "attention" if attention else "over all time",
        "reason": _WHY,
        "run": run if run.is_possible else None,
    }
    return Step(last.name, "opaque", names, last.makes, fields, last.module)


class _Run:
    """The steps of a group, run one after another on tensors of any length.

    Shapes and the numbers of movements grow with the length as they do between the two recorded
    ones.
    """

    def __init__(
        self, recording: Recording, steps: Sequence[Step], reads: tuple[str, ...], output: str
    ) -> None:
        self.steps, self.reads, self.output = steps, reads, output
        self._ends = (recording.shapes[0], recording.shapes[-1])
        pairs = [
            (value, axis)
            for value in reads
            for axis, size in enumerate(self._ends[0][value])
            if size != self._ends[1][value][axis]
        ]
        self._clock = pairs[0] if pairs else None

    @property
    def is_possible(self) -> bool:
        """Whether every step can be run."""
        return self._clock is not None and all(
            step.kind in _RUNS or (step.kind == "opaque" and step.fields.get("run"))
            for step in self.steps
        )

    def __call__(self, *tensors: Tensor) -> Tensor:
        """Return the output for the tensors that are read."""
        found = dict(zip(self.reads, tensors, strict=True))
        assert self._clock is not None
        value, axis = self._clock
        first, last = (ends[value][axis] for ends in self._ends)
        share = (found[value].shape[axis] - first) / (last - first)
        for step in self.steps:
            arrays = [
                found[read] if isinstance(read, str) else np.asarray(read)
                for read in step.reads
                if read is not None
            ]
            shape = self._shape(step.makes[0], share)
            if step.kind == "opaque":
                made = step.fields["run"](*(found[read] for read in step.values))
                results = list(made) if isinstance(made, tuple | list) else [made]
            else:
                results = _RUNS[step.kind](_at(step, share), arrays, shape)
            found.update(zip(step.makes, results, strict=False))
        return found[self.output]

    def _shape(self, value: str, share: float) -> Shape:
        first, last = (ends[value] for ends in self._ends)
        return tuple(_between_numbers(a, b, share) for a, b in zip(first, last, strict=True))


def _between_numbers(first: int, last: int, share: float) -> int:
    return round(first + (last - first) * share)


#: Fields of movements with one number for each recorded length.
_NUMBERS = ("start", "stop", "left", "right", "index", "count", "offset")


def _at(step: Step, share: float) -> Step:
    """Return a step with the numbers of its movement at another length."""
    fields: Mapping[str, Any] = {
        key: _between_numbers(value[0], value[-1], share)
        if key in _NUMBERS and isinstance(value, tuple) and None not in value
        else value
        for key, value in step.fields.items()
    }
    return replace(step, fields=fields)


def _elementwise(step: Step, arrays: list[Any], _: Shape) -> list[Any]:
    doubles = [np.asarray(array, dtype=np.float64) for array in arrays]
    return [evaluated(str(step.fields["function"]), doubles, step.fields)]


def _movement(step: Step, arrays: list[Any], shape: Shape) -> list[Any]:
    return list(moved(step, arrays, shape, 0, float(step.fields.get("value", 0.0))))


def _reduce(step: Step, arrays: list[Any], _: Shape) -> list[Any]:
    return [reduced(step, arrays[0])]


def softmax(tensor: Tensor, axis: int) -> Tensor:
    """Return the softmax along an axis."""
    powers = np.exp(tensor - tensor.max(axis=axis, keepdims=True))
    return np.asarray(powers / powers.sum(axis=axis, keepdims=True))


def _softmax(step: Step, arrays: list[Any], _: Shape) -> list[Any]:
    return [softmax(arrays[0], int(step.fields["axis"]))]


def _matmul(_step: Step, arrays: list[Any], _: Shape) -> list[Any]:
    made = arrays[0] @ np.swapaxes(np.asarray(arrays[1], dtype=np.float64), -1, -2)
    return [made + arrays[2] if len(arrays) > 2 else made]


def _convolution(step: Step, arrays: list[Any], _: Shape) -> list[Any]:
    if arrays[0].ndim != 3 or any(isinstance(read, str) for read in step.reads[1:]):
        raise NotPredictableError("a convolution of this form is not run", given=step.name)
    layers, _main = convolution_layers(
        step.fields, arrays[1], arrays[2] if len(arrays) > 2 else None
    )
    return [run_layers(layers, arrays[0])]


_RUNS = {
    "elementwise": _elementwise,
    "movement": _movement,
    "reduce": _reduce,
    "softmax": _softmax,
    "matmul": _matmul,
    "convolution": _convolution,
}
