"""BigVGAN: HiFi-GAN's generator with anti-aliased periodic activations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from upsim.layers import Layer, Resample, SnakeBeta
from upsim.models.chain import Chain, Named
from upsim.models.hifigan import GeneratorConfig, ModuleNames
from upsim.models.hifigan import generator as hifigan_generator
from upsim.network.stack import Stack

#: Each transposed convolution stands in a list of its own.
NAMES = ModuleNames(up="ups.{stage}.0")


@dataclass(frozen=True)
class AntiAliased:
    """A periodic activation at twice the rate, between BigVGAN's two filters of 12 taps.

    Nothing stands before the transposed convolutions.
    """

    activation: Layer

    def before_up(self, conv: str, channels: int) -> Chain:
        """Return nothing."""
        return []

    def in_block(self, conv: str, block: str, number: int, channels: int) -> Chain:
        """Return the activation of a block by its number."""
        return self._named(f"{block}.activations.{number}")

    def before_post(self, conv: str, channels: int) -> Chain:
        """Return the last activation."""
        return self._named("activation_post")

    def _named(self, name: str) -> Chain:
        return [
            Named(f"{name}.upsample", Resample(1, 2, "bigvgan")),
            Named(f"{name}.act", self.activation),
            Named(f"{name}.downsample", Resample(2, 1, "bigvgan")),
        ]


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
    config = GeneratorConfig(
        sampling_rate=sample_rate,
        num_mels=mels,
        upsample_rates=strides,
        upsample_kernel_sizes=[2 * stride for stride in strides],
        upsample_initial_channel=channels,
        activations=AntiAliased(SnakeBeta()),
        names=NAMES,
    )
    return hifigan_generator(config, name)
