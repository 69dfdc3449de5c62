"""Which part of a file is taken, under which names, and what a file may not do."""

import ast
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

onnx = pytest.importorskip("onnx", reason='onnx is missing: pip install ".[onnx]"')

from tests.hostile_calls.calls import HOSTILE  # noqa: E402
from tests.hostile_calls.test_calls import patience  # noqa: E402
from tests.importers.onnx_models import (  # noqa: E402
    assert_same,
    helper,
    imported,
    model,
    node,
)
from upsim.errors import (  # noqa: E402
    FileFormatError,
    NotPredictableError,
    ShapeError,
    TooLargeError,
    UnknownNameError,
    UpsimError,
)
from upsim.importers.onnx_file import from_onnx  # noqa: E402

RNG = np.random.default_rng(5)


def vocoder():
    """Return a model whose first part cannot be said, and whose last part can."""
    nodes = [
        node("CumSum", ["x", "axis"], ["hidden"]),
        node("Conv", ["hidden", "w1", "b1"], ["a"], pads=[1, 1]),
        node("LeakyRelu", ["a"], ["b"], alpha=0.1),
        node("ConvTranspose", ["b", "w2"], ["c"], strides=[4], pads=[2, 2]),
        node("Tanh", ["c"]),
    ]
    tensors = {
        "axis": np.array(2),
        "w1": RNG.normal(size=(3, 2, 3)),
        "b1": RNG.normal(size=3),
        "w2": RNG.normal(size=(3, 1, 8)),
    }
    return model(nodes, (1, 2, None), tensors=tensors)


def test_without_inputs_the_last_part_that_can_be_said_is_taken(tmp_path):
    graph = imported(vocoder(), tmp_path)
    assert [each.name for each in graph.inputs] == ["hidden"]
    assert graph.name == "small from hidden to y"
    assert graph.notes == (
        (
            "a part of the model is taken: small from hidden to y; "
            "upsim has no layer for '/hidden/CumSum' (CumSum) before it"
        ),
    )
    assert [part.name for part in graph.parts] == [
        "/a/Conv",
        "/b/LeakyRelu",
        "/c/ConvTranspose",
        "/y/Tanh",
    ]


def test_a_part_is_chosen_by_the_names_of_tensors(tmp_path):
    graph = imported(vocoder(), tmp_path, inputs="b", outputs="c")
    assert [part.name for part in graph.parts] == ["/c/ConvTranspose"]
    assert graph.notes == ()
    assert graph.inputs[0].channels == 3
    whole = imported(vocoder(), tmp_path, inputs={"x": (1, 2, None)})
    assert whole.kind("/hidden/CumSum") == "CumSum"


def test_the_names_of_the_file_may_be_missing(tmp_path):
    proto = vocoder()
    for each in proto.graph.node:
        each.name = ""
    graph = imported(proto, tmp_path)
    assert [part.name for part in graph.parts][-2:] == ["ConvTranspose c", "Tanh y"]


def test_the_rate_comes_from_the_file_or_from_the_caller(tmp_path):
    proto = vocoder()
    path = tmp_path / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(ShapeError, match="sample_rate=22050"):
        from_onnx(path)
    (tmp_path / "model.onnx.json").write_text('{"audio": {"sample_rate": 24000}}')
    assert from_onnx(path).sample_rate == 24000
    helper.set_model_props(proto, {"sample_rate": "22050"})
    path.write_bytes(proto.SerializeToString())
    assert from_onnx(path).sample_rate == 22050
    assert from_onnx(path, sample_rate=16000).input_rate == 4000


def test_several_inputs_at_several_rates(tmp_path):
    nodes = [
        node("ConvTranspose", ["x", "w"], ["a"], strides=[2]),
        node("Add", ["a", "z"]),
    ]
    proto = model(nodes, (1, 2, None), tensors={"w": RNG.normal(size=(2, 3, 2))})
    proto.graph.input.append(
        helper.make_tensor_value_info("z", onnx.TensorProto.DOUBLE, (1, 3, "other"))
    )
    # Nothing says that z is twice as long as x.
    with pytest.raises(ShapeError, match="do not go together") as caught:
        imported(proto, tmp_path)
    assert caught.value.fix == "inputs={'x': None, 'z': '2*T'}"
    assert imported(proto, tmp_path, inputs={"x": None, "z": "2*T"}).input_rates == (8000, 16000)
    graph = imported(proto, tmp_path, inputs=["a", "z"])
    assert [each.name for each in graph.inputs] == ["a", "z"]
    graph = imported(proto, tmp_path, inputs={"x": None, "z": (1, 3, "2*T")})
    assert graph.input_rates == (8000, 16000)
    # Newer exporters write the factor into the name of the dimension.
    proto.graph.input[1].type.tensor_type.shape.dim[2].dim_param = "2*s0"
    assert imported(proto, tmp_path).input_rates == (8000, 16000)


@settings(max_examples=25)
@given(
    strides=st.lists(st.integers(1, 3), min_size=2, max_size=2),
    kind=st.sampled_from(("Add", "Mul", "Concat")),
    is_swapped=st.booleans(),
    is_declared=st.booleans(),
)
def test_what_is_said_of_a_second_input_can_be_written(
    strides, kind, is_swapped, is_declared, tmp_path_factory
):
    # Two inputs go through strides of their own: one has to be longer than the other.
    tensors = {name: RNG.normal(size=(2, 2, 3)) for name in "vw"}
    names = ["b", "a"] if is_swapped else ["a", "b"]
    nodes = [
        node(
            "ConvTranspose",
            ["x", "v"],
            ["a"],
            strides=strides[:1],
            output_padding=[strides[0] - 1],
            pads=[1, 1],
        ),
        node(
            "ConvTranspose",
            ["z", "w"],
            ["b"],
            strides=strides[1:],
            output_padding=[strides[1] - 1],
            pads=[1, 1],
        ),
        node(kind, names, **({"axis": 1} if kind == "Concat" else {})),
    ]
    proto = model(nodes, (1, 2, None), tensors=tensors)
    shape = (1, 2, "other") if is_declared else None
    double = onnx.TensorProto.DOUBLE
    info = helper.make_tensor_value_info("z", double, shape)
    proto.graph.input.append(info)
    tmp_path = tmp_path_factory.mktemp("two")
    given_shapes = None if is_declared else {"x": None, "z": (1, 2, None)}
    try:
        graph = imported(proto, tmp_path, inputs=given_shapes or ["x", "z"])
    except ShapeError as error:
        assert strides[0] != strides[1]
        written = error.fix.partition("=")[2]
        if {*strides} == {2, 3}:  # no whole number says it
            assert not written.startswith("{")
            return
        graph = imported(proto, tmp_path, inputs=ast.literal_eval(written))
    first, second = graph.input_rates
    assert first * strides[0] == second * strides[1] == graph.sample_rate


def test_a_multiple_of_a_length_that_is_fixed(tmp_path):
    proto = model([node("Tanh", ["x"])], (1, 2, 16))
    with pytest.raises(ShapeError, match="fixed the length") as caught:
        imported(proto, tmp_path, inputs={"x": "2*T"})
    assert caught.value.fix == "inputs={'x': (1, 2, '2*T')}"


def test_a_condition_that_is_a_constant_is_folded(tmp_path):
    def branch(kind, name):
        out = helper.make_empty_tensor_value_info(f"{name}_out")
        return helper.make_graph([node(kind, ["x"], [f"{name}_out"])], name, [], [out])

    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Gather", ["s", "one"], ["n"]),
        node("Equal", ["n", "two"], ["c"]),
        node("If", ["c"], then_branch=branch("Tanh", "yes"), else_branch=branch("Relu", "no")),
    ]
    tensors = {"one": np.array(1), "two": np.array(2)}
    proto = model(nodes, (1, 2, None), tensors=tensors)
    graph = imported(proto, tmp_path)
    assert [repr(part.layer) for part in graph.parts] == ["Tanh()"]
    assert_same(proto, graph, [(1, 2, 7)])


def test_a_condition_on_the_input_is_refused_by_name(tmp_path):
    out = helper.make_empty_tensor_value_info("o")
    branch = helper.make_graph([node("Tanh", ["x"], ["o"])], "yes", [], [out])
    other = helper.make_graph(
        [node("Relu", ["x"], ["p"])], "no", [], [helper.make_empty_tensor_value_info("p")]
    )
    nodes = [
        node("ReduceMax", ["x"], ["m"], keepdims=0),
        node("Greater", ["m", "zero"], ["c"]),
        node("If", ["c"], then_branch=branch, else_branch=other),
    ]
    with pytest.raises(NotPredictableError, match="control flow"):
        imported(model(nodes, (1, 2, None), tensors={"zero": np.array(0.0)}), tmp_path)


def test_noise_inside_is_an_input_with_a_signal_of_its_own(tmp_path):
    nodes = [
        node("RandomNormalLike", ["x"], ["n"], mean=0.0, scale=0.5),
        node("Add", ["x", "n"]),
    ]
    graph = imported(model(nodes, (1, 2, None)), tmp_path)
    noise = next(each for each in graph.inputs if each.name != "x")
    assert noise.signal.power == 0.25


@pytest.mark.parametrize(
    "kind", ["ConvInteger", "QLinearConv", "MatMulInteger", "DynamicQuantizeLinear", "Loop"]
)
def test_what_is_not_modelled_is_refused_by_name(kind, tmp_path):
    proto = model([node(kind, ["x", "w", "w", "w"][:3])], (1, 2, None), tensors={"w": np.ones(1)})
    with pytest.raises(NotPredictableError) as caught:
        imported(proto, tmp_path)
    assert kind in str(caught.value)
    assert f"/y/{kind}" in str(caught.value)


def test_another_domain_is_refused_by_name(tmp_path):
    proto = model([node("FusedConv", ["x"])], (1, 2, None))
    proto.graph.node[0].domain = "com.microsoft"
    with pytest.raises(NotPredictableError, match=r"com\.microsoft\.FusedConv"):
        imported(proto, tmp_path)


# ---------------------------------------------------------------------- files that are not right


def plain():
    """Return a small model that is right."""
    nodes = [node("Conv", ["x", "w"])]
    return model(nodes, (1, 2, None), tensors={"w": RNG.normal(size=(3, 2, 3))})


def refused(proto, tmp_path, kind=FileFormatError):
    """Return the words of a refusal."""
    path = tmp_path / "model.onnx"
    path.write_bytes(proto if isinstance(proto, bytes) else proto.SerializeToString())
    with pytest.raises(kind) as caught:
        from_onnx(path, sample_rate=16000)
    assert "model.onnx" in str(caught.value)
    return str(caught.value)


def test_every_truncation_is_refused(tmp_path):
    whole = plain().SerializeToString()
    for length in range(len(whole)):
        refused(whole[:length], tmp_path, UpsimError)


def test_other_files_are_refused(tmp_path):
    for raw in (b"", b"\0" * 4096, b"PK\x03\x04" + b"a" * 99, b'{"a": 1}', os.urandom(2048)):
        refused(raw, tmp_path)


def test_a_file_of_two_gigabytes_of_nothing_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "model.onnx"
    for size in (2**31 - 1, 2**40):
        with path.open("wb") as file:
            file.truncate(size)  # sparse: nothing is written
        with pytest.raises(UpsimError):
            from_onnx(path, sample_rate=16000)


def test_nodes_that_go_round_in_a_circle(tmp_path):
    proto = model(
        [node("Add", ["x", "y"], ["a"]), node("Tanh", ["a"])],
        (1, 2, None),
    )
    assert "circle" in refused(proto, tmp_path)


def test_names_that_stand_twice_and_names_that_are_missing(tmp_path):
    twice = model([node("Tanh", ["x"]), node("Relu", ["x"])], (1, 2, None))
    assert "made twice" in refused(twice, tmp_path)
    proto = plain()
    proto.graph.initializer.append(proto.graph.initializer[0])
    assert "two initialisers" in refused(proto, tmp_path)
    proto = plain()
    del proto.graph.initializer[:]
    assert "'w'" in refused(proto, tmp_path)


def test_unknown_versions(tmp_path):
    proto = plain()
    proto.opset_import[0].version = 4096
    assert "opset 4096" in refused(proto, tmp_path)
    del proto.opset_import[:]
    refused(proto, tmp_path)


@pytest.mark.parametrize("dims", [(2**40, 2**40, 3), (2**31, 2, 3), (3, -2, 3), (3, 2, 4)])
def test_shapes_that_the_data_do_not_have(dims, tmp_path):
    proto = plain()
    del proto.graph.initializer[0].dims[:]
    proto.graph.initializer[0].dims.extend(dims)
    assert "'w'" in refused(proto, tmp_path, UpsimError)


def test_external_data_is_read_from_the_folder_only(tmp_path):
    proto = plain()
    tensor = proto.graph.initializer[0]
    raw = tensor.raw_data
    (tmp_path / "weights.bin").write_bytes(b"12345678" + raw)
    (tmp_path / "inside").mkdir()
    (tmp_path / "outside.bin").write_bytes(raw)
    (tmp_path / "inside" / "link.bin").symlink_to(tmp_path / "outside.bin")

    def stored(location, offset=0, length=None):
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        del tensor.external_data[:]
        for key, value in (("location", location), ("offset", offset), ("length", length)):
            if value is not None:
                tensor.external_data.add(key=key, value=str(value))
        return proto

    path = tmp_path / "model.onnx"
    path.write_bytes(stored("weights.bin", 8, len(raw)).SerializeToString())
    whole = plain()
    whole.graph.initializer[0].raw_data = raw
    assert_same(whole, from_onnx(path, sample_rate=16000), [(1, 2, 9)])
    for location in ("/etc/hostname", "../outside.bin", "a/../../outside.bin", "", "nowhere.bin"):
        refused(stored(location), tmp_path)
    refused(stored("weights.bin", 8 + 1), tmp_path)
    refused(stored("weights.bin", -8), tmp_path)
    refused(stored("weights.bin", "x"), tmp_path)
    assert "link" in refused(stored("link.bin"), tmp_path / "inside")


@pytest.mark.parametrize(
    ("kind", "tensors", "attributes"),
    [
        ("ConstantOfShape", {"n": np.array([2**40, 2**20])}, {}),
        ("Expand", {"v": np.ones(1), "n": np.array([2**36])}, {}),
        ("Tile", {"v": np.ones(2), "n": np.array([2**36])}, {}),
        ("Range", {"a": np.array(0.0), "b": np.array(1e15), "c": np.array(1.0)}, {}),
        ("Pad", {"v": np.ones(2), "n": np.array([2**40, 2**40])}, {}),
    ],
)
def test_constants_that_are_huge_are_refused_before_they_are_made(
    kind, tensors, attributes, tmp_path
):
    nodes = [node(kind, list(tensors), ["big"], **attributes), node("Add", ["x", "big"])]
    refused(model(nodes, (1, 2, None), tensors=tensors), tmp_path, (ShapeError, TooLargeError))


@pytest.mark.parametrize(
    "attributes",
    [
        {"strides": [0]},
        {"strides": [-1]},
        {"strides": [2**40]},
        {"strides": [1, 1]},
        {"dilations": [2**30]},
        {"pads": [2**40, 0]},
        {"group": 0},
        {"group": 7},
    ],
    ids=str,
)
def test_absurd_attributes_name_their_node(attributes, tmp_path):
    for kind in ("Conv", "ConvTranspose"):
        weight = {"w": RNG.normal(size=(2, 2, 3))}
        proto = model([node(kind, ["x", "w"], **attributes)], (1, 2, None), tensors=weight)
        assert f"/y/{kind}" in refused(proto, tmp_path, UpsimError)


def test_names_that_the_model_does_not_have(tmp_path):
    with pytest.raises(UnknownNameError, match="hidden"):
        imported(vocoder(), tmp_path, inputs="hiden")
    with pytest.raises(UnknownNameError):
        imported(vocoder(), tmp_path, outputs="z")
    with pytest.raises(ShapeError, match="depends on an input"):
        imported(vocoder(), tmp_path, inputs="b", outputs="a")


@pytest.mark.parametrize("parameter", ["inputs", "outputs", "sample_rate", "length"])
def test_wrong_arguments_for_a_file_that_is_there(parameter, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(vocoder().SerializeToString())
    for name, make in HOSTILE.items():
        arguments = {"sample_rate": 16000} | {parameter: make()}
        try:
            from_onnx(path, **arguments)
        except UpsimError as error:
            assert error.given, name  # noqa: PT017 - some are no mistake


def test_weights_of_half_precision(tmp_path):
    weight = np.array([[[0.5, -1.25, 2.0]]])  # exact in all of them
    for kind in ("FLOAT16", "BFLOAT16", "FLOAT", "DOUBLE"):
        proto = model([node("Conv", ["x", "w"])], (1, 1, None))
        stored = helper.make_tensor("w", getattr(onnx.TensorProto, kind), (1, 1, 3), weight.ravel())
        proto.graph.initializer.append(stored)
        layer = imported(proto, tmp_path).parts[0].layer
        assert np.array_equal(layer.weight_array(), weight)


def test_a_long_chain_of_equal_names_is_read_soon(tmp_path):
    # Twenty thousand nodes of one name: what grows with the square of their number would hang.
    nodes = [
        helper.make_node("Relu" if k % 2 else "Identity", [f"v{k}"], [f"v{k + 1}"], name="same")
        for k in range(20000)
    ]
    nodes[0].input[0] = "x"
    proto = model(nodes, (1, 2, None), outputs=("v20000",))
    with patience(30):
        graph = imported(proto, tmp_path)
    assert len(graph) == 10000
    assert len({part.name for part in graph.parts}) == 10000
