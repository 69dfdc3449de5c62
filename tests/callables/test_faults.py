"""A planted fault is found by its name, in every framework, with an example that is true."""

import re

import numpy as np
import pytest

import upsim
from upsim.testing import check_upsampler, subject
from upsim.testing.callables.faults import fault_of

from . import planted
from .planted import NUMPY, SUB, SUB_BIAS, UP, UP_BIAS, L

#: Channels in of the layers that are planted.
CHANNELS = {"transposed": 2, "subpixel": 3}


def channels_of(like, function):
    if isinstance(like, upsim.TransposedConv):
        return 2
    if (like is None and function is not planted.aligned) or isinstance(like, upsim.SubpixelConv):
        return 3
    return 2


def found(function, like, channels):
    report = None
    try:
        check_upsampler(function, factor=L, channels=channels, like=like)
    except AssertionError as error:
        report = str(error)
    assert report is not None, "the fault passed the laws"
    return report


@pytest.mark.parametrize(
    ("name", "function", "layout", "like"),
    NUMPY,
    ids=[f"{number}-{each[0]}" for number, each in enumerate(NUMPY)],
)
def test_a_fault_in_numpy_is_named(name, function, layout, like):
    channels = channels_of(like, function)
    report = found(function, like, channels)
    assert f"fault: {name}" in report, report
    assert "write: " in report
    # The example is run again, and what it says comes out.
    if name == "crop forgotten":
        return  # lengths differ: nothing to compare sample by sample
    (text, place, value) = re.search(
        r"x = zeros\(\((\d+, \d+)\)\)(?:; x\[(\d+, \d+)\] = (1))?", report
    ).groups()
    x = np.zeros(tuple(map(int, text.split(", "))))
    if place:
        x[tuple(map(int, place.split(", ")))] = float(value)
    said = re.search(r"gives \[([^\]]*)\]", report).group(1).replace(" ...", "").split()
    made = function(x[None])[0, 0][: len(said)]
    assert [f"{each:.4g}" for each in made + 0.0] == said


def test_the_right_layers_have_no_fault():
    check_upsampler(planted.overlap_add, channels=2, like=planted.transposed())
    check_upsampler(lambda x: planted.shuffle(planted.correlated(x)), like=planted.subpixel())
    check_upsampler(planted.triangle, channels=2, like=upsim.Linear(L, "triangle"))


def test_two_faults_at_once_are_not_called_one():
    report = found(lambda x: 0.3 * planted.overlap_add(x, UP[..., ::-1]), planted.transposed(), 2)
    assert "fault: not known" in report
    assert "more than one fault" in report


def test_the_line_of_the_source_is_shown():
    def mine(x):
        y = planted.correlated(x)
        return y.reshape(len(y), 2, -1)  # the line to change

    report = found(mine, None, 3)
    line = mine.__code__.co_firstlineno + 2
    assert f"line {line} of test_faults.py: return y.reshape(len(y), 2, -1)" in report


def test_what_has_no_source_has_no_lines():
    report = fault_of(subject(np.vectorize(lambda value: value), 1, 1, like=upsim.Nearest(1)))
    assert report is None


# --- torch


def torch_faults():
    import torch
    from torch.nn import functional as f

    up, bias = torch.tensor(UP), torch.tensor(UP_BIAS)
    sub, sub_bias = torch.tensor(SUB), torch.tensor(SUB_BIAS)

    class Subpixel(torch.nn.Module):
        def __init__(self, *, late=False):
            super().__init__()
            self.conv = torch.nn.Conv1d(3, 8, 3, padding=1).double()
            with torch.no_grad():
                self.conv.weight.copy_(sub)
                self.conv.bias.copy_(0 * sub_bias if late else sub_bias)
            self.late = sub_bias[:2, None] if late else 0

    class Plain(Subpixel):
        def forward(self, x):
            y = self.conv(x)
            return y.view(y.shape[0], 2, y.shape[2] * L)

    class LateBias(Subpixel):
        def forward(self, x):
            y = self.conv(x)
            y = y.reshape(y.shape[0], 2, L, -1).transpose(2, 3).reshape(y.shape[0], 2, -1)
            return y + self.late

    def transposed(x, weight=up, **given):
        return f.conv_transpose1d(x, weight, bias, L, **given)

    def wrong_side(x):
        return f.pad(transposed(x, padding=3) - bias[:, None], (2, 0)) + bias[:, None]

    return [
        ("plain reshape", Plain(), None, 3),
        ("plain reshape", Plain(), planted.subpixel(), 3),
        ("bias after the shuffle", LateBias(late=True), planted.subpixel(), 3),
        (
            "kernel flip",
            lambda x: transposed(x, up.flip(2), padding=3, output_padding=2),
            planted.transposed(),
            2,
        ),
        (
            "crop at the wrong end",
            lambda x: transposed(x)[..., 6:],
            planted.transposed(output_padding=0),
            2,
        ),
        (
            "half-pixel against aligned",
            torch.nn.Upsample(scale_factor=L, mode="linear", align_corners=True),
            None,
            2,
        ),
        (
            "half-pixel against triangle",
            torch.nn.Upsample(scale_factor=L, mode="linear"),
            upsim.Linear(L, "triangle"),
            2,
        ),
        ("not known", wrong_side, planted.transposed(), 2),
    ]


@pytest.mark.torch
@pytest.mark.parametrize("number", range(8))
def test_a_fault_in_torch_is_named(number):
    name, function, like, channels = torch_faults()[number]
    report = found(function, like, channels)
    assert f"fault: {name}" in report, report


# --- Keras


def keras_faults():
    keras = pytest.importorskip("keras", reason="needs Keras")
    from keras import ops

    weight = np.ascontiguousarray(SUB.transpose(2, 1, 0))  # (K, in, out)

    class Subpixel(keras.layers.Layer):
        def __init__(self, how):
            super().__init__(dtype="float32")
            self.conv = keras.layers.Conv1D(8, 3, padding="same")
            self.conv.build((None, None, 3))
            self.conv.set_weights([weight, SUB_BIAS])
            self.how = how

        def call(self, x):
            y = self.conv(x)
            b, n = y.shape[0], y.shape[1]
            if self.how == "tensorflow":
                return ops.reshape(y, (b, n * L, 2))
            if self.how == "plain":
                return ops.reshape(ops.transpose(y, (0, 2, 1)), (b, n * L, 2))
            y = ops.transpose(ops.reshape(y, (b, n, 2, L)), (0, 1, 3, 2))
            return ops.reshape(y, (b, n * L, 2))

    return Subpixel


@pytest.mark.parametrize(
    ("how", "name"), [("tensorflow", "channel order"), ("plain", "plain reshape")]
)
def test_a_fault_in_keras_is_named(how, name):
    report = found(keras_faults()(how), planted.subpixel(), 3)
    assert f"fault: {name}" in report, report


def test_a_plain_reshape_in_keras_is_named_by_the_laws_alone():
    report = found(keras_faults()("plain"), None, 3)
    assert "fault: plain reshape" in report, report


def test_the_right_layer_of_keras_passes():
    check_upsampler(keras_faults()("torch"), factor=L, channels=3, like=planted.subpixel())
