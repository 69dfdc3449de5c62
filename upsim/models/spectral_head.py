"""Heads that make a spectrum: a magnitude and a phase a bin, then the inverse STFT."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from upsim.layers import Concatenate, Conv, InverseSTFT, Pointwise
from upsim.models.chain import Branches, Link, Named

Array = NDArray[np.float64]

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

    def part(name: str, function: str) -> Link:
        # x0 and x1 are the halves of the channels: the logarithm of the magnitude and the phase.
        steps: list[tuple[object, ...]] = [("exp", "x0")]
        if most is not None:
            steps.append(("minimum", "s0", most))
        magnitude, phase = f"s{len(steps) - 1}", "x1"
        if has_sine:
            steps.append(("sin", "x1"))
            phase = f"s{len(steps) - 1}"
        steps.append((function, phase))
        steps.append(("multiply", magnitude, f"s{len(steps) - 1}"))
        return Named(name, Pointwise(steps))

    halves = (part("real", "cos"),), (part("imaginary", "sin"),)
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
