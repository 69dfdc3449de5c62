"""The elementary operations of which a program is made, as NumPy (or torch) names them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from upsim.layers.base import Array


class Operation(NamedTuple):
    """A function of arrays that broadcast, and how many it takes."""

    function: Callable[..., Array]
    operands: int


def _sigmoid(x: Array) -> Array:
    from scipy.special import expit

    return np.asarray(expit(x))


def _erf(x: Array) -> Array:
    from scipy.special import erf

    return np.asarray(erf(x))


def _erfc(x: Array) -> Array:
    from scipy.special import erfc

    return np.asarray(erfc(x))


def _relu(x: Array) -> Array:
    return np.maximum(x, 0.0)


def _leaky_relu(x: Array, slope: Array) -> Array:
    return np.where(x > 0, x, slope * x)


def _elu(x: Array, alpha: Array) -> Array:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0.0)))


def _softplus(x: Array, beta: Array, threshold: Array) -> Array:
    return np.where(beta * x > threshold, x, np.logaddexp(0.0, beta * x) / beta)


def _gelu(x: Array) -> Array:
    return x * (0.5 + 0.5 * _erf(x * np.sqrt(0.5)))


def _gelu_tanh(x: Array) -> Array:
    return x * _sigmoid(np.sqrt(8 / np.pi) * (x + 0.044715 * x**3))


def _clip(x: Array, low: Array, high: Array) -> Array:
    return np.minimum(np.maximum(x, low), high)


def _where(chosen: Array, one: Array, other: Array) -> Array:
    return np.where(chosen != 0, one, other)


def _greater(one: Array, other: Array) -> Array:
    return np.asarray(one > other, dtype=np.float64)


def _less(one: Array, other: Array) -> Array:
    return np.asarray(one < other, dtype=np.float64)


def _equal(one: Array, other: Array) -> Array:
    return np.asarray(one == other, dtype=np.float64)


#: By name.  ``leaky_relu(x, slope)``, ``elu(x, alpha)``, ``softplus(x, beta, threshold)`` and
#: ``clip(x, low, high)`` take their numbers behind x; ``where(chosen, one, other)`` takes ``other``
#: where ``chosen`` is 0; ``greater``, ``less`` and ``equal`` are 1 or 0.  ``round`` takes halves to
#: the even number; ``mod`` has the sign of the divisor, ``fmod`` that of the dividend.
OPERATIONS: dict[str, Operation] = {
    "add": Operation(np.add, 2),
    "subtract": Operation(np.subtract, 2),
    "multiply": Operation(np.multiply, 2),
    "divide": Operation(np.divide, 2),
    "power": Operation(np.power, 2),
    "mod": Operation(np.mod, 2),
    "fmod": Operation(np.fmod, 2),
    "maximum": Operation(np.maximum, 2),
    "minimum": Operation(np.minimum, 2),
    "negative": Operation(np.negative, 1),
    "reciprocal": Operation(np.reciprocal, 1),
    "square": Operation(np.square, 1),
    "sqrt": Operation(np.sqrt, 1),
    "abs": Operation(np.abs, 1),
    "sign": Operation(np.sign, 1),
    "floor": Operation(np.floor, 1),
    "ceil": Operation(np.ceil, 1),
    "round": Operation(np.rint, 1),
    "trunc": Operation(np.trunc, 1),
    "exp": Operation(np.exp, 1),
    "exp2": Operation(np.exp2, 1),
    "expm1": Operation(np.expm1, 1),
    "log": Operation(np.log, 1),
    "log2": Operation(np.log2, 1),
    "log10": Operation(np.log10, 1),
    "log1p": Operation(np.log1p, 1),
    "sin": Operation(np.sin, 1),
    "cos": Operation(np.cos, 1),
    "tan": Operation(np.tan, 1),
    "arcsin": Operation(np.arcsin, 1),
    "arccos": Operation(np.arccos, 1),
    "arctan": Operation(np.arctan, 1),
    "arctan2": Operation(np.arctan2, 2),
    "hypot": Operation(np.hypot, 2),
    "sinh": Operation(np.sinh, 1),
    "cosh": Operation(np.cosh, 1),
    "tanh": Operation(np.tanh, 1),
    "arcsinh": Operation(np.arcsinh, 1),
    "arccosh": Operation(np.arccosh, 1),
    "arctanh": Operation(np.arctanh, 1),
    "logaddexp": Operation(np.logaddexp, 2),
    "sigmoid": Operation(_sigmoid, 1),
    "erf": Operation(_erf, 1),
    "erfc": Operation(_erfc, 1),
    "relu": Operation(_relu, 1),
    "leaky_relu": Operation(_leaky_relu, 2),
    "elu": Operation(_elu, 2),
    "softplus": Operation(_softplus, 3),
    "gelu": Operation(_gelu, 1),
    "gelu_tanh": Operation(_gelu_tanh, 1),
    "clip": Operation(_clip, 3),
    "where": Operation(_where, 3),
    "greater": Operation(_greater, 2),
    "less": Operation(_less, 2),
    "equal": Operation(_equal, 2),
}
