r"""Regime 3, weights known by their initialisation: expectation over networks.

Random layers have taps of mean zero, independent from one channel pair to the next.  So behind
such a layer the channels are exchangeable and independent, and two covariances of two times say
all that spectra need: that of one run, :math:`K[n,n'] = E x_n x_{n'}`, and that of two runs with
independent inputs through the SAME weights, :math:`Q[n,n']`, which keeps only what repeats.  The
double DFT of Q gives the expected power of each line, K - Q the expected density.

Linear layers map second moments exactly, at any width.  Activations take their inputs as Gaussian,
which is the limit of wide layers (Novak et al., ICLR 2019, arXiv 1810.05148, for K).  Layers of
given weights act on each channel's statistics; what follows may be random again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import lcm
from typing import Self

import numpy as np
from numpy.typing import NDArray

from upsim.arguments import MEMORY_BUDGET
from upsim.errors import NotPredictableError
from upsim.layers import GLU, GroupNorm, InstanceNorm, LayerNorm
from upsim.layers.base import Activation, Normalisation
from upsim.operators import Operator, PolyphaseMatrix, StretchFIR
from upsim.operators.random_taps import ApartTaps, Part, RandomBias, RandomTaps
from upsim.operators.two_time import TwoTime
from upsim.signals import Signal
from upsim.theory.moments.base import Moments
from upsim.theory.moments.channelmap import channel_map
from upsim.theory.moments.channels import (
    Channels,
    Shares,
    added,
    average,
    ends_of,
    filtered,
    shares_of,
    shortest,
    split_at,
)
from upsim.theory.moments.deterministic import DeterministicMoments
from upsim.theory.moments.independent import IndependentCovariance
from upsim.theory.moments.narrow import expectation_note
from upsim.theory.moments.normalised import over_channels, over_time
from upsim.theory.moments.stationary import StationaryMoments

Array = NDArray[np.float64]

_DRAW = "stack = stack.draw(seed=0), and predict that one network"

#: Points of the frequency grid from which an input's autocovariance is taken.
_GRID = 4096

#: Bytes of the budget for each number that one covariance may hold: a thirty-second of them.
_SHARE = 256

#: Numbers of a density that are held at once (4 MiB).
_PIECE = 2**19


@dataclass(frozen=True, eq=False)
class EnsembleMoments(Moments):
    """Groups of exchangeable channels, and the random layers that they come from.

    Parameters
    ----------
    groups : tuple of Channels
        In the order of the channels.
    sources : frozenset of str
        Labels of the random layers whose weights these channels carry directly; two signals that
        share none are uncorrelated, since fresh weights have mean zero.
    terms : int
        Independent products that one sample here adds up; the input is taken as given.
    width : int or None
        Fewest terms in front of any activation so far; None if there was none.
    lags : int or None
        Beyond so many lags an activation met the average over the phases; None if none did.
    averaged : bool
        Whether covariances are averaged over their period: enough where no activation and no
        decimation follows.
    correlated : str
        Label of the layer of given weights that made these channels out of common ones, so that
        they are not independent; "" if they are.
    notes : tuple of str
        What else has been assumed on the way.
    without : frozenset of str
        Causes of lines that are left out, to see what they make: "input offset", "input", "bias",
        "activation", "modulation".
    gains : mapping of str to array
        By label, what normalisations multiplied with; a record with a cause left out is given those
        of the whole, so that it stays as linear as it can be.
    """

    groups: tuple[Channels, ...]
    sources: frozenset[str]
    terms: int = 1
    width: int | None = None
    lags: int | None = None
    averaged: bool = False
    correlated: str = ""
    notes: tuple[str, ...] = ()
    without: frozenset[str] = frozenset()
    gains: Mapping[str, Array] = field(default_factory=dict)

    @classmethod
    def from_signal(
        cls,
        signal: Signal,
        channels: int,
        rate: Fraction,
        *,
        budget: float = MEMORY_BUDGET,
    ) -> EnsembleMoments:
        """Return the record at the input.

        ``budget`` in bytes is for all covariances that are held at once.  A thirty-second of it may
        go to the phases of one; with 0 the lines cost least, and are the same.
        """
        if signal.recording(channels, rate) is not None:
            raise _recording(repr(signal))
        lines = DeterministicMoments.from_signal(signal, channels, rate, provenance=False)
        levels = _levels(signal, channels, rate)

        def noise(channel: int) -> TwoTime:
            level = levels[channel if len(levels) > 1 else 0]
            return replace(_autocovariance(level), most=int(budget) // _SHARE)

        groups = _alike(lines.period, levels, noise)
        return cls(groups, frozenset({"input"}))

    def repeated(
        self, signal: Signal, rate: Fraction, without: frozenset[str], *, cheaply: bool
    ) -> Self:
        """Return this record of the input for a walk without some causes.

        Cheaply: with no budget for lags that only the density needs.
        """
        lines = DeterministicMoments.from_signal(signal, self.channels, rate, provenance=True)
        period, first, groups = _left(lines, without), 0, []
        for group in self.groups:
            noise = replace(group.covariance, most=0) if cheaply else group.covariance
            groups.append(replace(group, mean=shortest(period[first]), covariance=noise))
            first += group.count
        return replace(self, groups=tuple(groups), averaged=False, without=without)

    @classmethod
    def from_network(cls, record: Moments, without: frozenset[str]) -> EnsembleMoments:
        """Return what is behind layers of given weights, for a random layer that follows.

        Each channel keeps its mean and its own covariance; that between channels is not needed by
        random layers, whose taps are independent from one channel to the next.
        """
        mean = record.mean if isinstance(record, StationaryMoments) else record
        assert isinstance(mean, DeterministicMoments)
        if mean.waveform is not None:
            raise _recording("a recording")
        period = _left(mean, without)
        rows = np.zeros((mean.channels, 1))
        covariances = np.zeros((mean.channels, 1, 1))
        budget = 0.0
        if isinstance(record, StationaryMoments):
            budget = record.budget
            kept = IndependentCovariance.of(record.place.covariance).centred().values[:, :, 0]
            covariances = np.ascontiguousarray(kept.transpose(2, 0, 1))
            rows = covariances.reshape(mean.channels, -1)

        def noise(channel: int) -> TwoTime:
            excess = covariances[channel]
            most = int(budget) // _SHARE
            return TwoTime(np.zeros((len(excess), 1)), excess, most=most).reduced()

        notes = tuple(f"before the first random layer: {each}" for each in record.assumptions)
        return cls(
            _alike(period, rows, noise),
            frozenset({"input"}),
            correlated="of given weights",
            notes=notes,
            without=without,
        )

    def _kept(self, group: Channels) -> Channels:
        return replace(group, covariance=group.covariance.averaged()) if self.averaged else group

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
        found = ["expectation over initialisations; second moments exact through linear layers"]
        if self.width is not None:
            found.append(
                "activations: inputs taken as Gaussian, the limit of wide layers "
                f"(the narrowest sum has {self.width} terms)"
            )
        if self.lags is not None:
            found.append(
                f"psd: in front of activations, covariances beyond {self.lags} samples averaged "
                "over the phases of the period (more memory=... moves that out); lines unaffected"
            )
        return (*found, *expectation_note(self.width), *self.notes)

    def through(self, part: Part, label: str) -> Self:
        """Return the record behind one part of a linear layer."""
        if isinstance(part, RandomTaps):
            return self._through_taps(part, label)
        if isinstance(part, ApartTaps):
            groups = tuple(self._kept(group.through_apart(part)) for group in self.groups)
            return replace(self, groups=groups, sources=self.sources | {label})
        if isinstance(part, RandomBias):
            return self._with_bias(part, label)
        return self.through_operator(part, label)

    def _through_taps(self, taps: RandomTaps, label: str) -> Self:
        """Return the record behind fresh, independent taps of mean zero.

        A group of output channels sees its own input channels only.
        """
        slices = self.channels // taps.fan

        def behind(_: int, shares: Shares) -> tuple[Channels, ...]:
            given = average(self.groups, shares, averaged=self.averaged).scaled(taps.fan)
            made = given.through_taps(taps.tap_covariance, taps.positions, taps.factor)
            made = made.decimated(taps.stride)
            return (self._kept(Channels(taps.out_channels // slices, np.zeros(1), made)),)

        return replace(
            self,
            groups=self._slice_by_slice(slices, behind),
            sources=frozenset({label}),
            terms=taps.terms,
            correlated="",
        )

    def _slice_by_slice(
        self,
        count: int,
        behind: Callable[[int, Shares], tuple[Channels, ...]],
        held: Array | None = None,
    ) -> tuple[Channels, ...]:
        """Return what is behind ``count`` equal slices of the channels; like ones are one group.

        Slices are alike if they have the same groups, and the same entry in ``held``.
        """
        size = self.channels // count
        found: list[Channels] = []
        last: tuple[object, tuple[Channels, ...]] = (None, ())
        for number in range(count):
            shares = shares_of(self.groups, number * size, size)
            key = (shares, None if held is None else float(held[number]))
            if key != last[0]:
                last = (key, behind(number, shares))
            elif len(last[1]) == 1:
                found[-1] = replace(found[-1], count=found[-1].count + last[1][0].count)
                continue
            found += last[1]
        return tuple(found)

    def _with_bias(self, bias: RandomBias, label: str) -> Self:
        if "bias" in self.without:
            return self
        groups = tuple(
            self._kept(replace(g, covariance=(g.covariance + bias.covariance()).reduced()))
            for g in self.groups
        )
        return replace(self, groups=groups, sources=self.sources | {label})

    def through_operator(self, operator: Operator, label: str) -> Self:
        """Return the record behind given weights: each output channel by its own taps.

        Outputs of one and the same input channels are not independent any more; random layers,
        which see the statistics of each channel only, may follow.
        """
        fir, stride = _as_filter(operator)
        inward, outward = fir.taps.shape[1], fir.out_channels // fir.groups
        group_of = np.repeat(np.arange(len(self.groups)), [g.count for g in self.groups])
        readers = np.zeros(self.channels, dtype=np.intp)
        offset = None if "bias" in self.without else fir.offset
        found: list[Channels] = []
        last: tuple[Array, ...] = ()
        for output, count in _runs(fir, group_of, offset):
            own = np.flatnonzero(fir.taps[output].any(axis=1))
            seen = output // outward * inward + own
            readers[seen] += 1
            self._refuse_common_parts(label, seen.size)
            added_on = np.zeros(1) if offset is None else offset[output]
            key = (group_of[seen], fir.taps[output, own], added_on)
            if last and all(map(np.array_equal, key, last)):
                found[-1] = replace(found[-1], count=found[-1].count + count)
                continue
            last = key
            starts = np.flatnonzero(np.diff(key[0], prepend=-1))
            sizes = np.diff(starts, append=seen.size)
            shares = tuple(zip(key[0][starts].tolist(), sizes.tolist(), strict=True))
            mean, covariance = filtered(self.groups, shares, key[1], fir)
            made = Channels(count, mean, covariance.reduced()).moved(added_on)
            found.append(self._kept(made.decimated(stride)))
        mixes = bool(readers.max(initial=0) > 1)
        correlated = f"layer {label}" if mixes else self.correlated
        return replace(self, groups=tuple(found), correlated=correlated)

    def _refuse_common_parts(self, label: str, count: int) -> None:
        if self.correlated and count > 1:
            raise NotPredictableError(
                "channels with parts in common are added, and their covariance is not known",
                given=f"layer {label}, behind {self.correlated}",
                expected="a random layer between the two",
                fix=_DRAW,
            )

    def through_activation(self, activation: Activation, label: str) -> Self:
        """Return the record behind an activation, its inputs taken as Gaussian."""
        if isinstance(activation, LayerNorm):
            return self._through_layer_norm(activation, label)
        if activation.channel_ratio != 1:
            self._refuse_common_parts(label, 2)
            if len(self.groups) > 1:
                raise NotPredictableError(
                    "a gate would mix channels of different statistics",
                    given=f"{type(activation).__name__} at layer {label} behind a concatenation",
                    fix=_DRAW,
                )
        groups = tuple(self._activated(group, activation) for group in self.groups)
        cut = [group.covariance.reach for group in self.groups if group.covariance.far.size]
        width, lags = least(self.width, self.terms), least(self.lags, *cut)
        return replace(self, groups=groups, width=width, lags=lags)

    def _activated(self, group: Channels, activation: Activation) -> Channels:
        covariance, average = group.covariance, None
        if "modulation" in self.without:
            # Noise of the same covariance at all times makes no line.
            steady = covariance.excess.mean(axis=0)[None]
            covariance = replace(covariance, excess=np.tile(steady, (covariance.period, 1)))
        period = lcm(covariance.period, group.mean.size)
        covariance = covariance.tiled(period, lcm(covariance.fixed.shape[1], period))
        means = np.tile(group.mean, period // group.mean.size)
        mean, pointwise = channel_map(activation, means, covariance.variance)
        if covariance.far.size:
            level = covariance.variance.mean(keepdims=True)
            _, average = channel_map(activation, means.mean(keepdims=True), level)
        if "activation" in self.without:
            mean = mean - _added_offset(activation, means, covariance.variance, mean)
        count = int(group.count * activation.channel_ratio)
        return Channels(count, shortest(mean), covariance.mapped(pointwise, average))

    def through_normalisation(self, layer: Normalisation, label: str) -> Self:
        """Return the record behind a normalisation over time, divided by the expected level."""
        if not isinstance(layer, GroupNorm | InstanceNorm):
            raise NotPredictableError(
                "this normalisation has no rule in expectation over networks",
                given=f"{type(layer).__name__} at layer {label}",
                expected="GroupNorm, InstanceNorm, LayerNorm or BatchNorm",
                fix=_DRAW,
            )
        size, held = self.channels // layer.group_count, self.gains.get(label)
        gains = np.zeros(layer.group_count)

        def behind(number: int, shares: Shares) -> tuple[Channels, ...]:
            given = None if held is None else float(held[number])
            members = [replace(self.groups[group], count=count) for group, count in shares]
            made, gains[number:] = over_time(members, layer.eps, given)
            return made

        groups = self._slice_by_slice(layer.group_count, behind, held)
        return self._scaled_by(layer, label, groups, gains, f"{size} channels a group")

    def _through_layer_norm(self, layer: LayerNorm, label: str) -> Self:
        held = self.gains.get(label)
        groups, gain = over_channels(self.groups, layer.eps, held)
        return self._scaled_by(layer, label, groups, gain, f"{self.channels} channels")

    def _scaled_by(
        self,
        layer: GroupNorm | InstanceNorm | LayerNorm,
        label: str,
        groups: tuple[Channels, ...],
        gains: Array,
        over: str,
    ) -> Self:
        """Return the record of normalised groups, with the layer's own weight and bias."""
        note = (
            f"layer {label} ({type(layer).__name__}): divides by the expected level, whose "
            f"differences between networks are left out ({over})"
        )
        made = replace(
            self,
            groups=tuple(self._kept(group) for group in groups),
            notes=(*self.notes, note),
            gains={**self.gains, label: gains},
        )
        bias = layer.bias_array()
        if layer.weight is None and bias is None:
            return made
        weight = layer.weight_array()[:, None, None]
        offset = None if bias is None else bias[:, None]
        return made.through_operator(StretchFIR(weight, groups=weight.size, offset=offset), label)

    @classmethod
    def merged(cls, parts: Sequence[Self], merging: str) -> Self:
        """Return the record where branches meet; those that are added must be uncorrelated."""
        shared = len(frozenset().union(*(part.sources for part in parts))) < sum(
            len(part.sources) for part in parts
        )
        correlated = next((part.correlated for part in parts if part.correlated), "")
        terms = [part.terms for part in parts if part.sources != {"input"}]
        joined = replace(
            parts[0],
            sources=frozenset().union(*(part.sources for part in parts)),
            width=least(*(part.width for part in parts)),
            lags=least(*(part.lags for part in parts)),
            terms=min(terms, default=1),
            correlated=correlated,
            notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
            gains={label: gain for part in parts for label, gain in part.gains.items()},
        )
        if merging == "concatenate":
            groups = tuple(group for part in parts for group in part.groups)
            common = correlated or ("branches of common weights" if shared else "")
            return replace(joined, groups=groups, correlated=common)
        if shared:
            raise NotPredictableError(
                "branches that share their random weights are correlated where they meet",
                given="branches without a random layer of their own",
                expected="at most one branch without a random layer",
                fix=_DRAW,
            )
        ends = set[int]().union(*(ends_of(part.groups) for part in parts))
        split = [split_at(part.groups, ends) for part in parts]
        weight = 1 / len(parts) if merging == "mean" else 1.0
        groups = tuple(added(same, weight) for same in zip(*split, strict=True))
        return replace(joined, groups=groups)

    def by_channel(self, rows: Array) -> Array:
        """Return rows of the groups as rows of the channels."""
        if len(rows) == 1:
            return np.broadcast_to(rows, (self.channels, *rows.shape[1:]))
        return np.repeat(rows, [group.count for group in self.groups], axis=0)

    def line_powers(self) -> Array:
        """Return the expected power of each line ``k / P``, group by group, (groups, P)."""
        moments = [group.second_moment(averaged=True) for group in self.groups]
        whole = lcm(*(moment.fixed.shape[1] for moment in moments))
        powers = np.zeros((len(moments), whole))
        for row, moment in zip(powers, moments, strict=True):
            row[:: whole // moment.fixed.shape[1]] = moment.line_powers()
        return powers

    def density(self, turns: Array) -> Array:
        """Return the expected density per cycle per sample, group by group, (groups, F)."""
        return np.array([group.covariance.density(turns) for group in self.groups])


def _runs(
    fir: StretchFIR, group_of: NDArray[np.intp], offset: Array | None
) -> list[tuple[int, int]]:
    """Return output channels, and how many that follow are like them as far as is seen at once."""
    if not fir.groups == fir.out_channels == fir.in_channels:
        return [(output, 1) for output in range(fir.out_channels)]
    taps = fir.taps[:1] if fir.taps.strides[0] == 0 else fir.taps
    others = np.diff(group_of) != 0
    others |= np.any(taps[1:] != taps[:-1], axis=(1, 2)) if len(taps) > 1 else False
    if offset is not None:
        others |= np.any(offset[1:] != offset[:-1], axis=1)
    starts = np.flatnonzero(np.concatenate([[True], others]))
    counts = np.diff(starts, append=fir.out_channels)
    return list(zip(starts.tolist(), counts.tolist(), strict=True))


def least(*numbers: int | None) -> int | None:
    """Return the least of the numbers that are there."""
    return min((number for number in numbers if number is not None), default=None)


def _left(record: DeterministicMoments, without: frozenset[str]) -> Array:
    """Return one period without the shares of some causes."""
    period = record.period
    for source, share in zip(record.sources, record.shares, strict=True):
        if source.cause in without:
            period = period - share
    return period


def _alike(period: Array, rows: Array, noise: Callable[[int], TwoTime]) -> tuple[Channels, ...]:
    """Return channels whose period and whose noise, told by ``rows``, are equal, as groups."""
    others = np.any(period[1:] != period[:-1], axis=1)
    if len(rows) > 1:
        others |= np.any(rows[1:] != rows[:-1], axis=1)
    starts = np.flatnonzero(np.concatenate([[True], others])).tolist()
    counts = np.diff(starts, append=len(period)).tolist()
    return tuple(
        Channels(count, shortest(period[channel]), noise(channel))
        for channel, count in zip(starts, counts, strict=True)
    )


def _levels(signal: Signal, channels: int, rate: Fraction) -> Array:
    """Return the density per cycle per sample on the grid, one row if all channels are alike."""
    grid = np.arange(_GRID) / _GRID * float(rate)
    pieces = []
    # Thousands of channels at once would take more memory than all that follows.
    for part in np.array_split(grid, 1 + channels * _GRID // _PIECE):
        density = signal.density(part, channels, rate)
        if density is None:
            return np.zeros((1, _GRID))
        alike = np.all(density == density[:1])
        pieces.append(np.asarray(density[:1] if alike else density) * float(rate))
    rows = max(map(len, pieces))
    return np.concatenate([np.broadcast_to(p, (rows, p.shape[1])) for p in pieces], axis=1)


def _autocovariance(level: Array) -> TwoTime:
    """Return the autocovariance of a density on the grid, per cycle per sample."""
    covariance = np.fft.ifft(level).real
    # A lag that rounding alone explains carries nothing.
    seen = (
        np.abs(covariance[: _GRID // 2]) > np.finfo(np.float64).eps * np.log2(_GRID) * level.max()
    )
    reach = int(np.flatnonzero(seen)[-1]) if seen.any() else 0
    return TwoTime(np.zeros((1, 1)), covariance[np.arange(-reach, reach + 1)][None])


def _added_offset(activation: Activation, means: Array, variance: Array, made: Array) -> float:
    """Return the offset that an activation makes, beyond what passes with its mean slope.

    A gate has none of its own: its mean is that of the half that passes, times a number.
    """
    if isinstance(activation, GLU):
        return 0.0
    if not means.any():
        return float(made.mean())
    slope = activation.moments(means, np.sqrt(np.maximum(variance, 0.0))).slope
    return float((made - slope * means).mean())


def _recording(signal: str) -> NotPredictableError:
    return NotPredictableError(
        "a recording has no expectation over networks here", given=f"signal {signal:.60}", fix=_DRAW
    )


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
