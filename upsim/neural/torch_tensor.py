"""A torch module for a layer that torch has none for: a function of samples and named arrays."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from upsim.layers.base import Layer


@cache
def _tensor_class(torch: Any) -> Any:
    # The class can exist only once torch is imported.
    class TensorLayer(torch.nn.Module):  # type: ignore[misc]
        """A layer that torch has no module for: a function of samples and of named arrays."""

        def __init__(self, layer: Layer, compute: Callable[..., Any], **arrays: Any) -> None:
            super().__init__()
            self.layer = layer
            self.compute = compute
            for name, values in arrays.items():
                self.register_buffer(name, tensor(torch, values))

        def extra_repr(self) -> str:
            return repr(self.layer)

        def forward(self, samples: Any) -> Any:
            return self.compute(samples, **dict(self.named_buffers(recurse=False)))

    return TensorLayer


def tensor_layer(torch: Any, layer: Layer, compute: Callable[..., Any], **arrays: Any) -> Any:
    """Return a module that is ``compute(samples, **arrays)``, the arrays kept as its buffers."""
    return _tensor_class(torch)(layer, compute, **arrays)


def tensor(torch: Any, values: Any) -> Any:
    """Return a double-precision tensor of its own, also of a read-only array."""
    return torch.tensor(np.array(values, dtype=np.float64))
