"""Programs of elementary operations, step by step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from upsim.layers.pointwise import Pointwise
from upsim.neural.activations import hinge, per_channel, sigmoid
from upsim.neural.precision import Signal
from upsim.neural.registry import register


def _erfc(samples: Signal) -> Signal:
    from scipy.special import erfc

    return np.asarray(erfc(samples))


def _gelu_tanh(x: Signal) -> Signal:
    root = np.asarray(np.sqrt(8 / np.pi), dtype=x.dtype)
    return x * sigmoid(root * (x + 0.044715 * x * x * x))


def _remainder(a: Signal, b: Signal, sign: Signal) -> Signal:
    """Return what is left of a over b, of a sign; ``np.remainder`` of sizes is exact."""
    size = np.remainder(np.abs(a), np.abs(b))
    other = np.where(size == 0, size, np.abs(b) - size)
    return np.asarray(sign * np.where(np.sign(a) == sign, size, other))


#: Each operation written out once more, from its definition.
_OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "power": lambda a, b: a**b,
    "maximum": lambda a, b: np.where(a > b, a, b),
    "minimum": lambda a, b: np.where(a < b, a, b),
    "negative": lambda a: -a,
    "reciprocal": lambda a: 1 / a,
    "square": lambda a: a * a,
    "sqrt": np.sqrt,
    "abs": np.fabs,
    "sign": lambda a: (a > 0) * 1.0 - (a < 0) * 1.0,
    "floor": lambda a: -np.ceil(-a),
    "ceil": lambda a: -np.floor(-a),
    "round": np.round,
    "trunc": lambda a: np.where(a < 0, np.ceil(a), np.floor(a)),
    "mod": lambda a, b: _remainder(a, b, np.sign(b)),
    "fmod": lambda a, b: _remainder(a, b, np.sign(a)),
    "exp": np.exp,
    "exp2": lambda a: np.power(np.asarray(2.0, dtype=a.dtype), a),
    "expm1": np.expm1,
    "log": np.log,
    "log2": np.log2,
    "log10": np.log10,
    "log1p": np.log1p,
    "logaddexp": lambda a, b: np.maximum(a, b) + np.log1p(np.exp(-np.abs(a - b))),
    "sin": np.sin,
    "cos": np.cos,
    "tan": lambda a: np.sin(a) / np.cos(a),
    "arcsin": np.arcsin,
    "arccos": np.arccos,
    "arctan": np.arctan,
    "arctan2": np.arctan2,
    "hypot": lambda a, b: np.abs(a + 1j * b),
    "sinh": lambda a: (np.expm1(a) - np.expm1(-a)) / 2,
    "cosh": lambda a: (np.exp(a) + np.exp(-a)) / 2,
    "tanh": np.tanh,
    "arcsinh": lambda a: np.sign(a) * np.log1p(np.abs(a) + a * a / (1 + np.sqrt(1 + a * a))),
    "arccosh": lambda a: 2 * np.log(np.sqrt((a + 1) / 2) + np.sqrt((a - 1) / 2)),
    "arctanh": lambda a: (np.log1p(a) - np.log1p(-a)) / 2,
    "sigmoid": sigmoid,
    "erf": lambda a: 1 - _erfc(a),
    "erfc": _erfc,
    "relu": lambda a: hinge(a, 0.0),
    "leaky_relu": hinge,
    "elu": lambda a, alpha: np.maximum(a, 0) + alpha * np.expm1(np.minimum(a, 0)),
    "softplus": lambda a, beta, threshold: np.where(
        beta * a > threshold,
        a,
        (np.maximum(beta * a, 0) + np.log1p(np.exp(-np.abs(beta * a)))) / beta,
    ),
    "gelu": lambda a: a / 2 * _erfc(-a * np.asarray(np.sqrt(0.5), dtype=a.dtype)),
    "gelu_tanh": _gelu_tanh,
    "clip": lambda a, low, high: np.minimum(np.maximum(a, low), high),
    "where": lambda chosen, a, b: np.where(chosen != 0, a, b),
    "greater": lambda a, b: (a > b) * 1.0,
    "less": lambda a, b: (a < b) * 1.0,
    "equal": lambda a, b: (a == b) * 1.0,
}


@register(Pointwise)
def pointwise(layer: Pointwise, samples: Signal) -> Signal:
    """Take one step after another; values are groups of channels."""
    values = np.split(samples, layer.values, axis=1)
    results: list[Signal] = []
    for name, *operands in layer.steps:
        given = []
        for each in operands:
            if isinstance(each, str):
                given.append((values if each[0] == "x" else results)[int(each[1:])])
            else:
                given.append(per_channel(values[0], each, "a constant"))
        with np.errstate(all="ignore"):
            made = _OPERATIONS[name](*given)
        results.append(np.broadcast_to(made, values[0].shape).astype(samples.dtype))
    return results[-1]
