"""Weight normalisation: a convolution whose kernels have a length and a direction."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from upsim.arguments import finite_array
from upsim.errors import ArgumentError, ArgumentTypeError
from upsim.layers.base import Array, LinearLayer
from upsim.layers.convolution import Conv, TransposedConv
from upsim.layers.subpixel import SubpixelConv
from upsim.operators import LengthRule, Operator

Convolution = Conv | TransposedConv | SubpixelConv


@dataclass(frozen=True, eq=False, repr=False)
class WeightNorm(LinearLayer):
    r"""Weight normalisation of a convolution, ``torch.nn.utils.weight_norm(layer, dim=0)``.

    .. math:: w_i = g_i\, \frac{v_i}{\lVert v_i \rVert}

    for each slice ``i`` along the first axis of the weight: each output channel of a Conv or
    SubpixelConv, each INPUT channel of a TransposedConv (Salimans & Kingma, NeurIPS 2016).  It
    answers as the convolution with the weight ``w``.

    Parameters
    ----------
    layer : Conv, TransposedConv or SubpixelConv
        Its weight is ``v`` (torch: ``weight_v`` or ``parametrizations.weight.original1``).
    gain : array (first axis of the weight,), optional
        ``g`` (torch: ``weight_g`` or ``original0``, without its axes of length 1).  Not given: the
        norms of ``v``, with which the normalisation starts and which leave the weight as it is.

    Examples
    --------
    >>> layer = WeightNorm(Conv(1, 1, 2, bias=False, weight=[[[3.0, 4.0]]]), gain=[10.0])
    >>> layer.effective()
    Conv(1, 1, 2, bias=False, weight=[[[6.0, 8.0]]])
    """

    layer: Convolution
    gain: Array | ArrayLike | None = field(default=None, kw_only=True)

    def _check(self) -> None:
        given: object = self.layer
        if not isinstance(given, Conv | TransposedConv | SubpixelConv):
            raise ArgumentTypeError(
                "weight normalisation is for convolutions",
                given=f"{given!r:.60}",
                expected="a Conv, TransposedConv or SubpixelConv",
                fix="WeightNorm(TransposedConv(512, 256, 16, 8, 4))",
            )
        if self.gain is None:
            return
        gain = finite_array(self.gain, "gain", shape=self.layer.weight_shape[:1])
        self._set(gain=gain)
        if isinstance(self.layer.weight, np.ndarray) and not np.all(_norms(self.layer.weight)):
            raise ArgumentError(
                "a slice of the weight is zero and has no direction",
                given=f"{int(np.sum(_norms(self.layer.weight) == 0))} of {gain.size} slices",
                fix="the convolution itself, with the zeros in its weight",
            )

    @property
    def channels_in(self) -> int:
        """The input channels that the convolution asks for."""
        return self.layer.channels_in

    def channels_out(self, channels: int) -> int:
        """Return the convolution's output channels."""
        return self.layer.channels_out(channels)

    def length_rule(self) -> LengthRule:
        """Return the convolution's law."""
        return self.layer.length_rule()

    @property
    def is_drawn(self) -> bool:
        """Whether the convolution's weights are numbers."""
        return self.layer.is_drawn

    def draw(self, rng: np.random.Generator) -> Self:
        """Return the layer with the convolution's weights drawn."""
        return self if self.is_drawn else replace(self, layer=self.layer.draw(rng))

    def parameters(self, channels: int) -> int:
        """Return the convolution's, and a gain a slice."""
        return self.layer.parameters(channels) + self.layer.weight_shape[0]

    def macs(self, channels: int) -> Fraction:
        """Return the convolution's: the weight is made once."""
        return self.layer.macs(channels)

    def effective(self) -> Convolution:
        """Return the convolution with the weight that is used."""
        if self.gain is None:
            return self.layer
        weight = self.layer.weight_array()
        scale = np.asarray(self.gain) / _norms(weight)
        return replace(self.layer, weight=scale[:, None, None] * weight)

    def operator(self, channels: int) -> Operator:
        """Return the effective convolution's operator."""
        return self.effective().operator(channels)


def _norms(weight: Array) -> Array:
    """Return the Euclidean norm of each slice along the first axis."""
    return np.asarray(np.linalg.norm(weight.reshape(weight.shape[0], -1), axis=1))
