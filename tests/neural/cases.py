"""Every layer with every option once, small: what the witness is judged on."""

import numpy as np

from upsim.layers import (
    ELU,
    GELU,
    GLU,
    BatchNorm,
    Bias,
    Conv,
    Crop,
    Cubic,
    Decimate,
    GroupNorm,
    HaarSynthesis,
    Hold,
    InstanceNorm,
    LayerNorm,
    LazyWaveletSynthesis,
    LeakyReLU,
    LearnedInterpolation,
    Linear,
    Nearest,
    Parallel,
    PeriodicShuffle,
    PReLU,
    ReLU,
    Residual,
    Sigmoid,
    SiLU,
    Snake,
    SnakeBeta,
    Softplus,
    Stretch,
    SubpixelConv,
    Tanh,
    TransposedConv,
    WeightNorm,
    WindowedSinc,
)
from upsim.weights import Normal

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")

# (layer, channels of its input)
CASES = [
    (Conv(1, 1, 1), 1),
    (Conv(2, 3, 3), 2),
    (Conv(2, 3, 3, padding=1), 2),
    (Conv(2, 3, 3, bias=False), 2),
    (Conv(2, 3, 3, bias=Normal(1.0)), 2),
    (Conv(3, 2, 4, stride=3, padding=2), 3),
    (Conv(2, 2, 3, stride=5), 2),
    (Conv(2, 2, 3, padding=2, dilation=2), 2),
    (Conv(4, 6, 3, padding=1, groups=2), 4),
    (Conv(3, 3, 5, padding=2, groups=3), 3),
    (Conv(4, 4, 3, 2, 3, 3, 2), 4),
    (Conv(2, 2, 3, padding="valid"), 2),
    *((Conv(2, 2, k, padding="same", dilation=d), 2) for k in (1, 3, 4) for d in (1, 2, 3)),
    *((Conv(2, 2, 4, padding=3, padding_mode=mode), 2) for mode in PADDING_MODES),
    *((Conv(2, 2, 3, 2, 2, padding_mode=mode), 2) for mode in PADDING_MODES),
    *((Conv(2, 2, 4, padding="same", padding_mode=mode), 2) for mode in PADDING_MODES),
    (TransposedConv(1, 1, 1), 1),
    (TransposedConv(2, 3, 4, stride=2), 2),
    (TransposedConv(2, 3, 3, stride=2, bias=False), 2),
    (TransposedConv(2, 3, 2, stride=5), 2),
    (TransposedConv(2, 3, 7, stride=3, padding=2), 2),
    (TransposedConv(2, 3, 4, stride=4, padding=1, output_padding=3), 2),
    (TransposedConv(2, 2, 3, stride=3, output_padding=2), 2),
    (TransposedConv(4, 6, 4, stride=2, padding=1, groups=2), 4),
    (TransposedConv(3, 3, 5, stride=2, groups=3), 3),
    (TransposedConv(2, 2, 3, stride=2, padding=2, dilation=3), 2),
    (TransposedConv(2, 2, 3, stride=1, output_padding=1, dilation=2), 2),
    (TransposedConv(4, 2, 3, 3, 1, 1, 2, True, 2), 4),
    (Stretch(1), 2),
    (Stretch(3), 2),
    *((Nearest(factor), 2) for factor in (1, 2, 3, 5, 8)),
    *((Linear(factor), 2) for factor in (1, 2, 3, 4, 5, 8)),
    *((Linear(factor, "triangle"), 2) for factor in (1, 2, 3, 4, 5, 8)),
    *((Cubic(factor), 2) for factor in (1, 2, 3, 4, 5)),
    (Cubic(2, a=-0.5), 2),
    (Cubic(3, a=-1.0), 2),
    (Cubic(2, a=0.0), 2),
    (WindowedSinc(2), 2),
    (WindowedSinc(1, zeros=3), 2),
    (WindowedSinc(3, zeros=1, rolloff=1.0), 2),
    *(
        (WindowedSinc(3, 4, 0.8, name), 2)
        for name in ("hann", "hamming", "blackman", "rectangular")
    ),
    (LearnedInterpolation(3), 3),
    (LearnedInterpolation(2, weight=[-30.0, 400.0]), 2),
    (SubpixelConv(2, 3, 3, 2), 2),
    (SubpixelConv(2, 3, 3, 2, order="tensorflow"), 2),
    (SubpixelConv(2, 2, 3, 3, 2, 2, bias=False), 2),
    (SubpixelConv(4, 2, 4, 3, "same", 1, 2, padding_mode="circular", order="tensorflow"), 4),
    (SubpixelConv(2, 1, 3, 4, "valid"), 2),
    (PeriodicShuffle(1), 2),
    (PeriodicShuffle(3), 6),
    (PeriodicShuffle(3, "tensorflow"), 6),
    (HaarSynthesis(), 4),
    (LazyWaveletSynthesis(), 4),
    (Bias(0.25), 2),
    (Bias([1.0, -2.0]), 2),
    (Hold(1), 2),
    (Hold(3), 2),
    (Hold(4, order=3), 2),
    (Crop(2, 3), 2),
    (Crop(-2, 3), 2),
    (Crop(1, -4), 2),
    (Decimate(1), 2),
    (Decimate(3), 2),
    (Decimate(3, phase=2), 2),
    (Residual(Conv(2, 2, 3, padding=1), ReLU(), Conv(2, 2, 1)), 2),
    (Residual(Conv(2, 3, 3, padding=1), skip=Conv(2, 3, 1)), 2),
    (Residual(TransposedConv(2, 4, 4, 2, 1), Residual(Tanh()), Conv(4, 2, 4, 2, 1)), 2),
    *(
        (Parallel(Conv(2, 2, 3, padding=1), (), (Conv(2, 2, 1), ELU()), merge=merge), 2)
        for merge in ("sum", "mean", "concatenate")
    ),
    (ReLU(), 2),
    (LeakyReLU(), 2),
    (LeakyReLU(0.2), 2),
    (PReLU(), 2),
    (PReLU(2, weight=[0.1, -0.3]), 2),
    (PReLU(2, init=0.5), 2),
    (ELU(), 2),
    (ELU(0.5), 2),
    (GELU(), 2),
    (GELU("tanh"), 2),
    (Tanh(), 2),
    (Sigmoid(), 2),
    (SiLU(), 2),
    (Softplus(), 2),
    (Softplus(2.0, 3.0), 2),
    (GLU(), 4),
    (Snake(), 2),
    (Snake([0.5, 3.0]), 2),
    (SnakeBeta(2.0, 0.5), 2),
    (SnakeBeta([0.5, 3.0], [2.0, 0.7]), 2),
    (BatchNorm(2), 2),
    (BatchNorm(2, affine=False, running_mean=[0.5, -2.0], running_var=[0.0, 4.0]), 2),
    (
        BatchNorm(
            2, 0.1, weight=[2.0, -1.0], bias=[0.3, 0.0], running_mean=[1.0, 0.0], running_var=[2, 3]
        ),
        2,
    ),
    (GroupNorm(2, 4), 4),
    (GroupNorm(1, 2, affine=False), 2),
    (GroupNorm(2, 6, 0.1, weight=[1, 2, -3, 4, 5, 0], bias=[0, 1, 0, -1, 0, 2]), 6),
    (InstanceNorm(2), 2),
    (InstanceNorm(2, 0.1, affine=True, weight=[2.0, -1.0], bias=[0.3, 0.0]), 2),
    (LayerNorm(3), 3),
    (LayerNorm(3, elementwise_affine=False), 3),
    (LayerNorm(3, 0.1, weight=[2.0, -1.0, 0.0], bias=[0.3, 0.0, 1.0]), 3),
    (WeightNorm(Conv(2, 3, 3, padding=1)), 2),
    (WeightNorm(Conv(2, 3, 3, bias=False), gain=[1.0, -2.0, 0.0]), 2),
    (WeightNorm(TransposedConv(2, 3, 4, stride=2, padding=1), gain=[1.0, 3.0]), 2),
    (WeightNorm(SubpixelConv(2, 2, 3, 2), gain=[1.0, 2.0, 3.0, -4.0]), 2),
]


def drawn(layer):
    return layer.draw(np.random.default_rng(0))


def name_of(case):
    layer, channels = case
    return f"{layer!r} on {channels}"


def noise(batch, channels, length, *, seed=1):
    return np.random.default_rng(seed).normal(size=(batch, channels, length))
