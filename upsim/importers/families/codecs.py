"""Decoders of neural codecs: DAC, SNAC, EnCodec, Mimi, the tokenizer of Qwen3-TTS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import ceil, prod

from upsim.importers.families.family import MOST_MODULES, Family, Model, halved
from upsim.importers.fields import Fields
from upsim.layers import Clamp, Conv, Crop, Opaque, SnakeBeta, TransposedConv
from upsim.models.chain import Link, Named, prefixed
from upsim.models.codecs import (
    DacConfig,
    DacNames,
    SeanetConfig,
    dac_chain,
    encodec_chain,
)
from upsim.models.convnext import convnext_block
from upsim.words.units import positive_rate

_HF_NAMES = DacNames(
    first="conv1",
    stage="block.{stage}",
    inside=("snake1", "conv_t1", "res_unit1", "res_unit2", "res_unit3"),
    unit=("snake1", "conv1", "snake2", "conv2"),
    last=("snake1", "conv2", "tanh"),
)

_QWEN_NAMES = DacNames(
    first="decoder.0",
    stage="decoder.{number}.block",
    unit=("act1", "conv1", "act2", "conv2"),
    last=("decoder.{last}", "decoder.{conv}", "clamp"),
)


def _strides(factors: Sequence[int]) -> list[tuple[str, int]]:
    return [(str(factor), factor) for factor in factors]


def _encoder_rates(fields: Fields, name: str, rates: Sequence[int]) -> tuple[int, ...]:
    """Return the strides of the encoder: given, or those of the decoder turned round."""
    return fields.wholes(name) if fields.has(name) else tuple(rates[::-1])


def _latents(fields: Fields, first: str, last: str, encoder: Sequence[int]) -> int:
    """Return the channels of the latents: given, or the encoder's first, doubled at each stage."""
    if fields.has(last):
        return fields.whole(last)
    return fields.whole(last, default=fields.whole(first, default=64) * 2 ** len(encoder))


def _encoder_frame(rates: Sequence[int]) -> list[tuple[str, Fraction]]:
    words = " × ".join(map(str, rates))
    return [(f"encoder strides {words} =", Fraction(prod(rates)))]


def _dac(fields: Fields, sample_rate: object) -> Model:
    if fields.has("decoder_hidden_size"):
        rates, width = fields.wholes("upsampling_ratios"), fields.whole("decoder_hidden_size")
        encoder = _encoder_rates(fields, "downsampling_ratios", rates)
        names, size = _HF_NAMES, ("encoder_hidden_size", "hidden_size")
    else:
        rates, width = fields.wholes("decoder_rates"), fields.whole("decoder_dim", default=1536)
        encoder = _encoder_rates(fields, "encoder_rates", rates)
        names, size = DacNames(), ("encoder_dim", "latent_dim")
    latents = _latents(fields, *size, encoder)
    halved(width, len(rates), "decoder_dim")
    config = DacConfig(rates=rates, latents=latents, width=width, names=names)
    return Model(
        chain=prefixed(dac_chain(config), "decoder."),
        inputs={"z": latents},
        factors=_strides(rates),
        rate=fields.rate(sample_rate),
        frames=_encoder_frame(encoder),
    )


def _snac(fields: Fields, sample_rate: object) -> Model:
    rates, width = fields.wholes("decoder_rates"), fields.whole("decoder_dim", default=1536)
    halved(width, len(rates), "decoder_dim")
    encoder = _encoder_rates(fields, "encoder_rates", rates)
    latents = _latents(fields, "encoder_dim", "latent_dim", encoder)
    depthwise = fields.flag("depthwise", default=True)
    first: list[Link] = [Named("model.0", Conv(latents, width, 7, padding=3))]
    if depthwise:
        first = [
            Named("model.0", Conv(latents, latents, 7, padding=3, groups=latents)),
            Named("model.1", Conv(latents, width, 1)),
        ]
    if fields.has("attn_window_size"):
        reason = "it is attention within a window"
        first.append(Named(f"model.{len(first)}", Opaque("LocalMHA", width, reason=reason)))
    noisy = fields.flag("noise", default=True)
    if noisy:
        fields.notes.append(
            "noise is off: each NoiseBlock adds noise times a convolution of the signal"
        )
    config = DacConfig(
        rates=rates,
        latents=latents,
        width=width,
        keeps_odd=True,
        is_depthwise=depthwise,
        first=first,
        offset=len(first),
        # Module 2 of a stage is then its NoiseBlock.
        names=DacNames(inside=("0", "1", "3", "4", "5")) if noisy else DacNames(),
    )
    return Model(
        chain=prefixed(dac_chain(config), "decoder."),
        inputs={"z": latents},
        factors=_strides(rates),
        rate=fields.rate(sample_rate),
        frames=_encoder_frame(encoder),
    )


def _seanet(fields: Fields, *, hidden: int, last_kernel_size: int, shortcut: bool) -> SeanetConfig:
    ratios = fields.wholes("upsampling_ratios")
    norms, modes = ("weight_norm", "time_group_norm", "none"), ("reflect", "constant", "replicate")
    padding = fields.word("pad_mode", choices=modes, default="reflect")
    compress = fields.whole("compress", default=2)
    filters = fields.whole("num_filters", default=32)
    halved(filters, compress.bit_length() - 1, "num_filters")
    return SeanetConfig(
        ratios=ratios,
        hidden=hidden,
        filters=filters,
        channels=fields.whole("audio_channels", default=1),
        kernel_size=fields.whole("kernel_size", default=7),
        last_kernel_size=fields.whole("last_kernel_size", default=last_kernel_size),
        residual_kernel_size=fields.whole("residual_kernel_size", default=3),
        dilation_base=fields.whole("dilation_growth_rate", default=2),
        residual_layers=fields.whole("num_residual_layers", default=1, least=0, most=MOST_MODULES),
        compress=compress,
        is_causal=fields.flag("use_causal_conv", default=True),
        trim_right=_share(fields.number("trim_right_ratio", default=1.0)),
        padding_mode="zeros" if padding == "constant" else padding,
        has_shortcut=fields.flag("use_conv_shortcut", default=shortcut),
        has_norm=fields.word("norm_type", choices=norms, default="weight_norm")
        == "time_group_norm",
    )


def _share(ratio: float) -> float:
    return min(max(ratio, 0.0), 1.0)


def _encodec(fields: Fields, sample_rate: object) -> Model:
    hidden = fields.whole("hidden_size", default=128)
    config = _seanet(fields, hidden=hidden, last_kernel_size=7, shortcut=True)
    lstm = fields.whole("num_lstm_layers", default=2, least=0)
    middle: list[Link] = []
    if lstm:
        width = config.filters * 2 ** len(config.ratios)
        middle = [Named("layers.1", Opaque("LSTM", width, reason="it has a state"))]
    return Model(
        chain=prefixed(encodec_chain(replace(config, middle=middle)), "decoder."),
        inputs={"z": hidden},
        factors=_strides(config.ratios),
        rate=fields.rate(sample_rate),
    )


def _audiocraft(fields: Fields, sample_rate: object) -> Model:
    """Return the decoder of AudioCraft's own EnCodec, whose defaults are others."""
    ratios, hidden = fields.wholes("ratios"), fields.whole("dimension", default=128)
    filters = fields.whole("n_filters", default=32)
    modes = ("reflect", "constant", "replicate")
    padding = fields.word("pad_mode", choices=modes, default="reflect")
    width = filters * 2 ** len(ratios)
    reason = "it has a state"
    has_state = fields.whole("lstm", default=0, least=0) > 0
    middle = [Named("model.1", Opaque("LSTM", width, reason=reason))] if has_state else []
    norms = ("weight_norm", "time_group_norm", "none")
    norm = fields.word("norm", choices=norms, default="none")
    config = SeanetConfig(
        ratios=ratios,
        hidden=hidden,
        filters=filters,
        channels=fields.whole("channels", default=1),
        kernel_size=fields.whole("kernel_size", default=7),
        last_kernel_size=fields.whole("last_kernel_size", default=7),
        residual_kernel_size=fields.whole("residual_kernel_size", default=3),
        dilation_base=fields.whole("dilation_base", default=2),
        residual_layers=fields.whole("n_residual_layers", default=3, least=0, most=MOST_MODULES),
        compress=fields.whole("compress", default=2),
        is_causal=fields.flag("causal", default=False),
        padding_mode="zeros" if padding == "constant" else padding,
        has_shortcut=not fields.flag("true_skip", default=True),
        has_norm=norm == "time_group_norm",
        middle=middle,
        modules="model",
        conv="conv.conv",
        up="convtr.convtr",
    )
    fields.word("activation", choices=("ELU",), default="ELU")
    return Model(
        chain=prefixed(encodec_chain(config), "decoder."),
        inputs={"z": hidden},
        factors=_strides(ratios),
        rate=fields.rate(sample_rate),
    )


def _mimi(fields: Fields, sample_rate: object) -> Model:
    hidden = fields.whole("hidden_size", default=512)
    config = _seanet(fields, hidden=hidden, last_kernel_size=3, shortcut=False)
    rate = fields.rate(sample_rate)
    product = prod(config.ratios)
    before = Fraction(ceil(rate / product))  # the frame rate of the convolutions
    frames = before / 2
    if fields.has("frame_rate", "_frame_rate"):
        frames = positive_rate(fields.number("frame_rate", "_frame_rate"), "frame_rate")
    chain: list[Link] = []
    factors = _strides(config.ratios)
    stride = int(before / frames)
    if stride > 1:
        groups = fields.whole("upsample_groups", default=hidden)
        up = TransposedConv(hidden, hidden, 2 * stride, stride, groups=groups, bias=False)
        chain = [Named("upsample.conv", up), Named("upsample.crop", Crop(0, stride))]
        factors = [(str(stride), stride), *factors]
    chain.append(Named("decoder_transformer", Opaque("Transformer", hidden, reason="attention")))
    return Model(
        chain=[*chain, *prefixed(encodec_chain(config), "decoder.")],
        inputs={"z": hidden},
        factors=factors,
        rate=rate,
        frames=[("sampling_rate / frame_rate", rate / frames)],
    )


def _qwen(fields: Fields, sample_rate: object) -> Model:
    rates, ratios = fields.wholes("upsample_rates"), fields.wholes("upsampling_ratios")
    width, latents = fields.whole("decoder_dim"), fields.whole("latent_dim")
    halved(width, len(rates), "decoder_dim")
    codes = fields.whole("codebook_dim")
    fields.notes.append(
        "transposed convolutions are cut on the right; those of earlier versions are cut on both "
        "sides, which shifts the same lines"
    )
    chain: list[Link] = [
        Named("pre_conv.conv", Conv(codes, latents, 3, padding=2)),
        Named("pre_conv.crop", Crop(0, 2)),
        Named("pre_transformer", Opaque("Transformer", latents, reason="attention")),
    ]
    for number, ratio in enumerate(ratios):
        up = TransposedConv(latents, latents, ratio, ratio)
        chain.append(Named(f"upsample.{number}.0.conv", up))
        chain.append(
            convnext_block(f"upsample.{number}.1", latents, 4 * latents, gamma=1e-6, is_causal=True)
        )
    config = DacConfig(
        rates=rates,
        latents=latents,
        width=width,
        is_causal=True,
        activation=SnakeBeta(),
        ending=Clamp(-1.0, 1.0),
        names=_QWEN_NAMES,
    )
    return Model(
        chain=prefixed([*chain, *dac_chain(config)], "decoder."),
        inputs={"codes": codes},
        factors=[*_strides(ratios), *_strides(rates)],
        rate=fields.rate(sample_rate),
    )


_TRANSFORMER_WORDS = (
    "codebook_size codebook_dim num_quantizers n_codebooks quantizer_dropout vq_strides "
    "normalize chunk_length_s overlap target_bandwidths intermediate_size num_hidden_layers "
    "num_attention_heads num_key_value_heads head_dim hidden_act hidden_size "
    "max_position_embeddings "
    "norm_eps rms_norm_eps rope_theta rope_parameters sliding_window attention_dropout "
    "attention_bias layer_scale_initial_scale num_semantic_quantizers use_cache "
    "vector_quantization_hidden_dimension use_streaming n_q_semantic codebook_loss_weight "
    "commitment_loss_weight quantizer_dim layer_types semantic_codebook_size"
)
_TRANSFORMER = _TRANSFORMER_WORDS.split()

FAMILIES = (
    Family(
        title="EnCodec of AudioCraft",
        keys=("ratios n_filters",),
        read=_audiocraft,
        beside=_TRANSFORMER,
    ),
    Family(
        title="Qwen3-TTS tokenizer",
        types=("qwen3_tts_tokenizer_12hz", "qwen3ttstokenizerv2model"),
        keys=("upsample_rates upsampling_ratios decoder_dim",),
        read=_qwen,
        beside=_TRANSFORMER,
    ),
    Family(
        title="SNAC",
        types=("snac",),
        keys=("decoder_rates vq_strides", "decoder_rates depthwise", "decoder_rates noise"),
        read=_snac,
        beside=_TRANSFORMER,
    ),
    Family(
        title="DAC",
        types=("dac", "dacmodel"),
        keys=("decoder_rates", "upsampling_ratios decoder_hidden_size"),
        read=_dac,
        beside=_TRANSFORMER,
    ),
    Family(
        title="Mimi",
        types=("mimi", "mimimodel"),
        keys=("upsampling_ratios num_filters upsample_groups",),
        read=_mimi,
        beside=_TRANSFORMER,
    ),
    Family(
        title="EnCodec",
        types=("encodec", "encodecmodel"),
        keys=("upsampling_ratios num_filters",),
        read=_encodec,
        beside=_TRANSFORMER,
    ),
)
