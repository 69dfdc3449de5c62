"""Regime 2, given weights and a stationary random input.

Up to the first activation the random part is kept as its density at the inputs and the places since
then; it is evaluated only at the frequencies that are asked for.  The repeating
part is carried beside it as in regime 1.  An activation acts on the two together: from there on
the random part is a place whose cyclostationary covariances are known
(:mod:`~upsim.theory.moments.places`), exactly after one activation, by the Gaussian closure after
more; a gate on its two halves in the same way (:mod:`~upsim.theory.moments.gates`).  Normalisations
divide both by a level that is known, so they are linear again; so do those over the channels, whose
level is nearly certain if the channels are many (:mod:`~upsim.theory.moments.levelling`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Self

import numpy as np
from numpy.typing import NDArray

from upsim.errors import NotPredictableError, TooLargeError
from upsim.layers import ChannelNormalisation, Gated
from upsim.layers.base import Activation, Normalisation
from upsim.network.signals import Silence
from upsim.operators import Operator
from upsim.theory.moments.base import Levels, Moments
from upsim.theory.moments.closure_error import closure_note
from upsim.theory.moments.deterministic import DeterministicMoments
from upsim.theory.moments.levelling import centring, levelled
from upsim.theory.moments.modulation import activated, gated
from upsim.theory.moments.per_channel import SHARE
from upsim.theory.moments.places import Activated, Filtered, Merged, Place, Scaled, Start
from upsim.theory.moments.power import noise_power, response_span
from upsim.theory.moments.rules import Nonlinearity
from upsim.theory.moments.transfer import Transfer
from upsim.theory.moments.trust import moments_note

Array = NDArray[np.float64]

#: How the assumption begins that says why there is noise and no density.
NO_DENSITY = "density: not given, all pairs of channels do not fit the memory"

#: Cosines in one block of a frequency sweep (2 MiB).
_BLOCK = 2**18


@dataclass(frozen=True, eq=False)
class StationaryMoments(Moments):
    """A repeating part, and a random part.

    Parameters
    ----------
    mean : DeterministicMoments
        Everything that is not random.
    place : Place
        The random part: where it comes from.
    notes : tuple of str
        How far off the levels may be that normalisations divide by.
    provenance : bool
        Whether tones are to be split by their sources.
    density_asked : bool
        Whether an answer without a density is refused.
    """

    mean: DeterministicMoments
    place: Place
    notes: tuple[str, ...] = ()
    provenance: bool = True
    density_asked: bool = False

    @property
    def budget(self) -> float:
        """Bytes that all covariances may take together."""
        return self.place.budget

    def beside(self, mean: DeterministicMoments, rate: Fraction) -> Self:
        """Return what nothing random has reached as a record of this regime, to merge the two."""
        return replace(
            self, mean=mean, place=Start(Silence(), mean.channels, rate, self.budget), notes=()
        )

    @property
    def channels(self) -> int:
        """Channels at this place."""
        return self.mean.channels

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What is exact and what is closed."""
        if self.place.linear:
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
        if self.place.per_channel:
            found[0] = found[0].replace("lines and density", "lines")
            found.append(
                f"channels: taken as independent of each other, and of what a layer has mixed, "
                f"where all pairs would pass {self.budget / 2**20:.0f} MiB; lags with less than "
                f"{SHARE:g} of the power are left out"
            )
            found.append(f"{NO_DENSITY}: {no_density(self.place).fix}")
        cuts = tuple(dict.fromkeys(each.autocovariance.cut for each in self.place.starts))
        if any(cuts):
            found[0] = found[0].replace("exact", "exact for the input as it is cut (below)")
            found += filter(None, cuts)
        return (*found, *closure_note(self.place), *self.notes)

    def through_operator(self, operator: Operator, label: str) -> Self:
        """Go on to the operator's output."""
        mean = self.mean.through_operator(operator, label)
        return replace(self, mean=mean, place=Filtered(self.place, operator))

    def through_activation(self, activation: Activation, label: str) -> Self:
        """Map the mean and, by way of its place, every covariance."""
        if self.mean.waveform is not None:
            raise NotPredictableError(
                "a recording and noise together cannot be carried through an activation",
                given=f"{type(activation).__name__} at layer {label}",
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
        return replace(self, mean=mean, place=place, notes=notes)

    def _through_channel_normalisation(self, layer: ChannelNormalisation, label: str) -> Self:
        """Take the mean over the channels away, exactly, and divide by the level there is."""
        centred = Filtered(self.place, centring(layer, self.channels))
        found = levelled(self.mean, centred, layer, label)
        return replace(
            self,
            mean=found.mean,
            notes=(*self.notes, found.note),
            place=Scaled(centred, found.gains),
        )

    def levels(self) -> Levels:
        """Return mean and variance over time: of the repeating part, plus the noise's power."""
        steady = self.mean.levels()
        linear = self.place.linear
        power = self.noise_power() if linear else self.place.covariance.variance().mean(axis=0)
        return Levels(steady.mean, steady.variance + power)

    def through_normalisation(self, layer: Normalisation, label: str) -> Self:
        """Divide the repeating part and the noise by their common level."""
        levels = self.levels()
        operator = layer.operator_for(levels.mean, levels.variance)
        return replace(
            self,
            mean=self.mean.normalised_by(layer, label, levels),
            place=Filtered(self.place, operator),
        )

    @classmethod
    def merged(cls, parts: Sequence[Self], merging: str) -> Self:
        """Merge the places."""
        return replace(
            parts[0],
            mean=DeterministicMoments.merged([part.mean for part in parts], merging),
            place=Merged([part.place for part in parts], merging),
            notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
        )

    def noise_power(self) -> Array:
        """Return the power of the random part, averaged over time, (channels,)."""
        if not self.place.linear:
            # An average over time is even in the lag, and lag 0 stands in the middle.
            return np.asarray(self.place.averaged[len(self.place.averaged) // 2])
        return noise_power(self.place)

    @property
    def memory(self) -> int:
        """Output samples that one input sample touches."""
        if not self.place.linear:
            return len(self.place.averaged)
        return max(response_span(self.place, each) for each in self.place.starts)

    def density(self, frequencies: Array, alpha: Fraction | int = 0) -> NDArray[np.complex128]:
        """Return the two-sided density per Hz, (channels, F), at cycles per sample.

        ``alpha`` is the cyclic frequency in cycles per sample; 0 is the time average.
        """
        if not self.place.linear:
            return self._closed_density(frequencies, alpha)
        # The inputs are independent: what each makes of the output adds up.
        total = np.zeros((self.channels, frequencies.size), dtype=np.complex128)
        for start in self.place.starts:
            transfer = Transfer(self.place, start, frequencies.size)
            total += transfer.density(frequencies, start.level, alpha)
        return total

    def _closed_density(self, frequencies: Array, alpha: Fraction | int) -> NDArray[np.complex128]:
        r"""Return :math:`\frac{1}{F} \sum_d \bar R[d] e^{-j 2 \pi g d}`, F the rate here."""
        if alpha:
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
        return np.asarray(np.maximum(answer, 0.0) / float(self.place.rate), dtype=np.complex128)


def no_density(place: Place) -> TooLargeError:
    """Return why there is no density at a place, and the ways out."""
    return TooLargeError(
        "the density needs the covariances of all pairs of channels",
        given=f"{place.channels} channels, whose pairs do not fit beside all that came before",
        expected=f"at most {place.budget / 2**20:.1f} MiB beside the lines and the density",
        fix="upsim.measure(stack, signal), a run with errors, "
        "predict(..., memory=<bytes>) for more, fewer channels, "
        "upsim.predict(stack.upto(n)) for the layers before, "
        "or no frequencies= for the lines alone",
    )
