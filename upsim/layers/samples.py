"""Layers that add to, cut or thin out the samples and do nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import ArrayLike

from upsim.errors import ArgumentError, ShapeError
from upsim.layers.base import Array, LinearLayer
from upsim.layers.resample import Resample
from upsim.operators import LengthRule, Operator, StretchFIR
from upsim.operators.edges import PADDING_MODES, shortest_to_pad
from upsim.words.arguments import (
    number_or_vector,
    one_of,
    plain_fraction,
    signed_number,
    whole_number,
)


@final
@dataclass(frozen=True, eq=False, repr=False)
class Bias(LinearLayer):
    """An offset: one number for all channels, or one a channel.

    Examples
    --------
    >>> Bias(0.5).operator(2).offset
    array([[0.5],
           [0.5]])
    """

    bias: float | Array | ArrayLike

    def _check(self) -> None:
        self._set(bias=number_or_vector(self.bias, "bias"))

    @property
    def has_bias(self) -> bool:
        """It is one."""
        return True

    def bias_array(self, channels: int) -> Array:
        """Return one number a channel."""
        values = np.asarray(self.bias, dtype=np.float64)
        if values.ndim and values.size != channels:
            raise ShapeError(
                "the bias does not match the channels",
                given=f"{values.size} values, {channels} channels",
                fix="one number for all, or one a channel",
                where="Bias",
            )
        return np.broadcast_to(values, (channels,))

    def channels_out(self, channels: int) -> int:
        """Return ``channels``."""
        self.bias_array(channels)
        return channels

    def length_rule(self) -> LengthRule:
        """Return the law that keeps the length."""
        return LengthRule()

    def parameters(self, channels: int) -> int:
        """Return the numbers in the bias."""
        return int(np.size(self.bias))

    def operator(self, channels: int) -> StretchFIR:
        """Return the identity with an offset."""
        offset = self.bias_array(channels)[:, None]
        return StretchFIR(np.ones((channels, 1, 1)), groups=channels, offset=offset)


@final
@dataclass(frozen=True, eq=False, repr=False)
class Crop(LinearLayer):
    """Samples cut from the ends, a slice ``x[..., left : n - right]``; negative: zeros added.

    Examples
    --------
    >>> Crop(1, 0).operator(1).apply(np.array([[1.0, 2.0, 3.0]]))
    array([[2., 3.]])
    """

    left: int = 0
    right: int = 0

    def _check(self) -> None:
        self._set(left=signed_number(self.left, "left"), right=signed_number(self.right, "right"))

    def channels_out(self, channels: int) -> int:
        """Return ``channels``."""
        return channels

    def length_rule(self) -> LengthRule:
        """Return ``n - left - right``."""
        return LengthRule(((1, 1, -self.left - self.right),))

    @property
    def shortest_input(self) -> int:
        """The samples that are cut: a slice cannot cut more than there are."""
        return max(1, max(self.left, 0) + max(self.right, 0))

    def operator(self, channels: int) -> StretchFIR:
        """Return an advance by ``left``."""
        return StretchFIR(np.ones((channels, 1, 1)), groups=channels, crop=(self.left, self.right))


@final
@dataclass(frozen=True, eq=False, repr=False)
class Pad(LinearLayer):
    """Samples added beyond the ends, as ``torch.nn.functional.pad`` adds them.

    Far from the ends it only moves the time axis.  Zeros around a signal with a level of its own
    are ``Bias(-level), Pad(left, right), Bias(level)``; a negative padding is a :class:`Crop`.

    Parameters
    ----------
    left, right : int
    mode : str
        "zeros", "reflect" (the end sample is not repeated), "replicate" or "circular".

    Examples
    --------
    >>> Pad(2, 1, "reflect").operator(1).apply(np.array([[1.0, 2.0, 3.0]]))
    array([[3., 2., 1., 2., 3., 2.]])
    """

    left: int
    right: int
    mode: str = "zeros"

    def _check(self) -> None:
        for name in ("left", "right"):
            self._set(**{name: whole_number(getattr(self, name), name, least=0)})
        one_of(self.mode, "mode", PADDING_MODES)

    @property
    def shortest_input(self) -> int:
        """A reflection needs one sample more than it adds, a wrapped signal as many."""
        return shortest_to_pad(self.left, self.right, self.mode)

    def channels_out(self, channels: int) -> int:
        """Return ``channels``."""
        return channels

    def length_rule(self) -> LengthRule:
        """Return ``n + left + right``."""
        return LengthRule(((1, 1, self.left + self.right),))

    def operator(self, channels: int) -> StretchFIR:
        """Return a delay by ``left`` that sees the padding."""
        return StretchFIR(
            np.ones((channels, 1, 1)),
            groups=channels,
            crop=(-self.left, -self.right),
            padding_mode=self.mode,
        )


@final
@dataclass(frozen=True, eq=False, repr=False)
class Decimate(LinearLayer):
    """Keep one sample of ``factor``, ``x[..., phase::factor]``, with no filter: bands fold.

    Examples
    --------
    >>> Decimate(2).operator(1).apply(np.array([[1.0, 2.0, 3.0]]))
    array([[1., 3.]])
    """

    factor: int
    phase: int = 0

    def _check(self) -> None:
        ratio = plain_fraction(self.factor)
        if ratio is not None:
            raise ArgumentError(
                "factor must be a whole number; a fraction is a change of the rate by a filter",
                given=f"factor={self.factor!r}",
                expected="an int >= 1",
                fix=repr(Resample(ratio.numerator, ratio.denominator)),
            )
        self._set(
            factor=whole_number(self.factor, "factor"),
            phase=whole_number(self.phase, "phase", least=0),
        )
        if self.phase >= self.factor:
            raise ArgumentError(
                "phase must be smaller than the factor",
                given=f"phase={self.phase}, factor={self.factor}",
                fix="phase=0",
            )

    def channels_out(self, channels: int) -> int:
        """Return ``channels``."""
        return channels

    def length_rule(self) -> LengthRule:
        """Return ``ceil((n - phase) / factor)``."""
        return LengthRule(((1, self.factor, self.factor - 1 - self.phase),))

    @cached_property
    def rate(self) -> Fraction:
        """Return ``1 / factor``."""
        return Fraction(1, self.factor)

    def operator(self, channels: int) -> Operator:
        """Return an advance by the phase and the decimation."""
        ones = np.broadcast_to(1.0, (channels, 1, 1))
        return StretchFIR(ones, down=self.factor, groups=channels, crop=(self.phase, 0))


@final
@dataclass(frozen=True, eq=False, repr=False)
class Slice(LinearLayer):
    """The samples ``x[..., start:stop:step]``, in Python's words: a crop, then a decimation.

    A slice is a layer where it cuts the same number of samples from every signal: ``start`` counts
    from the left end, ``stop`` from the right one.  It is ``Crop(start, -stop)``, then
    ``Decimate(step)``; ``n`` samples become ``ceil((n - start + stop) / step)``.  A slice that
    counts the other way leaves a fixed number of samples, however long the signal is, and is
    refused.

    Parameters
    ----------
    start : int or None
        Samples cut at the start, 0 or more.
    stop : int or None
        Minus the samples cut at the end; None cuts none (in Python, 0 would cut all of them).
    step : int
        One sample of ``step`` is kept; with no filter before it, bands fold.

    Examples
    --------
    >>> Slice(1, -1).operator(1).apply(np.array([[1.0, 2.0, 3.0, 4.0]]))
    array([[2., 3.]])
    >>> Slice(1, None, 2).output_length(8)
    4
    """

    start: int | None = None
    stop: int | None = None
    step: int = 1

    def _check(self) -> None:
        if self.start is not None:
            self._set(start=signed_number(self.start, "start"))
        if self.stop is not None:
            self._set(stop=signed_number(self.stop, "stop"))
        self._set(step=whole_number(self.step, "step"))
        start, stop = self.start or 0, self.stop
        if start < 0:
            raise ArgumentError(
                "a slice that starts from the end keeps a fixed number of samples, so it is no "
                "layer with a rate",
                given=f"start={start}",
                expected="start >= 0, the samples to cut at the start",
                fix=f"start={-start}, or Crop({start}, 0) to add zeros at the start",
            )
        if stop == 0:
            raise ArgumentError(
                "a slice that stops at 0 keeps nothing",
                given="stop=0",
                expected="stop < 0, minus the samples to cut at the end, or None",
                fix="stop=None",
            )
        if stop is not None and stop > 0:
            raise ArgumentError(
                "a slice that stops at a place counted from the start keeps a fixed number of "
                "samples, so it is no layer with a rate",
                given=f"stop={stop}",
                expected="stop < 0, minus the samples to cut at the end, or None",
                fix=f"stop=-{stop}, or stop=None and an input of the wanted length",
            )

    @property
    def crop(self) -> Crop:
        """The samples that are cut from the ends."""
        return Crop(self.start or 0, -(self.stop or 0))

    def channels_out(self, channels: int) -> int:
        """Return ``channels``."""
        return channels

    def length_rule(self) -> LengthRule:
        """Return ``ceil((n - start + stop) / step)``."""
        return self.crop.length_rule().then(Decimate(self.step).length_rule())

    def operator(self, channels: int) -> Operator:
        """Return the crop, then the decimation if there is one."""
        cut = self.crop.operator(channels)
        return cut if self.step == 1 else cut.then(Decimate(self.step).operator(channels))
