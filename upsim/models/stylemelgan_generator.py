r"""StyleMelGAN: noise that the mel bands shape, layer by layer, as both are upsampled.

Mustafa, Pia & Fuchs, ICASSP 2021.  Two values go through the blocks side by side, the signal and
the condition.  TADE is an instance norm whose gains and offsets, one a sample, are made of the
condition:

.. math:: y = \gamma(c)\, U\, \mathrm{norm}(x) + \beta(c)

with U the upsampling by nearest neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from upsim.layers import (
    Activation,
    Add,
    Conv,
    Gate,
    InstanceNorm,
    Layer,
    LeakyReLU,
    Multiply,
    Nearest,
    Select,
    Softmax,
    Tanh,
    TransposedConv,
)

Node = tuple[str, Layer, tuple[str, ...]]

_SOFTMAX = Softmax()


@dataclass(frozen=True, kw_only=True)
class StyleMelganConfig:
    """The fields of a StyleMelGAN configuration, by their own names.

    ``opening`` is the gated function, softmax or sigmoid; it stands beside a tanh.
    """

    in_channels: int = 128
    aux_channels: int = 80
    channels: int = 64
    out_channels: int = 1
    kernel_size: int = 9
    dilation: int = 2
    bias: bool = True
    noise_upsample_scales: Sequence[int] = (11, 2, 2, 2)
    noise_slope: float = 0.2
    upsample_scales: Sequence[int] = (2, 2, 2, 2, 2, 2, 2, 2, 1)
    opening: Activation = _SOFTMAX


def stylemelgan_nodes(config: StyleMelganConfig) -> list[Node]:
    """Return the nodes from the inputs "mel" and "z" to the output."""
    nodes: list[Node] = []

    def add(name: str, layer: Layer, *reads: str) -> str:
        nodes.append((name, layer, reads))
        return name

    def conv(name: str, before: int, after: int, read: str, dilation: int = 1) -> str:
        padding = dilation * (config.kernel_size - 1) // 2
        layer = Conv(
            before,
            after,
            config.kernel_size,
            padding=padding,
            dilation=dilation,
            bias=config.bias,
        )
        return add(name, layer, read)

    def wider(name: str, factor: int, read: str) -> str:
        return add(name, Nearest(factor), read) if factor > 1 else read

    width = config.channels

    def tade(name: str, value: str, condition: str, given: int, factor: int) -> tuple[str, str]:
        """Return the shaped signal and the condition for what follows."""
        normed = add(f"{name}.norm", InstanceNorm(width), value)
        condition = wider(f"{name}.upsample.condition", factor, condition)
        condition = conv(f"{name}.aux_conv.0", given, width, condition)
        both = conv(f"{name}.gated_conv.0", width, 2 * width, condition)
        gain = add(f"{name}.gain", Select(range(width)), both)
        offset = add(f"{name}.offset", Select(range(width, 2 * width)), both)
        spread = wider(f"{name}.upsample", factor, normed)
        shaped = add(f"{name}.product", Multiply(), gain, spread)
        return add(name, Add(), shaped, offset), condition

    def gated(name: str, value: str, dilation: int) -> str:
        both = conv(name, width, 2 * width, value, dilation)
        return add(f"{name}.gate", Gate(config.opening, Tanh()), both)

    value, before = "z", config.in_channels
    for number, scale in enumerate(config.noise_upsample_scales):
        odd = scale % 2
        up = TransposedConv(
            before, width, 2 * scale, scale, scale // 2 + odd, odd, bias=config.bias
        )
        value = add(f"noise_upsample.{2 * number}", up, value)
        activation = LeakyReLU(config.noise_slope)
        value = add(f"noise_upsample.{2 * number + 1}", activation, value)
        before = width
    condition, given = "mel", config.aux_channels
    for number, scale in enumerate(config.upsample_scales):
        block = f"blocks.{number}"
        shaped, condition = tade(f"{block}.tade1", value, condition, given, 1)
        shaped = gated(f"{block}.gated_conv1", shaped, 1)
        shaped, condition = tade(f"{block}.tade2", shaped, condition, width, scale)
        shaped = gated(f"{block}.gated_conv2", shaped, config.dilation)
        value = add(block, Add(), wider(f"{block}.upsample", scale, value), shaped)
        given = width
    value = conv("output_conv.0", width, config.out_channels, value)
    add("output_conv.1", Tanh(), value)
    return nodes
