"""Decoders of neural codecs: EnCodec and DAC."""

from __future__ import annotations

from collections.abc import Sequence

from upsim.layers import ELU, Conv, Crop, Layer, Residual, Snake, Tanh, TransposedConv
from upsim.network.stack import Stack


def encodec_24k() -> Stack:
    """EnCodec at 24 kHz, decoder without its LSTM: 128 latents, causal, ELU.

    Defossez et al., TMLR 2023 (facebookresearch/encodec): reflected padding of ``K - 1`` samples on
    the left, transposed convolutions cut by one stride on the right.  Left out: the two LSTM layers
    after the first convolution.
    """
    return _encodec("encodec-24k", 24000, channels=1, causal=True)


def encodec_48k() -> Stack:
    """EnCodec at 48 kHz, decoder without LSTM and norms: 128 latents, stereo, ELU.

    Padding on both sides; the odd sample of stride 5 is cut on the left.  Left out: the two LSTM
    layers, and the group norm after every convolution, which scales by the whole signal's variance.
    """
    return _encodec("encodec-48k", 48000, channels=2, causal=False)


def _encodec(name: str, rate: int, *, channels: int, causal: bool) -> Stack:
    width = 512

    def convolution(before: int, after: int, kernel_size: int) -> list[Layer]:
        if not causal:
            half = (kernel_size - 1) // 2
            return [Conv(before, after, kernel_size, padding=half, padding_mode="reflect")]
        # Padding on the left only: pad both ends, then drop what the right end made.
        reach = kernel_size - 1
        both = Conv(before, after, kernel_size, padding=reach, padding_mode="reflect")
        return [both, Crop(0, reach)]

    layers = convolution(128, width, 7)
    for stride in (8, 5, 4, 2):
        left = 0 if causal else stride - stride // 2
        layers += [
            ELU(),
            TransposedConv(width, width // 2, 2 * stride, stride),
            Crop(left, stride - left),
        ]
        width //= 2
        layers.append(
            Residual(
                ELU(),
                *convolution(width, width // 2, 3),
                ELU(),
                Conv(width // 2, width, 1),
                skip=Conv(width, width, 1),
            )
        )
    return Stack([*layers, ELU(), *convolution(width, channels, 7)], rate, name=name)


def dac_44k() -> Stack:
    """DAC at 44.1 kHz, whole decoder: 1024 latents, Snake.

    Kumar et al., NeurIPS 2023 (descriptinc/descript-audio-codec, ``conf/final/44khz.yml``).
    """
    return _dac("dac-44k", 44100, (8, 8, 4, 2))


def dac_16k() -> Stack:
    """DAC at 16 kHz, whole decoder: 1024 latents, Snake; stride 5 loses a sample.

    As :func:`dac_44k` (``conf/final/16khz.yml``).
    """
    return _dac("dac-16k", 16000, (8, 5, 4, 2))


def _dac(name: str, rate: int, strides: Sequence[int]) -> Stack:
    width = 1536
    layers: list[Layer] = [Conv(1024, width, 7, padding=3)]
    for stride in strides:
        padding = -(-stride // 2)
        layers += [Snake(), TransposedConv(width, width // 2, 2 * stride, stride, padding)]
        width //= 2
        layers += [
            Residual(
                Snake(),
                Conv(width, width, 7, padding=3 * dilation, dilation=dilation),
                Snake(),
                Conv(width, width, 1),
            )
            for dilation in (1, 3, 9)
        ]
    return Stack([*layers, Snake(), Conv(width, 1, 7, padding=3), Tanh()], rate, name=name)
