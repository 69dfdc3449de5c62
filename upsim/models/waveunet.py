"""Wave-U-Net: a U-Net over samples, with linear or learned interpolation.

Stoller, Ewert & Dixon, *Wave-U-Net* (ISMIR 2018, arXiv 1806.03185; f90/Wave-U-Net).  Twelve levels:
down, a convolution of 15 taps to 24 more channels, LeakyReLU(0.2), and every second sample; up, an
interpolation by 2, the skip connection in front of it (concatenated), a convolution of 5 taps and
LeakyReLU.  At the end the input itself is concatenated, and a convolution of one tap with tanh
makes the output.  Nothing pads (the article's "proper input context"), so the ends are cut.
"""

from __future__ import annotations

from upsim.layers import (
    Conv,
    Crop,
    Decimate,
    Layer,
    LeakyReLU,
    LearnedInterpolation,
    Linear,
    Parallel,
    Tanh,
)
from upsim.network.stack import Stack

_RATE = 22050
_STEREO = 2
_DOWN, _UP = 15, 5


def wave_unet() -> Stack:
    """Wave-U-Net M4: stereo at 22.05 kHz, 12 linear interpolations, one of two sources.

    Linear interpolation of ``n`` samples to ``2 n - 1`` (``align_corners`` in TensorFlow), which is
    the textbook triangle; weights as TensorFlow's layers draw them (Glorot), biases zero.  Left
    out: the second source, which is the input minus the first.
    """
    return separator("wave-unet")


def wave_unet_learned() -> Stack:
    """Wave-U-Net M5: as M4, with learned interpolations.

    Each new sample is a weighted mean of its neighbours, one weight a channel, drawn by Glorot's
    rule and pressed into 0 ... 1 by a sigmoid; so at the start all are near linear interpolation.
    """
    return separator("wave-unet-learned", learned=True)


def separator(name: str, *, learned: bool = False, levels: int = 12, step: int = 24) -> Stack:
    """Return a Wave-U-Net.

    Parameters
    ----------
    name : str
    learned : bool
        Whether interpolations are learned.
    levels : int
        Times that the rate is halved and doubled.
    step : int
        Channels of the first level, and those that each further level adds.
    """

    def convolution(before: int, after: int, kernel_size: int) -> list[Layer]:
        return [Conv(before, after, kernel_size, weight="keras"), LeakyReLU(0.2)]

    widths = [step * (level + 1) for level in range(levels + 1)]
    # What the level below gives has `short` samples fewer than twice its input, less one.
    layers: list[Layer] = convolution(widths[-2], widths[-1], _DOWN)
    short = 2 * (_DOWN - 1)
    for level in reversed(range(levels)):
        width, below = widths[level], widths[level + 1]
        interpolation = [LearnedInterpolation(below)] if learned else [Linear(2, "triangle")]
        # The triangle's last sample lies between the last input and a zero.
        ended: list[Layer] = [] if learned else [Crop(0, 1)]
        around = Parallel(
            Crop(short // 2, short // 2),
            (Decimate(2), *layers, *interpolation, *ended),
            merge="concatenate",
        )
        outer = widths[level - 1] if level else _STEREO
        up = convolution(width + below, width, _UP)
        layers = [*convolution(outer, width, _DOWN), around, *up]
        if level:
            short = 2 * (short + _DOWN - 1 + _UP - 1)
    # The input keeps what the outermost level has lost: its two convolutions and its crop.
    lost = short + _DOWN - 1 + _UP - 1
    joined = Parallel(Crop(lost // 2, lost // 2), layers, merge="concatenate")
    last = Conv(_STEREO + step, _STEREO, 1, weight="keras")
    return Stack([joined, last, Tanh()], _RATE, name=name)
