"""The inverse short-time Fourier transform, frame by frame."""

from __future__ import annotations

from typing import Any

import numpy as np

from upsim.errors import ShapeError
from upsim.layers.inverse_stft import InverseSTFT
from upsim.neural.precision import Signal, like
from upsim.neural.registry import register
from upsim.neural.torch_layers import register_torch
from upsim.neural.torch_tensor import tensor_layer

#: torch refuses to divide by less.
_LEAST = 1e-11


def settings(layer: InverseSTFT) -> tuple[int, int, int, Signal]:
    """Return the transform's size, the hop, the samples cut at each end, and the window."""
    size = layer.n_fft
    hop = max(1, size // 4) if layer.hop_length is None else layer.hop_length
    width = size if layer.win_length is None else layer.win_length
    window: Any = layer.window
    if not isinstance(window, np.ndarray):
        from scipy.signal import get_window

        window = np.asarray(get_window(window, width))
    before = (size - width) // 2
    whole = np.concatenate([np.zeros(before), window, np.zeros(size - width - before)])
    cut = layer.trim
    if cut is None:
        cut = size // 2 if layer.center else 0
    return size, hop, cut, whole


@register(InverseSTFT)
def invert(layer: InverseSTFT, samples: Signal) -> Signal:
    """Add the windowed frames at their places, and divide by the windows' squares."""
    size, hop, cut, whole = settings(layer)
    window = like(samples, whole)
    real, imaginary = np.split(samples, 2, axis=1)
    spectra = (real + 1j * imaginary).transpose(0, 2, 1)
    frames = np.fft.irfft(spectra, size, axis=-1)
    frames = frames * np.sqrt(size) if layer.normalized else frames
    frames = frames.astype(samples.dtype) * window
    count = frames.shape[1]
    total = np.zeros((len(samples), (count - 1) * hop + size), samples.dtype)
    covered = np.zeros(total.shape[1], samples.dtype)
    for number in range(count):
        total[:, number * hop : number * hop + size] += frames[:, number]
        covered[number * hop : number * hop + size] += window**2
    kept = slice(cut, total.shape[1] - cut)
    if cut * 2 >= total.shape[1] or covered[kept].min() <= _LEAST:
        raise ShapeError(
            "the windows leave no sample, or one uncovered",
            given=f"{count} frames",
            fix="use a longer input, or cut more at the ends",
        )
    return (total[:, kept] / covered[kept])[:, None]


@register_torch(InverseSTFT)
def _inverse_stft(layer: InverseSTFT, torch: Any) -> Any:
    size, hop, cut, whole = settings(layer)

    def compute(x: Any, window: Any) -> Any:
        real, imaginary = x.chunk(2, dim=1)
        norm = "ortho" if layer.normalized else "backward"
        frames = torch.fft.irfft(torch.complex(real, imaginary), size, dim=1, norm=norm)
        length = (x.shape[-1] - 1) * hop + size
        fold = torch.nn.Fold((1, length), (1, size), stride=(1, hop))
        squares = (window**2)[None, :, None].expand(1, -1, x.shape[-1])
        made = fold(frames * window[:, None])[:, :, 0] / fold(squares)[:, :, 0]
        return made[..., cut : length - cut]

    return tensor_layer(torch, layer, compute, window=whole)
