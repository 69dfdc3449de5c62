"""What a Hann window of n samples makes of a line and of a density, in closed form.

Both are what `scipy.signal.spectrogram` (``window="hann"``, ``detrend=False``, density scaling)
gives on average, so an expected picture and a measured one have the same numbers. With v in cycles
per sample, ``w[m] = (1 - cos(2 pi m / n)) / 2`` and ``D(v) = sin(pi v n) / sin(pi v)``,

    |W(v)| = | D(v)/2 + (e^{-j pi/n} D(v - 1/n) + e^{j pi/n} D(v + 1/n)) / 4 |

up to a common phase: F. J. Harris, *On the use of windows for harmonic analysis with the discrete
Fourier transform*, Proc. IEEE 66 (1978), section V.C.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["hann_density", "hann_lines", "hann_transform"]


def hann_transform(frequencies: NDArray[Any], length: int) -> NDArray[np.float64]:
    """``|W(v)|`` of the periodic Hann window of `length` samples, at v cycles per sample.

    Examples
    --------
    >>> hann_transform(np.array([0.0, 1 / 8]), 8).round(12).tolist()  # n/2 and n/4
    [4.0, 2.0]
    """
    turn = np.exp(1j * np.pi / length)
    v = np.asarray(frequencies, dtype=np.float64)
    centre, step = _dirichlet(v, length) / 2, 1 / length
    sides = _dirichlet(v - step, length) / turn + _dirichlet(v + step, length) * turn
    return np.asarray(np.abs(centre + sides / 4), dtype=np.float64)


def _dirichlet(v: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    # D(k + r) = (-1)^{k(n-1)} D(r), and D(r) = n sinc(rn) / sinc(r) with numpy's sinc, which is not
    # 0 for |r| <= 1/2: no 0/0 at whole v, and no cancellation near it.
    turns = np.round(v)
    rest = v - turns
    sign = np.where(turns * (length - 1) % 2 == 0, 1.0, -1.0)
    return np.asarray(sign * length * np.sinc(rest * length) / np.sinc(rest))


def hann_lines(
    places: NDArray[Any], powers: NDArray[Any], length: int, sample_rate: float
) -> NDArray[np.float64]:
    """One-sided density, per Hz, that lines leave in the ``length//2 + 1`` bins of a transform.

    Parameters
    ----------
    places : array (lines,)
        Cycles per sample, 0 to 1/2.
    powers : array (lines,)
        Share of the mean square, both mirror lines together.
    length : int
        Samples in the window.
    sample_rate : float
        Hz.

    Returns
    -------
    array (length//2 + 1,)
        ``sum over lines and their mirrors of share |W(g - v)|^2 / (rate sum w^2)``, twice that
        between 0 and half the rate. Lines add as powers: the beat of two lines within one main
        lobe goes to and fro around this value.
    """
    bins = np.arange(length // 2 + 1) / length
    v, p = np.asarray(places, dtype=np.float64), np.asarray(powers, dtype=np.float64)
    # A line at 0 or 1/2 is its own mirror; the others are two lines of half the power.
    alone = (v == 0.0) | (v == 0.5)
    density = np.where(alone, p, p / 2) @ hann_transform(bins - v[:, None], length) ** 2
    density += np.where(alone, 0.0, p / 2) @ hann_transform(bins + v[:, None], length) ** 2
    return _one_sided(density / (sample_rate * _energy(length)), length)


def hann_density(
    frequencies_hz: NDArray[Any], psd: NDArray[Any], length: int, sample_rate: float
) -> NDArray[np.float64]:
    """One-sided density, per Hz, as a Hann window of `length` samples shows it on average.

    The autocorrelation of a windowed signal is, on average, that of the signal times that of the
    window: ``E |STFT|^2 = DFT(r[d] a[d])``, with ``a[d] = sum_m w[m] w[m+d] / sum w^2``; P. D.
    Welch, IEEE Trans. Audio Electroacoust. 15 (1967). Lags reach n - 1 to both
    sides, so the density is read at 2n frequencies and no lag folds onto another.

    Parameters
    ----------
    frequencies_hz, psd : arrays (frequencies,)
        One-sided density; between its points it is taken as straight.
    length : int
        Samples in the window.
    sample_rate : float
        Hz.

    Returns
    -------
    array (length//2 + 1,)
    """
    fine = np.arange(length + 1) / (2 * length) * sample_rate
    lags = np.fft.irfft(np.interp(fine, frequencies_hz, psd) / 2.0, 2 * length)
    window = np.zeros(2 * length)
    window[:length] = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(length) / length)
    lags *= np.fft.irfft(np.abs(np.fft.rfft(window)) ** 2, 2 * length) / _energy(length)
    smeared = np.maximum(np.fft.rfft(lags).real[::2], 0.0)
    return _one_sided(smeared, length)


def _energy(length: int) -> float:
    # sum (1 - cos)^2 / 4 = n (1 + 1/2) / 4, for n >= 3.
    return 3.0 * length / 8.0


def _one_sided(two_sided: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Add the mirror half, which the bins at 0 and at half the rate do not have."""
    factor = np.full(two_sided.shape, 2.0)
    factor[0] = 1.0
    if length % 2 == 0:
        factor[-1] = 1.0
    return np.asarray(two_sided * factor, dtype=np.float64)
