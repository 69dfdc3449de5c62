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
from math import gcd, lcm
from typing import Self

import numpy as np
from numpy.typing import NDArray

from upsim.errors import NotPredictableError
from upsim.layers import ChannelNormalisation, Gated, TimeNormalisation
from upsim.layers.base import Activation, Normalisation
from upsim.network.node import spoken
from upsim.network.signals import Signal
from upsim.operators import Operator, StretchFIR
from upsim.operators.random_taps import ApartTaps, Part, RandomBias, RandomTaps
from upsim.operators.repeating import Repeating
from upsim.theory.moments.base import Moments
from upsim.theory.moments.channelmap import channel_map
from upsim.theory.moments.channels import (
    Channels,
    Shares,
    added,
    average,
    ends_of,
    shares_of,
    split_at,
)
from upsim.theory.moments.closure_error import expectation_note
from upsim.theory.moments.entrance import left_of_signal, noise_note, of_network, of_signal
from upsim.theory.moments.fixed_weight import GivenLayer
from upsim.theory.moments.merging import share
from upsim.theory.moments.normalised import level_deviation, over_channels, over_time
from upsim.words.arguments import MEMORY_BUDGET

Array = NDArray[np.float64]

_DRAW = "stack = stack.draw(seed=0), and predict that one network"


@dataclass(frozen=True, eq=False)
class Addend:
    """One of the signals that were added: ``weight`` times the signal ``name``.

    Branches that meet may hold one signal each: three residual blocks beside each other hold their
    common input three times, and so three times its amplitude, not its power.
    """

    name: str
    weight: float
    groups: tuple[Channels, ...]
    sources: frozenset[str]

    def scaled(self) -> tuple[Channels, ...]:
        """Return the channels as they enter the sum."""
        if self.weight == 1.0:
            return self.groups
        return tuple(group.scaled(self.weight) for group in self.groups)


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
    terms : int or None
        Independent terms that one sample here adds up: one behind an activation; None for the
        input, which is taken as it is.
    width : int or None
        Fewest terms in front of any activation so far; None if there was none.
    lags : int or None
        Beyond so many lags an activation or a decimation met the average over the phases; None if
        none did.
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
    addends : tuple of Addend
        What a sum of branches was made of; empty where no sum was made.
    name : str
        Of the signal: the label of the layer that made it; for an input its name, "" where there
        is one.
    """

    groups: tuple[Channels, ...]
    sources: frozenset[str]
    terms: int | None = None
    width: int | None = None
    lags: int | None = None
    averaged: bool = False
    correlated: str = ""
    notes: tuple[str, ...] = ()
    without: frozenset[str] = frozenset()
    gains: Mapping[str, Array] = field(default_factory=dict)
    addends: tuple[Addend, ...] = ()
    name: str = ""

    @classmethod
    def from_signal(
        cls,
        signal: Signal,
        channels: int,
        rate: Fraction,
        *,
        budget: float = MEMORY_BUDGET,
        name: str = "",
    ) -> EnsembleMoments:
        """Return the record at an input, whose name counts where there are several.

        ``budget`` in bytes is for all covariances that are held at once.  A thirty-second of it may
        go to the phases of one; with 0 the lines cost least, and are the same.
        """
        notes = noise_note(signal, channels, rate)
        groups = of_signal(signal, channels, rate, budget)
        return cls(groups, frozenset({name or "input"}), notes=notes, name=name)

    def repeated(
        self, signal: Signal, rate: Fraction, without: frozenset[str], *, cheaply: bool
    ) -> Self:
        """Return this record of the input for a walk without some causes.

        Cheaply: with no budget for lags that only the density needs.
        """
        groups = left_of_signal(self.groups, signal, rate, without, cheaply=cheaply)
        return replace(self, groups=groups, averaged=False, without=without)

    @classmethod
    def from_network(
        cls, record: Moments, without: frozenset[str], inputs: frozenset[str], name: str
    ) -> EnsembleMoments:
        """Return what is behind layers of given weights, for a random layer that follows.

        ``inputs`` are the names of those that reach it, ``name`` is that of the value.
        """
        return cls(
            of_network(record, without),
            inputs,
            correlated="layers of given weights",
            notes=tuple(f"before the first random layer: {each}" for each in record.assumptions),
            without=without,
            name=name,
        )

    def _kept(self, group: Channels) -> Channels:
        return replace(group, covariance=group.covariance.averaged()) if self.averaged else group

    def over_time(self) -> Self:
        """Return the record averaged over its period, for what follows the last activation."""
        averaged = replace(self, averaged=True)
        kept = averaged._kept
        addends = tuple(
            replace(each, groups=tuple(map(kept, each.groups))) for each in self.addends
        )
        return replace(averaged, groups=tuple(map(kept, self.groups)), addends=addends)

    def made_by(self, label: str) -> Self:
        """Return the record as a signal of its own, made by one layer."""
        return replace(self, addends=(), name=label)

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
            found += expectation_note(self.width)
        if self.lags is not None:
            found.append(
                f"psd: covariances beyond {self.lags} samples averaged over the phases of the "
                "period in front of activations (more memory=... moves that out); lines unaffected"
            )
        return (*found, *self.notes)

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
            return (
                self._kept(Channels(taps.out_channels // slices, Repeating.constant(0.0), made)),
            )

        return replace(
            self,
            groups=self._slice_by_slice(slices, behind),
            sources=frozenset({label}),
            terms=taps.terms,
            lags=self._lags_behind(taps.stride),
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
        layer = GivenLayer.of(operator, label)
        if layer.adds_channels:
            self._refuse_common_parts(label)
        found = layer.behind(self.groups, with_bias="bias" not in self.without)
        return replace(
            self,
            groups=tuple(map(self._kept, found)),
            terms=None if self.terms is None else self.terms * layer.terms,
            lags=self._lags_behind(layer.stride),
            correlated=spoken(label) if layer.shares_channels else self.correlated,
        )

    def _refuse_common_parts(self, label: str) -> None:
        if self.correlated:
            raise NotPredictableError(
                "channels with parts in common are added, and their covariance is not known",
                given=f"{spoken(label)}, behind {self.correlated}",
                expected="a random layer between the two",
                fix=_DRAW,
            )

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
        if isinstance(activation, ChannelNormalisation):
            return self._through_channel_normalisation(activation, label)
        if activation.channel_ratio != 1:
            self._refuse_common_parts(label)
            if len(self.groups) > 1:
                raise NotPredictableError(
                    "a gate would mix channels of different statistics",
                    given=f"{type(activation).__name__} at {spoken(label)} behind a concatenation",
                    fix=_DRAW,
                )
        groups = tuple(self._activated(group, activation, label) for group in self.groups)
        cut = [group.covariance.reach for group in self.groups if group.covariance.far.size]
        width, lags = least(self.width, self.terms), least(self.lags, *cut)
        return replace(self, groups=groups, width=width, lags=lags, terms=1)

    def _activated(self, group: Channels, activation: Activation, label: str) -> Channels:
        covariance, average = group.covariance, None
        if "modulation" in self.without:
            # Noise of the same covariance at all times makes no line.
            steady = np.broadcast_to(covariance.excess.mean(axis=0), covariance.excess.shape)
            covariance = replace(covariance, excess=steady)
        covariance = covariance.over(group.mean.period)
        means = group.mean.over(covariance.period)
        mean, pointwise = channel_map(activation, means, covariance.variance, label)
        if covariance.far.size:
            level = covariance.variance.mean(keepdims=True)
            _, average = channel_map(activation, means.mean(keepdims=True), level, label)
        if "activation" in self.without:
            mean = mean - _added_offset(activation, means, covariance.variance, mean)
        count = int(group.count * activation.channel_ratio)
        return Channels(count, Repeating(mean).shortest(), covariance.mapped(pointwise, average))

    def through_normalisation(self, layer: Normalisation, label: str) -> Self:
        """Return the record behind a normalisation over time, divided by the expected level."""
        if not isinstance(layer, TimeNormalisation):
            raise NotPredictableError(
                "this normalisation has no rule in expectation over networks",
                given=f"{type(layer).__name__} at {spoken(label)}",
                expected="a TimeNormalisation, which says its centre and its level",
                fix=_DRAW,
            )
        size, held = self.channels // layer.group_count, self.gains.get(label)
        gains, deviations = np.zeros(layer.group_count), [0.0]

        def behind(number: int, shares: Shares) -> tuple[Channels, ...]:
            given = None if held is None else float(held[number])
            members = [replace(self.groups[group], count=count) for group, count in shares]
            made, gains[number:] = over_time(members, layer, given)
            deviations.append(level_deviation(made))
            return made

        groups = self._slice_by_slice(layer.group_count, behind, held)
        over = f"over {size} channel{'s' * (size > 1)} a group"
        return self._scaled_by(layer, label, groups, gains, max(deviations), over)

    def _through_channel_normalisation(self, layer: ChannelNormalisation, label: str) -> Self:
        held = self.gains.get(label)
        groups, gain = over_channels(self.groups, layer, held)
        # The mean square of n independent Gaussian channels.
        deviation = float(np.sqrt(2 / self.channels))
        return self._scaled_by(
            layer, label, groups, gain, deviation, f"over {self.channels} channels"
        )

    def _scaled_by(
        self,
        layer: TimeNormalisation | ChannelNormalisation,
        label: str,
        groups: tuple[Channels, ...],
        gains: Array,
        deviation: float,
        over: str,
    ) -> Self:
        """Return the record of normalised groups, with the layer's own weight and bias."""
        note = (
            f"{spoken(label)} ({type(layer).__name__}): divides by the expected level {over}; that "
            f"of one network differs from it by {100 * deviation:.0f} % (standard deviation)"
        )
        made = replace(
            self,
            groups=tuple(self._kept(group) for group in groups),
            notes=(*self.notes, note),
            gains={**self.gains, label: gains},
        )
        given, bias = layer.weight_array(), layer.bias_array()
        weight = np.ones(self.channels) if given is None else given
        if np.all(weight == 1) and bias is None:
            return made
        weight = weight[:, None, None]
        offset = None if bias is None else bias[:, None]
        return made.through_operator(StretchFIR(weight, groups=weight.size, offset=offset), label)

    @classmethod
    def merged(cls, parts: Sequence[Self], merging: str) -> Self:
        """Return the record where branches meet.

        Branches that are added may hold one signal in common, each with a weight of its own; what
        else they hold must be uncorrelated.
        """
        sources = frozenset[str]().union(*(part.sources for part in parts))
        correlated = next((part.correlated for part in parts if part.correlated), "")
        joined = replace(
            parts[0],
            sources=sources,
            width=least(*(part.width for part in parts)),
            lags=least(*(part.lags for part in parts)),
            terms=least(*(part.terms for part in parts)),
            correlated=correlated,
            notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
            gains={label: gain for part in parts for label, gain in part.gains.items()},
        )
        if merging == "concatenate":
            groups = tuple(group for part in parts for group in part.groups)
            shared = len(sources) < sum(len(part.sources) for part in parts)
            common = correlated or ("branches of common weights" if shared else "")
            return replace(joined, groups=groups, correlated=common)
        addends = _united(parts, share(merging, len(parts)))
        if len(sources) < sum(len(addend.sources) for addend in addends):
            raise NotPredictableError(
                "branches that share their random weights are correlated where they meet",
                given="branches without a random layer of their own, which change what they share",
                expected="at most one branch without a random layer, or plain wires",
                fix=_DRAW,
            )
        scaled = [addend.scaled() for addend in addends]
        ends = set[int]().union(*map(ends_of, scaled))
        split = [split_at(groups, ends) for groups in scaled]
        groups = tuple(map(added, zip(*split, strict=True)))
        return replace(joined, groups=groups, addends=addends)

    def by_channel(self, rows: Array) -> Array:
        """Return rows of the groups as rows of the channels."""
        if len(rows) == 1:
            return np.broadcast_to(rows, (self.channels, *rows.shape[1:]))
        return np.repeat(rows, [group.count for group in self.groups], axis=0)

    def line_powers(self) -> Array:
        """Return the expected power of each line ``k / P``, group by group, (groups, P)."""
        moments = [group.second_moment(averaged=True) for group in self.groups]
        whole = lcm(*(moment.turns for moment in moments))
        return np.array([moment.line_powers(whole) for moment in moments])

    def noise_power(self) -> Array:
        """Return the expected power of what does not repeat, averaged over time, (channels,)."""
        steady = [group.covariance.averaged() for group in self.groups]
        return self.by_channel(np.array([each.excess[:1, each.reach] for each in steady]))[:, 0]

    def density(self, turns: Array) -> Array:
        """Return the expected density per cycle per sample, group by group, (groups, F)."""
        return np.array([group.covariance.density(turns) for group in self.groups])


def _united(parts: Sequence[EnsembleMoments], weight: float) -> tuple[Addend, ...]:
    """Return what branches add up to, signal by signal, all times ``weight``."""
    found: dict[str, Addend] = {}
    for part in parts:
        own = (Addend(part.name, 1.0, part.groups, part.sources),)
        for each in part.addends or own:
            before = found[each.name].weight if each.name in found else 0.0
            found[each.name] = replace(each, weight=before + weight * each.weight)
    return tuple(found.values())


def least(*numbers: int | None) -> int | None:
    """Return the least of the numbers that are there."""
    return min((number for number in numbers if number is not None), default=None)


def _added_offset(activation: Activation, means: Array, variance: Array, made: Array) -> float:
    """Return the offset that an activation makes, beyond what passes with its mean slope.

    The halves of a gate are independent: its slope is the carrier's times what is open.
    """
    if not means.any():
        return float(made.mean())
    deviation = np.sqrt(np.maximum(variance, 0.0))
    if isinstance(activation, Gated):
        carried = activation.gate.carrier.moments(means, deviation, order=1).slope
        slope = carried * activation.gate.opening.expectation(means, deviation)
    else:
        slope = activation.moments(means, deviation).slope
    return float((made - slope * means).mean())
