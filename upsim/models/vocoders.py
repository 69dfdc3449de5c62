"""WaveGAN with its critic, and BigVGAN's ladder."""

from __future__ import annotations

from fractions import Fraction

from upsim.layers import (
    Conv,
    Crop,
    Layer,
    LeakyReLU,
    ReLU,
    SnakeBeta,
    Tanh,
    TransposedConv,
)
from upsim.network.stack import Stack


def wavegan() -> Stack:
    """WaveGAN: five transposed convolutions of length 25, stride 4, to 16 kHz: partial overlap.

    Donahue, McAuley & Puckette, ICLR 2019 (chrisdonahue/wavegan, ``dim=64``).  TensorFlow's
    ``same`` padding cuts 10 samples on the left and 11 on the right, so the length is exactly
    four times; weights as Keras draws them (Glorot), biases zero.  Left out: the dense layer that
    makes the 16 input samples of 1024 channels from the latent vector (the ReLU after it is the
    first layer).
    """
    layers: list[Layer] = [ReLU()]
    for before, after in ((1024, 512), (512, 256), (256, 128), (128, 64), (64, 1)):
        layers += [
            TransposedConv(before, after, 25, 4, padding=10, weight="keras"),
            Crop(0, 1),
            ReLU() if after > 1 else Tanh(),
        ]
    return Stack(layers, 16000, name="wavegan")


def wavegan_critic() -> Stack:
    """WaveGAN's critic: five strided convolutions of length 25, stride 4, from 16 kHz down.

    As :func:`wavegan`, LeakyReLU(0.2) after each; TensorFlow's ``same`` padding adds 10 samples on
    the left and 11 on the right.  Left out: the dense layer that makes one number of the 16 last
    samples, and phase shuffle, which is no layer of a fixed network: ``upsim.gradient_lines(critic,
    phase_shuffle=2)`` has what it leaves of each line of the gradient.
    """
    layers: list[Layer] = []
    for before, after in ((1, 64), (64, 128), (128, 256), (256, 512), (512, 1024)):
        layers += [
            Crop(0, -1),
            Conv(before, after, 25, 4, padding=10, weight="keras"),
            LeakyReLU(0.2),
        ]
    return Stack(layers, Fraction(16000, 4**5), name="wavegan-critic")


def bigvgan_24k() -> Stack:
    """BigVGAN at 24 kHz, its upsampling ladder: 100 mel bands, six stages, SnakeBeta.

    Lee et al., ICLR 2023 (``bigvgan_24khz_100band.json``): first convolution, the six transposed
    convolutions (padding ``(k - s) // 2``), last SnakeBeta, convolution and Tanh.  Left out: the
    residual blocks and the low-pass filters around their activations; one SnakeBeta stands after
    each stage in their place.  :func:`~upsim.models.bigvgan` is the whole generator.
    """
    channels = 1536
    layers: list[Layer] = [Conv(100, channels, 7, padding=3)]
    for stride in (4, 4, 2, 2, 2, 2):
        layers += [
            TransposedConv(channels, channels // 2, 2 * stride, stride, stride // 2),
            SnakeBeta(),
        ]
        channels //= 2
    return Stack([*layers, Conv(channels, 1, 7, padding=3), Tanh()], 24000, name="bigvgan-24k")
