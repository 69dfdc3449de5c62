"""What runs layers: NumPy or torch, on a device, in a precision; one table of them.

A backend keeps samples (rows, channels, time) as its own arrays from layer to layer.  What is read
from them, sums and products, comes back as NumPy in double precision.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from upsim.errors import ArgumentError
from upsim.layers.base import Layer
from upsim.neural.branches import merged
from upsim.neural.precision import precision
from upsim.neural.registry import forward
from upsim.neural.torch_layers import build, checked_device, merge, require_torch
from upsim.words.arguments import one_of, shown

Real = NDArray[np.float64]
Whole = NDArray[np.intp]

#: The precisions of torch, and the relative distance of neighbouring numbers in each.  "tf32" is
#: float32 whose products keep 10 bits.
PRECISIONS = {
    "float64": 2.0**-52,
    "float32": 2.0**-23,
    "tf32": 2.0**-10,
    "float16": 2.0**-10,
    "bfloat16": 2.0**-7,
}


class Backend(ABC):
    """Runs single layers on arrays of its own.

    Parameters
    ----------
    name : str
        As answers say it: "numpy float64", "torch cuda float32".
    epsilon : float
        The relative distance of neighbouring numbers.
    numbers : int
        Of one value, that run best at once: a cache's worth, or what fills a GPU.
    runs_apart : bool
        Whether a device works while Python goes on.
    """

    name: str
    epsilon: float
    numbers: int = 2**18
    runs_apart: bool = False

    @abstractmethod
    def array(self, samples: Real) -> Any:
        """Return samples (rows, channels, time) as an array of this backend."""

    @abstractmethod
    def numpy(self, value: Any) -> Real:
        """Return an array of this backend in double precision."""

    def every(self, values: Sequence[Any]) -> list[Real]:
        """Return several small arrays in double precision, fetched together."""
        return [self.numpy(value) for value in values]

    @abstractmethod
    def layer(self, layer: Layer, value: Any) -> Any:
        """Return what a layer makes of a value."""

    @abstractmethod
    def merged(self, how: str, values: Sequence[Any]) -> Any:
        """Return the sum, the mean or the concatenation of values."""

    @abstractmethod
    def turned(self, value: Any, start: int, length: int) -> Any:
        """Return ``length`` samples of a value on a circle, from sample ``start`` on."""

    @abstractmethod
    def own(self, value: Any, other: Any) -> Any:
        """Return a value that may be written to: a copy where it is part of another."""

    @abstractmethod
    def folded(self, value: Any, period: int) -> Any:
        """Return the sum over rows and whole periods, (channels, period), on the backend.

        Who reads it as a number waits for the device, so it stays there until it is asked for.
        """

    @abstractmethod
    def product(self, first: Any, second: Any) -> Any:
        """Return the sum over rows and time of the product of two values, (channels,)."""

    @abstractmethod
    def periods(self, value: Any, period: int) -> Real:
        """Return the mean over whole periods of each row, (rows, channels, period)."""

    @abstractmethod
    def squares(self, value: Any) -> Real:
        """Return the mean square of each row, (rows, channels)."""

    @abstractmethod
    def bands(self, value: Any, band: Whole, points: int) -> Real:
        r"""Return the mean of :math:`|X_k|^2` over the bins k of each band, for each row.

        Parameters
        ----------
        value : array (rows, channels, time)
        band : array (time // 2 + 1,)
            The number of each bin's band; -1 where it is in none.
        points : int
            Bands.

        Returns
        -------
        array (rows, channels, points)
        """

    @contextmanager
    def running(self) -> Iterator[None]:
        """Hold what a run needs: no gradients, the precision of products."""
        yield


class NumpyBackend(Backend):
    """The witness in NumPy."""

    def __init__(self, dtype: DTypeLike = np.float64) -> None:
        self.dtype = precision(dtype)
        self.name = f"numpy {self.dtype.name}"
        self.epsilon = float(np.finfo(self.dtype).eps)

    def array(self, samples: Real) -> Any:
        """Return samples in the backend's precision."""
        return np.asarray(samples, dtype=self.dtype)

    def numpy(self, value: Any) -> Real:
        """Return a value in double precision."""
        return np.asarray(value, dtype=np.float64)

    def layer(self, layer: Layer, value: Any) -> Any:
        """Run the layer's forward."""
        return forward(layer, value)

    def merged(self, how: str, values: Sequence[Any]) -> Any:
        """Merge values of equal lengths."""
        return merged(how, values)

    def turned(self, value: Any, start: int, length: int) -> Any:
        """Return samples on a circle."""
        return value[:, :, np.arange(start, start + length) % value.shape[2]]

    def own(self, value: Any, other: Any) -> Any:
        """Return a value that may be written to."""
        shared = np.may_share_memory(value, other) or not value.flags.writeable
        return value.copy() if shared else value

    def folded(self, value: Any, period: int) -> Any:
        """Return the sum over rows and periods."""
        rows, channels, time = value.shape
        turns = time // period
        cut = value[:, :, : turns * period].reshape(rows, channels, turns, period)
        return np.asarray(cut.sum(axis=(0, 2), dtype=np.float64))

    def product(self, first: Any, second: Any) -> Any:
        """Return the sum of products of each channel."""
        return np.asarray(np.einsum("rct,rct->c", first, second), dtype=np.float64)

    def periods(self, value: Any, period: int) -> Real:
        """Return the mean over whole periods of each row."""
        rows, channels, time = value.shape
        turns = time // period
        cut = value[:, :, : turns * period].reshape(rows, channels, turns, period)
        return np.asarray(cut.mean(axis=2, dtype=np.float64))

    def squares(self, value: Any) -> Real:
        """Return the mean square of each row."""
        return np.asarray(np.square(value, dtype=np.float64).mean(axis=2))

    def bands(self, value: Any, band: Whole, points: int) -> Real:
        """Return the mean power of each band."""
        spectrum = np.fft.rfft(value, axis=2)
        power = spectrum.real**2 + spectrum.imag**2
        inside = np.flatnonzero(band >= 0)
        chosen = band[inside]
        # Bands are neighbours, each a stretch of bins.
        firsts = np.flatnonzero(np.diff(chosen, prepend=-1))
        found = np.zeros((*value.shape[:2], points))
        found[:, :, chosen[firsts]] = np.add.reduceat(power[:, :, inside], firsts, axis=2)
        return found / np.bincount(chosen, minlength=points)


class TorchBackend(Backend):
    """The same layers as torch modules, each built and moved once."""

    def __init__(self, dtype: object = "float64", device: str = "cpu") -> None:
        torch = self._torch = require_torch()
        kind = shown(dtype).removeprefix("torch.").strip("'\"")
        if kind not in PRECISIONS:
            kind = precision(dtype).name  # type: ignore[arg-type]
        self.device = checked_device(torch, device)
        self.dtype = torch.float32 if kind == "tf32" else getattr(torch, kind)
        self.name = f"torch {device} {kind}"
        self.epsilon = PRECISIONS[kind]
        self._tf32 = kind == "tf32"
        self.runs_apart = self.device.type == "cuda"
        self.numbers = 2**27 if self.runs_apart else 2**18
        self._modules: dict[int, tuple[Layer, Any]] = {}

    def array(self, samples: Real) -> Any:
        """Return samples on the device."""
        return self._torch.tensor(samples, dtype=self.dtype, device=self.device)

    def numpy(self, value: Any) -> Real:
        """Return a value in double precision."""
        found: Real = value.to(device="cpu", dtype=self._torch.float64).numpy()
        return found

    def every(self, values: Sequence[Any]) -> list[Real]:
        """Return several arrays, by one transfer."""
        if not values:
            return []
        flat = self._torch.cat([each.double().reshape(-1) for each in values]).cpu().numpy()
        cuts = np.cumsum([each.numel() for each in values])[:-1]
        parts = np.split(flat, cuts)
        return [part.reshape(each.shape) for part, each in zip(parts, values, strict=True)]

    def layer(self, layer: Layer, value: Any) -> Any:
        """Run the layer's module."""
        layer.channels_out(value.shape[1])
        if id(layer) not in self._modules:
            # The layer is kept with its module, so that its number stays its own.
            module = build(layer, self._torch).to(device=self.device, dtype=self.dtype).eval()
            self._modules[id(layer)] = (layer, module)
        return self._modules[id(layer)][1](value)

    def merged(self, how: str, values: Sequence[Any]) -> Any:
        """Merge values of equal lengths."""
        return merge(self._torch, how, values)

    def turned(self, value: Any, start: int, length: int) -> Any:
        """Return samples on a circle, as stretches one after another."""
        count = value.shape[2]
        first = start % count
        if first + length <= count:
            return value[:, :, first : first + length]
        parts = [value[:, :, first:]]
        left = length - (count - first)
        parts += [value] * (left // count)
        if left % count:
            parts.append(value[:, :, : left % count])
        return self._torch.cat(parts, dim=2)

    def own(self, value: Any, other: Any) -> Any:
        """Return a value that may be written to."""
        place = value.untyped_storage().data_ptr()
        return value.clone() if place == other.untyped_storage().data_ptr() else value

    def folded(self, value: Any, period: int) -> Any:
        """Return the sum over rows and periods."""
        # Sums of half precision would soon stand still.
        half = value.dtype in (self._torch.float16, self._torch.bfloat16)
        wide = self._torch.float32 if half else None
        # Over the rows first: all that follows is smaller by their number.
        whole = value.sum(dim=0, dtype=wide) if len(value) > 1 else value[0].to(wide or value.dtype)
        turns = whole.shape[1] // period
        return whole[:, : turns * period].reshape(len(whole), turns, period).sum(dim=1)

    def product(self, first: Any, second: Any) -> Any:
        """Return the sum of products of each channel."""
        if first.dtype in (self._torch.float16, self._torch.bfloat16):
            first, second = first.float(), second.float()
        return self._torch.linalg.vecdot(first, second, dim=2).sum(dim=0)

    def periods(self, value: Any, period: int) -> Real:
        """Return the mean over whole periods of each row."""
        rows, channels, time = value.shape
        turns = time // period
        cut = value[:, :, : turns * period].reshape(rows, channels, turns, period)
        return self.numpy(cut.mean(dim=2, dtype=self._torch.float64))

    def squares(self, value: Any) -> Real:
        """Return the mean square of each row."""
        return self.numpy(value.double().square().mean(dim=2))

    def bands(self, value: Any, band: Whole, points: int) -> Real:
        """Return the mean power of each band."""
        torch = self._torch
        wide = value.float() if value.dtype in (torch.float16, torch.bfloat16) else value
        power = torch.fft.rfft(wide, dim=2).abs().square()
        inside = np.flatnonzero(band >= 0)
        chosen = torch.tensor(band[inside], device=self.device)
        shape = (*value.shape[:2], points)
        found = torch.zeros(shape, dtype=power.dtype, device=self.device)
        kept = power[:, :, torch.tensor(inside, device=self.device)]
        found.index_add_(2, chosen, kept)
        return self.numpy(found) / np.bincount(band[inside], minlength=points)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Switch gradients off, and TF32 on or off, and put it back."""
        torch = self._torch
        if self.device.type != "cuda":
            with torch.inference_mode():
                yield
            return
        before = torch.backends.cuda.matmul.allow_tf32
        torch.backends.cuda.matmul.allow_tf32 = self._tf32
        try:
            with (
                torch.inference_mode(),
                torch.backends.cudnn.flags(
                    enabled=torch.backends.cudnn.enabled, allow_tf32=self._tf32
                ),
            ):
                yield
        finally:
            torch.backends.cuda.matmul.allow_tf32 = before


#: A function of a precision and a device.
Factory = Callable[[Any, Any], Backend]


def _numpy(dtype: Any, device: object) -> Backend:
    if not isinstance(device, str) or device != "cpu":
        raise ArgumentError(
            "NumPy runs on the CPU",
            given=f"backend='numpy', device={shown(device)}",
            fix="device='cpu'" + (", or backend='torch'" if isinstance(device, str) else ""),
        )
    return NumpyBackend(dtype)


def _of_cuda(device: object) -> str:
    plain = not isinstance(device, str) or device == "cpu"
    return "cuda" if plain else str(device)


#: The backends by name; "cuda" is torch on the first GPU.
BACKENDS: dict[str, Factory] = {
    "numpy": _numpy,
    "torch": TorchBackend,
    "cuda": lambda dtype, device: TorchBackend(dtype, _of_cuda(device)),
}


def backend_of(name: object, *, dtype: object = "float64", device: str = "cpu") -> Backend:
    """Return a backend by its name, or the one that is given.

    Parameters
    ----------
    name : str or Backend
        "numpy", "torch", or "cuda": torch on a GPU.
    dtype : str or dtype
        "float64" or "float32"; torch knows "tf32", "float16" and "bfloat16", too.
    device : str
        "cpu", "cuda", "cuda:1".

    Examples
    --------
    >>> backend_of("numpy", dtype="float32").name
    'numpy float32'
    """
    if isinstance(name, Backend):
        return name
    factory = BACKENDS[one_of(name, "backend", BACKENDS)]
    return factory(dtype, device)
