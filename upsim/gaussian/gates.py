"""Gates: a function that opens and closes a carrier, with the derivatives that moments need."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from upsim.gaussian.form import Form
from upsim.gaussian.quadrature import Quadrature

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Gate:
    """A gate g: the forms of g, g', g'' and of g^2, and the strip in which g is analytic.

    Examples
    --------
    >>> float(SIGMOID.derivatives[1].function(np.array(0.0)))
    0.25
    """

    name: str
    derivatives: tuple[Form, Form, Form]
    square: Form
    strip: float

    def __repr__(self) -> str:
        return f"<gate {self.name}>"


def _logistic(x: Array) -> Array:
    from scipy.special import expit

    return np.asarray(expit(x))


def _first(x: Array) -> Array:
    return _logistic(x) * _logistic(-x)


def _second(x: Array) -> Array:
    # g' (1 - 2 g), and 1 - 2 g = -tanh(x/2)
    return -_first(x) * np.tanh(0.5 * x)


def _square(x: Array) -> Array:
    return _logistic(x) ** 2


#: The gate of GLU (Dauphin et al., ICML 2017); its nearest poles are at +-i pi.
SIGMOID = Gate(
    "sigmoid",
    (
        Quadrature(_logistic, feature_width=2.0, name="sigmoid"),
        Quadrature(_first, feature_width=2.0, name="the derivative of sigmoid"),
        Quadrature(_second, feature_width=2.0, name="the second derivative of sigmoid"),
    ),
    Quadrature(_square, feature_width=2.0, name="sigmoid squared"),
    strip=float(np.pi),
)
