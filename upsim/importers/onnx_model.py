"""An ONNX file as a checked model: nothing in it is believed before it is looked at.

The file's outline is walked in place before anything is parsed, sizes are compared before memory is
taken, and external data is read from the file's own folder only.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upsim.errors import (
    FileFormatError,
    MissingDependencyError,
    TooLargeError,
    UpsimError,
)
from upsim.files.paths import existing_file
from upsim.words.arguments import MEMORY_BUDGET, path_of, shown

#: Fields of ONNX's ModelProto, by number; number 7 is the graph.
_MODEL_FIELDS = frozenset((1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26))
_GRAPH_FIELD = 7

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
    folder : Path
        Where its external data may lie.
    opset : int
        Version of ONNX's own operators.
    tensors : mapping
        The initialisers, by name, not read yet.
    makers : mapping of str to int
        The number of the node that makes each value.
    """

    proto: Any
    folder: Path
    opset: int
    tensors: Mapping[str, Any]
    makers: Mapping[str, int]
    _arrays: dict[str, NDArray[Any]] = field(default_factory=dict)

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
            self._arrays[name] = tensor_array(self.tensors[name], self.folder)
        return self._arrays[name]


def read_model(path: object) -> OnnxModel:
    """Return the model of a file, checked."""
    onnx = onnx_package()
    place = existing_file(path_of(path), "ONNX file")
    try:
        proto = onnx.ModelProto()
        try:
            _refuse_foreign(place)
            proto.ParseFromString(place.read_bytes())
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
        return checked_model(proto, place.parent)
    except UpsimError as error:
        raise error.at(place.name) from None


def _refuse_foreign(place: Path) -> None:
    """Refuse what is no ONNX file, before it is read: its outline is walked in place."""
    size = place.stat().st_size
    if size > MEMORY_BUDGET:
        raise TooLargeError(
            "the file is larger than an ONNX file can be",
            given=f"{size / 2**30:.1f} GiB",
            expected="less than 2 GiB, larger weights as external data",
        )
    if not size:
        raise FileFormatError("the file is empty", expected="an ONNX model")
    with place.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as raw:
        found = set()
        position = 0
        while position < size:
            tag, position = _varint(raw, position)
            number, wire = tag >> 3, tag & 7
            if number not in _MODEL_FIELDS:
                raise _no_model(f"field {number} at byte {position}")
            found.add(number)
            position = _skipped(raw, position, wire)
        if position != size or _GRAPH_FIELD not in found:
            what = "the file ends in the middle of a field" if position > size else "no graph"
            raise _no_model(what)


def _no_model(given: str) -> FileFormatError:
    return FileFormatError(
        "this is no ONNX model, or a part of one",
        given=given,
        expected="a whole file, as an exporter writes it",
        fix="export the model again",
    )


def _varint(raw: mmap.mmap, position: int) -> tuple[int, int]:
    """Return protobuf's number of variable length at a place, and the place behind it."""
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(raw):
            raise _no_model("the file ends in the middle of a number")
        byte = raw[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
    raise _no_model(f"a number without end at byte {position}")


def _skipped(raw: mmap.mmap, position: int, wire: int) -> int:
    """Return the place behind a field's value."""
    if wire == 0:
        return _varint(raw, position)[1]
    if wire == 1:
        return position + 8
    if wire == 2:
        length, position = _varint(raw, position)
        return position + length
    if wire == 5:
        return position + 4
    raise _no_model(f"wire type {wire} at byte {position}")


def checked_model(proto: Any, folder: Path) -> OnnxModel:
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
    makers = _makers(graph, known)
    for each in graph.output:
        if each.name not in known and each.name not in makers:
            raise FileFormatError("an output is made by no node", given=shown(each.name))
    return OnnxModel(proto, folder, opset, tensors, makers)


def _once(items: Any, what: str) -> dict[str, Any]:
    """Return items by their names, each of which stands once."""
    found: dict[str, Any] = {}
    for each in items:
        if each.name in found:
            raise FileFormatError(what, given=shown(each.name))
        found[each.name] = each
    return found


def _makers(graph: Any, given: Collection[str]) -> dict[str, int]:
    """Return which node makes each value; each is made once, of what is there before."""
    makers: dict[str, int] = {}
    later = {made for node in graph.node for made in node.output}
    for number, node in enumerate(graph.node):
        where = f"node {shown(node.name or number)} ({node.op_type})"
        for name in read_names(node):
            if name not in given and name not in makers:
                why = "a later node makes it: the nodes go round in a circle, or are out of order"
                raise FileFormatError(
                    "a node reads a value that is not there",
                    given=f"{shown(name)}; {why if name in later else 'nothing makes it'}",
                    where=where,
                )
        for name in node.output:
            if name and (name in given or name in makers):
                raise FileFormatError("a value is made twice", given=shown(name), where=where)
            if name:
                makers[name] = number
    return makers


def read_names(node: Any) -> list[str]:
    """Return the values that a node reads, those of the graphs inside it included."""
    names = [name for name in node.input if name]
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
        return np.asarray(onnx.numpy_helper.to_array(tensor))
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
    raw = np.fromfile(found, dtype=np.uint8, count=length, offset=offset)
    return raw.view(kind.newbyteorder("<")).astype(kind, copy=False).reshape(shape)
