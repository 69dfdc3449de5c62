"""The elementwise functions of a recording, written with the operations of programs.

What has no operation of its own (:data:`~upsim.layers.operations.OPERATIONS`) is written with a few
of them, once.  ``apply(name, *operands)`` takes one: on arrays it computes, in a program it
writes down.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from upsim.errors import NotPredictableError
from upsim.layers import Layer, Pointwise, recognised
from upsim.layers.operations import OPERATIONS

Numbers = NDArray[np.float64]

#: Klambauer et al., *Self-normalizing neural networks* (2017): alpha and its scale.
SELU = (1.6732632423543772, 1.0507009873554805)

#: Torch's softplus is the identity beyond a threshold.  Others have none: e^-700 is no rounding.
_NO_THRESHOLD = 700.0


def evaluated(function: str, arrays: Sequence[Numbers], fields: Mapping[str, Any]) -> Numbers:
    """Return what an elementwise function makes of arrays, in double precision.

    Examples
    --------
    >>> evaluated("leaky_relu", [np.array([-1.0, 2.0])], {"slope": 0.1})
    array([-0.1,  2. ])
    """
    with np.errstate(all="ignore"):
        return np.asarray(applied(_computed, function, arrays, fields), dtype=np.float64)


def _computed(name: str, *operands: Any) -> Any:
    return OPERATIONS[name].function(*operands)


class Program:
    """A program of a :class:`~upsim.layers.Pointwise` as it is written."""

    def __init__(self) -> None:
        self.steps: list[tuple[Any, ...]] = []

    def __call__(self, name: str, *operands: Any) -> str:
        """Add one operation, and return its result's name."""
        self.steps.append((name, *operands))
        return f"s{len(self.steps) - 1}"


def pointwise(function: str, operands: Sequence[Any], fields: Mapping[str, Any]) -> Pointwise:
    """Return the layer of one function, "x0", "x1" and so on, and constants, its operands.

    Examples
    --------
    >>> pointwise("softsign", ["x0"], {}).steps
    (('abs', 'x0'), ('add', 's0', 1.0), ('divide', 'x0', 's1'))
    """
    program = Program()
    applied(program, function, operands, fields)
    return Pointwise(program.steps)


def layer_of(function: str, fields: Mapping[str, Any]) -> Layer:
    """Return the layer of a function of one value: of the catalogue, or a program.

    Examples
    --------
    >>> layer_of("clip", {"least": 0.0, "most": 6.0})
    Clamp(min=0.0, max=6.0)
    """
    program = pointwise(function, ["x0"], fields)
    return recognised(program) or program


def applied(
    apply: Callable[..., Any], function: str, operands: Sequence[Any], fields: Mapping[str, Any]
) -> Any:
    """Apply a function to operands."""
    if function in COMPOSED:
        return COMPOSED[function](_Call(apply, tuple(operands), fields))
    known = OPERATIONS.get(function)
    if known is None or len(operands) != known.operands:
        raise NotPredictableError(
            "a function of the samples has no operation",
            given=f"{function} of {len(operands)} operands",
        )
    return apply(function, *operands)


class _Call(NamedTuple):
    """A function that is written with several operations, or with other operands."""

    apply: Callable[..., Any]
    operands: tuple[Any, ...]
    fields: Mapping[str, Any]

    @property
    def x(self) -> Any:
        """The first operand."""
        return self.operands[0]

    def number(self, name: str, otherwise: float) -> float:
        """Return a number among the fields."""
        return float(self.fields.get(name, otherwise))


def _celu(call: _Call) -> Any:
    # max(0, x) + min(0, alpha (e^(x / alpha) - 1)) is alpha ELU(x / alpha).
    alpha = call.number("alpha", 1.0)
    return call.apply(
        "multiply", call.apply("elu", call.apply("divide", call.x, alpha), 1.0), alpha
    )


def _selu(call: _Call) -> Any:
    bent = call.apply("elu", call.x, call.number("alpha", SELU[0]))
    return call.apply("multiply", bent, call.number("gamma", SELU[1]))


def _clip(call: _Call) -> Any:
    made = call.x
    if call.fields.get("least") is not None:
        made = call.apply("maximum", made, call.number("least", 0.0))
    if call.fields.get("most") is not None:
        made = call.apply("minimum", made, call.number("most", 0.0))
    return made


def _hard_sigmoid(call: _Call) -> Any:
    scaled = call.apply("multiply", call.x, call.number("alpha", 0.2))
    return call.apply("clip", call.apply("add", scaled, call.number("beta", 0.5)), 0.0, 1.0)


def _hard_swish(call: _Call) -> Any:
    # ONNX and torch: x max(0, min(1, x / 6 + 1/2)).
    opened = _hard_sigmoid(call._replace(fields={"alpha": 1 / 6, "beta": 0.5}))
    return call.apply("multiply", call.x, opened)


def _softplus(call: _Call) -> Any:
    beta, threshold = call.number("beta", 1.0), call.number("threshold", _NO_THRESHOLD)
    return call.apply("softplus", call.x, beta, threshold)


def _log_sigmoid(call: _Call) -> Any:
    turned = call.apply("negative", call.x)
    return call.apply("negative", _softplus(call._replace(operands=(turned,))))


def _softsign(call: _Call) -> Any:
    return call.apply("divide", call.x, call.apply("add", call.apply("abs", call.x), 1.0))


def _mish(call: _Call) -> Any:
    return call.apply("multiply", call.x, call.apply("tanh", _softplus(call)))


def _gelu(call: _Call) -> Any:
    exact = call.fields.get("approximate", "none") == "none"
    return call.apply("gelu" if exact else "gelu_tanh", call.x)


def _shrink(call: _Call) -> Any:
    """``x - bias`` above ``width``, ``x + bias`` below ``-width``, 0 between."""
    apply, width, bias = call.apply, call.number("width", 0.5), call.number("bias", 0.0)
    above, below = apply("greater", call.x, width), apply("less", call.x, -width)
    less = apply("subtract", call.x, bias)
    return apply("where", above, less, apply("where", below, apply("add", call.x, bias), 0.0))


def _thresholded(call: _Call) -> Any:
    """``x`` above ``level``, ``otherwise`` elsewhere."""
    above = call.apply("greater", call.x, call.number("level", 1.0))
    return call.apply("where", above, call.x, call.number("otherwise", 0.0))


def _square_plus(call: _Call) -> Any:
    """``(x + sqrt(x^2 + b)) / 2``."""
    inner = call.apply("add", call.apply("square", call.x), call.number("b", 4.0))
    return call.apply("multiply", call.apply("add", call.x, call.apply("sqrt", inner)), 0.5)


def _sparse_plus(call: _Call) -> Any:
    """``x`` above 1, 0 below -1, ``(x + 1)^2 / 4`` between."""
    apply = call.apply
    inner = apply("clip", call.x, -1.0, 1.0)
    bent = apply("multiply", apply("square", apply("add", inner, 1.0)), 0.25)
    return apply("add", apply("relu", apply("subtract", call.x, 1.0)), bent)


def _negated(name: str) -> _Writer:
    return lambda call: call.apply("subtract", 1.0, call.apply(name, *call.operands))


def _truth(call: _Call, operand: Any) -> Any:
    """Return 1 where an operand is not 0."""
    return call.apply("subtract", 1.0, call.apply("equal", operand, 0.0))


_Writer = Callable[[_Call], Any]

#: Functions with their arguments as fields, or of another number of operands.
COMPOSED: dict[str, _Writer] = {
    "rsqrt": lambda call: call.apply("reciprocal", call.apply("sqrt", call.x)),
    "leaky_relu": lambda call: call.apply("leaky_relu", call.x, call.number("slope", 0.01)),
    "prelu": lambda call: call.apply("leaky_relu", *call.operands),
    "elu": lambda call: call.apply("elu", call.x, call.number("alpha", 1.0)),
    "celu": _celu,
    "selu": _selu,
    "softplus": _softplus,
    "log_sigmoid": _log_sigmoid,
    "softsign": _softsign,
    "silu": lambda call: call.apply("multiply", call.x, call.apply("sigmoid", call.x)),
    "mish": _mish,
    "gelu": _gelu,
    "hard_sigmoid": _hard_sigmoid,
    "hard_swish": _hard_swish,
    "clip": _clip,
    "shrink": _shrink,
    "square_plus": _square_plus,
    "sparse_plus": _sparse_plus,
    "tanh_shrink": lambda call: call.apply("subtract", call.x, call.apply("tanh", call.x)),
    "thresholded": _thresholded,
    "greater_equal": _negated("less"),
    "less_equal": _negated("greater"),
    "not_equal": _negated("equal"),
    "logical_not": lambda call: call.apply("equal", call.x, 0.0),
    "logical_and": lambda call: call.apply("multiply", *(_truth(call, x) for x in call.operands)),
    "logical_or": lambda call: call.apply("maximum", *(_truth(call, x) for x in call.operands)),
    "logical_xor": lambda call: call.apply(
        "subtract", 1.0, call.apply("equal", *(_truth(call, x) for x in call.operands))
    ),
}
