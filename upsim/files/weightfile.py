"""Weights beside a JSON file, in the safetensors format: numbers and their shapes, nothing else.

The package safetensors reads and writes the format.  It checks a header's size, offsets, overlaps
and shapes before it maps a byte, so nothing of that is done here a second time.  A value that
float32 holds exactly is written as float32: weights that come from torch take 4 bytes each and lose
nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upsim.errors import ArgumentError, FileFormatError, MissingDependencyError, TooLargeError
from upsim.files.paths import existing_file
from upsim.words.arguments import near_names, path_of, shown

#: Bytes that the weights of a file may take in memory, as float64: a thousand million numbers.
LARGEST_WEIGHTS = 8 * 2**30

#: Kinds of numbers that are weights; all fit into float64 without a loss.
_KINDS = ("F64", "F32", "F16", "BF16")


class Keeper:
    """Takes arrays out of a network's data and remembers them by their path.

    Examples
    --------
    >>> keeper = Keeper()
    >>> keeper.inside("ups.0").inside("weight").put(np.ones(3))
    {'tensor': 'ups.0.weight'}
    >>> list(keeper.tensors)
    ['ups.0.weight']
    """

    def __init__(self, path: str = "", tensors: dict[str, NDArray[Any]] | None = None) -> None:
        self._path = path
        self.tensors = {} if tensors is None else tensors

    def inside(self, name: str) -> Keeper:
        """Return the keeper of what is inside a node, a field, a part."""
        return Keeper(f"{self._path}.{name}" if self._path else name, self.tensors)

    def put(self, array: NDArray[np.float64]) -> dict[str, str]:
        """Keep an array and return what stands for it."""
        if self._path in self.tensors:
            raise ArgumentError(
                "two arrays have one name in a file of weights",
                given=self._path,
                fix="other names for the nodes",
            )
        small = array.astype(np.float32)
        same = np.array_equal(small.astype(np.float64), array)
        self.tensors[self._path] = np.ascontiguousarray(small if same else array)
        return {"tensor": self._path}

    def write(self, place: Path) -> None:
        """Write the arrays into a file that is not there yet."""
        library = _library(place)
        place.touch(exist_ok=False)
        mode = place.stat().st_mode
        try:
            library.numpy.save_file(self.tensors, place)
            with place.open("rb+") as file:
                os.fsync(file.fileno())
            # The library gives the file to its owner alone; it is to be as open as any other.
            place.chmod(mode)
        except library.SafetensorError as error:
            raise OSError(None, str(error)) from None


class Tensors:
    """The arrays of a file of weights, read one by one when they are asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._taken = 0
        self._library = _library(path)
        try:
            self._file = self._library.safe_open(path, framework="np")
            self._names = list(self._file.keys())
        except (self._library.SafetensorError, OSError) as error:
            raise self._broken(error) from None
        self._raw: Mapping[str, bytes] | None = None

    def get(self, name: object) -> NDArray[np.float64]:
        """Return an array, or say why there is none."""
        if not isinstance(name, str) or name not in self._names:
            raise FileFormatError(
                "the file of weights has no such array",
                given=f"{shown(name)} in {self._path.name}",
                fix=near_names(name, self._names) if isinstance(name, str) else "",
            )
        found = self._file.get_slice(name)
        kind, shape = str(found.get_dtype()), [int(size) for size in found.get_shape()]
        if kind not in _KINDS:
            raise FileFormatError(
                "weights are floating-point numbers",
                given=f"{name!r} of {kind}",
                expected=", ".join(_KINDS),
            )
        # Counted each time: a layer keeps a copy of its own.
        self._taken += 8 * prod(shape)
        if self._taken > LARGEST_WEIGHTS:
            raise TooLargeError(
                "the weights are too large to be read",
                given=f"{self._taken / 2**20:.0f} MiB as float64, with {name!r} of shape {shape}",
                expected=f"at most {LARGEST_WEIGHTS / 2**20:.0f} MiB",
            )
        try:
            if kind == "BF16":
                return self._half(name).reshape(shape)
            return np.asarray(self._file.get_tensor(name), dtype=np.float64)
        except (self._library.SafetensorError, OSError) as error:
            raise self._broken(error) from None

    def _half(self, name: str) -> NDArray[np.float64]:
        """Return bfloat16 numbers, which NumPy lacks: the upper halves of float32."""
        if self._raw is None:
            content = self._library.deserialize(self._path.read_bytes())
            self._raw = {key: bytes(each["data"]) for key, each in content}
        halves = np.frombuffer(self._raw[name], dtype="<u2").astype(np.uint32)
        return (halves << 16).view(np.float32).astype(np.float64)

    def _broken(self, error: Exception) -> FileFormatError:
        return FileFormatError(
            "this is not a safetensors file that can be read",
            given=f"{self._path}: {error}",
            expected="a file as upsim.save_stack(stack, path, weights=...) writes it",
        )


def weights_beside(path: Path, name: object) -> Path:
    """Return the place of a file of weights, which is the folder of its JSON file and no other."""
    if (
        not isinstance(name, str)
        or not name.isprintable()
        or name in ("", ".", "..")
        or any(sign in name for sign in "/\\:")
    ):
        raise FileFormatError(
            "weights are the name of a file beside the JSON file",
            given=f"weights={shown(name)}",
            expected='"model.safetensors", without a folder',
        )
    return path.with_name(name)


def read_tensors(path: Path, name: object) -> Tensors:
    """Open the file of weights that a JSON file names."""
    place = existing_file(weights_beside(path, name), "file of weights")
    if os.path.realpath(place.parent) != os.path.realpath(Path(os.path.realpath(place)).parent):
        raise FileFormatError(
            "the file of weights lies in another folder than the JSON file",
            given=f"{place.name}, a link",
            expected="a file in the folder of the JSON file",
        )
    return Tensors(place)


def output_beside(path: Path, weights: object) -> Path:
    """Return where the weights of a JSON file are to be written."""
    given = path_of(weights, "weights")
    if given.parent not in (Path(), path.parent) or given.name == path.name:
        raise ArgumentError(
            "weights are written beside the JSON file",
            given=f"weights={shown(str(given))}",
            expected="a name without a folder, other than that of the JSON file",
            fix=f'weights="{path.stem}.safetensors"',
        )
    return weights_beside(path, given.name)


def _library(path: Path) -> Any:
    try:
        import safetensors
        import safetensors.numpy
    except ImportError:
        raise MissingDependencyError(
            "weights in a file of their own need the package safetensors",
            given=str(path),
            fix='pip install "upsim[files]", or a JSON file with the weights in it',
        ) from None
    return safetensors
