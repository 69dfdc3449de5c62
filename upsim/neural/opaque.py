"""A node without a formula: its own function is run."""

from __future__ import annotations

from typing import Any

import numpy as np

from upsim.layers.opaque import Opaque
from upsim.neural.precision import Signal
from upsim.neural.registry import register
from upsim.neural.torch_layers import register_torch
from upsim.neural.torch_tensor import tensor_layer


@register(Opaque)
def run_opaque(layer: Opaque, samples: Signal) -> Signal:
    """Run the node's function on each of the batch."""
    return np.stack([layer.answer(each) for each in samples]).astype(samples.dtype)


@register_torch(Opaque)
def _opaque(layer: Opaque, torch: Any) -> Any:
    def compute(x: Any) -> Any:
        made = run_opaque(layer, x.detach().cpu().numpy())
        return torch.as_tensor(made, dtype=x.dtype, device=x.device)

    return tensor_layer(torch, layer, compute)
