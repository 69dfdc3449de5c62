"""A run that is kept in a file, so that it goes on where it was stopped.

The file holds the sums and a fingerprint of what was run.  It is written beside its place and moved
there when it is whole, so it is never half-written.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upsim.errors import ArgumentError, FileFormatError
from upsim.files.paths import existing_file, write_output
from upsim.layers.base import Layer
from upsim.measuring.sums import Sums
from upsim.network.graph import Graph

Real = NDArray[np.float64]

#: Bytes of a file beside its arrays, for each of them.
_HEADER = 4096


def fingerprint(graph: Graph, *settings: object) -> str:
    """Return a text that differs where another network, signal or setting is run."""
    found = hashlib.sha256()
    for node in graph.nodes:
        _add(found, node.name, node.inputs, node.layer)
    _add(found, graph.sample_rate, graph.output, *settings)
    return found.hexdigest()


def _add(found: hashlib._Hash, *values: object) -> None:
    for value in values:
        if isinstance(value, np.ndarray):
            found.update(repr((value.shape, value.dtype.str)).encode())
            found.update(np.ascontiguousarray(value).tobytes())
        elif isinstance(value, Layer):
            found.update(type(value).__name__.encode())
            for name, each in value.to_fields().items():
                _add(found, name, each)
        elif isinstance(value, tuple | list):
            found.update(f"({len(value)}".encode())
            _add(found, *value)
        elif hasattr(value, "terms"):  # a signal: its fields, whole arrays among them
            for term in value.terms():
                found.update(type(term).__name__.encode())
                _add(found, *vars(term).values())
        else:
            found.update(f"{type(value).__name__} {value!r};".encode())


def save(path: str | Path, mark: str, sums: Sums) -> None:
    """Write the sums; what was there before is replaced at once."""
    content = io.BytesIO()
    arrays: dict[str, Any] = {"mark": np.array(mark), **sums.arrays()}
    np.savez(content, **arrays)
    write_output(path, content.getvalue(), overwrite=True)


def load(path: str | Path, mark: str, sums: Sums) -> None:
    """Fill the sums from a file; refuse one that is of another run."""
    place = existing_file(path, "file of a run")
    wanted = sums.arrays()
    most = sum(each.nbytes + _HEADER for each in wanted.values()) + 2 * _HEADER
    try:
        with zipfile.ZipFile(place) as archive:
            if sum(each.file_size for each in archive.infolist()) > most:
                raise ValueError("it is larger than the sums of this run")
        with np.load(place, allow_pickle=False) as content:
            same = str(content["mark"]) == mark
            if same:
                sums.fill({name: np.array(content[name], dtype=np.float64) for name in wanted})
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
        raise FileFormatError(
            "this is not a file of this run",
            given=f"{place}: {error!s:.80}",
            expected="a file that upsim.measure wrote with resume=",
            fix="another name for resume",
        ) from None
    if not same:
        raise ArgumentError(
            "the file is of another run",
            given=f"{place}",
            expected="the same network, signal, seed, frequencies, batches and precision",
            fix="another name for resume",
        )
