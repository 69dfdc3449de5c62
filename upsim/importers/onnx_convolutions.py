"""ONNX's convolutions, poolings, resizes and products with matrices, as steps of a recording."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from upsim.errors import NotPredictableError, ShapeError, TooLargeError
from upsim.importers.onnx_recorder import LARGEST_VALUE, Array, Converter, OnnxRecorder
from upsim.words.arguments import whole_number


def _time_axis_of(shapes: Sequence[tuple[int, ...]], kernel: Sequence[int]) -> int:
    """Return the one axis, counted from the first behind the channels, that a kernel moves on."""
    moving = [
        axis
        for axis in range(len(kernel))
        if kernel[axis] > 1 or any(shape[axis + 2] > 1 for shape in shapes)
    ]
    if len(moving) > 1:
        raise NotPredictableError(
            "a kernel over two axes is not modelled",
            given=f"a kernel {tuple(kernel)} on shape {shapes[0]}",
            expected="one axis of time, any other of size 1",
        )
    return moving[0] if moving else len(kernel) - 1


def _numbers(recorder: OnnxRecorder, name: str, count: int, otherwise: int) -> list[int]:
    found = recorder.attribute(name)
    values = [otherwise] * count if not found else [int(each) for each in found]
    if len(values) != count:
        raise ShapeError("an attribute has a number for each axis", given=f"{name}={values}")
    least = 0 if otherwise == 0 else 1
    return [whole_number(each, name, least=least) for each in values]


def _weight(recorder: OnnxRecorder, name: str) -> Array:
    if not recorder.is_known(name):
        raise NotPredictableError("its kernel is computed from the input", given=name)
    return recorder.constant(name)


def _conv(recorder: OnnxRecorder, node: Any) -> None:
    _convolution(recorder, node, transposed=False)


def _conv_transpose(recorder: OnnxRecorder, node: Any) -> None:
    _convolution(recorder, node, transposed=True)


def _convolution(recorder: OnnxRecorder, node: Any, *, transposed: bool) -> None:
    read, made = node.input[0], node.output[0]
    if not recorder.is_known(node.input[1]):
        recorder.opaque(node, "its kernel is computed from the input")
        return
    if recorder.is_known(read):
        raise NotPredictableError("it convolves a constant with a constant", given=read)
    shapes, weight = recorder.shapes(read), _weight(recorder, node.input[1])
    kernel = weight.shape[2:]
    axes = len(kernel)
    if not axes or any(len(shape) != axes + 2 for shape in shapes):
        raise ShapeError("a kernel does not fit its input", given=f"{weight.shape} on {shapes[0]}")
    own = _time_axis_of(shapes, kernel)
    groups = whole_number(recorder.attribute("group", 1), "group")
    channels = weight.shape[0] if transposed else weight.shape[1] * groups
    if any(shape[1] != channels for shape in shapes):
        raise ShapeError(
            "the input's channels are not those of the kernel",
            given=f"{shapes[0][1]} channels, a kernel for {channels}",
        )
    stride = _numbers(recorder, "strides", axes, 1)
    dilation = _numbers(recorder, "dilations", axes, 1)
    lengths = [shape[own + 2] for shape in shapes]
    reach = dilation[own] * (kernel[own] - 1) + 1
    if transposed:
        extra = _numbers(recorder, "output_padding", axes, 0)[own]
        ends = _transposed_ends(recorder, own, axes, lengths, stride[own], reach, extra)
        counts = [(n - 1) * stride[own] + reach - sum(ends) + extra for n in lengths]
        out = weight.shape[1] * groups
    else:
        extra = 0
        ends = _ends(recorder, own, axes, lengths, stride[own], reach)
        counts = [(n + sum(ends) - reach) // stride[own] + 1 for n in lengths]
        out = weight.shape[0]
    if min(counts) < 1:
        raise ShapeError("the input is shorter than the kernel", given=f"{lengths[0]} samples")
    bias = None
    if len(node.input) > 2 and node.input[2]:
        bias = _weight(recorder, node.input[2])
    made_shapes = []
    for shape, count in zip(shapes, counts, strict=True):
        size = [1] * axes
        size[own] = count
        made_shapes.append((shape[0], out, *size))
    recorder.step(
        "convolution",
        [read, weight.reshape(*weight.shape[:2], kernel[own]), *([] if bias is None else [bias])],
        made,
        tuple(made_shapes),
        transposed=transposed,
        stride=stride[own],
        padding=ends,
        dilation=dilation[own],
        output_padding=extra,
        groups=groups,
        axis=own + 2,
    )


def _ends(
    recorder: OnnxRecorder,
    own: int,
    axes: int,
    lengths: Sequence[int],
    stride: int,
    reach: int,
) -> tuple[int, int]:
    r"""Return the padding of a convolution or pooling, from pads or auto_pad.

    SAME pads so that :math:`\lceil n / s \rceil` samples come out; an odd one goes to the end
    (UPPER) or to the start (LOWER).
    """
    auto = recorder.attribute("auto_pad", "NOTSET")
    if auto == "VALID":
        return 0, 0
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        totals = {max(0, (-(-n // stride) - 1) * stride + reach - n) for n in lengths}
        if len(totals) > 1:
            raise NotPredictableError(
                "auto_pad pads another number of samples at another length",
                given=f"{auto}, stride {stride}: {sorted(totals)} samples",
                fix=f"length= a multiple of {stride}",
            )
        (total,) = totals
        return _halves(total, upper=auto == "SAME_UPPER")
    pads = _numbers(recorder, "pads", 2 * axes, 0)
    return pads[own], pads[own + axes]


def _halves(total: int, *, upper: bool) -> tuple[int, int]:
    small, large = total // 2, total - total // 2
    return (small, large) if upper else (large, small)


def _transposed_ends(
    recorder: OnnxRecorder,
    own: int,
    axes: int,
    lengths: Sequence[int],
    stride: int,
    reach: int,
    extra: int,
) -> tuple[int, int]:
    """Return what a transposed convolution cuts, from pads, output_shape or auto_pad.

    With ``output_shape`` or SAME, so much is cut that the shape comes out: half at each end; an odd
    sample is cut at the end with SAME_UPPER and at the start otherwise (ONNX, ConvTranspose).
    """
    auto = recorder.attribute("auto_pad", "NOTSET")
    wanted = recorder.attribute("output_shape")
    if wanted:
        sizes = [int(each) for each in wanted][-axes:]
        counts = [sizes[own]] * len(lengths)
    elif auto in ("SAME_UPPER", "SAME_LOWER"):
        counts = [n * stride for n in lengths]
    elif auto == "VALID":
        return 0, 0
    else:
        pads = _numbers(recorder, "pads", 2 * axes, 0)
        return pads[own], pads[own + axes]
    totals = {
        (n - 1) * stride + extra + reach - count for n, count in zip(lengths, counts, strict=True)
    }
    if len(totals) > 1:
        raise NotPredictableError(
            "output_shape asks for one length, whatever comes in",
            given=f"output_shape={list(wanted)}",
            fix=f"length={-(-counts[0] // stride)}, its only input length",
        )
    (total,) = totals
    if total < 0:
        # More than the full response is asked for: nothing stands behind its end.
        return 0, total
    return _halves(total, upper=auto == "SAME_UPPER")


def _pool(recorder: OnnxRecorder, node: Any) -> None:
    """An average over a window, each channel by itself, is a convolution of equal taps."""
    read = node.input[0]
    shapes = recorder.shapes(read)
    axes = len(shapes[0]) - 2
    kernel = _numbers(recorder, "kernel_shape", axes, 1)
    own = _time_axis_of(shapes, kernel)
    stride = _numbers(recorder, "strides", axes, 1)[own]
    dilation = _numbers(recorder, "dilations", axes, 1)[own]
    lengths = [shape[own + 2] for shape in shapes]
    reach = dilation * (kernel[own] - 1) + 1
    ends = _ends(recorder, own, axes, lengths, stride, reach)
    counted = bool(recorder.attribute("count_include_pad", 0)) or ends == (0, 0)
    if node.op_type != "AveragePool" or not counted or recorder.attribute("ceil_mode", 0):
        recorder.opaque(node, "its windows at the ends are counted in another way")
        return
    channels = shapes[0][1]
    weight = np.full((channels, 1, kernel[own]), 1 / kernel[own])
    made = []
    for shape, n in zip(shapes, lengths, strict=True):
        size = list(shape)
        size[own + 2] = (n + sum(ends) - reach) // stride + 1
        made.append(tuple(size))
    recorder.step(
        "convolution",
        [read, weight],
        node.output[0],
        tuple(made),
        transposed=False,
        stride=stride,
        padding=ends,
        dilation=dilation,
        groups=channels,
        axis=own + 2,
    )


# ---------------------------------------------------------------------- matrices


def _matmul(recorder: OnnxRecorder, node: Any) -> None:
    first, second = node.input[0], node.input[1]
    if recorder.is_known(second):
        matrix = recorder.constant(second)
        if matrix.ndim == 2:
            _times(recorder, first, matrix.T, None, node.output[0])
            return
    elif recorder.is_known(first):
        matrix = recorder.constant(first)
        rank = recorder.rank(second)
        if matrix.ndim == 2 and rank >= 2:
            # M x is (x^T M^T)^T.
            order = (*range(rank - 2), rank - 1, rank - 2)
            turned, product = recorder.fresh("turned"), recorder.fresh("product")
            _turn(recorder, second, turned, order)
            _times(recorder, turned, matrix, None, product)
            _turn(recorder, product, node.output[0], order)
            return
    recorder.opaque(node, "it multiplies two values of the model")


def _turn(recorder: OnnxRecorder, read: str, made: str, order: tuple[int, ...]) -> None:
    shapes = tuple(tuple(shape[axis] for axis in order) for shape in recorder.shapes(read))
    recorder.movement("transpose", [read], made, shapes, axes=order)


def _times(recorder: OnnxRecorder, read: str, matrix: Array, bias: Array | None, made: str) -> None:
    shapes = recorder.shapes(read)
    if any(shape[-1] != matrix.shape[1] for shape in shapes):
        raise ShapeError("a matrix does not fit", given=f"{matrix.shape} on {shapes[0]}")
    recorder.step(
        "matmul",
        [read, matrix, *([] if bias is None else [bias])],
        made,
        tuple((*shape[:-1], matrix.shape[0]) for shape in shapes),
    )


def _gemm(recorder: OnnxRecorder, node: Any) -> None:
    first, second = node.input[:2]
    if recorder.is_known(first) or not recorder.is_known(second) or recorder.attribute("transA", 0):
        recorder.opaque(node, "it multiplies in an order that is not modelled")
        return
    matrix = recorder.constant(second)
    matrix = matrix if recorder.attribute("transB", 0) else matrix.T
    matrix = matrix * matrix.dtype.type(recorder.attribute("alpha", 1.0))
    bias = None
    if len(node.input) > 2 and node.input[2]:
        bias = np.ravel(recorder.constant(node.input[2])) * recorder.attribute("beta", 1.0)
        bias = np.broadcast_to(bias, (matrix.shape[0],))
    _times(recorder, first, matrix, bias, node.output[0])


# ---------------------------------------------------------------------- resizing


def _upsample(recorder: OnnxRecorder, node: Any) -> None:
    if len(node.input) > 1:
        scales = [float(each) for each in np.ravel(recorder.constant(node.input[1]))]
    else:
        scales = [float(each) for each in recorder.attribute("scales", [])]
    mode = recorder.attribute("mode", "nearest")
    _resized(
        recorder,
        node,
        [_fraction(scale) for scale in scales],
        list(range(len(scales))),
        mode=mode,
        coordinates="asymmetric",
        rounding="floor",
    )


def _fraction(scale: float) -> Fraction:
    """Return the fraction that a scale of single precision is the rounding of."""
    if not scale > 0:
        raise ShapeError(
            "the scale of a resize makes no sense",
            given=f"scale {scale:g}",
            expected="a positive number",
        )
    if scale > LARGEST_VALUE:
        raise TooLargeError(
            "a resize makes too many samples of one",
            given=f"scale {scale:g}",
            expected=f"at most {LARGEST_VALUE}",
            fix="inputs= behind it",
        )
    exact = Fraction(scale)
    found = exact.limit_denominator(2**10)
    return found if np.float32(float(found)) == np.float32(scale) else exact


def _resize(recorder: OnnxRecorder, node: Any) -> None:
    read = node.input[0]
    rank = recorder.rank(read)
    listed = recorder.attribute("axes")
    axes = list(range(rank)) if listed is None else [int(each) % rank for each in listed]
    old = len(node.input) == 2
    scales_at = 1 if old else 2
    scales_name = node.input[scales_at] if len(node.input) > scales_at else ""
    sizes_name = node.input[3] if len(node.input) > 3 else ""
    shapes = recorder.shapes(read)
    by_size = bool(sizes_name) and recorder.known(sizes_name)[0].size > 0
    if by_size:
        each = [
            [Fraction(size, shape[axis]) for size, axis in zip(sizes, axes, strict=True)]
            for sizes, shape in zip(recorder.numbers(sizes_name), shapes, strict=True)
        ]
        policy = recorder.attribute("keep_aspect_ratio_policy", "stretch")
        if policy != "stretch":
            choose = min if policy == "not_larger" else max
            each = [[choose(found)] * len(axes) for found in each]
        if any(found != each[0] for found in each):
            raise NotPredictableError(
                "a resize to a fixed size has another scale at another length",
                given=f"sizes {recorder.numbers(sizes_name)}",
                expected="scales, or sizes that grow with the input",
            )
        factors = each[0]
        scales = [float(factor) for factor in factors]
    else:
        scales = [float(each) for each in np.ravel(recorder.constant(scales_name))]
        factors = [_fraction(each) for each in scales]
    fields: dict[str, Any] = {
        "mode": recorder.attribute("mode", "nearest"),
        "coordinates": recorder.attribute(
            "coordinate_transformation_mode", "asymmetric" if old else "half_pixel"
        ),
        "rounding": recorder.attribute("nearest_mode", "floor" if old else "round_prefer_floor"),
        "cubic_a": float(recorder.attribute("cubic_coeff_a", -0.75)),
        "antialias": bool(recorder.attribute("antialias", 0)),
        "exclude_outside": bool(recorder.attribute("exclude_outside", 0)),
    }
    # On which side of its fraction the scale lies: it decides places that are ties.
    pairs = zip(scales, factors, strict=True)
    off = [(Fraction(scale) > factor) - (Fraction(scale) < factor) for scale, factor in pairs]
    fields["scale_error"] = next((each for each in off if each), 0) if not by_size else 0
    _resized(recorder, node, factors, axes, **fields)


def _resized(
    recorder: OnnxRecorder,
    node: Any,
    factors: Sequence[Fraction],
    axes: Sequence[int],
    **fields: Any,
) -> None:
    read = node.input[0]
    shapes = recorder.shapes(read)
    if len(factors) != len(axes):
        raise ShapeError("a resize needs a scale for each axis", given=f"{len(factors)} scales")
    work = [(axis, factor) for axis, factor in zip(axes, factors, strict=True) if factor != 1]
    if not work:
        recorder.copy(read, node.output[0])
        return
    # An axis of one number holds it as often as it is asked for, whatever the mode.
    held = [axis for axis, _ in work if all(shape[axis] == 1 for shape in shapes)]
    along = [(axis, factor) for axis, factor in work if axis not in held]
    if len(along) > 1:
        raise NotPredictableError(
            "a resize over two axes is not modelled",
            given=f"scales {[str(factor) for factor in factors]} on shape {shapes[0]}",
            expected="one axis of time",
        )
    if fields["mode"] in ("bilinear", "trilinear"):
        fields["mode"] = "linear"
    for axis, factor in along:
        shapes = tuple(
            (*shape[:axis], int(shape[axis] * factor), *shape[axis + 1 :]) for shape in shapes
        )
        made = recorder.fresh("resize") if held else node.output[0]
        recorder.step("resize", [read], made, shapes, factor=factor, axis=axis, **fields)
        read = made
    if held:
        for axis, factor in work:
            if axis in held:
                shapes = tuple((*shape[:axis], int(factor), *shape[axis + 1 :]) for shape in shapes)
        recorder.movement("expand", [read], node.output[0], shapes)


CONVOLVING: dict[str, Converter] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "AveragePool": _pool,
    "MatMul": _matmul,
    "Gemm": _gemm,
    "Resize": _resize,
    "Upsample": _upsample,
}
