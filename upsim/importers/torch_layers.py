"""Convolutions, matrices, normalisations, resizes and means of torch as steps."""

from __future__ import annotations

from fractions import Fraction
from math import floor, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upsim.errors import NotPredictableError
from upsim.importers.recording import Shape
from upsim.importers.torch_movements import transposed
from upsim.importers.torch_opaque import opaque_operation
from upsim.importers.torch_recorder import Operation, Recorder, Rule
from upsim.importers.torch_values import Operand
from upsim.words.arguments import plain_fraction, refuse_beyond_memory

_Made = list[str | None] | None
_Array = NDArray[Any]


# ---------------------------------------------------------------------- convolutions


def _convolution(recorder: Recorder, operation: Operation) -> _Made:
    """A convolution along one axis; every other axis is one of independent rows."""
    if recorder.is_value(operation["weight"]) or recorder.is_value(operation["bias"]):
        return opaque_operation(recorder, operation, "its kernel is computed from the input")
    read = recorder.read(operation["input"])
    weight = recorder.constant(operation["weight"])
    bias = None if operation["bias"] is None else recorder.constant(operation["bias"])
    numbers = {
        name: _each(operation[name], weight.ndim - 2)
        for name in ("stride", "padding", "dilation", "output_padding")
    }
    active = [
        axis
        for axis, taps in enumerate(weight.shape[2:])
        if taps > 1
        or numbers["stride"][axis] > 1
        or numbers["padding"][axis]
        or numbers["output_padding"][axis]
    ]
    size = recorder.shape_of(read)[2:]
    for axis in active if len(active) > 1 else ():
        if size[axis] == operation.shape[2 + axis] == 1:
            # Of one row one row is made: by the tap k with k dilation = padding, or by none.
            tap, rest = divmod(numbers["padding"][axis], numbers["dilation"][axis])
            one = weight.take([min(tap, weight.shape[2 + axis] - 1)], 2 + axis)
            weight = one * (rest == 0 and tap < weight.shape[2 + axis])
            numbers["padding"][axis] = numbers["output_padding"][axis] = 0
            active = [each for each in active if each != axis]
    if len(active) > 1:
        raise NotPredictableError(
            "a convolution spans two axes, and a graph has one axis of time",
            given=f"a kernel of {tuple(weight.shape[2:])} over axes of {tuple(size)}",
            expected="a kernel along one axis, or one row on each other axis",
            fix='opaque=["path.of.the.module"], or the part of the module behind it',
            where=recorder.where,
        )
    groups, is_transposed = int(operation["groups"]), bool(operation["transposed"])
    if not active and weight.ndim > 3 and groups == 1:
        matrix = weight.reshape(weight.shape[:2])
        return [_pointwise(recorder, read, matrix.T if is_transposed else matrix, bias)]
    axis = active[0] if active else weight.ndim - 3
    fields = {
        "transposed": is_transposed,
        "stride": numbers["stride"][axis],
        "padding": (numbers["padding"][axis],) * 2,
        "dilation": numbers["dilation"][axis],
        "output_padding": numbers["output_padding"][axis],
        "groups": groups,
        "axis": 2 + axis,
    }
    kernel = weight.reshape(*weight.shape[:2], weight.shape[2 + axis])
    return [_rows(recorder, read, kernel, bias, fields, operation.shape)]


def _each(numbers: Any, count: int) -> list[int]:
    listed = [int(each) for each in numbers]
    return listed * count if len(listed) == 1 else listed


def _rows(
    recorder: Recorder,
    read: Operand,
    kernel: _Array,
    bias: _Array | None,
    fields: dict[str, Any],
    made: Shape,
) -> str:
    """Write down a convolution; rows of a batch or of another axis become groups of channels."""
    shape = recorder.shape_of(read)
    axis = fields["axis"]
    others = [0, *(each for each in range(2, len(shape)) if each != axis)]
    count = prod(shape[each] for each in others)
    if count == 1:
        reads = [read, kernel, bias]
        return recorder.emit("convolution", "convolution", reads, made, **fields)
    refuse_beyond_memory(
        count * kernel.size, "a convolution of many rows", fix="input= of fewer rows"
    )
    order = (*others, 1, axis)
    moved = transposed(recorder, read, order)
    flat = recorder.move("reshape", [moved], (1, count * shape[1], shape[axis]))
    many = fields | {"groups": count * fields["groups"], "axis": 2}
    reads = [flat, np.tile(kernel, (count, 1, 1)), None if bias is None else np.tile(bias, count)]
    after = (1, count * made[1], made[axis])
    found = recorder.emit("convolution", "convolution", reads, after, **many)
    apart = tuple(made[each] for each in order)
    found = recorder.move("reshape", [found], apart)
    back = tuple(order.index(each) for each in range(len(order)))
    return transposed(recorder, found, back)


def _pointwise(recorder: Recorder, read: Operand, matrix: _Array, bias: _Array | None) -> str:
    """Write down a matrix on axis 1, wherever time is."""
    rank = len(recorder.shape_of(read))
    order = (0, *range(2, rank), 1)
    moved = transposed(recorder, read, order)
    made = _on_last(recorder, moved, matrix, bias)
    return transposed(recorder, made, (0, rank - 1, *range(1, rank - 1)))


def _average_pool(recorder: Recorder, operation: Operation) -> _Made:
    """A mean of neighbours is a convolution of each channel with equal taps."""
    read = recorder.read(operation["self"])
    shape = recorder.shape_of(read)
    sizes = [int(each) for each in operation["kernel_size"]]
    steps = [int(each) for each in operation["stride"] or sizes]
    pads = _each(operation["padding"] or [0], len(sizes))
    active = [axis for axis, size in enumerate(sizes) if size > 1 or steps[axis] > 1]
    counts_padding = operation["count_include_pad"] is not False or not any(pads)
    if (
        len(active) != 1
        or operation["ceil_mode"]
        or operation["divisor_override"]
        or not counts_padding
        or len(shape) != 2 + len(sizes)
    ):
        return None
    axis = active[0]
    kernel = np.full((shape[1], 1, sizes[axis]), 1 / sizes[axis])
    fields = {
        "transposed": False,
        "stride": steps[axis],
        "padding": (pads[axis],) * 2,
        "dilation": 1,
        "output_padding": 0,
        "groups": shape[1],
        "axis": 2 + axis,
    }
    return [_rows(recorder, read, kernel, None, fields, operation.shape)]


def _overlap_add(recorder: Recorder, operation: Operation) -> _Made:
    """Windows added where they overlap: a transposed convolution with one tap for each row.

    ``fold`` reads (1, C K, n), row ``c K + k`` being sample k of each window of channel c.
    """
    read = recorder.read(operation["self"])
    shape = recorder.shape_of(read)
    taps = [int(each) for each in operation["kernel_size"]]
    sizes = [int(each) for each in operation["output_size"]]
    steps = [int(each) for each in operation["stride"]]
    if len(shape) != 3 or shape[0] != 1 or 1 not in taps or any(operation["padding"]):
        return None
    axis = 1 if taps[0] == 1 else 0
    if sizes[1 - axis] != 1 or int(operation["dilation"][axis]) != 1:
        return None
    count, channels = taps[axis], shape[1] // taps[axis]
    kernel = np.zeros((shape[1], channels, count))
    kernel[np.arange(shape[1]), np.arange(shape[1]) // count, np.arange(shape[1]) % count] = 1.0
    fields = {
        "transposed": True,
        "stride": steps[axis],
        "padding": (0, 0),
        "dilation": 1,
        "output_padding": 0,
        "groups": 1,
    }
    full = (shape[2] - 1) * steps[axis] + count
    reads = [read, kernel, None]
    made = recorder.emit("fold", "convolution", reads, (1, channels, full), **fields)
    if sizes[axis] != full:
        ends = {"axis": 2, "left": 0, "right": sizes[axis] - full, "mode": "constant", "value": 0.0}
        made = recorder.move("pad", [made], (1, channels, sizes[axis]), **ends)
    return [recorder.move("reshape", [made], operation.shape)]


# ---------------------------------------------------------------------- matrices


def _on_last(recorder: Recorder, read: Operand, matrix: _Array, bias: _Array | None) -> str:
    shape = (*recorder.shape_of(read)[:-1], matrix.shape[0])
    return recorder.emit("matmul", "matmul", [read, np.ascontiguousarray(matrix), bias], shape)


def _product(
    recorder: Recorder, operation: Operation, left: Any, right: Any, bias: _Array | None = None
) -> str | None:
    """Write down a product of a value and a constant matrix; None where it is no such product."""
    is_left = recorder.is_value(left)
    if is_left == recorder.is_value(right):
        return None
    constant = recorder.constant(right if is_left else left)
    while constant.ndim > 2:
        if constant.shape[0] != 1:
            return None
        constant = constant[0]
    if is_left:
        if constant.ndim == 1:
            row = _on_last(recorder, recorder.read(left), constant[None], bias)
            return recorder.move("squeeze", [row], operation.shape)
        return _on_last(recorder, recorder.read(left), constant.T, bias)
    # A x = (xᵀ Aᵀ)ᵀ
    read = recorder.read(right)
    rank = len(recorder.shape_of(read))
    if rank < 2 or constant.ndim != 2 or bias is not None:
        return None
    swapped = (*range(rank - 2), rank - 1, rank - 2)
    made = _on_last(recorder, transposed(recorder, read, swapped), constant, None)
    return transposed(recorder, made, swapped)


def _matrix(recorder: Recorder, operation: Operation) -> _Made:
    """``mm``, ``bmm``, ``mv``: two arguments and nothing else."""
    left, right = list(operation.given.values())[:2]
    found = _product(recorder, operation, left, right)
    return None if found is None else [found]


def _affine(recorder: Recorder, operation: Operation) -> _Made:
    """``beta self + alpha mat1 mat2``."""
    names = ("batch1", "batch2") if operation.name == "baddbmm" else ("mat1", "mat2")
    left, right = (operation[name] for name in names)
    bias = operation["self"]
    if operation["beta"] != 1 or operation["alpha"] != 1:
        return None
    is_row = not recorder.is_value(bias) and prod(bias.shape) == bias.shape[-1]
    if is_row and recorder.is_value(left):
        row = recorder.constant(bias).reshape(-1)
        if row.size == operation.shape[-1]:
            found = _product(recorder, operation, left, right, row)
            return None if found is None else [found]
    found = _product(recorder, operation, left, right)
    if found is None:
        return None
    return [recorder.elementwise("add", [recorder.read(bias), found], operation.shape)]


def _linear(recorder: Recorder, operation: Operation) -> _Made:
    if recorder.is_value(operation["weight"]) or recorder.is_value(operation["bias"]):
        return None
    bias = None if operation["bias"] is None else recorder.constant(operation["bias"])
    weight = recorder.constant(operation["weight"])
    return [_on_last(recorder, recorder.read(operation["input"]), weight, bias)]


# ---------------------------------------------------------------------- normalisations


def _constants(recorder: Recorder, operation: Operation, *names: str) -> list[_Array | None] | None:
    given = [operation[name] for name in names]
    if any(map(recorder.is_value, given)):
        return None
    return [None if each is None else recorder.constant(each) for each in given]


def _batch_norm(recorder: Recorder, operation: Operation) -> _Made:
    """With statistics of its own a batch of one is normalised over time: instance normalisation."""
    reads = _constants(recorder, operation, "weight", "bias", "running_mean", "running_var")
    if reads is None:
        return None
    read = recorder.read(operation["input"])
    eps = float(operation["eps"])
    has_own = operation["training"] is True or reads[2] is None
    if has_own:
        if recorder.shape_of(read)[0] != 1:
            return None
        fields: dict[str, Any] = {"which": "instance", "eps": eps}
        reads = reads[:2]
    else:
        fields = {"which": "batch", "eps": eps}
    given = [read, *reads]
    made = recorder.emit("normalisation", "normalisation", given, operation.shape, **fields)
    return [made, *[None] * (len(operation.made) - 1)]


def _group_norm(recorder: Recorder, operation: Operation) -> _Made:
    reads = _constants(recorder, operation, "weight", "bias")
    if reads is None or int(operation["N"]) != 1:
        return None
    fields = {
        "which": "group",
        "groups": int(operation["group"]),
        "eps": float(operation["eps"]),
    }
    given = [recorder.read(operation["input"]), *reads]
    made = recorder.emit("normalisation", "normalisation", given, operation.shape, **fields)
    return [made, None, None]


def _layer_norm(which: str) -> Rule:
    def rule(recorder: Recorder, operation: Operation) -> _Made:
        names = ("weight", "bias") if which == "layer" else ("weight",)
        reads = _constants(recorder, operation, *names)
        if reads is None:
            return None
        rank, count = len(operation.shape), len(operation["normalized_shape"])
        eps = operation["eps"]
        fields = {
            "which": which,
            "axes": tuple(range(rank - count, rank)),
            "eps": float(np.finfo(np.float64).eps) if eps is None else float(eps),
        }
        given = [recorder.read(operation["input"]), *reads]
        made = recorder.emit("normalisation", "normalisation", given, operation.shape, **fields)
        return [made, *[None] * (len(operation.made) - 1)]

    return rule


# ---------------------------------------------------------------------- resizes

#: Operation: mode, coordinates and rounding in ONNX's words.
_RESIZES = {
    "upsample_nearest": ("nearest", "asymmetric", "floor"),
    "_upsample_nearest_exact": ("nearest", "half_pixel", "round_prefer_ceil"),
    "upsample_linear": ("linear", "half_pixel", ""),
    "upsample_bilinear": ("linear", "half_pixel", ""),
    "upsample_trilinear": ("linear", "half_pixel", ""),
    "upsample_bicubic": ("cubic", "half_pixel", ""),
    "_upsample_bilinear": ("linear", "half_pixel", ""),
    "_upsample_bicubic": ("cubic", "half_pixel", ""),
}


def _resize(recorder: Recorder, operation: Operation) -> _Made:
    """One axis made longer or shorter; axes beside it become channels."""
    mode, coordinates, rounding = _RESIZES[operation.name.removesuffix("_aa")[:-2]]
    read: Operand = recorder.read(operation["self" if "self" in operation.given else "input"])
    shape, made = recorder.shape_of(read), operation.shape
    names = ("scales",) if len(shape) == 3 else ("scales_d", "scales_h", "scales_w")
    scales = [operation[name] for name in names[-(len(shape) - 2) :]]
    changed = [axis for axis in range(2, len(shape)) if shape[axis] != made[axis]]
    if not changed:
        return [recorder.move("copy", [read], made)]
    if len(changed) > 1:
        raise NotPredictableError(
            "a resize changes two axes",
            given=f"shape {shape} becomes {made}",
            expected="one axis of time",
            where=recorder.where,
        )
    axis = changed[0]
    scale = scales[axis - 2]
    factor = Fraction(made[axis], shape[axis])
    if scale is not None:
        known = Fraction(scale) if scale == int(scale) else plain_fraction(float(scale))
        factor = factor if known is None else known
        if floor(shape[axis] * factor) != made[axis]:
            factor = Fraction(made[axis], shape[axis])
    if operation["align_corners"]:
        coordinates = "align_corners"
    fields: dict[str, Any] = {"mode": mode, "factor": factor, "coordinates": coordinates}
    fields |= {"rounding": rounding} if rounding else {}
    fields |= {"antialias": True} if operation.name.endswith("_aa") else {}
    if operation.name.endswith("_aa"):
        fields["cubic_a"] = -0.5
    others = [each for each in range(len(shape)) if each != axis]
    order = (*others, axis)
    if axis != len(shape) - 1:
        read = transposed(recorder, read, order)
    flat = (1, prod(shape[each] for each in others))
    if len(shape) > 3:
        read = recorder.move("reshape", [read], (*flat, shape[axis]))
        read = recorder.emit("resize", "resize", [read], (*flat, made[axis]), axis=2, **fields)
        read = recorder.move("reshape", [read], tuple(made[each] for each in order))
    else:
        read = recorder.emit("resize", "resize", [read], made, axis=2, **fields)
    if axis != len(shape) - 1:
        read = transposed(recorder, read, tuple(order.index(each) for each in range(len(order))))
    return [str(read)]


# ---------------------------------------------------------------------- means


def _axes(operation: Operation, rank: int) -> tuple[int, ...]:
    given = operation["dim"]
    if given is None or given == []:
        return tuple(range(rank))
    listed = [given] if isinstance(given, int) else given
    return tuple(sorted(int(axis) % max(rank, 1) for axis in listed))


def _reduced(recorder: Recorder, read: Operand, function: str, operation: Operation) -> str:
    axes = _axes(operation, len(recorder.shape_of(read)))
    keep = bool(operation["keepdim"])
    fields = {"function": function, "axes": axes, "keepdims": keep}
    return recorder.emit(function, "reduce", [read], operation.shape, **fields)


def _reduce(function: str) -> Rule:
    def rule(recorder: Recorder, operation: Operation) -> _Made:
        read = recorder.read(operation["self"])
        made = _reduced(recorder, read, function, operation)
        return [made, *[None] * (len(operation.made) - 1)]

    return rule


#: The label of the factor n / (n - correction) of a variance: over time it grows with the length.
BESSEL = "unbiased"


def _variance(recorder: Recorder, operation: Operation) -> _Made:
    """A variance, its root, or one of them with the mean."""
    read = recorder.read(operation["self"])
    shape = recorder.shape_of(read)
    count = prod(shape[axis] for axis in _axes(operation, len(shape)))
    given = operation["correction"]
    correction = 1.0 if given is None else float(given)
    made = _reduced(recorder, read, "var", operation)
    if correction:
        factor = np.asarray(count / max(count - correction, 0.0) if count > correction else np.nan)
        fields = {"function": "multiply"}
        made = recorder.emit(BESSEL, "elementwise", [made, factor], operation.shape, **fields)
    if operation.name.startswith("std"):
        made = recorder.elementwise("sqrt", [made], operation.shape)
    if operation.name.endswith("_mean"):
        return [made, _reduced(recorder, read, "mean", operation)]
    return [made]


def _length(recorder: Recorder, operation: Operation) -> _Made:
    """The Euclidean length of a vector."""
    if operation["ord"] != 2:
        return None
    read = recorder.read(operation["self"])
    squares = recorder.elementwise("square", [read], recorder.shape_of(read))
    total = _reduced(recorder, squares, "sum", operation)
    return [recorder.elementwise("sqrt", [total], operation.shape)]


RULES: dict[str, Rule] = {
    "convolution": _convolution,
    "_convolution": _convolution,
    "mkldnn_convolution": _convolution,
    "avg_pool1d": _average_pool,
    "avg_pool2d": _average_pool,
    "col2im": _overlap_add,
    "mm": _matrix,
    "bmm": _matrix,
    "mv": _matrix,
    "addmm": _affine,
    "baddbmm": _affine,
    "linear": _linear,
    "native_batch_norm": _batch_norm,
    "_native_batch_norm_legit": _batch_norm,
    "_native_batch_norm_legit_no_training": _batch_norm,
    "_batch_norm_no_update": _batch_norm,
    "native_group_norm": _group_norm,
    "native_layer_norm": _layer_norm("layer"),
    "_fused_rms_norm": _layer_norm("rms"),
    **{
        f"{name}{axes}d{end}": _resize
        for name in _RESIZES
        for axes in (1, 2, 3)
        for end in ("", "_aa")
    },
    "mean": _reduce("mean"),
    "sum": _reduce("sum"),
    "amax": _reduce("max"),
    "amin": _reduce("min"),
    "var": _variance,
    "std": _variance,
    "var_mean": _variance,
    "std_mean": _variance,
    "linalg_vector_norm": _length,
}
