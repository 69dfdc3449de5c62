"""The kernel of one run against google/neural-tangents, where that is installed.

Optional: neural-tangents 0.6.5 cannot be imported with jax 0.10 (``jax.core.Jaxpr`` is gone).  It
works, and these tests pass, with the versions that CONTRIBUTING.md installs, in a virtual
environment of their own.  It knows second moments only, so it says nothing about the lines' kernel;
test_dense_oracle judges both, and always runs.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import upsim
from ensemble.test_dense_oracle import CONSTANT, COUNT, NOISE, SIGNAL, written_out
from upsim.theory.moments.propagation import propagate, starting_moments
from upsim.words.tolerance import rounding

CHANNELS = 6
AXES = ("NWC", "WIO", "NWC")


@pytest.fixture(scope="module")
def stax():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import jax
            from neural_tangents import stax
        except ImportError as error:
            pytest.skip(f"neural-tangents cannot be imported ({error}); see CONTRIBUTING.md")
        jax.config.update("jax_enable_x64", True)
        yield stax


def as_stax(stax, layer, length):
    """Return neural-tangents' layer and how many samples it puts out."""
    made = layer.output_length(length)
    match layer:
        case upsim.ReLU():
            return stax.Relu(), made
        case upsim.LeakyReLU():
            return stax.LeakyRelu(layer.negative_slope), made
        case upsim.Nearest():
            return stax.ImageResize((-1, made, -1), "nearest"), made
    transposed = isinstance(layer, upsim.TransposedConv)
    kind = stax.ConvTranspose if transposed else stax.Conv
    # Theirs: W_std^2 / (channels K) a weight. torch's: 1 / (3 channels K), bias alike.
    fan = CHANNELS * layer.kernel_size
    shape = ((layer.kernel_size,), (layer.stride,), "VALID")
    return kind(1, *shape, W_std=3**-0.5, b_std=(3 * fan) ** -0.5, dimension_numbers=AXES), made


def transposed(kernel, stride):
    return upsim.TransposedConv(CHANNELS, CHANNELS, kernel, stride)


def conv(kernel, stride=1):
    return upsim.Conv(CHANNELS, CHANNELS, kernel, stride)


RELU, LEAKY = upsim.ReLU(), upsim.LeakyReLU(0.1)

CASES = {
    "full overlap": [transposed(4, 2), RELU, transposed(6, 3), RELU],
    "partial overlap": [transposed(5, 3), LEAKY, transposed(3, 2), RELU],
    "nearest": [conv(3), upsim.Nearest(3), conv(3), RELU, upsim.Nearest(2), conv(3), LEAKY],
    "strided": [transposed(5, 4), RELU, conv(4, 2), LEAKY],
}


@pytest.mark.parametrize("name", CASES)
def test_the_kernel_of_one_run(stax, name):
    stack = upsim.Stack(CASES[name], 48000)
    trace = propagate(stack, starting_moments(stack, [SIGNAL], provenance=False))
    (group,) = trace.end.groups
    layers, length = [], COUNT
    for layer in stack:
        made, length = as_stax(stax, layer, length)
        layers.append(made)
    # As many channels as samples, with the input's kernel as the average of their products.
    kernel = CONSTANT**2 + NOISE * np.eye(COUNT)
    samples = np.linalg.cholesky(kernel)[None] * COUNT**0.5
    wanted = np.asarray(stax.serial(*layers)[2](samples, None, "nngp"))[0, 0]
    rate = length / COUNT
    inner = np.arange(int(9 * rate), int(15 * rate))
    found = written_out(group.second_moment(averaged=False), inner).one
    wanted = wanted[np.ix_(inner, inner)]
    # A Cholesky factor and its square, then at most 64 roundings a layer.
    bound = rounding(2 * COUNT + 64 * len(stack), max(1.0, float(np.abs(wanted).max())))
    assert np.abs(found - wanted).max() <= bound
