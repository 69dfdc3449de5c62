"""Wavelet synthesis by interleaving two half-rate signals."""

from __future__ import annotations

import numpy as np

from upsim.layers.wavelet import HaarSynthesis, LazyWaveletSynthesis
from upsim.neural.precision import Signal, like
from upsim.neural.registry import register


def interleave(even: Signal, odd: Signal) -> Signal:
    """Return the samples of two signals in turn.

    Examples
    --------
    >>> interleave(np.array([[[1.0, 2.0]]]), np.array([[[10.0, 20.0]]]))
    array([[[ 1., 10.,  2., 20.]]])
    """
    made = np.empty((*even.shape[:-1], 2 * even.shape[-1]), even.dtype)
    made[..., 0::2] = even
    made[..., 1::2] = odd
    return made


@register(HaarSynthesis)
def synthesise_haar(layer: HaarSynthesis, samples: Signal) -> Signal:  # noqa: ARG001
    """Return sums and differences of the two bands, by turns, over the square root of 2."""
    low, high = np.split(samples, 2, axis=1)
    return interleave(low + high, low - high) / like(samples, np.sqrt(2))


@register(LazyWaveletSynthesis)
def synthesise_lazily(layer: LazyWaveletSynthesis, samples: Signal) -> Signal:  # noqa: ARG001
    """Even samples from the first band, odd ones from the second."""
    low, high = np.split(samples, 2, axis=1)
    return interleave(low, high)
