"""Interpolation by gathering neighbours, as image and audio libraries resize."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from upsim.layers.interpolation import Cubic, LearnedInterpolation, Linear, Nearest, Stretch
from upsim.neural.precision import Signal, like
from upsim.neural.registry import register
from upsim.neural.wavelet import interleave


def source_places(length: int, factor: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    r"""Return where the output samples lie between the input samples, at half-pixel centres.

    .. math:: \mathrm{src}(i) = (i + 1/2) / L - 1/2 = (2 i + 1 - L) / (2 L)

    Returns
    -------
    index : array (length * factor,)
        ``floor(src)``; -1 before the first input sample.
    share : array (length * factor,)
        ``src - floor(src)``, in [0, 1).

    Notes
    -----
    The division is one of whole numbers, so a place is as exact at the end of a clip as at its
    beginning.  torch computes ``src`` in the precision of the signal: in float32 the spacing of
    numbers near sample 200,000 is 1/64, and that is how far its places are off there.

    Examples
    --------
    >>> index, share = source_places(2, 2)
    >>> index.tolist(), share.tolist()
    ([-1, 0, 0, 1], [0.75, 0.25, 0.75, 0.25])
    """
    numerator = 2 * np.arange(length * factor, dtype=np.intp) + 1 - factor
    index, rest = np.divmod(numerator, 2 * factor)
    return index, rest / (2 * factor)


@register(Stretch)
def insert_zeros(layer: Stretch, samples: Signal) -> Signal:
    """Write each sample into every L-th place of zeros."""
    batch, channels, length = samples.shape
    made = np.zeros((batch, channels, length * layer.factor), samples.dtype)
    made[:, :, :: layer.factor] = samples
    return made


@register(Nearest)
def repeat(layer: Nearest, samples: Signal) -> Signal:
    """Gather sample ``floor(i / L)``."""
    return samples[:, :, np.arange(samples.shape[-1] * layer.factor) // layer.factor]


@register(Linear)
def interpolate_linearly(layer: Linear, samples: Signal) -> Signal:
    """Mix the two neighbours by their nearness."""
    length = samples.shape[-1]
    if layer.convention == "half-pixel":
        index, share = source_places(length, layer.factor)
        # torch clamps the place itself to the first sample, and the right neighbour to the last.
        share = np.where(index < 0, 0.0, share)
        left = samples[:, :, np.maximum(index, 0)]
        right = samples[:, :, np.minimum(index + 1, length - 1)]
    else:
        # Output m L + i lies i / L of the way from sample m to sample m + 1; past the end is 0.
        index, phase = np.divmod(np.arange(length * layer.factor), layer.factor)
        share = phase / layer.factor
        closed = np.concatenate([samples, np.zeros_like(samples[:, :, :1])], axis=-1)
        left, right = closed[:, :, index], closed[:, :, index + 1]
    return left * like(samples, 1 - share) + right * like(samples, share)


def cubic_weights(share: NDArray[np.float64], a: float) -> list[NDArray[np.float64]]:
    r"""Return the weights of the neighbours at -1, 0, 1, 2 around a place at ``share``.

    Keys' polynomial in Horner's form, one branch for the two near neighbours and one for the two
    far ones:

    .. math::
        (a + 2) t^3 - (a + 3) t^2 + 1 \quad (t \le 1), \qquad
        a t^3 - 5 a t^2 + 8 a t - 4 a \quad (1 < t < 2)

    Source: Keys, *Cubic convolution interpolation for digital image processing* (1981), eq. 4.

    Examples
    --------
    >>> [float(weight) for weight in cubic_weights(np.float64(0.5), -0.75)]
    [-0.09375, 0.59375, 0.59375, -0.09375]
    """

    def near(t: Any) -> Any:
        return ((a + 2) * t - (a + 3)) * t * t + 1

    def far(t: Any) -> Any:
        return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a

    return [far(share + 1), near(share), near(1 - share), far(2 - share)]


@register(Cubic)
def interpolate_cubically(layer: Cubic, samples: Signal) -> Signal:
    """Mix four neighbours, each index clamped to the input."""
    length = samples.shape[-1]
    index, share = source_places(length, layer.factor)
    made = np.zeros((*samples.shape[:2], length * layer.factor), samples.dtype)
    for offset, weight in zip((-1, 0, 1, 2), cubic_weights(share, layer.a), strict=True):
        neighbour = samples[:, :, np.clip(index + offset, 0, length - 1)]
        made += neighbour * like(samples, weight)
    return made


@register(LearnedInterpolation)
def interpolate_as_learned(layer: LearnedInterpolation, samples: Signal) -> Signal:
    """Put a sigmoid-weighted mix between each two samples."""
    from scipy.special import expit

    share = expit(like(samples, layer.weight_array()))[:, None]
    between = share * samples[:, :, :-1] + (1 - share) * samples[:, :, 1:]
    woven = interleave(samples[:, :, :-1], between)
    return np.concatenate([woven, samples[:, :, -1:]], axis=-1)
