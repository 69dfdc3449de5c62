r"""Magnitude responses that close: products of sines for cyclotomic factors.

A kernel with rational taps is :math:`c\,z^a R(z) \prod_n \Phi_n(z^{-1})^{m_n}`, and
:math:`\Phi_n(x) = \pm\prod_{d \mid n} (1 - x^d)^{\mu(n/d)}` (Moebius), so with
:math:`|1 - e^{-j d \omega}| = 2\,|\sin(d \omega / 2)|`

.. math:: |H(e^{j\omega})| = |c\,R| \prod_d |2 \sin(d \omega / 2)|^{e_d},
          \qquad e_d = \sum_{n:\, d \mid n} m_n\, \mu(n / d).

For ``ones(L)`` this is :math:`|\sin(\omega L / 2) / \sin(\omega / 2)|`.  What is left, ``R``, is a
cosine sum where its taps are symmetric, and the root of its autocorrelation's otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import sympy as sp

from upsim.theory.symbolic.laurent import Expr
from upsim.words.tolerance import rounding

_x = sp.Symbol("x")

#: Angular frequency, radians per output sample.  Real in meaning; without SymPy's assumption of
#: it, which would tear ``Abs(sin(omega))**3`` into ``sin(omega)**2*Abs(sin(omega))``.
omega: Expr = sp.Symbol("omega")


@dataclass(frozen=True)
class Magnitude:
    """The factors of a magnitude response.

    Parameters
    ----------
    sines : mapping
        From ``d`` to the exponent ``e_d`` of ``|2 sin(d omega / 2)|``.
    rest : tuple
        Taps of what has no such factor, constant included.
    taps : tuple
        All taps, for the frequencies at which a sine below the line vanishes.
    """

    sines: Mapping[int, int]
    rest: tuple[Expr, ...]
    taps: tuple[Expr, ...]

    @classmethod
    def of(cls, taps: Mapping[int, Expr]) -> Magnitude:
        """Factor a kernel given by its taps at delays ``n``; taps are taken to be real.

        Examples
        --------
        >>> dict(Magnitude.of({0: 1, 1: 2, 2: 3, 3: 2, 4: 1}).sines)
        {1: -2, 3: 2}
        """
        if not taps:
            return cls({}, (sp.Integer(0),), (sp.Integer(0),))
        first, last = min(taps), max(taps)
        dense = tuple(sp.sympify(taps.get(n, 0)) for n in range(first, last + 1))
        shares = [sp.radsimp(tap / dense[0]) for tap in dense]
        if not all(share.is_Rational for share in shares):
            return cls({}, dense, dense)
        counts, rest = _cyclotomic_factors(shares)
        sines: dict[int, int] = {}
        for n, count in counts.items():
            for d in sp.divisors(n):
                sines[d] = sines.get(d, 0) + count * int(sp.mobius(n // d))
        kept = {d: e for d, e in sorted(sines.items()) if e}
        return cls(kept, tuple(dense[0] * tap for tap in rest), dense)

    def at(self, frequency: Expr = omega) -> Expr:
        """Return the magnitude at an angular frequency, symbolic or a number."""
        frequency = sp.sympify(frequency)
        below = [d for d, e in self.sines.items() if e < 0]
        if any(sp.sin(d * frequency / 2).is_zero for d in below):
            return _plain(self.taps, frequency)
        found = _plain(self.rest, frequency) * 2 ** sum(self.sines.values())
        for d, exponent in self.sines.items():
            found *= sp.Abs(sp.sin(d * frequency / 2)) ** exponent
        return found


def hold_magnitude(factor: Expr, order: Expr = 1, *, frequency: Expr = omega) -> Expr:
    r"""Return :math:`|\sin(\omega L / 2) / (L \sin(\omega / 2))|^{d}`, ``L`` and ``d`` symbolic.

    Nearest neighbour over ``L`` is ``d = 1``, the textbook triangle over ``L`` is ``d = 2``, and
    ``Hold(L, d)`` any ``d``.

    Examples
    --------
    >>> L = sp.Symbol("L", positive=True)
    >>> sp.limit(hold_magnitude(L, frequency=sp.pi / L), L, sp.oo)  # -3.92 dB
    2/pi
    """
    factor = sp.sympify(factor)
    above, below = (sp.Abs(sp.sin(angle)) for angle in (frequency * factor / 2, frequency / 2))
    return (above / (factor * below)) ** order


def decibels(ratio: Expr) -> Expr:
    r"""Return :math:`20 \log_{10}` of an amplitude ratio, exact; minus infinity for 0."""
    if ratio == 0:
        return -sp.oo
    return 20 * sp.log(ratio) / sp.log(10)


def _cyclotomic_factors(shares: list[Expr]) -> tuple[dict[int, int], list[Expr]]:
    """Split a rational kernel into cyclotomic polynomials, counted, and a rest."""
    polynomial = sp.Poly(list(reversed(shares)), _x, domain="QQ")
    counts: dict[int, int] = {}
    # n / totient(n) < 5 for every n below 30030, so no larger n fits into the degree.
    numbers = [float(share) for share in shares]
    doubt = rounding(4 * len(numbers), sum(map(abs, numbers)))
    for n in range(1, 5 * polynomial.degree() + 1):
        if sp.totient(n) > polynomial.degree():
            continue
        if abs(np.polyval(numbers, np.exp(2j * np.pi / n))) > doubt:
            continue  # farther from zero than rounding can move it: no exact division needed
        divisor = sp.Poly(sp.cyclotomic_poly(n, _x), _x, domain="QQ")
        while polynomial.degree() >= divisor.degree():
            quotient, remainder = polynomial.div(divisor)
            if not remainder.is_zero:
                break
            polynomial = quotient
            counts[n] = counts.get(n, 0) + 1
    return counts, list(reversed(polynomial.all_coeffs()))


def _plain(taps: tuple[Expr, ...], frequency: Expr) -> Expr:
    count = len(taps)
    if taps == taps[::-1]:
        # e^{-j w (K-1)/2} is common to all taps and drops out of the magnitude.
        half = [sp.Rational(2 * n - count + 1, 2) for n in range(count)]
        total = sum(
            (tap * sp.cos(place * frequency) for tap, place in zip(taps, half, strict=True)),
            sp.Integer(0),
        )
        return sp.Abs(total)
    squared = sp.Integer(0)
    for lag in range(count):
        product = sum((taps[n] * taps[n + lag] for n in range(count - lag)), sp.Integer(0))
        squared += sp.expand(product) * (2 * sp.cos(lag * frequency) if lag else 1)
    return sp.sqrt(squared)
