"""HiFi-GAN and the decoders that share its generator.

Generator: convolution of 7 taps; for each stage LeakyReLU(0.1), a transposed convolution that
halves the channels (padding ``(k - s) // 2``), and the mean of residual blocks of several kernels;
then LeakyReLU(0.01), convolution of 7 taps, Tanh (Kong, Kim & Bae, *HiFi-GAN*, NeurIPS 2020; stages
and kernels from the public configurations).  Weight normalisation is another way to write the
weights and changes no layer, so it is not shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from upsim.layers import Conv, Layer, LeakyReLU, Parallel, Residual, Tanh, TransposedConv
from upsim.network.stack import Stack

_SLOPE = 0.1


@dataclass(frozen=True, kw_only=True)
class GeneratorConfig:
    """The fields of a HiFi-GAN configuration, by their own names.

    Parameters
    ----------
    sampling_rate : int
        Of the output, in Hz.
    num_mels : int
        Channels of the input: mel bands, or latents.
    upsample_rates, upsample_kernel_sizes : sequence of int
    upsample_initial_channel : int
    resblock : str
        "1": two convolutions a residual step, the first dilated; "2": one.
    resblock_kernel_sizes : sequence of int
    resblock_dilation_sizes : sequence of sequence of int
    bias_at_final : bool
        Whether the last convolution has a bias.
    """

    sampling_rate: int
    num_mels: int = 80
    upsample_rates: Sequence[int]
    upsample_kernel_sizes: Sequence[int]
    upsample_initial_channel: int = 512
    resblock: str = "1"
    resblock_kernel_sizes: Sequence[int] = (3, 7, 11)
    resblock_dilation_sizes: Sequence[Sequence[int]] = ((1, 3, 5),) * 3
    bias_at_final: bool = True


def generator(config: GeneratorConfig, name: str) -> Stack:
    """Return the generator of a configuration."""
    channels = config.upsample_initial_channel
    layers: list[Layer] = [Conv(config.num_mels, channels, 7, padding=3)]
    stages = zip(config.upsample_rates, config.upsample_kernel_sizes, strict=True)
    for stride, kernel_size in stages:
        padding = (kernel_size - stride) // 2
        layers += [
            LeakyReLU(_SLOPE),
            TransposedConv(channels, channels // 2, kernel_size, stride, padding),
        ]
        channels //= 2
        layers.append(_fusion(config, channels))
    bias = config.bias_at_final
    layers += [LeakyReLU(), Conv(channels, 1, 7, padding=3, bias=bias), Tanh()]
    return Stack(layers, config.sampling_rate, name=name)


def _fusion(config: GeneratorConfig, channels: int) -> Parallel:
    """Return the mean of the residual blocks of all kernels."""
    blocks = zip(config.resblock_kernel_sizes, config.resblock_dilation_sizes, strict=True)
    return Parallel(
        *(
            tuple(
                _residual_step(channels, kernel_size, dilation, config.resblock)
                for dilation in dilations
            )
            for kernel_size, dilations in blocks
        ),
        merge="mean",
    )


def _residual_step(channels: int, kernel_size: int, dilation: int, kind: str) -> Residual:
    def same_length(spread: int) -> Conv:
        padding = spread * (kernel_size - 1) // 2
        return Conv(channels, channels, kernel_size, padding=padding, dilation=spread)

    body: list[Layer] = [LeakyReLU(_SLOPE), same_length(dilation)]
    if kind == "1":
        body += [LeakyReLU(_SLOPE), same_length(1)]
    return Residual(*body)


def hifigan_v1() -> Stack:
    """HiFi-GAN V1: mel bands to 22.05 kHz, 13.92 M parameters.

    Complete: every layer of the generator (jik876/hifi-gan, ``config_v1.json``).
    """
    return generator(
        GeneratorConfig(
            sampling_rate=22050,
            upsample_rates=(8, 8, 2, 2),
            upsample_kernel_sizes=(16, 16, 4, 4),
        ),
        "hifigan-v1",
    )


def hifigan_v2() -> Stack:
    """HiFi-GAN V2: as V1 with a quarter of the channels, 0.92 M parameters.

    Complete (jik876/hifi-gan, ``config_v2.json``).
    """
    return generator(
        GeneratorConfig(
            sampling_rate=22050,
            upsample_rates=(8, 8, 2, 2),
            upsample_kernel_sizes=(16, 16, 4, 4),
            upsample_initial_channel=128,
        ),
        "hifigan-v2",
    )


def hifigan_v3() -> Stack:
    """HiFi-GAN V3: three stages, simpler residual blocks, 1.46 M parameters.

    Complete (jik876/hifi-gan, ``config_v3.json``).
    """
    return generator(
        GeneratorConfig(
            sampling_rate=22050,
            upsample_rates=(8, 8, 4),
            upsample_kernel_sizes=(16, 16, 8),
            upsample_initial_channel=256,
            resblock="2",
            resblock_kernel_sizes=(3, 5, 7),
            resblock_dilation_sizes=((1, 2), (2, 6), (3, 12)),
        ),
        "hifigan-v3",
    )


def audioldm_vocoder() -> Stack:
    """AudioLDM's vocoder: 64 mel bands to 16 kHz, its first stage with partial overlap.

    The whole HiFi-GAN generator of the configuration in AudioLDM's source.
    """
    return generator(
        GeneratorConfig(
            sampling_rate=16000,
            num_mels=64,
            upsample_rates=(5, 4, 2, 2, 2),
            upsample_kernel_sizes=(16, 16, 8, 4, 4),
            upsample_initial_channel=1024,
        ),
        "audioldm-vocoder",
    )


def gpt_sovits() -> Stack:
    """GPT-SoVITS v1 and v2: 192 latents to 32 kHz, two stages with kernel = stride = 2.

    The generator of ``configs/s2.json``; as in VITS the last convolution has no bias.  Left out:
    the speaker condition, which adds one constant a channel after the first convolution.
    """
    return generator(
        GeneratorConfig(
            sampling_rate=32000,
            num_mels=192,
            upsample_rates=(10, 8, 2, 2, 2),
            upsample_kernel_sizes=(16, 16, 8, 2, 2),
            bias_at_final=False,
        ),
        "gpt-sovits",
    )


def _rvc(name: str, rate: int, strides: Sequence[int], kernel_sizes: Sequence[int]) -> Stack:
    return generator(
        GeneratorConfig(
            sampling_rate=rate,
            num_mels=192,
            upsample_rates=strides,
            upsample_kernel_sizes=kernel_sizes,
            bias_at_final=False,
        ),
        name,
    )


def rvc_32k() -> Stack:
    """RVC v1 at 32 kHz: 192 latents, frames of 10 ms, without its harmonic source.

    The main path of the generator (``configs/v1/32k.json``).  Left out: the harmonic source with
    its side branch (``noise_convs``), which adds a signal and biases after every stage, and the
    speaker condition.
    """
    return _rvc("rvc-32k", 32000, (10, 4, 2, 2, 2), (16, 16, 4, 4, 4))


def rvc_40k() -> Stack:
    """RVC v1 at 40 kHz: 192 latents, frames of 10 ms, without its harmonic source.

    As :func:`rvc_32k` (``configs/v1/40k.json``).
    """
    return _rvc("rvc-40k", 40000, (10, 10, 2, 2), (16, 16, 4, 4))


def rvc_48k() -> Stack:
    """RVC v1 at 48 kHz: 192 latents, frames of 10 ms, without its harmonic source.

    As :func:`rvc_32k` (``configs/v1/48k.json``).
    """
    return _rvc("rvc-48k", 48000, (10, 6, 2, 2, 2), (16, 16, 4, 4, 4))
