"""Vocoders whose last step is an inverse STFT: iSTFTNet, HiFT, the one of Kokoro, Vocos."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from upsim.errors import ArgumentError
from upsim.importers.families.family import MOST_MODULES, Family, Model, equally_long, odd
from upsim.importers.families.hifigan import generator_config, leaky_only, model_of
from upsim.importers.fields import Fields
from upsim.layers import (
    Clamp,
    Concatenate,
    Conv,
    InstanceNorm,
    InverseSTFT,
    LayerNorm,
    Opaque,
    Pad,
    Pointwise,
    Snake,
)
from upsim.models.chain import Branches, Chain, Link, Named, prefixed
from upsim.models.convnext import convnext_block
from upsim.models.hifigan import Leaky, residual_block
from upsim.models.spectral_head import forward_transform, spectral_head

Array = NDArray[np.float64]

#: Samples of a transform; that of the source is written out as a matrix.
_LONGEST = 4096

#: The magnitude of real parts and, behind them, imaginary ones.
_MAGNITUDE = Pointwise([("square", "x0"), ("square", "x1"), ("add", "s0", "s1"), ("sqrt", "s2")])

_REASON = "the angle of a complex number"

#: Where Kokoro's generator stands in its model.
_INSIDE = "decoder.generator."


class _PaddedLeaky(Leaky):
    """iSTFTNet's: a reflected sample stands before the last convolution."""

    def before_post(self, conv: str, channels: int) -> Chain:
        """Return the activation and the padding."""
        pad = Named("reflection_pad", Pad(1, 0, "reflect"))
        return [*super().before_post(conv, channels), pad]


class _Periodic(Leaky):
    """HiFT's: Snake in residual blocks."""

    def in_block(self, conv: str, block: str, number: int, channels: int) -> Chain:
        """Return the activation."""
        return [Named(f"{block}.activations{number % 2 + 1}.{number // 2}", Snake())]


class _Styled(Leaky):
    """Kokoro's: an instance norm, whose gains are those of the style, and Snake."""

    def in_block(self, conv: str, block: str, number: int, channels: int) -> Chain:
        """Return the norm and the activation."""
        half, step = number % 2 + 1, number // 2
        return [
            Named(f"{block}.adain{half}.{step}.norm", InstanceNorm(channels)),
            Named(f"{block}.alpha{half}.{step}", Snake()),
        ]


def _istftnet(fields: Fields, sample_rate: object) -> Model:
    n_fft, hop = _transform(fields, "gen_istft_n_fft", "gen_istft_hop_size")
    if not fields.has("num_mels", "in_channels"):
        return _kokoro(fields, sample_rate, n_fft, hop)
    leaky_only(fields)
    config = replace(
        generator_config(fields, sample_rate),
        out_channels=n_fft + 2,
        activations=_PaddedLeaky(),
        ending=spectral_head(InverseSTFT(n_fft, hop), has_sine=True, most=None),
    )
    return model_of(config, "mel", hop=hop)


def _transform(fields: Fields, n_fft: str, *hops: str) -> tuple[int, int]:
    """Return the length and the hop of the inverse STFT."""
    size, hop = fields.whole(n_fft, least=2, most=_LONGEST), fields.whole(*hops)
    if size % 2 or hop > size:
        raise ArgumentError(
            "the inverse STFT has an odd length, or a hop beyond it",
            given=f"{n_fft}={size}, {hops[0]}={hop}",
            expected=f"an even {n_fft}, and {hops[0]} up to it",
        )
    return size, hop


def _kokoro(fields: Fields, sample_rate: object, n_fft: int, hop: int) -> Model:
    """Return Kokoro's generator: it has no first convolution, and its rate stands in the code."""
    width = fields.whole("upsample_initial_channel")
    config = generator_config(fields, sample_rate, channels=width, usual=24000, resblock="1")
    strides, styled = config.upsample_rates, _Styled()
    fields.notes += [
        "the style is left out: instance norms have gain 1 and offset 0",
        "source is the harmonic source behind its tanh (m_source)",
        "the sample rate of Kokoro's code is taken: 24000 Hz",
    ]
    spectrum = Branches(
        "polar",
        Concatenate(),
        (
            (Named("magnitude", _MAGNITUDE),),
            (Named("phase", Opaque("angle", n_fft // 2 + 1, run=_angle, reason=_REASON)),),
        ),
    )

    def source(stage: int, channels: int) -> Chain:
        down = prod(strides[stage + 1 :])
        is_last = stage + 1 == len(strides)
        taps, padding = (1, 0) if is_last else (2 * down, (down + 1) // 2)
        names = f"noise_convs.{stage}", f"noise_res.{stage}"
        return [
            Named(names[0], Conv(n_fft + 2, channels, taps, down, padding)),
            *residual_block(names[1], channels, 11 if is_last else 7, (1, 3, 5), styled),
        ]

    config = replace(
        config,
        has_pre=False,
        out_channels=n_fft + 2,
        activations=styled,
        source=source,
        entrance=f"{_INSIDE}polar",
        beside=[Named("stft", forward_transform(n_fft, hop)), spectrum],
        padded_at_the_end=True,
        ending=spectral_head(InverseSTFT(n_fft, hop), has_sine=True, most=None),
    )
    return model_of(config, "features", prefix=_INSIDE, source=1, hop=hop)


def _angle(samples: Array) -> Array:
    """Return the phase of real parts and, behind them, imaginary ones."""
    real, imaginary = np.split(samples, 2)
    angle: Array = np.arctan2(imaginary + 0.0, real)  # minus zero would turn by 2 pi
    return angle


def _hift(fields: Fields, sample_rate: object) -> Model:
    n_fft, hop = _transform(fields.inside("istft_params"), "n_fft", "hop_len", "hop_length")
    slope = fields.number("lrelu_slope", default=0.1)
    limit = fields.number("audio_limit", default=0.99)
    config = generator_config(fields, sample_rate, resblock="1")
    strides, periodic = config.upsample_rates, _Periodic(slope)
    kernels = fields.wholes("source_resblock_kernel_sizes", default=(7,) * len(strides))
    dilations = fields.lists("source_resblock_dilation_sizes", default=((1, 3, 5),) * len(strides))
    equally_long(kernels, strides, "source_resblock_kernel_sizes and upsample_rates")
    equally_long(dilations, strides, "source_resblock_dilation_sizes and upsample_rates")
    odd(kernels, "source_resblock_kernel_sizes")
    fields.notes.append("source is the harmonic source behind its tanh (m_source)")

    def source(stage: int, channels: int) -> Chain:
        down = prod(strides[stage + 1 :])
        taps, padding = (1, 0) if down == 1 else (2 * down, down // 2)
        block = f"source_resblocks.{stage}"
        return [
            Named(f"source_downs.{stage}", Conv(n_fft + 2, channels, taps, down, padding)),
            *residual_block(block, channels, kernels[stage], dilations[stage], periodic),
        ]

    config = replace(
        config,
        out_channels=n_fft + 2,
        activations=periodic,
        source=source,
        entrance="stft",
        beside=[Named("stft", forward_transform(n_fft, hop))],
        padded_at_the_end=True,
        ending=[
            *spectral_head(InverseSTFT(n_fft, hop), has_sine=True),
            Named("clamp", Clamp(-limit, limit)),
        ],
    )
    return model_of(config, "mel", source=1, hop=hop)


def _vocos(fields: Fields, sample_rate: object) -> Model:
    heads = fields.sections(("dim", "n_fft", "hop_length"))
    if not heads:
        raise ArgumentError(
            "the configuration has no head of Vocos",
            given="no section with dim, n_fft and hop_length",
            expected="head.init_args",
        )
    head = fields.at(heads[0])
    n_fft, hop = _transform(head, "n_fft", "hop_length")
    padding = head.word("padding", choices=("center", "same"), default="same")
    trim = (n_fft - hop) // 2 if padding == "same" else None
    width, hidden = fields.whole("dim"), fields.whole("intermediate_dim")
    if head.whole("dim") != width:
        raise ArgumentError(
            "backbone and head have different widths",
            given=f"{fields.home}.dim={width}, {head.home}.dim={head.whole('dim')}",
            expected="one width",
        )
    channels = fields.whole("input_channels")
    count = fields.whole("num_layers", most=MOST_MODULES)
    gamma = fields.number("layer_scale_init_value", default=1 / count)
    if fields.has("adanorm_num_embeddings"):
        fields.notes.append("the norms are those of one bandwidth, with gain 1 and offset 0")
    chain: list[Link] = [
        Named("backbone.embed", Conv(channels, width, 7, padding=3)),
        Named("backbone.norm", LayerNorm(width, eps=1e-6)),
    ]
    chain += [
        convnext_block(f"backbone.convnext.{number}", width, hidden, gamma=gamma)
        for number in range(count)
    ]
    transform = InverseSTFT(n_fft, hop, trim=trim)
    chain += [
        Named("backbone.final_layer_norm", LayerNorm(width, eps=1e-6)),
        Named("head.out", Conv(width, n_fft + 2, 1)),
        *prefixed(spectral_head(transform, has_sine=False), "head."),
    ]
    return Model(
        chain=chain,
        inputs={"features": channels},
        factors=[(f"iSTFT hop {hop}", hop)],
        rate=fields.rate(sample_rate),
    )


FAMILIES = (
    Family(
        title="HiFT",
        types=("hiftgenerator",),
        keys=("upsample_rates upsample_kernel_sizes base_channels",),
        read=_hift,
        beside=("nb_harmonics", "nsf_alpha", "nsf_sigma", "nsf_voiced_threshold"),
    ),
    Family(
        title="iSTFTNet",
        keys=("upsample_rates upsample_kernel_sizes gen_istft_n_fft",),
        read=_istftnet,
    ),
    Family(
        title="Vocos",
        types=("vocosbackbone", "istfthead"),
        keys=("intermediate_dim num_layers dim input_channels",),
        read=_vocos,
    ),
)
