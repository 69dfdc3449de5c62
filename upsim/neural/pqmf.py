"""The synthesis bank as multi-band MelGAN computes it: a stretch, then a correlation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from upsim.layers.pqmf import PQMF
from upsim.neural.convolution import correlate
from upsim.neural.padding import pad
from upsim.neural.precision import Signal, like
from upsim.neural.registry import register
from upsim.neural.torch_layers import register_torch
from upsim.neural.torch_tensor import tensor_layer


def bank(layer: PQMF) -> NDArray[np.float64]:
    """Return the filters of the correlation, (1, subbands, taps + 1)."""
    count, middle = layer.taps + 1, 0.5 * layer.taps
    omega = np.pi * layer.cutoff_ratio
    with np.errstate(invalid="ignore"):
        sinc = np.sin(omega * (np.arange(count) - middle)) / (np.pi * (np.arange(count) - middle))
    sinc[layer.taps // 2] = layer.cutoff_ratio
    prototype = sinc * np.kaiser(count, layer.beta)
    filters = [
        2
        * prototype
        * np.cos(
            (2 * k + 1) * np.pi / (2 * layer.subbands) * (np.arange(count) - middle)
            - (-1) ** k * np.pi / 4
        )
        for k in range(layer.subbands)
    ]
    return np.array(filters)[None]


@register(PQMF)
def synthesise(layer: PQMF, samples: Signal) -> Signal:
    """Stretch each band, times their number, and correlate with the bank."""
    batch, bands, count = samples.shape
    longer = np.zeros((batch, bands, count * bands), dtype=samples.dtype)
    longer[:, :, ::bands] = samples * like(samples, bands)
    half = layer.taps // 2
    return correlate(pad(longer, half, half, "zeros"), like(samples, bank(layer)))


@register_torch(PQMF)
def _pqmf(layer: PQMF, torch: Any) -> Any:
    bands = layer.subbands

    def compute(x: Any, updown: Any, filters: Any) -> Any:
        stretched = torch.nn.functional.conv_transpose1d(x, updown * bands, stride=bands)
        return torch.nn.functional.conv1d(stretched, filters, padding=layer.taps // 2)

    updown = np.zeros((bands, bands, bands))
    updown[range(bands), range(bands), 0] = 1
    return tensor_layer(torch, layer, compute, updown=updown, filters=bank(layer))
