r"""Realisations of a signal on a circle.

White noise on a circle is independent samples.  Noise of a density :math:`S` has independent
Fourier coefficients, the power of each that of the density between its neighbours:

.. math:: E\,|X_k|^2 = N F\, \bar S_k, \qquad
          \bar S_k = \frac{N}{F} \int_{(k - 1/2) F / N}^{(k + 1/2) F / N} S(f)\, df

with :math:`N` samples at the rate :math:`F`.  So the power is exact for any band, however narrow.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from upsim.network.signals import Signal, WhiteNoise

Real = NDArray[np.float64]


class Draws:
    """Draws the random part of an input's signal, circle by circle.

    Parameters
    ----------
    signal : Signal
    channels, count : int
        Of a circle.
    rate : Fraction
    """

    def __init__(self, signal: Signal, channels: int, count: int, rate: Fraction) -> None:
        self._shape = (channels, count)
        self._white = np.zeros(channels)
        self._shaped: list[tuple[Real, Real | None]] = []
        for term in signal.terms():
            if not term.has_noise(channels, rate):
                continue
            if isinstance(term, WhiteNoise):
                self._white = self._white + term.noise_power(channels, rate)
            else:
                level = mean_density(term.unmixed(), channels, count, rate)
                self._shaped.append((np.sqrt(level * float(rate)), term.mixing(channels)))
        self._white = np.sqrt(self._white)[:, None]

    def __call__(self, rng: np.random.Generator) -> Real:
        """Return one circle, (channels, count)."""
        total = np.zeros(self._shape)
        if self._white.any():
            total += self._white * rng.standard_normal(self._shape)
        for gains, mixing in self._shaped:
            white = np.fft.rfft(rng.standard_normal(self._shape), axis=1)
            shaped = np.fft.irfft(white * gains, self._shape[1], axis=1)
            total += shaped if mixing is None else mixing @ shaped
        return total


def mean_density(signal: Signal, channels: int, count: int, rate: Fraction) -> Real:
    r"""Return the mean density of each bin of a circle, two-sided, (channels, count // 2 + 1).

    The density is a straight line between its corners, so the two points of Gauss and Legendre,
    :math:`\pm 1/\sqrt3` of the way, give each piece exactly.
    """
    width, top = float(rate) / count, float(rate) / 2
    edges = np.minimum((np.arange(count // 2 + 2) - 0.5) * width, top)
    edges[0] = 0.0
    corners = np.array([each for each in signal.corners() if 0 < each < top])
    points = np.unique(np.concatenate([edges, corners]))
    pieces = np.diff(points)
    middle, off = (points[1:] + points[:-1]) / 2, pieces / (2 * np.sqrt(3.0))
    found = np.zeros((channels, pieces.size))
    for side in (-off, off):
        level = signal.density(middle + side, channels, rate)
        assert level is not None
        found += level / 2 * pieces
    powers = np.zeros((channels, edges.size - 1))
    place = np.searchsorted(edges, middle, side="right") - 1
    for channel, own in enumerate(found):
        powers[channel] = np.bincount(place, own, minlength=edges.size - 1)
    widths = np.diff(edges)
    return np.asarray(np.divide(powers, widths, out=np.zeros_like(powers), where=widths > 0))
