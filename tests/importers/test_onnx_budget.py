"""A small file that asks for gigabytes is refused before they are taken."""

import tracemalloc

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason='onnx is missing: pip install ".[onnx]"')

from onnx import numpy_helper  # noqa: E402

from tests.hostile_calls.test_calls import patience  # noqa: E402
from tests.importers.onnx_models import imported, model, node  # noqa: E402
from tests.importers.test_onnx_backend_cases import backend_cases  # noqa: E402
from upsim.errors import NotPredictableError, TooLargeError, UpsimError  # noqa: E402
from upsim.importers.onnx_budget import FIXED, bytes_made  # noqa: E402

LONG = np.array([1, 1, 2**23])  # 64 MiB in double precision


def _doubled(kind, count=40, **attributes):
    """Return a chain that doubles a constant in each of its nodes."""
    tensors = {"v0": np.ones((1, 1, 8)), "two": np.array([1, 1, 2])}
    reads = {"Concat": ["{0}", "{0}"], "Tile": ["{0}", "two"]}[kind]
    nodes = [
        node(kind, [each.format(f"v{k}") for each in reads], [f"v{k + 1}"], **attributes)
        for k in range(count)
    ]
    return [
        *nodes,
        node("ReduceMax", [f"v{count}"], ["m"], keepdims=0),
        node("Add", ["x", "m"]),
    ], tensors


def _many(kind, reads, tensors, count=16, **attributes):
    """Return many constants of a moderate size each, and their sum."""
    nodes = [node(kind, reads, [f"c{k}"], **attributes) for k in range(count)]
    sums = [node("ReduceMax", [f"c{k}"], [f"m{k}"], keepdims=0) for k in range(count)]
    return [*nodes, *sums, node("Sum", ["x", *(f"m{k}" for k in range(count))])], tensors


def _chains():
    one, row, axis = np.ones((1, 1, 1)), np.ones((1, 2**12)), {"axis": np.array([2])}
    yield "Concat", *_doubled("Concat", axis=2)
    yield "Tile", *_doubled("Tile")
    yield "ConstantOfShape", *_many("ConstantOfShape", ["n"], {"n": LONG})
    yield "Expand", *_many("Expand", ["v", "n"], {"v": one, "n": LONG})
    yield (
        "Range",
        *_many(
            "Range",
            list("abc"),
            {name: np.array(value) for name, value in {"a": 0, "b": 2**23, "c": 1}.items()},
        ),
    )
    yield "Pad", *_many("Pad", ["v", "p"], {"v": one, "p": np.array([0, 0, 2**22, 0, 0, 2**22])})
    yield (
        "OneHot",
        *_many(
            "OneHot",
            ["i", "n", "v"],
            {"i": np.zeros((1, 1), int), "n": np.array(2**23), "v": np.array([0.0, 1.0])},
        ),
    )
    yield (
        "Resize",
        *_many(
            "Resize", ["v", "", "", "n"], {"v": one, "n": np.array([1, 1, 2**19])}, mode="nearest"
        ),
    )
    yield "Einsum", *_many("Einsum", ["u", "u"], {"u": row}, equation="ab,ac->bc")
    yield (
        "MatMul",
        *_many("MatMul", ["u", "v"], {"u": np.ones((2**11, 1)), "v": row}),
    )
    big = {"n": np.array([2**12, 1]), "m": np.array([1, 2**12])}
    outer = [node("ConstantOfShape", ["n"], ["u"]), node("ConstantOfShape", ["m"], ["v"])]
    yield (
        "MatMul",
        [
            *outer,
            node("MatMul", ["u", "v"], ["a"]),
            node("MatMul", ["a", "a"], ["b"]),
            node("ReduceMax", ["b"], ["c"], keepdims=0),
            node("Add", ["x", "c"]),
        ],
        big,
    )
    for kind in ("Expand", "Tile"):
        # What depends on the input is never computed at its size, only followed.
        first = [2**12, 2**14, 1] if kind == "Tile" else [2**12, 2**14, 1, 1]
        grown = [
            node(kind, ["x", "n"], ["a"]),
            node("ReduceMax", ["a", "axis"], ["b"]),
            node("Add", ["x", "b"]),
        ]
        yield kind, grown, {"n": np.array(first), **axis}
    yield (
        "NonMaxSuppression",
        [
            node("ConstantOfShape", ["n"], ["c"]),
            node("NonMaxSuppression", ["c", "c"], ["d"]),
            node("ReduceMax", ["d"], ["e"], keepdims=0),
            node("Add", ["x", "e"]),
        ],
        {"n": np.array([1, 2**12, 4])},
    )


CHAINS = list(_chains())


@pytest.mark.parametrize(("kind", "nodes", "tensors"), CHAINS, ids=[each[0] for each in CHAINS])
def test_a_chain_that_asks_for_gigabytes_is_refused_before_it_has_them(
    kind, nodes, tensors, tmp_path
):
    proto = model(nodes, (1, 2, None), tensors=tensors)
    assert proto.ByteSize() < 2**16
    imported(model([node("Tanh", ["x"])], (1, 2, None)), tmp_path)  # what is imported once
    tracemalloc.start()
    try:
        with patience(20), pytest.raises(TooLargeError) as caught:
            imported(proto, tmp_path, inputs="x")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert kind in str(caught.value)
    assert "MiB" in str(caught.value) or "numbers" in str(caught.value)
    # The evaluator has two more arrays of the size of the last one while it makes it.
    assert peak <= 3 * FIXED


def test_texts_are_refused(tmp_path):
    nodes = [node("Cast", ["v"], ["t0"], to=onnx.TensorProto.STRING)]
    nodes += [node("StringConcat", [f"t{k}", f"t{k}"], [f"t{k + 1}"]) for k in range(40)]
    nodes += [node("Cast", ["t40"], ["c"], to=onnx.TensorProto.DOUBLE), node("Add", ["x", "c"])]
    proto = model(nodes, (1, 2, None), tensors={"v": np.ones(4)})
    with pytest.raises(NotPredictableError, match="texts"):
        imported(proto, tmp_path, inputs="x")


def _arrays(protos):
    for each in protos:
        yield None if not isinstance(each, onnx.TensorProto) else numpy_helper.to_array(each)


def test_no_case_of_onnx_makes_more_bytes_than_its_law_says():
    seen = set()
    for case in backend_cases():
        graph = case.model.graph
        if len(graph.node) != 1 or not case.data_sets:
            continue
        inputs, outputs = (list(_arrays(protos)) for protos in case.data_sets[0])
        names = [each.name for each in graph.input]
        feeds = dict(zip(names, inputs, strict=False))
        given = [feeds.get(name) for name in graph.node[0].input]
        count = sum(each.size for each in outputs if each is not None)
        try:
            asked = bytes_made(graph.node[0], given)
        except UpsimError:
            continue
        assert asked >= 8 * count, case.name
        seen.add(graph.node[0].op_type)
    assert {"Expand", "Tile", "LSTM", "GRU", "Attention", "Einsum", "ConvTranspose"} <= seen


def test_ordinary_constants_are_far_from_the_limit(tmp_path):
    # Kernels that are normalised in the file: a few arrays of the size of the kernel.
    weight = np.random.default_rng(2).normal(size=(64, 64, 7))
    nodes = [
        node("ReduceL2", ["v", "axes"], ["n"]),
        node("Div", ["v", "n"], ["u"]),
        node("Mul", ["u", "g"], ["w"]),
        node("Conv", ["x", "w"], pads=[3, 3]),
    ]
    tensors = {"v": weight, "axes": np.array([1, 2]), "g": np.ones((64, 1, 1))}
    graph = imported(model(nodes, (1, 64, None), tensors=tensors), tmp_path)
    want = weight / np.sqrt(np.sum(weight**2, axis=(1, 2), keepdims=True))
    assert np.allclose(graph.parts[0].layer.weight_array(), want)
