"""The Demucs-like decoder of Pons et al."""

from __future__ import annotations

from itertools import pairwise

from upsim.layers import Layer, ReLU, TransposedConv
from upsim.stack import Stack


def demucs() -> Stack:
    """Demucs as in figure 1, its decoder's ladder: six transposed convolutions (8, 4), ReLU.

    Strides, lengths and the 100 … 3200 channels are in Pons et al. (arXiv 2010.14356, section 6);
    the 8 output channels are four stereo sources.  Left out, because the article does not determine
    them or because they are not part of the ladder: the convolution and GLU before each transposed
    convolution, the skip connections, the encoder and the LSTM.  No ReLU after the last layer.
    """
    widths = (3200, 1600, 800, 400, 200, 100, 8)
    layers: list[Layer] = []
    for before, after in pairwise(widths):
        layers += [TransposedConv(before, after, 8, 4), ReLU()]
    return Stack(layers[:-1], 44100, name="demucs")
