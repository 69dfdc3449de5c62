"""Layers that act on whole channels: one number times each, and which of them there are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from typing import final

import numpy as np
from numpy.typing import ArrayLike

from upsim.errors import ArgumentError, ArgumentTypeError, ShapeError, TooLargeError
from upsim.layers.base import Array, LinearLayer, refuse_other_channels
from upsim.operators import LengthRule, StretchFIR
from upsim.words.arguments import (
    number_or_vector,
    refuse_beyond_memory,
    shown,
    whole_number,
)

#: Channels that a selection may list; no layer has as many.
_MOST_LISTED = 2**16


@final
@dataclass(frozen=True, eq=False, repr=False)
class Scale(LinearLayer):
    r"""Each channel times a number, :math:`y_c[n] = s_c\, x_c[n] + b_c`.

    Parameters
    ----------
    scale : float or array (channels,)
        One number for all channels, or one a channel.
    bias : float or array (channels,), optional
        What is added behind it; nothing by default.

    Examples
    --------
    >>> Scale(0.5).operator(1).apply(np.array([[2.0, 4.0]]))
    array([[1., 2.]])
    """

    scale: float | Array | ArrayLike
    bias: float | Array | ArrayLike = field(default=0.0, kw_only=True)

    def _check(self) -> None:
        for name in ("scale", "bias"):
            self._set(**{name: number_or_vector(getattr(self, name), name)})
        counts = {np.size(values) for values in (self.scale, self.bias) if np.ndim(values)}
        if len(counts) > 1:
            raise ShapeError(
                "scale and bias are for different numbers of channels",
                given=f"{np.size(self.scale)} and {np.size(self.bias)} values",
                expected="one number for all, or one a channel",
            )

    @property
    def channels_in(self) -> int | None:
        """The channels that a vector is for; None where all numbers are for every channel."""
        for values in (self.scale, self.bias):
            if np.ndim(values):
                return int(np.size(values))
        return None

    @property
    def has_bias(self) -> bool:
        """Whether anything is added."""
        return bool(np.any(self.bias))

    def channels_out(self, channels: int) -> int:
        """Return ``channels``."""
        refuse_other_channels(self, channels)
        return channels

    def length_rule(self) -> LengthRule:
        """Return the law that keeps the length."""
        return LengthRule()

    def parameters(self, channels: int) -> int:
        """Return the numbers of the vectors: a single number is a constant of the network."""
        return sum(int(np.size(each)) for each in (self.scale, self.bias) if np.ndim(each))

    def macs(self, channels: int) -> Fraction:
        """Return one a channel."""
        return Fraction(channels)

    def operator(self, channels: int) -> StretchFIR:
        """Return one tap for each channel."""
        self.channels_out(channels)
        scale, bias = (np.broadcast_to(each, (channels,)) for each in (self.scale, self.bias))
        offset = bias[:, None] if self.has_bias else None
        return StretchFIR(scale[:, None, None], groups=channels, offset=offset)


@final
@dataclass(frozen=True, eq=False, repr=False)
class Select(LinearLayer):
    r"""Some of the channels, by their numbers from 0: :math:`y_c[n] = x_{i_c}[n]`.

    They may be permuted or repeated.  A split of channels is one selection for each part.

    Parameters
    ----------
    channels : iterable of int, range or slice
        A slice counts as Python's does, with a ``stop`` of its own.

    Examples
    --------
    >>> Select([1, 0]).operator(2).apply(np.array([[1.0], [2.0]]))
    array([[2.],
           [1.]])
    >>> Select(slice(4, 8, 2))
    Select((4, 6))
    """

    channels: tuple[int, ...] | Iterable[int] | slice

    def _check(self) -> None:
        self._set(channels=tuple(_numbers(self.channels)))
        if not self.channels:
            raise ArgumentError("no channel is selected", given="channels=()", fix="channels=[0]")

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers of the channels."""
        return self.channels  # type: ignore[return-value]

    @property
    def least_channels(self) -> int:
        """The channels up to the last one selected."""
        return max(self.numbers) + 1

    def channels_out(self, channels: int) -> int:
        """Return how many are selected."""
        if channels < self.least_channels:
            raise ShapeError(
                "a selected channel is not there",
                given=f"channel {self.least_channels - 1} of {channels}, counted from 0",
                expected=f"at least {self.least_channels} channels",
                fix=f"in_channels={self.least_channels}",
                where="Select",
            )
        return len(self.numbers)

    def length_rule(self) -> LengthRule:
        """Return the law that keeps the length."""
        return LengthRule()

    def operator(self, channels: int) -> StretchFIR:
        """Return a matrix of zeros and one 1 in each row."""
        made = self.channels_out(channels)
        if channels == 1:
            return StretchFIR(np.ones((made, 1, 1)))
        if self.numbers == tuple(range(channels)):
            return StretchFIR(np.ones((made, 1, 1)), groups=channels)
        refuse_beyond_memory(made * channels, "the selection", fix="fewer channels")
        taps = np.zeros((made, channels, 1))
        taps[np.arange(made), self.numbers] = 1.0
        return StretchFIR(taps)


def _numbers(channels: object) -> list[int]:
    """Return channel numbers, each checked."""
    if isinstance(channels, slice):
        stop = whole_number(channels.stop, "channels.stop")
        if stop > _MOST_LISTED:
            raise _too_many()
        try:
            channels = range(stop)[channels]
        except (TypeError, ValueError):
            raise ArgumentError(
                "channels is no slice of whole numbers",
                given=f"channels={shown(channels)}",
                fix="channels=slice(0, 8, 2)",
            ) from None
    if isinstance(channels, str) or not isinstance(channels, Iterable):
        raise ArgumentTypeError(
            "channels must list channel numbers",
            given=f"channels={shown(channels)}",
            expected="whole numbers from 0, a range or a slice",
            fix="channels=[0, 1]",
        )
    try:
        listed = list(islice(channels, _MOST_LISTED + 1))
    except Exception as error:  # noqa: BLE001 - a stranger's iterator raises what it likes
        raise ArgumentTypeError(
            "channels must list channel numbers", given=f"channels={shown(channels)}: {error}"
        ) from None
    if len(listed) > _MOST_LISTED:
        raise _too_many()
    return [
        whole_number(each, f"channels[{number}]", least=0, most=_MOST_LISTED)
        for number, each in enumerate(listed)
    ]


def _too_many() -> TooLargeError:
    return TooLargeError(
        "channels lists too many",
        given=f"more than {_MOST_LISTED}",
        expected=f"at most {_MOST_LISTED}",
        fix="channels=range(8)",
    )
