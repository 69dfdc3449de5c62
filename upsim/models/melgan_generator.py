"""MelGAN and what its relatives vary: transposed convolutions, then residual stacks.

Kumar et al., NeurIPS 2019; Yang et al., *Multi-band MelGAN*, SLT 2021.  Kernels are twice the
strides; edges are reflected.  Modules are numbered in one sequence, in which a padding has a number
of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from upsim.layers import Conv, LeakyReLU, Tanh, TransposedConv
from upsim.models.chain import Chain, Link, Named, as_stack, residual
from upsim.network.stack import Stack


@dataclass(frozen=True, kw_only=True)
class MelganConfig:
    """A MelGAN generator, in the words of its configurations.

    Parameters
    ----------
    upsample_scales : sequence of int
        The strides.
    in_channels, out_channels, channels, kernel_size
        Mel bands, sub-bands, channels of the first stage, taps of the first and last convolution.
    stacks : int
        Residual stacks a stage, dilated by powers of ``stack_kernel_size``.
    stack_kernel_size : int
    slope : float
        Of the LeakyReLU.
    bias : bool
    prefix : str
        The name of the sequence of modules.
    ending : chain
        What stands behind the last convolution.
    """

    upsample_scales: Sequence[int]
    in_channels: int = 80
    out_channels: int = 1
    channels: int = 512
    kernel_size: int = 7
    stacks: int = 3
    stack_kernel_size: int = 3
    slope: float = 0.2
    bias: bool = True
    is_bounded: bool = True
    prefix: str = "melgan"


def melgan() -> Stack:
    """MelGAN: 80 mel bands to 22.05 kHz, 4.26 M parameters.

    Complete (Kumar et al., NeurIPS 2019, appendix A; descriptinc/melgan-neurips): strides 8, 8, 2,
    2 with kernels of twice the stride, after each three residual blocks of dilation 1, 3, 9 with
    reflected edges and a convolution of one tap on the skip path.
    """
    return as_stack(melgan_chain(MelganConfig(upsample_scales=(8, 8, 2, 2))), 22050, "melgan")


def melgan_chain(config: MelganConfig) -> list[Link]:
    """Return the generator under its modules' names."""
    width, prefix = config.channels, config.prefix
    chain: list[Link] = [
        Named(f"{prefix}.1", _reflected(config, config.in_channels, width, config.kernel_size))
    ]
    module = 2  # number 0 is a padding
    channels = width
    for stage, stride in enumerate(config.upsample_scales):
        before, channels = channels, width // 2 ** (stage + 1)
        odd = stride % 2
        up = TransposedConv(
            before, channels, 2 * stride, stride, stride // 2 + odd, odd, bias=config.bias
        )
        chain += [
            Named(f"{prefix}.{module}", LeakyReLU(config.slope)),
            Named(f"{prefix}.{module + 1}", up),
        ]
        for number in range(config.stacks):
            block = f"{prefix}.{module + 2 + number}"
            chain.append(_stack_of(config, block, channels, config.stack_kernel_size**number))
        module += 2 + config.stacks
    last = _reflected(config, channels, config.out_channels, config.kernel_size)
    chain += [
        Named(f"{prefix}.{module}", LeakyReLU(config.slope)),
        Named(f"{prefix}.{module + 2}", last),
    ]
    return [*chain, *([Named(f"{prefix}.{module + 3}", Tanh())] if config.is_bounded else [])]


def _reflected(
    config: MelganConfig, before: int, after: int, kernel_size: int, dilation: int = 1
) -> Conv:
    return Conv(
        before,
        after,
        kernel_size,
        padding=dilation * (kernel_size - 1) // 2,
        dilation=dilation,
        bias=config.bias,
        padding_mode="reflect",
    )


def _stack_of(config: MelganConfig, name: str, channels: int, dilation: int) -> Link:
    """Return a residual stack with a convolution of one tap on the skip path."""
    kernel_size = config.stack_kernel_size
    body: Chain = [
        Named(f"{name}.stack.0", LeakyReLU(config.slope)),
        Named(f"{name}.stack.2", _reflected(config, channels, channels, kernel_size, dilation)),
        Named(f"{name}.stack.3", LeakyReLU(config.slope)),
        Named(f"{name}.stack.4", Conv(channels, channels, 1, bias=config.bias)),
    ]
    skip = Named(f"{name}.skip_layer", Conv(channels, channels, 1, bias=config.bias))
    return residual(name, body, [skip])
