"""Heads that make a spectrum: a magnitude and a phase a bin, then the inverse STFT."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from upsim.layers import Concatenate, Conv, InverseSTFT, Opaque
from upsim.models.chain import Branches, Link, Named

Array = NDArray[np.float64]

_REASON = "a product of an exponential and a cosine or sine"

#: The largest magnitude of published heads.
LARGEST_MAGNITUDE = 100.0


def spectral_head(
    transform: InverseSTFT, *, has_sine: bool, most: float | None = LARGEST_MAGNITUDE
) -> list[Link]:
    r"""Return the chain from the logarithm of the magnitude and the phase to samples.

    .. math:: X_t[k] = \min(e^{a}, M)\; e^{i p}, \qquad p = b \text{ or } \sin b,

    with ``a`` the first half of the channels and ``b`` the second (Kaneko et al., *iSTFTNet*,
    ICASSP 2022).

    Parameters
    ----------
    transform : InverseSTFT
    has_sine : bool
        Whether the phase is the sine of its channels.
    most : float, optional
        ``M``, if magnitudes are bounded.
    """
    bins = transform.n_fft // 2 + 1

    def part(name: str, function: Callable[[Array], Array]) -> Link:
        def run(samples: Array) -> Array:
            logarithm, phase = np.split(samples, 2)
            magnitude = np.exp(logarithm) if most is None else np.minimum(np.exp(logarithm), most)
            return magnitude * function(np.sin(phase) if has_sine else phase)

        return Named(name, Opaque(name, bins, run=run, reason=_REASON))

    halves = (part("real", np.cos),), (part("imaginary", np.sin),)
    return [Branches("spectrum", Concatenate(), halves), Named("istft", transform)]


def forward_transform(n_fft: int, hop: int) -> Conv:
    r"""Return ``torch.stft`` of a real signal as a convolution: real parts, then imaginary ones.

    .. math:: X_t[k] = \sum_n w[n]\, x[n + tL - N/2]\, e^{-2 \pi i k n / N},

    ``w`` a periodic Hann window; the ends are reflected.
    """
    turn = 2 * np.pi * np.outer(np.arange(n_fft // 2 + 1), np.arange(n_fft)) / n_fft
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)
    sines = -window * np.sin(turn)
    sines[[0, -1]] = 0.0  # a real signal has none at 0 and at half the rate, rounding or not
    rows: Array = np.concatenate([window * np.cos(turn), sines])
    return Conv(
        1,
        len(rows),
        n_fft,
        hop,
        n_fft // 2,
        bias=False,
        padding_mode="reflect",
        weight=rows[:, None, :],
    )
