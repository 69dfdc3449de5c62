"""A proof as steps that are checked: both sides of each claim are exact, and must agree."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from upsim.theory.symbolic.laurent import Expr
from upsim.theory.symbolic.roots import is_zero


@dataclass(frozen=True)
class Step:
    """One claim, ``left = right``.

    Parameters
    ----------
    reason : str
        Why it holds, as a sentence.
    left, right : expression
        SymPy may simplify; it never rounds.  They may be left unevaluated, so that they print as
        they are meant.
    """

    reason: str
    left: Expr
    right: Expr

    @property
    def holds(self) -> bool:
        """Whether the difference of the two sides simplifies to exactly 0."""
        return is_zero(self.left.doit() - self.right.doit())

    def latex(self) -> str:
        """Return the claim as LaTeX."""
        return f"{sp.latex(self.left)} = {sp.latex(self.right)}"


@dataclass(frozen=True)
class Proof:
    """Steps that together show a theorem.

    Parameters
    ----------
    theorem : str
        In words.
    steps : tuple of Step

    Examples
    --------
    >>> x = sp.Symbol("x")
    >>> proof = Proof("binomial", (Step("expand", (1 + x) ** 2, 1 + 2 * x + x**2),))
    >>> proof.holds
    True
    """

    theorem: str
    steps: tuple[Step, ...]

    @property
    def holds(self) -> bool:
        """Whether every step holds."""
        return not self.failures

    @property
    def failures(self) -> tuple[Step, ...]:
        """The steps whose two sides differ."""
        return tuple(step for step in self.steps if not step.holds)

    def latex(self) -> str:
        """Return the steps as one aligned LaTeX block, each with its reason."""
        rows = [
            rf"{sp.latex(step.left)} &= {sp.latex(step.right)} && \text{{{step.reason}}}"
            for step in self.steps
        ]
        return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"
