"""SEGAN: speech enhancement by strided and transposed convolutions of 31 taps."""

from __future__ import annotations

from upsim.layers import Conv, Crop, Layer, Parallel, PReLU, Tanh, TransposedConv
from upsim.network.stack import Stack
from upsim.network.weights import Normal

_DEPTHS = (16, 32, 32, 64, 64, 128, 128, 256, 256, 512, 1024)
_KERNEL, _STRIDE = 31, 2

#: The standard deviation of a standard normal variable that is cut at two deviations.
_CUT_AT_TWO = 0.8796256610342398

_WEIGHT = Normal(std=0.02 * _CUT_AT_TWO)


def segan() -> Stack:
    """SEGAN's generator: 16 kHz, 11 levels of 31 taps and stride 2, without its latent noise.

    Pascual, Bonafonte & Serra, Interspeech 2017 (santi-pdp/segan): 16384 samples become 8 of 1024
    channels; on the way back each level is concatenated with what the convolution of its length
    made, before the PReLU.  TensorFlow's ``same`` padding: 14 samples on the left, 15 on the right.
    Weights are drawn as a normal variable of deviation 0.02, cut at two deviations: here a normal
    variable of the same variance.  No biases; the slopes of the PReLUs start at 0, one a layer here
    and one a channel there.  Left out: the latent noise, 1024 channels more at the bottleneck,
    where at the start it is the stronger part; so the decoder's first layer has 1024 input
    channels, not 2048.
    """
    layers: list[Layer] = []
    for level in reversed(range(len(_DEPTHS))):
        width, outer = _DEPTHS[level], _DEPTHS[level - 1] if level else 1
        # TensorFlow pads 29 samples, the odd one on the right.
        down = [Crop(-14, -15), Conv(outer, width, _KERNEL, _STRIDE, bias=False, weight=_WEIGHT)]
        deeper = [PReLU(init=0.0), *layers]
        is_inner = level + 1 < len(_DEPTHS)
        middle = [Parallel(deeper, (), merge="concatenate")] if is_inner else deeper
        up = TransposedConv(
            2 * width if is_inner else width,
            outer,
            _KERNEL,
            _STRIDE,
            padding=14,
            bias=False,
            weight=_WEIGHT,
        )
        layers = [*down, *middle, up, Crop(0, 1), PReLU(init=0.0) if level else Tanh()]
    return Stack(layers, 16000, name="segan")
