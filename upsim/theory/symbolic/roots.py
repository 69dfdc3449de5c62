r"""Laurent polynomials at roots of unity: exact values, exact zeros, their multiplicity.

Everything rests on one fact: :math:`\sum_j c_j \zeta^j`, with rational ``c_j`` and ``zeta`` a
primitive ``q``-th root of unity, is zero exactly when the cyclotomic polynomial
:math:`\Phi_q(x)` divides :math:`\sum_j c_j x^j`, because :math:`\Phi_q` is irreducible over the
rationals (Lang, *Algebra*, 2002, chapter VI, section 3).  Adjoined symbols change nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import sympy as sp

from upsim.theory.symbolic.laurent import Expr

_x = sp.Symbol("x")

#: Denominators whose roots of unity are short in radicals.
_SHORT = (1, 2, 3, 4, 5, 6, 8, 10, 12)


def value_at(taps: Mapping[int, Expr], turn: Fraction) -> Expr:
    r"""Return :math:`\sum_n h[n] e^{-j 2\pi n\,\mathrm{turn}}`, an exact 0 where it is zero.

    Parameters
    ----------
    taps : mapping from n to an expression
    turn : Fraction
        Frequency in cycles per sample.

    Examples
    --------
    >>> value_at({0: 1, 1: 1, 2: 1}, Fraction(1, 3)), value_at({0: 1, 1: 1, 2: 1}, Fraction(1, 2))
    (0, 1)
    """
    reduced = _reduced(taps, turn)
    if turn.denominator in _SHORT:
        root = sp.expand(sp.exp(-2 * sp.pi * sp.I / turn.denominator), complex=True)
        powers = [sp.expand(root**j) for j in range(len(reduced))]
        return sp.expand(sum((c * p for c, p in zip(reduced, powers, strict=True)), sp.Integer(0)))
    terms = (
        c * sp.exp(-2 * sp.pi * sp.I * sp.Rational(j, turn.denominator))
        for j, c in enumerate(reduced)
    )
    return sum(terms, sp.Integer(0))


def vanishes_at(taps: Mapping[int, Expr], turn: Fraction) -> bool:
    """Return True if the value there is exactly zero."""
    reduced = _reduced(taps, turn)
    if not any(reduced):
        return True
    if all(_is_over_rationals(c) for c in reduced):
        return False
    # Irrational constants (1/sqrt(2) of a Haar band) may meet the root's own field: decide there.
    return is_zero(value_at(taps, turn))


def multiplicity_at(taps: Mapping[int, Expr], turn: Fraction) -> Expr:
    r"""Return how many times :math:`e^{j 2\pi\,\mathrm{turn}}` is a zero; infinity for no taps.

    The ``d``-th derivative, up to a factor that is no zero, is
    :math:`\sum_n \binom{n - n_0}{d} h[n] z^{-n}`: the multiplicity is the first ``d`` at which it
    does not vanish.

    Examples
    --------
    >>> multiplicity_at({0: 1, 1: 3, 2: 3, 3: 1}, Fraction(1, 2))
    3
    """
    if not taps:
        return sp.oo
    first = min(taps)
    order = 0
    while vanishes_at({n: sp.binomial(n - first, order) * tap for n, tap in taps.items()}, turn):
        order += 1
    return sp.Integer(order)


def is_zero(expression: Expr) -> bool:
    r"""Return True if an expression is exactly zero.

    By expansion; else as a polynomial in one root of unity, reduced by its cyclotomic polynomial,
    where sines and exponentials of rational multiples of pi are all that is irrational; else by
    SymPy's simplification.

    Examples
    --------
    >>> seventh = sp.pi / 7
    >>> is_zero(2 * (sp.cos(seventh) - sp.cos(2 * seventh) + sp.cos(3 * seventh)) - 1)
    True
    """
    # |u|^2 = u conj(u) is what expansion can see.
    plain = sp.sympify(expression).replace(
        lambda part: part.is_Pow and isinstance(part.base, sp.Abs) and part.exp.is_even,
        lambda part: (part.base.args[0] * sp.conjugate(part.base.args[0])) ** (part.exp / 2),
    )
    # A fraction is zero where its numerator is.
    expanded = sp.expand(sp.fraction(sp.together(plain))[0])
    if expanded == 0:
        return True
    turned = sp.expand(expanded.rewrite(sp.exp))
    if turned == 0:
        return True
    reduced = _cyclotomic_remainder(turned)
    if reduced is not None:
        return bool(reduced == 0)
    return bool(sp.simplify(sp.expand(expanded, complex=True)) == 0)


def _cyclotomic_remainder(expression: Expr) -> Expr | None:
    """Return an expression in roots of unity reduced to their basis; None where it is not one."""
    roots = {power: power.exp / (2 * sp.pi * sp.I) for power in expression.atoms(sp.exp)}
    if not roots or not all(turn.is_Rational for turn in roots.values()):
        return None
    order = int(sp.ilcm(4, *(turn.q for turn in roots.values())))
    powers = {root: _x ** int(turn * order % order) for root, turn in roots.items()}
    polynomial = expression.xreplace({**powers, sp.I: _x ** (order // 4)})
    if not (polynomial.is_polynomial(_x) and _is_over_rationals(polynomial)):
        return None
    cyclotomic = sp.Poly(sp.cyclotomic_poly(order, _x), _x)
    return sp.expand(sp.Poly(sp.expand(polynomial), _x).rem(cyclotomic).as_expr())


def _is_over_rationals(expression: Expr) -> bool:
    powers = all(power.exp.is_Integer for power in expression.atoms(sp.Pow))
    return powers and not expression.atoms(sp.Function, sp.NumberSymbol, sp.I.func)


def _reduced(taps: Mapping[int, Expr], turn: Fraction) -> list[Expr]:
    """Return the coefficients of the value in 1, zeta, zeta^2, ..., zeta = e^{-j 2 pi / q}."""
    q, p = turn.denominator, turn.numerator
    folded = [sp.Integer(0)] * q
    for n, tap in taps.items():
        folded[n * p % q] += tap
    polynomial = sp.Poly([sp.expand(c) for c in reversed(folded)], _x)
    cyclotomic = sp.Poly(sp.cyclotomic_poly(q, _x), _x)
    # The divisor is monic: the division stays inside the ring of the coefficients.
    remainder = polynomial.rem(cyclotomic)
    return [sp.expand(c) for c in reversed(remainder.all_coeffs())]
