"""Convolution and transposed convolution, as torch defines them."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Self, final

import numpy as np
from numpy.typing import ArrayLike

from upsim.errors import ArgumentError, NotPredictableError
from upsim.layers.base import Array, LinearLayer, drawn, is_random, refuse_other_channels
from upsim.network.weights import (
    ICNR,
    NAMED,
    CheckerboardFree,
    Initialisation,
    TapShape,
    draw_taps,
    parse_weight,
)
from upsim.operators import LengthRule, Operator, StretchFIR
from upsim.operators.edges import PADDING_MODES, shortest_to_pad
from upsim.operators.random_taps import Part, RandomBias, RandomTaps
from upsim.words.arguments import finite_array, one_of, whole_number
from upsim.words.frozen import frozen

Weight = Array | Initialisation | str | ArrayLike
BiasLike = bool | Array | Initialisation | ArrayLike


class WeightedLayer(LinearLayer):
    """What layers with a kernel and a bias share."""

    in_channels: int
    out_channels: int
    groups: int
    bias: BiasLike
    weight: Weight

    @property
    def channels_in(self) -> int:
        """The input channels that the layer asks for."""
        return self.in_channels

    def channels_out(self, channels: int) -> int:
        """Return ``out_channels``."""
        refuse_other_channels(self, channels)
        return self.out_channels

    @property
    @abstractmethod
    def weight_shape(self) -> tuple[int, ...]:
        """Shape of the weight in torch's layout."""

    @property
    def weights(self) -> Array | Initialisation:
        """The weight."""
        return self.weight  # type: ignore[return-value]

    @property
    def has_bias(self) -> bool:
        """Whether the layer has one."""
        return self.bias is not False

    @property
    def bias_count(self) -> int:
        """Numbers in the bias."""
        return self.out_channels

    @property
    def is_drawn(self) -> bool:
        """Whether weight and bias are numbers, or of an initialisation that is not random."""
        return not is_random(self.weight) and not is_random(self.bias_kind)

    def weight_array(self) -> Array:
        """Return the weight in torch's layout, or say how to get one."""
        if isinstance(self.weight, np.ndarray):
            return self.weight
        return self._layout(drawn(self.weight, self._tap_shape(), self))  # type: ignore[arg-type]

    def bias_array(self) -> Array | None:
        """Return the bias, None if the layer has none, or say how to get one."""
        if self.bias is False:
            return None
        if not isinstance(self.bias, np.ndarray):
            kind = self.bias_kind
            if isinstance(kind, Initialisation) and not kind.is_random:
                return np.zeros(self.bias_count)
            raise NotPredictableError(
                "the bias is not drawn yet",
                given=f"bias={self.bias!r}",
                expected="numbers, or False for none",
                fix="stack = stack.draw(seed=0), or bias=False",
                where=type(self).__name__,
            )
        return self.bias

    def parameters(self, channels: int) -> int:
        """Return the numbers in weight and bias."""
        count = 1
        for size in self.weight_shape:
            count *= size
        return count + (0 if self.bias is False else self.bias_count)

    @property
    def bias_kind(self) -> Array | Initialisation | bool:
        """The bias: its numbers, the initialisation that it will be drawn from, or False."""
        if self.bias is not True:
            return self.bias  # type: ignore[return-value]
        return self.weight if isinstance(self.weight, Initialisation) else NAMED["torch"]

    @abstractmethod
    def _tap_shape(self) -> TapShape:
        """Return what initialisations ask of a kernel."""

    @abstractmethod
    def _layout(self, taps: Array) -> Array:
        """Turn drawn taps, (out, in / groups, K), into torch's layout."""

    @abstractmethod
    def _fir(self, weight: Array, offset: Array | None) -> StretchFIR:
        """Return the layer with a weight in torch's layout."""

    def _offset(self, bias: Array) -> Array:
        """Return a bias as it is added at the output, (out, period)."""
        return bias[:, None]

    def draw(self, rng: np.random.Generator) -> Self:
        """Return the layer with drawn weight and bias."""
        shape = self._tap_shape()
        weight, bias = self.weight, self.bias_kind
        if isinstance(weight, Initialisation):
            weight = self._layout(draw_taps(weight, shape, rng))
        if isinstance(bias, Initialisation):
            bias = bias.draw_bias(shape, self.bias_count, rng)
        if weight is self.weight and bias is self.bias:
            return self
        return replace(self, weight=weight, bias=bias)  # type: ignore[type-var]

    def in_expectation(self, channels: int) -> tuple[Part, ...]:
        """Return the kernel and the bias, each as it is known: as numbers or by its moments."""
        if self.is_drawn:
            return (self.operator(channels),)
        refuse_other_channels(self, channels)
        shape, bias = self._tap_shape(), self.bias_kind
        parts: list[Part] = []
        if is_random(self.weight):
            parts.append(self._random_taps(self.weight.tap_covariance(shape)))  # type: ignore[union-attr]
        else:
            parts.append(replace(self, bias=False).operator(channels))  # type: ignore[type-var]
        if isinstance(bias, Initialisation):
            variance = bias.bias_variance(shape)
            parts += [RandomBias(variance, self.bias_count // self.out_channels)] * bool(variance)
        elif bias is not False:
            count, offset = self.out_channels, self._offset(np.asarray(bias))
            parts.append(StretchFIR(np.ones((count, 1, 1)), groups=count, offset=offset))
        return tuple(parts)

    def _random_taps(self, covariance: Array) -> RandomTaps:
        """Return taps of a covariance, standing where the operator has them.

        The operator of one channel is made with the taps 1, 2, 3, ... for a weight, laid out as
        drawn ones are: where it has the number k stands tap k.
        """
        one = replace(
            self,  # type: ignore[type-var]
            in_channels=1,
            out_channels=1,
            groups=1,
            bias=False,
            weight="ones",
        )
        numbers = np.arange(1.0, len(covariance) + 1)
        fir = one._fir(one._layout(numbers[None, None]), None)
        row = fir.dense_taps()[0, 0]
        found = np.flatnonzero(row)
        positions = found[np.argsort(row[found])] - fir.crop[0]
        fan = self.in_channels // self.groups
        return RandomTaps(covariance, positions, fir.factor, fir.down, fan, self.out_channels)

    def _check_weights(self) -> None:
        made = "out_channels" if self.bias_count == self.out_channels else "out_channels * factor"
        for name, channels in (("in_channels", self.in_channels), (made, self.bias_count)):
            if channels % self.groups:
                raise ArgumentError(
                    f"{name} must be a multiple of groups",
                    given=f"{name}={channels}, groups={self.groups}",
                    fix="groups=1",
                )
        bias = self.bias
        if not isinstance(bias, bool):
            if isinstance(bias, str):
                bias = parse_weight(bias, (), "bias")
            elif not isinstance(bias, Initialisation):
                bias = finite_array(bias, "bias", shape=(self.bias_count,))
        self._set(weight=parse_weight(self.weight, self.weight_shape, "weight"), bias=bias)


@final
@dataclass(frozen=True, eq=False, repr=False)
class Conv(WeightedLayer):
    r"""A convolution, ``torch.nn.Conv1d``.

    .. math:: y_o[m] = b_o + \sum_{c,k} w_{oc}[k]\, x_c[m s + k d - p]

    Linear, with rate ``1 / stride``: a stretch-FIR of factor 1 whose taps are the weight back to
    front (frameworks correlate), of which every ``stride``-th output is kept.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode
        As torch has them; ``padding`` may be ``"same"`` or ``"valid"``; ``bias`` may be an array.
    weight : array (out, in / groups, K) or initialisation

    Examples
    --------
    >>> smooth = Conv(1, 1, 2, bias=False, weight=[[[0.5, 0.5]]])
    >>> smooth.operator(1).apply(np.array([[1.0, 3.0, 5.0]]))
    array([[2., 4.]])
    """

    in_channels: int
    out_channels: int
    kernel_size: int
    stride: int = 1
    padding: int | str = 0
    dilation: int = 1
    groups: int = 1
    bias: BiasLike = True
    padding_mode: str = "zeros"
    weight: Weight = field(default="torch", kw_only=True)

    def _check(self) -> None:
        for name in ("in_channels", "out_channels", "kernel_size", "stride", "dilation", "groups"):
            self._set(**{name: whole_number(getattr(self, name), name)})
        if isinstance(self.padding, str):
            one_of(self.padding, "padding", ("same", "valid"))
            if self.padding == "same" and self.stride != 1:
                raise ArgumentError(
                    'padding="same" needs stride 1',
                    given=f"stride={self.stride}",
                    fix=f"padding={self.kernel_size // 2}",
                )
        else:
            self._set(padding=whole_number(self.padding, "padding", least=0))
        one_of(self.padding_mode, "padding_mode", PADDING_MODES)
        self._check_weights()

    @property
    def shortest_input(self) -> int:
        """A reflection needs one sample more than it adds, a wrapped signal as many."""
        return shortest_to_pad(*self.pads, self.padding_mode)

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """``(out, in / groups, K)``."""
        return (self.out_channels, self.in_channels // self.groups, self.kernel_size)

    @property
    def reach(self) -> int:
        """Input samples under the kernel."""
        return self.dilation * (self.kernel_size - 1) + 1

    @property
    def pads(self) -> tuple[int, int]:
        """Samples padded on the left and right."""
        if self.padding == "valid":
            return 0, 0
        if isinstance(self.padding, str):
            # torch puts the odd sample on the right.
            return (self.reach - 1) // 2, self.reach - 1 - (self.reach - 1) // 2
        return self.padding, self.padding

    def length_rule(self) -> LengthRule:
        """Return ``floor((n + pads - reach) / stride) + 1``."""
        extra = self.stride + sum(self.pads) - self.reach
        return LengthRule(((1, self.stride, extra),))

    def macs(self, channels: int) -> Fraction:
        """Return ``out in / groups K / stride``."""
        return Fraction(
            self.out_channels * (self.in_channels // self.groups) * self.kernel_size, self.stride
        )

    def _tap_shape(self) -> TapShape:
        per_group = self.in_channels // self.groups
        return TapShape(
            self.out_channels,
            per_group,
            self.kernel_size,
            1,
            fan_in=per_group * self.kernel_size,
            fan_out=self.out_channels * self.kernel_size,
        )

    def _layout(self, taps: Array) -> Array:
        return np.ascontiguousarray(taps[:, :, ::-1])

    def _fir(self, weight: Array, offset: Array | None) -> StretchFIR:
        left, right = self.pads
        return StretchFIR(
            weight[:, :, ::-1],
            down=self.stride,
            dilation=self.dilation,
            groups=self.groups,
            offset=offset,
            crop=(self.reach - 1 - left, self.reach - 1 - right),
            padding_mode=self.padding_mode,
        )

    def operator(self, channels: int) -> Operator:
        """Return the convolution as an operator."""
        refuse_other_channels(self, channels)
        bias = self.bias_array()
        return self._fir(self.weight_array(), None if bias is None else self._offset(bias))


@final
@dataclass(frozen=True, eq=False, repr=False)
class TransposedConv(WeightedLayer):
    r"""A transposed convolution, ``torch.nn.ConvTranspose1d``.

    .. math:: y_o[n] = b_o + \sum_{c,m,k:\; n = m s + k d - p} w_{co}[k]\, x_c[m]

    A stretch by the stride, then an FIR whose taps are the weight.  Length:
    ``(n - 1) s - 2 p + d (K - 1) + output_padding + 1``.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, output_padding, groups, bias
        As torch has them.
    dilation, padding_mode
        As torch has them; the padding mode can only be ``"zeros"``.
    weight : array (in, out / groups, K) or initialisation

    Examples
    --------
    >>> layer = TransposedConv(1, 1, 3, 2, bias=False, weight="ones")
    >>> layer.draw(np.random.default_rng(0)).operator(1).apply(np.ones((1, 3)))
    array([[1., 1., 2., 1., 2., 1., 1.]])
    """

    in_channels: int
    out_channels: int
    kernel_size: int
    stride: int = 1
    padding: int = 0
    output_padding: int = 0
    groups: int = 1
    bias: BiasLike = True
    dilation: int = 1
    padding_mode: str = "zeros"
    weight: Weight = field(default="torch", kw_only=True)

    def _check(self) -> None:
        for name in ("in_channels", "out_channels", "kernel_size", "stride", "dilation", "groups"):
            self._set(**{name: whole_number(getattr(self, name), name)})
        for name in ("padding", "output_padding"):
            self._set(**{name: whole_number(getattr(self, name), name, least=0)})
        if self.output_padding >= max(self.stride, self.dilation):
            raise ArgumentError(
                "output_padding must be smaller than the stride or the dilation",
                given=f"output_padding={self.output_padding}, stride={self.stride}",
                expected=f"at most {max(self.stride, self.dilation) - 1}",
                fix=f"output_padding={max(self.stride, self.dilation) - 1}",
            )
        one_of(self.padding_mode, "padding_mode", ("zeros",))
        self._check_weights()
        if isinstance(self.weight, ICNR | CheckerboardFree) and self.dilation != 1:
            raise ArgumentError(
                "an initialisation by phases needs taps in every phase, next to each other",
                given=f"weight={self.weight!r}, dilation={self.dilation}",
                expected="dilation=1",
                fix='weight="torch"',
            )

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """``(in, out / groups, K)``."""
        return (self.in_channels, self.out_channels // self.groups, self.kernel_size)

    @property
    def reach(self) -> int:
        """Output samples that one input sample touches."""
        return self.dilation * (self.kernel_size - 1) + 1

    @property
    def crop(self) -> tuple[int, int]:
        """Samples cut from the full response; the right end gets ``output_padding`` back."""
        return self.padding, self.padding - self.output_padding

    def length_rule(self) -> LengthRule:
        """Return ``(n - 1) s - 2 p + d (K - 1) + output_padding + 1``."""
        return LengthRule(((self.stride, 1, self.reach - self.stride - sum(self.crop)),))

    def macs(self, channels: int) -> Fraction:
        """Return ``in out / groups K``: the kernel works at the low rate."""
        return Fraction(self.in_channels * (self.out_channels // self.groups) * self.kernel_size)

    def _tap_shape(self) -> TapShape:
        per_group_out = self.out_channels // self.groups
        return TapShape(
            self.out_channels,
            self.in_channels // self.groups,
            self.kernel_size,
            self.stride,
            fan_in=per_group_out * self.kernel_size,
            fan_out=self.in_channels * self.kernel_size,
        )

    def _layout(self, taps: Array) -> Array:
        rows = self.out_channels // self.groups
        split = taps.reshape(self.groups, rows, -1, self.kernel_size)
        return np.ascontiguousarray(split.swapaxes(1, 2)).reshape(self.weight_shape)

    def _fir(self, weight: Array, offset: Array | None) -> StretchFIR:
        rows = self.out_channels // self.groups
        grouped = weight.reshape(self.groups, -1, rows, self.kernel_size).swapaxes(1, 2)
        # A single group needs no copy: the taps are a view of the weight.
        taps = grouped[0]
        if self.groups > 1:
            taps = frozen(grouped.reshape(self.out_channels, -1, self.kernel_size))
        return StretchFIR(
            taps,
            self.stride,
            dilation=self.dilation,
            groups=self.groups,
            offset=offset,
            crop=self.crop,
        )

    def operator(self, channels: int) -> StretchFIR:
        """Return the stretch-FIR."""
        refuse_other_channels(self, channels)
        bias = self.bias_array()
        return self._fir(self.weight_array(), None if bias is None else self._offset(bias))
