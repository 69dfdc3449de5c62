"""BigVGAN: HiFi-GAN's generator with anti-aliased periodic activations."""

from __future__ import annotations

from collections.abc import Sequence

from upsim.layers import (
    Conv,
    Layer,
    Parallel,
    Resample,
    Residual,
    SnakeBeta,
    Tanh,
    TransposedConv,
)
from upsim.network.stack import Stack


def anti_aliased(activation: Layer) -> list[Layer]:
    """Return an activation at twice the rate, between BigVGAN's two filters of 12 taps."""
    return [Resample(1, 2, "bigvgan"), activation, Resample(2, 1, "bigvgan")]


def bigvgan() -> Stack:
    """BigVGAN at 24 kHz, whole: 100 mel bands, six stages, 112.4 M parameters.

    Complete (Lee et al., ICLR 2023; ``bigvgan_24khz_100band.json``): a convolution of 7 taps to
    1536 channels; six transposed convolutions by 4, 4, 2, 2, 2, 2 that halve the channels (kernels
    of twice the stride), each followed by the mean of three residual blocks of 3, 7 and 11 taps
    with dilations 1, 3, 5; every activation is a SnakeBeta of one alpha and one beta a channel, run
    at twice the rate between two low-pass filters; the last convolution has 7 taps, then Tanh.
    Alpha and beta are 1, as at the start of training.
    """
    return generator(100, 1536, (4, 4, 2, 2, 2, 2), "bigvgan", 24000)


def generator(
    mels: int, channels: int, strides: Sequence[int], name: str, sample_rate: int
) -> Stack:
    """Return the generator of a configuration; kernels are twice the strides."""
    layers: list[Layer] = [Conv(mels, channels, 7, padding=3)]
    for stride in strides:
        layers.append(TransposedConv(channels, channels // 2, 2 * stride, stride, stride // 2))
        channels //= 2
        blocks = [
            tuple(_block(channels, taps, dilation) for dilation in (1, 3, 5)) for taps in (3, 7, 11)
        ]
        layers.append(Parallel(*blocks, merge="mean"))
    layers += [*anti_aliased(SnakeBeta()), Conv(channels, 1, 7, padding=3), Tanh()]
    return Stack(layers, sample_rate, name=name)


def _block(channels: int, taps: int, dilation: int) -> Residual:
    """Return a residual step: a dilated and a plain convolution, an activation before each."""

    def same_length(spread: int) -> Conv:
        padding = spread * (taps - 1) // 2
        return Conv(channels, channels, taps, padding=padding, dilation=spread)

    return Residual(
        *anti_aliased(SnakeBeta()),
        same_length(dilation),
        *anti_aliased(SnakeBeta()),
        same_length(1),
    )
