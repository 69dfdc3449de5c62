"""Layers of Keras with one fault each, as people write them: (batch, time, channels)."""

import os

import numpy as np
import pytest

import upsim

from .planted import EVEN_BIAS, SUB, SUB_BIAS, UP, UP_BIAS, L, subpixel, transposed

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras", reason="needs Keras")
ops = keras.ops


class Subpixel(keras.layers.Layer):
    """A right one."""

    def __init__(self, weight=SUB, bias=SUB_BIAS):
        super().__init__(dtype="float32")
        self.conv = keras.layers.Conv1D(2 * L, 3, padding="same")
        self.conv.build((None, None, 3))
        self.conv.set_weights([np.ascontiguousarray(weight.transpose(2, 1, 0)), bias])

    def call(self, x):
        return self.shuffle(self.conv(x))

    def shuffle(self, y):
        b, n = y.shape[:2]
        y = ops.transpose(ops.reshape(y, (b, n, 2, L)), (0, 1, 3, 2))
        return ops.reshape(y, (b, n * L, 2))


class Plain(Subpixel):
    def shuffle(self, y):
        b, n = y.shape[:2]
        return ops.reshape(ops.transpose(y, (0, 2, 1)), (b, n * L, 2))


class TensorflowOrder(Subpixel):
    def shuffle(self, y):
        b, n = y.shape[:2]
        return ops.reshape(y, (b, n * L, 2))


class Rolled(Subpixel):
    def shuffle(self, y):
        b, n = y.shape[:2]
        return super().shuffle(
            ops.reshape(ops.roll(ops.reshape(y, (b, n, 2, L)), 1, 3), (b, n, 2 * L))
        )


class LateBias(Subpixel):
    def __init__(self):
        super().__init__(bias=0 * SUB_BIAS)

    def call(self, x):
        return super().call(x) + ops.convert_to_tensor(SUB_BIAS[:2], "float32")


class Up(keras.layers.Layer):
    """A transposed convolution whose full answer is cropped."""

    def __init__(self, weight=UP, left=3, right=1, bias=UP_BIAS, pads=(0, 0)):
        super().__init__(dtype="float32")
        inside, out, taps = weight.shape
        self.conv = keras.layers.Conv1DTranspose(out, taps, L, padding="valid", use_bias=False)
        self.conv.build((None, None, inside))
        self.conv.set_weights([np.ascontiguousarray(weight.transpose(2, 1, 0))])
        self.late = ops.convert_to_tensor(bias, "float32")
        self.left, self.right, self.pads = left, right, pads

    def call(self, x):
        y = self.conv(x)
        y = y[:, self.left : y.shape[1] - self.right]
        return ops.pad(y, ((0, 0), self.pads, (0, 0))) + self.late


def triangle(gain):
    h = gain * (1 - np.abs(np.arange(1 - L, L)) / L)
    weight = np.eye(2)[:, :, None] * h
    return Up(weight, left=L - 1, right=0, bias=np.zeros(2))


class Aligned(keras.layers.Layer):
    def call(self, x):
        n = x.shape[1]
        grid = np.linspace(0, n - 1, L * n)
        low = np.minimum(grid.astype(int), max(0, n - 2))
        part = ops.convert_to_tensor((grid - low)[:, None], "float32")
        high = np.minimum(low + 1, n - 1)
        return ops.take(x, low, axis=1) * (1 - part) + ops.take(x, high, axis=1) * part


def faults():
    """Return (fault, callable, channels, layer)."""
    return [
        ("plain reshape", Plain(), 3, None),
        ("plain reshape", Plain(), 3, subpixel()),
        ("channel order", TensorflowOrder(), 3, subpixel()),
        ("kernel flip", Up(UP[..., ::-1]), 2, transposed()),
        ("crop at the wrong end", Up(left=6, right=0), 2, transposed(output_padding=0)),
        ("output_padding on the wrong side", Up(left=1, right=3), 2, transposed()),
        (
            "output_padding on the wrong side",
            Up(right=3, bias=0 * UP_BIAS, pads=(2, 0)),
            2,
            transposed(bias=np.zeros(3)),
        ),
        ("gain L forgotten", triangle(1 / L), 2, upsim.Linear(L, "triangle")),
        ("half-pixel against aligned", Aligned(), 2, None),
        ("half-pixel against triangle", triangle(1.0), 2, upsim.Linear(L)),
        ("bias after the shuffle", LateBias(), 3, subpixel()),
        ("weights of another phase", Rolled(), 3, subpixel()),
        ("bias before the shuffle", Subpixel(), 3, subpixel(bias=EVEN_BIAS)),
    ]


def right():
    """Return (callable, channels, layer) without a fault."""
    return [
        (Subpixel(), 3, subpixel()),
        (Up(), 2, transposed()),
        (triangle(1.0), 2, upsim.Linear(L, "triangle")),
    ]
