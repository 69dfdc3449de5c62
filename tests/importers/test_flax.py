"""Kernels of Flax and JAX, against what their convolutions do."""

import numpy as np
import pytest

from upsim import neural
from upsim.errors import ArgumentError
from upsim.importers.flax import flax_kernel
from upsim.layers import Conv, TransposedConv
from upsim.words.tolerance import rounding


def correlated(samples, kernel):
    """Return lax' convolution by hand: kernel (taps, in, out) slides along, unflipped."""
    taps = kernel.shape[0]
    count = samples.shape[1] - taps + 1
    made = [np.tensordot(samples[:, n : n + taps].T, kernel, 2) for n in range(count)]
    return np.stack(made, axis=1)


def stretched(samples, stride, before, after):
    """Return a signal with zeros between its samples and at its ends."""
    channels, length = samples.shape
    made = np.zeros((channels, (length - 1) * stride + 1 + before + after))
    made[:, before : before + (length - 1) * stride + 1 : stride] = samples
    return made


@pytest.fixture
def samples():
    return np.random.default_rng(0).standard_normal((3, 9))


def kernels():
    generator = np.random.default_rng(1)
    return [generator.standard_normal((taps, 3, 2)) for taps in (1, 2, 3, 4, 8)]


@pytest.mark.parametrize("kernel", kernels(), ids=len)
def test_a_convolution(kernel, samples):
    layer = Conv(3, 2, len(kernel), bias=False, weight=flax_kernel(kernel))
    within = rounding(3 * len(kernel), 3 * len(kernel) * 10.0)
    assert np.abs(neural.run(layer, samples) - correlated(samples, kernel)).max() <= within


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
@pytest.mark.parametrize("kernel", kernels(), ids=len)
def test_a_transposed_convolution_stretches_and_correlates(kernel, stride, samples):
    taps = len(kernel)
    weight = flax_kernel(kernel, transposed=True)
    layer = TransposedConv(3, 2, taps, stride, bias=False, weight=weight)
    wide = correlated(stretched(samples, stride, taps - 1, taps - 1), kernel)
    within = rounding(3 * taps, 3 * taps * 10.0)
    assert np.abs(neural.run(layer, samples) - wide).max() <= within


@pytest.mark.parametrize("transpose_kernel", [False, True])
@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_jax_itself(stride, transpose_kernel, samples):
    jax = pytest.importorskip("jax", reason="compares with JAX where it is installed")
    for kernel in kernels():
        taps = len(kernel)
        if taps < stride:
            continue
        given = kernel.swapaxes(1, 2) if transpose_kernel else kernel
        made = jax.lax.conv_transpose(
            samples.T[None].astype(np.float32),
            given.astype(np.float32),
            (stride,),
            "SAME",
            dimension_numbers=("NHC", "HIO", "NHC"),
            transpose_kernel=transpose_kernel,
        )
        own = np.asarray(made, dtype=np.float64)[0].T
        weight = flax_kernel(given, transposed=True, transpose_kernel=transpose_kernel)
        layer = TransposedConv(3, 2, taps, stride, bias=False, weight=weight)
        wide = neural.run(layer, samples)
        left = taps - 1 - -(-(taps + stride - 2) // 2) if stride <= taps - 1 else 0
        within = rounding(3 * taps, 3 * taps * 10.0, np.float32)
        cut = wide[:, left : left + own.shape[1]]
        assert cut.shape == own.shape == (2, 9 * stride)
        assert np.abs(cut - own).max() <= within


def test_transpose_kernel_needs_a_transposed_convolution():
    with pytest.raises(ArgumentError, match=r"fix: transposed=True, transpose_kernel=True"):
        flax_kernel(np.ones((3, 1, 1)), transpose_kernel=True)
    with pytest.raises(ArgumentError, match=r"no taps"):
        flax_kernel(np.ones((0, 1, 1)))
