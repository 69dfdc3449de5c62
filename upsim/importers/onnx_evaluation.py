"""Nodes run by ONNX's own reference evaluator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upsim.errors import FileFormatError, NotPredictableError
from upsim.importers.onnx_budget import Budget, bytes_made
from upsim.importers.onnx_model import OnnxModel, onnx_package, read_names
from upsim.importers.onnx_reference import faster_operators
from upsim.importers.recording import Shape
from upsim.words.arguments import shown

Array = NDArray[Any]


class CannotRunError(NotPredictableError):
    """ONNX's evaluator cannot run a node."""


def evaluated_node(model: OnnxModel, node: Any, given: Sequence[Array | None]) -> list[Array]:
    """Return what ONNX's own reference makes of a node's arrays."""
    pairs = zip(node.input, given, strict=True)
    feeds = {name: each for name, each in pairs if name and each is not None}
    try:
        made = _run(model, [node], feeds)
    except Exception as error:  # noqa: BLE001 - an evaluator raises whatever NumPy does
        raise FileFormatError(
            "a node cannot be computed",
            given=f"{type(error).__name__}: {shown(str(error))}",
        ) from None
    if any(isinstance(made[name], list | tuple) for name in node.output if name):
        raise FileFormatError("a node makes a list of values", given=str(node.op_type))
    return [np.asarray(made[name]) if name else np.empty(0) for name in node.output]


def evaluated_nodes(
    model: OnnxModel, nodes: Sequence[Any], values: Mapping[str, Array]
) -> dict[str, Array]:
    """Return all that nodes make of some values, in double precision.

    A node that the evaluator cannot run is an error that names it.
    """
    doubled = [_in_double(node) for node in nodes]
    kernels: set[str] = set()
    others: set[str] = set()
    for node in nodes:
        is_kernel = node.op_type in _CONVOLUTIONS
        for place, name in enumerate(read_names(node)):
            (kernels if is_kernel and place == 1 else others).add(name)
    kernels -= others
    found = {name: each if name in kernels else _double(each) for name, each in values.items()}
    try:
        return _run(model, doubled, found)
    except Exception:  # noqa: BLE001 - as above
        pass
    for node in doubled:
        feeds = {name: found[name] for name in read_names(node)}
        try:
            found |= _run(model, [node], feeds)
        except Exception as error:  # noqa: BLE001 - as above
            raise CannotRunError(
                "ONNX's evaluator cannot run a node",
                given=f"{type(error).__name__}: {shown(str(error))}",
                where=f"node {node.name or node.output[0]!r} ({node.op_type})",
            ) from None
    return found


#: Operators that take their kernels to double precision themselves, as they read them.
_CONVOLUTIONS = frozenset(("Conv", "ConvTranspose"))


def _run(model: OnnxModel, nodes: Sequence[Any], values: Mapping[str, Array]) -> dict[str, Array]:
    """Return all that the evaluator knows after it has run nodes."""
    onnx = onnx_package()
    from onnx.reference import ReferenceEvaluator

    helper = onnx.helper
    infos = [helper.make_empty_tensor_value_info(name) for name in values]
    names = dict.fromkeys(name for node in nodes for name in node.output if name)
    made = [helper.make_empty_tensor_value_info(name) for name in names]
    graph = helper.make_graph(nodes, "nodes", infos, made)
    whole = helper.make_model(graph, opset_imports=[helper.make_opsetid("", model.opset)])
    with np.errstate(all="ignore"):
        evaluator = ReferenceEvaluator(whole, new_ops=list(faster_operators()))
        return dict(zip(names, evaluator.run(None, dict(values)), strict=True)) | dict(values)


def _in_double(node: Any) -> Any:
    """Return a node that makes double precision where it made another one."""
    proto = onnx_package().TensorProto
    if node.op_type not in _TYPED:
        return node
    copy = type(node)()
    copy.CopyFrom(node)
    singles = (proto.FLOAT, proto.FLOAT16, proto.BFLOAT16)
    for each in copy.attribute:
        if each.name in ("to", "dtype") and each.i in singles:
            each.i = proto.DOUBLE
        elif each.name == "value" and each.t.data_type in singles:
            each.t.CopyFrom(_double_tensor(each.t))
        elif each.HasField("g"):
            graph = each.g
            for tensor in graph.initializer:
                if tensor.data_type in singles:
                    tensor.CopyFrom(_double_tensor(tensor))
            inner = [_in_double(one) for one in graph.node]
            del graph.node[:]
            graph.node.extend(inner)
    return copy


#: Operators whose attributes say a type of numbers.
_TYPED = frozenset(
    (
        "Cast",
        "Constant",
        "ConstantOfShape",
        "EyeLike",
        "If",
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
    )
)


def _double_tensor(tensor: Any) -> Any:
    helper = onnx_package().numpy_helper
    return helper.from_array(helper.to_array(tensor).astype(np.float64), tensor.name)


def made_shapes(
    model: OnnxModel,
    node: Any,
    constants: Mapping[str, Array],
    shapes: Mapping[str, Shape],
    budget: Budget,
) -> dict[str, Shape]:
    """Return the shapes that a node makes: it is run on zeros.

    ONNX's inference is not asked: it ends the process where an attribute has too few numbers.

    Parameters
    ----------
    model : OnnxModel
    node : NodeProto
    constants, shapes : mapping
        The arrays that it reads, and the shapes of the values that it reads.
    budget : Budget
        Of the model.
    """
    values: dict[str, Array] = dict(constants)
    for name, shape in shapes.items():
        # Zeros of any shape, in the memory of one.
        values[name] = np.broadcast_to(np.float32(0), shape)
    given = [None if not name else values[name] for name in node.input]
    budget.take(bytes_made(node, given), f"what {node.op_type} makes")
    for name, shape in shapes.items():
        budget.take(4 * prod(shape), f"the value {name!r}")
        values[name] = np.zeros(shape, dtype=np.float32)
    given = [None if not name else values[name] for name in node.input]
    found = evaluated_node(model, node, given)
    pairs = zip(node.output, found, strict=True)
    return {name: tuple(array.shape) for name, array in pairs if name}


def node_runner(
    model: OnnxModel, node: Any, constants: Mapping[str, Array], made: str
) -> Callable[..., Array]:
    """Return a function that runs a node on the tensors that it reads, in double precision."""
    reads = list(dict.fromkeys(name for name in node.input if name and name not in constants))
    number = list(node.output).index(made)

    def run(*tensors: Array) -> Array:
        values: dict[str, Array] = dict(constants) | dict(zip(reads, tensors, strict=True))
        given = [None if not name else _double(values[name]) for name in node.input]
        return evaluated_node(model, node, given)[number]

    return run


def _double(array: Array) -> Array:
    return array.astype(np.float64) if array.dtype.kind == "f" else array
