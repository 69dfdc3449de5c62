"""Windowed-sinc interpolation, a sum over the zero crossings for each output sample."""

from __future__ import annotations

from math import ceil, cos, pi, sin

import numpy as np

from upsim.layers.interpolation import WindowedSinc
from upsim.neural.precision import Signal
from upsim.neural.registry import register


def window_value(name: str, place: float) -> float:
    """Return a window at ``place``, 0 in its middle and 1 at its end.

    Examples
    --------
    >>> window_value("hann", 0.0), round(window_value("hann", 1.0), 12)
    (1.0, 0.0)
    """
    if name == "hann":
        return cos(pi * place / 2) ** 2
    if name == "hamming":
        return 0.08 + 0.92 * cos(pi * place / 2) ** 2
    if name == "blackman":
        # 0.42 + 0.5 cos + 0.08 cos(2 x), with cos(2 x) = 2 cos^2 - 1.
        middle = cos(pi * place)
        return 0.34 + middle * (0.5 + 0.16 * middle)
    return 1.0


def neighbour_weights(layer: WindowedSinc, phase: int) -> dict[int, float]:
    r"""Return the weight of each input neighbour of output phase ``i``, by its distance ``j``.

    .. math:: w_j \propto \mathrm{sinc}(\rho\, t_j)\, \mathrm{window}(t_j / t_{max}),
        \qquad t_j = i / L - j, \qquad \sum_j w_j = 1

    with the rolloff :math:`\rho`; :math:`t_{max}` is the first output sample at or after the last
    zero crossing.  The common factor :math:`\rho` of the low-pass falls out in the normalisation.
    """
    span = ceil(layer.zeros * layer.factor / layer.rolloff)
    weights: dict[int, float] = {}
    # |i - j L| < span.
    for j in range(-((span - 1 - phase) // layer.factor), (phase + span - 1) // layer.factor + 1):
        distance = phase - j * layer.factor
        angle = pi * layer.rolloff * distance / layer.factor
        height = sin(angle) / angle if angle else 1.0
        weights[j] = height * window_value(layer.window, distance / span)
    total = sum(weights.values())
    return {j: weight / total for j, weight in weights.items()}


@register(WindowedSinc)
def interpolate_by_sinc(layer: WindowedSinc, samples: Signal) -> Signal:
    """Add the weighted neighbours, phase by phase; beyond the ends there are zeros."""
    batch, channels, length = samples.shape
    made = np.zeros((batch, channels, length, layer.factor), samples.dtype)
    for phase in range(layer.factor):
        phase_sum = np.zeros_like(samples)
        for j, weight in neighbour_weights(layer, phase).items():
            # Output m sees input m + j where that exists.
            begin, end = max(0, -j), min(length, length - j)
            if begin < end:
                phase_sum[:, :, begin:end] += samples[:, :, begin + j : end + j] * weight
        made[:, :, :, phase] = phase_sum
    return made.reshape(batch, channels, length * layer.factor)
