"""The layers, one family a file, and the catalogue of all of them by name."""

from upsim.layers.activations import (
    ELU,
    GELU,
    Clamp,
    LeakyReLU,
    PReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Sin,
    Snake,
    SnakeBeta,
    Softplus,
    Tanh,
)
from upsim.layers.antialiasing import antiderivative, oversampled
from upsim.layers.base import Activation, Branch, Layer, LinearLayer, Normalisation, Unmodelled
from upsim.layers.branches import Parallel, Residual
from upsim.layers.channels import Scale, Select
from upsim.layers.composed import Composed
from upsim.layers.convolution import Conv, TransposedConv, WeightedLayer
from upsim.layers.gated import GLU, Gate, Gated, Softmax
from upsim.layers.interpolation import (
    Cubic,
    Hold,
    LearnedInterpolation,
    Linear,
    Nearest,
    Stretch,
    WindowedSinc,
)
from upsim.layers.inverse_stft import InverseSTFT
from upsim.layers.levels import ChannelNormalisation, TimeNormalisation
from upsim.layers.merging import Add, Average, Concatenate, Divide, Merging, Multiply, Subtract
from upsim.layers.normalisation import BatchNorm, GroupNorm, InstanceNorm, LayerNorm
from upsim.layers.opaque import Opaque
from upsim.layers.pointwise import Pointwise
from upsim.layers.pqmf import PQMF
from upsim.layers.recognition import recognised
from upsim.layers.resample import Resample
from upsim.layers.samples import Bias, Crop, Decimate, Pad, Slice
from upsim.layers.subpixel import PeriodicShuffle, SubpixelConv
from upsim.layers.wavelet import HaarSynthesis, LazyWaveletSynthesis
from upsim.layers.weight_norm import WeightNorm

#: Every layer by its name; stack files and the law tests read it.
CATALOGUE: dict[str, type[Layer]] = {
    kind.__name__: kind
    for kind in (
        Conv,
        TransposedConv,
        Stretch,
        Nearest,
        Linear,
        Cubic,
        WindowedSinc,
        Resample,
        LearnedInterpolation,
        SubpixelConv,
        PeriodicShuffle,
        HaarSynthesis,
        LazyWaveletSynthesis,
        PQMF,
        InverseSTFT,
        Bias,
        Scale,
        Select,
        Hold,
        Crop,
        Pad,
        Decimate,
        Slice,
        Residual,
        Parallel,
        ReLU,
        LeakyReLU,
        PReLU,
        Clamp,
        ELU,
        GELU,
        Tanh,
        Sigmoid,
        SiLU,
        Softplus,
        GLU,
        Gate,
        Softmax,
        Pointwise,
        Sin,
        Snake,
        SnakeBeta,
        BatchNorm,
        GroupNorm,
        InstanceNorm,
        LayerNorm,
        WeightNorm,
        Opaque,
    )
}

__all__ = [
    "CATALOGUE",
    "ELU",
    "GELU",
    "GLU",
    "PQMF",
    "Activation",
    "Add",
    "Average",
    "BatchNorm",
    "Bias",
    "Branch",
    "ChannelNormalisation",
    "Clamp",
    "Composed",
    "Concatenate",
    "Conv",
    "Crop",
    "Cubic",
    "Decimate",
    "Divide",
    "Gate",
    "Gated",
    "GroupNorm",
    "HaarSynthesis",
    "Hold",
    "InstanceNorm",
    "InverseSTFT",
    "Layer",
    "LayerNorm",
    "LazyWaveletSynthesis",
    "LeakyReLU",
    "LearnedInterpolation",
    "Linear",
    "LinearLayer",
    "Merging",
    "Multiply",
    "Nearest",
    "Normalisation",
    "Opaque",
    "PReLU",
    "Pad",
    "Parallel",
    "PeriodicShuffle",
    "Pointwise",
    "ReLU",
    "Resample",
    "Residual",
    "Scale",
    "Select",
    "SiLU",
    "Sigmoid",
    "Sin",
    "Slice",
    "Snake",
    "SnakeBeta",
    "Softmax",
    "Softplus",
    "Stretch",
    "SubpixelConv",
    "Subtract",
    "Tanh",
    "TimeNormalisation",
    "TransposedConv",
    "Unmodelled",
    "WeightNorm",
    "WeightedLayer",
    "WindowedSinc",
    "antiderivative",
    "oversampled",
    "recognised",
]
