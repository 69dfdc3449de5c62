"""HiFi-GAN and its relatives: VITS, RVC, BigVGAN, the head of Firefly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from upsim.errors import ArgumentError, NotPredictableError
from upsim.importers.families.family import (
    Family,
    Model,
    doubled,
    equally_long,
    halved,
    no_shorter,
    odd,
)
from upsim.importers.fields import Fields
from upsim.layers import Conv, Layer, LeakyReLU, SiLU, Snake, SnakeBeta, Tanh
from upsim.models.bigvgan_generator import NAMES as BIGVGAN_NAMES
from upsim.models.bigvgan_generator import AntiAliased
from upsim.models.chain import Chain, Link, Named, prefixed
from upsim.models.hifigan import (
    Activations,
    GeneratorConfig,
    Leaky,
    ModuleNames,
    generator_chain,
)
from upsim.words.arguments import shown, whole_number

_SLOPE = 0.1

_KERNELS, _DILATIONS = (3, 7, 11), ((1, 3, 5),) * 3

#: Channels in front of the first stage, of HiFi-GAN V1 and most of its relatives.
_WIDTH = 512

#: What strides, kernels and channels of generators of this kind are called; one is a public file's
#: slip.
STRIDES = ("upsample_rates", "upsample_factors", "upsample_scales")
KERNELS = ("upsample_kernel_sizes", "decoder_kernel_sizes", "upsample_kernal_sizes")


WIDTHS = ("upsample_initial_channel", "base_channels", "channels")


def kernels_of(fields: Fields, strides: Sequence[int]) -> tuple[int, ...]:
    """Return the kernels of the upsampling: given, or else twice the strides."""
    if fields.has(*KERNELS):
        return fields.wholes(*KERNELS)
    fields.notes.append("kernels of the upsampling are not given: twice the strides")
    return doubled(strides)


def generator_config(
    fields: Fields,
    sample_rate: object,
    *,
    channels: int | None = None,
    usual: int | None = None,
    resblock: str | None = None,
) -> GeneratorConfig:
    """Return what all generators of this kind have in common.

    ``channels`` are those of the input, where the family has another word for them; ``usual`` is
    the sample rate of a family whose configurations do not have it; ``resblock`` is the kind of
    residual block of a family that has one kind.
    """
    strides = fields.wholes(*STRIDES)
    kernels = kernels_of(fields, strides)
    equally_long(strides, kernels, "upsample_rates and upsample_kernel_sizes")
    no_shorter(kernels, strides, "upsample_kernel_sizes")
    width = fields.whole(*WIDTHS, default=_WIDTH)
    halved(width, len(strides), "upsample_initial_channel")
    block_kernels = fields.wholes("resblock_kernel_sizes", default=_KERNELS)
    dilations = fields.lists("resblock_dilation_sizes", "resblock_dilations", default=_DILATIONS)
    equally_long(block_kernels, dilations, "resblock_kernel_sizes and resblock_dilation_sizes")
    odd(block_kernels, "resblock_kernel_sizes")
    if channels is None:
        channels = _mels(fields)
    return GeneratorConfig(
        sampling_rate=fields.rate(sample_rate, usual),
        num_mels=channels,
        upsample_rates=strides,
        upsample_kernel_sizes=kernels,
        upsample_initial_channel=width,
        resblock=resblock
        or fields.word("resblock", "resblock_type", choices=("1", "2"), default="1"),
        resblock_kernel_sizes=block_kernels,
        resblock_dilation_sizes=dilations,
    )


def _mels(fields: Fields) -> int:
    """Return the channels of the input: at home, or the mel bands of the features beside."""
    if fields.has("num_mels", "in_channels", "model_in_dim"):
        channels = fields.whole("num_mels", "in_channels", "model_in_dim")
        fields.note_other_mels(channels)
        return channels
    bands = fields.mel_bands()
    if bands is None:
        fields.notes.append("the channels of the input are not given: 80 mel bands")
    return 80 if bands is None else whole_number(bands.value, bands.path)


def model_of(
    config: GeneratorConfig, reads: str, *, prefix: str = "", source: int = 0, hop: int = 1
) -> Model:
    """Return the model of a generator; ``source`` counts the channels of its second input."""
    factors = [(str(stride), stride) for stride in config.upsample_rates]
    factors += [(f"iSTFT hop {hop}", hop)] if hop > 1 else []
    inputs = {reads: config.num_mels} | ({"source": source} if source else {})
    return Model(
        chain=prefixed(generator_chain(config), prefix),
        inputs=inputs,
        factors=factors,
        rate=config.sampling_rate,  # type: ignore[arg-type]
    )


def _hifigan(fields: Fields, sample_rate: object) -> Model:
    config = generator_config(fields, sample_rate)
    leaky_only(fields)
    slope = _SLOPE
    if fields.has("leaky_relu_slope") or fields.has("model_in_dim"):
        slope = fields.number("leaky_relu_slope", default=_SLOPE)
    names = ModuleNames()
    if fields.has("model_in_dim"):
        names = ModuleNames(up="upsampler.{stage}")
        if fields.flag("normalize_before", default=True):
            fields.notes.append("the normalisation of the mel bands before conv_pre is left out")
    return model_of(replace(config, activations=Leaky(slope), names=names), "mel")


def leaky_only(fields: Fields) -> None:
    """Refuse another activation than HiFi-GAN's own."""
    if fields.has("activation"):
        value = next(each for each in fields.anywhere(("activation",))).value
        if str(value).lower().replace("_", "") not in ("leakyrelu", "lrelu"):
            raise ArgumentError(
                "the generator has another activation than HiFi-GAN",
                given=f"activation={shown(value)}",
                expected="activation='leaky_relu', or none",
                fix='for a BigVGAN add "snake_logscale": true or "model_type": "bigvgan"',
            )


class _Sequential(Leaky):
    """ParallelWaveGAN's: each activation stands before its convolution in a sequence of modules."""

    def before_up(self, conv: str, channels: int) -> Chain:
        """Return the activation."""
        return [Named(_first_of(conv), LeakyReLU(self.slope))]

    def before_post(self, conv: str, channels: int) -> Chain:
        """Return the activation."""
        return [Named(_first_of(conv), LeakyReLU(self.last))]


def _first_of(conv: str) -> str:
    """Return the name of the first module of a sequence by that of its second."""
    return f"{conv.rpartition('.')[0]}.0"


_SEQUENCES = ModuleNames(
    pre="input_conv",
    up="upsamples.{stage}.1",
    block="blocks.{flat}",
    conv="{block}.{list}.{step}.1",
    post="output_conv.1",
)


def _parallel_wavegan(fields: Fields, sample_rate: object) -> Model:
    fields.word("nonlinear_activation", choices=("LeakyReLU",), default="LeakyReLU")
    slope = fields.inside("nonlinear_activation_params").number("negative_slope", default=0.1)
    if not fields.flag("bias", default=True):
        raise NotPredictableError(
            "this generator is not read without biases", given="bias=false", expected="bias=true"
        )
    paired = fields.flag("use_additional_convs", default=True)
    config = generator_config(fields, sample_rate, resblock="1" if paired else "2")
    for number, (stride, taps) in enumerate(
        zip(config.upsample_rates, config.upsample_kernel_sizes, strict=True)
    ):
        if taps != 2 * stride:
            raise ArgumentError(
                "the kernels of this generator are twice the strides",
                given=f"upsample_kernel_sizes[{number}]={taps}, stride {stride}",
                expected=str(2 * stride),
            )
    kernel_size = fields.whole("kernel_size", default=7)
    names = _SEQUENCES if paired else replace(_SEQUENCES, conv="{block}.convs1.{step}.1")
    config = replace(
        config,
        keeps_odd=True,
        pre_conv_kernel_size=kernel_size,
        post_conv_kernel_size=kernel_size,
        out_channels=fields.whole("out_channels", default=1),
        activations=_Sequential(slope),
        names=names,
        ending=(Named("output_conv.2", Tanh()),),
    )
    return model_of(config, "mel")


def _vits(fields: Fields, sample_rate: object) -> Model:
    latents = fields.whole("inter_channels", "flow_size")
    config = generator_config(fields, sample_rate, channels=latents)
    _without_speaker(fields)
    if fields.has("flow_size"):
        slope = fields.number("leaky_relu_slope", default=0.1)
        names = ModuleNames(up="upsampler.{stage}")
        config = replace(config, activations=Leaky(slope), names=names, bias_at_final=False)
        return model_of(config, "z", prefix="decoder.")
    return model_of(replace(config, bias_at_final=False), "z", prefix="dec.")


def _rvc(fields: Fields, sample_rate: object) -> Model:
    latents = fields.whole("inter_channels")
    config = generator_config(fields, sample_rate, channels=latents)
    _without_speaker(fields)
    fields.notes.append(
        "source is the harmonic source behind its tanh (m_source); a model without pitch has no "
        "such branch"
    )
    strides = config.upsample_rates

    def source(stage: int, channels: int) -> Chain:
        down = prod(strides[stage + 1 :])
        kernel_size, padding = (2 * down, down // 2) if stage + 1 < len(strides) else (1, 0)
        layer = Conv(1, channels, kernel_size, down, padding)
        return [Named(f"noise_convs.{stage}", layer)]

    config = replace(config, bias_at_final=False, source=source)
    return model_of(config, "z", prefix="dec.", source=1)


def _without_speaker(fields: Fields) -> None:
    if fields.has("gin_channels", "speaker_embedding_size") and fields.whole(
        "gin_channels", "speaker_embedding_size", least=0
    ):
        fields.notes.append(
            "the speaker condition is left out: it adds one constant a channel behind conv_pre"
        )


def _bigvgan(fields: Fields, sample_rate: object) -> Model:
    kind = fields.word("activation", choices=("snake", "snakebeta"), default="snakebeta")
    if fields.has("snake_logscale"):
        fields.flag("snake_logscale", default=True)  # either way alpha and beta start at 1
    activation: Layer = Snake() if kind == "snake" else SnakeBeta()
    ending: list[Link] = [Named("tanh", Tanh())]
    if not fields.flag("use_tanh_at_final", default=True):
        from upsim.layers import Clamp

        ending = [Named("clamp", Clamp(-1.0, 1.0))]
    config = replace(
        generator_config(fields, sample_rate),
        activations=AntiAliased(activation),
        names=BIGVGAN_NAMES,
        bias_at_final=fields.flag("use_bias_at_final", default=True),
        ending=ending,
    )
    return model_of(config, "mel")


class _Smooth:
    """Firefly's: SiLU everywhere."""

    def before_up(self, conv: str, channels: int) -> Chain:
        """Return the activation."""
        return [Named(f"{conv}.activation", SiLU())]

    def in_block(self, conv: str, block: str, number: int, channels: int) -> Chain:
        """Return the activation."""
        return self.before_up(conv, channels)

    def before_post(self, conv: str, channels: int) -> Chain:
        """Return the activation."""
        return [Named("activation_post", SiLU())]


_SMOOTH: Activations = _Smooth()

_FIREFLY_NAMES = ModuleNames(block="resblocks.{stage}.blocks.{kernel}", mean="resblocks.{stage}")


def _firefly(fields: Fields, sample_rate: object) -> Model:
    if fields.flag("use_template", default=False):
        fields.notes.append("use_template: the branch of the template (noise_convs) is left out")
    fields.notes.append(
        "convolutions are padded on both sides; those of later versions are causal, which delays "
        "the same lines"
    )
    config = replace(
        generator_config(fields, sample_rate, resblock="1"),
        pre_conv_kernel_size=fields.whole("pre_conv_kernel_size", default=7),
        post_conv_kernel_size=fields.whole("post_conv_kernel_size", default=7),
        activations=_SMOOTH,
        names=_FIREFLY_NAMES,
    )
    return model_of(config, "features", prefix="head." if fields.home.endswith("head") else "")


_TEXT_WORDS = (
    "hidden_channels filter_channels n_heads n_layers n_layers_q kernel_size spk_embed_dim "
    "use_spectral_norm gin_channels ssl_dim use_sdp segment_size hidden_size num_hidden_layers "
    "num_attention_heads window_size use_bias ffn_dim ffn_kernel_size layerdrop hidden_act "
    "hidden_dropout attention_dropout activation_dropout layer_norm_eps vocab_size "
    "use_stochastic_duration_prediction num_speakers speaker_embedding_size spectrogram_bins "
    "noise_scale noise_scale_duration speaking_rate wavenet_kernel_size wavenet_dilation_rate "
    "wavenet_dropout posterior_encoder_num_wavenet_layers prior_encoder_num_flows "
    "prior_encoder_num_wavenet_layers depth_separable_channels depth_separable_num_layers "
    "duration_predictor_flow_bins duration_predictor_tail_bound duration_predictor_kernel_size "
    "duration_predictor_dropout duration_predictor_num_flows duration_predictor_filter_channels"
)
_TEXT = _TEXT_WORDS.split()

FAMILIES = (
    Family(
        title="RVC",
        keys=("upsample_rates inter_channels spk_embed_dim",),
        read=_rvc,
        beside=_TEXT,
    ),
    Family(
        title="VITS",
        types=("vits", "vitsmodel"),
        keys=("upsample_rates inter_channels", "upsample_rates flow_size"),
        read=_vits,
        beside=_TEXT,
    ),
    Family(
        title="BigVGAN",
        types=("bigvgan",),
        keys=("upsample_rates upsample_kernel_sizes snake_logscale",),
        keys_if_told=("upsample_rates upsample_kernel_sizes",),
        read=_bigvgan,
    ),
    Family(
        title="Firefly",
        types=("fireflyarchitecture", "hifigangenerator"),
        keys=("upsample_rates upsample_kernel_sizes pre_conv_kernel_size",),
        read=_firefly,
    ),
    Family(
        title="HiFi-GAN of ParallelWaveGAN",
        types=("hifigangenerator",),
        keys=("upsample_scales resblock_kernel_sizes",),
        keys_if_told=("upsample_scales",),
        read=_parallel_wavegan,
        beside=("use_weight_norm", "global_channels"),
    ),
    Family(
        title="HiFi-GAN",
        types=("hifigan", "speecht5hifigan", "hifigangenerator"),
        keys=(
            *(f"{each} upsample_initial_channel" for each in STRIDES),
            *(f"{each} upsample_kernel_sizes" for each in STRIDES),
        ),
        read=_hifigan,
    ),
)
