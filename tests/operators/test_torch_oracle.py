"""torch in float64 as an oracle of the layers' operators, edges included."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import upsim
from upsim.errors import ShapeError
from upsim.layers import Conv
from upsim.testing import layers, layers_with_channels
from upsim.testing.laws import operator_of, run_finite
from upsim.testing.laws.comparison import margin, probe
from upsim.testing.laws.witness import witness_margin

torch = pytest.importorskip("torch", reason='torch is missing: pip install ".[torch]"')
pytestmark = pytest.mark.torch

LENGTH = 24  # longer than any padding of the strategies


def ours(layer, channels):
    samples = probe(channels, LENGTH)
    try:
        return run_finite([layer], samples), torch.from_numpy(samples)[None]
    except ShapeError:
        return None, None


def weights(layer):
    bias = layer.bias_array()
    return (
        torch.from_numpy(np.array(layer.weight_array())),
        None if bias is None else torch.from_numpy(np.array(bias)),
    )


@given(layers(names=["TransposedConv"]))
def test_transposed_convolution(layer):
    made, signal = ours(layer, layer.in_channels)
    if made is None:
        return
    theirs = torch.nn.functional.conv_transpose1d(
        signal,
        *weights(layer),
        layer.stride,
        layer.padding,
        layer.output_padding,
        layer.groups,
        layer.dilation,
    )[0].numpy()
    assert theirs.shape == made.shape
    assert np.abs(theirs - made).max() <= margin(
        signal.numpy(), operator_of(layer, signal.shape[1])
    )


def through_conv(layer: Conv, signal):
    module = torch.nn.Conv1d(
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.dilation,
        layer.groups,
        layer.bias is not False,
        layer.padding_mode,
        dtype=torch.float64,
    )
    weight, bias = weights(layer)
    with torch.no_grad():
        module.weight.copy_(weight)
        if bias is not None:
            module.bias.copy_(bias)
        return module(signal)


@pytest.mark.filterwarnings("ignore:Using padding='same'")  # torch pads an odd sample by a copy
@given(layers(names=["Conv"]))
def test_convolution(layer):
    made, signal = ours(layer, layer.in_channels)
    theirs = through_conv(layer, signal)[0].numpy()
    assert theirs.shape == made.shape
    assert np.abs(theirs - made).max() <= margin(
        signal.numpy(), operator_of(layer, signal.shape[1])
    )


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@given(layers(names=["SubpixelConv"]))
def test_subpixel_convolution_in_torchs_order(layer):
    layer = upsim.SubpixelConv(
        **{name: getattr(layer, name) for name in layer.__dataclass_fields__} | {"order": "torch"}
    )
    made, signal = ours(layer, layer.in_channels)
    rows = through_conv(layer.convolution(), signal)
    # pixel_shuffle works on images: a column of pixels of height 1 has its factor in one axis only.
    split = rows.reshape(1, layer.out_channels, layer.factor, -1)
    theirs = split.transpose(2, 3).reshape(1, layer.out_channels, -1)[0].numpy()
    assert np.abs(theirs - made).max() <= margin(
        signal.numpy(), operator_of(layer, signal.shape[1])
    )


@pytest.mark.parametrize(
    ("kind", "mode"),
    [(upsim.Nearest, "nearest"), (upsim.Linear, "linear"), (upsim.Cubic, "bicubic")],
)
@given(factor=st.integers(1, 6))
def test_interpolation(kind, mode, factor):
    layer = kind(factor)
    made, signal = ours(layer, 2)
    if mode == "bicubic":
        # One axis of an image: three equal rows, the middle one of which sees no other.
        image = signal[:, :, None].repeat(1, 1, 3, 1)
        size = (3, LENGTH * factor)
        theirs = torch.nn.functional.interpolate(image, size=size, mode=mode)[0, :, 1].numpy()
    else:
        module = torch.nn.Upsample(scale_factor=factor, mode=mode)
        theirs = module(signal)[0].numpy()
    assert theirs.shape == made.shape
    assert np.abs(theirs - made).max() <= witness_margin(layer, 2, signal.numpy())


ACTIVATIONS = {
    upsim.ReLU(): torch.nn.ReLU(),
    upsim.LeakyReLU(0.1): torch.nn.LeakyReLU(0.1),
    upsim.ELU(2.0): torch.nn.ELU(2.0),
    upsim.GELU(): torch.nn.GELU(),
    upsim.GELU("tanh"): torch.nn.GELU("tanh"),
    upsim.Tanh(): torch.nn.Tanh(),
    upsim.Sigmoid(): torch.nn.Sigmoid(),
    upsim.SiLU(): torch.nn.SiLU(),
    upsim.Softplus(2.0, 3.0): torch.nn.Softplus(2.0, 3.0),
    upsim.GLU(): torch.nn.GLU(dim=1),
}


@pytest.mark.parametrize("layer", ACTIVATIONS, ids=repr)
def test_activation(layer):
    made, signal = ours(layer, 2)
    theirs = ACTIVATIONS[layer](signal)[0].numpy()
    assert np.abs(theirs - made).max() <= witness_margin(layer, 2, signal.numpy())


@given(layers_with_channels(names=["PeriodicShuffle"]))
def test_pixel_shuffle_of_one_row_is_a_periodic_shuffle(pair):
    layer, channels = upsim.PeriodicShuffle(pair[0].factor), pair[1]
    made, signal = ours(layer, channels)
    square = signal[:, :, None, :].repeat_interleave(layer.factor, dim=1)
    # Each channel stands for a row of its factor x factor square, so every row is the answer.
    square = square.reshape(1, -1, layer.factor, layer.factor, 1, LENGTH).transpose(2, 3)
    shuffled = torch.nn.functional.pixel_shuffle(square.reshape(1, -1, 1, LENGTH), layer.factor)
    assert shuffled[0, :, 0].numpy().tolist() == made.tolist()
