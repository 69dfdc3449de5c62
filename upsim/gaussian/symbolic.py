r"""Means and variances of activations as SymPy expressions in ``mu`` and ``s``.

For teaching and for proofs: what :mod:`upsim.gaussian` computes with care about rounding, in the
form in which one writes it on a board.

Examples
--------
>>> expressions = symbolic("ReLU")
>>> expressions.mean.subs({mu: 0, s: 1})
sqrt(2)/(2*sqrt(pi))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sympy
from sympy import Expr, Integer, Rational, Symbol, cos, erf, exp, pi, sin, sqrt

from upsim.words.arguments import one_of

#: The mean of the input (real) and its deviation (positive).
mu: Symbol = Symbol("mu", real=True)
s: Symbol = Symbol("s", positive=True)


@dataclass(frozen=True)
class SymbolicMoments:
    """``f(x)``, ``E f(x)``, ``E f(x)^2``; the second is None where it has no elementary form."""

    function: Expr
    mean: Expr
    second: Expr | None

    @property
    def variance(self) -> Expr | None:
        """``E f^2 - (E f)^2``."""
        return None if self.second is None else self.second - self.mean**2


#: The variable of :attr:`SymbolicMoments.function`.
x: Symbol = Symbol("x", real=True)


def _normal(z: Any) -> Expr:
    return exp(-(z**2) / 2) / sqrt(2 * pi)


def _cumulative(z: Any) -> Expr:
    return (1 + erf(z / sqrt(2))) / 2


def _leaky(slope: Any) -> SymbolicMoments:
    z = mu / s
    part = mu * _cumulative(z) + s * _normal(z)
    square = (mu**2 + s**2) * _cumulative(z) + mu * s * _normal(z)
    return SymbolicMoments(
        sympy.Piecewise((x, x >= 0), (slope * x, True)),
        slope * mu + (1 - slope) * part,
        slope**2 * (mu**2 + s**2) + (1 - slope**2) * square,
    )


def _relu() -> SymbolicMoments:
    return _leaky(Integer(0))


def _elu(alpha: Any) -> SymbolicMoments:
    z = mu / s

    def below(rate: int) -> Expr:  # E e^{rate x} 1[x <= 0]
        return exp(rate * mu + Rational(rate**2, 2) * s**2) * _cumulative(-z - rate * s)

    base = _relu()
    assert base.second is not None
    return SymbolicMoments(
        sympy.Piecewise((x, x > 0), (alpha * (exp(x) - 1), True)),
        base.mean + alpha * (below(1) - below(0)),
        base.second + alpha**2 * (below(2) - 2 * below(1) + below(0)),
    )


def _gelu() -> SymbolicMoments:
    root = sqrt(1 + s**2)
    w = mu / root
    # The second moment needs Owen's T function, which is not elementary; at mu = 0 T is an arctan.
    return SymbolicMoments(x * _cumulative(x), mu * _cumulative(w) + s**2 / root * _normal(w), None)


def gelu_second_at_zero() -> Expr:
    """Return ``E f^2`` of the exact GELU for mu = 0, where Owen's T is an arctangent.

    ``s^2 (1/4 + arcsin(s^2/(1+s^2))/(2 pi)) + s^4 / (pi (1+s^2) sqrt(1+2 s^2))``.

    Examples
    --------
    >>> gelu_second_at_zero().subs(s, 1)
    sqrt(3)/(6*pi) + 1/3
    """
    square = 1 + s**2
    chance = Rational(1, 4) + sympy.asin(s**2 / square) / (2 * pi)
    return s**2 * chance + s**4 / (pi * square * sqrt(1 + 2 * s**2))


def _snake(alpha: Any) -> SymbolicMoments:
    # x + 1/(2 alpha) - cos(2 alpha x)/(2 alpha), and E of products by E e^{j w x}
    damped, twice = exp(-2 * alpha**2 * s**2), exp(-8 * alpha**2 * s**2)
    wave = damped * cos(2 * alpha * mu)
    mixed = damped * (mu * cos(2 * alpha * mu) - 2 * alpha * s**2 * sin(2 * alpha * mu))
    half = 1 / (2 * alpha)
    square = mu**2 + s**2 + half**2 * (1 + (1 + twice * cos(4 * alpha * mu)) / 2)
    return SymbolicMoments(
        x + sin(alpha * x) ** 2 / alpha,
        mu + half - half * wave,
        square + 2 * half * mu - 2 * half * mixed - 2 * half**2 * wave,
    )


def _sine() -> SymbolicMoments:
    return SymbolicMoments(
        sin(x),
        exp(-(s**2) / 2) * sin(mu),
        (1 - exp(-2 * s**2) * cos(2 * mu)) / 2,
    )


_KNOWN: dict[str, Callable[[Any], SymbolicMoments]] = {
    "ReLU": lambda _: _relu(),
    "LeakyReLU": _leaky,
    "ELU": _elu,
    "GELU": lambda _: _gelu(),
    "Snake": _snake,
    "sin": lambda _: _sine(),
}


def symbolic(name: str, parameter: Any = None) -> SymbolicMoments:
    """Return mean and second moment of an activation as expressions in ``mu`` and ``s``.

    Parameters
    ----------
    name : str
        "ReLU", "LeakyReLU", "ELU", "GELU", "Snake" or "sin".
    parameter : SymPy expression or number, optional
        The slope of LeakyReLU, the alpha of ELU and Snake; a symbol of that name by default.
    """
    one_of(name, "name", list(_KNOWN))
    symbols = {"LeakyReLU": "a"}
    value = Symbol(symbols.get(name, "alpha"), positive=True) if parameter is None else parameter
    return _KNOWN[name](sympy.sympify(value))
