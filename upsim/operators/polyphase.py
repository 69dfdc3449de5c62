"""The polyphase matrix: the universal form of a periodically time-varying linear layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import gcd, lcm
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from upsim.errors import NotPredictableError
from upsim.operators.checks import (
    checked_array,
    checked_columns,
    checked_grid,
    checked_offset,
    refuse_other_rate,
)
from upsim.operators.edges import PADDING_MODES, extended_index
from upsim.operators.folded import coprime
from upsim.operators.length import LengthRule
from upsim.operators.operator import Complex, Operator, Real, Whole
from upsim.operators.repeating import Repeating
from upsim.words.arguments import (
    one_of,
    refuse_beyond_memory,
    signed_number,
    whole_number,
)
from upsim.words.frozen import frozen

if TYPE_CHECKING:
    from upsim.operators.stretch_fir import StretchFIR


@dataclass(frozen=True, eq=False)
class PolyphaseMatrix(Operator):
    r"""Blocks of ``down`` input samples in, blocks of ``up`` output samples out.

    .. math:: y_o[b\,U + i] = b_o[\cdot] + \sum_{j, c, q} P_{j;\,oi,cq}\;
              x_c[(b - j_0 - j) D + q]

    so that, with the samples of a block taken as channels, the layer is an ordinary matrix FIR
    ``P(z)``.  Strided convolutions, shuffles, sums and branches are all of this form
    (Vaidyanathan, *Multirate Systems and Filter Banks*, 1993, section 10.1: LPTV systems and
    their blocked version).

    Parameters
    ----------
    blocks : array (J, out, up, in, down)
        ``P_j``.
    first : int
        ``j_0``: delay of the first block, in blocks; negative when the layer looks ahead.
    offset : array (out, p), optional
        Added to the output, periodic.
    length : LengthRule
        Output samples for a number of input samples.
    padding_mode : str
        What the finite map sees beyond the ends of its input.

    Examples
    --------
    >>> keep_every_second = PolyphaseMatrix(
    ...     np.array([1.0, 0.0]).reshape(1, 1, 1, 1, 2), length=LengthRule(((1, 2, 1),))
    ... )
    >>> keep_every_second.apply(np.array([[1.0, 2.0, 3.0]]))
    array([[1., 3.]])
    """

    blocks: Real
    first: int = 0
    offset: Real | None = field(default=None, kw_only=True)
    length: LengthRule = field(kw_only=True)
    padding_mode: str = field(default="zeros", kw_only=True)

    def __post_init__(self) -> None:
        blocks = checked_array(self.blocks, "blocks", axes="(J, out, up, in, down)")
        object.__setattr__(self, "blocks", blocks)
        object.__setattr__(self, "first", signed_number(self.first, "first", most=None))
        one_of(self.padding_mode, "padding_mode", PADDING_MODES)
        refuse_other_rate(self.length, self.up, self.down)
        object.__setattr__(self, "offset", checked_offset(self.offset, self.out_channels))

    @property
    def out_channels(self) -> int:  # type: ignore[override]
        """Channels out."""
        return int(self.blocks.shape[1])

    @property
    def in_channels(self) -> int:  # type: ignore[override]
        """Channels in."""
        return int(self.blocks.shape[3])

    @property
    def up(self) -> int:  # type: ignore[override]
        """Output samples of a block."""
        return int(self.blocks.shape[2])

    @property
    def down(self) -> int:  # type: ignore[override]
        """Input samples of a block."""
        return int(self.blocks.shape[4])

    @property
    def terms(self) -> int:
        """Products that are added for one output sample."""
        return int(self.blocks.shape[0] * self.in_channels * self.down)

    def gains(self, frequencies: ArrayLike) -> Complex:
        r"""Return the gains from ``f_l = (U g + l) / D`` to ``g``, shape (F, D, out, in).

        .. math:: A_l(g) = \frac{1}{U} \sum_{j,i,q} P_{j;iq}\,
                  e^{-j 2\pi g ((j_0 + j) U + i)}\, e^{+j 2\pi f_l q}

        The block answers to ``e^{j2πfn}`` with the same exponential from block to block, because
        ``D f = U g`` modulo 1; the line at ``g`` is the average of the phases turned back by ``g``.
        """
        grid = checked_grid(frequencies)
        count, out, up, inward, down = self.blocks.shape
        refuse_beyond_memory(
            grid.size * down * max(out * inward, down),
            "the gains",
            fix="ask for fewer frequencies, or use a smaller stride",
            itemsize=16,
        )
        moments = ((self.first + np.arange(count))[:, None] * up + np.arange(up)).reshape(-1)
        turned = np.exp(-2j * np.pi * np.outer(grid, moments)) / up
        flat = self.blocks.transpose(0, 2, 1, 3, 4).reshape(count * up, -1)
        half = (turned @ flat).reshape(grid.size, out, inward, down)
        inputs = (up * grid[:, None] + np.arange(down)) / down
        ahead = np.exp(2j * np.pi * inputs[:, :, None] * np.arange(down))
        return np.asarray(np.einsum("foiq,flq->floi", half, ahead, optimize=True))

    def polyphase(self) -> PolyphaseMatrix:
        """Return the operator itself."""
        return self

    def stretch_fir(self) -> StretchFIR:
        r"""Return the stretch-FIR form, exactly; refused where the input phase truly matters.

        Where ``U`` and ``D`` have no divisor in common, each entry of the blocks is a tap of its
        own: input ``q`` of a block reaches output :math:`n = (j_0 + j) U + i` by the tap at the
        place :math:`p = n D - q U`, and no other two do.
        """
        plain = self.reduced()
        if gcd(plain.up, plain.down) > 1:
            raise NotPredictableError(
                "this operator is not a stretch followed by an FIR",
                given=f"a map that repeats every {plain.down} input and {plain.up} output samples",
                expected="a map that treats all input samples alike",
                fix="keep the polyphase form",
            )
        count, out, up, inward, down = plain.blocks.shape
        outputs = (plain.first * up + np.arange(count * up))[:, None]
        places = outputs * down - np.arange(down) * up
        first = int(places.min())
        taps = np.zeros((out, inward, int(places.max()) - first + 1))
        taps[..., places - first] = plain.blocks.transpose(1, 3, 0, 2, 4).reshape(
            out, inward, -1, down
        )
        return coprime(
            taps,
            up,
            down,
            groups=1,
            offset=plain.offset,
            left=-first,
            length=plain.length,
            padding_mode=plain.padding_mode,
        )

    def reduced(self) -> PolyphaseMatrix:
        """Return the same operator with the smallest block, found by exact comparison.

        A block of ``r`` smaller blocks repeats them along its diagonal; when it does so to the
        last bit, one of them says it all.
        """
        shared = gcd(self.up, self.down)
        for ratio in (r for r in range(shared, 1, -1) if shared % r == 0):
            smaller = self._first_rows(ratio)
            again = smaller.blocked(ratio)
            if again._equals(self):
                return smaller
        return self

    def _first_rows(self, ratio: int) -> PolyphaseMatrix:
        """Return the operator that the first ``1/ratio`` of the output rows would give."""
        count, out, up, inward, down = self.blocks.shape
        rows = self.blocks[:, :, : up // ratio]
        split = rows.reshape(count, out, up // ratio, inward, ratio, down // ratio)
        # Small block (first + j) ratio - s is the s-th part of input block j: order by delay.
        delayed = split.transpose(0, 4, 1, 2, 3, 5)[:, ::-1]
        small = delayed.reshape(count * ratio, out, up // ratio, inward, down // ratio)
        return PolyphaseMatrix(
            frozen(small),
            self.first * ratio - (ratio - 1),
            offset=self.offset,
            length=self.length,
            padding_mode=self.padding_mode,
        )._trimmed()

    def _trimmed(self) -> PolyphaseMatrix:
        """Drop leading and trailing blocks that are exactly zero; zero itself begins anywhere."""
        used = np.flatnonzero(self.blocks.any(axis=(1, 2, 3, 4)))
        low, high = (int(used[0]), int(used[-1]) + 1) if used.size else (-self.first, 1)
        return PolyphaseMatrix(
            self.blocks[low:high] if used.size else self.blocks[:1],
            self.first + low,
            offset=self.offset,
            length=self.length,
            padding_mode=self.padding_mode,
        )

    def _equals(self, other: PolyphaseMatrix) -> bool:
        mine, theirs = self._trimmed(), other._trimmed()
        return (
            mine.first == theirs.first
            and mine.blocks.shape == theirs.blocks.shape
            and bool(np.array_equal(mine.blocks, theirs.blocks))
        )

    def blocked(self, ratio: int) -> PolyphaseMatrix:
        """Return the same operator in blocks ``ratio`` times as long."""
        ratio = whole_number(ratio, "ratio")
        if ratio == 1:
            return self
        count, out, up, inward, down = self.blocks.shape
        # Output block rho of the long block b' sees input block b' ratio + rho - first - j:
        # the part (that modulo ratio) of the long input block (that divided by ratio).
        delays = np.arange(ratio)[:, None] - self.first - np.arange(count)
        longs = -(delays // ratio)
        first = int(longs.min())
        size = int(longs.max()) - first + 1
        refuse_beyond_memory(
            size * out * up * ratio * inward * down * ratio,
            "the polyphase matrix",
            fix="use a signal or strides with a shorter common period",
        )
        blocks = np.zeros((size, out, ratio, up, inward, ratio, down))
        for rho in range(ratio):
            for j in range(count):
                part = int(delays[rho, j]) % ratio
                blocks[int(longs[rho, j]) - first, :, rho, :, :, part] += self.blocks[j]
        return PolyphaseMatrix(
            frozen(blocks.reshape(size, out, ratio * up, inward, ratio * down)),
            first,
            offset=self.offset,
            length=self.length,
            padding_mode=self.padding_mode,
        )

    def then(self, other: Operator) -> Operator:
        """Return this operator followed by another: block to the common period, multiply."""
        self._refuse_unless_chained(other)
        outer = other.polyphase()
        common = lcm(self.up, outer.down)
        first = self.blocked(common // self.up)
        second = outer.blocked(common // outer.down)
        count = first.blocks.shape[0] + second.blocks.shape[0] - 1
        refuse_beyond_memory(
            count * second.out_channels * second.up * first.in_channels * first.down,
            "the polyphase matrix",
            fix="ask for the layers one by one",
        )
        left = first.blocks.reshape(first.blocks.shape[0], self.out_channels * common, -1)
        right = second.blocks.reshape(
            second.blocks.shape[0], second.out_channels * second.up, self.out_channels * common
        )
        product = np.zeros((count, right.shape[1], left.shape[2]))
        for j in range(right.shape[0]):
            product[j : j + left.shape[0]] += right[j] @ left
        return PolyphaseMatrix(
            frozen(
                product.reshape(
                    count, second.out_channels, second.up, first.in_channels, first.down
                )
            ),
            first.first + second.first,
            offset=self._offset_then(outer),
            length=self.length.then(second.length),
        )

    def __add__(self, other: Operator) -> Operator:
        """Return the sum of two operators of equal channels, rate and length."""
        self._refuse_unless_parallel(other)
        second = other.polyphase()
        common = lcm(self.up, second.up)
        parts = [self.blocked(common // self.up), second.blocked(common // second.up)]
        first = min(part.first for part in parts)
        count = max(part.first + part.blocks.shape[0] for part in parts) - first
        total = np.zeros((count, *parts[0].blocks.shape[1:]))
        for part in parts:
            start = part.first - first
            total[start : start + part.blocks.shape[0]] += part.blocks
        return PolyphaseMatrix(
            frozen(total),
            first,
            offset=self._offset_plus(second),
            length=self.length,
            padding_mode=self.padding_mode if self.padding_mode == second.padding_mode else "zeros",
        )

    def adjoint(self) -> PolyphaseMatrix:
        """Return the adjoint: every block transposed, every delay an advance."""
        return PolyphaseMatrix(
            frozen(np.ascontiguousarray(self.blocks[::-1].transpose(0, 3, 4, 1, 2))),
            -(self.first + self.blocks.shape[0] - 1),
            length=self.length.inverse(),
        )

    def phase_gains(self) -> Real:
        """Return what each output phase makes of a constant 1, shape (out, in, up)."""
        return np.asarray(self.blocks.sum(axis=(0, 4)).transpose(0, 2, 1))

    def phase_powers(self) -> Real:
        """Return each output phase's variance for white input of power 1, (out, in, up)."""
        return np.asarray((self.blocks**2).sum(axis=(0, 4)).transpose(0, 2, 1))

    def periodic(self, period: Real) -> Real:
        """Map one period (..., in, P) to one period (..., out, up lcm(P, down) / down)."""
        period = checked_columns(period, "period", self.in_channels, axes="(..., in, P)")
        batch, inward, count = period.shape[:-2], period.shape[-2], period.shape[-1]
        tiled = Repeating(period.reshape(-1, inward, count)).over(lcm(count, self.down))
        turns = tiled.shape[2] // self.down
        # Samples of a block become rows, blocks and batch become columns.
        blocked = tiled.reshape(-1, inward, turns, self.down).transpose(1, 3, 2, 0)
        rows = np.ascontiguousarray(blocked).reshape(inward * self.down, turns, -1)
        taps = self.blocks.reshape(-1, self.out_channels * self.up, inward * self.down)
        answer = np.zeros((taps.shape[1], turns, rows.shape[2]))
        for j, tap in enumerate(taps):
            moved = np.roll(rows, self.first + j, axis=1)
            answer += (tap @ moved.reshape(rows.shape[0], -1)).reshape(answer.shape)
        split = answer.reshape(self.out_channels, self.up, turns, -1)
        shaped = split.transpose(3, 0, 2, 1)
        return shaped.reshape(*batch, self.out_channels, turns * self.up)

    def apply(self, samples: Real) -> Real:
        """Map a finite input with its edges, (in, n) -> (out, length(n)), offset left out."""
        samples = checked_columns(samples, "samples", self.in_channels, axes="(in, n)")
        inward, count = samples.shape
        total = self.length(count)
        out_blocks = -(-total // self.up)
        tap_count = self.blocks.shape[0]
        # Input blocks -first-(J-1) … out_blocks-1-first are looked at.
        start = -self.first - (tap_count - 1)
        index = np.arange(start * self.down, (out_blocks - self.first) * self.down)
        inside, seen = extended_index(index, count, self._finite_mode(index, count, total))
        blocked = np.where(seen, samples[:, inside], 0.0).reshape(inward, -1, self.down)
        rows = blocked.transpose(0, 2, 1).reshape(inward * self.down, -1)
        taps = self.blocks.reshape(tap_count, self.out_channels * self.up, -1)
        answer = np.zeros((taps.shape[1], out_blocks))
        for j, tap in enumerate(taps):
            offset = tap_count - 1 - j
            answer += tap @ rows[:, offset : offset + out_blocks]
        shaped = answer.reshape(self.out_channels, self.up, out_blocks).transpose(0, 2, 1)
        return shaped.reshape(self.out_channels, -1)[:, :total]

    def _finite_mode(self, index: NDArray[np.intp], count: int, total: int) -> str:
        """Return the padding mode; a block that is looked at by zeros alone needs no mirror."""
        if self.padding_mode in ("reflect", "circular"):
            first, last = self.support()
            blocks = np.arange(total) // self.up * self.down
            phases = np.arange(total) % self.up
            used = last[phases] >= first[phases]
            low = int((blocks + first[phases])[used].min(initial=0))
            high = int((blocks + last[phases])[used].max(initial=0))
            extended_index(np.array([low, high]), count, self.padding_mode)
            index[index < low] = max(low, 0)
            index[index > high] = high
        return self.padding_mode

    def largest_gain(self) -> float:
        """Return the largest sum of absolute taps that one output sample sees."""
        return float(np.abs(self.blocks).sum(axis=(0, 3, 4)).max())

    def support(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the first and last input sample that each output phase sees, shapes (up,)."""
        count, down = self.blocks.shape[0], self.down
        used = np.any(self.blocks != 0, axis=(1, 3)).transpose(1, 0, 2)
        samples = -(self.first + np.arange(count))[:, None] * down + np.arange(down)
        first = np.where(used, samples, np.iinfo(np.intp).max).min(axis=(1, 2))
        last = np.where(used, samples, np.iinfo(np.intp).min).max(axis=(1, 2))
        blind = ~used.any(axis=(1, 2))
        return np.where(blind, 0, first), np.where(blind, -1, last)

    def _entries(self, length: int) -> Iterator[tuple[Whole, Whole, Real]]:
        total = self.length(length)
        outputs = np.arange(total)
        for j, out, phase, inward, part in np.argwhere(self.blocks):
            hit = outputs[phase :: self.up]
            samples = (hit // self.up - self.first - j) * self.down + part
            inside, seen = extended_index(samples, length, self.padding_mode)
            values = np.full(int(seen.sum()), self.blocks[j, out, phase, inward, part])
            yield out * total + hit[seen], inward * length + inside[seen], values
