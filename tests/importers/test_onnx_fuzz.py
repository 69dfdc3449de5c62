"""Files that were changed at random: a graph, or an error in our words, soon and in little memory.

Thousands of changes: ``pytest tests/importers/test_onnx_fuzz.py --hypothesis-profile=thorough``.
"""

import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

onnx = pytest.importorskip("onnx", reason='onnx is missing: pip install ".[onnx]"')

from onnx import numpy_helper  # noqa: E402

from tests.hostile_calls.test_calls import MEMORY, patience  # noqa: E402
from tests.importers.onnx_models import model, node  # noqa: E402
from upsim.errors import UpsimError  # noqa: E402
from upsim.importers.onnx_file import from_onnx  # noqa: E402
from upsim.importers.onnx_recorder import UNREADABLE  # noqa: E402

RNG = np.random.default_rng(5)


def plain():
    """Return a convolution."""
    return model(
        [node("Conv", ["x", "w"])], (1, 2, None), tensors={"w": RNG.normal(size=(3, 2, 3))}
    )


def vocoder():
    """Return a model whose first part cannot be said, and whose last part can."""
    nodes = [
        node("CumSum", ["x", "axis"], ["hidden"]),
        node("Conv", ["hidden", "w1", "b1"], ["a"], pads=[1, 1], dilations=[1], group=1),
        node("LeakyRelu", ["a"], ["b"], alpha=0.1),
        node("ConvTranspose", ["b", "w2"], ["c"], strides=[4], pads=[2, 2], output_padding=[0]),
        node("Tanh", ["c"]),
    ]
    tensors = {
        "axis": np.array(2),
        "w1": RNG.normal(size=(3, 2, 3)),
        "b1": RNG.normal(size=3),
        "w2": RNG.normal(size=(3, 1, 8)),
    }
    return model(nodes, (1, 2, None), tensors=tensors)


def movements():
    """Return a model with shapes that are computed, a resize, a gate and a mean written out."""
    nodes = [
        node("Conv", ["x", "w"], ["a"], pads=[1, 1]),
        node("Shape", ["a"], ["s"]),
        node("Gather", ["s", "two"], ["n"]),
        node("Mul", ["n", "two"], ["m"]),
        node("Unsqueeze", ["m", "zero"], ["mm"]),
        node("Concat", ["head", "mm"], ["t"], axis=0),
        node("Unsqueeze", ["a", "three"], ["u"]),
        node("Tile", ["u", "times"], ["v"]),
        node("Reshape", ["v", "t"], ["z"]),
        node("Pad", ["z", "p"], ["q"], mode="reflect"),
        node("Resize", ["q", "", "scales"], ["r"], mode="linear"),
        node("Split", ["r"], ["s1", "s2"], axis=1, num_outputs=2),
        node("Sigmoid", ["s1"], ["g"]),
        node("Mul", ["g", "s2"], ["h"]),
        node("ReduceMean", ["h", "one"], ["mean"]),
        node("Sub", ["h", "mean"]),
    ]
    whole = {"two": 2, "zero": [0], "head": [1, 4], "three": [3], "times": [1, 1, 1, 2]}
    whole |= {"p": [0, 0, 2, 0, 0, 1], "one": [1]}
    tensors = {name: np.array(value) for name, value in whole.items()}
    tensors |= {"w": RNG.normal(size=(4, 2, 3)), "scales": np.array([1, 1, 2], np.float32)}
    return model(nodes, (1, 2, None), tensors=tensors)


def constants():
    """Return a model whose kernel is computed, and that expands, tiles and slices."""
    nodes = [
        node("ReduceL2", ["v", "axes"], ["norm"]),
        node("Div", ["v", "norm"], ["w"]),
        node("ConstantOfShape", ["shape"], ["ones"]),
        node("Expand", ["ones", "wide"], ["bias"]),
        node("Range", ["zero", "four", "step"], ["places"]),
        node("Gather", ["bias", "places"], ["b"]),
        node("Conv", ["x", "w", "b"], ["a"], strides=[2], auto_pad="SAME_UPPER"),
        node("Transpose", ["a"], ["t"], perm=[0, 2, 1]),
        node("MatMul", ["t", "matrix"], ["k"]),
        node("Transpose", ["k"], ["l"], perm=[0, 2, 1]),
        node("Slice", ["l", "starts", "ends", "last", "steps"], ["c"]),
        node("LSTM", ["sequence", "W", "R"], ["r", "h"], hidden_size=2),
        node("Squeeze", ["r", "one"], ["q"]),
        node("Transpose", ["q"], ["y"], perm=[1, 2, 0]),
    ]
    nodes.insert(11, node("Transpose", ["c"], ["sequence"], perm=[2, 0, 1]))
    whole = {"axes": [1, 2], "shape": [1], "wide": [4], "zero": 0, "four": 4, "step": 1}
    whole |= {"starts": [1], "ends": [-1], "last": [2], "steps": [1], "one": [1]}
    tensors = {name: np.array(value) for name, value in whole.items()}
    tensors |= {"v": RNG.normal(size=(4, 2, 3)), "matrix": RNG.normal(size=(4, 3))}
    tensors |= {"W": RNG.normal(size=(1, 8, 3)), "R": RNG.normal(size=(1, 8, 2))}
    return model(nodes, (1, 2, None), tensors=tensors, opset=17)


MODELS = [plain, vocoder, movements, constants]
FILES = {make.__name__: make().SerializeToString() for make in MODELS}

#: Numbers that are no sizes, or too large, or just beside what is right.
NUMBERS = st.sampled_from(
    (-(2**63), -(2**31), -2, -1, 0, 1, 2, 3, 5, 7, 99, 2**12, 2**16, 2**24, 2**31, 2**40, 2**63 - 1)
)

BYTES = st.lists(
    st.tuples(
        st.floats(0, 1), st.sampled_from(("set", "cut", "put")), st.binary(min_size=1, max_size=5)
    ),
    min_size=1,
    max_size=4,
)


def outcome_of(raw, path):
    """Read a file that may be wrong; whatever else than a graph or our error is a failure."""
    path.write_bytes(raw)
    with warnings.catch_warnings(), patience(20):
        warnings.simplefilter("ignore")  # NumPy's, of numbers that are no longer sensible
        tracemalloc.start()
        said = "a graph"
        try:
            from_onnx(path, sample_rate=16000)
        except UpsimError as error:
            said = error.what
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
    assert said
    # What no check has foreseen gets a message, too, but is a fault of ours.
    assert said != UNREADABLE
    assert peak <= 2 * MEMORY


@settings(max_examples=4 * settings().max_examples)
@given(name=st.sampled_from(sorted(FILES)), changes=BYTES)
def test_changed_bytes(name, changes, tmp_path_factory):
    raw = bytearray(FILES[name])
    for share, how, put in changes:
        place = min(int(share * len(raw)), len(raw) - 1)
        end = place + (0 if how == "put" else len(put))
        raw[place:end] = b"" if how == "cut" else put
    outcome_of(bytes(raw), tmp_path_factory.mktemp("bytes") / "model.onnx")


@st.composite
def changed_models(draw):
    """Return a model that hangs together as a file, with other numbers, names and operators."""
    proto = onnx.ModelProto.FromString(FILES[draw(st.sampled_from(sorted(FILES)))])
    graph = proto.graph
    for _ in range(draw(st.integers(1, 3))):
        number = draw(st.integers(0, len(graph.node) - 1))
        each, tensor = graph.node[number], draw(st.sampled_from(list(graph.initializer)))
        how = draw(st.sampled_from(CHANGES))
        if how == "operator":
            each.op_type = draw(st.sampled_from(OPERATORS))
        elif how == "input":
            names = ["", "x", *(other.name for other in graph.initializer)]
            names += [name for before in graph.node[:number] for name in before.output]
            place = draw(st.integers(0, len(each.input)))
            name = draw(st.sampled_from(names))
            each.input[place:] = [name, *list(each.input)[place + draw(st.integers(0, 1)) :]]
        elif how == "absent":
            del each.input[draw(st.integers(0, len(each.input))) :]
        elif how == "attribute" and each.attribute:
            changed = draw(st.sampled_from(list(each.attribute)))
            if changed.ints:
                changed.ints[:] = draw(st.lists(NUMBERS, max_size=4))
            else:
                changed.i = draw(NUMBERS)
                changed.f = draw(st.floats(width=32))
        elif how == "no attribute" and each.attribute:
            del each.attribute[:]
        elif how == "tensor":
            array = numpy_helper.to_array(tensor)
            values = NUMBERS if array.dtype.kind == "i" else st.floats(width=32)
            size = draw(st.sampled_from((array.shape, (), (1,), (2, 2), (0,))))
            flat = [draw(values) for _ in range(min(int(np.prod(size)), 6))]
            made = np.resize(np.array(flat, array.dtype), size) if flat else np.zeros(size)
            tensor.CopyFrom(numpy_helper.from_array(made.astype(array.dtype), tensor.name))
        elif how == "opset":
            proto.opset_import[0].version = draw(st.integers(1, 22))
        else:
            shape = graph.input[0].type.tensor_type.shape.dim
            draw(st.sampled_from(list(shape))).dim_value = draw(NUMBERS)
    return proto


CHANGES = ("operator", "input", "absent", "attribute", "no attribute", "tensor", "opset", "shape")
OPERATORS = sorted(
    {
        each.name
        for each in onnx.defs.get_all_schemas()
        if each.domain == "" and "Image" not in each.name
    }
)


@settings(max_examples=4 * settings().max_examples)
@given(proto=changed_models())
def test_changed_models(proto, tmp_path_factory):
    outcome_of(proto.SerializeToString(), tmp_path_factory.mktemp("models") / "model.onnx")
