"""MelGAN with one band or several, StyleMelGAN, and UnivNet, which is refused by name."""

from __future__ import annotations

from upsim.errors import NotPredictableError
from upsim.importers.families.family import MOST_MODULES, Family, Model, halved, odd
from upsim.importers.fields import Fields
from upsim.layers import PQMF, Sigmoid, Softmax
from upsim.models.chain import Link, Named
from upsim.models.melgan_generator import MelganConfig, melgan_chain
from upsim.models.stylemelgan_generator import StyleMelganConfig, stylemelgan_nodes


def _melgan(fields: Fields, sample_rate: object) -> Model:
    scales = fields.wholes("upsample_scales")
    width = fields.whole("channels", default=512)
    halved(width, len(scales), "channels")
    bands = fields.whole("out_channels", default=1)
    if fields.flag("use_causal_conv", default=False):
        raise NotPredictableError(
            "causal MelGAN is not read",
            given="use_causal_conv=true",
            expected="use_causal_conv=false",
            fix="upsim.from_torch(generator, ...)",
        )
    fields.word("nonlinear_activation", choices=("LeakyReLU",), default="LeakyReLU")
    fields.word("pad", choices=("ReflectionPad1d",), default="ReflectionPad1d")
    slope = fields.inside("nonlinear_activation_params").number("negative_slope", default=0.2)
    config = MelganConfig(
        upsample_scales=scales,
        in_channels=fields.whole("in_channels", default=80),
        out_channels=bands,
        channels=width,
        kernel_size=fields.whole("kernel_size", default=7),
        stacks=fields.whole("stacks", default=3, least=0, most=MOST_MODULES),
        stack_kernel_size=fields.whole("stack_kernel_size", default=3),
        slope=slope,
        bias=fields.flag("bias", default=True),
        is_bounded=fields.flag("use_final_nonlinear_activation", default=True),
    )
    chain: list[Link] = melgan_chain(config)
    factors = [(str(scale), scale) for scale in scales]
    fields.note_other_mels(config.in_channels)
    if bands > 1:
        bank = fields.at("pqmf_params")
        taps, beta = bank.whole("taps", default=62), bank.number("beta", default=9.0)
        cutoff = bank.number("cutoff_ratio", default=0.142)
        chain.append(Named("pqmf", PQMF(bands, taps, cutoff, beta)))
        factors.append((f"{bands} bands", bands))
    return Model(
        chain=chain,
        inputs={"mel": config.in_channels},
        factors=factors,
        rate=fields.rate(sample_rate),
    )


def _stylemelgan(fields: Fields, sample_rate: object) -> Model:
    scales = fields.wholes("upsample_scales", default=(2,) * 8 + (1,))
    noise = fields.wholes("noise_upsample_scales", default=(11, 2, 2, 2))
    fields.word("upsample_mode", choices=("nearest",), default="nearest")
    leaky = ("LeakyReLU",)
    fields.word("noise_upsample_activation", choices=leaky, default="LeakyReLU")
    slopes = fields.inside("noise_upsample_activation_params")
    gate = fields.word("gated_function", choices=("softmax", "sigmoid"), default="softmax")
    config = StyleMelganConfig(
        in_channels=fields.whole("in_channels", default=128),
        aux_channels=fields.whole("aux_channels", default=80),
        channels=fields.whole("channels", default=64),
        out_channels=fields.whole("out_channels", default=1),
        kernel_size=fields.whole("kernel_size", default=9),
        dilation=fields.whole("dilation", default=2),
        bias=fields.flag("bias", default=True),
        noise_upsample_scales=noise,
        noise_slope=slopes.number("negative_slope", default=0.2),
        upsample_scales=scales,
        opening=Softmax() if gate == "softmax" else Sigmoid(),
    )
    odd((config.kernel_size,), "kernel_size")
    fields.note_other_mels(config.aux_channels)
    return Model(
        nodes=stylemelgan_nodes(config),
        inputs={"mel": config.aux_channels, "z": config.in_channels},
        factors=[(str(scale), scale) for scale in scales],
        rate=fields.rate(sample_rate),
    )


FAMILIES = (
    Family(
        title="StyleMelGAN",
        types=("stylemelgangenerator",),
        keys=("noise_upsample_scales upsample_scales", "gated_function upsample_scales"),
        read=_stylemelgan,
    ),
    Family(
        title="MelGAN",
        types=("melgangenerator",),
        keys=("upsample_scales stacks", "upsample_scales stack_kernel_size"),
        read=_melgan,
    ),
    Family(
        title="UnivNet",
        types=("univnet", "univnetmodel", "univnetgenerator"),
        keys=(
            "channel_size strides",
            "resblock_stride_sizes kernel_predictor_hidden_channels",
            "kpnet_conv_size",
        ),
        refusal="its kernels are predicted from the mel bands (location-variable convolutions)",
    ),
)
