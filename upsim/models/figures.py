"""The settings of the figures of Pons, Pascual, Cengarle & Serra (ICASSP 2021).

*Upsampling artifacts in neural audio synthesis*, arXiv 2010.14356.  Kernels, strides,
initialisation and the 4 kHz input of figures 6 to 8 are in the article; paddings, biases and
torch's kind of interpolation are in the authors' public notebooks.  Figures 2 to 5 are drawn over
samples and have no sample rate: they are given the 4 kHz input of the others.
"""

from __future__ import annotations

from upsim.layers import Conv, Layer, Linear, Nearest, SubpixelConv, TransposedConv
from upsim.network.stack import Stack

_INPUT_RATE = 4000


def _transposed(name: str, kernel_size: int, stride: int, weight: str) -> Stack:
    layer = TransposedConv(1, 1, kernel_size, stride, bias=False, weight=weight)
    return Stack([layer], _INPUT_RATE * stride, name=name)


def fig2() -> Stack:
    """Figure 2: no overlap, length = stride = 3, random weights, no bias."""
    return _transposed("fig2", 3, 3, "torch")


def fig3() -> Stack:
    """Figure 3: partial overlap, length 3, stride 2, ones, no bias."""
    return _transposed("fig3", 3, 2, "ones")


def fig4() -> Stack:
    """Figure 4: full overlap, length 3, stride 1, ones, no bias."""
    return _transposed("fig4", 3, 1, "ones")


def fig5_partial() -> Stack:
    """Figure 5, row 1: partial overlap, length 8, stride 6, ones, no bias.

    The article does not print the numbers; they are in the authors' notebook of figure 5.  The
    authors' talk has another example of partial overlap, length 5 and stride 4.
    """
    return _transposed("fig5-partial", 8, 6, "ones")


def fig5_partial_random() -> Stack:
    """Figure 5, row 2: partial overlap, length 8, stride 6, random weights, no bias."""
    return _transposed("fig5-partial-random", 8, 6, "torch")


def fig5_full() -> Stack:
    """Figure 5, row 3: full overlap, length 8, stride 4, ones, no bias."""
    return _transposed("fig5-full", 8, 4, "ones")


def fig5_full_random() -> Stack:
    """Figure 5, row 4: full overlap, length 8, stride 4, random weights, no bias."""
    return _transposed("fig5-full-random", 8, 4, "torch")


def _three(name: str, *layers: Layer) -> Stack:
    """Return three times the same layers, each time doubling the rate."""
    return Stack(layers * 3, 8 * _INPUT_RATE, name=name)


def fig6_left() -> Stack:
    """Figure 6, left: three times nearest neighbour and a convolution, 4 to 32 kHz.

    The convolutions have length 9, stride 1, padding 4 and a bias.
    """
    return _three("fig6-left", Nearest(2), Conv(1, 1, 9, padding=4))


def fig6_right() -> Stack:
    """Figure 6, right: three times linear interpolation and a convolution, 4 to 32 kHz.

    As on the left, with torch's default (half-pixel) linear interpolation.
    """
    return _three("fig6-right", Linear(2), Conv(1, 1, 9, padding=4))


def fig7() -> Stack:
    """Figure 7: three subpixel convolutions of length 3, 4 to 32 kHz, with bias.

    Padding 1 keeps the length of each convolution.
    """
    return _three("fig7", SubpixelConv(1, 1, 3, 2, padding=1))


def fig8_left() -> Stack:
    """Figure 8, left: three transposed convolutions, length 4, stride 2, with bias.

    No padding: ``n`` samples become ``2 n + 2`` in each layer.
    """
    return _three("fig8-left", TransposedConv(1, 1, 4, 2))


def fig8_right() -> Stack:
    """Figure 8, right: three linear interpolations without convolutions, 4 to 32 kHz."""
    return _three("fig8-right", Linear(2))
