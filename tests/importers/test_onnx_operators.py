"""Operators of ONNX, one small model each, against ONNX's reference evaluator."""

from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason='onnx is missing: pip install ".[onnx]"')

import upsim  # noqa: E402
from tests.importers.onnx_models import assert_same, imported, model, node  # noqa: E402
from upsim.words.tolerance import rounding  # noqa: E402

RNG = np.random.default_rng(11)


def numbers(*shape):
    return RNG.normal(size=shape)


def check(tmp_path, nodes, tensors=None, *, layers, dtype=np.float64, opset=21, shape=(1, 4, None)):
    """Import a model, name the layers that it becomes, and compare it at three lengths."""
    kind = onnx.TensorProto.DOUBLE if opset >= 13 else onnx.TensorProto.FLOAT
    proto = model(nodes, shape, tensors=tensors, opset=opset, kind=kind)
    graph = imported(proto, tmp_path)
    assert [type(part.layer).__name__ for part in graph.parts] == layers.split()
    shapes = [tuple(n if size is None else size for size in shape) for n in (9, 12, 20)]
    assert_same(proto, graph, shapes, dtype)
    return graph


#: Attributes of ONNX are single precision: 0.1 stands for the number that was typed.
SINGLE = np.float32

UNARY = {
    "Sin": "Sin",
    "Tanh": "Tanh",
    "Neg": "Scale",
    "Abs": "LeakyReLU",
    "Sigmoid": "Sigmoid",
    "Relu": "ReLU",
    "Softplus": "Softplus",
    "Elu": "ELU",
    "Swish": "SiLU",
    "Cos": "Sin",
    "Exp": "Pointwise",
    "Sign": "Pointwise",
    "Floor": "Pointwise",
    "Ceil": "Pointwise",
    "Softsign": "Pointwise",
    "Mish": "Pointwise",
    "Tan": "Pointwise",
    "Sinh": "Pointwise",
    "Cosh": "Pointwise",
    "ThresholdedRelu": "Pointwise",
    "Celu": "Scale ELU Scale",
    "Atan": "Pointwise",
    "Round": "Pointwise",
}
UNARY_SINGLE = {
    # The evaluator's own constants are of single precision, or the attributes are.
    "Erf": "Pointwise",
    "HardSwish": "Pointwise",
    "LeakyRelu": "LeakyReLU",
    "Selu": "ELU Scale",
    "HardSigmoid": "Scale Bias Clamp",
    "Gelu": "GELU",
}


@pytest.mark.parametrize("kind", UNARY)
def test_functions_of_one_number(kind, tmp_path):
    check(tmp_path, [node(kind, ["x"])], layers=UNARY[kind], opset=24)


@pytest.mark.parametrize("kind", UNARY_SINGLE)
def test_functions_with_numbers_of_single_precision(kind, tmp_path):
    check(tmp_path, [node(kind, ["x"])], layers=UNARY_SINGLE[kind], dtype=SINGLE, opset=24)


def test_attributes_of_functions(tmp_path):
    tanh = [node("Gelu", ["x"], approximate="tanh")]
    check(tmp_path, tanh, layers="GELU", dtype=SINGLE)
    graph = check(tmp_path, [node("LeakyRelu", ["x"], alpha=0.1)], layers="LeakyReLU", dtype=SINGLE)
    assert graph.parts[0].layer.negative_slope == 0.1
    check(tmp_path, [node("Celu", ["x"], alpha=2.0)], layers="Scale ELU Scale")
    ends = {"a": np.array(-0.5), "b": np.array(0.25)}
    check(tmp_path, [node("Clip", ["x", "a", "b"])], ends, layers="Clamp")
    check(tmp_path, [node("Clip", ["x", "", "b"])], {"b": ends["b"]}, layers="Clamp")
    check(
        tmp_path, [node("Clip", ["x"], min=-0.25, max=0.5)], layers="Clamp", opset=6, dtype=SINGLE
    )
    check(tmp_path, [node("PRelu", ["x", "s"])], {"s": numbers(4, 1)}, layers="PReLU")
    check(tmp_path, [node("PRelu", ["x", "s"])], {"s": numbers(1)}, layers="LeakyReLU")


@pytest.mark.parametrize(
    ("kind", "behind", "before"),
    [
        ("Add", "Bias", "Bias"),
        ("Sub", "Bias", "Scale Bias"),
        ("Mul", "Scale", "Scale"),
        ("Div", "Scale", "Pointwise"),
    ],
)
def test_arithmetic_with_constants_and_with_values(kind, behind, before, tmp_path):
    constant = {"c": numbers(4, 1)}
    check(tmp_path, [node(kind, ["x", "c"])], constant, layers=behind)
    check(tmp_path, [node(kind, ["c", "x"])], constant, layers=before)
    name = {"Add": "Add", "Sub": "Subtract", "Mul": "Multiply", "Div": "Divide"}[kind]
    for out, spread in ((4, ""), (1, "Select ")):
        nodes = [
            node("Tanh", ["x"], ["a"]),
            node("Conv", ["x", "w"], ["b"], pads=[1, 1]),
            node(kind, ["a", "b"]),
        ]
        weight = {"w": numbers(out, 4, 3)}
        check(tmp_path, nodes, weight, layers=f"Tanh Conv {spread}{name}")


@pytest.mark.parametrize(
    ("kind", "layers"),
    [("Sum", "Add Add"), ("Mean", "Add Add Scale"),
     ("Max", "Pointwise Pointwise"), ("Min", "Pointwise Pointwise")],
)  # fmt: skip
def test_functions_of_several_values(kind, layers, tmp_path):
    nodes = [
        node("Conv", ["x", "v"], ["a"], pads=[1, 1]),
        node("Conv", ["x", "w"], ["b"], pads=[1, 1]),
        node(kind, ["a", "b", "x"]),
    ]
    weights = {"v": numbers(4, 4, 3), "w": numbers(4, 4, 3)}
    check(tmp_path, nodes, weights, layers=f"Conv Conv {layers}")


def test_a_choice_between_two_values(tmp_path):
    nodes = [
        node("Greater", ["x", "level"], ["m"]),
        node("Conv", ["x", "w"], ["b"], pads=[1, 1]),
        node("Where", ["m", "x", "b"]),
    ]
    tensors = {"level": np.array(0.2), "w": numbers(4, 4, 3)}
    check(tmp_path, nodes, tensors, layers="Pointwise Conv Pointwise")


def test_a_function_without_a_layer_is_predicted_with_noise(tmp_path):
    graph = check(tmp_path, [node("Cos", ["x"])], layers="Sin")
    answer = upsim.predict(graph, upsim.WhiteNoise(1.0))
    # E cos z = e^(-1/2), E cos^2 z = (1 + e^(-2)) / 2
    (line,) = answer.tones
    assert np.allclose(line.amplitude, np.exp(-0.5), rtol=rounding(2**10, 1.0))
    power = (1 + np.exp(-2)) / 2 - np.exp(-1)
    assert np.allclose(answer.noise_power, power, rtol=rounding(2**10, 1.0))


def snake(alpha, beta):
    return [
        node("Mul", ["x", "alpha"], ["1"]),
        node("Sin", ["1"], ["2"]),
        node("Pow", ["2", "two"], ["3"]),
        node("Mul", ["3", "share"], ["4"]),
        node("Add", ["x", "4"]),
    ], {"alpha": alpha, "two": np.array(2.0), "share": 1 / beta}


def test_activations_that_exporters_write_out(tmp_path):
    alpha = np.abs(numbers(1, 4, 1)) + 0.2
    nodes, tensors = snake(alpha, alpha)
    check(tmp_path, nodes, tensors, layers="Snake")
    nodes, tensors = snake(alpha, np.abs(numbers(1, 4, 1)) + 0.2)
    check(tmp_path, nodes, tensors, layers="SnakeBeta")
    cosine = [
        node("Mul", ["x", "double"], ["1"]),
        node("Cos", ["1"], ["2"]),
        node("Sub", ["one", "2"], ["3"]),
        node("Mul", ["3", "share"], ["4"]),
        node("Add", ["x", "4"]),
    ]
    tensors = {"double": 2 * alpha, "one": np.array(1.0), "share": 0.5 / alpha}
    check(tmp_path, cosine, tensors, layers="Snake")
    gelu = [
        node("Div", ["x", "root"], ["1"]),
        node("Erf", ["1"], ["2"]),
        node("Add", ["2", "one"], ["3"]),
        node("Mul", ["x", "3"], ["4"]),
        node("Mul", ["4", "half"]),
    ]
    tensors = {"root": np.array(np.sqrt(2)), "one": np.array(1.0), "half": np.array(0.5)}
    check(tmp_path, gelu, tensors, layers="GELU", dtype=SINGLE)
    silu = [node("Sigmoid", ["x"], ["1"]), node("Mul", ["x", "1"])]
    check(tmp_path, silu, layers="SiLU")
    gate = [
        node("Split", ["x"], ["a", "b"], axis=1, num_outputs=2),
        node("Tanh", ["a"], ["c"]),
        node("Sigmoid", ["b"], ["d"]),
        node("Mul", ["c", "d"]),
    ]
    check(tmp_path, gate, layers="Gate")
    glu = [gate[0], node("Sigmoid", ["b"], ["d"]), node("Mul", ["a", "d"])]
    check(tmp_path, glu, layers="GLU")


def test_normalisations(tmp_path):
    vectors = {"s": numbers(4), "b": numbers(4)}
    nodes = [node("BatchNormalization", ["x", "s", "b", "m", "v"])]
    tensors = vectors | {"m": numbers(4), "v": np.abs(numbers(4)) + 0.5}
    check(tmp_path, nodes, tensors, layers="BatchNorm", dtype=SINGLE)
    nodes = [node("InstanceNormalization", ["x", "s", "b"])]
    check(tmp_path, nodes, vectors, layers="InstanceNorm", dtype=SINGLE)
    nodes = [node("GroupNormalization", ["x", "s", "b"], num_groups=2)]
    check(tmp_path, nodes, vectors, layers="GroupNorm", dtype=SINGLE)
    groups = {"s": numbers(2), "b": numbers(2)}
    check(tmp_path, nodes, groups, layers="GroupNorm", dtype=SINGLE, opset=18)
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[0, 2, 1]),
        node("LayerNormalization", ["t", "s", "b"], ["u"], axis=-1),
        node("Transpose", ["u"], perm=[0, 2, 1]),
    ]
    check(tmp_path, nodes, vectors, layers="LayerNorm", dtype=SINGLE)
    exported = [
        node("Reshape", ["x", "groups"], ["a"]),
        node("InstanceNormalization", ["a", "ones", "zeros"], ["b"]),
        node("Shape", ["x"], ["shape"]),
        node("Reshape", ["b", "shape"], ["c"]),
        node("Mul", ["c", "weight"]),
    ]
    tensors = {
        "groups": np.array([0, 2, -1]),
        "ones": np.ones(2),
        "zeros": np.zeros(2),
        "weight": numbers(4, 1),
    }
    check(tmp_path, exported, tensors, layers="GroupNorm Scale", dtype=SINGLE)


def test_rows_of_several_channels_are_normalised_together(tmp_path):
    # (1, 2, n, 3): each of two rows holds three channels.
    nodes = [node("InstanceNormalization", ["x", "s", "b"])]
    tensors = {"s": numbers(2), "b": numbers(2)}
    proto = model(nodes, (1, 2, None, 3), tensors=tensors)
    graph = imported(proto, tmp_path)
    assert [repr(part.layer)[:15] for part in graph.parts] == ["GroupNorm(2, 6,"]
    assert_same(proto, graph, [(1, 2, 20, 3)], SINGLE, axis=2, axis_out=2)


@pytest.mark.parametrize(("axis", "layer"), [(1, "LayerNorm"), (2, "InstanceNorm")])
def test_normalisations_that_are_written_out(axis, layer, tmp_path):
    nodes = [
        node("ReduceMean", ["x", "axis"], ["m"]),
        node("Sub", ["x", "m"], ["c"]),
        node("Pow", ["c", "two"], ["p"]),
        node("ReduceMean", ["p", "axis"], ["v"]),
        node("Add", ["v", "eps"], ["e"]),
        node("Sqrt", ["e"], ["q"]),
        node("Div", ["c", "q"]),
    ]
    tensors = {"axis": np.array([axis]), "two": np.array(2.0), "eps": np.array(1e-5)}
    proto = model(nodes, (1, 4, None), tensors=tensors)
    graph = imported(proto, tmp_path)
    assert [type(part.layer).__name__ for part in graph.parts] == [layer]
    # A division by a root of at least eps passes an error on, so many times larger.
    assert_same(proto, graph, [(1, 4, 30)], operations=int(256 / np.sqrt(1e-5)))


def test_upsampling_that_is_written_with_movements(tmp_path):
    keras = [
        node("Transpose", ["x"], ["t"], perm=[0, 2, 1]),
        node("Unsqueeze", ["t", "ax"], ["u"]),
        node("Expand", ["u", "e"], ["w"]),
        node("Reshape", ["w", "r"], ["z"]),
        node("Transpose", ["z"], perm=[0, 2, 1]),
    ]
    tensors = {"ax": np.array([2]), "e": np.array([1, 1, 3, 1]), "r": np.array([0, -1, 4])}
    check(tmp_path, keras, tensors, layers="Nearest")
    by_shape = [
        node("Shape", ["x"], ["s"]),
        node("Gather", ["s", "two"], ["n"]),
        node("Mul", ["n", "three"], ["m"]),
        node("Unsqueeze", ["m", "zero"], ["mm"]),
        node("Concat", ["head", "mm"], ["target"], axis=0),
        node("Unsqueeze", ["x", "three1"], ["u"]),
        node("Tile", ["u", "times"], ["w"]),
        node("Reshape", ["w", "target"]),
    ]
    tensors = {
        "two": np.array(2),
        "three": np.array(3),
        "zero": np.array([0]),
        "three1": np.array([3]),
        "head": np.array([1, 4]),
        "times": np.array([1, 1, 1, 3]),
    }
    check(tmp_path, by_shape, tensors, layers="Nearest")
    subpixel = [
        node("Conv", ["x", "w"], ["a"], pads=[1, 1]),
        node("Reshape", ["a", "r"], ["b"]),
        node("Transpose", ["b"], ["c"], perm=[0, 1, 3, 2]),
        node("Reshape", ["c", "r2"]),
    ]
    tensors = {"w": numbers(6, 4, 3), "r": np.array([1, 2, 3, -1]), "r2": np.array([1, 2, -1])}
    check(tmp_path, subpixel, tensors, layers="Conv PeriodicShuffle")


def test_movements(tmp_path):
    def ints(**named):
        return {name: np.array(value) for name, value in named.items()}

    nodes = [node("Slice", ["x", "a", "b", "c"])]
    check(tmp_path, nodes, ints(a=[2], b=[-1], c=[2]), layers="Crop")
    check(tmp_path, nodes, ints(a=[1], b=[3], c=[1]), layers="Select")
    nodes = [node("Slice", ["x", "a", "b", "c", "d"])]
    check(tmp_path, nodes, ints(a=[1], b=[2**62], c=[2], d=[2]), layers="Decimate")
    nodes = [node("Gather", ["x", "i"], axis=1)]
    check(tmp_path, nodes, ints(i=[3, 0]), layers="Select")
    check(tmp_path, nodes, ints(i=2), layers="Select")
    nodes = [node("Tanh", ["x"], ["a"]), node("Concat", ["x", "a"], axis=1)]
    check(tmp_path, nodes, layers="Tanh Concatenate")
    nodes = [
        node("Tanh", ["x"], ["a"]),
        node("Unsqueeze", ["x", "ax"], ["x1"]),
        node("Unsqueeze", ["a", "ax"], ["a1"]),
        node("Concat", ["x1", "a1"], ["c"], axis=3),
        node("Reshape", ["c", "r"]),
    ]
    tensors = ints(ax=[3], r=[1, 4, -1])
    check(tmp_path, nodes, tensors, layers="Tanh Concatenate PeriodicShuffle")
    nodes = [
        node("ConvTranspose", ["x", "w"], ["a"], strides=[2]),
        node("Shape", ["x"], ["s"]),
        node("Slice", ["s", "two", "three"], ["n"]),
        node("Mul", ["n", "two"], ["m"]),
        node("Slice", ["a", "zero", "m", "two"]),
    ]
    tensors = ints(two=[2], three=[3], zero=[0]) | {"w": numbers(4, 2, 4)}
    check(tmp_path, nodes, tensors, layers="TransposedConv Crop")
    nodes = [node("Identity", ["x"], ["a"]), node("Dropout", ["a"], ["b"]), node("Relu", ["b"])]
    check(tmp_path, nodes, layers="ReLU")


def test_a_time_that_is_turned_round_is_refused(tmp_path):
    tensors = {
        "a": np.array([-1]),
        "b": np.array([-(2**62)]),
        "c": np.array([2]),
        "d": np.array([-1]),
    }
    nodes = [
        node("Slice", ["x", "a", "b", "c", "d"]),
    ]
    proto = model(nodes, (1, 2, None), tensors=tensors)
    from upsim.errors import NotPredictableError

    with pytest.raises(NotPredictableError, match="not the same along time"):
        imported(proto, tmp_path)


def test_products_with_matrices(tmp_path):
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[0, 2, 1]),
        node("MatMul", ["t", "w"], ["u"]),
        node("Add", ["u", "b"], ["v"]),
        node("Transpose", ["v"], perm=[0, 2, 1]),
    ]
    check(tmp_path, nodes, {"w": numbers(4, 3), "b": numbers(3)}, layers="Conv Bias")
    check(tmp_path, [node("MatMul", ["w", "x"])], {"w": numbers(3, 4)}, layers="Conv")
    mean = [node("ReduceMean", ["x", "axis"])]
    check(tmp_path, mean, {"axis": np.array([1])}, layers="Conv")
    level = [node("ReduceL2", ["x", "axis"])]
    check(tmp_path, level, {"axis": np.array([1])}, layers="Pointwise Conv Pointwise")
    pool = [node("AveragePool", ["x"], kernel_shape=[3], strides=[2])]
    check(tmp_path, pool, layers="Conv")


def test_weights_that_the_model_computes_are_folded(tmp_path):
    nodes = [
        node("ReduceL2", ["v", "axes"], ["n"]),
        node("Div", ["v", "n"], ["u"]),
        node("Mul", ["u", "g"], ["w"]),
        node("Conv", ["x", "w"]),
    ]
    tensors = {"v": numbers(3, 4, 3), "axes": np.array([1, 2]), "g": numbers(3, 1, 1)}
    check(tmp_path, nodes, tensors, layers="Conv")


def test_a_batch_that_is_made_of_channels_is_groups(tmp_path):
    nodes = [
        node("Reshape", ["x", "r"], ["a"]),
        node("Conv", ["a", "w"], ["b"], pads=[1, 1]),
        node("Reshape", ["b", "r2"]),
    ]
    tensors = {"r": np.array([4, 1, -1]), "w": numbers(1, 1, 3), "r2": np.array([1, 4, -1])}
    graph = check(tmp_path, nodes, tensors, layers="Conv")
    assert graph.parts[0].layer.groups == 4


def test_what_has_no_formula_is_run(tmp_path):
    lstm = [
        node("Transpose", ["x"], ["t"], perm=[2, 0, 1]),
        onnx.helper.make_node("LSTM", ["t", "w", "r"], ["o"], name="lstm", hidden_size=2),
        node("Squeeze", ["o", "ax"], ["s"]),
        node("Transpose", ["s"], perm=[1, 2, 0]),
    ]
    tensors = {"w": numbers(1, 8, 4), "r": numbers(1, 8, 2), "ax": np.array([1])}
    check(tmp_path, lstm, tensors, layers="Opaque")
    check(tmp_path, [node("MaxPool", ["x"], kernel_shape=[3])], layers="Opaque Crop")
    check(tmp_path, [node("Softmax", ["x"], axis=1)], layers="Softmax")
