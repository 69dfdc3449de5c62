"""The NumPy witness against torch: every layer, every option, both precisions."""

import importlib.util

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upsim import neural
from upsim.layers import Conv, Layer, LeakyReLU, Linear, Residual, TransposedConv
from upsim.network.stack import Stack

from .bounds import bound_of, difference
from .cases import CASES, PADDING_MODES, drawn, name_of, noise

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(
        importlib.util.find_spec("torch") is None, reason="torch is missing: pip install torch"
    ),
    # torch tells us, once, that it pads one side of a copy; that is what padding="same" means.
    pytest.mark.filterwarnings("ignore:Using padding='same'"),
]

LENGTH = 23


def disagreement(layers, samples, dtype=np.float64, device="cpu"):
    """Run both witnesses and say how they differ beyond rounding."""
    ours = neural.run(layers, samples, dtype=dtype)
    theirs = neural.run_torch(layers, samples, dtype=dtype, device=device)
    assert ours.dtype == theirs.dtype == dtype
    listed = [layers] if isinstance(layers, Layer) else layers
    longest = max(samples.shape[-1], ours.shape[-1])
    return difference(ours, theirs, bound_of(listed, samples, dtype, longest=longest))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_layer_agrees_with_torch(case, dtype):
    layer, channels = case
    assert not disagreement(drawn(layer), noise(2, channels, LENGTH), dtype)


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_short_input_agrees_with_torch(case):
    # So short that every output sample sees an edge.
    layer, channels = case
    assert not disagreement(drawn(layer), noise(1, channels, 6))


@pytest.mark.parametrize("size", [1e-3, 1.0, 30.0])
@pytest.mark.parametrize(
    "case", [case for case in CASES if case[0].channels_in is None], ids=name_of
)
def test_layer_without_weights_agrees_with_torch_at_any_level(case, size):
    layer, channels = case
    assert not disagreement(layer, size * noise(1, channels, LENGTH))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_stack_agrees_with_torch(dtype):
    # A small MelGAN: convolution, two upsamplings, dilated residuals.
    stack = Stack(
        [
            Conv(4, 8, 7, padding=3, padding_mode="reflect"),
            *(
                layer
                for width in (8, 4)
                for layer in (
                    LeakyReLU(0.2),
                    TransposedConv(width, width // 2, 8, stride=4, padding=2),
                    Residual(
                        LeakyReLU(0.2),
                        Conv(width // 2, width // 2, 3, 1, 3, 3, padding_mode="reflect"),
                        Conv(width // 2, width // 2, 1),
                        skip=Conv(width // 2, width // 2, 1),
                    ),
                )
            ),
            Conv(2, 1, 7, padding=3),
        ],
        sample_rate=16000,
    ).draw(seed=3)
    assert not disagreement(stack, noise(2, 4, 9), dtype)


channels = st.integers(1, 3)
small = st.integers(1, 5)


@st.composite
def convolutions(draw):
    groups = draw(st.integers(1, 3))
    kernel, dilation = draw(small), draw(st.integers(1, 3))
    mode = draw(st.sampled_from(PADDING_MODES))
    padding = draw(st.one_of(st.integers(0, 5), st.sampled_from(["same", "valid"])))
    stride = 1 if padding == "same" else draw(small)
    layer = Conv(
        groups * draw(channels),
        groups * draw(channels),
        kernel,
        stride,
        padding,
        dilation,
        groups,
        draw(st.booleans()),
        mode,
    )
    reach = dilation * (kernel - 1) + 1
    return layer, draw(st.integers(max(6, reach), 30))


@st.composite
def transposed_convolutions(draw):
    groups = draw(st.integers(1, 3))
    kernel, stride, dilation = draw(st.integers(1, 9)), draw(small), draw(st.integers(1, 3))
    layer = TransposedConv(
        groups * draw(channels),
        groups * draw(channels),
        kernel,
        stride,
        draw(st.integers(0, 6)),
        draw(st.integers(0, max(stride, dilation) - 1)),
        groups,
        draw(st.booleans()),
        dilation,
    )
    return layer, draw(st.integers(13, 30))


@settings(deadline=None)
@given(
    case=st.one_of(convolutions(), transposed_convolutions()),
    batch=st.integers(1, 2),
    seed=st.integers(0, 99),
    dtype=st.sampled_from([np.float64, np.float32]),
)
def test_any_convolution_agrees_with_torch(case, batch, seed, dtype):
    layer, length = case
    layer = layer.draw(np.random.default_rng(seed))
    assert not disagreement(layer, noise(batch, layer.in_channels, length, seed=seed), dtype)


def test_torch_loses_its_place_in_long_float32_signals_and_the_witness_does_not():
    # Near place p a float32 is spaced 2^(floor(log2 p) - 23); half of that is what rounding the
    # place costs, times the step of 1 between the two samples there.
    length = 2**18
    step = np.zeros((1, 1, length))
    step[..., length - 2 :] = 1.0
    exact = neural.run(Linear(3), step)
    single = neural.run(Linear(3), step, dtype=np.float32)
    theirs = neural.run_torch(Linear(3), step, dtype=np.float32)
    spacing = 2.0 ** (17 - 23)
    near = bound_of([Linear(3)], step, np.float32, longest=1).distance
    assert np.abs(single - exact).max() <= near
    assert spacing / 4 < np.abs(theirs - exact).max() <= spacing


@pytest.mark.cuda
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_every_layer_agrees_with_torch_on_cuda(dtype):
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    found = {
        name_of((layer, channels)): disagreement(
            drawn(layer), noise(2, channels, LENGTH), dtype, "cuda"
        )
        for layer, channels in CASES
    }
    assert not {name: what for name, what in found.items() if what}
