r"""Regime 3, weights known by their initialisation: expectation over networks.

Random layers have taps of mean zero, independent from one channel pair to the next.  So behind
such a layer the channels are exchangeable and independent, and two covariances of two times say
all that spectra need: that of one run, :math:`K[n,n'] = E x_n x_{n'}`, and that of two runs with
independent inputs through the SAME weights, :math:`Q[n,n']`, which keeps only what repeats.  The
double DFT of Q gives the expected power of each line, K - Q the expected density.

Linear layers map second moments exactly, at any width.  Activations take their inputs as Gaussian,
which is the limit of wide layers (Novak et al., ICLR 2019, arXiv 1810.05148, for K).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import gcd, lcm
from typing import Self

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from upsim.arguments import MEMORY_BUDGET
from upsim.errors import NotPredictableError
from upsim.layers.base import Activation
from upsim.operators import Operator, PolyphaseMatrix, StretchFIR
from upsim.operators.two_time import RandomTaps, TwoTime
from upsim.signals import Signal
from upsim.theory.moments.base import Moments
from upsim.theory.moments.channelmap import channel_map
from upsim.theory.moments.deterministic import DeterministicMoments
from upsim.theory.moments.narrow import expectation_note

Array = NDArray[np.float64]

_DRAW = "stack = stack.draw(seed=0), and predict that one network"

#: Points of the frequency grid from which an input's autocovariance is taken.
_GRID = 4096

#: Bytes of the budget for each number that one covariance may hold: a thirty-second of them.
_SHARE = 256

#: Numbers of a density that are held at once (4 MiB).
_PIECE = 2**19


@dataclass(frozen=True, eq=False)
class Channels:
    """Channels with the same statistics.

    Parameters
    ----------
    count : int
    mean : array (p,)
        Over networks and inputs.
    covariance : TwoTime
        About the mean, of one channel; different channels are independent.
    """

    count: int
    mean: Array
    covariance: TwoTime

    def second_moment(self, *, averaged: bool) -> TwoTime:
        """Return the moment about zero, of each phase or averaged over them."""
        if not self.mean.any():
            return self.covariance
        if averaged:
            power = np.abs(np.fft.fft(self.mean)) ** 2 / self.mean.size
            products = np.fft.ifft(power).real
            return self.covariance.averaged() + TwoTime(products[None], np.zeros((1, 1)))
        return self.covariance + of_mean(self.mean)


@dataclass(frozen=True, eq=False)
class EnsembleMoments(Moments):
    """Groups of exchangeable channels, and the random layers that they come from.

    Parameters
    ----------
    groups : tuple of Channels
        In the order of the channels; a concatenation has several.
    sources : frozenset of str
        Labels of the random layers whose weights these channels carry directly; two signals that
        share none are uncorrelated, since fresh weights have mean zero.
    terms : int
        Independent products that one sample here adds up; the input is taken as given.
    averaged : bool
        Whether covariances are averaged over their period: enough where no activation and no
        decimation follows.
    width : int or None
        Fewest terms in front of any activation so far; None if there was none.
    lags : int or None
        Beyond so many lags an activation or a decimation met the average over the phases; None if
        none did.
    """

    groups: tuple[Channels, ...]
    sources: frozenset[str]
    terms: int = 1
    width: int | None = None
    averaged: bool = False
    lags: int | None = None

    @classmethod
    def from_signal(
        cls, signal: Signal, channels: int, rate: Fraction, *, budget: float = MEMORY_BUDGET
    ) -> EnsembleMoments:
        """Return the record at the input: the average over the channels.

        ``budget`` in bytes is for all covariances that are held at once.  A thirty-second of it may
        go to the phases of one; with 0 the lines cost least, and are the same.
        """
        if signal.recording(channels, rate) is not None:
            raise NotPredictableError(
                "a recording has no expectation over networks here",
                given=f"signal {signal!r:.60}",
                fix=_DRAW,
            )
        lines = DeterministicMoments.from_signal(signal, channels, rate, provenance=False).period
        mean = lines.mean(axis=0)
        spread = TwoTime(_products(lines - mean), np.zeros((lines.shape[1], 1)))
        covariance = (spread + _input_noise(signal, channels, rate)).reduced()
        covariance = replace(covariance, most=int(budget) // _SHARE)
        return cls((Channels(channels, mean, covariance),), frozenset({"input"}))

    def _kept(self, covariance: TwoTime) -> TwoTime:
        return covariance.averaged() if self.averaged else covariance

    def over_time(self) -> Self:
        """Return the record averaged over its period, for what follows the last activation."""
        groups = tuple(replace(g, covariance=g.covariance.averaged()) for g in self.groups)
        return replace(self, groups=groups, averaged=True)

    @property
    def channels(self) -> int:
        """Channels at this place."""
        return sum(group.count for group in self.groups)

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What is exact and what is the limit of wide layers."""
        exact = "expectation over initialisations; second moments exact through linear layers"
        stated = [exact]
        if self.width is not None:
            stated.append(
                "activations: inputs taken as Gaussian, the limit of wide layers "
                f"(the narrowest sum has {self.width} terms)"
            )
            stated += expectation_note(self.width)
        if self.lags is not None:
            stated.append(
                f"psd: covariances beyond {self.lags} samples averaged over the phases of the "
                "period in front of activations (more memory=... moves that out); lines unaffected"
            )
        return tuple(stated)

    def through_random(self, taps: RandomTaps, label: str) -> Self:
        """Return the record behind a layer of random taps: fresh, independent, of mean zero."""
        given, weight = _sum_of_moments(self.groups, averaged=self.averaged)
        scaled = taps.tap_covariance * (taps.fan * weight)
        made = given.through_taps(scaled, taps.positions, taps.factor)
        del given
        made = self._kept(made.decimated(taps.stride))
        bias = taps.bias()
        covariance = made if bias is None else (made + bias).reduced()
        group = Channels(taps.out_channels, np.zeros(1), covariance)
        terms = taps.fan * max(1, taps.positions.size // taps.factor)
        lags = self._lags_behind(taps.stride)
        return replace(self, groups=(group,), sources=frozenset({label}), terms=terms, lags=lags)

    def through_operator(self, operator: Operator, label: str) -> Self:
        r"""Return the record behind a fixed layer that treats its channels alike.

        With ``h_oc`` the kernel from channel c to channel o, independent channels add as
        :math:`S = \sum_c h_{oc} h_{oc}^T`; their common mean passes through
        :math:`\sum_c h_{oc}`.  Both are averaged over the output channels.
        """
        fir, stride = _as_filter(operator)
        apart = fir.groups == fir.in_channels == fir.out_channels
        if len(self.groups) > 1 and not apart:
            raise NotPredictableError(
                "a fixed layer mixes channels of different statistics",
                given=f"layer {label} behind a concatenation",
                expected="a random layer, or one that keeps the channels apart",
                fix=_DRAW,
            )
        groups, first = [], 0
        for group in self.groups:
            rows = slice(first, first + group.count) if apart else slice(None)
            made = _filtered(group, fir, rows, stride)
            groups.append(replace(made, covariance=self._kept(made.covariance)))
            first += group.count
        return replace(self, groups=tuple(groups), lags=self._lags_behind(stride))

    def _lags_behind(self, stride: int) -> int | None:
        """Return ``lags`` behind a decimation, which does not meet every phase of an average."""
        met = [
            group.covariance.reach
            for group in self.groups
            if group.covariance.far.size and gcd(group.covariance.period, stride) > 1
        ]
        return least(self.lags, *met)

    def through_activation(self, activation: Activation, label: str) -> Self:
        """Return the record behind an activation, its inputs taken as Gaussian."""
        if activation.channel_ratio != 1 and len(self.groups) > 1:
            raise NotPredictableError(
                "a gate would mix channels of different statistics",
                given=f"{type(activation).__name__} at layer {label} behind a concatenation",
                fix=_DRAW,
            )
        groups, lags = [], self.lags
        for group in self.groups:
            covariance, average = group.covariance, None
            period = lcm(covariance.period, group.mean.size)
            covariance = covariance.tiled(period, lcm(covariance.fixed.shape[1], period))
            means = np.tile(group.mean, period // group.mean.size)
            mean, pointwise = channel_map(activation, means, covariance.variance)
            if covariance.far.size:
                level = covariance.variance.mean(keepdims=True)
                _, average = channel_map(activation, means.mean(keepdims=True), level)
                lags = least(lags, covariance.reach)
            count = int(group.count * activation.channel_ratio)
            made = covariance.mapped(pointwise, average)
            groups.append(Channels(count, _shortest(mean), made))
        width = least(self.width, self.terms)
        return replace(self, groups=tuple(groups), width=width, lags=lags)

    @classmethod
    def merged(cls, parts: Sequence[Self], merging: str) -> Self:
        """Return the record where branches meet; those that are added must be uncorrelated."""
        sources = frozenset().union(*(part.sources for part in parts))
        width, lags = (least(*(getattr(p, of) for p in parts)) for of in ("width", "lags"))
        first = replace(parts[0], sources=sources, width=width, lags=lags)
        if merging == "concatenate":
            groups = tuple(group for part in parts for group in part.groups)
            return replace(first, groups=groups)
        if len(sources) < sum(len(part.sources) for part in parts):
            raise NotPredictableError(
                "branches that share their random weights are correlated where they meet",
                given="branches without a random layer of their own",
                expected="at most one branch without a random layer",
                fix=_DRAW,
            )
        counts = {tuple(group.count for group in part.groups) for part in parts}
        if len(counts) > 1:
            raise NotPredictableError(
                "branches that are added have channels of different statistics",
                given=" and ".join(map(str, counts)),
                fix=_DRAW,
            )
        weight = 1 / len(parts) if merging == "mean" else 1.0
        groups = tuple(_sum(same, weight) for same in zip(*(p.groups for p in parts), strict=True))
        return replace(first, groups=groups)

    def line_powers(self) -> Array:
        """Return the expected power of each line ``k / P``, averaged over channels, (P,)."""
        moments = [group.second_moment(averaged=True) for group in self.groups]
        whole = lcm(*(moment.fixed.shape[1] for moment in moments))
        powers = np.zeros(whole)
        for group, moment in zip(self.groups, moments, strict=True):
            step = whole // moment.fixed.shape[1]
            powers[::step] += moment.line_powers() * group.count / self.channels
        return powers

    def density(self, turns: Array) -> Array:
        """Return the expected density per cycle per sample, averaged over channels, (F,)."""
        return np.asarray(
            sum(g.covariance.density(turns) * g.count / self.channels for g in self.groups)
        )


def least(*numbers: int | None) -> int | None:
    """Return the least of the numbers that are there."""
    return min((number for number in numbers if number is not None), default=None)


def _sum_of_moments(groups: Sequence[Channels], *, averaged: bool) -> tuple[TwoTime, float]:
    """Return a covariance and a number whose product is the moment about zero of any channel."""
    first, total = groups[0], sum(group.count for group in groups)
    given = first.second_moment(averaged=averaged)
    for group in groups[1:]:
        given = given.plus(group.second_moment(averaged=averaged), group.count / first.count)
    return given, first.count / total


def of_mean(mean: Array) -> TwoTime:
    """Return the products of a periodic mean with itself."""
    return TwoTime(_products(mean[None]), np.zeros((mean.size, 1))).reduced()


def _products(rows: Array) -> Array:
    """Return ``x[n] x[n + delta]`` averaged over rows of one period, (P, P)."""
    count = rows.shape[1]
    if not rows.any():
        return np.zeros((count, count))
    # Row n of the view begins at sample n and goes once around.
    ahead = sliding_window_view(np.concatenate([rows, rows], axis=1), count, axis=1)[:, :count]
    total = np.zeros((count, count))
    for row, turned in zip(rows, ahead, strict=True):
        total += row[:, None] * turned
    return total / len(rows)


def _input_noise(signal: Signal, channels: int, rate: Fraction) -> TwoTime:
    """Return the autocovariance of the random part, averaged over channels."""
    grid = np.arange(_GRID) / _GRID * float(rate)
    level = np.zeros(_GRID)
    # Thousands of channels at once would take more memory than all that follows.
    for part in np.array_split(np.arange(_GRID), 1 + channels * _GRID // _PIECE):
        density = signal.density(grid[part], channels, rate)
        if density is None:
            return TwoTime(np.zeros((1, 1)), np.zeros((1, 1)))
        level[part] = density.mean(axis=0) * float(rate)
    covariance = np.fft.ifft(level).real
    # A lag that rounding alone explains carries nothing.
    seen = (
        np.abs(covariance[: _GRID // 2]) > np.finfo(np.float64).eps * np.log2(_GRID) * level.max()
    )
    reach = int(np.flatnonzero(seen)[-1]) if seen.any() else 0
    return TwoTime(np.zeros((1, 1)), covariance[np.arange(-reach, reach + 1)][None])


def _as_filter(operator: Operator) -> tuple[StretchFIR, int]:
    """Return an operator as a stretch-FIR and a decimation after it."""
    if isinstance(operator, StretchFIR):
        return operator, 1
    matrix = operator.polyphase()
    if matrix.up != 1:
        raise NotPredictableError(
            "a layer that depends on the input phase has no expectation here",
            given=f"a map of {matrix.down} input samples to {matrix.up}",
            fix=_DRAW,
        )
    return _undecimated(matrix), matrix.down


def _undecimated(matrix: PolyphaseMatrix) -> StretchFIR:
    """Return the filter of which a matrix keeps every ``down``-th output."""
    _, out, _, inward, down = matrix.blocks.shape
    # Part q of block first + j is input sample b down - ((first + j) down - q).
    taps = matrix.blocks[:, :, 0].transpose(1, 2, 0, 3)[..., ::-1].reshape(out, inward, -1)
    left = -(matrix.first * down - (down - 1))
    return StretchFIR(taps, crop=(left, taps.shape[2] - 1 - left), offset=matrix.offset)


def _filtered(group: Channels, fir: StretchFIR, rows: slice, stride: int) -> Channels:
    taps = fir.taps[rows]
    spread = np.einsum("ock,ocl->kl", taps, taps) / taps.shape[0]
    covariance = group.covariance.through_taps(spread, fir.positions, fir.factor)
    common = taps.sum(axis=1).mean(axis=0)
    plain = StretchFIR(common[None, None], fir.factor, dilation=fir.dilation, crop=fir.crop)
    mean = plain.periodic(group.mean[None])[0]
    if fir.offset is not None:
        offset = fir.offset[rows]
        whole = lcm(mean.size, offset.shape[1])
        average = offset.mean(axis=0)
        mean = np.tile(mean, whole // mean.size) + np.tile(average, whole // average.size)
        covariance = covariance + TwoTime(_products(offset - average), np.zeros((average.size, 1)))
    if stride > 1:
        whole = lcm(mean.size, stride)
        mean = np.tile(mean, whole // mean.size)[::stride]
        covariance = covariance.decimated(stride)
    return Channels(taps.shape[0], _shortest(mean), covariance.reduced())


def _shortest(mean: Array) -> Array:
    """Return a periodic mean over its shortest period, found by exact comparison."""
    for period in (d for d in range(1, mean.size) if mean.size % d == 0):
        if np.array_equal(mean, np.roll(mean, period)):
            return mean[:period]
    return mean


def _sum(groups: Sequence[Channels], weight: float) -> Channels:
    whole = lcm(*(group.mean.size for group in groups))
    mean = sum(np.tile(group.mean, whole // group.mean.size) for group in groups)
    total = groups[0].covariance
    for group in groups[1:]:
        total = total + group.covariance
    scaled = total.scaled(weight**2).reduced()
    return Channels(groups[0].count, _shortest(np.asarray(mean) * weight), scaled)
