"""The outline of an ONNX file, walked in place: what it holds, without its weights.

A file is protocol buffers: fields, each a tag, a length and a value.  The walk over them takes no
memory, refuses what is no model, and leaves the weights where they are until somebody reads them.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from upsim.errors import FileFormatError, TooLargeError
from upsim.words.arguments import MEMORY_BUDGET

#: Fields of ONNX's ModelProto, by number.
_MODEL_FIELDS = frozenset((1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26))

#: The graph in a model, an initialiser in a graph, the bytes in a tensor.
_GRAPH, _INITIALIZER, _RAW = 7, 5, 9

#: Weights of fewer bytes are read with the model.
_SMALL = 1024


class Outline(NamedTuple):
    """A model without its large weights.

    Parameters
    ----------
    model : bytes
        The model, as protocol buffers.
    weights : dict of int to (offset, length)
        Where the bytes of each initialiser stand in the file, by its number, for those left out.
    """

    model: bytes
    weights: dict[int, tuple[int, int]]


class _Field(NamedTuple):
    number: int
    wire: int
    start: int
    first: int
    end: int


def read_outline(path: Path) -> Outline:
    """Return the outline of a file, or refuse what is no ONNX model."""
    size = path.stat().st_size
    if size > MEMORY_BUDGET:
        raise TooLargeError(
            "the file is larger than an ONNX file can be",
            given=f"{size / 2**30:.1f} GiB",
            expected="less than 2 GiB, larger weights as external data",
        )
    if not size:
        raise FileFormatError("the file is empty", given="0 bytes", expected="an ONNX model")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as raw:
        pieces: list[bytes] = []
        weights: dict[int, tuple[int, int]] = {}
        graphs = 0
        for field in _fields(raw, 0, size):
            if field.number not in _MODEL_FIELDS:
                raise _no_model(f"field {field.number} at byte {field.start}")
            if field.number == _GRAPH and field.wire == 2:
                graphs += 1
                inner = _graph(raw, field, weights)
                pieces += [_tag(field), _length(sum(map(len, inner))), *inner]
            else:
                pieces.append(raw[field.start : field.end])
        if graphs != 1:
            raise _no_model(f"{graphs} graphs")
    return Outline(b"".join(pieces), weights)


def _graph(raw: mmap.mmap, graph: _Field, weights: dict[int, tuple[int, int]]) -> list[bytes]:
    """Return a graph in pieces, the bytes of large initialisers left out and noted."""
    pieces: list[bytes] = []
    number = 0
    kept = graph.first
    for field in _fields(raw, graph.first, graph.end):
        if field.number != _INITIALIZER or field.wire != 2:
            continue
        if field.end - field.first >= _SMALL:
            inner, place = _tensor(raw, field)
            if place is not None:
                weights[number] = place
                pieces += [raw[kept : field.start], _tag(field), _length(len(inner)), inner]
                kept = field.end
        number += 1
    pieces.append(raw[kept : graph.end])
    return pieces


def _tensor(raw: mmap.mmap, tensor: _Field) -> tuple[bytes, tuple[int, int] | None]:
    """Return a tensor without its bytes, and where they stand; None if they are few."""
    place: tuple[int, int] | None = None
    pieces: list[bytes] = []
    for field in _fields(raw, tensor.first, tensor.end):
        large = field.end - field.first >= _SMALL
        if field.number == _RAW and field.wire == 2 and large and place is None:
            place = (field.first, field.end - field.first)
        else:
            pieces.append(raw[field.start : field.end])
    return b"".join(pieces), place


def _fields(raw: mmap.mmap, position: int, end: int) -> Iterator[_Field]:
    """Yield the fields between two places, each within them."""
    while position < end:
        start = position
        # Most numbers take one byte; a call for each would be a third of all time.
        tag, position = raw[position], position + 1
        if tag > 127:
            tag, position = _varint(raw, start, end)
        wire = tag & 7
        if wire == 2:
            if position < end and raw[position] < 128:
                length, first = raw[position], position + 1
            else:
                length, first = _varint(raw, position, end)
            position = first + length
        else:
            first = position
            if wire == 0:
                position = _varint(raw, position, end)[1]
            elif wire in (1, 5):
                position += 8 if wire == 1 else 4
            else:
                raise _no_model(f"wire type {wire} at byte {start}")
        if position > end:
            raise _no_model(f"the field at byte {start} goes on behind its end")
        yield _Field(tag >> 3, wire, start, first, position)


def _varint(raw: mmap.mmap, position: int, end: int) -> tuple[int, int]:
    """Return a number of variable length at a place, and the place behind it."""
    value = 0
    for shift in range(0, 70, 7):
        if position >= end:
            raise _no_model("the file ends in the middle of a number")
        byte = raw[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
    raise _no_model(f"a number without end at byte {position}")


def _tag(field: _Field) -> bytes:
    return _length(field.number << 3 | field.wire)


def _length(value: int) -> bytes:
    """Return a number as protocol buffers write it: seven bits a byte, the lowest first."""
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    found.append(value)
    return bytes(found)


def _no_model(given: str) -> FileFormatError:
    return FileFormatError(
        "this is no ONNX model, or a part of one",
        given=given,
        expected="a whole file, as an exporter writes it",
        fix="export the model again",
    )
