"""Interpolation kernels, exact where they are rational.

Each function returns the taps of one channel's kernel and ``crop``: how many samples before the
output sample ``m L`` the kernel of input sample ``m`` begins.  Rational kernels are tuples of
:class:`~fractions.Fraction`, so that symbolic results and exact tests read the same numbers as
the numerical operators.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray


def nearest(factor: int) -> tuple[Fraction, ...]:
    """Return ``ones(L)``: each sample is repeated (a zero-order hold).

    Examples
    --------
    >>> nearest(2)
    (Fraction(1, 1), Fraction(1, 1))
    """
    return (Fraction(1),) * factor


#: Fractions are exact and slow; beyond this factor the taps are floats, each rounded once (Keys'
#: cubic: a few times).
LARGEST_EXACT_FACTOR = 4096

Kernel = tuple[Fraction, ...] | NDArray[np.float64]


def triangle(factor: int) -> tuple[Kernel, int]:
    """Return the textbook linear kernel ``1 - |n| / L``, ``2 L - 1`` taps.

    Source: Crochiere & Rabiner, *Multirate Digital Signal Processing* (1983), section 4.3.7.
    """
    if factor > LARGEST_EXACT_FACTOR:
        return (factor - np.abs(np.arange(1 - factor, factor))) / factor, factor - 1
    return tuple(1 - Fraction(abs(n), factor) for n in range(1 - factor, factor)), factor - 1


def half_pixel(
    factor: int, shape: str = "linear", a: Fraction = Fraction(-3, 4)
) -> tuple[Kernel, int]:
    """Return a kernel sampled at half-pixel centres, as image libraries resize.

    Output sample ``n`` sits at ``(n + 1/2) / L - 1/2`` on the input's grid, so the kernel of input
    sample 0 is ``kappa((n + 1/2) / L - 1/2)``, ``kappa`` being the triangle or the cubic of Keys
    (*Cubic convolution interpolation for digital image processing*, 1981) with parameter ``a``.

    Returns
    -------
    taps : tuple of Fraction, or an array beyond :data:`LARGEST_EXACT_FACTOR`
    crop : int

    Examples
    --------
    >>> [str(tap) for tap in half_pixel(2)[0]], half_pixel(2)[1]
    (['1/4', '3/4', '3/4', '1/4'], 1)
    """
    radius = 1 if shape == "linear" else 2
    # kappa is zero at and beyond its radius: keep the places strictly inside.
    low = floor(Fraction(factor * (1 - 2 * radius) - 1, 2)) + 1
    high = ceil(Fraction(factor * (1 + 2 * radius) - 1, 2)) - 1
    if factor > LARGEST_EXACT_FACTOR:
        # Twice the distance from the middle, in output samples: a whole number.
        doubled = np.abs(2 * np.arange(low, high + 1) + 1 - factor)
        if shape == "linear":
            return (2 * factor - doubled) / (2 * factor), -low
        return _keys_floats(doubled / (2 * factor), float(a)), -low
    centre = [Fraction(2 * n + 1, 2 * factor) - Fraction(1, 2) for n in range(low, high + 1)]
    kernel = _hat if shape == "linear" else (lambda t: _keys(t, a))
    return tuple(kernel(t) for t in centre), -low


def _hat(t: Fraction) -> Fraction:
    return 1 - abs(t)


def _keys(t: Fraction, a: Fraction) -> Fraction:
    t = abs(t)
    if t <= 1:
        return (a + 2) * t**3 - (a + 3) * t**2 + 1
    return a * (t**3 - 5 * t**2 + 8 * t - 4)


def _keys_floats(t: NDArray[np.float64], a: float) -> NDArray[np.float64]:
    inner = ((a + 2) * t - (a + 3)) * t**2 + 1
    outer = a * (((t - 5) * t + 8) * t - 4)
    return np.where(t <= 1, inner, outer)


def windowed_sinc(
    factor: int, zeros: int, rolloff: float, window: str
) -> tuple[NDArray[np.float64], int]:
    r"""Return a low-pass kernel, a sinc of ``zeros`` zero crossings a side under a window.

    .. math:: h[n] \propto \rho\,\mathrm{sinc}(\rho n / L)\; w(n / n_{max})

    with ``rho`` the rolloff.  Each polyphase component is divided by its sum, so that a constant
    passes exactly and no offset makes a tone.

    Source: Smith, *Digital Audio Resampling* (ccrma.stanford.edu/~jos/resample), windowed sinc.
    """
    half = ceil(zeros * factor / rolloff) - 1
    n = np.arange(-half, half + 1)
    position = n / (half + 1)
    shape = {
        "hann": 0.5 + 0.5 * np.cos(np.pi * position),
        "hamming": 0.54 + 0.46 * np.cos(np.pi * position),
        "blackman": 0.42 + 0.5 * np.cos(np.pi * position) + 0.08 * np.cos(2 * np.pi * position),
        "rectangular": np.ones(n.size),
    }[window]
    taps = rolloff * np.sinc(rolloff * n / factor) * shape
    phases = n % factor
    taps /= np.bincount(phases, weights=taps)[phases]
    return taps, half


#: Windows that :func:`windowed_sinc` knows.
WINDOWS = ("hann", "hamming", "blackman", "rectangular")


def hold_counts(factor: int, order: int) -> list[int]:
    """Return the taps of the hold times ``L**order``, whole numbers.

    Examples
    --------
    >>> hold_counts(3, 2)
    [1, 2, 3, 2, 1]
    """
    counts = [1]
    for _ in range(order):
        # A box is a running sum less itself, factor samples later.
        sums = list(accumulate(counts + [0] * (factor - 1)))
        counts = [total - before for total, before in zip(sums, [0] * factor + sums, strict=False)]
    return counts


def hold(factor: int, order: int) -> tuple[Fraction, ...]:
    """Return the zero-order hold convolved with itself, ``order`` boxes, gain 1 at DC.

    It has a zero of multiplicity ``order`` at every ``k / L`` (Kinoshita & Kiya, *Fixed smooth
    convolutional layer for avoiding checkerboard artifacts in CNNs*, ICASSP 2020).

    Examples
    --------
    >>> [str(tap) for tap in hold(2, 2)]
    ['1/4', '1/2', '1/4']
    """
    return tuple(Fraction(count, factor**order) for count in hold_counts(factor, order))


def equal_phase_gains(taps: NDArray[np.float64], factor: int) -> NDArray[np.float64]:
    r"""Return the nearest kernel (Euclidean) whose phase gains are all equal.

    From each tap of phase ``i`` subtract :math:`(g_i - \bar g) / n_i`, ``n_i`` being the number of
    taps of that phase; ``gbar``, the common gain at the least distance, is the mean of the
    ``g_i`` weighted by ``1 / n_i``.

    Parameters
    ----------
    taps : array (out, in, K)
    factor : int

    Notes
    -----
    Minimise :math:`\sum_k d_k^2` subject to ``sum over phase i of (h - d) = gbar``: for a given
    ``gbar`` the least change of a sum is spread evenly, costing ``(g_i - gbar)^2 / n_i``; the best
    ``gbar`` then is the weighted mean.

    Examples
    --------
    >>> equal_phase_gains(np.array([[[1.0, 2.0, 3.0, 6.0]]]), 2)
    array([[[2., 1., 4., 5.]]])
    """
    phases = np.arange(taps.shape[2]) % factor
    counts = np.bincount(phases, minlength=factor)
    gains = np.stack([taps[..., phases == i].sum(axis=2) for i in range(factor)], axis=2)
    common = (gains / counts).sum(axis=2, keepdims=True) / (1.0 / counts).sum()
    return np.asarray(taps - ((gains - common) / counts)[..., phases])
