"""The witness: the layers as neural frameworks compute them, so that a prediction can be judged.

It reads a layer's fields and shares no mathematics with the operators or the theory: convolutions
are a matrix product over unfolded samples, transposed convolutions a matrix product and an
overlap-add, shuffles a reshape, interpolations a gathering of neighbours.

>>> import numpy as np
>>> from upsim.layers import TransposedConv
>>> ones = TransposedConv(1, 1, 3, stride=2, bias=False, weight=[[[1.0, 1.0, 1.0]]])
>>> run(ones, np.ones((1, 3)))
array([[1., 1., 2., 1., 2., 1., 1.]])
"""

# Imported for what they register: forward and torch module of each family of layers.
from upsim.neural import (  # noqa: F401
    activations,
    branches,
    channels,
    convolution,
    hold,
    interpolation,
    inverse_stft,
    normalisation,
    opaque,
    pointwise,
    pqmf,
    resample,
    samples,
    shuffle,
    sinc,
    torch_activations,
    torch_modules,
    torch_normalisation,
    wavelet,
)
from upsim.neural.registry import chain, forward, register
from upsim.neural.run import run
from upsim.neural.torch_layers import register_torch, run_torch, to_torch

__all__ = ["chain", "forward", "register", "register_torch", "run", "run_torch", "to_torch"]
