"""GAN-TTS: residual blocks that resize and convolve."""

from __future__ import annotations

from math import sqrt

from upsim.layers import BatchNorm, Conv, Layer, Nearest, ReLU, Residual, Tanh
from upsim.network.stack import Stack
from upsim.network.weights import Normal


def gan_tts() -> Stack:
    """GAN-TTS' generator: 567 features at 200 Hz to 24 kHz, seven blocks of resize and convolve.

    Binkowski et al., ICLR 2020 (arXiv 1909.11646): convolutions of 3 taps, dilated by 1, 2, 4 and
    8; the factors 1, 1, 2, 2, 2, 3, 5 and the channels.  Nearest neighbour is how "upsample" is
    read; a convolution of one tap stands on the first skip connection of each block.  The
    conditional batch normalisations are as torch starts one (mean 0, variance 1, gain 1): what the
    latent vector adds to gain and offset is left out.  Orthogonal matrices of convolutions are
    taken as independent normal weights of the same variance, one over the longer side; a spectral
    normalisation then changes nothing at the start, and biases start at 0.
    """
    layers: list[Layer] = [_convolution(567, 768, 3)]
    before = 768
    for after, factor in ((768, 1), (768, 1), (384, 2), (384, 2), (384, 2), (192, 3), (96, 5)):
        layers += _block(before, after, factor)
        before = after
    return Stack([*layers, _convolution(before, 1, 3), Tanh()], 24000, name="gan-tts")


def _block(before: int, after: int, factor: int) -> tuple[Layer, Layer]:
    """Return a GBlock: two residual blocks, the first of which raises the rate."""
    resize: list[Layer] = [Nearest(factor)] if factor > 1 else []
    first = Residual(
        *_activated(before),
        *resize,
        _convolution(before, after, 3),
        *_activated(after),
        _convolution(after, after, 3, dilation=2),
        skip=(*resize, _convolution(before, after, 1)),
    )
    second = Residual(
        *_activated(after),
        _convolution(after, after, 3, dilation=4),
        *_activated(after),
        _convolution(after, after, 3, dilation=8),
    )
    return first, second


def _activated(channels: int) -> tuple[Layer, Layer]:
    return BatchNorm(channels, affine=False), ReLU()


def _convolution(before: int, after: int, kernel_size: int, dilation: int = 1) -> Conv:
    std = 1 / sqrt(max(after, before * kernel_size))
    padding = dilation * (kernel_size - 1) // 2
    weight = Normal(std=std)
    return Conv(before, after, kernel_size, padding=padding, dilation=dilation, weight=weight)
