r"""The filters of resamplers in use, each exactly as its library makes it.

A resampler by ``U / D`` (no divisor in common) is a stretch by ``U``, an FIR and a decimation by
``D``.  Its taps stand at the whole numbers ``p`` behind the stretch, where the sinc's argument is
:math:`t = p\, \rho / \max(U, D)`: one zero crossing for each sample of the lower of the two rates,
with the rolloff :math:`\rho`.

Each function returns the taps and how many of them stand before ``p = 0``.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

import numpy as np
from numpy.typing import NDArray

from upsim.words.arguments import refuse_beyond_memory

Taps = NDArray[np.float64]

#: Beta of torchaudio's Kaiser window, where none is given.
TORCHAUDIO_BETA = 14.769656459379492


def julius(up: int, down: int, zeros: int, rolloff: float) -> tuple[Taps, int]:
    r"""Return the filter of ``julius.ResampleFrac``.

    .. math:: h[p] \propto \mathrm{sinc}(t) \cos^2\!\left(\frac{\pi t}{2 Z}\right), \qquad |t| < Z

    for ``Z`` zeros.  The taps that make one output phase, those of one ``p`` modulo ``U``, are
    divided by their sum: a constant passes exactly.

    Source: Défossez, julius 0.2.8, ``julius/resample.py``.
    """
    taps, half = _sinc(up, down, zeros, rolloff, lambda share: np.cos(np.pi / 2 * share) ** 2)
    phases = np.arange(-half, half + 1) % up
    return taps / np.bincount(phases, weights=taps, minlength=up)[phases], half


def torchaudio(
    up: int, down: int, width: int, rolloff: float, method: str, beta: float | None
) -> tuple[Taps, int]:
    r"""Return the filter of ``torchaudio.functional.resample``.

    .. math:: h[p] = \rho\, \frac{\min(U, D)}{D}\, \mathrm{sinc}(t)\, w(t / W), \qquad |t| < W

    for the width ``W``, with :math:`w(s) = \cos^2(\pi s / 2)`, or
    :math:`I_0(\beta \sqrt{1 - s^2}) / I_0(\beta)`.  Nothing is divided by a sum, so a constant
    leaves a weak tone.

    Source: torchaudio 2, ``functional._get_sinc_resample_kernel``.
    """

    def kaiser(share: Taps) -> Taps:
        shape = TORCHAUDIO_BETA if beta is None else beta
        return np.asarray(np.i0(shape * np.sqrt(1 - share**2)) / np.i0(shape))

    def hann(share: Taps) -> Taps:
        return np.asarray(np.cos(np.pi / 2 * share) ** 2)

    window = hann if method == "sinc_interp_hann" else kaiser
    taps, half = _sinc(up, down, width, rolloff, window)
    return taps * (rolloff * min(up, down) / down), half


def halfband(up: int, down: int, zeros: int) -> tuple[Taps, int]:
    r"""Return the filter of the causal Demucs (denoiser), up or down by 2.

    .. math:: h[p] = \frac1D\, \mathrm{sinc}(p / 2) \cos^2\!\left(\frac{\pi p}{4 Z}\right),
              \qquad |p| < 2 Z

    for ``Z`` zeros: every other tap but the middle one is zero, so the samples that there are pass
    as they are.  Nothing is divided by a sum, so a constant leaves a weak tone.

    Source: Defossez, Synnaeve & Adi, *Real time speech enhancement in the waveform domain*,
    Interspeech 2020; facebookresearch/denoiser, ``denoiser/resample.py``.
    """

    def hann(share: Taps) -> Taps:
        return np.asarray(np.cos(np.pi / 2 * share) ** 2)

    taps, half = _sinc(up, down, zeros, 1.0, hann)
    places = np.arange(-half, half + 1)
    taps[(places % 2 == 0) & (places != 0)] = 0.0
    return taps / down, half


def _sinc(
    up: int, down: int, zeros: int, rolloff: float, window: Callable[[Taps], Taps]
) -> tuple[Taps, int]:
    """Return a sinc of so many zeros a side under a window of the share of them, |share| < 1."""
    largest = max(up, down)
    _refuse_long(2 * zeros * largest / rolloff)
    half = ceil(zeros * largest / rolloff) - 1
    crossings = np.arange(-half, half + 1) * (rolloff / largest)
    return np.sinc(crossings) * window(np.minimum(np.abs(crossings) / zeros, 1.0)), half


def scipy_poly(up: int, down: int, window: str | tuple[str, float] | Taps) -> tuple[Taps, int]:
    """Return the filter of ``scipy.signal.resample_poly``.

    ``firwin(20 max(U, D) + 1, 1 / max(U, D), window)`` times ``U``: its sum is ``U``, that of one
    phase is not exactly 1.  A window that is an array is the filter itself, before the ``U``.

    Source: SciPy 1.17, ``scipy.signal.resample_poly``.
    """
    if isinstance(window, np.ndarray):
        return window * up, (window.size - 1) // 2
    from scipy.signal import firwin

    largest = max(up, down)
    _refuse_long(20 * largest)
    half = 10 * largest
    return np.asarray(firwin(2 * half + 1, 1 / largest, window=window)) * up, half


def anti_aliased(up: int, down: int, kernel_size: int) -> tuple[Taps, int]:
    r"""Return the filter around the activations of BigVGAN, up or down by a ratio ``r``.

    A sinc of cutoff ``1 / (2 r)`` cycles per sample, at half-sample places for an even kernel,
    under a Kaiser window, its sum 1; times ``r`` on the way up.  The window's ``beta`` is Kaiser's
    rule for the attenuation that the transition width ``0.6 / r`` gives:
    :math:`A = 2.285\, (\lfloor K/2 \rfloor - 1)\, \pi \cdot 4 \cdot 0.6 / r + 7.95` dB.  For
    ``r = 2``: 12 taps, cutoff 0.25, half-width 0.3.  An even symmetric kernel is zero at half the
    rate, so it makes no line there.

    Source: Lee et al., *BigVGAN*, ICLR 2023, section 3.2; NVIDIA/BigVGAN,
    ``alias_free_activation/torch/filter.py``; Kaiser 1974.
    """
    ratio = max(up, down)
    _refuse_long(kernel_size)
    half = kernel_size // 2
    attenuation = 2.285 * (half - 1) * np.pi * 4 * (0.6 / ratio) + 7.95
    if attenuation > 50:
        beta = 0.1102 * (attenuation - 8.7)
    elif attenuation >= 21:
        beta = 0.5842 * (attenuation - 21) ** 0.4 + 0.07886 * (attenuation - 21)
    else:
        beta = 0.0
    places = np.arange(kernel_size) - half + (0.5 if kernel_size % 2 == 0 else 0.0)
    taps = np.kaiser(kernel_size, beta) * np.sinc(places / ratio)
    taps *= up / taps.sum()
    if down > 1:
        # Padded by K / 2 less one on the left (K / 2 for an odd kernel), correlated.
        return taps, kernel_size - 1 - (half - 1 + kernel_size % 2)
    return taps, (kernel_size - up) // 2


def _refuse_long(count: float) -> None:
    """Refuse a filter whose parts do not fit: places, sinc, window and taps are alive at once."""
    refuse_beyond_memory(
        8 * int(min(count, 2.0**62)), "the filter", fix="use rates with a larger common divisor"
    )
