r"""The overlap rule, proved: what an all-ones kernel of ``K = m L + r`` taps makes of a constant.

Phase ``i`` of the output holds the taps ``i, i + L, i + 2 L, ...`` below ``K``: ``m + 1`` of them
for the first ``r`` phases and ``m`` for the others.  The lines are the DFT of those phase gains,

.. math:: a_k = \frac{1}{L} \sum_{i < L} g_i w^i
              = \frac{1}{L} \frac{1 - w^K}{1 - w}, \qquad w = e^{-j 2\pi k / L},

so :math:`|a_k| / a_0 = |\sin(\pi k K / L)| / (K |\sin(\pi k / L)|)`, which is zero for every
``k = 1 … L - 1`` if and only if ``L`` divides ``K`` (no ``r``), whatever ``m``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import sympy as sp

from upsim.errors import ArgumentError
from upsim.theory.symbolic.laurent import Expr
from upsim.theory.symbolic.magnitude import decibels
from upsim.theory.symbolic.proof import Proof, Step
from upsim.theory.symbolic.roots import value_at
from upsim.words.arguments import whole_number

#: Whole taps a phase has at least, in the proofs for every kernel of one remainder.
whole_taps: Expr = sp.Symbol("m", integer=True, nonnegative=True)


@dataclass(frozen=True)
class AllOnes:
    """What an all-ones kernel makes of a constant 1.

    Parameters
    ----------
    factor : int
        ``L``.
    remainder : int
        ``r = K mod L``.
    kernel_size : expression
        ``K``, a number or ``m L + r``.
    phase_gains, tones : tuple of expressions
        ``g_i`` and ``a_k``, exact.
    proof : Proof
    """

    factor: int
    remainder: int
    kernel_size: Expr
    phase_gains: tuple[Expr, ...]
    tones: tuple[Expr, ...]
    proof: Proof

    @property
    def overlap(self) -> str:
        """Whether neighbours overlap: "none" (K <= L), "partial", or "full" (K = 2 L, 3 L, ...).

        A symbolic multiple of ``L`` is "full".
        """
        if self.kernel_size.is_Integer and self.kernel_size <= self.factor:
            return "none"
        return "partial" if self.remainder else "full"

    @property
    def has_tones(self) -> bool:
        """Whether any line beside the constant is left."""
        return any(tone != 0 for tone in self.tones[1:])

    def ratio(self, k: int) -> Expr:
        r"""Return :math:`|a_k| / a_0 = |\sin(\pi k K/L)| / (K |\sin(\pi k/L)|)`, exact.

        The sine of the numerator is taken at ``k r / L``: whole turns drop out.
        """
        if k % self.factor == 0:
            return sp.Integer(1)
        turn = sp.pi * sp.Rational(k, self.factor)
        return sp.Abs(sp.sin(turn * self.remainder)) / (self.kernel_size * sp.Abs(sp.sin(turn)))

    def ratio_db(self, k: int) -> Expr:
        """Return the ratio in decibels, exact; minus infinity where the line is absent."""
        return decibels(self.ratio(k))


def all_ones_tones(factor: int, remainder: int, m: Expr = whole_taps) -> AllOnes:
    """Return the tones of ``K = m L + r`` ones, with ``m`` symbolic, and the proof.

    Examples
    --------
    >>> rule = all_ones_tones(2, 1)
    >>> rule.phase_gains, rule.tones, rule.proof.holds
    ((m + 1, m), (m + 1/2, 1/2), True)
    >>> rule.ratio(1)
    1/(2*m + 1)
    """
    factor = whole_number(factor, "factor")
    remainder = whole_number(remainder, "remainder", least=0)
    if remainder >= factor:
        raise ArgumentError(
            "the remainder must be smaller than the factor",
            given=f"factor={factor}, remainder={remainder}",
            expected=f"0 to {factor - 1}",
            fix=f"remainder={remainder % factor}",
        )
    kernel_size = m * factor + remainder
    gains = tuple(m + 1 if i < remainder else m + sp.Integer(0) for i in range(factor))
    return _all_ones(factor, kernel_size, gains)


def overlap_rule(factor: int, kernel_size: int) -> AllOnes:
    """Return what ``kernel_size`` ones at stride ``factor`` make of a constant, with the proof.

    Examples
    --------
    >>> rule = overlap_rule(6, 8)
    >>> rule.overlap, rule.tones[3], [round(float(rule.ratio_db(k)), 2) for k in (1, 2)]
    ('partial', 0, [-13.29, -18.06])
    """
    factor = whole_number(factor, "factor")
    kernel_size = whole_number(kernel_size, "kernel_size")
    gains = tuple(sp.Integer(len(range(phase, kernel_size, factor))) for phase in range(factor))
    return _all_ones(factor, sp.Integer(kernel_size), gains)


def _all_ones(factor: int, kernel_size: Expr, gains: tuple[Expr, ...]) -> AllOnes:
    by_phase = dict(enumerate(gains))
    tones = tuple(value_at(by_phase, Fraction(k, factor)) / factor for k in range(factor))
    proof = prove_tones(gains, kernel_size)
    remainder = int(sp.Mod(kernel_size, factor))
    return AllOnes(factor, remainder, kernel_size, gains, tuple(map(sp.expand, tones)), proof)


def prove_tones(gains: Sequence[Expr], kernel_size: Expr) -> Proof:
    """Check phase gains against the overlap rule for ``kernel_size`` ones.

    Parameters
    ----------
    gains : sequence of L expressions
        The phase gains of the kernel under test; of any other kernel the proof fails.
    kernel_size : expression
        ``K``, an integer or one that is symbolic.

    Examples
    --------
    >>> prove_tones([2, 1], 3).holds, prove_tones([1, 1], 3).holds
    (True, False)
    """
    factor = len(gains)
    gains = [sp.sympify(gain) for gain in gains]
    kernel_size = sp.sympify(kernel_size)
    steps = [
        Step(
            f"taps {i}, {i + factor}, ... below K",
            gains[i],
            sp.floor((kernel_size - 1 - i) / sp.Integer(factor), evaluate=False) + 1,
        )
        for i in range(factor)
    ]
    steps.append(Step("all taps", sum(gains, sp.Integer(0)), kernel_size))
    for k in range(1, factor):
        # w^K = w^r, because w^L = 1 and K - r is a multiple of L.
        turn = Fraction(k, factor)
        remainder = int(sp.Mod(kernel_size, factor))
        root = value_at({1: sp.Integer(1)}, turn)
        power = value_at({remainder: sp.Integer(1)}, turn)
        summed = value_at(dict(enumerate(gains)), turn)
        steps.append(Step(f"geometric sum, k = {k}", summed * (1 - root), 1 - power))
        angle = sp.pi * sp.Rational(k, factor)
        steps.append(
            Step(
                f"its magnitude, k = {k}",
                sp.expand(summed * sp.conjugate(summed)) * sp.sin(angle) ** 2,
                sp.sin(angle * remainder) ** 2,
            )
        )
    return Proof(
        "|a_k| / a_0 = |sin(pi k K / L)| / (K |sin(pi k / L)|) for an all-ones kernel", tuple(steps)
    )


def prove_overlap_rule() -> Proof:
    r"""Prove the rule for every ``L``, ``k``, ``m`` and ``r`` at once, all of them symbols.

    Examples
    --------
    >>> proof = prove_overlap_rule()
    >>> proof.holds, len(proof.steps)
    (True, 8)
    """
    L, k = sp.symbols("L k", integer=True, positive=True)
    m, r, K = sp.symbols("m r K", integer=True, nonnegative=True)
    n, w, theta = sp.Symbol("n"), sp.Symbol("w"), sp.Symbol("theta", real=True)
    exponent = -2 * sp.pi * sp.I * k / L
    closed = (1 - w**n) / (1 - w)
    chord = sp.Abs(1 - sp.exp(exponent)) ** 2
    long_chord = sp.Abs(1 - sp.exp(exponent * K)) ** 2
    angle = sp.pi * k / L
    steps = (
        # By induction: what is 0 at K = 0 and grows by w^K is the sum of w^n, n < K.
        Step("the geometric sum starts at 0", sp.Subs(closed, n, 0), sp.Integer(0)),
        Step("and grows by its next term", sp.Subs(closed, n, K + 1) - sp.Subs(closed, n, K), w**K),
        Step("w is a root of unity", sp.Pow(sp.exp(exponent), L, evaluate=False), sp.Integer(1)),
        Step(
            "so whole multiples of L drop out of K = m L + r",
            sp.exp(sp.Mul(exponent, m * L + r, evaluate=False)),
            sp.exp(exponent * r),
        ),
        Step(
            "chord of the unit circle",
            sp.Abs(1 - sp.exp(-sp.I * theta)) ** 2,
            4 * sp.sin(theta / 2) ** 2,
        ),
        Step(
            "two chords: the sum's magnitude, multiplied out",
            long_chord * sp.sin(angle) ** 2,
            chord * sp.sin(angle * K) ** 2,
        ),
        Step(
            "L divides K = m L: zero at every k",
            sp.sin(sp.Mul(angle, m * L, evaluate=False), evaluate=False),
            sp.Integer(0),
        ),
        # Not zero for 0 < r < L, because 0 < pi r / L < pi.
        Step(
            "L does not divide K: at k = 1 a sine strictly between 0 and pi is left",
            sp.sin(sp.Mul(sp.pi / L, m * L + r, evaluate=False), evaluate=False) ** 2,
            sp.sin(sp.pi * r / L) ** 2,
        ),
    )
    return Proof("an all-ones kernel makes no offset tone if and only if L divides K", steps)
