"""The hold filter as a running mean, repeated."""

from __future__ import annotations

import numpy as np

from upsim.layers.interpolation import Hold
from upsim.neural.padding import pad
from upsim.neural.precision import Signal
from upsim.neural.registry import register


def running_mean(samples: Signal, width: int) -> Signal:
    """Return the mean of each sample and the ``width - 1`` before it; before the first are zeros.

    Examples
    --------
    >>> running_mean(np.array([[[2.0, 4.0, 6.0]]]), 2)
    array([[[1., 3., 5.]]])
    """
    length = samples.shape[-1]
    longer = pad(samples, width - 1, 0, "zeros")
    # A running sum would gather rounding along the whole clip; each mean is summed afresh.
    total = np.zeros_like(samples)
    for begin in range(width):
        total += longer[:, :, begin : begin + length]
    return total / width


@register(Hold)
def smooth(layer: Hold, samples: Signal) -> Signal:
    """Take the running mean ``order`` times."""
    for _ in range(layer.order):
        samples = running_mean(samples, layer.factor)
    return samples
