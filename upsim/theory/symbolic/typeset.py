"""LaTeX of exact results: engineers' order, powers of 1/z, aligned at the equals signs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

import sympy as sp

from upsim.theory.symbolic.laurent import Expr
from upsim.theory.symbolic.magnitude import decibels
from upsim.theory.symbolic.transfer import StretchTransfer, Transfer

#: From an expression to an expression.
Function: TypeAlias = Callable[[Expr], Expr]


def aligned(lines: Iterable[tuple[str, str]]) -> str:
    r"""Return an ``aligned`` block of (left side, right side).

    Examples
    --------
    >>> print(aligned([("a", "b"), ("c", "d")]))
    \begin{aligned}
    a &= b \\
    c &= d
    \end{aligned}
    """
    rows = [f"{left} &= {right}" if right else left for left, right in lines]
    return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"


def laurent(taps: Mapping[int, Expr]) -> str:
    r"""Return a Laurent polynomial in ascending delay.

    Examples
    --------
    >>> print(laurent({-1: sp.Rational(1, 2), 0: sp.Integer(1), 2: -sp.Symbol("h")}))
    \frac{1}{2} z + 1 - h z^{-2}
    """
    text = ""
    for n, tap in sorted(taps.items()):
        minus = tap.could_extract_minus_sign() and not tap.is_Add
        size = -tap if minus else tap
        power = {0: "", -1: "z"}.get(n, f"z^{{{-n}}}")
        factor = sp.latex(size)
        if size.is_Add and power:
            factor = rf"\left({factor}\right)"
        elif size == 1 and power:
            factor = ""
        term = f"{factor} {power}".strip()
        if text:
            text += f" - {term}" if minus else f" + {term}"
        else:
            text = f"-{term}" if minus else term
    return text or "0"


def transfer_lines(transfer: Transfer) -> list[tuple[str, str]]:
    """Return the line of ``H(z)``, or of the polyphase matrix with its block named."""
    if not isinstance(transfer, StretchTransfer):
        blocks = rf"\quad (z: \text{{blocks of {transfer.down} in, {transfer.up} out}})"
        return [("P(z)", sp.latex(transfer.response.expression()) + blocks)]
    if transfer.channels == (1, 1):
        return [("H(z)", laurent(transfer.response.entry(0, 0)))]
    return [("H(z)", sp.latex(transfer.response.expression()))]


def numbered(letter: str, values: Sequence[Expr]) -> list[tuple[str, str]]:
    """Return one line a value; neighbours that are equal share one."""
    lines = []
    start = 0
    while start < len(values):
        stop = start + 1
        while stop < len(values) and values[stop] == values[start]:
            stop += 1
        names = f"{letter}_{{{start}}}"
        if stop - start > 1:
            dots = r"= \dots = " if stop - start > 2 else "= "
            names += f" {dots}{letter}_{{{stop - 1}}}"
        lines.append((names, sp.latex(values[start])))
        start = stop
    return lines


def condition_lines(condition: Sequence[Expr]) -> list[tuple[str, str]]:
    """Return the equations under which no tone exists, where there is a choice."""
    equations = [each for each in condition if each != sp.false]
    if not equations:
        return []
    text = r",\ ".join(map(sp.latex, equations))
    return [(rf"a_k = 0\ (k \ne 0) &\iff {text}", "")]


def null_lines(nulls: Mapping[int, Expr], factor: int) -> list[tuple[str, str]]:
    """Return one line for each multiplicity, with the ``k`` that have it."""
    lines = []
    for multiplicity in sorted(set(nulls.values())):
        places = ", ".join(str(k) for k, value in nulls.items() if value == multiplicity)
        zero = rf"\operatorname{{mult}}\, H(e^{{j 2\pi k / {factor}}})"
        lines.append((zero, rf"{sp.latex(multiplicity)}, \quad k = {places}"))
    return lines


def droop_lines(droop: Expr, factor: int, *, numeric: bool) -> list[tuple[str, str]]:
    """Return the droop, with decibels where it is a number."""
    text = sp.latex(droop)
    if numeric and droop != 0:
        text += rf" \approx {float(decibels(droop)):.2f}\ \mathrm{{dB}}"
    turn = sp.latex(sp.pi / factor, fold_short_frac=True)
    name = rf"\left|H(e^{{j {turn}}})\right| / \left|H(1)\right|"
    return [(name, text)]
