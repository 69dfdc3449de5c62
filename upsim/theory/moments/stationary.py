"""Regime 2, given weights and a stationary random input.

Up to the first activation the random part is kept as its density at the input and the chain of
operators since then; it is evaluated only at the frequencies that are asked for.  The repeating
part is carried beside it as in regime 1.  An activation acts on the two together: from there on
the random part is a place whose cyclostationary covariances are known
(:mod:`~upsim.theory.moments.places`), exactly after one activation, by the Gaussian closure after
more; a gate on its two halves in the same way (:mod:`~upsim.theory.moments.gates`).  Normalisations
divide both by a level that is known, so they are linear again; so do those over the channels, whose
level is nearly certain if the channels are many (:mod:`~upsim.theory.moments.levelling`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import reduce
from typing import Self

import numpy as np
from numpy.typing import NDArray

from upsim.errors import NotPredictableError
from upsim.layers import ChannelNormalisation, Gated
from upsim.layers.base import Activation, Normalisation
from upsim.network.signals import Signal
from upsim.operators import Operator, StretchFIR
from upsim.theory.moments.autocovariance import from_density
from upsim.theory.moments.base import Levels, Moments
from upsim.theory.moments.deterministic import DeterministicMoments
from upsim.theory.moments.independent import SHARE
from upsim.theory.moments.levelling import centring, levelled
from upsim.theory.moments.modulation import activated, gated
from upsim.theory.moments.narrow import closure_note
from upsim.theory.moments.places import Activated, Filtered, Merged, Place, Scaled, Start
from upsim.theory.moments.power import noise_power
from upsim.theory.moments.rules import Nonlinearity
from upsim.theory.moments.transfer import density_through
from upsim.theory.moments.trust import moments_note
from upsim.words.arguments import MEMORY_BUDGET

Array = NDArray[np.float64]

#: Cosines in one block of a frequency sweep (32 MiB).
_BLOCK = 2**22


@dataclass(frozen=True, eq=False)
class StationaryMoments(Moments):
    """A repeating part, and a random part.

    Parameters
    ----------
    mean : DeterministicMoments
        Everything that is not random.
    signal : Signal
        The source of the random part.
    input_channels : int
    input_rate : Fraction
        In Hz.
    chain : tuple of Operator or None
        From the input to this place; None after an activation.
    notes : tuple of str
        How far off the levels may be that normalisations divide by.
    budget : float
        Bytes that one covariance may take.
    provenance : bool
        Whether tones are to be split by their sources.
    place : Place
        The random part, for what comes after an activation.
    """

    mean: DeterministicMoments
    signal: Signal
    input_channels: int
    input_rate: Fraction
    chain: tuple[Operator, ...] | None = ()
    notes: tuple[str, ...] = ()
    budget: float = MEMORY_BUDGET
    provenance: bool = True
    place: Place = field(default=None)  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if getattr(self, "place", None) is None:
            start = Start(self.input_channels, self._at_input, self.budget)
            object.__setattr__(self, "place", start)

    def _at_input(self) -> Array:
        return from_density(self.signal, self.input_channels, self.input_rate).lags

    @property
    def channels(self) -> int:
        """Channels at this place."""
        return self.mean.channels

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What is exact and what is closed."""
        if self.chain is not None:
            return (*self.mean.assumptions, "density: exact, averaged over time", *self.notes)
        found = []
        if not self.place.activations:
            found.append("lines and density: exact but for the levels below, far from the ends")
        elif self.place.activations == 1 and not self.place.levelled:
            found.append("lines and density: exact after one activation, far from the ends")
        elif self.place.activations == 1:
            found.append("lines and density: exact after one activation but for the levels below")
        else:
            found.append(
                f"lines and density: Gaussian closure, the signals before the last "
                f"{self.place.activations - 1} of {self.place.activations} activations in a row "
                "are taken as jointly Gaussian"
            )
        if self.place.plan.apart:
            found.append(
                f"channels: taken as independent of each other, and of what a layer has mixed, "
                f"where all pairs would pass {self.budget / 2**20:.0f} MiB; lags with less than "
                f"{SHARE:g} of the power are left out"
            )
        cut = from_density(self.signal, self.input_channels, self.input_rate).cut
        if cut:
            found[0] = found[0].replace("exact", "exact for the input as it is cut (below)")
            found.append(cut)
        return (*found, *closure_note(self.place), *self.notes)

    def through_operator(self, operator: Operator, label: str) -> Self:
        """Add the operator to the chain."""
        mean = self.mean.through_operator(operator, label)
        chain = None if self.chain is None else (*self.chain, operator)
        return replace(self, mean=mean, chain=chain, place=Filtered(self.place, operator))

    def through_activation(self, activation: Activation, label: str) -> Self:
        """Map the mean and, by way of its place, every covariance."""
        if self.mean.waveform is not None:
            raise NotPredictableError(
                "a recording and noise together cannot be carried through an activation",
                given=f"{type(activation).__name__} at layer {label}, signal {self.signal!r}",
                expected="either of the two",
                fix="predict the recording alone, or noise with its density: upsim.Density(...)",
            )
        if isinstance(activation, ChannelNormalisation):
            return self._through_channel_normalisation(activation, label)
        mean, moments = (
            gated(self.mean, self.place, activation.gate, label)
            if isinstance(activation, Gated)
            else activated(self.mean, self.place, activation.pointwise, label)
        )
        place = Activated(self.place, Nonlinearity.of(moments))
        notes = (*self.notes, *moments_note(moments.relative_error, activation, label))
        return replace(self, mean=mean, chain=None, place=place, notes=notes)

    def _through_channel_normalisation(self, layer: ChannelNormalisation, label: str) -> Self:
        """Take the mean over the channels away, exactly, and divide by the level there is."""
        apart = Filtered(self.place, centring(layer, self.channels))
        found = levelled(self.mean, apart, layer, label)
        return replace(
            self,
            mean=found.mean,
            chain=None,
            notes=(*self.notes, found.note),
            place=Scaled(apart, found.gains),
        )

    def levels(self) -> Levels:
        """Return mean and variance over time: of the repeating part, plus the noise's power."""
        return self._levels()[0]

    def through_normalisation(self, layer: Normalisation, label: str) -> Self:
        """Divide the repeating part and the noise by their common level."""
        levels, error = self._levels()
        note = f"layer {label} ({type(layer).__name__}): noise power within {error:.1e} of itself"
        operator = layer.operator_for(levels.mean, levels.variance)
        return replace(
            self,
            mean=self.mean.normalised_by(layer, label, levels),
            chain=None if self.chain is None else (*self.chain, operator),
            notes=(*self.notes, note) if error else self.notes,
            place=Filtered(self.place, operator),
        )

    def _levels(self) -> tuple[Levels, float]:
        """Return the levels, and the largest relative error of a channel's noise power."""
        steady = self.mean.levels()
        if self.chain is None:
            power = self.place.covariance.variance().mean(axis=0)
            return Levels(steady.mean, steady.variance + power), 0.0
        power, error = noise_power(self.chain, self.signal, self.input_channels, self.input_rate)
        relative = np.divide(error, power, out=np.zeros_like(power), where=power > 0)
        return Levels(steady.mean, steady.variance + power), float(relative.max())

    @classmethod
    def merged(cls, parts: Sequence[Self], merging: str) -> Self:
        """Merge the places; while all is linear, fold the branches into one operator."""
        chains = [part.chain for part in parts if part.chain is not None]
        return replace(
            parts[0],
            mean=DeterministicMoments.merged([part.mean for part in parts], merging),
            chain=_joined(chains, parts[0].input_channels, merging)
            if len(chains) == len(parts)
            else None,
            place=Merged([part.place for part in parts], merging),
            notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
        )

    def noise_power(self) -> Array:
        """Return the power of the random part, averaged over time, (channels,)."""
        if self.chain is None:
            # An average over time is even in the lag, and lag 0 stands in the middle.
            return np.asarray(self.place.averaged[len(self.place.averaged) // 2])
        return noise_power(self.chain, self.signal, self.input_channels, self.input_rate)[0]

    @property
    def memory(self) -> int:
        """Output samples that one input sample touches."""
        if self.chain is None:
            return len(self.place.averaged)
        length = 1
        for operator in self.chain:
            if isinstance(operator, StretchFIR):
                length = -(-((length - 1) * operator.factor + operator.reach) // operator.down)
            else:
                blocks = operator.polyphase()
                length = (-(-length // blocks.down) + len(blocks.blocks)) * blocks.up
        return length

    def density(self, frequencies: Array, shift: int = 0) -> NDArray[np.complex128]:
        """Return the two-sided density per Hz, (channels, F), at cycles per sample.

        ``shift`` numbers the cyclic frequency; 0 is the time average.
        """
        if self.chain is None:
            return self._closed_density(frequencies, shift)
        rate = float(self.input_rate)

        def at_input(turns: Array) -> Array:
            found = self.signal.density(turns * rate, self.input_channels, self.input_rate)
            return np.zeros((self.input_channels, turns.size)) if found is None else found

        return density_through(self.chain, frequencies, at_input, self.input_channels, shift)

    def _closed_density(self, frequencies: Array, shift: int) -> NDArray[np.complex128]:
        r"""Return :math:`\frac{1}{F} \sum_d \bar R[d] e^{-j 2 \pi g d}`, F the rate here."""
        if shift:
            raise NotPredictableError(
                "cyclic densities are known for linear stacks only",
                given="a stack with an activation",
                fix="the layers before it: upsim.predict(stack.upto(n))",
            )
        averaged = self.place.averaged
        reach = len(averaged) // 2
        # The average over time is even in the lag: a sum of cosines.
        lags = np.arange(1, reach + 1)
        answer = np.repeat(averaged[reach][:, None], frequencies.size, axis=1)
        block = max(1, _BLOCK // max(1, reach))
        for start in range(0, frequencies.size, block):
            grid = frequencies[start : start + block]
            waves = np.cos(2 * np.pi * np.outer(lags, grid))
            answer[:, start : start + block] += 2 * averaged[reach + 1 :].T @ waves
        rate = float(self.input_rate * self.place.rate)
        return np.asarray(np.maximum(answer, 0.0) / rate, dtype=np.complex128)


def _joined(
    chains: Sequence[tuple[Operator, ...]], channels: int, merging: str
) -> tuple[Operator, ...]:
    """Fold each branch since the fork into one operator and merge the operators."""
    shared = 0
    while all(len(chain) > shared for chain in chains) and all(
        chain[shared] is chains[0][shared] for chain in chains
    ):
        shared += 1
    fork = chains[0][:shared]
    width = fork[-1].out_channels if fork else channels
    branches = [_folded(chain[shared:], width) for chain in chains]
    return (*fork, merged_operators(branches, merging))


def _folded(chain: Sequence[Operator], channels: int) -> Operator:
    """Return a chain as one operator; an empty one is a wire."""
    if not chain:
        return StretchFIR(np.ones((channels, 1, 1)), groups=channels)
    return reduce(lambda first, second: first.then(second), chain)


def merged_operators(operators: Sequence[Operator], merging: str) -> Operator:
    """Return the operator of branches that meet: sum, mean or concatenation of channels."""
    count = len(operators)
    if merging != "concatenate":
        total = reduce(lambda first, second: first + second, operators)
        if merging == "sum":
            return total
        scale = StretchFIR(
            np.full((total.out_channels, 1, 1), 1 / count), groups=total.out_channels
        )
        return total.then(scale)
    sizes = [operator.out_channels for operator in operators]
    widened = []
    for position, operator in enumerate(operators):
        # Each branch writes its own channels of the whole: a selection matrix after it.
        select = np.zeros((sum(sizes), sizes[position], 1))
        start = sum(sizes[:position])
        select[start : start + sizes[position], :, 0] = np.eye(sizes[position])
        widened.append(operator.then(StretchFIR(select)))
    return reduce(lambda first, second: first + second, widened)
