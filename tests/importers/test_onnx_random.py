"""Random small ONNX models against ONNX's reference evaluator, edges included."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

onnx = pytest.importorskip("onnx", reason='onnx is missing: pip install ".[onnx]"')

from tests.importers.onnx_models import assert_same, imported, model, node  # noqa: E402
from upsim.operators.edges import PADDING_MODES  # noqa: E402

_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


class Network:
    """Nodes as they are drawn, with the channels of each value at the rate reached so far."""

    def __init__(self, draw):
        self.draw = draw
        self.rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        self.nodes, self.tensors = [], {}
        self.value, self.channels = "x", 2

    def tensor(self, array):
        name = f"t{len(self.tensors)}"
        self.tensors[name] = np.asarray(array)
        return name

    def weight(self, *shape):
        return self.tensor(self.rng.normal(size=shape) / np.sqrt(np.prod(shape[1:])))

    def add(self, kind, reads, channels=None, **attributes):
        made = f"v{len(self.nodes)}"
        self.nodes.append(node(kind, reads, [made], **attributes))
        self.value = made
        self.channels = self.channels if channels is None else channels
        return made

    def conv(self):
        taps, out = self.draw(st.integers(1, 4)), self.draw(st.integers(1, 4))
        pads = [self.draw(st.integers(0, 2)), self.draw(st.integers(0, 2))]
        weight, bias = self.weight(out, self.channels, taps), self.weight(out)
        dilations = [self.draw(st.integers(1, 2))]
        self.add("Conv", [self.value, weight, bias], out, pads=pads, dilations=dilations)

    def up(self):
        stride, out = self.draw(st.integers(2, 3)), self.draw(st.integers(1, 4))
        taps = stride + self.draw(st.integers(0, 3))
        total = taps - stride
        left = self.draw(st.integers(0, total))
        weight = self.weight(self.channels, out, taps)
        pads = [left, total - left]
        self.add("ConvTranspose", [self.value, weight], out, strides=[stride], pads=pads)

    def shuffle(self):
        factor = self.draw(st.integers(2, 3))
        weight = self.weight(self.channels * factor, self.channels, 1)
        self.add("Conv", [self.value, weight])
        order = self.draw(st.booleans())
        split = [1, self.channels, factor, -1] if order else [1, factor, self.channels, -1]
        perm = [0, 1, 3, 2] if order else [0, 2, 3, 1]
        self.add("Reshape", [self.value, self.tensor(np.array(split))])
        self.add("Transpose", [self.value], perm=perm)
        self.add("Reshape", [self.value, self.tensor(np.array([1, self.channels, -1]))])

    def pad(self):
        mode = _MODES[self.draw(st.sampled_from(PADDING_MODES))]
        ends = [self.draw(st.integers(0, 2)), self.draw(st.integers(0, 2))]
        pads = self.tensor(np.array([0, 0, ends[0], 0, 0, ends[1]]))
        self.add("Pad", [self.value, pads], mode=mode)

    def crop(self):
        ends = [np.array([self.draw(st.integers(0, 2))]), np.array([-self.draw(st.integers(1, 2))])]
        names = [self.tensor(each) for each in (*ends, np.array([2]))]
        self.add("Slice", [self.value, *names])

    def resize(self):
        kind = self.draw(st.sampled_from(("nearest", "linear")))
        scale = self.tensor(np.array([1, 1, self.draw(st.integers(2, 3))], np.float32))
        self.add("Resize", [self.value, "", scale], mode=kind)

    def activation(self):
        kind = self.draw(st.sampled_from(("Tanh", "Relu", "Sigmoid", "Sin", "Elu", "Abs")))
        self.add(kind, [self.value])

    def scale(self):
        kind = self.draw(st.sampled_from(("Add", "Mul", "Sub", "Div")))
        # Away from zero: a division by next to nothing says nothing about the import.
        numbers = self.rng.uniform(0.5, 2.0, size=(self.channels, 1))
        self.add(kind, [self.value, self.tensor(numbers)])

    def residual(self):
        before, channels = self.value, self.channels
        self.activation()
        weight = self.weight(channels, channels, 3)
        self.add("Conv", [self.value, weight], pads=[1, 1])
        self.add("Add", [before, self.value])

    def gate(self):
        weight = self.weight(2 * self.channels, self.channels, 1)
        self.add("Conv", [self.value, weight])
        first, second = f"v{len(self.nodes)}a", f"v{len(self.nodes)}b"
        self.nodes.append(node("Split", [self.value], [first, second], axis=1, num_outputs=2))
        opened = self.add("Sigmoid", [second])
        carried = self.add("Tanh", [first]) if self.draw(st.booleans()) else first
        self.add("Mul", [carried, opened])

    def groups(self):
        both = 2 * self.channels
        self.add("Concat", [self.value, self.value], both, axis=1)
        order = [int(each) for each in self.rng.permutation(both)]
        self.add("Gather", [self.value, self.tensor(np.array(order))], axis=1)


_BLOCKS = (
    "conv up shuffle pad crop resize activation scale residual gate groups".split()  # noqa: SIM905
)


@st.composite
def networks(draw):
    """Return a model of two to six blocks whose rate grows at most ninefold."""
    network = Network(draw)
    network.conv()  # a pad and its crop alone compute nothing, which is refused
    grown = 0
    for _ in range(draw(st.integers(2, 6))):
        kind = draw(st.sampled_from(_BLOCKS))
        if kind in ("up", "shuffle", "resize"):
            grown += 1
        if grown > 2:
            kind, grown = "conv", 2
        if kind == "groups" and network.channels > 4:
            kind = "activation"
        getattr(network, kind)()
    network.nodes.append(node("Identity", [network.value]))
    return model(network.nodes, (1, 2, None), tensors=network.tensors)


@given(networks())
def test_a_random_model_agrees_with_onnx(tmp_path_factory, proto):
    graph = imported(proto, tmp_path_factory.mktemp("model"))
    # Six blocks, each of sums over at most 16 channels and 7 taps.
    assert_same(proto, graph, [(1, 2, 17), (1, 2, 24)], operations=6 * 128)
    assert [each.name for each in graph.inputs] == ["x"]
