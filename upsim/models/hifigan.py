"""HiFi-GAN and the decoders that share its generator.

Generator: convolution of 7 taps; for each stage LeakyReLU(0.1), a transposed convolution that
halves the channels (padding ``(k - s) // 2``), and the mean of residual blocks of several kernels;
then LeakyReLU(0.01), convolution of 7 taps, Tanh (Kong, Kim & Bae, *HiFi-GAN*, NeurIPS 2020; stages
and kernels from the public configurations).  Weight normalisation is another way to write the
weights and changes no layer, so it is not shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from upsim.layers import Average, Conv, LeakyReLU, Pad, Tanh, TransposedConv
from upsim.models.chain import Beside, Branches, Chain, Entrance, Link, Named, as_stack, residual
from upsim.network.stack import Stack


class Activations(Protocol):
    """Which activations stand where; each place has the name of the convolution behind it."""

    def before_up(self, conv: str, channels: int) -> Chain:
        """Return what stands before a transposed convolution."""

    def in_block(self, conv: str, block: str, number: int, channels: int) -> Chain:
        """Return what stands before a convolution of a residual block; ``number`` counts them."""

    def before_post(self, conv: str, channels: int) -> Chain:
        """Return what stands before the last convolution."""


@dataclass(frozen=True)
class Leaky:
    """HiFi-GAN's: LeakyReLU everywhere, with torch's own slope before the last convolution."""

    slope: float = 0.1
    last: float = 0.01

    def before_up(self, conv: str, channels: int) -> Chain:
        """Return the activation."""
        return [Named(f"{conv}.activation", LeakyReLU(self.slope))]

    def in_block(self, conv: str, block: str, number: int, channels: int) -> Chain:
        """Return the activation."""
        return self.before_up(conv, channels)

    def before_post(self, conv: str, channels: int) -> Chain:
        """Return the activation."""
        return [Named(f"{conv}.activation", LeakyReLU(self.last))]


@dataclass(frozen=True, kw_only=True)
class ModuleNames:
    """What a source calls its modules; ``{stage}``, ``{kernel}`` and ``{flat}`` count from 0.

    ``flat`` counts the residual blocks of all stages; ``conv`` is a convolution of a block, by its
    list, "convs1", and its step.
    """

    pre: str = "conv_pre"
    up: str = "ups.{stage}"
    block: str = "resblocks.{flat}"
    conv: str = "{block}.{list}.{step}"
    mean: str = "mean.{stage}"
    post: str = "conv_post"


@dataclass(frozen=True, kw_only=True)
class GeneratorConfig:
    """The fields of a HiFi-GAN configuration, by their own names, and what its relatives vary.

    Parameters
    ----------
    sampling_rate : number
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
    has_pre : bool
        Whether there is a first convolution.
    keeps_odd : bool
        Whether odd strides get ``output_padding`` 1, the padding being half the stride, rounded up.
    pre_conv_kernel_size, post_conv_kernel_size : int
        Of the first and the last convolution.
    out_channels : int
        Of the last convolution.
    ending : chain
        What stands behind the last convolution.
    activations : Activations
    names : ModuleNames
    source : callable, optional
        ``source(stage, channels)`` is the chain from a second input to a stage.
    entrance : str
        What that chain reads: the input "source", or what ``beside`` makes of it.
    beside : chain
        From the input "source" to what the entrances read.
    padded_at_the_end : bool
        Whether the last stage is given one reflected sample on the left, as before an inverse STFT.
    """

    sampling_rate: object
    num_mels: int = 80
    upsample_rates: Sequence[int]
    upsample_kernel_sizes: Sequence[int]
    upsample_initial_channel: int = 512
    resblock: str = "1"
    resblock_kernel_sizes: Sequence[int] = (3, 7, 11)
    resblock_dilation_sizes: Sequence[Sequence[int]] = ((1, 3, 5),) * 3
    bias_at_final: bool = True
    has_pre: bool = True
    keeps_odd: bool = False
    pre_conv_kernel_size: int = 7
    post_conv_kernel_size: int = 7
    out_channels: int = 1
    ending: Chain = (Named("tanh", Tanh()),)
    activations: Activations = Leaky()
    names: ModuleNames = ModuleNames()
    source: Callable[[int, int], Chain] | None = None
    entrance: str = "source"
    beside: Chain = ()
    padded_at_the_end: bool = False


def generator(config: GeneratorConfig, name: str) -> Stack:
    """Return the generator of a configuration as a stack."""
    return as_stack(generator_chain(config), config.sampling_rate, name)


def generator_chain(config: GeneratorConfig) -> list[Link]:
    """Return the generator of a configuration under its modules' names."""
    width, activations = config.upsample_initial_channel, config.activations
    chain: list[Link] = [Beside("source", config.beside)] if config.beside else []
    if config.has_pre:
        pre = same_length(config.num_mels, width, config.pre_conv_kernel_size)
        chain.append(Named(config.names.pre, pre))
    channels = width
    stages = list(zip(config.upsample_rates, config.upsample_kernel_sizes, strict=True))
    for stage, (stride, kernel_size) in enumerate(stages):
        before, channels = channels, width // 2 ** (stage + 1)
        up = config.names.up.format(stage=stage)
        padding, extra = (kernel_size - stride) // 2, 0
        if config.keeps_odd:
            padding, extra = stride // 2 + stride % 2, stride % 2
        layer = TransposedConv(before, channels, kernel_size, stride, padding, extra)
        chain += [*activations.before_up(up, before), Named(up, layer)]
        if config.padded_at_the_end and stage == len(stages) - 1:
            chain.append(Named("reflection_pad", Pad(1, 0, "reflect")))
        if config.source is not None:
            entering = config.source(stage, channels)
            chain.append(Entrance(f"sum.{stage}", config.entrance, entering))
        chain.append(_fusion(config, stage, channels))
    post = same_length(
        channels, config.out_channels, config.post_conv_kernel_size, bias=config.bias_at_final
    )
    name = config.names.post
    chain += activations.before_post(name, channels)
    return [*chain, Named(name, post), *config.ending]


def same_length(
    before: int, after: int, kernel_size: int, dilation: int = 1, *, bias: bool = True
) -> Conv:
    """Return a convolution that keeps the length, for an odd kernel."""
    padding = dilation * (kernel_size - 1) // 2
    return Conv(before, after, kernel_size, padding=padding, dilation=dilation, bias=bias)


def _fusion(config: GeneratorConfig, stage: int, channels: int) -> Branches:
    """Return the mean of the residual blocks of all kernels."""
    count = len(config.resblock_kernel_sizes)
    pairs = zip(config.resblock_kernel_sizes, config.resblock_dilation_sizes, strict=True)
    blocks = []
    for number, (kernel_size, dilations) in enumerate(pairs):
        where = {"stage": stage, "kernel": number, "flat": stage * count + number}
        block = config.names.block.format(**where)
        blocks.append(
            residual_block(
                block,
                channels,
                kernel_size,
                dilations,
                config.activations,
                config.resblock,
                config.names.conv,
            )
        )
    return Branches(config.names.mean.format(stage=stage), Average(), tuple(blocks))


def residual_block(
    block: str,
    channels: int,
    kernel_size: int,
    dilations: Sequence[int],
    activations: Activations,
    kind: str = "1",
    name: str = ModuleNames.conv,
) -> Chain:
    """Return residual steps one after another, one a dilation."""
    lists = ("convs1", "convs2") if kind == "1" else ("convs",)
    steps = []
    for step, dilation in enumerate(dilations):
        convs = [
            (name.format(block=block, list=each, step=step), 1 if each == "convs2" else dilation)
            for each in lists
        ]
        body: list[Link] = []
        for half, (conv, spread) in enumerate(convs):
            number = step * len(convs) + half
            body += activations.in_block(conv, block, number, channels)
            body.append(Named(conv, same_length(channels, channels, kernel_size, spread)))
        steps.append(residual(f"{block}.sum.{step}", body))
    return steps


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
