"""Subpixel convolution and the periodic shuffle, in both channel orders in use."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import final

import numpy as np

from upsim.errors import ArgumentError, ShapeError
from upsim.layers.base import Array, LinearLayer, refuse_other_channels
from upsim.layers.convolution import BiasLike, Conv, Weight, WeightedLayer
from upsim.network.weights import ICNR, CheckerboardFree, TapShape
from upsim.operators import LengthRule, StretchFIR
from upsim.operators.edges import PADDING_MODES
from upsim.operators.random_taps import Part
from upsim.words.arguments import one_of, refuse_beyond_memory, whole_number
from upsim.words.frozen import frozen

#: torch's pixel_shuffle: channel ``c L + i`` is phase ``i`` of channel ``c``.  TensorFlow's
#: batch_to_space style: channel ``i C + c`` is.
ORDERS = ("torch", "tensorflow")


def by_channel_and_phase(rows: Array, factor: int, order: str) -> Array:
    """Reorder a first axis of ``C L`` rows to (C, L, ...)."""
    channels = rows.shape[0] // factor
    if order == "torch":
        return rows.reshape(channels, factor, *rows.shape[1:])
    return rows.reshape(factor, channels, *rows.shape[1:]).swapaxes(0, 1)


@final
@dataclass(frozen=True, eq=False, repr=False)
class PeriodicShuffle(LinearLayer):
    """Channels become samples: ``C L`` channels of ``n`` samples, C channels of ``n L``.

    Parameters
    ----------
    factor : int
    order : str
        "torch" or "tensorflow": which channel is which phase.

    Examples
    --------
    >>> PeriodicShuffle(2).operator(2).apply(np.array([[1.0, 2.0], [10.0, 20.0]]))
    array([[ 1., 10.,  2., 20.]])
    """

    factor: int
    order: str = "torch"

    def _check(self) -> None:
        self._set(factor=whole_number(self.factor, "factor"))
        one_of(self.order, "order", ORDERS)

    @property
    def interleaves(self) -> bool:
        """An output's phases are so many channels."""
        return True

    @property
    def channel_ratio(self) -> Fraction:
        """Return ``1 / factor``."""
        return Fraction(1, self.factor)

    def channels_out(self, channels: int) -> int:
        """Return ``channels / factor``."""
        if channels % self.factor:
            raise ShapeError(
                "a periodic shuffle needs a multiple of its factor as channels",
                given=f"{channels} channels, factor={self.factor}",
                expected=f"a multiple of {self.factor}",
                fix=f"in_channels={-(-channels // self.factor) * self.factor}",
                where=type(self).__name__,
            )
        return channels // self.factor

    def length_rule(self) -> LengthRule:
        """Return ``n L``."""
        return LengthRule(((self.factor, 1, 0),))

    def operator(self, channels: int) -> StretchFIR:
        """Return a stretch-FIR of unit taps."""
        out = self.channels_out(channels)
        refuse_beyond_memory(self.factor**2, "the taps", fix="use a smaller factor")
        if self.order == "torch":
            # Each output channel reads its own L input channels: one group each.
            taps = np.broadcast_to(np.eye(self.factor), (out, self.factor, self.factor))
            return StretchFIR(taps, self.factor, groups=out)
        refuse_beyond_memory(
            out * channels * self.factor, "the taps", fix='use order="torch" or fewer channels'
        )
        unit = np.eye(channels).reshape(self.factor, out, channels)
        return StretchFIR(frozen(unit.transpose(1, 2, 0)), self.factor)


@final
@dataclass(frozen=True, eq=False, repr=False)
class SubpixelConv(WeightedLayer):
    r"""A convolution to ``out_channels * factor`` channels, then a periodic shuffle.

    .. math:: y_c[m L + i] = b_{ci} + \sum_{c', k} w_{(c i) c'}[k]\, x_{c'}[m + k d - p]

    A stretch-FIR whose polyphase components are the kernels of the ``L`` channel groups.  The
    bias, added before the shuffle, becomes an offset of period ``L``: a tone of its own (Shi et
    al., CVPR 2016; Aitken et al., arXiv 1707.02937).

    Parameters
    ----------
    in_channels, out_channels, kernel_size, factor : int
        ``out_channels`` after the shuffle.
    padding, dilation, groups, bias, padding_mode
        Those of the convolution, as torch has them; the bias has ``out_channels * factor`` values.
    order : str
        "torch" or "tensorflow".
    weight : array (out factor, in / groups, K) or initialisation

    Examples
    --------
    >>> layer = SubpixelConv(1, 1, 1, 2, bias=[1.0, -1.0], weight=[[[0.0]], [[0.0]]])
    >>> layer.operator(1).offset
    array([[ 1., -1.]])
    """

    in_channels: int
    out_channels: int
    kernel_size: int
    factor: int
    padding: int | str = 0
    dilation: int = 1
    groups: int = 1
    bias: BiasLike = True
    padding_mode: str = "zeros"
    order: str = field(default="torch", kw_only=True)
    weight: Weight = field(default="torch", kw_only=True)

    def _check(self) -> None:
        for name in ("in_channels", "out_channels", "kernel_size", "factor", "dilation", "groups"):
            self._set(**{name: whole_number(getattr(self, name), name)})
        one_of(self.order, "order", ORDERS)
        if isinstance(self.padding, str):
            one_of(self.padding, "padding", ("same", "valid"))
        else:
            self._set(padding=whole_number(self.padding, "padding", least=0))
        one_of(self.padding_mode, "padding_mode", PADDING_MODES)
        whole_number(self.bias_count, "out_channels * factor")
        self._check_weights()
        straddles = self.order == "tensorflow" or self.out_channels % self.groups
        if isinstance(self.weight, ICNR | CheckerboardFree) and self.groups > 1 and straddles:
            raise ArgumentError(
                "an initialisation by phases needs all phases of a channel in one group",
                given=f"weight={self.weight!r}, groups={self.groups}, order={self.order!r}",
                expected="groups that divide out_channels, in torch's order",
                fix='groups=1, or weight="torch"',
            )

    @property
    def bias_count(self) -> int:
        """One bias a convolution channel: ``out_channels * factor``."""
        return self.out_channels * self.factor

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """``(out factor, in / groups, K)``."""
        return (self.bias_count, self.in_channels // self.groups, self.kernel_size)

    def convolution(self) -> Conv:
        """Return the convolution before the shuffle."""
        return Conv(
            self.in_channels,
            self.bias_count,
            self.kernel_size,
            1,
            self.padding,
            self.dilation,
            self.groups,
            self.bias,
            self.padding_mode,
            weight=self.weight,
        )

    @property
    def shortest_input(self) -> int:
        """That of the convolution."""
        return self.convolution().shortest_input

    def length_rule(self) -> LengthRule:
        """Return the length of the convolution, times the factor."""
        return self.convolution().length_rule().then(LengthRule(((self.factor, 1, 0),)))

    def macs(self, channels: int) -> Fraction:
        """Return those of the convolution, which works at the low rate."""
        return self.convolution().macs(channels)

    def _tap_shape(self) -> TapShape:
        per_group = self.in_channels // self.groups
        return TapShape(
            self.out_channels,
            per_group,
            self.kernel_size * self.factor,
            self.factor,
            fan_in=per_group * self.kernel_size,
            fan_out=self.bias_count * self.kernel_size,
        )

    def _layout(self, taps: Array) -> Array:
        # Tap m L + i of channel c is kernel tap m (back to front) of convolution channel (c, i).
        split = taps.reshape(*taps.shape[:2], self.kernel_size, self.factor)[:, :, ::-1]
        rows = split.transpose(0, 3, 1, 2) if self.order == "torch" else split.transpose(3, 0, 1, 2)
        return np.ascontiguousarray(rows).reshape(self.weight_shape)

    def in_expectation(self, channels: int) -> tuple[Part, ...]:
        """Return the parts; where a channel's phases lie in several groups, shuffle after them."""
        straddles = self.groups > 1 and (
            self.order == "tensorflow" or self.out_channels % self.groups
        )
        if self.is_drawn or not straddles:
            return super().in_expectation(channels)
        shuffle = PeriodicShuffle(self.factor, self.order).operator(self.bias_count)
        return (*self.convolution().in_expectation(channels), shuffle)

    def _offset(self, bias: Array) -> Array:
        return by_channel_and_phase(bias, self.factor, self.order)

    def _fir(self, weight: Array, offset: Array | None) -> StretchFIR:
        before = self.convolution()._fir(weight, None)
        split = by_channel_and_phase(before.dense_taps(), self.factor, self.order)
        taps = split.transpose(0, 2, 3, 1).reshape(self.out_channels, self.in_channels, -1)
        left, right = before.crop
        return StretchFIR(
            frozen(taps),
            self.factor,
            offset=offset,
            crop=(left * self.factor, right * self.factor),
            padding_mode=self.padding_mode,
        )

    def operator(self, channels: int) -> StretchFIR:
        """Return the stretch-FIR, its bias as a periodic offset."""
        refuse_other_channels(self, channels)
        bias = self.bias_array()
        return self._fir(self.weight_array(), None if bias is None else self._offset(bias))

    def taps_by_phase(self, operator: StretchFIR) -> tuple[int, int]:
        """Return the taps of all phases: each phase has a kernel of its own, dilated or not."""
        return self.kernel_size * self.factor, 1
