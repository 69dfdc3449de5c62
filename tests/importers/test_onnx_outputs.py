"""Nodes of several outputs: whichever of them are named, and whichever are read."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("onnx", reason='onnx is missing: pip install ".[onnx]"')

from tests.importers.onnx_models import assert_same, imported, model, node
from upsim.errors import NotPredictableError

RNG = np.random.default_rng(11)


def _recurrent(gates):
    return {
        "W": RNG.normal(size=(2, gates * 3, 2)) / 2,
        "R": RNG.normal(size=(2, gates * 3, 3)) / 2,
        "B": RNG.normal(size=(2, gates * 6)),
    }


#: Operator: what it reads, its tensors, its attributes, its opset, and its outputs, each of them
#: with the shape of a signal (1, channels, time) where True.
KINDS = {
    "Split": (["x", "two"], {"two": np.array([2, 2])}, {"axis": 1}, 21, (True, True)),
    "Dropout": (["x"], {}, {}, 21, (True, False)),
    "MaxPool": (["x"], {}, {"kernel_shape": [2], "strides": [2]}, 21, (True, False)),
    "TopK": (["x", "k"], {"k": np.array([2])}, {"axis": 1}, 21, (True, False)),
    "BatchNormalization": (
        ["x", "four", "four", "four", "four"],
        {"four": np.array([1.0, 2.0, 0.5, 1.5])},
        {"training_mode": 1},
        21,
        (True, False, False),
    ),
}


@st.composite
def named_outputs(draw):
    """Return an operator, the one output that is read, and which of the others have a name."""
    kind = draw(st.sampled_from(sorted(KINDS)))
    signals = KINDS[kind][-1]
    named = [True, *(draw(st.booleans()) for _ in signals[1:])]
    read = draw(st.sampled_from([place for place, is_signal in enumerate(signals) if is_signal]))
    named[read] = True
    if kind in ("Split", "TopK"):  # all of their outputs must be there
        named = [True] * len(signals)
    while not named[-1]:
        named.pop()
    return kind, read, named


@settings(max_examples=30)
@given(named_outputs())
def test_any_output_may_be_named_and_unread(tmp_path_factory, chosen):
    kind, read, named = chosen
    reads, tensors, attributes, opset, _ = KINDS[kind]
    names = [f"o{place}" if is_named else "" for place, is_named in enumerate(named)]
    nodes = [node(kind, reads, names, **attributes), node("Tanh", [f"o{read}"])]
    proto = model(nodes, (1, 4, None), tensors=tensors, opset=opset)
    tmp_path = tmp_path_factory.mktemp("outputs")
    graph = imported(proto, tmp_path, inputs="x")
    assert_same(proto, graph, [(1, 4, 9), (1, 4, 14)])


@pytest.mark.parametrize(("kind", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
@pytest.mark.parametrize("outputs", [["r"], ["r", "h"], ["r", ""]])
def test_a_recurrent_layer_is_a_node_whatever_it_names(tmp_path, kind, gates, direction, outputs):
    count = 2 if direction == "bidirectional" else 1
    tensors = {name: array[:count] for name, array in _recurrent(gates).items()}
    if kind == "LSTM" and len(outputs) == 2:
        outputs = [*outputs, "c"]
    attributes = {"linear_before_reset": 1} if kind == "GRU" else {}
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[2, 0, 1]),
        node(kind, ["t", "W", "R", "B"], outputs, hidden_size=3, direction=direction, **attributes),
        node("Transpose", ["r"], ["s"], perm=[2, 1, 3, 0]),
        node("Reshape", ["s", "shape"]),
    ]
    tensors["shape"] = np.array([1, 3 * count, -1])
    # (batch, directions, hidden, time) to (batch, channels, time).
    proto = model(nodes, (1, 2, None), tensors=tensors, opset=17)
    graph = imported(proto, tmp_path, inputs="x")
    assert graph.kind(f"/r/{kind}") == kind
    assert_same(proto, graph, [(1, 2, 7), (1, 2, 12)], axis_out=-1)


#: Inputs of a recurrent layer that may be absent, and the shape of each in one direction.
OPTIONAL = {"B": None, "sequence_lens": None, "H": (1, 1, 3), "C": (1, 1, 3), "P": (1, 9)}


@settings(max_examples=30)
@given(
    kind=st.sampled_from(("LSTM", "GRU", "RNN")),
    present=st.sets(st.sampled_from(("B", "H", "C", "P"))),
    direction=st.sampled_from(("forward", "reverse")),
    outputs=st.sampled_from((["r"], ["r", "h"], ["r", ""])),
    trailing=st.booleans(),
)
def test_inputs_of_a_recurrent_layer_may_be_absent(
    tmp_path_factory, kind, present, direction, outputs, trailing
):
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind]
    tensors = {name: array[:1] for name, array in _recurrent(gates).items()}
    numbers = np.random.default_rng(gates)
    tensors |= {name: numbers.normal(size=OPTIONAL[name]) for name in ("H", "C", "P")}
    names = list(OPTIONAL) if kind == "LSTM" else list(OPTIONAL)[:3]
    reads = ["t", "W", "R", *(name if name in present else "" for name in names)]
    while not trailing and not reads[-1]:
        reads.pop()
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[2, 0, 1]),
        node(kind, reads, outputs, hidden_size=3, direction=direction),
        node("Squeeze", ["r", "one"], ["s"]),
        node("Transpose", ["s"], perm=[1, 2, 0]),
    ]
    kept = {name: tensors[name] for name in reads if name in tensors} | {"one": np.array([1])}
    proto = model(nodes, (1, 2, None), tensors=kept, opset=17)
    graph = imported(proto, tmp_path_factory.mktemp("absent"), inputs="x")
    assert graph.kind(f"/r/{kind}") == kind
    assert_same(proto, graph, [(1, 2, 7), (1, 2, 12)])


#: What is read with an empty name between, or behind; and its attributes.
ABSENT = [
    ("Clip", ["x", "", "half"], {}),
    ("Clip", ["x", "half", ""], {}),
    ("Clip", ["x", "", ""], {}),
    ("Pad", ["x", "ends", "", "last"], {}),
    ("Slice", ["x", "starts", "stops", "", "ones"], {}),
    ("Squeeze", ["x", ""], {}),
    ("Resize", ["x", "", "scales", ""], {"mode": "nearest"}),
    ("Dropout", ["x", "", ""], {}),
    ("ReduceMean", ["x", ""], {"noop_with_empty_axes": 1}),
    ("Conv", ["x", "w", ""], {}),
    ("ConvTranspose", ["x", "w", ""], {"strides": [2]}),
    ("LayerNormalization", ["x", "four", ""], {"axis": 1}),
    ("CumSum", ["x", "axis"], {}),
    ("Split", ["x", ""], {"axis": 1, "num_outputs": 1}),
]


@pytest.mark.parametrize(("kind", "reads", "attributes"), ABSENT, ids=str)
def test_an_absent_input_is_its_default(tmp_path, kind, reads, attributes):
    values = {
        "half": 0.5,
        "ends": [1, 2],
        "last": [2],
        "starts": [0, 1, 1],
        "stops": [1, 3, 99],
        "ones": [1, 1, 2],
        "axis": 2,
        "four": np.arange(1.0, 5.0)[:, None],
        "w": RNG.normal(size=(4, 4, 3)),
    }
    tensors = {name: np.array(value) for name, value in values.items() if name in reads}
    if "scales" in reads:
        tensors["scales"] = np.float32([1, 1, 2])
    nodes = [node(kind, reads, ["a"], **attributes), node("Tanh", ["a"])]
    proto = model(nodes, (1, 4, None), tensors=tensors)
    graph = imported(proto, tmp_path, inputs="x")
    assert not any("not compared" in each for each in graph.notes)
    assert_same(proto, graph, [(1, 4, 9), (1, 4, 14)])


#: Nodes that no layer says, each in one step: their reads and attributes.
WITHOUT_A_LAYER = [
    ("LayerNormalization", ["x", "four"], {"axis": 1}),
    ("RMSNormalization", ["x", "one"], {"axis": 1}),
    ("Softmax", ["x"], {"axis": 2}),
    ("Conv", ["x", "hidden"], {}),
]


@pytest.mark.parametrize(("kind", "reads", "attributes"), WITHOUT_A_LAYER, ids=str)
def test_a_node_that_no_layer_says_is_run(tmp_path, kind, reads, attributes):
    tensors = {"four": np.arange(1.0, 5.0)[:, None], "one": np.array([1.5]), "last": np.array([2])}
    nodes = [node(kind, reads, ["a"], **attributes), node("Tanh", ["a"])]
    if "hidden" in reads:
        nodes = [
            node("ReduceMean", ["x", "last"], ["mean"]),
            node("Tanh", ["mean"], ["hidden"]),
            *nodes,
        ]
    proto = model(nodes, (1, 4, None), tensors=tensors, opset=23)
    graph = imported(proto, tmp_path, inputs="x")
    assert graph.kind(f"/a/{kind}")
    assert_same(proto, graph, [(1, 4, 9), (1, 4, 14)])


def test_a_last_state_has_no_time_and_is_refused(tmp_path):
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[2, 0, 1]),
        node("GRU", ["t", "W", "R"], ["r", "h"], hidden_size=3),
        node("Transpose", ["h"], perm=[1, 2, 0]),
    ]
    tensors = {name: array[:1] for name, array in _recurrent(3).items() if name != "B"}
    proto = model(nodes, (1, 2, None), tensors=tensors, opset=17)
    with pytest.raises(NotPredictableError, match="all samples of time"):
        imported(proto, tmp_path, inputs="x")


torch = pytest.importorskip("torch", reason="torch is missing: pip install torch")


class Recurrent(torch.nn.Module):
    """A recurrent layer before a transposed convolution, time last outside."""

    def __init__(self, kind, bidirectional, layers):
        super().__init__()
        self.rnn = getattr(torch.nn, kind)(2, 3, num_layers=layers, bidirectional=bidirectional)
        self.up = torch.nn.ConvTranspose1d(6 if bidirectional else 3, 1, 4, 2, 1)

    def forward(self, x):
        made, _ = self.rnn(x.permute(2, 0, 1))
        return self.up(made.permute(1, 2, 0))


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize(("bidirectional", "layers"), [(False, 1), (True, 2)])
def test_what_torch_exports_is_what_torch_computes(tmp_path, kind, bidirectional, layers):
    from upsim.importers.onnx_file import from_onnx
    from upsim.neural.run import run_graph
    from upsim.words.tolerance import rounding

    torch.manual_seed(3)
    module = Recurrent(kind, bidirectional, layers).eval()
    path = tmp_path / "model.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (torch.zeros(1, 2, 24),),
            path,
            dynamo=False,
            input_names=["x"],
            output_names=["y"],
            dynamic_axes={"x": {2: "T"}, "y": {2: "N"}},
            opset_version=17,
        )
    graph = from_onnx(path, "x", sample_rate=16000)
    assert "Opaque" in [type(part.layer).__name__ for part in graph.parts]
    samples = RNG.normal(size=(1, 2, 17))
    with torch.no_grad():
        want = module.double()(torch.tensor(samples)).numpy()
    got = run_graph(graph, [samples])[graph.end]
    # The file holds the weights in single precision, as the module did.
    assert np.max(np.abs(got - want)) <= rounding(256, 1.0)
