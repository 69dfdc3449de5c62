"""Layers that are wrong, each in one way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import ClassVar, Self

import numpy as np

from upsim.gaussian import ActivationMoments, Form, Quadrature
from upsim.layers.activations import ReLU
from upsim.layers.base import Activation, Array
from upsim.layers.convolution import Conv, TransposedConv
from upsim.layers.interpolation import Nearest
from upsim.layers.normalisation import GroupNorm, InstanceNorm
from upsim.layers.samples import Decimate, Slice
from upsim.layers.subpixel import PeriodicShuffle, SubpixelConv
from upsim.operators import LengthRule, Operator, StretchFIR

from .operators import BlocksLate, doctored


class DoctoredConv(TransposedConv):
    """A transposed convolution whose operator is of a broken kind."""

    kind: ClassVar[type[StretchFIR]] = StretchFIR

    def operator(self, channels: int) -> StretchFIR:
        """Return the broken operator."""
        return doctored(self.kind, super().operator(channels))


def with_operator(kind: type[StretchFIR]) -> type[DoctoredConv]:
    """Return a layer type whose operator is of a broken kind."""
    return type(f"{kind.__name__}Conv", (DoctoredConv,), {"kind": kind})


class LateBlocks(TransposedConv):
    """Its polyphase matrix cannot be blocked."""

    def operator(self, channels: int) -> Operator:  # type: ignore[override]
        """Return the broken polyphase matrix."""
        good = super().operator(channels).polyphase()
        return BlocksLate(good.blocks, good.first, offset=good.offset, length=good.length)


class WrongLength(TransposedConv):
    """Promises one sample more than it makes."""

    def length_rule(self) -> LengthRule:
        """Return the law with one sample too many."""
        ((up, down, extra),) = super().length_rule().steps
        return LengthRule(((up, down, extra + 1),))


class CropOffByOne(TransposedConv):
    """Cuts one sample too many on the left and one too few on the right."""

    @property
    def crop(self) -> tuple[int, int]:
        """The crop, one sample off."""
        left, right = super().crop
        return left + 1, right - 1


class OutputPaddingLeft(TransposedConv):
    """Adds the output padding on the left."""

    @property
    def crop(self) -> tuple[int, int]:
        """The crop with its sides exchanged."""
        left, right = super().crop
        return right, left


class TapDropped(TransposedConv):
    """Forgets the last tap."""

    def operator(self, channels: int) -> StretchFIR:
        """Return the operator with a zero for the last tap."""
        good = super().operator(channels)
        taps = good.taps.copy()
        taps[..., -1] = 0
        return doctored(StretchFIR, good, taps=taps)


class DilationIgnored(Conv):
    """Reads its taps next to each other, whatever the dilation."""

    def operator(self, channels: int) -> Operator:
        """Return the operator of dilation 1."""
        if self.dilation == 1:
            return super().operator(channels)
        return replace(self, dilation=1).operator(channels)


class ReflectIsReplicate(Conv):
    """Holds the end sample where it should mirror."""

    def operator(self, channels: int) -> Operator:
        """Return the operator with another padding mode."""
        if self.padding_mode == "reflect":
            return replace(self, padding_mode="replicate").operator(channels)
        return super().operator(channels)


class OffsetDrifts(TransposedConv):
    """Its bias has a period that the layer has not."""

    def operator(self, channels: int) -> StretchFIR:
        """Return the operator with an offset of period ``L + 1``."""
        good = super().operator(channels)
        drifting = np.tile(np.arange(good.factor + 1.0), (good.out_channels, 1))
        return doctored(StretchFIR, good, offset=drifting)


class BiasMadeConstant(SubpixelConv):
    """Adds the mean of the bias where it should be periodic."""

    def operator(self, channels: int) -> StretchFIR:
        """Return the operator with a constant offset."""
        good = super().operator(channels)
        offset = None if good.offset is None else good.offset.mean(axis=1, keepdims=True)
        return doctored(StretchFIR, good, offset=offset)


class BiasForgotten(SubpixelConv):
    """Has no offset at all."""

    def operator(self, channels: int) -> StretchFIR:
        """Return the operator without its offset."""
        return doctored(StretchFIR, super().operator(channels), offset=None)


class DrawIgnoresOrder(SubpixelConv):
    """Lays drawn taps out in torch's order, whatever its own."""

    def _layout(self, taps: Array) -> Array:
        return (
            replace(self, order="torch")._layout(taps)
            if self.order != "torch"
            else (super()._layout(taps))
        )


class OrderIgnored(PeriodicShuffle):
    """Shuffles in torch's order, whatever its own."""

    def operator(self, channels: int) -> StretchFIR:
        """Return the operator of torch's order."""
        return PeriodicShuffle(self.factor).operator(channels)


class PhaseIgnored(Decimate):
    """Keeps the first sample of each block, whatever the phase."""

    def operator(self, channels: int) -> Operator:
        """Return the operator of phase 0."""
        return Decimate(self.factor).operator(channels)


class StopIgnored(Slice):
    """Cuts nothing at the end, whatever the stop."""

    def operator(self, channels: int) -> Operator:
        """Return the operator of a slice that stops nowhere."""
        return Slice(self.start, None, self.step).operator(channels)


class NearestTooShort(Nearest):
    """Repeats each sample ``L - 1`` times and then is silent."""

    def kernel(self) -> tuple[tuple[Fraction, ...], int]:
        """Return ones and a zero."""
        return (Fraction(1),) * (self.factor - 1) + (Fraction(0),), 0


class Remembering(ReLU):
    """An activation that adds half of the sample before."""

    def function(self, samples: Array) -> Array:
        """Return the activation of this sample and the last."""
        return np.maximum(samples + 0.5 * np.roll(samples, 1, axis=-1), 0.0)


@dataclass(frozen=True, eq=False, repr=False)
class MixesChannels(Activation):
    """Each channel takes half of the next one with it."""

    def function(self, samples: Array) -> Array:
        """Return the activation of a channel and its neighbour."""
        return np.maximum(samples + 0.5 * np.roll(samples, 1, axis=-2), 0.0)


@dataclass(frozen=True, eq=False)
class Folded(Form):
    """A square whose moments are those of the mean's size: right for positive means only."""

    def function(self, x: Array) -> Array:
        """Return x^2 + x."""
        return x**2 + x

    def moments(self, mean: Array, deviation: Array, *, order: int = 32) -> ActivationMoments:
        """Return the moments at |mean|."""
        return Quadrature(self.function).moments(np.abs(mean), deviation, order=order)


@dataclass(frozen=True, eq=False, repr=False)
class MomentsOfAnother(Activation):
    """Its closed form is not that of its function."""

    def form(self) -> Form:
        """Return the form."""
        return Folded()


class NewTapsEachTime(TransposedConv):
    """Draws new taps whenever it is asked for its operator."""

    count: ClassVar[list[int]] = [0]

    def operator(self, channels: int) -> StretchFIR:
        """Return the operator times the number of calls."""
        self.count[0] += 1
        good = super().operator(channels)
        return doctored(StretchFIR, good, taps=good.taps * self.count[0])


class ScaledInOperator(TransposedConv):
    """Doubles the operator and forgets to say so of its random taps."""

    def operator(self, channels: int) -> StretchFIR:
        """Return twice the operator."""
        good = super().operator(channels)
        return doctored(StretchFIR, good, taps=2 * good.taps)


class ReprForgets(TransposedConv):
    """Prints its first three arguments and no more."""

    def __repr__(self) -> str:
        return f"ReprForgets({self.in_channels}, {self.out_channels}, {self.kernel_size})"

    __hash__ = TransposedConv.__hash__


class Writable(TransposedConv):
    """Hands out weights that can be written to."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.weight, np.ndarray):
            object.__setattr__(self, "weight", self.weight.copy())


class DrawsWithoutSeed(TransposedConv):
    """Draws from a generator of its own."""

    def draw(self, rng: np.random.Generator) -> Self:
        """Return the layer with weights that no seed decides."""
        del rng
        return super().draw(np.random.default_rng())


class BiasNotCounted(TransposedConv):
    """Counts the weight and forgets the bias."""

    def parameters(self, channels: int) -> int:
        """Return the numbers in the weight."""
        return super().parameters(channels) - self.out_channels


class UnbiasedVariance(InstanceNorm):
    """Divides the variance by one sample fewer than there are."""

    def function(self, samples: Array) -> Array:
        """Return the activation with Bessel's correction."""
        count = samples.shape[-1]
        mean, variance = samples.mean(axis=-1), samples.var(axis=-1) * count / max(1, count - 1)
        return self.gains(mean, variance)[..., None] * (samples - self.centre(mean)[..., None])


class MeansOfGroupsLost(GroupNorm):
    """Takes each channel's own mean where it should take its group's."""

    def centre(self, mean: Array) -> Array:
        """Return the channels' means."""
        return mean


class MeanKept(GroupNorm):
    """Divides by the deviation and forgets to subtract the mean."""

    def function(self, samples: Array) -> Array:
        """Return the samples times their gain."""
        return self.gains(samples.mean(axis=-1), samples.var(axis=-1))[..., None] * samples
