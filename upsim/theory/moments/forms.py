"""Each activation layer's function as :mod:`upsim.gaussian` knows it."""

from __future__ import annotations

from upsim.errors import NotPredictableError
from upsim.gaussian import ExactGELU, ExponentialLinear, Form, Quadrature, Rectifier, snake
from upsim.layers import (
    ELU,
    GELU,
    GLU,
    LeakyReLU,
    PReLU,
    ReLU,
    Snake,
    SnakeBeta,
    Softplus,
)
from upsim.layers.base import Activation


def gaussian_form(activation: Activation, label: str) -> Form:
    """Return the function; parameters are numbers, or one a channel along the last axis.

    Examples
    --------
    >>> gaussian_form(ReLU(), "1")
    Rectifier(slope=0.0)
    """
    match activation:
        case ReLU():
            return Rectifier()
        case LeakyReLU():
            return Rectifier(activation.negative_slope)
        case PReLU():
            slopes = activation.slopes()
            return Rectifier(float(slopes[0]) if slopes.size == 1 else slopes)
        case ELU():
            return ExponentialLinear(activation.alpha)
        case GELU(approximate="none"):
            return ExactGELU()
        case Snake():
            return snake(activation.alpha)
        case SnakeBeta():
            return snake(activation.alpha, activation.beta)
        case Softplus():
            return Quadrature(
                activation.function,
                (activation.threshold / activation.beta,),
                1 / abs(activation.beta),
                "Softplus",
            )
        case GLU():
            raise NotPredictableError(
                "noise through a gate is not predicted: its two halves act on each other",
                given=f"GLU at layer {label}",
                expected="an activation of one variable",
                fix="upsim.predict(stack, upsim.Constant(1.0)) for its exact lines, a Recorded "
                "signal for one realisation, or the layers before it: upsim.predict(stack.upto(n))",
            )
    return Quadrature(activation.function, name=type(activation).__name__)
