"""A graph is what the model is, or the first node that differs is named."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

onnx = pytest.importorskip("onnx", reason='onnx is missing: pip install ".[onnx]"')

from tests.importers.onnx_models import (  # noqa: E402
    assert_close,
    assert_same,
    evaluated,
    imported,
    model,
    node,
)
from upsim.errors import NotPredictableError  # noqa: E402
from upsim.importers import onnx_file  # noqa: E402
from upsim.importers.onnx_reference import convolved, faster_operators, transposed  # noqa: E402

RNG = np.random.default_rng(7)


def generator():
    """Return a small generator: a convolution, two branches, an upsampling."""
    nodes = [
        node("Conv", ["x", "w"], ["a"], pads=[1, 1]),
        node("Tanh", ["a"], ["b"]),
        node("Conv", ["b", "p"], ["q"]),
        node("Sigmoid", ["q"], ["c"]),
        node("Mul", ["a", "c"], ["d"]),
        node("Transpose", ["d"], ["e"], perm=[0, 2, 1]),
        node("Relu", ["e"], ["f"]),
        node("Transpose", ["f"], ["g"], perm=[0, 2, 1]),
        node("ConvTranspose", ["g", "v"], ["h"], strides=[2]),
        node("LeakyRelu", ["h"], alpha=0.2),
    ]
    tensors = {
        "w": RNG.normal(size=(4, 2, 3)),
        "p": RNG.normal(size=(4, 4, 1)),
        "v": RNG.normal(size=(4, 1, 4)),
    }
    return model(nodes, (1, 2, None), tensors=tensors)


def _as(kind):
    """Return a converter that reads a node as another function."""

    def converter(recorder, node):
        recorder.elementwise(kind, [node.input[0]], node.output[0])

    return converter


@pytest.mark.parametrize(
    ("operator", "wrong", "name"),
    [
        ("Tanh", "sigmoid", "/b/Tanh"),
        ("Sigmoid", "tanh", "/c/Sigmoid"),
        ("Relu", "sigmoid", "/f/Relu"),
        ("LeakyRelu", "relu", "/y/LeakyRelu"),
    ],
)
def test_a_node_that_is_read_wrongly_is_named(tmp_path, monkeypatch, operator, wrong, name):
    assert imported(generator(), tmp_path).notes == ()
    monkeypatch.setitem(onnx_file.CONVERTERS, operator, _as(wrong))
    with pytest.raises(NotPredictableError, match=f"first at node '{name}'") as caught:
        imported(generator(), tmp_path)
    assert "does not compute what the model does" in str(caught.value)


def test_an_offset_too_small_to_see_is_found(tmp_path, monkeypatch):
    def converter(recorder, node):
        made = recorder.fresh("relu")
        recorder.elementwise("relu", [node.input[0]], made)
        recorder.elementwise("add", [made, np.array(3e-4)], node.output[0])

    monkeypatch.setitem(onnx_file.CONVERTERS, "Relu", converter)
    with pytest.raises(NotPredictableError, match="first at node '/f/Relu"):
        imported(generator(), tmp_path)


def test_a_product_of_the_wrong_sign_is_found_at_its_node(tmp_path, monkeypatch):
    def converter(recorder, node):
        made = recorder.fresh("product")
        recorder.elementwise("multiply", list(node.input), made)
        recorder.elementwise("negative", [made], node.output[0])

    monkeypatch.setitem(onnx_file.CONVERTERS, "Mul", converter)
    with pytest.raises(NotPredictableError, match="first at node '/d/Mul"):
        imported(generator(), tmp_path)


def unbiased(length):
    """Return a normalisation that divides by n - 1, n read off the input's shape."""
    nodes = [
        node("ReduceMean", ["x", "time"], ["m"]),
        node("Sub", ["x", "m"], ["c"]),
        node("Mul", ["c", "c"], ["s"]),
        node("ReduceMean", ["s", "time"], ["v"]),
        node("Shape", ["x"], ["shape"]),
        node("Gather", ["shape", "two"], ["n"]),
        node("ReduceProd", ["n"], ["p"]),
        node("Cast", ["p"], ["f"], to=onnx.TensorProto.DOUBLE),
        node("Sub", ["f", "one"], ["less"]),
        node("Div", ["f", "less"], ["bessel"]),
        node("Mul", ["v", "bessel"], ["u"]),
        node("Add", ["u", "eps"], ["e"]),
        node("Sqrt", ["e"], ["r"]),
        node("Div", ["c", "r"]),
    ]
    tensors = {
        "time": np.array([2]),
        "two": np.array([2]),
        "one": np.array(1.0),
        "eps": np.array(1e-5),
    }
    return model(nodes, (1, 2, length), tensors=tensors)


def test_a_number_that_follows_the_length_is_no_constant(tmp_path):
    with pytest.raises(NotPredictableError, match=r"changes with the length.*/u/Mul|/bessel"):
        imported(unbiased(None), tmp_path)


def test_a_model_of_one_length_is_right_there_and_says_so(tmp_path):
    proto = unbiased(24)
    graph = imported(proto, tmp_path)
    assert any("takes inputs of shape (1, 2, 24) only" in each for each in graph.notes)
    assert_same(proto, graph, [(1, 2, 24)])


def test_what_the_evaluator_cannot_run_is_said_with_its_node(tmp_path):
    # The evaluator cannot make a padding shorter than nothing; onnxruntime cuts.
    nodes = [node("Tanh", ["x"], ["a"]), node("Pad", ["a", "ends"])]
    proto = model(nodes, (1, 2, None), tensors={"ends": np.array([0, 0, -2, 0, 0, -1])})
    (note,) = imported(proto, tmp_path).notes
    assert note.startswith("the graph is not compared with the model's own output")
    assert "'/y/Pad' (Pad)" in note


def test_noise_of_the_model_is_compared_as_it_was_drawn(tmp_path):
    nodes = [
        node("RandomNormalLike", ["x"], ["n"], scale=0.5),
        node("Mul", ["n", "half"], ["m"]),
        node("Add", ["x", "m"], ["a"]),
        node("Tanh", ["a"]),
    ]
    graph = imported(model(nodes, (1, 2, None), tensors={"half": np.array(0.5)}), tmp_path)
    assert len(graph.inputs) == 2
    assert graph.notes == ()


def test_single_precision_and_constants_inside_the_graph_are_compared(tmp_path):
    one = onnx.numpy_helper.from_array(np.float32([0.5]))
    nodes = [
        node("Constant", [], ["half"], value=one),
        node("Cast", ["x"], ["f"], to=onnx.TensorProto.FLOAT),
        node("Mul", ["f", "half"], ["m"]),
        node("Conv", ["m", "w"]),
    ]
    proto = model(
        nodes,
        (1, 2, None),
        tensors={"w": RNG.normal(size=(3, 2, 3)).astype(np.float32)},
        kind=onnx.TensorProto.FLOAT,
    )
    assert imported(proto, tmp_path).notes == ()


@st.composite
def convolutions(draw):
    """Return the attributes of a convolution along one axis, of groups, and its sizes."""
    groups = draw(st.integers(1, 3))
    attributes = {
        "group": groups,
        "strides": [draw(st.integers(1, 4))],
        "dilations": [draw(st.integers(1, 3))],
    }
    sizes = [draw(st.integers(1, 3)) for _ in range(2)] + [draw(st.integers(1, 5))]
    if draw(st.booleans()):
        attributes["pads"] = [draw(st.integers(0, 2)), draw(st.integers(0, 2))]
    else:
        attributes["auto_pad"] = draw(st.sampled_from(["SAME_UPPER", "SAME_LOWER", "VALID"]))
    return attributes, groups, sizes


@settings(max_examples=60)
@given(convolutions(), st.booleans())
def test_the_faster_convolutions_are_those_of_onnxruntime(chosen, backwards):
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is missing")
    attributes, groups, (first, second, taps) = chosen
    attributes = dict(attributes)
    if backwards and "auto_pad" in attributes:
        # Where the full response is shorter than SAME asks for, onnxruntime adds no zeros.
        attributes["dilations"] = [1]
        attributes["strides"] = [min(taps, *attributes["strides"])]
    kind = "ConvTranspose" if backwards else "Conv"
    shape = (groups * first, second, taps) if backwards else (groups * second, first, taps)
    weight = RNG.normal(size=shape)
    samples = RNG.normal(size=(1, groups * first, 17))
    proto = model(
        [node(kind, ["x", "w"], **attributes)],
        samples.shape,
        tensors={"w": weight.astype(np.float32)},
        kind=onnx.TensorProto.FLOAT,
    )
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = runtime.InferenceSession(proto.SerializeToString(), options)
        (want,) = session.run(None, {"x": samples.astype(np.float32)})
    except Exception:  # noqa: BLE001 - what it refuses is no case
        return
    function = transposed if backwards else convolved
    made = function(samples, weight.astype(np.float32), attributes)
    assert_close(made[0], want, np.float32)


def test_the_faster_convolutions_are_those_of_the_evaluator_on_pictures():
    nodes = [
        node("Conv", ["x", "w"], ["a"], strides=[2, 1], pads=[1, 0, 2, 1], dilations=[1, 2]),
        node("ConvTranspose", ["a", "v"], strides=[1, 3], pads=[0, 1, 1, 2]),
    ]
    tensors = {"w": RNG.normal(size=(3, 2, 3, 2)), "v": RNG.normal(size=(3, 2, 2, 4))}
    proto = model(nodes, (1, 2, 9, 11), tensors=tensors)
    samples = RNG.normal(size=(1, 2, 9, 11))
    fast = onnx.reference.ReferenceEvaluator(proto, new_ops=list(faster_operators()))
    (made,) = fast.run(None, {"x": samples})
    assert_close(made.reshape(1, -1), evaluated(proto, samples).reshape(1, -1))
