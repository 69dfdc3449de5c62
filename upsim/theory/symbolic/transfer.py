"""Exact transfer functions and the noble identities by which they fold.

The two forms are those of :mod:`upsim.operators`, with SymPy expressions for taps:
a stretch followed by an FIR, and the polyphase matrix of whatever also decimates.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from math import lcm
from typing import TypeAlias

import sympy as sp

from upsim.errors import ShapeError
from upsim.theory.symbolic.laurent import Expr, LaurentMatrix


@dataclass(frozen=True)
class StretchTransfer:
    r"""A stretch by ``factor``, then ``H(z)`` at the output rate.

    :math:`Y(z) = H(z) X(z^L)`; matrix entries are (out, in).
    """

    response: LaurentMatrix
    factor: int

    @property
    def up(self) -> int:
        """Output samples of a block."""
        return self.factor

    @property
    def down(self) -> int:
        """Input samples of a block: 1."""
        return 1

    @property
    def channels(self) -> tuple[int, int]:
        """Channels (out, in)."""
        return self.response.shape

    @property
    def span(self) -> int:
        """Output samples from the first tap to the last."""
        return self.response.span

    def phase_taps(self) -> list[list[Expr]]:
        """Return the taps ``h[m L + i]`` of each phase ``i``, matrices (out, in)."""
        found: list[list[Expr]] = [[] for _ in range(self.factor)]
        for n, tap in self.response.taps.items():
            found[n % self.factor].append(tap)
        return found

    def pair(self, out: int, inward: int) -> StretchTransfer:
        """Return the transfer from one input channel to one output channel."""
        taps = {n: sp.Matrix([tap[out, inward]]) for n, tap in self.response.taps.items()}
        return StretchTransfer(LaurentMatrix.of(taps, (1, 1)), self.factor)

    def blocks(self) -> BlockTransfer:
        """Return the polyphase matrix: row ``o L + i`` of delay ``m`` is ``h_o[m L + i]``."""
        out, inward = self.channels
        taps: dict[int, Expr] = {}
        for n, tap in self.response.taps.items():
            delay, phase = divmod(n, self.factor)
            block = taps.setdefault(delay, sp.zeros(out * self.factor, inward))
            for o in range(out):
                block[o * self.factor + phase, :] = tap[o, :]
        return BlockTransfer(LaurentMatrix.of(taps, (out * self.factor, inward)), self.factor, 1)


@dataclass(frozen=True)
class BlockTransfer:
    r"""Blocks of ``down`` samples in, blocks of ``up`` samples out: ``P(z)``, ``z`` a block.

    Row ``o up + i`` is sample ``i`` of output channel ``o``, column ``c down + q`` sample ``q`` of
    input channel ``c`` (Vaidyanathan, *Multirate Systems and Filter Banks*, 1993, section 10.1).
    """

    response: LaurentMatrix
    up: int
    down: int

    @property
    def channels(self) -> tuple[int, int]:
        """Channels (out, in)."""
        rows, columns = self.response.shape
        return rows // self.up, columns // self.down

    @property
    def span(self) -> int:
        """Output samples from the first block to the last."""
        return self.response.span * self.up

    def phase_taps(self) -> list[list[Expr]]:
        """Return each output phase's taps, over delays and input phases: matrices (out, in)."""
        return [
            [
                sp.ImmutableMatrix(tap[phase :: self.up, part :: self.down])
                for tap in self.response.taps.values()
                for part in range(self.down)
            ]
            for phase in range(self.up)
        ]

    def pair(self, out: int, inward: int) -> BlockTransfer:
        """Return the transfer from one input channel to one output channel."""
        rows = slice(out * self.up, (out + 1) * self.up)
        columns = slice(inward * self.down, (inward + 1) * self.down)
        taps = {n: tap[rows, columns] for n, tap in self.response.taps.items()}
        return BlockTransfer(LaurentMatrix.of(taps, (self.up, self.down)), self.up, self.down)

    def blocks(self) -> BlockTransfer:
        """Return the transfer itself."""
        return self

    def blocked(self, ratio: int) -> BlockTransfer:
        """Return the same map in blocks ``ratio`` times as long.

        Small output block ``b ratio + rho`` sees small input block ``b ratio + rho - n``: part
        ``(rho - n) mod ratio`` of the long block that is ``-floor((rho - n) / ratio)`` late.
        """
        if ratio == 1:
            return self
        out, inward = self.channels
        shape = (out * self.up * ratio, inward * self.down * ratio)
        taps: dict[int, Expr] = {}
        for n, tap in self.response.taps.items():
            for rho in range(ratio):
                late, part = divmod(rho - n, ratio)
                block = taps.setdefault(-late, sp.zeros(*shape))
                for row in range(tap.rows):
                    o, i = divmod(row, self.up)
                    for column in range(tap.cols):
                        c, q = divmod(column, self.down)
                        block[
                            (o * ratio + rho) * self.up + i, (c * ratio + part) * self.down + q
                        ] += tap[row, column]
        return BlockTransfer(LaurentMatrix.of(taps, shape), self.up * ratio, self.down * ratio)

    def simplest(self) -> Transfer:
        """Return the stretch form where the map treats all input samples alike."""
        if self.down != 1:
            return self
        out, inward = self.channels
        taps = {
            n * self.up + phase: tap[phase :: self.up, :]
            for n, tap in self.response.taps.items()
            for phase in range(self.up)
        }
        return StretchTransfer(LaurentMatrix.of(taps, (out, inward)), self.up)


Transfer: TypeAlias = StretchTransfer | BlockTransfer


def chain(first: Transfer, second: Transfer) -> Transfer:
    r"""Return the transfer of one map after another.

    For two stretch-FIRs the noble identity ``H1(z)`` then stretch ``L2`` = stretch ``L2`` then
    ``H1(z^{L2})`` (Vaidyanathan 1993, section 4.2) gives :math:`H(z) = H_2(z) H_1(z^{L_2})` behind
    one stretch by :math:`L_1 L_2`.  Anything else is blocked to a common period and multiplied.

    Examples
    --------
    >>> hold = StretchTransfer(LaurentMatrix.of({0: sp.eye(1), 1: sp.eye(1)}, (1, 1)), 2)
    >>> folded = chain(hold, hold)
    >>> folded.factor, folded.response.expression()[0, 0]
    (4, 1 + 1/z + z**(-2) + z**(-3))
    """
    if isinstance(first, StretchTransfer) and isinstance(second, StretchTransfer):
        response = second.response @ first.response.stretched(second.factor)
        return StretchTransfer(response, first.factor * second.factor)
    early, late = first.blocks(), second.blocks()
    common = lcm(early.up, late.down)
    early, late = early.blocked(common // early.up), late.blocked(common // late.down)
    return BlockTransfer(late.response @ early.response, late.up, early.down).simplest()


def merge(parts: list[Transfer], merging: str) -> Transfer:
    """Return branches of one input merged by "sum", "mean" or "concatenate"."""
    rates = {sp.Rational(part.up, part.down) for part in parts}
    if len(rates) != 1:
        raise ShapeError(
            "the branches run at different rates",
            given=f"{sorted(rates)} output samples per input sample",
            expected="one rate",
            fix="change a stride or a factor of one branch",
        )
    if all(isinstance(part, StretchTransfer) for part in parts):
        merged = _merged([part.response for part in parts], merging)
        return StretchTransfer(merged, parts[0].up)
    common = lcm(*(part.up for part in parts))
    blocks = [part.blocks().blocked(common // part.up) for part in parts]
    merged = _merged([part.response for part in blocks], merging)
    return BlockTransfer(merged, blocks[0].up, blocks[0].down).simplest()


def _merged(responses: list[LaurentMatrix], merging: str) -> LaurentMatrix:
    if merging == "concatenate":
        return reduce(LaurentMatrix.above, responses)
    total = reduce(LaurentMatrix.__add__, responses)
    return total.scaled(sp.Rational(1, len(responses))) if merging == "mean" else total
