r"""Kernels without offset tones, factored: :math:`H(z) = P(z) \sum_{i < L} z^{-i}`, proved.

With :math:`B(x) = \sum_{i<L} x^i` and :math:`x = z^{-1}`: :math:`(1 - x) B(x) = 1 - x^L`, so modulo
``B`` the taps of one phase fall together and :math:`H \equiv \sum_i g_i x^i \equiv
\sum_{i < L - 1} (g_i - g_{L-1}) x^i`.  The remainder is zero exactly when all phase gains are
equal (Harada, Muramatsu & Kiya 1998; Sugawara, Shiota & Kiya, ICIP 2018, arXiv 1806.02658).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import sympy as sp

from upsim.errors import ArgumentError
from upsim.operators.kernels import hold
from upsim.theory.symbolic.laurent import Expr, z
from upsim.theory.symbolic.proof import Proof, Step
from upsim.theory.symbolic.roots import multiplicity_at
from upsim.words.arguments import whole_number

_x = sp.Symbol("x")


@dataclass(frozen=True)
class Factorisation:
    """``H(z) = P(z) box(z) + remainder(z)``, by exact division.

    Parameters
    ----------
    H, quotient, box, remainder : expression
        In ``z``; the quotient is ``P``.
    proof : Proof
        Of the division, of the remainder's form, and of the remainder being zero.
    """

    H: Expr
    quotient: Expr
    box: Expr
    remainder: Expr
    proof: Proof

    @property
    def holds(self) -> bool:
        """Whether the proof holds; the remainder then is zero."""
        return self.proof.holds


def equal_gains_factorisation(factor: int, kernel_size: int) -> Factorisation:
    """Factor symbolic taps ``h_0 … h_{K-1}`` whose phase gains are equal.

    Taps ``h_1 … h_{L-1}`` are what the condition makes of them; all others stay free.

    Examples
    --------
    >>> result = equal_gains_factorisation(2, 3)
    >>> result.holds, result.quotient
    (True, h_0 + h_2/z)
    """
    factor = whole_number(factor, "factor")
    kernel_size = whole_number(kernel_size, "kernel_size")
    if kernel_size < factor:
        raise ArgumentError(
            "a phase without taps has the gain 0, and equal gains then are all 0",
            given=f"kernel_size={kernel_size}, factor={factor}",
            expected="at least one tap in each phase",
            fix=f"kernel_size={factor}",
        )
    taps = list(sp.symbols(f"h_:{kernel_size}", real=True))
    common = sum(taps[::factor], sp.Integer(0))
    for phase in range(1, factor):
        taps[phase] = common - sum(taps[phase + factor :: factor], sp.Integer(0))
    return box_division(taps, factor)


def icnr_factorisation(factor: int, slots: int) -> Factorisation:
    """Factor a kernel that repeats ``p_m`` through all phases of slot ``m`` (ICNR).

    ``P(z)`` is a polynomial in ``z^L``: nearest neighbour after a filter at the low rate (Aitken et
    al., arXiv 1707.02937, 2017).

    Examples
    --------
    >>> icnr_factorisation(3, 2).quotient
    p_0 + p_1/z**3
    """
    factor, slots = whole_number(factor, "factor"), whole_number(slots, "slots")
    low = sp.symbols(f"p_:{slots}", real=True)
    result = box_division([value for value in low for _ in range(factor)], factor)
    before = sum((value * z ** (-m * factor) for m, value in enumerate(low)), sp.Integer(0))
    step = Step("P is the low-rate filter, stretched", result.quotient, before)
    proof = Proof("an ICNR kernel is P(z^L) times nearest neighbour", (*result.proof.steps, step))
    return Factorisation(result.H, result.quotient, result.box, result.remainder, proof)


def box_division(taps: Sequence[Expr], factor: int) -> Factorisation:
    """Divide a kernel by ``ones(factor)`` and prove, or fail to prove, that nothing is left.

    Parameters
    ----------
    taps : sequence of expressions
        ``h[0], h[1], …``
    factor : int

    Examples
    --------
    >>> box_division([1, 2, 1], 2).holds, box_division([1, 1, 1], 2).holds
    (True, False)
    """
    taps = [sp.sympify(tap) for tap in taps]
    kernel = sp.Poly(list(reversed(taps)), _x)
    box = sp.Poly([1] * factor, _x)
    # The box is monic: the division never leaves the ring of the taps.
    quotient, remainder = sp.div(kernel, box)
    gains = [sum(taps[phase::factor], sp.Integer(0)) for phase in range(factor)]
    unequal = sum(((gain - gains[-1]) * _x**i for i, gain in enumerate(gains[:-1])), sp.Integer(0))
    steps = (
        Step(
            "exact division",
            kernel.as_expr(),
            sp.expand(quotient.as_expr() * box.as_expr() + remainder.as_expr()),
        ),
        Step("what is left are the differences of phase gains", remainder.as_expr(), unequal),
        Step("and equal gains leave nothing", remainder.as_expr(), sp.Integer(0)),
    )
    in_z = {_x: 1 / z}
    return Factorisation(
        H=sp.expand(kernel.as_expr().subs(in_z)),
        quotient=sp.expand(quotient.as_expr().subs(in_z)),
        box=sp.expand(box.as_expr().subs(in_z)),
        remainder=sp.expand(remainder.as_expr().subs(in_z)),
        proof=Proof("equal phase gains: H(z) = P(z) times the sum of z^-i below L", steps),
    )


def strang_fix(factor: int, order: int) -> Proof:
    r"""Prove that a hold of ``order`` boxes has a zero of that multiplicity at every ``k / L``.

    :math:`B(x) = (1 - x^L) / (1 - x)` has each root once, because ``1 - x^L`` has ``L`` different
    ones, so :math:`B^d` has each ``d`` times; by Strang & Fix (1971) no polynomial of degree below
    ``d`` leaves a replica.  (Kinoshita & Kiya, ICASSP 2020, count convolutions: ``d`` boxes are
    ``d - 1`` of them.)

    Examples
    --------
    >>> proof = strang_fix(4, 3)
    >>> proof.holds, [step.left for step in proof.steps if "multiplicity" in step.reason]
    (True, [3, 3, 3])
    """
    factor, order = whole_number(factor, "factor"), whole_number(order, "order")
    return prove_multiplicity([sp.Rational(tap) for tap in hold(factor, order)], factor, order)


def prove_multiplicity(taps: Sequence[Expr], factor: int, order: int) -> Proof:
    """Check that every ``k / factor`` is a zero of a kernel of exactly the multiplicity ``order``.

    Examples
    --------
    >>> prove_multiplicity([1, 1], 2, 1).holds, prove_multiplicity([1, 1], 2, 2).holds
    (True, False)
    """
    delayed = {n: sp.sympify(tap) for n, tap in enumerate(taps) if tap != 0}
    steps = [
        Step(
            f"multiplicity at k = {k} of {factor}",
            multiplicity_at(delayed, Fraction(k, factor)),
            sp.Integer(order),
        )
        for k in range(1, factor)
    ]
    kernel = sum((tap * _x**n for n, tap in delayed.items()), sp.Integer(0))
    box = sum((_x**i for i in range(factor)), sp.Integer(0))
    divided = sp.rem(sp.Poly(kernel, _x), sp.Poly(sp.expand(box**order), _x)).as_expr()
    steps.append(Step("the boxes divide the kernel", divided, sp.Integer(0)))
    return Proof(f"a zero of multiplicity {order} at every k / {factor}", tuple(steps))
