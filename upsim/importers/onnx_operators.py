"""ONNX's operators that compute number by number, normalise or reduce, and the table of all."""

from __future__ import annotations

from typing import Any

import numpy as np

from upsim.errors import NotPredictableError, ShapeError
from upsim.importers.functions import SELU
from upsim.importers.onnx_convolutions import CONVOLVING
from upsim.importers.onnx_movements import MOVING, _axes
from upsim.importers.onnx_recorder import Converter, OnnxRecorder

#: Operators that are one function of the recording, by its name.
_PLAIN = {
    "Add": "add",
    "Sub": "subtract",
    "Mul": "multiply",
    "Div": "divide",
    "Pow": "power",
    "Sin": "sin",
    "Cos": "cos",
    "Tan": "tan",
    "Tanh": "tanh",
    "Sinh": "sinh",
    "Cosh": "cosh",
    "Asin": "arcsin",
    "Acos": "arccos",
    "Atan": "arctan",
    "Asinh": "arcsinh",
    "Acosh": "arccosh",
    "Atanh": "arctanh",
    "Exp": "exp",
    "Log": "log",
    "Sqrt": "sqrt",
    "Abs": "abs",
    "Neg": "negative",
    "Reciprocal": "reciprocal",
    "Sign": "sign",
    "Floor": "floor",
    "Ceil": "ceil",
    "Round": "round",
    "Erf": "erf",
    "Sigmoid": "sigmoid",
    "Relu": "relu",
    "Softsign": "softsign",
    "Softplus": "softplus",
    "Mish": "mish",
    "HardSwish": "hard_swish",
    "Where": "where",
    "Less": "less",
    "Greater": "greater",
    "Equal": "equal",
    "LessOrEqual": "less_equal",
    "GreaterOrEqual": "greater_equal",
    "Not": "logical_not",
    "And": "logical_and",
    "Or": "logical_or",
    "Xor": "logical_xor",
    "PRelu": "prelu",
}

#: Operators of any number of values.
_FOLDED = {"Sum": "add", "Max": "maximum", "Min": "minimum", "Mean": "add"}

#: Operators with numbers among their attributes: function, and (attribute, field, default) each.
_WITH_NUMBERS: dict[str, tuple[str, tuple[tuple[str, str, float], ...]]] = {
    "LeakyRelu": ("leaky_relu", (("alpha", "slope", 0.01),)),
    "Elu": ("elu", (("alpha", "alpha", 1.0),)),
    "Celu": ("celu", (("alpha", "alpha", 1.0),)),
    "Selu": ("selu", (("alpha", "alpha", SELU[0]), ("gamma", "gamma", SELU[1]))),
    "HardSigmoid": ("hard_sigmoid", (("alpha", "alpha", 0.2), ("beta", "beta", 0.5))),
    "Shrink": ("shrink", (("lambd", "width", 0.5), ("bias", "bias", 0.0))),
    "ThresholdedRelu": ("thresholded", (("alpha", "level", 1.0),)),
}


def _plain(recorder: OnnxRecorder, node: Any) -> None:
    reads = [recorder.operand(name) for name in node.input if name]
    if len(reads) > 1 and all(isinstance(each, np.ndarray) for each in reads):
        raise NotPredictableError("a node of constants was not folded", given=node.op_type)
    recorder.elementwise(_PLAIN[node.op_type], reads, node.output[0])


def _with_numbers(recorder: OnnxRecorder, node: Any) -> None:
    function, numbers = _WITH_NUMBERS[node.op_type]
    fields = {
        name: _shortest(recorder.attribute(given, default)) for given, name, default in numbers
    }
    recorder.elementwise(function, [node.input[0]], node.output[0], **fields)


def _shortest(number: float) -> float:
    """Return a number as it was written: 0.1, where single precision holds 0.10000000149.

    The shortest decimal number that rounds to the same single precision is what was typed.
    """
    return float(str(np.float32(number)))


def _variadic(recorder: OnnxRecorder, node: Any) -> None:
    reads = [recorder.operand(name) for name in node.input]
    function, result = _FOLDED[node.op_type], node.output[0]
    scaled = node.op_type == "Mean" and len(reads) > 1
    before = reads[0]
    if len(reads) == 1:
        recorder.copy(node.input[0], result)
        return
    for number, read in enumerate(reads[1:], 2):
        last = number == len(reads) and not scaled
        made = result if last else recorder.fresh(function)
        recorder.elementwise(function, [before, read], made)
        before = made
    if scaled:
        recorder.elementwise("divide", [before, np.array(float(len(reads)))], result)


def _gelu(recorder: OnnxRecorder, node: Any) -> None:
    approximate = recorder.attribute("approximate", "none")
    recorder.elementwise("gelu", [node.input[0]], node.output[0], approximate=approximate)


def _clip(recorder: OnnxRecorder, node: Any) -> None:
    least, most = recorder.attribute("min"), recorder.attribute("max")
    if len(node.input) > 1 and node.input[1]:
        least = float(np.ravel(recorder.constant(node.input[1]))[0])
    if len(node.input) > 2 and node.input[2]:
        most = float(np.ravel(recorder.constant(node.input[2]))[0])
    fields = {
        name: float(value)
        for name, value in (("least", least), ("most", most))
        if value is not None and abs(value) < float(np.finfo(np.float32).max)
    }
    if not fields:
        recorder.copy(node.input[0], node.output[0])
        return
    recorder.elementwise("clip", [node.input[0]], node.output[0], **fields)


def _mod(recorder: OnnxRecorder, node: Any) -> None:
    reads = [recorder.operand(name) for name in node.input]
    function = "fmod" if recorder.attribute("fmod", 0) else "mod"
    recorder.elementwise(function, reads, node.output[0])


def _swish(recorder: OnnxRecorder, node: Any) -> None:
    read, scale = node.input[0], float(recorder.attribute("alpha", 1.0))
    scaled, opened = recorder.fresh("scaled"), recorder.fresh("opened")
    if scale == 1.0:
        recorder.elementwise("silu", [read], node.output[0])
        return
    recorder.elementwise("multiply", [read, np.array(scale)], scaled)
    recorder.elementwise("sigmoid", [scaled], opened)
    recorder.elementwise("multiply", [read, opened], node.output[0])


# ---------------------------------------------------------------------- reductions


def _reduce(recorder: OnnxRecorder, node: Any) -> None:
    read, made = node.input[0], node.output[0]
    axes = _axes(recorder, node, 1)
    rank = recorder.rank(read)
    if not axes:
        if recorder.attribute("noop_with_empty_axes", 0):
            recorder.copy(read, made)
            return
        axes = list(range(rank))
    axes = sorted(axis % rank for axis in axes)
    keep = bool(recorder.attribute("keepdims", 1))
    shapes = tuple(
        tuple(
            1 if axis in axes else size
            for axis, size in enumerate(shape)
            if keep or axis not in axes
        )
        for shape in recorder.shapes(read)
    )
    kind = node.op_type.removeprefix("Reduce")
    functions = {"Mean": "mean", "Sum": "sum", "Max": "max", "Min": "min"}
    fields: dict[str, Any] = {"axes": tuple(axes), "keepdims": keep}
    if kind in functions:
        recorder.step("reduce", [read], made, shapes, function=functions[kind], **fields)
        return
    square, total = recorder.fresh("square"), recorder.fresh("sum")
    recorder.elementwise("multiply", [read, read], square)
    last = made if kind == "SumSquare" else total
    recorder.step("reduce", [square], last, shapes, function="sum", **fields)
    if kind == "L2":
        recorder.elementwise("sqrt", [total], made)


def _softmax(recorder: OnnxRecorder, node: Any) -> None:
    read = node.input[0]
    if recorder.model.opset < 13:
        rank = recorder.rank(read)
        axis = recorder.attribute("axis", 1) % rank
        if axis != rank - 1:
            recorder.opaque(node, "it takes all axes behind one together")
            return
    axis = recorder.attribute("axis", -1) % recorder.rank(read)
    recorder.step("softmax", [read], node.output[0], recorder.shapes(read), axis=axis)


# ---------------------------------------------------------------------- normalisations


def _fixed(recorder: OnnxRecorder, node: Any, first: int) -> list[Any]:
    return [recorder.constant(name) if name else None for name in node.input[first:]]


def _batch_norm(recorder: OnnxRecorder, node: Any) -> None:
    if recorder.attribute("training_mode", 0):
        recorder.opaque(node, "in training mode each batch is normalised by its own")
        return
    _normalisation(recorder, node, "batch", _fixed(recorder, node, 1), 1e-5)


def _instance_norm(recorder: OnnxRecorder, node: Any) -> None:
    _normalisation(recorder, node, "instance", _fixed(recorder, node, 1), 1e-5)


def _layer_norm(recorder: OnnxRecorder, node: Any) -> None:
    rank = recorder.rank(node.input[0])
    first = recorder.attribute("axis", -1) % rank
    which = "rms" if node.op_type == "RMSNormalization" else "layer"
    axes = tuple(range(first, rank))
    _normalisation(recorder, node, which, _fixed(recorder, node, 1), 1e-5, axes=axes)


def _group_norm(recorder: OnnxRecorder, node: Any) -> None:
    groups = int(recorder.attribute("num_groups", 1))
    channels = recorder.shapes(node.input[0])[0][1]
    if groups < 1 or channels % groups:
        raise ShapeError("groups do not divide the channels", given=f"{groups}, {channels}")
    numbers = [
        # Until opset 20 there is one number a group, and one a channel from then on.
        np.repeat(np.ravel(each), channels // groups) if each.size == groups else each
        for each in _fixed(recorder, node, 1)
    ]
    _normalisation(recorder, node, "group", numbers, 1e-5, groups=groups)


def _normalisation(
    recorder: OnnxRecorder, node: Any, which: str, numbers: list[Any], eps: float, **fields: Any
) -> None:
    read = node.input[0]
    recorder.step(
        "normalisation",
        [read, *numbers],
        node.output[0],
        recorder.shapes(read),
        which=which,
        eps=_shortest(recorder.attribute("epsilon", eps)),
        **fields,
    )


def _noise(recorder: OnnxRecorder, node: Any) -> None:
    kind = node.op_type
    if kind.endswith("Like"):
        shapes = recorder.shapes(node.input[0])
    else:
        size = tuple(int(each) for each in recorder.attribute("shape", []))
        shapes = (size,) * recorder.count
    if "Normal" in kind:
        fields: dict[str, Any] = {
            "distribution": "normal",
            "mean": float(recorder.attribute("mean", 0.0)),
            "deviation": float(recorder.attribute("scale", 1.0)),
        }
    else:
        fields = {
            "distribution": "uniform",
            "low": float(recorder.attribute("low", 0.0)),
            "high": float(recorder.attribute("high", 1.0)),
        }
    recorder.step("noise", [], node.output[0], shapes, **fields)


CONVERTERS: dict[str, Converter] = (
    MOVING
    | CONVOLVING
    | dict.fromkeys(_PLAIN, _plain)
    | dict.fromkeys(_FOLDED, _variadic)
    | dict.fromkeys(_WITH_NUMBERS, _with_numbers)
    | dict.fromkeys(
        (
            "ReduceMean",
            "ReduceSum",
            "ReduceMax",
            "ReduceMin",
            "ReduceSumSquare",
            "ReduceL2",
        ),
        _reduce,
    )
    | dict.fromkeys(
        ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"), _noise
    )
    | {
        "Gelu": _gelu,
        "Clip": _clip,
        "Mod": _mod,
        "Swish": _swish,
        "Softmax": _softmax,
        "BatchNormalization": _batch_norm,
        "InstanceNormalization": _instance_norm,
        "LayerNormalization": _layer_norm,
        "RMSNormalization": _layer_norm,
        "GroupNormalization": _group_norm,
    }
)
