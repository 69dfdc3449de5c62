"""Demucs, and what Pons et al. make of it: other upsamplers, no first ReLU, no biases.

Sources: Defossez, Usunier, Bottou & Bach, *Music source separation in the waveform domain* (arXiv
1911.13254) and their first public version (facebookresearch/demucs, November 2019), which fix the
blocks, their lengths and the rescaling; Pons, Pascual, Cengarle & Serra (arXiv 2010.14356, section
6), which fix 100 ... 3200 channels and name the other upsamplers.

A block down is a convolution (8, stride 4), ReLU, a convolution of one tap to twice the channels,
GLU; a block up is a convolution of three taps to twice the channels, GLU, the upsampler, and ReLU
but not at the last.  What a block down makes is added, cut to the same length, to what the block up
of its level gets.  No convolution pads, so the output is shorter than the input.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from upsim.layers import (
    GLU,
    Conv,
    Crop,
    Layer,
    Linear,
    Nearest,
    ReLU,
    Residual,
    SubpixelConv,
    TransposedConv,
)
from upsim.network.stack import Stack
from upsim.words.arguments import one_of, whole_number

_RATE = 44100
_WIDTHS = (100, 200, 400, 800, 1600, 3200)
_STEREO, _SOURCES = 2, 4
_KERNEL, _STRIDE = 8, 4

#: What may stand in the place of the transposed convolution.
UPSAMPLINGS = ("transposed", "nearest", "linear", "subpixel")


def demucs() -> Stack:
    """Demucs at 44.1 kHz with transposed convolutions, figure 1 (b), without its LSTM.

    Stereo in, four stereo sources out.  Left out: the two LSTM layers and the linear layer between
    encoder and decoder (:func:`lstm_parameters`); they are one branch of a sum, and the other, the
    innermost skip connection, is what the decoder gets here.
    """
    return separator("demucs")


def demucs_nearest() -> Stack:
    """Demucs with nearest neighbour and convolutions, figure 1 (c), without its LSTM.

    As :func:`demucs`.  The article does not give the convolution after the interpolation: here it
    has 8 taps as the transposed one, and keeps the length.
    """
    return separator("demucs-nearest", upsampling="nearest")


def demucs_linear() -> Stack:
    """Demucs with linear interpolation and convolutions, table 1, without its LSTM.

    As :func:`demucs_nearest`, with torch's default interpolation.
    """
    return separator("demucs-linear", upsampling="linear")


def demucs_subpixel() -> Stack:
    """Demucs with subpixel convolutions, figure 1 (d), without its LSTM.

    As :func:`demucs`.  The article does not give the length of the subpixel convolutions: here they
    have 3 taps as in its figure 7, padded by one.
    """
    return separator("demucs-subpixel", upsampling="subpixel")


def demucs_modified() -> Stack:
    """Demucs without the ReLU of the first layer and without biases, figure 9 (a).

    "The first layer" is read as the first convolution of the encoder: the last block of the decoder
    gets what is made of it by the outermost skip connection.  The article has a footnote there and
    a notebook, neither of which we have seen; of the ReLUs, this is the one whose removal makes the
    tones as weak as the figure shows them.
    """
    return separator("demucs-modified", first_relu=False, bias=False)


def demucs_subpixel_modified() -> Stack:
    """Demucs with subpixel convolutions, without first ReLU and biases, figure 9 (b).

    As :func:`demucs_modified` and :func:`demucs_subpixel`.
    """
    return separator(
        "demucs-subpixel-modified", upsampling="subpixel", first_relu=False, bias=False
    )


def demucs_ladder() -> Stack:
    """Demucs' upsampling ladder alone: six transposed convolutions (8, 4), ReLU.

    The layers of :func:`demucs` that raise the rate, one after another, with PyTorch's default
    weights.  No ReLU after the last layer.
    """
    layers: list[Layer] = []
    for before, after in pairwise((*reversed(_WIDTHS), _STEREO * _SOURCES)):
        layers += [TransposedConv(before, after, _KERNEL, _STRIDE), ReLU()]
    return Stack(layers[:-1], _RATE, name="demucs-ladder")


def separator(
    name: str,
    *,
    upsampling: str = "transposed",
    first_relu: bool = True,
    bias: bool = True,
    context: int = 3,
    widths: Sequence[int] = _WIDTHS,
) -> Stack:
    """Return a Demucs-like separator.

    Parameters
    ----------
    name : str
    upsampling : str
        One of ``UPSAMPLINGS``.
    first_relu : bool
        Whether the encoder's first convolution has its ReLU.
    bias : bool
        Whether the convolutions have biases.
    context : int
        Odd length of the convolution at the start of each block up.
    widths : sequence of int
        Channels of the levels, from the outermost in.
    """
    one_of(upsampling, "upsampling", UPSAMPLINGS)
    context = whole_number(context, "context")

    def convolution(before: int, after: int, kernel_size: int, stride: int = 1) -> Layer:
        return Conv(before, after, kernel_size, stride, bias=bias, weight="rescaled")

    # How many samples a level's block up is short of what its block down made, from inside out:
    # a level of m samples was made of 4 m + 4 (8 taps, stride 4, no padding).
    grown = _STRIDE if upsampling == "transposed" else 0
    layers: list[Layer] = []
    short = 0
    for level in reversed(range(len(widths))):
        width, outer = widths[level], widths[level - 1] if level else _STEREO
        down = [convolution(outer, width, _KERNEL, _STRIDE)]
        down += [ReLU()] if level or first_relu else []
        down += [convolution(width, 2 * width, 1), GLU()]
        if layers:
            layers = [Residual(*layers, skip=Crop(short // 2, short // 2))]
        up = [convolution(width, 2 * width, context), GLU()]
        up += _upsampler(upsampling, width, outer if level else _STEREO * _SOURCES, bias=bias)
        up += [ReLU()] if level else []
        layers = [*down, *layers, *up]
        short = _STRIDE * (short + context - 1) + _STRIDE - grown
    return Stack(layers, _RATE, name=name)


def _upsampler(kind: str, before: int, after: int, *, bias: bool) -> list[Layer]:
    if kind == "transposed":
        return [TransposedConv(before, after, _KERNEL, _STRIDE, bias=bias, weight="rescaled")]
    if kind == "subpixel":
        return [
            SubpixelConv(before, after, 3, _STRIDE, padding=1, bias=bias, weight="rescaled"),
        ]
    interpolation = Nearest(_STRIDE) if kind == "nearest" else Linear(_STRIDE)
    filtering = Conv(before, after, _KERNEL, padding="same", bias=bias, weight="rescaled")
    return [interpolation, filtering]


def lstm_parameters(width: int = _WIDTHS[-1]) -> int:
    """Return the parameters of what is left out: two LSTM layers and a linear layer.

    Both layers are bidirectional with ``width`` units a direction.  A direction of an LSTM has four
    gates, each with weights for its inputs and its own units, and two biases as torch has them; the
    second layer sees both directions of the first, and the linear layer brings them back to
    ``width``.

    Examples
    --------
    >>> lstm_parameters()
    430185600
    """
    first = 2 * 4 * width * (width + width + 2)
    second = 2 * 4 * width * (2 * width + width + 2)
    return first + second + (2 * width + 1) * width
