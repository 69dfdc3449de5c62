"""A stretch, an FIR, a decimation: the form of every layer that changes the rate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from math import gcd
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from upsim.errors import ArgumentError, ShapeError
from upsim.operators.checks import (
    checked_array,
    checked_columns,
    checked_crop,
    checked_grid,
    checked_offset,
    refuse_other_rate,
)
from upsim.operators.circle import by_phase, filtered
from upsim.operators.decimated import by_part, decimated_circle, decimated_line
from upsim.operators.edges import PADDING_MODES, extended_index
from upsim.operators.finite import overlap_added
from upsim.operators.folded import coprime, folded_taps, regrouped, undilated
from upsim.operators.length import LengthRule
from upsim.operators.operator import Complex, Operator, Real, Whole
from upsim.operators.phasor import phasors
from upsim.words.arguments import finite_array, one_of, refuse_beyond_memory, whole_number
from upsim.words.frozen import frozen
from upsim.words.tolerance import rounding

if TYPE_CHECKING:
    from upsim.operators.polyphase import PolyphaseMatrix

Number = TypeVar("Number", np.float64, np.complex128)

#: A sample on which less falls is not covered (torch's own limit for windows).
_UNCOVERED = 1e-11

#: Samples of a period, and taps, up to which filters of one channel each are applied together.
_SHORT = 1024


@dataclass(frozen=True, eq=False)
class StretchFIR(Operator):
    r"""Zeros between the samples, then a filter, of whose output every ``D``-th sample is kept.

    .. math:: y_o[n] = b_o[n \bmod p] + \sum_c \sum_k h_{oc}[k]\, x_c[m],
              \qquad n D = m L + d k - \mathrm{crop}_{left}

    and in frequency, without the decimation (``D = 1``), :math:`Y(f) = H(f) X(L f)` with
    :math:`H(f) = \sum_k h[k] e^{-j 2\pi f (d k - \mathrm{crop}_{left})}`, ``f`` in cycles per
    sample behind the stretch.  Expander and decimator are those of Vaidyanathan, *Multirate Systems
    and Filter Banks* (1993), section 4.1.  The memory is that of the taps, whatever ``L`` and ``D``
    are.

    Parameters
    ----------
    taps : array (out, in / groups, K)
        The filter ``h``.
    factor : int
        ``L``: the stretch.
    down : int
        ``D``: of the filter's output, samples 0, D, 2 D, ... are kept.  It has no divisor in common
        with ``L``; :meth:`then` takes such a divisor out.
    dilation : int
        ``d``: distance of neighbouring taps, in samples behind the stretch.
    groups : int
        Channels that are filtered apart, as torch counts them; ``groups = in`` with one tap set
        per channel is an interpolator.
    offset : array (out, p), optional
        ``b``, periodic.
    crop : (int, int)
        Samples cut from the left and right of the full response, before the decimation; negative:
        zeros added.
    padding_mode : str
        What the finite map sees beyond the ends of its input.
    coverage : array (K,), optional
        ``u``, for a weighted overlap-add: the finite map divides each output sample by the sum of
        the ``u[k]`` whose input sample is inside the signal.  Those of one phase sum to 1, so
        nothing is divided far from the ends.  No chain, sum or other form keeps it.
    law : LengthRule, optional
        The length law, where floors of several layers make it another than that of the crops.

    Examples
    --------
    >>> nearest = StretchFIR(np.ones((1, 1, 3)), factor=3)
    >>> nearest.apply(np.array([[1.0, 2.0]]))
    array([[1., 1., 1., 2., 2., 2.]])
    >>> nearest.phase_gains()
    array([[[1., 1., 1.]]])
    >>> StretchFIR(np.ones((1, 1, 3)), factor=3, down=2).apply(np.array([[1.0, 2.0]]))
    array([[1., 1., 2.]])
    """

    taps: Real
    factor: int = 1
    down: int = field(default=1, kw_only=True)
    dilation: int = field(default=1, kw_only=True)
    groups: int = field(default=1, kw_only=True)
    offset: Real | None = field(default=None, kw_only=True)
    crop: tuple[int, int] = field(default=(0, 0), kw_only=True)
    padding_mode: str = field(default="zeros", kw_only=True)
    coverage: Real | None = field(default=None, kw_only=True)
    law: LengthRule | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        taps = checked_array(self.taps, "taps", axes="(out, in / groups, K)")
        whole = {
            name: whole_number(getattr(self, name), name, most=None)
            for name in ("factor", "down", "dilation", "groups")
        }
        if taps.shape[0] % whole["groups"]:
            raise ShapeError(
                "the first axis of taps must be a multiple of the groups",
                given=f"taps of shape {taps.shape}, groups={self.groups}",
                expected="shape (out, in / groups, K)",
                fix="groups=1",
            )
        common = gcd(whole["factor"], whole["down"])
        if common > 1:
            raise ArgumentError(
                "stretch and decimation must have no divisor in common",
                given=f"factor={self.factor}, down={self.down}",
                fix=f"StretchFIR(taps[..., ::{common}], {self.factor // common}, "
                f"down={self.down // common}), the taps that are met",
            )
        one_of(self.padding_mode, "padding_mode", PADDING_MODES)
        crop = checked_crop(self.crop)
        offset = checked_offset(self.offset, taps.shape[0])
        for name, value in {"taps": taps, "crop": crop, "offset": offset, **whole}.items():
            object.__setattr__(self, name, value)
        if self.law is not None:
            refuse_other_rate(self.law, self.factor, self.down)
        if self.coverage is not None:
            coverage = finite_array(self.coverage, "coverage", shape=taps.shape[2:])
            object.__setattr__(self, "coverage", frozen(coverage))

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
    def terms(self) -> int:
        """Products that are added for one output sample."""
        return int(self.taps.shape[1] * self.taps.shape[2])

    @property
    def reach(self) -> int:
        """Samples behind the stretch that one input sample touches: ``d (K - 1) + 1``."""
        return int(self.dilation * (self.taps.shape[2] - 1) + 1)

    @cached_property
    def positions(self) -> NDArray[np.intp]:
        """Sample behind the stretch of each tap, relative to ``m L``."""
        return frozen(np.arange(self.taps.shape[2]) * self.dilation - self.crop[0])

    @cached_property
    def places(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        r"""Input phase and output sample of each tap, shapes (K,).

        Tap ``k`` at position ``p`` takes input sample ``q + D t`` to output sample ``r + L t``,
        with ``r D = q L + p``: the phase ``q`` is ``-p / L`` modulo ``D``, as ``L`` and ``D`` have
        no divisor in common.
        """
        parts = -self.positions * pow(self.factor, -1, self.down) % self.down
        return frozen(parts), frozen((parts * self.factor + self.positions) // self.down)

    @cached_property
    def length(self) -> LengthRule:  # type: ignore[override]
        """The length law: ``(n - 1) L + reach - crops``, of which every D-th is kept."""
        if self.law is not None:
            return self.law
        extra = self.reach - self.factor - self.crop[0] - self.crop[1] + self.down - 1
        return LengthRule(((self.factor, self.down, extra),))

    @property
    def by_channel(self) -> bool:
        """Whether every channel is filtered by itself: (C, 1, K) taps, C groups."""
        return self.groups == self.out_channels and self.taps.shape[1] == 1

    def kernels(self) -> Real:
        """Return the taps by group, (groups, out / groups, in / groups, K)."""
        return self.taps.reshape(self.groups, -1, *self.taps.shape[1:])

    def _dense(self, grouped: NDArray[Number]) -> NDArray[Number]:
        """Return an array (..., out, in / groups, n) over all inputs, zero outside the groups."""
        if self.groups == 1:
            return grouped
        *lead, out, per_group, count = grouped.shape
        rows = out // self.groups
        dense = np.zeros((*lead, self.groups, rows, self.groups, per_group, count), grouped.dtype)
        each = np.arange(self.groups)
        split = grouped.reshape(*lead, self.groups, rows, per_group, count)
        # The two group axes, indexed together, come first.
        dense[..., each, :, each, :, :] = np.moveaxis(split, -4, 0)
        return dense.reshape(*lead, out, self.in_channels, count)

    def dense_taps(self) -> Real:
        """Return the taps with groups and dilation written out, shape (out, in, reach)."""
        if self.groups == 1 and self.dilation == 1:
            return self.taps
        refuse_beyond_memory(
            self.out_channels * self.in_channels * self.reach,
            "the dense taps",
            fix="ask for the layers one by one",
        )
        return self._dense(undilated(self))

    def response(self, frequencies: ArrayLike) -> Complex:
        """Return ``H`` at frequencies in cycles per sample behind the stretch, (F, out, in)."""
        grid = checked_grid(frequencies)
        self._refuse_large(grid.size, "the frequency response")
        grouped = self._grouped_response(grid)
        return np.ascontiguousarray(self._dense(grouped).transpose(2, 0, 1))

    def _refuse_large(self, count: int, what: str) -> None:
        refuse_beyond_memory(
            count * self.out_channels * self.in_channels,
            what,
            fix="ask for fewer frequencies",
            itemsize=16,
        )

    def _grouped_response(self, grid: Real) -> Complex:
        """Return ``H`` by group, (out, in / groups, F)."""
        out, per_group, count = self.taps.shape
        size = _whole_grid(grid)
        # A product a tap, pair and frequency, and an exponential (some 20 products) a tap and
        # frequency; or, for frequencies k / n, an FFT of n points a pair.
        direct = grid.size * count * (20 + 2 * out * per_group)
        if size and 3 * out * per_group * size * np.log2(size) < direct:
            circle = self._on_circle(self.taps, size)
            return np.asarray(np.fft.rfft(circle, axis=2)[:, :, : grid.size])
        turns = np.exp(-2j * np.pi * np.outer(self.positions, grid))
        return np.asarray((self.taps.reshape(-1, count) @ turns).reshape(out, per_group, grid.size))

    def _on_circle(self, taps: Real, size: int) -> Real:
        """Return taps (out, in / groups, K) where they lie on a circle of so many samples."""
        out, per_group, count = taps.shape
        circle = np.zeros((out, per_group, size))
        places = self.positions % size
        if self.reach <= size:
            circle[:, :, places] = taps
        elif count > out * per_group:
            for pair in np.ndindex(out, per_group):
                circle[pair] = np.bincount(places, taps[pair], minlength=size)
        else:
            for tap, position in enumerate(places):
                circle[:, :, position] += taps[:, :, tap]
        return circle

    def _image_gains(self, turns: Sequence[Fraction]) -> Complex:
        r"""Return the gains of the images of input lines, (out, in / groups, len(turns), L).

        .. math:: \frac1L H\!\left(\tfrac{f + k}{L}\right) = \frac1L \sum_{i=0}^{L-1}
                  e^{-j 2\pi k i / L} \sum_{p_k = i \bmod L} h[k]\, e^{-j 2\pi f p_k / L}

        with ``p`` the positions of the taps: a Fourier transform of ``L`` points.
        """
        out, per_group, count = self.taps.shape
        pairs, factor = out * per_group, self.factor
        # Products of the sums as they stand, which a matrix product does some ten times faster.
        direct = count * factor * (20 + 2 * pairs)
        if direct < 20 * count * (1 + pairs) + 3 * pairs * factor * np.log2(factor + 1):
            grid = np.array([float((turn + k) / factor) for turn in turns for k in range(factor)])
            made = self._grouped_response(grid) / factor
            return made.reshape(out, per_group, len(turns), factor)
        gains = np.empty((out, per_group, len(turns), factor), np.complex128)
        for number, turn in enumerate(turns):
            turned = self.taps * phasors(-turn / factor, self.positions)
            circle = 1j * self._on_circle(turned.imag, factor)
            circle += self._on_circle(turned.real, factor)
            gains[:, :, number] = np.fft.fft(circle, axis=2, norm="forward")
        return gains

    def _grouped_gains(self, grid: Real) -> Complex:
        r"""Return the gains by group, (out, in / groups, F, D).

        .. math:: A_l(g) = \frac1L \sum_q e^{j 2\pi f_l q}
                  \sum_{k:\, q_k = q} h[k]\, e^{-j 2\pi g r_k}, \qquad f_l = (L g + l) / D

        with the input phases ``q`` and the output samples ``r`` of :attr:`places`.  The outer sum
        over ``l`` is a Fourier transform of ``D`` points.
        """
        if self.down == 1:
            return self._grouped_response(grid)[..., None] / self.factor
        # One kernel for all channels is worked out once.
        taps = self.taps[:1] if self.taps.strides[0] == 0 else self.taps
        made = np.zeros((*taps.shape[:2], grid.size, self.down), dtype=np.complex128)
        for part, chosen, outputs in by_part(self):
            made[..., part] = taps[..., chosen] @ np.exp(-2j * np.pi * np.outer(outputs, grid))
        each = np.arange(self.down)
        made *= np.exp(2j * np.pi * self.factor / self.down * np.outer(grid, each))
        gains = np.fft.ifft(made, axis=-1, norm="forward") / self.factor
        return np.broadcast_to(gains, (self.out_channels, *gains.shape[1:]))

    def gains(self, frequencies: ArrayLike) -> Complex:
        """Return the gains, (F, D, out, in); for ``D = 1`` they are ``H(g) / L``."""
        grid = checked_grid(frequencies)
        self._refuse_large(grid.size * self.down, "the gains")
        grouped = self._grouped_gains(grid)
        dense = self._dense(grouped.reshape(*grouped.shape[:2], -1))
        shaped = dense.reshape(*dense.shape[:2], grid.size, self.down).transpose(2, 3, 0, 1)
        return np.ascontiguousarray(shaped)

    def phase_gains(self) -> Real:
        r"""Return :math:`g_i = \sum_m h[m L + i D]` (crops counted), shape (out, in, L)."""
        return self._dense(self._by_phase(undilated(self)))

    def phase_powers(self) -> Real:
        r"""Return :math:`\sum_m h[m L + i D]^2`, shape (out, in, L)."""
        return self._dense(self._by_phase(undilated(self) ** 2))

    def _by_phase(self, taps: Real) -> Real:
        refuse_beyond_memory(
            self.out_channels * self.in_channels * self.factor,
            "the phases",
            fix="ask for the layers one by one",
        )
        # Output sample i is sample i D behind the stretch.
        summed = by_phase(taps, -self.crop[0], self.factor)
        return np.asarray(summed[..., np.arange(self.factor) * self.down % self.factor])

    def polyphase(self) -> PolyphaseMatrix:
        """Return the block form: D input samples in, L output samples out."""
        from upsim.operators.polyphase import PolyphaseMatrix

        parts, outputs = self.places
        delays, phases = outputs // self.factor, outputs % self.factor
        first = int(delays.min())
        count = int(delays.max()) - first + 1
        out, inward = self.out_channels, self.in_channels
        refuse_beyond_memory(
            out * inward * count * self.factor * self.down,
            "the polyphase matrix",
            fix="ask for the layers one by one",
        )
        rows = out // self.groups
        # Axes (J, L, D, groups, out / groups, groups, in / groups).
        shape = (count, self.factor, self.down, self.groups, rows, self.groups, self.taps.shape[1])
        blocks = np.zeros(shape)
        each = np.arange(self.groups)[:, None]
        blocks[delays - first, phases, parts, each, :, each] = self.kernels().transpose(0, 3, 1, 2)
        ordered = blocks.reshape(*shape[:3], out, inward).transpose(0, 3, 1, 4, 2)
        return PolyphaseMatrix(
            frozen(ordered),
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

        ``H1`` then a stretch by ``L2`` is the stretch then ``H1(z^L2)``, and a decimation by ``D1``
        then ``H2`` is ``H2(z^D1)`` then the decimation (Vaidyanathan 1993, section 4.2).  A stretch
        and a decimation change places where they have no divisor in common.  So two stretch-FIRs
        are one: factor ``L1 L2``, decimation ``D1 D2`` and taps
        :math:`h[n] = \sum_{L_2 k + D_1 i = n} h_1[k]\, h_2[i]`.  Where ``D1`` and ``L2`` have a
        divisor in common the input phase matters, and the polyphase matrices are multiplied.
        """
        self._refuse_unless_chained(other)
        if not isinstance(other, StretchFIR) or gcd(self.down, other.factor) > 1:
            return self.polyphase().then(other)
        taps, groups = folded_taps(self, other)
        return coprime(
            taps,
            self.factor * other.factor,
            self.down * other.down,
            groups=groups,
            offset=self._offset_then(other),
            left=other.factor * self.crop[0] + self.down * other.crop[0],
            length=self.length.then(other.length),
        )

    def __add__(self, other: Operator) -> Operator:
        """Return the sum of two operators of equal channels, rate and length."""
        self._refuse_unless_parallel(other)
        if not isinstance(other, StretchFIR):
            return self.polyphase() + other
        left = max(self.crop[0], other.crop[0])
        reach = max(part.reach - part.crop[0] for part in (self, other)) + left
        groups = gcd(self.groups, other.groups)
        inward = self.in_channels // groups
        refuse_beyond_memory(
            self.out_channels * inward * reach, "the sum's taps", fix="ask for the branches"
        )
        taps = np.zeros((self.out_channels, inward, reach))
        for part in (self, other):
            start = left - part.crop[0]
            own = regrouped(undilated(part), part.groups, groups)
            taps[:, :, start : start + part.reach] += own
        return coprime(
            taps,
            self.factor,
            self.down,
            groups=groups,
            offset=self._offset_plus(other),
            left=left,
            length=self.length,
            padding_mode=self.padding_mode if self.padding_mode == other.padding_mode else "zeros",
        )

    def adjoint(self) -> StretchFIR:
        """Return the adjoint: stretch and decimation change places, the taps turn round.

        ``n D = m L + p`` becomes ``m L = n D - p``, and each group's matrices are transposed.
        """
        turned = self.kernels().swapaxes(1, 2)[..., ::-1]
        return StretchFIR(
            frozen(turned.reshape(self.in_channels, -1, self.taps.shape[2])),
            self.down,
            down=self.factor,
            dilation=self.dilation,
            groups=self.groups,
            crop=(self.reach - 1 - self.crop[0], self.reach - self.factor - self.crop[1]),
            law=None if self.law is None else self.law.inverse(),
        )

    def periodic(self, period: Real) -> Real:
        """Map one period (..., in, P) to one period (..., out, L lcm(P, D) / D), offset left out.

        Behind a decimation the taps of one input phase are a stretch-FIR of that phase alone.
        """
        period = checked_columns(period, "period", self.in_channels, axes="(..., in, P)")
        batch, inward, count = period.shape[:-2], period.shape[-2], period.shape[-1]
        # Axes (groups, in / groups, batch, P): one GEMM a group over batch and time together.
        channels_first = period.reshape(-1, inward, count).swapaxes(0, 1)
        columns = channels_first.reshape(self.groups, inward // self.groups, -1, count)
        # Many small filters side by side: a product a neighbour, not one a channel.
        narrow = self.by_channel and self.dilation == 1 and count <= _SHORT
        if self.down > 1 or (narrow and self.taps.shape[2] <= _SHORT):
            made = decimated_circle(self, columns)
        else:
            taps, positions = self.taps, self.positions
            if self.factor == 1 and taps.strides[2] < 0:
                # A correlation kernel is stored back to front: read it in memory order, so that
                # its reshape copies nothing.
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
            padded, given = samples, 0
        else:
            given, last = self.seen_by(0, total)
            index, seen = extended_index(np.arange(given, last + 1), count, self.padding_mode)
            padded = np.where(seen, samples[:, index], 0.0)
        if self.down > 1:
            made = decimated_line(self, padded, given, total)
        else:
            made = self._added(padded, given, 0, total)
        return made if self.coverage is None else np.asarray(made / self._covered(count))

    def _covered(self, length: int) -> Real:
        """Return the sum of the coverage that falls on each output sample, or refuse."""
        assert self.coverage is not None
        alone = StretchFIR(
            self.coverage[None, None],
            self.factor,
            down=self.down,
            dilation=self.dilation,
            crop=self.crop,
            law=self.law,
        )
        found = alone.apply(np.ones((1, length)))[0]
        if found.size and found.min() <= _UNCOVERED:
            raise ShapeError(
                "the windows leave samples near the ends uncovered",
                given=f"output sample {int(found.argmin())} of {found.size}",
                expected="at each output sample a window that is not zero",
                fix="more samples cut at the ends",
            )
        return np.asarray(found)

    def stretch_of(self, samples: Real, given: int, first: int, last: int) -> Real:
        """Return outputs ``first`` to ``last - 1``, offset included, of a stretch of the input.

        For an operator that does not decimate.

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
        low = -(-(first * self.down + self.crop[0] - (self.reach - 1)) // self.factor)
        return low, ((last - 1) * self.down + self.crop[0]) // self.factor

    def _added(self, samples: Real, given: int, first: int, last: int) -> Real:
        """Return outputs ``first`` to ``last - 1`` of samples that begin at number ``given``."""
        return overlap_added(
            self.kernels(),
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
        parts, outputs = self.places
        phases = outputs % self.factor
        samples = parts - outputs // self.factor * self.down
        # Later taps see earlier samples, and of several writings to one place the last one stays.
        first[phases] = samples
        last[phases[::-1]] = samples[::-1]
        blind = last < first
        return np.where(blind, 0, first), np.where(blind, -1, last)

    def _entries(self, length: int) -> Iterator[tuple[Whole, Whole, Real]]:
        total = self.length(length)
        starts = np.arange(self.out_channels) // (self.out_channels // self.groups)
        shares = None if self.coverage is None else 1 / self._covered(length)
        for tap, place in enumerate(self.positions):
            # The samples whose answer to this tap lies inside the output.
            low = -(int(place) // self.factor)
            high = -((int(place) - (total - 1) * self.down - 1) // self.factor)
            if self.padding_mode == "zeros":
                low, high = max(low, 0), min(high, length)
            looked_at = np.arange(low, high)
            kept, rest = np.divmod(place + looked_at * self.factor, self.down)
            kept, looked_at = kept[rest == 0], looked_at[rest == 0]
            inside, seen = extended_index(looked_at, length, self.padding_mode)
            hit, inside = kept[seen], inside[seen]
            out, inward = np.nonzero(self.taps[:, :, tap])
            channels = starts[out] * self.taps.shape[1] + inward
            rows = (out[:, None] * total + hit).reshape(-1)
            columns = (channels[:, None] * length + inside).reshape(-1)
            values = np.repeat(self.taps[out, inward, tap], hit.size)
            if shares is not None:
                values *= np.tile(shares[hit], out.size)
            yield rows, columns, values


def _whole_grid(frequencies: Real) -> int:
    """Return n if the frequencies are ``k / n`` for k = 0, 1, ... up to at most 1/2, else 0."""
    count = frequencies.size
    if count < 3 or frequencies[0] != 0 or not 0 < frequencies[-1] <= 0.5:
        return 0
    size = round((count - 1) / float(frequencies[-1]))
    # Two roundings, of k and of the quotient, are the same frequency.
    off = np.abs(frequencies * size - np.arange(count)).max()
    return size if off <= rounding(2, float(count)) else 0
