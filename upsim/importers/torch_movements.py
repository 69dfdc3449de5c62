"""Operations of torch that move numbers and compute nothing."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from upsim.importers.recording import Shape
from upsim.importers.torch_recorder import Operation, Recorder, Rule
from upsim.importers.torch_values import Operand

_Made = list[str | None] | None

#: torch writes an open end of a slice as a huge number.
_OPEN = 2**62


def _axis(number: Any, shape: Shape) -> int:
    return int(number) % max(len(shape), 1)


def _reshaped(function: str) -> Rule:
    def rule(recorder: Recorder, operation: Operation) -> _Made:
        read = recorder.read(operation["self"])
        return [recorder.move(function, [read], operation.shape)]

    return rule


def _expand(recorder: Recorder, operation: Operation) -> _Made:
    return [recorder.move("expand", [recorder.read(operation["self"])], operation.shape)]


def transposed(recorder: Recorder, read: Operand, axes: tuple[int, ...]) -> str:
    """Write down an order of axes."""
    shape = recorder.shape_of(read)
    return recorder.move("transpose", [read], tuple(shape[axis] for axis in axes), axes=axes)


def _permute(recorder: Recorder, operation: Operation) -> _Made:
    read = recorder.read(operation["self"])
    rank = len(recorder.shape_of(read))
    return [transposed(recorder, read, tuple(int(axis) % rank for axis in operation["dims"]))]


def _transpose(recorder: Recorder, operation: Operation) -> _Made:
    read = recorder.read(operation["self"])
    shape = recorder.shape_of(read)
    first, second = operation["dim0"], operation["dim1"]
    if operation.name == "t":
        first, second = 0, len(shape) - 1
    axes = list(range(len(shape)))
    if axes:
        first, second = _axis(first, shape), _axis(second, shape)
        axes[first], axes[second] = axes[second], axes[first]
    return [transposed(recorder, read, tuple(axes))]


def _flip(recorder: Recorder, operation: Operation) -> _Made:
    read = recorder.read(operation["self"])
    for each in operation["dims"]:
        axis = _axis(each, operation.shape)
        read = recorder.move("flip", [read], operation.shape, axis=axis)
    return [read if isinstance(read, str) else None]


def _slice(recorder: Recorder, operation: Operation) -> _Made:
    read = recorder.read(operation["self"])
    axis = _axis(operation["dim"], operation.shape)
    start, stop = operation["start"], operation["end"]
    fields = {
        "axis": axis,
        "start": 0 if start is None else int(start),
        "stop": None if stop is None or stop >= _OPEN else int(stop),
        "step": int(operation["step"]),
    }
    return [recorder.move("slice", [read], operation.shape, **fields)]


def _select(recorder: Recorder, operation: Operation) -> _Made:
    read = recorder.read(operation["self"])
    axis = _axis(operation["dim"], recorder.shape_of(read))
    index = int(operation["index"])
    return [recorder.move("select", [read], operation.shape, axis=axis, index=index)]


def _split(recorder: Recorder, operation: Operation) -> _Made:
    """Parts of an axis, one slice each, so that what nobody reads is left out."""
    read = recorder.read(operation["self"])
    axis = _axis(operation["dim"], recorder.shape_of(read))
    made: list[str | None] = []
    first = 0
    for each in operation.made:
        shape = tuple(each.shape)
        stop = first + shape[axis]
        made.append(
            recorder.move("slice", [read], shape, axis=axis, start=first, stop=stop, step=1)
        )
        first = stop
    return made


def _unbind(recorder: Recorder, operation: Operation) -> _Made:
    read = recorder.read(operation["self"])
    axis = _axis(operation["dim"], recorder.shape_of(read))
    return [
        recorder.move("select", [read], tuple(each.shape), axis=axis, index=index)
        for index, each in enumerate(operation.made)
    ]


def _joined(function: str) -> Rule:
    def rule(recorder: Recorder, operation: Operation) -> _Made:
        axis = _axis(operation["dim"], operation.shape)
        reads = [
            recorder.read(each)
            for each in operation["tensors"]
            if tuple(each.shape) != (0,)  # torch leaves empty tensors out
        ]
        return [recorder.move(function, reads, operation.shape, axis=axis)]

    return rule


def _tile(recorder: Recorder, operation: Operation) -> _Made:
    read = recorder.read(operation["self"])
    counts = tuple(int(each) for each in operation["repeats"])
    return [recorder.move("tile", [read], operation.shape, counts=counts)]


def _pad(mode: str) -> Rule:
    def rule(recorder: Recorder, operation: Operation) -> _Made:
        read = recorder.read(operation["self"])
        ends = operation["pad" if mode == "constant" else "padding"]
        value = float(operation["value"] or 0.0) if mode == "constant" else 0.0
        shape = list(recorder.shape_of(read))
        # Pairs count from the last axis.
        for number in range(len(ends) // 2):
            left, right = int(ends[2 * number]), int(ends[2 * number + 1])
            axis = len(shape) - 1 - number
            if number and not (left or right):
                continue
            shape[axis] += left + right
            fields = {"axis": axis, "left": left, "right": right, "mode": mode, "value": value}
            read = recorder.move("pad", [read], tuple(shape), **fields)
        return [read if isinstance(read, str) else None]

    return rule


def _gather(recorder: Recorder, operation: Operation) -> _Made:
    read = recorder.read(operation["self"])
    if recorder.is_value(operation["index"]):
        return None
    axis = _axis(operation["dim"], recorder.shape_of(read))
    indices = recorder.constant(operation["index"]).reshape(-1)
    return [recorder.move("gather", [read], operation.shape, axis=axis, indices=indices)]


def _index(recorder: Recorder, operation: Operation) -> _Made:
    """One axis read by constant numbers; other forms are left to the operation itself."""
    given = list(operation["indices"])
    axes = [axis for axis, each in enumerate(given) if each is not None]
    if len(axes) != 1 or recorder.is_value(given[axes[0]]) or given[axes[0]].dim() != 1:
        return None
    read = recorder.read(operation["self"])
    indices = recorder.constant(given[axes[0]])
    if indices.dtype == np.bool_:
        indices = np.flatnonzero(indices)
    indices = indices % recorder.shape_of(read)[axes[0]]
    return [recorder.move("gather", [read], operation.shape, axis=axes[0], indices=indices)]


def _roll(recorder: Recorder, operation: Operation) -> _Made:
    read = recorder.read(operation["self"])
    axes = operation["dims"]
    if not axes:
        return None
    shape = operation.shape
    for shift, each in zip(operation["shifts"], axes, strict=True):
        axis = _axis(each, shape)
        size = shape[axis]
        cut = (size - int(shift)) % size
        halves = []
        for first, last in ((cut, size), (0, cut)):
            part = tuple(last - first if at == axis else each for at, each in enumerate(shape))
            halves.append(
                recorder.move("slice", [read], part, axis=axis, start=first, stop=last, step=1)
            )
        read = recorder.move("concatenate", halves, shape, axis=axis)
    return [read if isinstance(read, str) else None]


def _row_strides(shape: Shape) -> list[int]:
    """Return the strides of an array that lies row by row."""
    return [prod(shape[axis + 1 :]) for axis in range(len(shape))]


def _unfold(recorder: Recorder, operation: Operation) -> _Made:
    """Windows of an axis, the samples of a window on a new last axis."""
    read = recorder.read(operation["self"])
    shape = recorder.shape_of(read)
    strides = _row_strides(shape)
    axis = _axis(operation["dimension"], shape)
    strides.append(strides[axis])
    strides[axis] *= int(operation["step"])
    fields = {"strides": tuple(strides), "offset": 0}
    return [recorder.move("strided", [read], operation.shape, **fields)]


def _pixel_shuffle(recorder: Recorder, operation: Operation) -> _Made:
    """(…, C r², H, W) becomes (…, C, r H, r W), channel by channel in rows of phases."""
    read = recorder.read(operation["self"])
    *before, channels, height, width = recorder.shape_of(read)
    factor = int(operation["upscale_factor"])
    split = (*before, channels // factor**2, factor, factor, height, width)
    first = len(before)
    order = (*range(first), *(first + each for each in (0, 3, 1, 4, 2)))
    parts = recorder.move("reshape", [read], split)
    return [recorder.move("reshape", [transposed(recorder, parts, order)], operation.shape)]


def _pixel_unshuffle(recorder: Recorder, operation: Operation) -> _Made:
    read = recorder.read(operation["self"])
    *before, channels, height, width = recorder.shape_of(read)
    factor = int(operation["downscale_factor"])
    split = (*before, channels, height // factor, factor, width // factor, factor)
    first = len(before)
    order = (*range(first), *(first + each for each in (0, 2, 4, 1, 3)))
    parts = recorder.move("reshape", [read], split)
    return [recorder.move("reshape", [transposed(recorder, parts, order)], operation.shape)]


def _channel_shuffle(recorder: Recorder, operation: Operation) -> _Made:
    read = recorder.read(operation["self"])
    batch, channels, *rest = recorder.shape_of(read)
    groups = int(operation["groups"])
    parts = recorder.move("reshape", [read], (batch, groups, channels // groups, *rest))
    order = (0, 2, 1, *range(3, 3 + len(rest)))
    return [recorder.move("reshape", [transposed(recorder, parts, order)], operation.shape)]


RULES: dict[str, Rule] = {
    "view": _reshaped("reshape"),
    "_unsafe_view": _reshaped("reshape"),
    "reshape": _reshaped("reshape"),
    "_reshape_alias": _reshaped("reshape"),
    "unsqueeze": _reshaped("unsqueeze"),
    "squeeze": _reshaped("squeeze"),
    "expand": _expand,
    "permute": _permute,
    "transpose": _transpose,
    "t": _transpose,
    "flip": _flip,
    "slice": _slice,
    "select": _select,
    "split": _split,
    "split_with_sizes": _split,
    "unbind": _unbind,
    "cat": _joined("concatenate"),
    "stack": _joined("stack"),
    "repeat": _tile,
    "constant_pad_nd": _pad("constant"),
    **{
        f"{name}{axes}": _pad(mode)
        for name, mode in (("reflection_pad", "reflect"), ("replication_pad", "replicate"))
        for axes in ("1d", "2d", "3d")
    },
    "index_select": _gather,
    "index": _index,
    "roll": _roll,
    "unfold": _unfold,
    "pixel_shuffle": _pixel_shuffle,
    "pixel_unshuffle": _pixel_unshuffle,
    "channel_shuffle": _channel_shuffle,
    "native_channel_shuffle": _channel_shuffle,
}
