"""What a movement does to an array, in NumPy's words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from upsim.errors import ShapeError, UpsimError
from upsim.importers.recording import Shape, Step
from upsim.words.arguments import refuse_beyond_memory

Numbers = NDArray[Any]
Fields = Mapping[str, Any]

_PADS: dict[str, Literal["constant", "reflect", "edge", "wrap"]] = {
    "constant": "constant",
    "reflect": "reflect",
    "replicate": "edge",
    "circular": "wrap",
}

#: Fields that hold one number for each recorded length where they are tuples.  Other fields are
#: tuples by themselves: an order of axes, the sizes of a split.
_BY_LENGTH = ("start", "stop", "left", "right", "index", "count", "offset")


def moved(
    step: Step, arrays: Sequence[Numbers], shape: Shape, number: int, fill: float = 0
) -> list[Numbers]:
    """Return the arrays that a movement makes of those that it reads.

    Parameters
    ----------
    step : Step
    arrays : sequence of array
        One for each read.
    shape : tuple of int
        Of the first array that is made.
    number : int
        Which recorded length this is.
    fill : number
        What a constant padding puts in.
    """
    fields = dict(step.fields)
    for key in _BY_LENGTH:
        if isinstance(fields.get(key), tuple):
            fields[key] = fields[key][number]
    size = 1
    for each in shape:
        size *= each
    refuse_beyond_memory(size, f"the value of {step.name!r}", fix="a shorter recording")
    try:
        return _MOVEMENTS[fields["function"]](_Move(list(arrays), fields, shape, fill))
    except UpsimError as error:
        raise error.at(step.name) from None
    except (ValueError, IndexError, TypeError, KeyError) as error:
        given = " and ".join(str(array.shape) for array in arrays)
        raise ShapeError(
            "a movement does not fit its array",
            given=f"{fields['function']} of shape {given}: {error}",
            where=step.name,
        ) from None


class _Move(NamedTuple):
    """One movement: the arrays read, its arguments, the shape made, what a padding puts in."""

    arrays: list[Numbers]
    fields: Fields
    shape: Shape
    fill: float


def _reshape(move: _Move) -> list[Numbers]:
    return [move.arrays[0].reshape(move.shape)]


def _expand(move: _Move) -> list[Numbers]:
    return [np.broadcast_to(move.arrays[0], move.shape)]


def _transpose(move: _Move) -> list[Numbers]:
    return [move.arrays[0].transpose(move.fields["axes"])]


def _flip(move: _Move) -> list[Numbers]:
    return [np.flip(move.arrays[0], move.fields["axis"])]


def _slice(move: _Move) -> list[Numbers]:
    kept = [slice(None)] * move.arrays[0].ndim
    kept[move.fields["axis"]] = slice(
        move.fields.get("start"), move.fields.get("stop"), move.fields.get("step", 1)
    )
    return [move.arrays[0][tuple(kept)]]


def _select(move: _Move) -> list[Numbers]:
    return [np.take(move.arrays[0], int(move.fields["index"]), move.fields["axis"])]


def _gather(move: _Move) -> list[Numbers]:
    return [
        np.take(
            move.arrays[0], np.asarray(move.fields["indices"], dtype=np.intp), move.fields["axis"]
        )
    ]


def _repeat(move: _Move) -> list[Numbers]:
    return [np.repeat(move.arrays[0], int(move.fields["count"]), move.fields["axis"])]


def _tile(move: _Move) -> list[Numbers]:
    return [np.tile(move.arrays[0], tuple(move.fields["counts"]))]


def _pad(move: _Move) -> list[Numbers]:
    (array, axis) = (move.arrays[0], move.fields["axis"] % move.arrays[0].ndim)
    ends = (int(move.fields["left"]), int(move.fields["right"]))
    kept = [slice(None)] * array.ndim
    # A negative padding cuts first.
    kept[axis] = slice(max(0, -ends[0]), array.shape[axis] - max(0, -ends[1]))
    array = array[tuple(kept)]
    widths = [(0, 0)] * array.ndim
    widths[axis] = (max(0, ends[0]), max(0, ends[1]))
    mode = move.fields.get("mode", "constant")
    if mode == "constant":
        return [np.pad(array, widths, constant_values=move.fill)]
    longest = array.shape[axis] - (1 if mode == "reflect" else 0)
    if mode != "replicate" and max(ends) > longest:
        raise ShapeError(
            f"{mode} padding reaches further than the input",
            given=f"{max(ends)} beyond an end, {array.shape[axis]} samples",
            fix="a longer recording",
        )
    return [np.pad(array, widths, mode=_PADS[mode])]


def _concatenate(move: _Move) -> list[Numbers]:
    return [np.concatenate(move.arrays, move.fields["axis"])]


def _stack(move: _Move) -> list[Numbers]:
    return [np.stack(move.arrays, move.fields["axis"])]


def _split(move: _Move) -> list[Numbers]:
    ends = np.cumsum([int(size) for size in move.fields["sizes"]])
    return list(np.split(move.arrays[0], ends[:-1], move.fields["axis"]))


def _strided(move: _Move) -> list[Numbers]:
    flat = np.ascontiguousarray(move.arrays[0]).reshape(-1)
    strides, offset = tuple(move.fields["strides"]), int(move.fields.get("offset", 0))
    last = offset + sum((size - 1) * each for size, each in zip(move.shape, strides, strict=True))
    if offset < 0 or min(strides, default=0) < 0 or last >= flat.size:
        raise ShapeError(
            "the strides reach beyond the array",
            given=f"strides {strides} from {offset}, {flat.size} numbers",
        )
    width = flat.itemsize
    return [as_strided(flat[offset:], move.shape, tuple(each * width for each in strides)).copy()]


_MOVEMENTS: dict[str, Callable[[_Move], list[Numbers]]] = {
    "reshape": _reshape,
    "squeeze": _reshape,
    "unsqueeze": _reshape,
    "copy": _reshape,
    "expand": _expand,
    "transpose": _transpose,
    "flip": _flip,
    "slice": _slice,
    "select": _select,
    "gather": _gather,
    "repeat": _repeat,
    "tile": _tile,
    "pad": _pad,
    "concatenate": _concatenate,
    "stack": _stack,
    "split": _split,
    "strided": _strided,
}
