"""The expressions are what SymPy integrates, and what the numbers are."""

import numpy as np
import pytest
import sympy

from upsim.errors import ArgumentError
from upsim.gaussian import ExactGELU, ExponentialLinear, Rectifier, Sinusoid, snake
from upsim.gaussian.symbolic import gelu_second_at_zero, mu, s, symbolic, x
from upsim.words.tolerance import rounding

FORMS = {
    "ReLU": (None, Rectifier()),
    "LeakyReLU": (sympy.Rational(1, 4), Rectifier(0.25)),
    "ELU": (sympy.Rational(3, 4), ExponentialLinear(0.75)),
    "GELU": (None, ExactGELU()),
    "Snake": (sympy.Rational(3, 2), snake(1.5)),
    "sin": (None, Sinusoid()),
}


@pytest.mark.parametrize("name", FORMS)
def test_the_numbers_are_the_expressions(name):
    parameter, form = FORMS[name]
    expressions = symbolic(name, parameter)
    for point in [(0, 1), (sympy.Rational(1, 2), 2), (-1, sympy.Rational(1, 4)), (2, 1)]:
        found = form.moments(float(point[0]), float(point[1]))
        values = {mu: point[0], s: point[1]}
        mean = float(expressions.mean.subs(values).evalf(30))
        assert abs(found.mean - mean) <= found.mean_error + rounding(1, abs(mean))
        if expressions.variance is not None:
            variance = float(expressions.variance.subs(values).evalf(30))
            allowed = found.variance_error + rounding(1, abs(variance))
            assert abs(found.variance - variance) <= allowed


@pytest.mark.parametrize("name", ["ReLU", "LeakyReLU"])
def test_sympy_integrates_to_the_same_at_mean_zero(name):
    a = sympy.Symbol("a", positive=True)
    expressions = symbolic(name)
    density = sympy.exp(-(x**2) / 2) / sympy.sqrt(2 * sympy.pi)
    slope = a if name == "LeakyReLU" else 0
    for power, expected in ((1, expressions.mean), (2, expressions.second)):
        above = sympy.integrate(x**power * density, (x, 0, sympy.oo))
        below = sympy.integrate((slope * x) ** power * density, (x, -sympy.oo, 0))
        assert sympy.simplify(above + below - expected.subs({mu: 0, s: 1})) == 0


def test_the_sine_is_exact():
    y = sympy.Symbol("y", real=True)
    density = sympy.exp(-(y**2) / 2) / sympy.sqrt(2 * sympy.pi)
    mean = sympy.integrate(sympy.cos(s * y) * density, (y, -sympy.oo, sympy.oo))
    # E sin(mu + s y) = sin(mu) E cos(s y), the odd part integrates to 0
    assert sympy.simplify(mean * sympy.sin(mu) - symbolic("sin").mean) == 0


def test_the_gelu_at_zero():
    for value in (sympy.Rational(1, 2), 1, 3):
        found = ExactGELU().moments(0.0, float(value))
        second = float(gelu_second_at_zero().subs(s, value).evalf(30))
        allowed = found.variance_error + 2 * np.abs(found.mean) * found.mean_error
        assert abs(found.second - second) <= allowed + rounding(4, second)


def test_an_unknown_name_is_refused():
    with pytest.raises(ArgumentError, match="ReLU"):
        symbolic("Mish")
