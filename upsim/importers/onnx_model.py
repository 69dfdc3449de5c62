"""An ONNX file as a checked model: nothing in it is believed before it is looked at.

Sizes are compared before memory is taken, weights are read when they are needed, and external data
comes from the file's own folder only.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upsim.errors import (
    FileFormatError,
    MissingDependencyError,
    NotPredictableError,
    TooLargeError,
    UpsimError,
)
from upsim.files.paths import existing_file
from upsim.importers.onnx_outline import read_outline
from upsim.words.arguments import MEMORY_BUDGET, path_of, shown

#: Nodes of a graph; the largest exports hold some ten thousand.
_MOST_NODES = 2**18

#: Axes of a tensor; NumPy takes no more.
_MOST_AXES = 32

#: The domains of ONNX's own operators.
OWN_DOMAINS = ("", "ai.onnx")


def onnx_package() -> Any:
    """Return the package onnx, or say how to get it."""
    try:
        import onnx
    except ImportError:
        raise MissingDependencyError(
            "the package onnx is needed to read ONNX files", fix='pip install "upsim[onnx]"'
        ) from None
    return onnx


@dataclass(frozen=True, eq=False)
class OnnxModel:
    """A parsed model whose nodes hang together.

    Parameters
    ----------
    proto : ModelProto
    place : Path
        Of the file.  Its external data lies beside it.
    opset : int
        Version of ONNX's own operators.
    tensors : mapping
        The initialisers, by name, not read yet.
    makers : mapping of str to int
        The number of the node that makes each value.
    stored : mapping of str to (offset, length)
        Where the bytes of large initialisers stand in the file.
    reads : sequence of sequences of str
        The values that each node reads.
    file_size : int
        In bytes.
    """

    proto: Any
    place: Path
    opset: int
    tensors: Mapping[str, Any]
    makers: Mapping[str, int]
    stored: Mapping[str, tuple[int, int]]
    reads: Sequence[Sequence[str]]
    file_size: int
    _arrays: dict[str, NDArray[Any]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The bytes of the file, and of the external data that were read so far."""
        read = (each.nbytes for name, each in self._arrays.items() if name not in self.stored)
        return self.file_size + sum(read)

    @property
    def nodes(self) -> Any:
        """The nodes of the graph, in their order."""
        return self.proto.graph.node

    @property
    def inputs(self) -> list[str]:
        """The inputs that are fed: those that are no initialisers."""
        return [each.name for each in self.proto.graph.input if each.name not in self.tensors]

    @property
    def outputs(self) -> list[str]:
        """The outputs."""
        return [each.name for each in self.proto.graph.output]

    def array(self, name: str) -> NDArray[Any]:
        """Return an initialiser as an array."""
        if name not in self._arrays:
            tensor = self.tensors[name]
            if name in self.stored:
                offset, length = self.stored[name]
                whole = onnx_package().TensorProto()
                whole.CopyFrom(tensor)
                whole.raw_data = _bytes(self.place, offset, length).tobytes()
                tensor = whole
            self._arrays[name] = tensor_array(tensor, self.folder)
        return self._arrays[name]

    @property
    def folder(self) -> Path:
        """Where external data may lie."""
        return self.place.parent


def read_model(path: object) -> OnnxModel:
    """Return the model of a file, checked."""
    onnx = onnx_package()
    place = existing_file(path_of(path), "ONNX file")
    try:
        proto = onnx.ModelProto()
        try:
            outline = read_outline(place)
            size = place.stat().st_size
            proto.ParseFromString(outline.model)
        except UpsimError:
            raise
        except OSError as error:
            raise FileFormatError(
                "the file cannot be read", given=f"{place}: {error.strerror}"
            ) from None
        except Exception as error:  # noqa: BLE001 - protobuf has no error class of its own to rely on
            raise FileFormatError(
                "this is no ONNX model", given=f"{type(error).__name__}: {shown(str(error))}"
            ) from None
        return checked_model(proto, place, outline.weights, size)
    except UpsimError as error:
        raise error.at(place.name) from None


def checked_model(
    proto: Any, place: Path, weights: Mapping[int, tuple[int, int]], size: int
) -> OnnxModel:
    """Return a parsed model as one whose nodes hang together, or refuse it."""
    onnx = onnx_package()
    graph = proto.graph
    if len(graph.node) > _MOST_NODES:
        raise TooLargeError(
            "the graph has too many nodes", given=str(len(graph.node)), expected=str(_MOST_NODES)
        )
    opset = _opset(proto, onnx.defs.onnx_opset_version())
    if graph.sparse_initializer:
        raise FileFormatError(
            "the model has sparse initialisers", fix="export it with dense weights"
        )
    tensors = _once(graph.initializer, "two initialisers have one name")
    inputs = _once(graph.input, "two inputs have one name")
    known = tensors.keys() | inputs.keys()
    reads = [read_names(node) for node in graph.node]
    makers = _makers(graph, known, reads)
    for each in graph.output:
        if each.name not in known and each.name not in makers:
            raise FileFormatError("an output is made by no node", given=shown(each.name))
    names = [each.name for each in graph.initializer]
    stored = {names[number]: found for number, found in weights.items()}
    return OnnxModel(proto, place, opset, tensors, makers, stored, reads, size)


def _once(items: Any, what: str) -> dict[str, Any]:
    """Return items by their names, each of which stands once."""
    found: dict[str, Any] = {}
    for each in items:
        if each.name in found:
            raise FileFormatError(what, given=shown(each.name))
        found[each.name] = each
    return found


def _makers(graph: Any, given: Collection[str], reads: Sequence[Sequence[str]]) -> dict[str, int]:
    """Return which node makes each value; each is made once, of what is there before."""
    makers: dict[str, int] = {}
    for number, node in enumerate(graph.node):
        outputs = list(node.output)
        for name in reads[number]:
            if name not in given and name not in makers:
                why = "a later node makes it: the nodes go round in a circle, or are out of order"
                later = {made for node in graph.node for made in node.output}
                raise FileFormatError(
                    "a node reads a value that is not there",
                    given=f"{shown(name)}; {why if name in later else 'nothing makes it'}",
                    where=_called(node, number),
                )
        for name in outputs:
            if not name:
                continue
            if name in given or name in makers:
                raise FileFormatError(
                    "a value is made twice", given=shown(name), where=_called(node, number)
                )
            makers[name] = number
        for text in (node.op_type, node.domain, node.name, *outputs):
            if type(text) is not str:
                raise FileFormatError(
                    "a name is no text", given=shown(text), where=_called(node, number)
                )
    return makers


def _called(node: Any, number: int) -> str:
    return f"node {shown(node.name or number)} ({node.op_type})"


def refuse_other_counts(model: OnnxModel, node: Any) -> None:
    """Refuse a node of ONNX's own operators with too few or too many inputs or outputs."""
    onnx = onnx_package()
    try:
        schema = onnx.defs.get_schema(node.op_type, model.opset, "")
    except Exception:  # noqa: BLE001 - onnx has an error class of its own for it
        raise NotPredictableError(
            "there is no operator of this name in this version",
            given=f"{node.op_type} in opset {model.opset}",
            fix="inputs= behind it",
        ) from None
    for what, names, least, most in (
        ("inputs", node.input, schema.min_input, schema.max_input),
        ("outputs", node.output, schema.min_output, schema.max_output),
    ):
        if not least <= len(names) <= most or not all(names[:least]):
            raise FileFormatError(
                f"a node has another number of {what} than its operator",
                given=f"{len([name for name in names if name])} {what}",
                expected=f"{least} to {most}",
            )


#: Operators with graphs inside them.
_FLOW = frozenset(("If", "Loop", "Scan", "SequenceMap"))


def read_names(node: Any) -> list[str]:
    """Return the values that a node reads, those of the graphs inside it included."""
    names = [name for name in node.input if name]
    if node.op_type not in _FLOW:
        return names
    for each in node.attribute:
        if not each.HasField("g"):
            continue
        inside = {item.name for item in (*each.g.initializer, *each.g.input)}
        for inner in each.g.node:
            names += [name for name in read_names(inner) if name not in inside]
            inside.update(inner.output)
        names += [item.name for item in each.g.output if item.name not in inside]
    return list(dict.fromkeys(names))


def _opset(proto: Any, newest: int) -> int:
    versions = {each.domain: each.version for each in proto.opset_import}
    found = max((versions.get(domain, 0) for domain in OWN_DOMAINS), default=0)
    if not found:
        raise FileFormatError(
            "the model says no version of its operators",
            given=f"domains {sorted(versions)}",
            expected="an opset of ONNX",
        )
    if not 1 <= found <= newest:
        raise FileFormatError(
            "this version of the operators is not known",
            given=f"opset {found}",
            expected=f"at most {newest}, the newest that the installed onnx knows",
            fix="pip install -U onnx",
        )
    return int(found)


def tensor_array(tensor: Any, folder: Path) -> NDArray[Any]:
    """Return the array of a tensor; its size is compared with its data first."""
    onnx = onnx_package()
    where = f"tensor {shown(tensor.name)}"
    shape = tuple(tensor.dims)
    if len(shape) > _MOST_AXES or any(size < 0 for size in shape):
        raise FileFormatError("a tensor's shape makes no sense", given=str(shape), where=where)
    try:
        kind = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
    except Exception:  # noqa: BLE001 - onnx raises KeyError or ValueError by version
        raise FileFormatError(
            "a tensor's type is not known", given=f"data_type={tensor.data_type}", where=where
        ) from None
    count, width = prod(shape), np.dtype(kind).itemsize
    if count * max(width, 1) > MEMORY_BUDGET:
        raise TooLargeError(
            "a tensor would not fit in memory",
            given=f"shape {shape}",
            expected=f"at most {MEMORY_BUDGET / 2**30:.0f} GiB",
            where=where,
        )
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        return _external(tensor, folder, count * width, np.dtype(kind), shape)
    held = _numbers_held(tensor, width)
    packed = tensor.data_type in _packed_types(onnx)
    if held != count and not (packed and held * 2 >= count):
        raise FileFormatError(
            "a tensor holds another number of values than its shape says",
            given=f"shape {shape}, {held} values",
            where=where,
        )
    try:
        array = np.asarray(onnx.numpy_helper.to_array(tensor))
        # NumPy computes with bfloat16 and its like in single precision.
        return array if array.dtype.kind in "biufcOSU" else array.astype(np.float32)
    except Exception as error:  # noqa: BLE001 - as above
        raise FileFormatError(
            "a tensor cannot be read", given=shown(str(error)), where=where
        ) from None


def _packed_types(onnx: Any) -> tuple[int, ...]:
    return tuple(
        getattr(onnx.TensorProto, name)
        for name in ("INT4", "UINT4", "FLOAT4E2M1", "INT2", "UINT2")
        if hasattr(onnx.TensorProto, name)
    )


def _numbers_held(tensor: Any, width: int) -> int:
    if tensor.HasField("raw_data"):
        return len(tensor.raw_data) // max(width, 1)
    held = (
        len(tensor.float_data)
        + len(tensor.int32_data)
        + len(tensor.string_data)
        + len(tensor.int64_data)
        + len(tensor.double_data)
        + len(tensor.uint64_data)
    )
    onnx = onnx_package()
    if tensor.data_type in (onnx.TensorProto.COMPLEX64, onnx.TensorProto.COMPLEX128):
        held //= 2
    return int(held)


def _external(
    tensor: Any, folder: Path, size: int, kind: np.dtype[Any], shape: tuple[int, ...]
) -> NDArray[Any]:
    """Return an array of a file beside the model; no other place is read."""
    where = f"tensor {shown(tensor.name)}"
    said = {each.key: each.value for each in tensor.external_data}
    location = said.get("location", "")
    place = Path(location)
    if not location or place.is_absolute() or ".." in place.parts or "\0" in location:
        raise FileFormatError(
            "external data lies outside the model's folder",
            given=f"location={shown(location)}",
            expected="a file beside the model",
            where=where,
        )
    found = folder / place
    root = os.path.realpath(folder)
    if os.path.commonpath([root, os.path.realpath(found)]) != root:
        raise FileFormatError(
            "external data lies outside the model's folder: a link leads out of it",
            given=f"location={shown(location)}",
            where=where,
        )
    try:
        existing_file(found, "file of external data")
    except FileFormatError as error:
        raise error.at(where) from None
    try:
        offset, length = int(said.get("offset", "0")), int(said.get("length", str(size)))
    except ValueError:
        raise FileFormatError(
            "the place of external data is no number", given=shown(said), where=where
        ) from None
    if offset < 0 or length != size or offset + length > found.stat().st_size:
        raise FileFormatError(
            "external data is shorter than the tensor says",
            given=f"{length} bytes from {offset}, a file of {found.stat().st_size}",
            expected=f"{size} bytes",
            where=where,
        )
    raw = _bytes(found, offset, length)
    return raw.view(kind.newbyteorder("<")).astype(kind, copy=False).reshape(shape)


def _bytes(path: Path, offset: int, length: int) -> NDArray[np.uint8]:
    """Return some bytes of a file."""
    try:
        found = np.fromfile(path, dtype=np.uint8, count=length, offset=offset)
    except OSError as error:
        raise FileFormatError("a file cannot be read", given=f"{path}: {error.strerror}") from None
    if found.size != length:
        raise FileFormatError("a file has become shorter", given=str(path))
    return found
