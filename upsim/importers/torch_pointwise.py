"""Elementwise operations of torch as steps."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from upsim.importers.recording import Shape
from upsim.importers.torch_recorder import Operation, Recorder, Rule
from upsim.importers.torch_values import Operand

_Made = list[str | None] | None

#: Operations of one value and no arguments: their name in a recording, where it is another.
_NAMES = (
    "sin cos tan sinh cosh tanh exp exp2 expm1 log log1p log2 log10 sqrt rsqrt square abs "
    "reciprocal sign floor ceil trunc sigmoid erf erfc relu silu mish logical_not"
)
_OF_ONE = {name: name for name in _NAMES.split()} | {
    "neg": "negative",
    "sgn": "sign",
    "bitwise_not": "logical_not",
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
    "asinh": "arcsinh",
    "acosh": "arccosh",
    "atanh": "arctanh",
    "special_expit": "sigmoid",
    "hardswish": "hard_swish",
}

#: Operations of two values; a number may stand for either.
_OF_TWO = {
    "mul": "multiply",
    "pow": "power",
    "maximum": "maximum",
    "minimum": "minimum",
    "lt": "less",
    "gt": "greater",
    "eq": "equal",
    "ne": "not_equal",
    "le": "less_equal",
    "ge": "greater_equal",
    "logical_and": "logical_and",
    "logical_or": "logical_or",
    "bitwise_and": "logical_and",
    "bitwise_or": "logical_or",
    "logical_xor": "logical_xor",
    "bitwise_xor": "logical_xor",
    "atan2": "arctan2",
    "remainder": "mod",
    "fmod": "fmod",
    "hypot": "hypot",
    "logaddexp": "logaddexp",
    "_prelu_kernel": "prelu",
}


def _of_one(function: str, **fields: float) -> Rule:
    def rule(recorder: Recorder, operation: Operation) -> _Made:
        read = recorder.read(operation["self"])
        return [recorder.elementwise(function, [read], operation.shape, **fields)]

    return rule


def _of_two(function: str) -> Rule:
    def rule(recorder: Recorder, operation: Operation) -> _Made:
        first, *second = operation.given.values()
        reads = [recorder.read(first), recorder.read(second[0])]
        return [recorder.elementwise(function, reads, operation.shape)]

    return rule


def _times(recorder: Recorder, read: Operand, factor: float, shape: Shape) -> Operand:
    """Return a value times a number; itself for the number 1."""
    if factor == 1:
        return read
    if isinstance(read, np.ndarray):
        return read * factor
    return recorder.elementwise("multiply", [read, np.asarray(float(factor))], shape)


def _sum(function: str, *, reverse: bool = False) -> Rule:
    """Return the rule of ``self ± alpha other``."""

    def rule(recorder: Recorder, operation: Operation) -> _Made:
        reads = [recorder.read(operation["self"]), recorder.read(operation["other"])]
        if reverse:
            reads.reverse()
        alpha = operation["alpha"]
        factor = 1.0 if alpha is None else float(alpha)
        reads[1] = _times(recorder, reads[1], factor, recorder.shape_of(reads[1]))
        return [recorder.elementwise(function, reads, operation.shape)]

    return rule


def _divide(recorder: Recorder, operation: Operation) -> _Made:
    reads = [recorder.read(operation["self"]), recorder.read(operation["other"])]
    made = recorder.elementwise("divide", reads, operation.shape)
    whole = "floor" if operation.name == "floor_divide" else operation["rounding_mode"]
    return [recorder.elementwise(whole, [made], operation.shape) if whole else made]


def _round(recorder: Recorder, operation: Operation) -> _Made:
    """Round to a number of decimals, halves to even."""
    read, shape = recorder.read(operation["self"]), operation.shape
    size = 10.0 ** abs(int(operation["decimals"] or 0))
    there, back = (
        ("multiply", "divide") if (operation["decimals"] or 0) > 0 else ("divide", "multiply")
    )
    if size == 1:
        return [recorder.elementwise("round", [read], shape)]
    scaled = recorder.elementwise(there, [read, np.asarray(size)], shape)
    made = recorder.elementwise("round", [scaled], shape)
    return [recorder.elementwise(back, [made, np.asarray(size)], shape)]


def _fraction(recorder: Recorder, operation: Operation) -> _Made:
    read, shape = recorder.read(operation["self"]), operation.shape
    whole = recorder.elementwise("trunc", [read], shape)
    return [recorder.elementwise("subtract", [read, whole], shape)]


def _degrees(factor: float) -> Rule:
    def rule(recorder: Recorder, operation: Operation) -> _Made:
        return [_value(_times(recorder, recorder.read(operation["self"]), factor, operation.shape))]

    return rule


def _shrink(recorder: Recorder, operation: Operation) -> _Made:
    width = float(operation["lambd"])
    bias = width if operation.name == "softshrink" else 0.0
    read = recorder.read(operation["self"])
    return [recorder.elementwise("shrink", [read], operation.shape, width=width, bias=bias)]


def _leaky(recorder: Recorder, operation: Operation) -> _Made:
    read = recorder.read(operation["self"])
    slope = float(operation["negative_slope"])
    return [recorder.elementwise("leaky_relu", [read], operation.shape, slope=slope)]


def _elu(recorder: Recorder, operation: Operation) -> _Made:
    """``scale alpha (exp(input_scale x) - 1)`` below zero, ``scale x`` above."""
    alpha, scale, within = (float(operation[name]) for name in ("alpha", "scale", "input_scale"))
    read, shape = recorder.read(operation["self"]), operation.shape
    inner = _times(recorder, read, within, shape)
    made = recorder.elementwise("elu", [inner], shape, alpha=alpha * within)
    return [_value(_times(recorder, made, scale / within, shape))]


def _celu(recorder: Recorder, operation: Operation) -> _Made:
    read = recorder.read(operation["self"])
    alpha = float(operation["alpha"])
    return [recorder.elementwise("celu", [read], operation.shape, alpha=alpha)]


def _gelu(recorder: Recorder, operation: Operation) -> _Made:
    read = recorder.read(operation["self"])
    form = operation["approximate"]
    return [recorder.elementwise("gelu", [read], operation.shape, approximate=form)]


def _softplus(recorder: Recorder, operation: Operation) -> _Made:
    read = recorder.read(operation["self"])
    fields = {name: float(operation[name]) for name in ("beta", "threshold")}
    return [recorder.elementwise("softplus", [read], operation.shape, **fields)]


def _hard_tanh(recorder: Recorder, operation: Operation) -> _Made:
    read = recorder.read(operation["self"])
    ends = {"least": float(operation["min_val"]), "most": float(operation["max_val"])}
    return [recorder.elementwise("clip", [read], operation.shape, **ends)]


def _clip(recorder: Recorder, operation: Operation) -> _Made:
    read, shape = recorder.read(operation["self"]), operation.shape
    ends = {"least": operation["min"], "most": operation["max"]}
    numbers = {key: float(end) for key, end in ends.items() if isinstance(end, int | float)}
    if numbers:
        read = recorder.elementwise("clip", [read], shape, **numbers)
    for key, function in (("least", "maximum"), ("most", "minimum")):
        if ends[key] is not None and key not in numbers:
            read = recorder.elementwise(function, [read, recorder.read(ends[key])], shape)
    return [_value(read)]


def _where(recorder: Recorder, operation: Operation) -> _Made:
    reads = [recorder.read(operation[name]) for name in ("condition", "self", "other")]
    return [recorder.elementwise("where", reads, operation.shape)]


def _masked_fill(recorder: Recorder, operation: Operation) -> _Made:
    reads = [recorder.read(operation[name]) for name in ("mask", "value", "self")]
    return [recorder.elementwise("where", reads, operation.shape)]


def _threshold(recorder: Recorder, operation: Operation) -> _Made:
    numbers = {"level": float(operation["threshold"]), "otherwise": float(operation["value"])}
    read = recorder.read(operation["self"])
    return [recorder.elementwise("thresholded", [read], operation.shape, **numbers)]


def _add_product(function: str) -> Rule:
    """Return the rule of ``self + value tensor1 (* or /) tensor2``."""

    def rule(recorder: Recorder, operation: Operation) -> _Made:
        start, first, second = (
            recorder.read(operation[name]) for name in ("self", "tensor1", "tensor2")
        )
        shape = np.broadcast_shapes(recorder.shape_of(first), recorder.shape_of(second))
        product: Operand = recorder.elementwise(function, [first, second], shape)
        product = _times(recorder, product, float(operation["value"]), shape)
        return [recorder.elementwise("add", [start, product], operation.shape)]

    return rule


def _lerp(recorder: Recorder, operation: Operation) -> _Made:
    """``self + weight (end - self)``."""
    start, end, weight = (recorder.read(operation[name]) for name in ("self", "end", "weight"))
    shape = operation.shape
    step = recorder.elementwise("subtract", [end, start], shape)
    step = recorder.elementwise("multiply", [step, weight], shape)
    return [recorder.elementwise("add", [start, step], shape)]


def _glu(recorder: Recorder, operation: Operation) -> _Made:
    """One half of an axis times the sigmoid of the other."""
    read, shape = recorder.read(operation["self"]), operation.shape
    axis = int(operation["dim"]) % len(shape)
    size = shape[axis]
    halves = [
        recorder.move("slice", [read], shape, axis=axis, start=first, stop=first + size, step=1)
        for first in (0, size)
    ]
    opening = recorder.elementwise("sigmoid", [halves[1]], shape)
    return [recorder.elementwise("multiply", [halves[0], opening], shape)]


def _log_sigmoid(recorder: Recorder, operation: Operation) -> _Made:
    read = recorder.read(operation["self"])
    return [recorder.elementwise("log_sigmoid", [read], operation.shape), None]


def _value(operand: Operand) -> str | None:
    return operand if isinstance(operand, str) else None


def _softmax(recorder: Recorder, operation: Operation) -> _Made:
    read, shape = recorder.read(operation["self"]), operation.shape
    axis = int(operation["dim"]) % len(shape)
    made = recorder.emit("softmax", "softmax", [read], shape, axis=axis)
    if "log" in operation.name:
        made = recorder.elementwise("log", [made], shape)
    return [made]


def _same(recorder: Recorder, operation: Operation) -> _Made:
    """A copy: the same numbers, also in another precision."""
    first: Any = next(iter(operation.given.values()))
    whole = not operation.made[0].is_floating_point() and first.is_floating_point()
    if whole:
        return None
    return [recorder.move("copy", [recorder.read(first)], operation.shape)]


def _filled(recorder: Recorder, operation: Operation) -> _Made:
    """A tensor written over by another one, or by a number."""
    source = operation["src"] if operation.name == "copy_" else operation["value"]
    read = recorder.read(0.0 if source is None else source)
    return [recorder.move("expand", [read], operation.shape)]


RULES: dict[str, Rule] = {
    **{name: _of_one(function) for name, function in _OF_ONE.items()},
    **{name: _of_two(function) for name, function in _OF_TWO.items()},
    "hardsigmoid": _of_one("hard_sigmoid", alpha=1 / 6, beta=0.5),
    "round": _round,
    "frac": _fraction,
    "deg2rad": _degrees(math.pi / 180),
    "rad2deg": _degrees(180 / math.pi),
    "softshrink": _shrink,
    "hardshrink": _shrink,
    "floor_divide": _divide,
    "add": _sum("add"),
    "sub": _sum("subtract"),
    "rsub": _sum("subtract", reverse=True),
    "div": _divide,
    "leaky_relu": _leaky,
    "elu": _elu,
    "celu": _celu,
    "gelu": _gelu,
    "softplus": _softplus,
    "hardtanh": _hard_tanh,
    "clamp": _clip,
    "clamp_min": _clip,
    "clamp_max": _clip,
    "where": _where,
    "masked_fill": _masked_fill,
    "threshold": _threshold,
    "addcmul": _add_product("multiply"),
    "addcdiv": _add_product("divide"),
    "lerp": _lerp,
    "glu": _glu,
    "log_sigmoid_forward": _log_sigmoid,
    "_softmax": _softmax,
    "_safe_softmax": _softmax,
    "_log_softmax": _softmax,
    "clone": _same,
    "detach": _same,
    "alias": _same,
    "lift_fresh": _same,
    "lift_fresh_copy": _same,
    "_to_copy": _same,
    "contiguous": _same,
    "copy_": _filled,
    "fill_": _filled,
    "zero_": _filled,
}
