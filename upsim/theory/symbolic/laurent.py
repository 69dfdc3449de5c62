r"""Matrices of Laurent polynomials in :math:`z^{-1}`, with exact entries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import sympy as sp

#: A SymPy expression or matrix; SymPy ships no types, so the checker sees nothing closer.
Expr: TypeAlias = Any

#: The variable of every transfer function here.
z: Expr = sp.Symbol("z")


@dataclass(frozen=True)
class LaurentMatrix:
    r""":math:`A(z) = \sum_n A_n z^{-n}`, the ``A_n`` of shape (out, in).

    Parameters
    ----------
    taps : mapping from n to a SymPy matrix
        Delay ``n`` of either sign; zero matrices are left out.
    shape : (int, int)

    Examples
    --------
    >>> hold = LaurentMatrix.of({0: sp.eye(1), 1: sp.eye(1)}, (1, 1))
    >>> (hold @ hold.stretched(2)).expression()[0, 0]
    1 + 1/z + z**(-2) + z**(-3)
    """

    taps: Mapping[int, Expr]
    shape: tuple[int, int]

    @classmethod
    def of(cls, taps: Mapping[int, Expr], shape: tuple[int, int]) -> LaurentMatrix:
        """Return the matrix with its taps expanded, in order, and the zeros left out."""
        clean = {n: sp.ImmutableMatrix(tap).applyfunc(sp.expand) for n, tap in sorted(taps.items())}
        return cls({n: tap for n, tap in clean.items() if not tap.is_zero_matrix}, shape)

    def __matmul__(self, other: LaurentMatrix) -> LaurentMatrix:
        """Return the product ``A(z) B(z)``: filters one after another."""
        product: dict[int, Expr] = {}
        for n, left in self.taps.items():
            for m, right in other.taps.items():
                term = left * right
                product[n + m] = product[n + m] + term if n + m in product else term
        return LaurentMatrix.of(product, (self.shape[0], other.shape[1]))

    def __add__(self, other: LaurentMatrix) -> LaurentMatrix:
        """Return the sum: filters side by side."""
        total = dict(self.taps)
        for n, tap in other.taps.items():
            total[n] = total[n] + tap if n in total else tap
        return LaurentMatrix.of(total, self.shape)

    def above(self, other: LaurentMatrix) -> LaurentMatrix:
        """Return the rows of this one, then the rows of the other: outputs concatenated."""
        shape = (self.shape[0] + other.shape[0], self.shape[1])
        blank, other_blank = sp.zeros(*self.shape), sp.zeros(*other.shape)
        delays = set(self.taps) | set(other.taps)
        return LaurentMatrix.of(
            {
                n: sp.Matrix.vstack(
                    sp.Matrix(self.taps.get(n, blank)), sp.Matrix(other.taps.get(n, other_blank))
                )
                for n in delays
            },
            shape,
        )

    def scaled(self, factor: Expr) -> LaurentMatrix:
        """Return the matrix times a number."""
        return LaurentMatrix.of({n: tap * factor for n, tap in self.taps.items()}, self.shape)

    def stretched(self, factor: int) -> LaurentMatrix:
        """Return ``A(z^L)``: every delay is ``L`` times as long."""
        return LaurentMatrix({n * factor: tap for n, tap in self.taps.items()}, self.shape)

    @property
    def span(self) -> int:
        """Delays from the first to the last that is there."""
        return max(self.taps) - min(self.taps) + 1 if self.taps else 0

    def entry(self, out: int, inward: int) -> dict[int, Expr]:
        """Return one entry's taps by delay, zeros left out."""
        found = {n: tap[out, inward] for n, tap in self.taps.items()}
        return {n: tap for n, tap in found.items() if tap != 0}

    def expression(self) -> Expr:
        """Return the SymPy matrix of expressions in ``z``."""
        total = sp.zeros(*self.shape)
        for n, tap in self.taps.items():
            total += sp.Matrix(tap) * z**-n
        return sp.ImmutableMatrix(total)
