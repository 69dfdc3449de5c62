"""The same layers as torch modules, for a second witness, on the CPU or on CUDA.

torch is imported only when one of these functions is called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from functools import reduce
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from upsim.errors import (
    ArgumentError,
    ArgumentTypeError,
    MissingDependencyError,
    UnknownNameError,
    UpsimError,
)
from upsim.layers.base import Layer
from upsim.layers.branches import chain_channels, layer_tuple
from upsim.layers.merging import Merging
from upsim.network.graph import Graph, refuse_several_inputs
from upsim.network.node import Node
from upsim.network.stack import Stack
from upsim.network.walk import walk
from upsim.neural.batch import as_batch
from upsim.neural.precision import Signal, precision
from upsim.neural.run import Layers
from upsim.words.arguments import shown

Kind = TypeVar("Kind", bound=Layer)
#: Takes a layer and the imported torch; returns a ``torch.nn.Module``.
Builder = Callable[[Any, Any], Any]

_BUILDERS: dict[type[Layer], Builder] = {}


def register_torch(kind: type[Kind]) -> Callable[[Builder], Builder]:
    """Return a decorator that makes a function the builder of a layer type's torch module.

    The function takes the layer and the imported ``torch`` and returns a ``torch.nn.Module`` in
    double precision on the CPU; :func:`to_torch` moves it.
    """
    given: object = kind
    if not (isinstance(given, type) and issubclass(given, Layer)):
        raise ArgumentTypeError(
            "a builder is registered for a layer type",
            given=str(getattr(given, "__name__", type(given).__name__)),
            expected="a subclass of upsim.layers.Layer",
            fix="@upsim.neural.register_torch(MyLayer), with the type in the brackets",
        )

    def keep(builder: Builder) -> Builder:
        _BUILDERS[kind] = builder
        return builder

    return keep


def to_torch(layers: Layers, *, dtype: DTypeLike = np.float64, device: str = "cpu") -> Any:
    """Return a ``torch.nn.Module`` that performs layers with torch's own modules.

    What torch has no module for is written with tensor operations.

    Parameters
    ----------
    layers : Stack, iterable of Layer, or Layer
        All weights drawn.  A Stack or an iterable becomes a ``torch.nn.Sequential``.
    dtype : float32 or float64
        NumPy's or torch's.
    device : str
        "cpu", "cuda" or "cuda:0".
    """
    torch = require_torch()
    wanted = _torch_precision(dtype)
    place = checked_device(torch, device)
    if isinstance(layers, Layer):
        module = build(layers, torch)
    elif isinstance(layers, Graph) and not isinstance(layers, Stack):
        module = build_graph(layers, torch)
    else:
        module = build_chain(layers, torch)
    return module.to(device=place, dtype=getattr(torch, wanted.name)).eval()


def run_torch(
    layers: Layers, samples: ArrayLike, *, dtype: DTypeLike = np.float64, device: str = "cpu"
) -> Signal:
    """Return what torch makes of samples, as a NumPy array.

    Parameters
    ----------
    layers, samples, dtype
        As :func:`upsim.neural.run` takes them.
    device : str
        "cpu", "cuda" or "cuda:0".  Convolutions on CUDA run in full float32: TF32, torch's
        default there, keeps 10 bits and is switched off while this runs.
    """
    torch = require_torch()
    batch, added = as_batch(samples, _torch_precision(dtype))
    if isinstance(layers, Graph):
        refuse_several_inputs(layers, "neural.run_torch")
    else:
        layers = layer_tuple(layers, "layers")
        chain_channels(layers, batch.shape[1])  # refuses channels that a layer cannot take
    module = to_torch(layers, dtype=dtype, device=device)
    place = checked_device(torch, device)
    full_precision = (
        torch.backends.cudnn.flags(enabled=torch.backends.cudnn.enabled, allow_tf32=False)
        if place.type == "cuda"
        else nullcontext()
    )
    with torch.inference_mode(), full_precision:
        made = module(torch.tensor(batch, device=place))
    result: Signal = made.cpu().numpy()
    return result[0] if added else result


def require_torch() -> Any:
    """Return torch, or say how to get it."""
    try:
        import torch
    except ImportError:
        raise MissingDependencyError(
            "PyTorch is not installed",
            expected="torch, for the second witness",
            fix='pip install "upsim[torch]", or upsim.neural.run, which needs NumPy only',
        ) from None
    return torch


def build(layer: Layer, torch: Any) -> Any:
    """Return the torch module of one layer, double precision, on the CPU."""
    for ancestor in type(layer).__mro__:
        if ancestor in _BUILDERS:
            return _BUILDERS[ancestor](layer, torch)
    kind = type(layer).__name__
    raise UnknownNameError(
        "the torch witness has no module for this layer",
        given=kind,
        expected="a layer of upsim.layers.CATALOGUE, or one with a registered builder",
        fix=f"@upsim.neural.register_torch({kind}) above a function (layer, torch) -> Module",
    )


def build_graph(graph: Graph, torch: Any) -> Any:
    """Return one module for a graph: its inputs in order to its output."""
    modules: dict[int, Any] = {}
    for node in graph.nodes:
        if not isinstance(node.layer, Merging):
            with graph.placed(node):
                modules[node.output] = build(node.layer, torch)

    class GraphModule(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.layers = torch.nn.ModuleDict({str(k): each for k, each in modules.items()})

        def forward(self, *inputs: Any) -> Any:
            def rule(node: Node, given: Sequence[Any]) -> Any:
                if isinstance(node.layer, Merging):
                    return merge(torch, node.layer.how, given)
                return self.layers[str(node.output)](given[0])

            return walk(graph, inputs, rule)[graph.end]

    return GraphModule()


def merge(torch: Any, how: str, values: Sequence[Any]) -> Any:
    """Return the sum, the mean or the concatenation (over channels) of tensors."""
    if how == "concatenate":
        return torch.cat(list(values), dim=1)
    total = reduce(torch.add, values)
    return total / len(values) if how == "mean" else total


def build_chain(layers: Iterable[Layer], torch: Any) -> Any:
    """Return the modules of a chain in sequence; an empty chain is a plain wire."""
    listed = layer_tuple(layers, "layers")
    modules = []
    for number, layer in enumerate(listed, 1):
        try:
            modules.append(build(layer, torch))
        except UpsimError as error:
            place = f"layer {number} of {len(listed)} ({type(layer).__name__})"
            raise error.at(place) from None
    return torch.nn.Sequential(*modules)


def _torch_precision(dtype: Any) -> np.dtype[Any]:
    # str(torch.float32) is "torch.float32"; NumPy knows the second half.
    name = shown(dtype)
    return precision(name.removeprefix("torch.") if name.startswith("torch.") else dtype)


def checked_device(torch: Any, device: str) -> Any:
    """Return a torch device, or refuse one that is not there."""
    try:
        given: object = device
        place = torch.device(given) if isinstance(given, str | torch.device) else None
    except (RuntimeError, ValueError):
        place = None
    if place is None or place.type not in ("cpu", "cuda"):
        raise ArgumentError(
            "device is not one that the witness runs on",
            given=f"device={shown(device)}",
            expected='"cpu" or "cuda"',
            fix='device="cpu"',
        )
    if place.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (place.index or 0) >= count:
            raise ArgumentError(
                "there is no such CUDA device",
                given=f"device={device!r}, {count} CUDA devices",
                expected="a CUDA device that this torch can use",
                fix='device="cpu"',
            )
    return place
