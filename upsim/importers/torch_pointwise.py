"""Elementwise operations of torch as steps."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from upsim.importers.recording import Shape
from upsim.importers.torch_recorder import Operation, Recorder, Rule
from upsim.importers.torch_values import Operand

_Made = list[str | None] | None

#: Operations of one value and no arguments: their name in a recording.
_OF_ONE = {
    "sin": "sin",
    "cos": "cos",
    "tan": "tan",
    "tanh": "tanh",
    "sinh": "sinh",
    "cosh": "cosh",
    "exp": "exp",
    "expm1": "expm1",
    "log": "log",
    "log1p": "log1p",
    "sqrt": "sqrt",
    "rsqrt": "rsqrt",
    "square": "square",
    "abs": "abs",
    "neg": "negative",
    "reciprocal": "reciprocal",
    "sign": "sign",
    "sgn": "sign",
    "floor": "floor",
    "ceil": "ceil",
    "sigmoid": "sigmoid",
    "erf": "erf",
    "relu": "relu",
    "silu": "silu",
    "mish": "mish",
    "logical_not": "logical_not",
    "bitwise_not": "logical_not",
    "atan": "arctan",
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
    "le": "less_equal",
    "ge": "greater_equal",
    "logical_and": "logical_and",
    "logical_or": "logical_or",
    "bitwise_and": "logical_and",
    "bitwise_or": "logical_or",
    "atan2": "arctan2",
    "remainder": "mod",
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
    if operation["rounding_mode"] == "floor":
        return [recorder.elementwise("floor", [made], operation.shape)]
    return None if operation["rounding_mode"] else [made]


def _not_equal(recorder: Recorder, operation: Operation) -> _Made:
    reads = [recorder.read(operation["self"]), recorder.read(operation["other"])]
    same = recorder.elementwise("equal", reads, operation.shape)
    return [recorder.elementwise("logical_not", [same], operation.shape)]


def _leaky(recorder: Recorder, operation: Operation) -> _Made:
    read = recorder.read(operation["self"])
    slope = float(operation["negative_slope"])
    return [recorder.elementwise("leaky_relu", [read], operation.shape, slope=slope)]


def _elu(recorder: Recorder, operation: Operation) -> _Made:
    """``scale alpha (exp(input_scale x) - 1)`` below zero, ``scale x`` above."""
    alpha, scale, within = (float(operation[name]) for name in ("alpha", "scale", "input_scale"))
    read, shape = recorder.read(operation["self"]), operation.shape
    if within != 1:
        return None
    if scale != 1:
        return [recorder.elementwise("selu", [read], shape, alpha=alpha, gamma=scale)]
    return [recorder.elementwise("elu", [read], shape, alpha=alpha)]


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
    read, shape = recorder.read(operation["self"]), operation.shape
    above = recorder.elementwise("greater", [read, recorder.read(operation["threshold"])], shape)
    return [recorder.elementwise("where", [above, read, recorder.read(operation["value"])], shape)]


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


def _logarithm(base: float) -> Rule:
    def rule(recorder: Recorder, operation: Operation) -> _Made:
        made = recorder.elementwise("log", [recorder.read(operation["self"])], operation.shape)
        return [_value(_times(recorder, made, 1 / math.log(base), operation.shape))]

    return rule


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
    "log2": _logarithm(2.0),
    "log10": _logarithm(10.0),
    "add": _sum("add"),
    "sub": _sum("subtract"),
    "rsub": _sum("subtract", reverse=True),
    "div": _divide,
    "ne": _not_equal,
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
