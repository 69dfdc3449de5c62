"""Nodes run by ONNX's own reference evaluator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upsim.errors import FileFormatError, ShapeError
from upsim.importers.onnx_model import OnnxModel, onnx_package
from upsim.importers.recording import Shape
from upsim.words.arguments import refuse_beyond_memory, shown

Array = NDArray[Any]

#: Constants that are folded are weights at most.
_MOST_NUMBERS = 2**27


def refuse_large(node: Any, given: Sequence[Array | None]) -> None:
    """Refuse what would make a huge array of small ones."""
    first, last = given[0] if given else None, given[-1] if given else None
    count = sum(each.size for each in given if each is not None)
    if node.op_type == "ConstantOfShape" and first is not None:
        count = _product(first)
    elif node.op_type in ("Expand", "Tile") and first is not None and last is not None:
        count = max(first.size, 1) * _product(last)
    elif node.op_type == "Range" and len(given) == 3:
        start, stop, step = (float(np.ravel(each)[0]) for each in given)  # type: ignore[arg-type]
        count = int(abs((stop - start) / step)) if step else _MOST_NUMBERS + 1
    elif node.op_type in ("Pad", "Resize", "Upsample", "OneHot", "EyeLike"):
        count = _estimated(node.op_type, given)
    if count > _MOST_NUMBERS:
        refuse_beyond_memory(count, "a constant of the model", fix="inputs= behind it")
        raise ShapeError("a constant of the model is huge", given=f"{count} numbers")


def _product(sizes: Array) -> int:
    return prod(max(1, abs(int(each))) for each in np.ravel(sizes)[:32])


def _estimated(kind: str, given: Sequence[Array | None]) -> int:
    first = given[0]
    if first is None or kind == "EyeLike":
        return 0 if first is None else first.size
    if kind == "Pad" and given[1] is not None:
        ends = np.abs(np.ravel(given[1]).astype(object))
        rank = max(1, first.ndim)
        extra = [int(ends[axis] + ends[axis + rank]) for axis in range(min(rank, len(ends) // 2))]
        return prod(size + more for size, more in zip(first.shape, extra, strict=False))
    return _MOST_NUMBERS + 1 if kind == "OneHot" else first.size


def evaluated_node(model: OnnxModel, node: Any, given: Sequence[Array | None]) -> list[Array]:
    """Return what ONNX's own reference makes of a node's arrays."""
    onnx = onnx_package()
    from onnx.reference import ReferenceEvaluator

    helper = onnx.helper
    names = [name for name in node.input if name]
    infos = [helper.make_empty_tensor_value_info(name) for name in dict.fromkeys(names)]
    made = [helper.make_empty_tensor_value_info(name) for name in node.output if name]
    graph = helper.make_graph([node], "node", infos, made)
    opsets = [helper.make_opsetid("", model.opset)]
    single = helper.make_model(graph, opset_imports=opsets)
    feeds = {name: each for name, each in zip(node.input, given, strict=True) if name}
    try:
        with np.errstate(all="ignore"):
            found = ReferenceEvaluator(single).run(None, feeds)
    except Exception as error:  # noqa: BLE001 - an evaluator raises whatever NumPy does
        raise FileFormatError(
            "a node cannot be computed",
            given=f"{type(error).__name__}: {shown(str(error))}",
        ) from None
    rest = iter(found)
    return [np.asarray(next(rest)) if name else np.empty(0) for name in node.output]


def made_shapes(
    model: OnnxModel, node: Any, constants: Mapping[str, Array], shapes: Mapping[str, Shape]
) -> dict[str, Shape]:
    """Return the shapes that a node makes: it is run on zeros.

    ONNX's inference is not asked: it ends the process where an attribute has too few numbers.

    Parameters
    ----------
    model : OnnxModel
    node : NodeProto
    constants, shapes : mapping
        The arrays that it reads, and the shapes of the values that it reads.
    """
    values: dict[str, Array] = dict(constants)
    for name, shape in shapes.items():
        refuse_beyond_memory(prod(shape), f"the value {name!r}", fix="a smaller length=")
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
