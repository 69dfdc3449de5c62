"""Decoders of neural codecs: EnCodec and DAC, and what their relatives vary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from upsim.layers import ELU, Conv, Crop, GroupNorm, Layer, Snake, Tanh, TransposedConv
from upsim.models.chain import Chain, Link, Named, as_stack, residual
from upsim.network.stack import Stack

_SNAKE, _TANH = Snake(), Tanh()


def encodec_24k() -> Stack:
    """EnCodec at 24 kHz, decoder without its LSTM: 128 latents, causal, ELU.

    Defossez et al., TMLR 2023 (facebookresearch/encodec): reflected padding of ``K - 1`` samples on
    the left, transposed convolutions cut by one stride on the right.  Left out: the two LSTM layers
    after the first convolution.
    """
    chain = encodec_chain(SeanetConfig(ratios=(8, 5, 4, 2)))
    return as_stack(chain, 24000, "encodec-24k")


def encodec_48k() -> Stack:
    """EnCodec at 48 kHz, decoder without LSTM and norms: 128 latents, stereo, ELU.

    Padding on both sides; the odd sample of stride 5 is cut on the left.  Left out: the two LSTM
    layers, and the group norm after every convolution, which scales by the whole signal's variance.
    """
    config = SeanetConfig(ratios=(8, 5, 4, 2), channels=2, is_causal=False)
    return as_stack(encodec_chain(config), 48000, "encodec-48k")


@dataclass(frozen=True, kw_only=True)
class SeanetConfig:
    """A SEANet decoder, the convolutional part of EnCodec and Mimi.

    Parameters
    ----------
    ratios : sequence of int
        The strides; kernels are twice as long.
    hidden, filters, channels : int
        Channels of the input, of the last stage, of the output.
    kernel_size, last_kernel_size, residual_kernel_size, dilation_base, residual_layers, compress
        As the configurations have them.
    is_causal : bool
        Whether all padding is on the left.
    trim_right : float
        The share of a transposed convolution's surplus that is cut on the right, if causal.
    padding_mode : str
    has_shortcut : bool
        Whether the skip path of a residual block has a convolution.
    has_norm : bool
        Whether a group norm over all channels follows each convolution.
    middle : chain
        What stands behind the first convolution: an LSTM.
    modules, conv, up : str
        What a source calls its list of modules, and a convolution and a transposed one in them.
    """

    ratios: Sequence[int]
    hidden: int = 128
    filters: int = 32
    channels: int = 1
    kernel_size: int = 7
    last_kernel_size: int = 7
    residual_kernel_size: int = 3
    dilation_base: int = 2
    residual_layers: int = 1
    compress: int = 2
    is_causal: bool = True
    trim_right: float = 1.0
    padding_mode: str = "reflect"
    has_shortcut: bool = True
    has_norm: bool = False
    middle: Chain = ()
    modules: str = "layers"
    conv: str = "conv"
    up: str = "conv"


def encodec_chain(config: SeanetConfig) -> list[Link]:
    """Return the decoder; modules are numbered as in ``transformers``."""
    width = config.filters * 2 ** len(config.ratios)
    layer, modules = 1 + len(config.middle), config.modules
    chain = [
        *_padded(config, f"{modules}.0", config.hidden, width, config.kernel_size),
        *config.middle,
    ]
    for stride in config.ratios:
        chain.append(Named(f"{modules}.{layer}", ELU()))
        chain += _widened(config, f"{modules}.{layer + 1}", width, stride)
        width //= 2
        for number in range(config.residual_layers):
            block = f"{modules}.{layer + 2 + number}"
            chain.append(_seanet_block(config, block, width, config.dilation_base**number))
        layer += 2 + config.residual_layers
    chain.append(Named(f"{modules}.{layer}", ELU()))
    last = _padded(
        config, f"{modules}.{layer + 1}", width, config.channels, config.last_kernel_size
    )
    return [*chain, *last]


def _padded(
    config: SeanetConfig, name: str, before: int, after: int, kernel_size: int, dilation: int = 1
) -> list[Link]:
    """Return a convolution that keeps the length."""
    reach = dilation * (kernel_size - 1)
    mode = config.padding_mode if reach else "zeros"
    conv = f"{name}.{config.conv}"
    made: list[Link]
    if not config.is_causal or reach == 0:
        padding = reach // 2
        layer = Conv(
            before, after, kernel_size, padding=padding, dilation=dilation, padding_mode=mode
        )
        made = [Named(conv, layer)]
    else:
        # Padding on the left only: pad both ends, then drop what the right end made.
        layer = Conv(
            before, after, kernel_size, padding=reach, dilation=dilation, padding_mode=mode
        )
        made = [Named(conv, layer), Named(f"{name}.crop", Crop(0, reach))]
    return [*made, *_norm(config, name, after)]


def _norm(config: SeanetConfig, name: str, channels: int) -> list[Link]:
    return [Named(f"{name}.norm", GroupNorm(1, channels))] if config.has_norm else []


def _widened(config: SeanetConfig, name: str, width: int, stride: int) -> list[Link]:
    """Return a transposed convolution whose surplus of one stride is cut off."""
    right = ceil(stride * config.trim_right) if config.is_causal else stride // 2
    layer = TransposedConv(width, width // 2, 2 * stride, stride)
    return [
        Named(f"{name}.{config.up}", layer),
        *_norm(config, name, width // 2),
        Named(f"{name}.crop", Crop(stride - right, right)),
    ]


def _seanet_block(config: SeanetConfig, name: str, width: int, dilation: int) -> Link:
    inner = width // config.compress
    body = [
        Named(f"{name}.block.0", ELU()),
        *_padded(config, f"{name}.block.1", width, inner, config.residual_kernel_size, dilation),
        Named(f"{name}.block.2", ELU()),
        *_padded(config, f"{name}.block.3", inner, width, 1),
    ]
    skip = _padded(config, f"{name}.shortcut", width, width, 1) if config.has_shortcut else []
    return residual(name, body, skip)


def dac_44k() -> Stack:
    """DAC at 44.1 kHz, whole decoder: 1024 latents, Snake.

    Kumar et al., NeurIPS 2023 (descriptinc/descript-audio-codec, ``conf/final/44khz.yml``).
    """
    return as_stack(dac_chain(DacConfig(rates=(8, 8, 4, 2))), 44100, "dac-44k")


def dac_16k() -> Stack:
    """DAC at 16 kHz, whole decoder: 1024 latents, Snake; stride 5 loses a sample.

    As :func:`dac_44k` (``conf/final/16khz.yml``).
    """
    return as_stack(dac_chain(DacConfig(rates=(8, 5, 4, 2))), 16000, "dac-16k")


@dataclass(frozen=True)
class DacNames:
    """What a source calls the modules of a DAC decoder.

    Each stage has ``inside``: its activation, its transposed convolution, its three residual units;
    each unit has ``unit``: two activations and two convolutions in turns.
    """

    first: str = "model.0"
    stage: str = "model.{number}.block"
    inside: Sequence[str] = ("0", "1", "2", "3", "4")
    unit: Sequence[str] = ("block.0", "block.1", "block.2", "block.3")
    last: Sequence[str] = ("model.{last}", "model.{conv}", "model.{tanh}")


@dataclass(frozen=True, kw_only=True)
class DacConfig:
    """A decoder of the kind of DAC.

    Parameters
    ----------
    rates : sequence of int
        The strides; kernels are twice as long.
    latents, width, channels : int
        Channels of the input, of the first stage, of the output.
    is_causal : bool
        Whether convolutions are padded on the left and transposed ones cut on the right.
    keeps_odd : bool
        Whether odd strides get ``output_padding`` 1, so that no sample is lost.
    is_depthwise : bool
        Whether the long convolutions of a residual unit have a filter a channel.
    first : chain
        The first convolution, if it is not one of 7 taps.
    activation : Layer
    ending : chain
        What stands behind the last convolution.
    names : DacNames
    offset : int
        The number of the first stage.
    """

    rates: Sequence[int]
    latents: int = 1024
    width: int = 1536
    channels: int = 1
    is_causal: bool = False
    keeps_odd: bool = False
    is_depthwise: bool = False
    first: Chain = ()
    activation: Layer = _SNAKE
    ending: Layer = _TANH
    names: DacNames = DacNames()
    offset: int = 1


def dac_chain(config: DacConfig) -> list[Link]:
    """Return the decoder under its modules' names."""
    names, width = config.names, config.width
    end = config.offset + len(config.rates)
    counted = {"last": end, "conv": end + 1, "tanh": end + 2}
    last = [each.format(**counted) for each in names.last]
    chain: list[Link] = list(
        config.first or _convolution(config, names.first, config.latents, width, 7)
    )
    channels = width
    for number, stride in enumerate(config.rates):
        before, channels = channels, width // 2 ** (number + 1)
        stage = names.stage.format(number=number + config.offset, stage=number)
        activation, up, *units = [f"{stage}.{each}" for each in names.inside]
        chain.append(Named(activation, config.activation))
        chain += _transposed(config, up, before, channels, stride)
        chain += [
            _dac_unit(config, unit, channels, dilation)
            for unit, dilation in zip(units, (1, 3, 9), strict=True)
        ]
    chain.append(Named(last[0], config.activation))
    chain += _convolution(config, last[1], channels, config.channels, 7)
    return [*chain, Named(last[2], config.ending)]


def _transposed(config: DacConfig, name: str, before: int, after: int, stride: int) -> list[Link]:
    kernel_size = 2 * stride
    if config.is_causal:
        layer = TransposedConv(before, after, kernel_size, stride)
        return [Named(f"{name}.conv", layer), Named(f"{name}.crop", Crop(0, stride))]
    padding = -(-stride // 2)
    extra = stride % 2 if config.keeps_odd else 0
    return [Named(name, TransposedConv(before, after, kernel_size, stride, padding, extra))]


def _convolution(
    config: DacConfig,
    name: str,
    before: int,
    after: int,
    kernel_size: int,
    dilation: int = 1,
    groups: int = 1,
) -> list[Link]:
    """Return a convolution that keeps the length."""
    reach = dilation * (kernel_size - 1)
    padding = reach if config.is_causal else reach // 2
    layer = Conv(before, after, kernel_size, padding=padding, dilation=dilation, groups=groups)
    if not config.is_causal:
        return [Named(name, layer)]
    crop = [Named(f"{name}.crop", Crop(0, reach))] if reach else []
    return [Named(f"{name}.conv", layer), *crop]


def _dac_unit(config: DacConfig, name: str, width: int, dilation: int) -> Link:
    before, first, between, second = [f"{name}.{each}" for each in config.names.unit]
    groups = width if config.is_depthwise else 1
    body = [
        Named(before, config.activation),
        *_convolution(config, first, width, width, 7, dilation, groups),
        Named(between, config.activation),
        *_convolution(config, second, width, width, 1),
    ]
    return residual(name, body)
