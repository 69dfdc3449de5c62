"""Weight normalisation: a convolution whose kernels have a length and a direction."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Self, final

import numpy as np
from numpy.typing import ArrayLike

from upsim.errors import ArgumentError, ArgumentTypeError, NotPredictableError
from upsim.layers.base import Array, LinearLayer, is_random
from upsim.layers.convolution import Conv, TransposedConv
from upsim.layers.subpixel import PeriodicShuffle, SubpixelConv
from upsim.network.weights import ICNR, IndependentTaps, Initialisation
from upsim.operators import LengthRule, Operator, StretchFIR
from upsim.operators.random_taps import Part, RandomTaps
from upsim.words.arguments import finite_array

Convolution = Conv | TransposedConv | SubpixelConv


@final
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
    def weights(self) -> Array | Initialisation:
        """Those of the convolution."""
        return self.layer.weights

    @property
    def has_bias(self) -> bool:
        """Whether the convolution has one."""
        return self.layer.has_bias

    def taps_by_phase(self, operator: StretchFIR) -> tuple[int, int]:
        """Return those of the convolution."""
        return self.layer.taps_by_phase(operator)

    @property
    def channels_in(self) -> int:
        """The input channels that the convolution asks for."""
        return self.layer.channels_in

    def channels_out(self, channels: int) -> int:
        """Return the convolution's output channels."""
        return self.layer.channels_out(channels)

    @property
    def shortest_input(self) -> int:
        """That of the layer inside."""
        return self.layer.shortest_input

    def length_rule(self) -> LengthRule:
        """Return the convolution's law."""
        return self.layer.length_rule()

    @property
    def is_drawn(self) -> bool:
        """Whether the convolution's weights are numbers."""
        return self.layer.is_drawn

    def draw(self, rng: np.random.Generator) -> Self:
        """Return the layer with the convolution's weights drawn."""
        drawn = self.layer.draw(rng)
        return self if drawn is self.layer else replace(self, layer=drawn)

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
        return replace(self.layer, weight=scale[:, None, None] * weight, bias=self.layer.bias_kind)

    def in_expectation(self, channels: int) -> tuple[Part, ...]:
        r"""Return the convolution of unit slices, and the gains on the side of the slices.

        For n independent symmetric draws v of one distribution, :math:`w = g\, v / |v|` has
        :math:`E\, w_i^2 = g^2 / n` and :math:`E\, w_i w_j = 0`, whatever the distribution: the
        entries can be exchanged and their signs flipped, and the squares add up to
        :math:`g^2`.  Taps that repeat such draws equally often (ICNR) follow: the covariance is
        :math:`g^2 \Sigma_v / E |v|^2`.
        """
        layer = self.layer
        if self.gain is None or layer.is_drawn or not is_random(layer.weight):
            return self.effective().in_expectation(channels)
        gain = np.asarray(self.gain)
        even = np.ptp(gain) == 0
        known = (IndependentTaps, ICNR) if even else (IndependentTaps,)
        if not isinstance(layer.weight, known):
            raise NotPredictableError(
                "normalised weights of this initialisation have no known moments",
                given=repr(self),
                expected="independent taps, or icnr and one gain for all slices",
                fix="stack = stack.draw(seed=0), and predict that one network",
            )
        if even:
            parts = layer.in_expectation(channels)
            return _rescaled(parts, layer, float(gain[0]))
        gains = StretchFIR(gain[:, None, None], groups=gain.size)
        if isinstance(layer, TransposedConv):
            return (gains, *_rescaled(layer.in_expectation(channels), layer, 1.0))
        before = layer.convolution() if isinstance(layer, SubpixelConv) else layer
        taps, *rest = _rescaled(before.in_expectation(channels), before, 1.0)
        parts = (taps, gains, *rest)
        if isinstance(layer, SubpixelConv):
            shuffle = PeriodicShuffle(layer.factor, layer.order)
            parts += (shuffle.operator(before.out_channels),)
        return parts

    def operator(self, channels: int) -> Operator:
        """Return the effective convolution's operator."""
        return self.effective().operator(channels)


def _rescaled(parts: tuple[Part, ...], layer: Convolution, gain: float) -> tuple[Part, ...]:
    """Return a convolution's parts with slices of length ``gain``."""
    taps = parts[0]
    assert isinstance(taps, RandomTaps)
    # A slice of a sub-pixel layer is one phase of its taps.
    phases = taps.positions.size // layer.kernel_size
    square = layer.weight_shape[1] * float(np.trace(taps.tap_covariance)) / phases
    covariance = taps.tap_covariance * (gain**2 / square)
    return (replace(taps, tap_covariance=covariance), *parts[1:])


def _norms(weight: Array) -> Array:
    """Return the Euclidean norm of each slice along the first axis."""
    return np.asarray(np.linalg.norm(weight.reshape(weight.shape[0], -1), axis=1))
