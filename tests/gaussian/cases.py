"""Functions twice: the package's form, and the same function written for mpmath."""

import mpmath
import numpy as np
from mpmath import mpf

from upsim.gaussian import (
    BentLine,
    ExactGELU,
    ExponentialLinear,
    NormalCumulative,
    Quadrature,
    Rectifier,
    Sinusoid,
    erf,
    snake,
)


def _leaky(slope):
    return lambda x: x if x > 0 else mpf(slope) * x


def _elu(alpha):
    return lambda x: x if x > 0 else mpf(alpha) * mpmath.expm1(x)


def _numpy_elu(x):
    return np.where(x > 0, x, 0.75 * np.expm1(np.minimum(x, 0)))


def _silu(x):
    return x * (0.5 + 0.5 * np.tanh(0.5 * x))


CLOSED = {
    "identity": (Rectifier(1.0), lambda x: x),
    "relu": (Rectifier(), _leaky(0)),
    "leaky": (Rectifier(0.25), _leaky(0.25)),
    "negative slope": (Rectifier(-0.5), _leaky(-0.5)),
    "clamp": (
        BentLine((-1.0, 0.5), (1.0, -1.0), offset=-1.0),
        lambda x: max(mpf(-1), min(x, mpf(0.5))),
    ),
    "absolute": (BentLine((0.0,), (2.0,), line=-1.0), abs),
    "capped": (BentLine((2.0,), (-1.0,), line=1.0), lambda x: min(x, mpf(2))),
    "elu": (ExponentialLinear(), _elu(1)),
    "elu 0.75": (ExponentialLinear(0.75), _elu(0.75)),
    "gelu": (ExactGELU(), lambda x: x * mpmath.ncdf(x)),
    "erf": (erf(), mpmath.erf),
    "falling": (NormalCumulative(-2.0, 1.5, 0.5), lambda x: 0.5 + 1.5 * mpmath.ncdf(-2 * x)),
    "sin": (Sinusoid(), mpmath.sin),
    "cos": (Sinusoid(phase=np.pi / 2), mpmath.cos),
    "snake": (snake(1.5), lambda x: x + mpmath.sin(1.5 * x) ** 2 / 1.5),
    "snake beta": (snake(-0.5, 2.0), lambda x: x + mpmath.sin(0.5 * x) ** 2 / 2),
}
NUMERIC = {
    "tanh": (Quadrature(np.tanh, name="tanh"), mpmath.tanh),
    "silu": (Quadrature(_silu, name="silu"), lambda x: x / (1 + mpmath.exp(-x))),
    "numeric elu": (Quadrature(_numpy_elu, name="elu"), _elu(0.75)),
}
WAVES = {"sin", "cos", "snake", "snake beta"}

# (mu, s): ordinary, both sides far out, tiny and huge deviations, the borders between methods.
POINTS = [
    (0.0, 1.0),
    (0.5, 2.0),
    (-1.0, 0.25),
    (1.0, 1e-8),
    (-1.0, 1e-8),
    (1e-9, 1e-8),
    (-40.0, 1.0),
    (40.0, 1.0),
    (-9.5, 1.0),
    (-0.45, 0.049),
    (0.2, 0.051),
    (2.0, 0.7072),
    (-20.0, 10.0),
    (-100.0, 1000.0),
    (40.0, 1000.0),
]
