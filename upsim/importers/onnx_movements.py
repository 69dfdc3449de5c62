"""ONNX's operators that move numbers, as movements of a recording."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from upsim.errors import NotPredictableError, ShapeError
from upsim.importers.onnx_recorder import Converter, OnnxRecorder, Shapes, broadcast_shape
from upsim.importers.recording import Shape
from upsim.words.arguments import whole_number


def _axis(recorder: OnnxRecorder, axis: int, name: str, extra: int = 0) -> int:
    rank = recorder.rank(name) + extra
    if not -rank <= axis < rank:
        raise ShapeError("an axis is not there", given=f"axis {axis} of {rank}")
    return axis % rank


def _axes(recorder: OnnxRecorder, node: Any, place: int) -> list[int] | None:
    """Return axes from an attribute, or from an input in newer versions."""
    if len(node.input) > place and node.input[place]:
        return recorder.numbers(node.input[place])[0]
    found: list[int] | None = recorder.attribute("axes")
    return found


def _same_number(shape: Shape, sizes: Sequence[int]) -> tuple[int, ...]:
    """Return sizes with -1 resolved, if they hold as many numbers as the shape."""
    known = prod(size for size in sizes if size != -1)
    whole = prod(shape)
    if list(sizes).count(-1) > 1 or not known or whole % known:
        raise ShapeError("a reshape does not fit", given=f"{shape} to {tuple(sizes)}")
    found = tuple(whole // known if size == -1 else int(size) for size in sizes)
    if prod(found) != whole:
        raise ShapeError("a reshape does not fit", given=f"{shape} to {tuple(sizes)}")
    return found


def _reshape(recorder: OnnxRecorder, node: Any) -> None:
    read, made = node.input[0], node.output[0]
    if len(node.input) > 1:
        targets = recorder.numbers(node.input[1])
    else:
        targets = [[int(each) for each in recorder.attribute("shape", [])]] * recorder.count
    zero_is_zero = bool(recorder.attribute("allowzero", 0))
    shapes = []
    for shape, target in zip(recorder.shapes(read), targets, strict=True):
        if not zero_is_zero:
            if any(size == 0 and place >= len(shape) for place, size in enumerate(target)):
                raise ShapeError("a reshape copies an axis that is not there", given=str(target))
            sizes = [shape[place] if size == 0 else size for place, size in enumerate(target)]
        else:
            sizes = target
        shapes.append(_same_number(shape, sizes))
    recorder.movement("reshape", [read], made, tuple(shapes))


def _flatten(recorder: OnnxRecorder, node: Any) -> None:
    read = node.input[0]
    axis = recorder.attribute("axis", 1) % (recorder.rank(read) + 1)
    shapes = tuple((prod(shape[:axis]), prod(shape[axis:])) for shape in recorder.shapes(read))
    recorder.movement("reshape", [read], node.output[0], shapes)


def _squeeze(recorder: OnnxRecorder, node: Any) -> None:
    read, axes = node.input[0], _axes(recorder, node, 1)
    shapes = []
    for shape in recorder.shapes(read):
        gone = (
            {axis for axis, size in enumerate(shape) if size == 1}
            if axes is None
            else {_axis(recorder, axis, read) for axis in axes}
        )
        if any(shape[axis] != 1 for axis in gone):
            raise ShapeError("a squeezed axis has more than one number", given=f"{shape}, {axes}")
        shapes.append(tuple(size for axis, size in enumerate(shape) if axis not in gone))
    recorder.movement("squeeze", [read], node.output[0], tuple(shapes))


def _unsqueeze(recorder: OnnxRecorder, node: Any) -> None:
    read, axes = node.input[0], _axes(recorder, node, 1) or []
    places = sorted(_axis(recorder, axis, read, len(axes)) for axis in axes)
    shapes = []
    for shape in recorder.shapes(read):
        found = list(shape)
        for place in places:
            found.insert(place, 1)
        shapes.append(tuple(found))
    recorder.movement("unsqueeze", [read], node.output[0], tuple(shapes))


def _transpose(recorder: OnnxRecorder, node: Any) -> None:
    read = node.input[0]
    order = recorder.attribute("perm") or list(range(recorder.rank(read)))[::-1]
    if sorted(order) != list(range(recorder.rank(read))):
        raise ShapeError("an order of axes is none", given=f"perm={list(order)}")
    shapes = tuple(tuple(shape[axis] for axis in order) for shape in recorder.shapes(read))
    recorder.movement("transpose", [read], node.output[0], shapes, axes=tuple(order))


def _expand(recorder: OnnxRecorder, node: Any) -> None:
    read = node.input[0]
    shapes = tuple(
        broadcast_shape([shape, tuple(wanted)])
        for shape, wanted in zip(
            recorder.shapes(read), recorder.numbers(node.input[1]), strict=True
        )
    )
    recorder.movement("expand", [read], node.output[0], shapes)


def _tile(recorder: OnnxRecorder, node: Any) -> None:
    read = node.input[0]
    counts = recorder.numbers(node.input[1])
    if any(each != counts[0] for each in counts):
        raise NotPredictableError("a tile's repeats depend on the length", given=str(counts))
    if len(counts[0]) != recorder.rank(read):
        raise ShapeError(
            "a tile needs a number for each axis",
            given=f"{counts[0]}",
            expected=f"{recorder.rank(read)} numbers",
        )
    shapes = tuple(
        tuple(size * times for size, times in zip(shape, counts[0], strict=True))
        for shape in recorder.shapes(read)
    )
    recorder.movement("tile", [read], node.output[0], shapes, counts=tuple(counts[0]))


def _slice(recorder: OnnxRecorder, node: Any) -> None:
    read = node.input[0]
    if len(node.input) > 1:
        starts, ends = recorder.numbers(node.input[1]), recorder.numbers(node.input[2])
        axes = _axes(recorder, node, 3)
        steps = (
            recorder.numbers(node.input[4])[0]
            if len(node.input) > 4 and node.input[4]
            else [1] * len(starts[0])
        )
    else:
        starts = [[int(each) for each in recorder.attribute("starts", [])]] * recorder.count
        ends = [[int(each) for each in recorder.attribute("ends", [])]] * recorder.count
        axes = _axes(recorder, node, len(node.input))
        steps = [1] * len(starts[0])
    listed = list(range(len(starts[0]))) if axes is None else axes
    if not len(listed) == len(steps) == len(starts[0]) == len(ends[0]):
        raise ShapeError("a slice's arguments are of different lengths", given=f"axes {listed}")
    before, shapes = read, recorder.shapes(read)
    for number, each in enumerate(listed):
        axis = _axis(recorder, each, read)
        cut = [
            slice(*_ends(start[number], end[number], steps[number]), steps[number])
            for start, end in zip(starts, ends, strict=True)
        ]
        shapes = tuple(
            (*shape[:axis], len(range(*own.indices(shape[axis]))), *shape[axis + 1 :])
            for shape, own in zip(shapes, cut, strict=True)
        )
        last = number + 1 == len(listed)
        made = node.output[0] if last else recorder.fresh("slice")
        recorder.movement(
            "slice",
            [before],
            made,
            shapes,
            axis=axis,
            start=tuple(own.start for own in cut),
            stop=tuple(own.stop for own in cut),
            step=steps[number],
        )
        before = made
    if not listed:
        recorder.copy(read, node.output[0])


def _ends(start: int, stop: int, step: int) -> tuple[int | None, int | None]:
    """Return ONNX's start and stop as Python has them: a huge one means as far as there is."""
    if not step:
        raise ShapeError("a slice's step must not be zero", given="step 0")
    huge = 2**31 - 2
    return (
        None if (step > 0 and start <= -huge) or (step < 0 and start >= huge) else start,
        None if (step > 0 and stop >= huge) or (step < 0 and stop <= -huge) else stop,
    )


def _concat(recorder: OnnxRecorder, node: Any) -> None:
    value = next(name for name in node.input if not recorder.is_known(name))
    axis = _axis(recorder, recorder.attribute("axis", 1), value)
    reads = [recorder.operand(name) for name in node.input]
    shapes = []
    for place in recorder.places:
        each = [recorder.shapes(name)[place] for name in node.input]
        if len({(*shape[:axis], *shape[axis + 1 :]) for shape in each}) > 1:
            raise ShapeError(
                "values of these shapes cannot be concatenated",
                given=" and ".join(map(str, each)),
                fix=recorder.longer_input(reads),
            )
        total = sum(shape[axis] for shape in each)
        shapes.append((*each[0][:axis], total, *each[0][axis + 1 :]))
    recorder.movement("concatenate", reads, node.output[0], tuple(shapes), axis=axis)


def _split(recorder: OnnxRecorder, node: Any) -> None:
    read, made = node.input[0], [name for name in node.output if name]
    axis = _axis(recorder, recorder.attribute("axis", 0), read)
    whole = [shape[axis] for shape in recorder.shapes(read)]
    if len(node.input) > 1 and node.input[1]:
        each = recorder.numbers(node.input[1])
    elif recorder.attribute("split"):
        each = [[int(size) for size in recorder.attribute("split")]] * recorder.count
    else:
        count = whole_number(recorder.attribute("num_outputs", len(node.output)), "num_outputs")
        size = [-(-total // count) for total in whole]
        each = [
            [own] * (count - 1) + [total - own * (count - 1)]
            for own, total in zip(size, whole, strict=True)
        ]
    if any(sizes != each[0] for sizes in each) or len(each[0]) != len(node.output):
        raise NotPredictableError("a split's sizes depend on the length", given=str(each))
    if sum(each[0]) != whole[0]:
        raise ShapeError(
            "a split's sizes are not those of its axis", given=f"{each[0]}, {whole[0]}"
        )
    shapes = [
        tuple((*shape[:axis], size, *shape[axis + 1 :]) for shape in recorder.shapes(read))
        for size in each[0]
    ]
    names = [name or recorder.fresh(f"part {number}") for number, name in enumerate(node.output)]
    del made
    recorder.movement("split", [read], names, shapes, axis=axis, sizes=tuple(each[0]))


def _gather(recorder: OnnxRecorder, node: Any) -> None:
    read = node.input[0]
    if recorder.is_known(read):
        recorder.opaque(node, "it looks a table up with the input")
        return
    indices = recorder.constant(node.input[1]).astype(np.int64)
    axis = _axis(recorder, recorder.attribute("axis", 0), read)
    flat = indices.reshape(-1)
    if indices.size and any(
        flat.max() >= shape[axis] or flat.min() < -shape[axis] for shape in recorder.shapes(read)
    ):
        raise ShapeError("an index is not there", given=f"{flat.min()} to {flat.max()}")
    shapes = tuple(
        (*shape[:axis], *indices.shape, *shape[axis + 1 :]) for shape in recorder.shapes(read)
    )
    if indices.ndim == 0:
        recorder.movement("select", [read], node.output[0], shapes, axis=axis, index=int(indices))
        return
    listed = tuple(
        (*shape[:axis], flat.size, *shape[axis + 1 :]) for shape in recorder.shapes(read)
    )
    between = node.output[0] if indices.ndim == 1 else recorder.fresh("gather")
    recorder.movement("gather", [read], between, listed, axis=axis, indices=flat)
    if indices.ndim != 1:
        recorder.movement("reshape", [between], node.output[0], shapes)


_MODES = {
    "constant": "constant",
    "reflect": "reflect",
    "edge": "replicate",
    "wrap": "circular",
}


def _pad(recorder: OnnxRecorder, node: Any) -> None:
    read, made = node.input[0], node.output[0]
    rank = recorder.rank(read)
    if len(node.input) > 1:
        ends = recorder.numbers(node.input[1])
        value = (
            float(np.ravel(recorder.constant(node.input[2]))[0])
            if len(node.input) > 2 and node.input[2]
            else 0.0
        )
    else:
        found = recorder.attribute("pads") or recorder.attribute("paddings") or []
        ends = [[int(each) for each in found]] * recorder.count
        value = float(recorder.attribute("value", 0.0))
    axes = _axes(recorder, node, 3) if len(node.input) > 3 else None
    listed = list(range(rank)) if axes is None else [_axis(recorder, each, read) for each in axes]
    if any(len(each) != 2 * len(listed) for each in ends):
        raise ShapeError("a padding needs two numbers an axis", given=f"{ends[0]}, {len(listed)}")
    mode = str(recorder.attribute("mode", "constant"))
    if mode not in _MODES:
        raise NotPredictableError(
            "a padding of this mode is not known", given=mode, expected=", ".join(_MODES)
        )
    work = []
    for number, axis in enumerate(listed):
        pair = [(each[number], each[number + len(listed)]) for each in ends]
        if any(left or right for left, right in pair):
            work.append((axis, pair))
    shapes: Shapes = recorder.shapes(read)
    for number, (axis, pair) in enumerate(work):
        shapes = tuple(
            (*shape[:axis], shape[axis] + left + right, *shape[axis + 1 :])
            for shape, (left, right) in zip(shapes, pair, strict=True)
        )
        between = made if number + 1 == len(work) else recorder.fresh("pad")
        recorder.movement(
            "pad",
            [read],
            between,
            shapes,
            axis=axis,
            left=tuple(left for left, _ in pair),
            right=tuple(right for _, right in pair),
            mode=_MODES[mode],
            value=value,
        )
        read = between
    if not work:
        recorder.copy(read, made)


def _depth_to_space(recorder: OnnxRecorder, node: Any) -> None:
    """Channels become blocks of both axes; which channel is which place depends on the mode."""
    size = int(recorder.attribute("blocksize"))
    mode = recorder.attribute("mode", "DCR")
    first, order, last = [], (0, 3, 4, 1, 5, 2) if mode == "DCR" else (0, 1, 4, 2, 5, 3), []
    for batch, channels, high, wide in _four(recorder, node):
        kept = channels // size**2
        blocks = (size, size, kept) if mode == "DCR" else (kept, size, size)
        first.append((batch, *blocks, high, wide))
        last.append((batch, kept, high * size, wide * size))
    _rearranged(recorder, node, first, order, last)


def _space_to_depth(recorder: OnnxRecorder, node: Any) -> None:
    size = int(recorder.attribute("blocksize"))
    first, last = [], []
    for batch, channels, high, wide in _four(recorder, node):
        first.append((batch, channels, high // size, size, wide // size, size))
        last.append((batch, channels * size**2, high // size, wide // size))
    _rearranged(recorder, node, first, (0, 3, 5, 1, 2, 4), last)


def _four(recorder: OnnxRecorder, node: Any) -> list[tuple[int, int, int, int]]:
    shapes = recorder.shapes(node.input[0])
    if any(len(shape) != 4 for shape in shapes):
        raise ShapeError("this operator needs four axes", given=str(shapes[0]))
    return [(shape[0], shape[1], shape[2], shape[3]) for shape in shapes]


def _rearranged(
    recorder: OnnxRecorder,
    node: Any,
    first: Sequence[Shape],
    order: tuple[int, ...],
    last: Sequence[Shape],
) -> None:
    """Write down a reshape, a transpose and a reshape."""
    read = node.input[0]
    for before, split, after in zip(recorder.shapes(read), first, last, strict=True):
        if not prod(before) == prod(split) == prod(after):
            raise ShapeError("the block size does not divide the axes", given=str(before))
    apart, moved = recorder.fresh("blocks"), recorder.fresh("order")
    recorder.movement("reshape", [read], apart, tuple(first))
    turned = tuple(tuple(shape[axis] for axis in order) for shape in first)
    recorder.movement("transpose", [apart], moved, turned, axes=order)
    recorder.movement("reshape", [moved], node.output[0], tuple(last))


def _identity(recorder: OnnxRecorder, node: Any) -> None:
    recorder.copy(node.input[0], node.output[0])


def _cast(recorder: OnnxRecorder, node: Any) -> None:
    from upsim.importers.onnx_model import onnx_package

    proto = onnx_package().TensorProto
    if recorder.attribute("to") in (
        proto.FLOAT,
        proto.DOUBLE,
        proto.FLOAT16,
        proto.BFLOAT16,
    ):
        recorder.copy(node.input[0], node.output[0])
    else:
        recorder.opaque(node, "it rounds the input to whole numbers")


MOVING: dict[str, Converter] = {
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": _transpose,
    "Expand": _expand,
    "Tile": _tile,
    "Slice": _slice,
    "Concat": _concat,
    "Split": _split,
    "Gather": _gather,
    "Pad": _pad,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
    "Identity": _identity,
    "Dropout": _identity,
    "Cast": _cast,
    "CastLike": _identity,
}
