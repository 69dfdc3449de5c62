"""The elementwise functions of a recording, and what they make of numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upsim.layers.activations import logistic

Numbers = NDArray[np.float64]
_Function = Callable[[Sequence[Numbers], Mapping[str, Any]], Any]


def evaluated(function: str, arrays: Sequence[Numbers], fields: Mapping[str, Any]) -> Numbers:
    """Return what an elementwise function makes of arrays, in double precision.

    Examples
    --------
    >>> evaluated("leaky_relu", [np.array([-1.0, 2.0])], {"slope": 0.1})
    array([-0.1,  2. ])
    """
    with np.errstate(all="ignore"):
        if function in _UFUNCS:
            return np.asarray(_UFUNCS[function](*arrays), dtype=np.float64)
        return np.asarray(_OTHERS[function](arrays, fields), dtype=np.float64)


def _erf(values: Numbers) -> Numbers:
    from scipy.special import erf

    return np.asarray(erf(values))


_UFUNCS: dict[str, Callable[..., Any]] = {
    name: getattr(np, name)
    for name in [
        "add",
        "subtract",
        "multiply",
        "divide",
        "power",
        "sin",
        "cos",
        "tan",
        "tanh",
        "sinh",
        "cosh",
        "exp",
        "expm1",
        "log",
        "log1p",
        "sqrt",
        "square",
        "abs",
        "negative",
        "reciprocal",
        "maximum",
        "minimum",
        "where",
        "sign",
        "floor",
        "ceil",
        "round",
        "less",
        "greater",
        "equal",
        "less_equal",
        "greater_equal",
        "logical_not",
        "logical_and",
        "logical_or",
        "arctan",
        "arctan2",
        "mod",
    ]
} | {
    "rsqrt": lambda values: 1 / np.sqrt(values),
    "relu": lambda values: np.maximum(values, 0.0),
    "prelu": lambda values, slope: np.where(values < 0, slope * values, values),
    "sigmoid": logistic,
    "log_sigmoid": lambda values: -np.logaddexp(0.0, -values),
    "softsign": lambda values: values / (1 + np.abs(values)),
    "silu": lambda values: values * logistic(values),
    "mish": lambda values: values * np.tanh(np.logaddexp(0.0, values)),
    "hard_swish": lambda values: values * np.clip(values / 6 + 0.5, 0.0, 1.0),
    "erf": _erf,
}


def _softplus(arrays: Sequence[Numbers], fields: Mapping[str, Any]) -> Any:
    scaled = fields.get("beta", 1.0) * arrays[0]
    made = np.logaddexp(0.0, scaled) / fields.get("beta", 1.0)
    return np.where(scaled > fields.get("threshold", np.inf), arrays[0], made)


def _elu(arrays: Sequence[Numbers], fields: Mapping[str, Any]) -> Any:
    below = fields.get("alpha", 1.0) * np.expm1(np.minimum(arrays[0], 0.0))
    return np.where(arrays[0] > 0, arrays[0], below)


def _celu(arrays: Sequence[Numbers], fields: Mapping[str, Any]) -> Any:
    alpha = fields.get("alpha", 1.0)
    return np.where(arrays[0] > 0, arrays[0], alpha * np.expm1(np.minimum(arrays[0], 0.0) / alpha))


#: Klambauer et al., *Self-normalizing neural networks* (2017): alpha and its scale.
SELU = (1.6732632423543772, 1.0507009873554805)


def _selu(arrays: Sequence[Numbers], fields: Mapping[str, Any]) -> Any:
    alpha, gamma = fields.get("alpha", SELU[0]), fields.get("gamma", SELU[1])
    return gamma * _elu(arrays, {"alpha": alpha})


def _gelu(arrays: Sequence[Numbers], fields: Mapping[str, Any]) -> Any:
    values = arrays[0]
    if fields.get("approximate", "none") == "tanh":
        inner = np.sqrt(2 / np.pi) * (values + 0.044715 * values**3)
        return 0.5 * values * (1 + np.tanh(inner))
    return 0.5 * values * (1 + _erf(values / np.sqrt(2)))


_OTHERS: dict[str, _Function] = {
    "leaky_relu": lambda arrays, fields: np.where(
        arrays[0] < 0, fields.get("slope", 0.01) * arrays[0], arrays[0]
    ),
    "softplus": _softplus,
    "elu": _elu,
    "celu": _celu,
    "selu": _selu,
    "gelu": _gelu,
    "hard_sigmoid": lambda arrays, fields: np.clip(
        fields.get("alpha", 0.2) * arrays[0] + fields.get("beta", 0.5), 0.0, 1.0
    ),
    "hard_tanh": lambda arrays, fields: np.clip(
        arrays[0], fields.get("least", -1.0), fields.get("most", 1.0)
    ),
    "clip": lambda arrays, fields: np.clip(
        arrays[0], fields.get("least", -np.inf), fields.get("most", np.inf)
    ),
}
