"""Which named value each tensor of a running module holds, through views and in-place operations.

Tensors that share a storage see each other's changes.  So a storage counts its writes: a tensor
that was named before the last write is read again from what the storage holds since.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Operand = str | NDArray[Any]

#: Make a movement step: (function, reads, shape, fields) -> name of the value.
Emit = Callable[..., str]


class Geometry(NamedTuple):
    """Where the numbers of a tensor lie in its storage, counted in numbers."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int

    @classmethod
    def of(cls, tensor: Any) -> Geometry:
        """Return the geometry of a tensor."""
        return cls(tuple(tensor.shape), tuple(tensor.stride()), int(tensor.storage_offset()))

    def numbers(self) -> NDArray[np.int64]:
        """Return the place of each number in the storage."""
        places = np.full(self.shape, self.offset, dtype=np.int64)
        for axis, (size, stride) in enumerate(zip(self.shape, self.strides, strict=True)):
            line = np.arange(size, dtype=np.int64) * stride
            places += line.reshape([-1 if each == axis else 1 for each in range(len(self.shape))])
        return places

    def order(self, count: int) -> tuple[int, ...] | None:
        """Return the order of axes in which ``count`` numbers are filled; None if they are not."""
        axes = sorted(range(len(self.shape)), key=lambda axis: -self.strides[axis])
        expected = 1
        for axis in reversed(axes):
            if self.shape[axis] != 1 and self.strides[axis] != expected:
                return None
            expected *= self.shape[axis]
        return tuple(axes) if expected == count and self.offset == 0 else None


class _Storage:
    """What a storage holds: the first tensor that was named in it, and the writes since."""

    def __init__(self, count: int, reference: Any) -> None:
        self.count, self.reference = count, reference
        self.writes: list[tuple[Operand, Geometry]] = []
        self.version = 0

    def put(self, operand: Operand, place: Geometry) -> None:
        if place.order(self.count) is not None:
            self.writes.clear()
        self.writes.append((operand, place))

    def flat(self, emit: Emit) -> str | None:
        """Return a value of all its numbers in a row; None if some of them were never named."""
        (operand, place), *later = self.writes
        order = place.order(self.count)
        if order is None:
            return None
        if order != tuple(range(len(order))):
            shape = tuple(place.shape[axis] for axis in order)
            operand = emit("transpose", (operand,), shape, axes=order)
        flat = emit("reshape", (operand,), (self.count,))
        for added, where in later:
            places = where.numbers().reshape(-1)
            row = emit("reshape", (added,), (places.size,))
            both = emit("concatenate", (flat, row), (self.count + places.size,), axis=0)
            indices = np.arange(self.count, dtype=np.int64)
            indices[places] = self.count + np.arange(places.size)
            flat = emit("gather", (both,), (self.count,), axis=0, indices=indices)
        whole = Geometry((self.count,), (1,), 0)
        self.writes = [(flat, whole)]
        return flat


class Values:
    """The named values of tensors."""

    def __init__(self, torch: Any, emit: Emit) -> None:
        from torch.utils.weak import WeakTensorKeyDictionary

        self._torch, self._emit = torch, emit
        self._names: Any = WeakTensorKeyDictionary()
        self._storages: dict[int, _Storage] = {}

    def _storage(self, tensor: Any) -> _Storage:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key not in self._storages:
            # The address is another storage's once this one is gone.
            reference = weakref.ref(storage, lambda _: self._storages.pop(key, None))
            count = storage.nbytes() // tensor.element_size()
            self._storages[key] = _Storage(count, reference)
        return self._storages[key]

    def _written(self, tensor: Any) -> _Storage | None:
        """Return the storage of a tensor if a value of the model was written into it."""
        found = self._storages.get(tensor.untyped_storage()._cdata)
        return found if found is not None and found.version else None

    def is_known(self, tensor: Any) -> bool:
        """Return whether a tensor holds a value of the model: it is no constant."""
        return tensor in self._names or self._written(tensor) is not None

    def bind(self, tensor: Any, value: str) -> None:
        """Name what a tensor holds from now on."""
        storage = self._storage(tensor)
        if not storage.writes:
            storage.put(value, Geometry.of(tensor))
        self._names[tensor] = (value, storage.version)

    def hold(self, tensor: Any) -> None:
        """Keep the constants around a tensor that is about to be written."""
        storage = self._storage(tensor)
        if not storage.writes:
            whole = self._torch.empty(0, dtype=tensor.dtype).set_(tensor.untyped_storage())
            line = Geometry((storage.count,), (1,), 0)
            storage.put(whole.numpy().copy(), line)

    def write(self, tensor: Any, value: str) -> None:
        """Note that a value was written into a tensor's place; it was held before."""
        storage = self._storage(tensor)
        storage.version += 1
        storage.put(value, Geometry.of(tensor))
        self._names[tensor] = (value, storage.version)

    def read(self, tensor: Any) -> str | None:
        """Return the name of what a tensor holds now; None for a constant, or if it is lost."""
        storage = self._written(tensor)
        known = self._names.get(tensor)
        if known is not None and (storage is None or known[1] == storage.version):
            return str(known[0])
        if storage is None:
            return None
        place = Geometry.of(tensor)
        last, where = storage.writes[-1]
        if where == place and isinstance(last, str):
            value = last
        else:
            found = self.placed(tensor)
            if found is None:
                return None
            value = found
        self._names[tensor] = (value, storage.version)
        return value

    def placed(self, tensor: Any) -> str | None:
        """Return a value read from a tensor's place in its storage; None if it is lost."""
        place = Geometry.of(tensor)
        storage = self._storage(tensor)
        flat = storage.flat(self._emit) if storage.writes else None
        if flat is None:
            return None
        return self._emit(
            "strided", (flat,), place.shape, strides=place.strides, offset=place.offset
        )
