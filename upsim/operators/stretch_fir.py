"""A stretch followed by an FIR: the form of every plain upsampler."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from upsim.errors import ShapeError
from upsim.operators.checks import (
    checked_array,
    checked_columns,
    checked_crop,
    checked_grid,
    checked_offset,
)
from upsim.operators.circle import by_phase, filtered
from upsim.operators.edges import PADDING_MODES, extended_index
from upsim.operators.finite import overlap_added
from upsim.operators.length import LengthRule
from upsim.operators.operator import Complex, Operator, Real, added_offsets, frozen
from upsim.words.arguments import LARGEST_LENGTH, one_of, refuse_beyond_memory, whole_number
from upsim.words.tolerance import rounding

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from upsim.operators.polyphase import PolyphaseMatrix

#: Products of a fold that are made in one call (512 KiB).
_SMALL = 2**16


@dataclass(frozen=True, eq=False)
class StretchFIR(Operator):
    r"""Zeros between the samples, then a filter.

    .. math:: y_o[n] = b_o[n \bmod p] + \sum_c \sum_k h_{oc}[k]\, x_c[m],
              \qquad n = m L + d k - \mathrm{crop}_{left}

    and in frequency (cycles per output sample) :math:`Y(f) = H(f) X(L f)` with
    :math:`H(f) = \sum_k h[k] e^{-j 2\pi f (d k - \mathrm{crop}_{left})}`.  The stretch is the
    expander of Vaidyanathan, *Multirate Systems and Filter Banks* (1993), section 4.1.

    Parameters
    ----------
    taps : array (out, in / groups, K)
        The filter ``h``.
    factor : int
        ``L``: samples out per sample in.
    dilation : int
        ``d``: distance of neighbouring taps, in output samples.
    groups : int
        Channels that are filtered apart, as torch counts them; ``groups = in`` with one tap set
        per channel is an interpolator.
    offset : array (out, p), optional
        ``b``, periodic.
    crop : (int, int)
        Samples cut from the left and right of the full response; negative: zeros added.
    padding_mode : str
        What the finite map sees beyond the ends of its input.

    Examples
    --------
    >>> nearest = StretchFIR(np.ones((1, 1, 3)), factor=3)
    >>> nearest.apply(np.array([[1.0, 2.0]]))
    array([[1., 1., 1., 2., 2., 2.]])
    >>> nearest.phase_gains()
    array([[[1., 1., 1.]]])
    """

    taps: Real
    factor: int = 1
    dilation: int = field(default=1, kw_only=True)
    groups: int = field(default=1, kw_only=True)
    offset: Real | None = field(default=None, kw_only=True)
    crop: tuple[int, int] = field(default=(0, 0), kw_only=True)
    padding_mode: str = field(default="zeros", kw_only=True)

    def __post_init__(self) -> None:
        taps = checked_array(self.taps, "taps", axes="(out, in / groups, K)")
        whole = {
            name: whole_number(getattr(self, name), name, most=None)
            for name in ("factor", "dilation", "groups")
        }
        if taps.shape[0] % whole["groups"]:
            raise ShapeError(
                "the first axis of taps must be a multiple of the groups",
                given=f"taps of shape {taps.shape}, groups={self.groups}",
                expected="shape (out, in / groups, K)",
                fix="groups=1",
            )
        one_of(self.padding_mode, "padding_mode", PADDING_MODES)
        crop = checked_crop(self.crop)
        offset = checked_offset(self.offset, taps.shape[0])
        for name, value in {"taps": taps, "crop": crop, "offset": offset, **whole}.items():
            object.__setattr__(self, name, value)

    @property
    def out_channels(self) -> int:  # type: ignore[override]
        """Channels out."""
        return int(self.taps.shape[0])

    @property
    def in_channels(self) -> int:  # type: ignore[override]
        """Channels in."""
        return int(self.taps.shape[1]) * self.groups

    @property
    def up(self) -> int:  # type: ignore[override]
        """Output samples after which the operator repeats itself: the factor."""
        return self.factor

    @property
    def down(self) -> int:  # type: ignore[override]
        """Input samples after which the operator repeats itself: 1."""
        return 1

    @property
    def terms(self) -> int:
        """Products that are added for one output sample."""
        return int(self.taps.shape[1] * self.taps.shape[2])

    @property
    def reach(self) -> int:
        """Output samples that one input sample touches: ``d (K - 1) + 1``."""
        return int(self.dilation * (self.taps.shape[2] - 1) + 1)

    @cached_property
    def positions(self) -> NDArray[np.intp]:
        """Output sample of each tap, relative to ``m L``."""
        return frozen(np.arange(self.taps.shape[2]) * self.dilation - self.crop[0])

    @cached_property
    def length(self) -> LengthRule:  # type: ignore[override]
        """The length law ``(n - 1) L + reach - crops``."""
        extra = self.reach - self.factor - self.crop[0] - self.crop[1]
        return LengthRule(((self.factor, 1, extra),))

    def dense_taps(self) -> Real:
        """Return the taps with groups and dilation written out, shape (out, in, reach)."""
        out, per_group, _ = self.taps.shape
        if self.groups == 1 and self.dilation == 1:
            return self.taps
        refuse_beyond_memory(
            out * self.in_channels * self.reach,
            "the dense taps",
            fix="ask for the layers one by one",
        )
        dense = np.zeros((out, self.in_channels, self.reach))
        rows = out // self.groups
        for group in range(self.groups):
            chosen = slice(group * rows, (group + 1) * rows)
            columns = slice(group * per_group, (group + 1) * per_group)
            dense[chosen, columns, :: self.dilation] = self.taps[chosen]
        return dense

    def response(self, frequencies: ArrayLike) -> Complex:
        """Return ``H`` at frequencies in cycles per output sample, shape (F, out, in)."""
        grid = checked_grid(frequencies)
        out, per_group, count = self.taps.shape
        refuse_beyond_memory(
            grid.size * out * self.in_channels,
            "the frequency response",
            fix="ask for fewer frequencies",
            itemsize=16,
        )
        size = _whole_grid(grid)
        # A product a tap, pair and frequency, and an exponential (some 20 products) a tap and
        # frequency; or, for frequencies k / n, an FFT of n points a pair.
        direct = grid.size * count * (20 + 2 * out * per_group)
        if size and 3 * out * per_group * size * np.log2(size) < direct:
            circle = np.zeros((out, per_group, size))
            places = self.positions % size
            if self.reach <= size:
                circle[:, :, places] = self.taps
            elif count > out * per_group:
                for pair in np.ndindex(out, per_group):
                    circle[pair] = np.bincount(places, self.taps[pair], minlength=size)
            else:
                for tap, position in enumerate(places):
                    circle[:, :, position] += self.taps[:, :, tap]
            grouped = np.fft.rfft(circle, axis=2)[:, :, : grid.size]
        else:
            turns = np.exp(-2j * np.pi * np.outer(self.positions, grid))
            grouped = (self.taps.reshape(-1, count) @ turns).reshape(out, per_group, grid.size)
        if self.groups == 1:
            return np.ascontiguousarray(grouped.transpose(2, 0, 1))
        dense = np.zeros((grid.size, out, self.in_channels), dtype=np.complex128)
        rows = out // self.groups
        for group in range(self.groups):
            chosen = slice(group * rows, (group + 1) * rows)
            columns = slice(group * per_group, (group + 1) * per_group)
            dense[:, chosen, columns] = grouped[chosen].transpose(2, 0, 1)
        return dense

    def gains(self, frequencies: ArrayLike) -> Complex:
        """Return ``H(g) / L``, shape (F, 1, out, in): the stretch shares a line among L images."""
        return self.response(frequencies)[:, None] / self.factor

    def phase_gains(self) -> Real:
        r"""Return :math:`g_i = \sum_m h[m L + i]` (crops counted), shape (out, in, L)."""
        return by_phase(self.dense_taps(), -self.crop[0], self.factor)

    def phase_powers(self) -> Real:
        r"""Return :math:`\sum_m h[m L + i]^2`, shape (out, in, L)."""
        return by_phase(self.dense_taps() ** 2, -self.crop[0], self.factor)

    def polyphase(self) -> PolyphaseMatrix:
        """Return the block form: one input sample in, L output samples out."""
        from upsim.operators.polyphase import PolyphaseMatrix

        dense = self.dense_taps()
        first = -self.crop[0] // self.factor
        lead = -self.crop[0] - first * self.factor
        count = -(-(lead + self.reach) // self.factor)
        refuse_beyond_memory(
            dense.shape[0] * dense.shape[1] * count * self.factor,
            "the polyphase matrix",
            fix="ask for the layers one by one",
        )
        padded = np.zeros((dense.shape[0], dense.shape[1], count * self.factor))
        padded[:, :, lead : lead + self.reach] = dense
        blocks = padded.reshape(dense.shape[0], dense.shape[1], count, self.factor)
        return PolyphaseMatrix(
            frozen(blocks.transpose(2, 0, 3, 1)[..., None]),
            first,
            offset=self.offset,
            length=self.length,
            padding_mode=self.padding_mode,
        )

    def stretch_fir(self) -> StretchFIR:
        """Return the operator itself."""
        return self

    def then(self, other: Operator) -> Operator:
        r"""Return this operator followed by another, by the noble identities.

        ``H1`` then a stretch by ``L2`` is the stretch then ``H1(z^L2)`` (Vaidyanathan 1993, section
        4.2), so two stretch-FIRs are one: factor ``L1 L2`` and taps
        :math:`h[n] = \sum_k h_2[n - L_2 k]\, h_1[k]`.
        """
        self._refuse_unless_chained(other)
        if not isinstance(other, StretchFIR):
            return self.polyphase().then(other)
        first, second, groups = _common_groups(self, other)
        reach = (first.shape[2] - 1) * other.factor + second.shape[2]
        out, inner = second.shape[0] // groups, first.shape[0] // groups
        refuse_beyond_memory(
            second.shape[0] * first.shape[1] * reach,
            "the folded taps",
            fix="ask for the layers one by one",
        )
        left = first.reshape(groups, inner, first.shape[1], first.shape[2])
        right = second.reshape(groups, out, inner, second.shape[2]).transpose(0, 3, 1, 2)
        taps = np.zeros((groups, reach, out, first.shape[1]))
        if taps.size * first.shape[2] <= _SMALL:
            # One product for all taps: calls, not sums, are what small operators cost.
            pieces = right @ left.reshape(groups, 1, inner, -1)
            pieces = pieces.reshape(*pieces.shape[:3], *left.shape[2:])
            for tap in range(first.shape[2]):
                start = tap * other.factor
                taps[:, start : start + second.shape[2]] += pieces[..., tap]
        else:
            for tap in range(first.shape[2]):
                start = tap * other.factor
                taps[:, start : start + second.shape[2]] += right @ left[:, None, :, :, tap]
        offset = other.offset
        if self.offset is not None:
            offset = added_offsets(other.periodic(self.offset), other.offset)
        return StretchFIR(
            frozen(taps.transpose(0, 2, 3, 1).reshape(second.shape[0], first.shape[1], reach)),
            self.factor * other.factor,
            groups=groups,
            offset=offset,
            crop=(
                other.factor * self.crop[0] + other.crop[0],
                other.factor * self.crop[1] + other.crop[1],
            ),
        )

    def __add__(self, other: Operator) -> Operator:
        """Return the sum of two operators of equal channels, rate and length."""
        self._refuse_unless_parallel(other)
        if not isinstance(other, StretchFIR):
            return self.polyphase() + other
        left = max(self.crop[0], other.crop[0])
        reach = max(part.reach - part.crop[0] for part in (self, other)) + left
        taps = np.zeros((self.out_channels, self.in_channels, reach))
        for part in (self, other):
            start = left - part.crop[0]
            taps[:, :, start : start + part.reach] += part.dense_taps()
        right = reach - self.factor - left - self.length.steps[0][2]
        return StretchFIR(
            frozen(taps),
            self.factor,
            offset=added_offsets(self.offset, other.offset),
            crop=(left, right),
            padding_mode=self.padding_mode if self.padding_mode == other.padding_mode else "zeros",
        )

    def periodic(self, period: Real) -> Real:
        """Map one period (..., in, P) to one period (..., out, P L), offset left out."""
        period = checked_columns(period, "period", self.in_channels, axes="(..., in, P)")
        batch, inward, count = period.shape[:-2], period.shape[-2], period.shape[-1]
        # Axes (groups, in / groups, batch, P): one GEMM a group over batch and time together.
        channels_first = period.reshape(-1, inward, count).swapaxes(0, 1)
        columns = channels_first.reshape(self.groups, inward // self.groups, -1, count)
        taps, positions = self.taps, self.positions
        if self.factor == 1 and taps.strides[2] < 0:
            # A correlation kernel is stored back to front: read it in memory order, so that its
            # reshape copies nothing.
            taps, positions = taps[:, :, ::-1], positions[::-1]
        kernels = taps.reshape(self.groups, -1, *taps.shape[1:])
        made = filtered(kernels, positions, columns, self.factor)
        return made.swapaxes(0, 1).reshape(*batch, self.out_channels, -1)

    def apply(self, samples: Real) -> Real:
        """Map a finite input with its edges, (in, n) -> (out, length(n)), offset left out."""
        samples = checked_columns(samples, "samples", self.in_channels, axes="(in, n)")
        count = samples.shape[1]
        total = self.length(count)
        if self.padding_mode == "zeros":
            return self._added(samples, 0, 0, total)
        first, last = self.seen_by(0, total)
        index, seen = extended_index(np.arange(first, last + 1), count, self.padding_mode)
        return self._added(np.where(seen, samples[:, index], 0.0), first, 0, total)

    def stretch_of(self, samples: Real, given: int, first: int, last: int) -> Real:
        """Return outputs ``first`` to ``last - 1``, offset included, of a stretch of the input.

        Parameters
        ----------
        samples : array (in, n)
            Input samples ``given`` to ``given + n - 1``; all others are taken as zeros.
        """
        made = self._added(samples, given, first, last)
        if self.offset is not None:
            period = self.offset.shape[1]
            made += self.offset if period == 1 else self.offset[:, np.arange(first, last) % period]
        return made

    def seen_by(self, first: int, last: int) -> tuple[int, int]:
        """Return the first and last input sample that outputs ``first`` to ``last - 1`` look at."""
        low = -(-(first + self.crop[0] - (self.reach - 1)) // self.factor)
        return low, (last - 1 + self.crop[0]) // self.factor

    def _added(self, samples: Real, given: int, first: int, last: int) -> Real:
        """Return outputs ``first`` to ``last - 1`` of samples that begin at number ``given``."""
        return overlap_added(
            self.taps.reshape(self.groups, -1, *self.taps.shape[1:]),
            samples.reshape(self.groups, self.taps.shape[1], samples.shape[1]),
            given * self.factor - self.crop[0] - first,
            self.dilation,
            self.factor,
            last - first,
        )

    def largest_gain(self) -> float:
        """Return the largest sum of absolute taps that one output sample sees."""
        return self._largest_gain

    @cached_property
    def _largest_gain(self) -> float:
        rows = np.abs(self.taps).sum(axis=1)
        cells = np.arange(rows.shape[0])[:, None] * self.factor + self.positions % self.factor
        return float(np.bincount(cells.reshape(-1), weights=rows.reshape(-1)).max())

    def support(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the first and last input sample that each output phase sees, shapes (L,)."""
        first = np.full(self.factor, np.iinfo(np.intp).max // 2)
        last = -first
        phases = self.positions % self.factor
        samples = (phases - self.positions) // self.factor
        # Later taps see earlier samples, and of several writings to one place the last one stays.
        first[phases] = samples
        last[phases[::-1]] = samples[::-1]
        blind = last < first
        return np.where(blind, 0, first), np.where(blind, -1, last)

    def matrix(self, length: int) -> csr_array:
        """Return the banded finite map, offset left out: (out length(n), in n)."""
        from scipy.sparse import coo_array

        length = whole_number(length, "length", most=LARGEST_LENGTH)
        total = self.length(length)
        # A number, its column, and both once more while they are sorted.
        refuse_beyond_memory(
            4 * self.out_channels * total * self.terms, "the finite matrix", fix="a shorter length"
        )
        dense = self.dense_taps()
        rows, columns, values = [], [], []
        for position in range(0, self.reach, self.dilation):
            place = position - self.crop[0]
            # The samples whose answer to this tap lies inside the output.
            low, high = -(place // self.factor), -((place - total) // self.factor)
            if self.padding_mode == "zeros":
                low, high = max(low, 0), min(high, length)
            looked_at = np.arange(low, high)
            inside, seen = extended_index(looked_at, length, self.padding_mode)
            hit, inside = (place + looked_at * self.factor)[seen], inside[seen]
            out, inward = np.nonzero(dense[:, :, position])
            rows.append((out[:, None] * total + hit).reshape(-1))
            columns.append((inward[:, None] * length + inside).reshape(-1))
            values.append(np.repeat(dense[out, inward, position], hit.size))
        shape = (self.out_channels * total, self.in_channels * length)
        entries = (np.concatenate(rows), np.concatenate(columns))
        return coo_array((np.concatenate(values), entries), shape=shape).tocsr()


def _whole_grid(frequencies: Real) -> int:
    """Return n if the frequencies are ``k / n`` for k = 0, 1, ... up to at most 1/2, else 0."""
    count = frequencies.size
    if count < 3 or frequencies[0] != 0 or not 0 < frequencies[-1] <= 0.5:
        return 0
    size = round((count - 1) / float(frequencies[-1]))
    # Two roundings, of k and of the quotient, are the same frequency.
    off = np.abs(frequencies * size - np.arange(count)).max()
    return size if off <= rounding(2, float(count)) else 0


def _common_groups(first: StretchFIR, second: StretchFIR) -> tuple[Real, Real, int]:
    """Return both filters' taps, dilation written out, over groups that they share."""
    if first.groups == second.groups and first.groups > 1:
        return _undilated(first), _undilated(second), first.groups
    return first.dense_taps(), second.dense_taps(), 1


def _undilated(operator: StretchFIR) -> Real:
    taps = np.zeros((*operator.taps.shape[:2], operator.reach))
    taps[:, :, :: operator.dilation] = operator.taps
    return taps
