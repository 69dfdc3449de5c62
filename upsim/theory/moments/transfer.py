r"""A linear network in the frequency domain: rows from the output back to an input.

The value behind a place is ``rho`` output samples to each of its own, so an output exponential at
``g`` (cycles per output sample) is made of exponentials at :math:`f_k = g \rho + k / D` there, D
the aliases that decimations on the way make.  A row of gains, one a channel, is carried back from
place to place; a value that is read twice adds up its readers' rows, so branches need no folding.

As long as no layer decimates, and as long as it costs less, the rows are carried as filters
(:class:`~upsim.operators.rows.RowFilter`), once for all frequencies; from there on as gains at the
frequencies (:func:`~upsim.operators.rows.rows_at`).  No layer's response matrix is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from math import lcm
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from upsim.operators import Operator, StretchFIR
from upsim.operators.rows import RowFilter, rows_at
from upsim.words.arguments import refuse_beyond_memory

if TYPE_CHECKING:
    from upsim.theory.moments.places import Place, Start

Complex = NDArray[np.complex128]
Real = NDArray[np.float64]

#: Complex numbers in one block of a frequency sweep (32 MiB).
_BLOCK = 2**21

#: Products in the time that a call takes.
_CALL = 2**12


@dataclass(frozen=True, eq=False)
class FilterRows:
    """Rows at a place, as filters; ``count`` frequencies will be asked for."""

    filters: RowFilter
    count: int

    def before(self, operator: Operator) -> FilterRows | None:
        """Return the rows before an operator; None where gains cost less.

        Products: a fold takes ``out m c K R``, for groups as many times less.  Gains take one wave
        a tap, frequency and pair of channels, and a row times a matrix at each frequency.
        """
        if not isinstance(operator, StretchFIR) or operator.down > 1:
            return None
        out, reach = self.filters.taps.shape[0], self.filters.reach
        pairs, count = operator.taps.shape[0] * operator.taps.shape[1], operator.taps.shape[2]
        folding = out * pairs * count * reach
        apart = 2 * self.count * (_CALL + pairs * min(count * out, count + 2 * out))
        if folding > apart:
            return None
        return replace(self, filters=self.filters.before(operator))

    def part(self, channels: slice, share: float) -> FilterRows:
        """Return ``share`` times the rows of some channels."""
        return replace(self, filters=self.filters.part(channels, share))

    def __add__(self, other: FilterRows) -> FilterRows:
        """Return the rows of a value that is read twice."""
        return replace(self, filters=self.filters + other.filters)


@dataclass(frozen=True, eq=False)
class GainRows:
    r"""Rows at a place, as gains.

    Parameters
    ----------
    grid : array (F,)
        Output frequencies ``g``.
    pace : Fraction
        ``rho``: output samples per sample here.
    gains : array (F, D, out, C)
        Of :math:`g \rho + k / D`.
    """

    grid: Real
    pace: Fraction
    gains: Complex

    def before(self, operator: Operator) -> GainRows | None:
        r"""Return the rows before an operator.

        Alias l of :math:`f_k` is :math:`(U f_k + l) / d = g \rho U / d + (U k + D l) / (D d)`.
        What two of them have in common is one frequency, and its amplitudes add.
        """
        count, before, out, _ = self.gains.shape
        refuse_beyond_memory(
            count * before * operator.down * out * operator.in_channels,
            "the gains from all input frequencies",
            fix="frequencies=129, or a smaller stride",
            itemsize=16,
        )
        paces = float(self.pace) * self.grid
        here = (paces[:, None] + np.arange(before) / before).reshape(-1)
        rows = self.gains.reshape(count * before, out, -1)
        moved = rows_at(operator, rows, here)
        moved = moved.reshape(count, before, operator.down, out, operator.in_channels)
        index = operator.up * np.arange(before)[:, None] + before * np.arange(operator.down)
        shared = int(np.gcd.reduce(index, axis=None, initial=before * operator.down))
        total = before * operator.down // shared
        pace = self.pace * operator.up / operator.down
        if total == 1:
            return replace(self, pace=pace, gains=moved.sum(axis=(1, 2))[:, None])
        gains = np.zeros((count, total, out, operator.in_channels), dtype=np.complex128)
        for k, places in enumerate(index // shared % total):
            # The aliases of one frequency are different ones.
            gains[:, places] += moved[:, k]
        return replace(self, pace=pace, gains=gains)

    def part(self, channels: slice, share: float) -> GainRows:
        """Return ``share`` times the rows of some channels."""
        return replace(self, gains=share * self.gains[..., channels])

    def __add__(self, other: GainRows) -> GainRows:
        """Return the rows of a value that is read twice, over the aliases of both."""
        whole = lcm(self.gains.shape[1], other.gains.shape[1])
        return replace(self, gains=spread(self.gains, whole) + spread(other.gains, whole))


Rows = TypeVar("Rows", FilterRows, GainRows)


def spread(gains: Complex, aliases: int) -> Complex:
    """Return gains (F, D, out, C) over a multiple of their aliases, zero at the new ones."""
    count, before, *rest = gains.shape
    if before == aliases:
        return gains
    whole = np.zeros((count, aliases, *rest), dtype=np.complex128)
    whole[:, :: aliases // before] = gains
    return whole


def on_the_way(place: Place, start: Start) -> list[Place]:
    """Return the places on the ways from an input to a place, the input first, the place last."""
    found = [each for each in (place, *place.ancestors) if start in each.starts]
    return sorted(found, key=lambda each: each.depth)


class Transfer:
    """The gains from one input of a linear network to one of its places.

    Parameters
    ----------
    place : Place
        Behind linear layers only.
    start : Start
        The input, one of those that reach the place.
    count : int
        Frequencies that will be asked for, about; it decides what is folded.

    Attributes
    ----------
    aliases : int
        Input frequencies that an output frequency comes from, ``D``.
    """

    def __init__(self, place: Place, start: Start, count: int) -> None:
        self._order = on_the_way(place, start)[::-1]
        self._start = start
        self.pace = place.rate / start.rate
        self.channels, self.inputs = place.channels, start.channels
        identity = FilterRows(RowFilter.identity(place.channels), count)
        rows: dict[Place, FilterRows] = {place: identity}
        #: Places from which rows go on as gains; their filters, if a reader had any.
        self._frontier: dict[Place, FilterRows | None] = {}
        for each in self._order:
            if not each.parents:
                break
            found = rows.pop(each, None)
            sent = None if each in self._frontier or found is None else self._sent(each, found)
            if sent is None:
                self._frontier[each] = found
                self._frontier.update(dict.fromkeys(each.parents))
                continue
            for parent, part in sent:
                rows[parent] = rows[parent] + part if parent in rows else part
        self._rows = rows.get(self._start)
        if self._start in self._frontier:
            self._frontier[self._start] = self._rows
            self._rows = None
        self.aliases = 1
        if self._frontier:
            self.aliases = next(self._gains(np.zeros(1))).shape[1]
            refuse_beyond_memory(
                count * self.aliases,
                "the input frequencies behind all output frequencies",
                fix="frequencies=129, or a smaller stride",
                itemsize=16,
            )

    def _sent(self, place: Place, rows: Rows) -> list[tuple[Place, Rows]] | None:
        """Return rows at the parents that the input reaches; None where filters get too long."""
        sent = place.rows_back(rows)
        if sent is None:
            return None
        return [(parent, part) for parent, part in sent if self._start in parent.starts]

    def gains(self, frequencies: Real) -> Complex:
        """Return the gains at output frequencies, (F, D, out, in).

        Alias k is the input frequency ``g rate_out / rate_in + k / D``.
        """
        if self._rows is not None:
            return self._rows.filters.gains(frequencies, slice(None))[:, None]
        return np.concatenate(list(self._gains(frequencies)))

    def _gains(self, frequencies: Real) -> Iterator[Complex]:
        """Yield the gains, a block of frequencies at a time."""
        for part in self._blocks(frequencies.size):
            grid = frequencies[part]
            if self._rows is not None:
                yield self._rows.filters.gains(grid, slice(None))[:, None]
                continue
            rows: dict[Place, GainRows] = {}
            for each in self._order:
                if each not in self._frontier:
                    continue
                filters, found = self._frontier[each], rows.pop(each, None)
                if filters is not None:
                    made = filters.filters.gains(grid, slice(None))[:, None]
                    own = GainRows(grid, self._order[0].rate / each.rate, made)
                    found = own if found is None else found + own
                assert found is not None
                if each is self._start:
                    yield spread(found.gains, max(self.aliases, found.gains.shape[1]))
                    break
                sent = self._sent(each, found)
                assert sent is not None
                for parent, one in sent:
                    rows[parent] = rows[parent] + one if parent in rows else one

    def _blocks(self, count: int) -> Iterator[slice]:
        widest = max(each.channels for each in self._order)
        step = max(1, _BLOCK // (self.aliases * self.channels * widest))
        for start in range(0, count, step):
            yield slice(start, start + step)

    def density(
        self, frequencies: Real, density: Callable[[Real], Real], alpha: Fraction | int = 0
    ) -> Complex:
        r"""Return the cyclic density of the output for noise at this input.

        .. math:: S^{\alpha}_y(g) = \sum_k A_k(g)\, S_x(f_k)\, A_{k + s}(g - \alpha)^*,
                  \qquad s = \rho\, \alpha\, D

        It is zero where s is no whole number, and the time-averaged density for
        :math:`\alpha = 0`.  Densities are per Hz on both sides: a stretch spreads a density over a
        band ``L`` times as wide and samples ``L`` times as many, and the two cancel (for one
        stretch-FIR this is :math:`\frac1L |H|^2 S_x(L f)` per cycle per sample).  Source: Sathe &
        Vaidyanathan, IEEE Trans. SP 41 (1993), section III.

        Parameters
        ----------
        frequencies : array (F,)
            Cycles per output sample.
        density : callable
            Input frequencies (n,) in cycles per input sample to (channels, n), independent
            channels.
        alpha : Fraction
            The cyclic frequency, cycles per output sample.

        Returns
        -------
        array (out, F)
            Complex for a cyclic density; the imaginary part is zero for ``alpha = 0``.
        """
        answer = np.zeros((self.channels, frequencies.size), dtype=np.complex128)
        pace = float(self.pace)
        if self._rows is not None and not alpha:
            # Channels are independent: their powers are added up, a few at a time.
            step = max(1, _BLOCK // (frequencies.size * self.channels))
            levels = density(pace * frequencies)
            for start in range(0, self.inputs, step):
                part = slice(start, start + step)
                gains = self._rows.filters.gains(frequencies, part)
                power = gains.real**2 + gains.imag**2
                answer += (power * levels[part].T[:, None]).sum(axis=2).T
            return answer
        shift = self.pace * alpha * self.aliases
        if shift.denominator != 1:
            return answer
        others = self._gains(frequencies - float(alpha)) if alpha else iter(())
        blocks = zip(self._blocks(frequencies.size), self._gains(frequencies), strict=True)
        for part, gains in blocks:
            inputs = pace * frequencies[part, None] + np.arange(self.aliases) / self.aliases
            levels = density(inputs.reshape(-1)).reshape(self.inputs, -1, self.aliases)
            if not alpha:
                power = gains.real**2 + gains.imag**2
                weighted = power * levels.transpose(1, 2, 0)[:, :, None]
                answer[:, part] = weighted.sum(axis=(1, 3)).T
                continue
            other = np.roll(next(others), -int(shift), axis=1)
            product = gains * other.conj()
            answer[:, part] = np.einsum("fkoc,cfk->of", product, levels, optimize=True)
        return answer
