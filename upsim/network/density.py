"""Noise whose density is a line through points: power and autocovariance in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from upsim.errors import ArgumentError, ShapeError
from upsim.network.signal import Term
from upsim.words.arguments import finite_array
from upsim.words.tolerance import rounding

Array = NDArray[np.float64]


#: Numbers in one block of cosines (32 MiB).
_BLOCK = 2**22


@dataclass(frozen=True, eq=False, repr=False)
class Density(Term):
    r"""Noise of any power spectral density, given as points that straight lines join.

    Parameters
    ----------
    frequencies : array (P,)
        In Hz, ascending from 0 or above.  A frequency that stands twice is a jump.
    psd : array (P,) or (channels, P)
        One-sided, power per Hz, as ``scipy.signal.welch`` gives it; zero beyond the points.  What
        lies above half the rate is left out.
    covariance : array (channels, channels), optional
        How channels go together: the cross density of two is the ``psd`` (P,) times its entry, so
        a channel has ``psd`` times the diagonal.  Symmetric, without negative eigenvalues.  Without
        it channels are independent.

    Examples
    --------
    A band of 1 Hz that holds a power of 1:

    >>> band = Density([999.5, 1000.5], [1.0, 1.0])
    >>> band.noise_power(1, Fraction(8000))
    array([1.])
    >>> band.autocovariance(np.array([0, 2, 4]), 1, Fraction(8000)).round(6) + 0.0
    array([[ 1., 0., -1.]])
    """

    frequencies: Array | ArrayLike
    psd: Array | ArrayLike
    covariance: Array | ArrayLike | None = None

    def __post_init__(self) -> None:
        points = finite_array(self.frequencies, "frequencies", shape=(None,))
        levels = finite_array(self.psd, "psd")
        falls, same = points[1:] < points[:-1], points[1:] == points[:-1]
        # Of three points at one frequency the middle one would mean nothing.
        thrice = np.any(same[1:] & same[:-1])
        if points.size < 2 or points[0] < 0 or np.any(falls) or thrice or np.all(same):
            raise ArgumentError(
                "frequencies must ascend from 0 or above",
                given=f"{points.size} frequencies",
                expected="at least two that differ, in Hz; one that stands twice is a jump",
            )
        if levels.ndim not in (1, 2) or levels.shape[-1] != points.size:
            raise ShapeError(
                "psd does not match frequencies",
                given=f"psd of shape {levels.shape}, {points.size} frequencies",
                expected=f"({points.size},) or (channels, {points.size})",
            )
        if levels.min() < 0:
            raise ArgumentError(
                "a density must not be negative",
                given=f"psd as low as {levels.min():g}",
                fix="use power, not decibels: 10 ** (level / 10)",
            )
        object.__setattr__(self, "frequencies", points)
        object.__setattr__(self, "psd", levels)
        if self.covariance is not None:
            object.__setattr__(self, "covariance", _checked(self.covariance, levels))

    def density(self, frequencies: Array, channels: int, rate: Fraction) -> Array:
        """Return half the one-sided density at the folded frequencies.

        At a jump itself it is that of the later point.
        """
        points, levels = np.asarray(self.frequencies), self._rows(channels)
        turns = np.abs(frequencies) / float(rate) % 1
        folded = np.minimum(turns, 1 - turns) * float(rate)
        rows = [0.5 * np.interp(folded, points, row, left=0.0, right=0.0) for row in levels]
        found = np.broadcast_to(np.asarray(rows), (channels, frequencies.size))
        return np.asarray(found * self._diagonal(channels))

    def autocovariance(self, lags: ArrayLike, channels: int, rate: Fraction) -> Array:
        r"""Return the autocovariance, one closed term a segment.

        .. math:: r[d] = \sum_s w_s \Bigl[\frac{A_s + B_s}{2}\, j_0(x_s) \cos(\theta m_s)
                         - \frac{B_s - A_s}{2}\, j_1(x_s) \sin(\theta m_s)\Bigr],
                  \qquad \theta = \frac{2 \pi d}{F},\quad x_s = \frac{\theta w_s}{2}

        A segment of width w about the middle m has the one-sided density
        :math:`\frac{A + B}{2} + \frac{B - A}{w} u` at :math:`m + u`.  The even part of
        :math:`\cos(\theta (m + u))` meets the first term, the odd part the second:

        .. math:: \int_{-w/2}^{w/2} \cos \theta u\, du = w\, j_0(x), \qquad
                  \int_{-w/2}^{w/2} u \sin \theta u\, du = \frac{w^2}{2}\, j_1(x)

        with the spherical Bessel functions :math:`j_0(x) = \sin x / x` and
        :math:`j_1(x) = (\sin x - x \cos x) / x^2`.  Nothing is divided by a small lag or a small
        width, so lag 0 gives the trapezoids and a narrow band is no special case.  Rounding moves a
        value by at most :math:`u\,(S + 2 \pi |d| + 16)` times the power, with S segments and u the
        unit of rounding: the phases have :math:`\pi |d|` radians at most.
        """
        from scipy.special import spherical_jn

        # An interval of zero width, a jump, holds no power.
        points, levels = self._within(rate, self._rows(channels))
        # Points in a regular grid share few widths, and each is looked up once.
        widths, place = np.unique(np.diff(points) / float(rate), return_inverse=True)
        middles = (points[1:] + points[:-1]) / (2 * float(rate))
        means = (levels[:, 1:] + levels[:, :-1]) / 2 * np.diff(points)
        halves = (levels[:, 1:] - levels[:, :-1]) / 2 * np.diff(points)
        asked = np.asarray(lags, dtype=np.float64).reshape(-1)
        found = np.empty((len(levels), asked.size))
        block = max(1, _BLOCK // max(1, middles.size))
        for start in range(0, asked.size, block):
            part = slice(start, start + block)
            turns, wide = np.outer(middles, asked[part]), np.outer(widths, asked[part])
            even = np.sinc(wide)[place] * np.cos(2 * np.pi * turns)
            odd = spherical_jn(1, np.pi * wide)[place] * np.sin(2 * np.pi * turns)
            found[:, part] = means @ even - halves @ odd
        return np.broadcast_to(found, (channels, asked.size)) * self._diagonal(channels)

    def mixing(self, channels: int) -> Array | None:
        r"""Return a root G of the covariance, :math:`G G^T = C`."""
        if self.covariance is None:
            return None
        self._diagonal(channels)
        values, vectors = np.linalg.eigh(np.asarray(self.covariance))
        return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))

    def unmixed(self) -> Density:
        """Return the same spectrum in independent channels."""
        return self if self.covariance is None else Density(self.frequencies, self.psd)

    def _diagonal(self, channels: int) -> Array | float:
        """Return each channel's share of the spectrum, (channels, 1)."""
        if self.covariance is None:
            return 1.0
        own = np.diag(np.asarray(self.covariance))
        if own.size != channels:
            raise ShapeError(
                "the covariance does not match the stack's input channels",
                given=f"{own.size} channels, {channels} needed",
                expected=f"an array ({channels}, {channels})",
            )
        return np.asarray(own[:, None])

    def corners(self) -> frozenset[float]:
        """Return the points' frequencies."""
        return frozenset(np.asarray(self.frequencies).tolist())

    def _rows(self, channels: int) -> Array:
        """Return the levels, (1 or channels, P)."""
        levels = np.atleast_2d(np.asarray(self.psd))
        if levels.shape[0] not in (1, channels):
            raise ShapeError(
                "psd does not match the stack's input channels",
                given=f"{levels.shape[0]} rows, {channels} channels",
                fix="one row for all, or one a channel",
            )
        return levels

    def _within(self, rate: Fraction, levels: Array) -> tuple[Array, Array]:
        """Return points and levels up to half the rate, a point there included."""
        points, end = np.asarray(self.frequencies), float(rate) / 2
        if points[-1] <= end:
            return points, levels
        kept = points < end
        last = [np.interp(end, points, row, left=0.0) for row in levels]
        return np.append(points[kept], end), np.column_stack([levels[:, kept], last])


def _checked(covariance: object, levels: Array) -> Array:
    """Return a covariance over channels, or say what it lacks."""
    found = finite_array(covariance, "covariance", shape=(None, None))
    if found.shape[0] != found.shape[1] or not found.size:
        raise ShapeError(
            "a covariance has as many rows as columns",
            given=f"shape {found.shape}",
            expected="(channels, channels)",
        )
    if levels.ndim != 1:
        raise ShapeError(
            "with a covariance there is one spectrum",
            given=f"psd of shape {levels.shape}",
            expected=f"({levels.shape[-1]},)",
            fix="psd=psd[0], and the channels' powers on the diagonal of the covariance",
        )
    size = float(np.abs(found).max())
    apart = float(np.abs(found - found.T).max())
    least = float(np.linalg.eigvalsh((found + found.T) / 2).min())
    allowed = rounding(8 * len(found), size)
    if apart > allowed or least < -len(found) * allowed:
        raise ArgumentError(
            "a covariance is symmetric, without negative eigenvalues",
            given=f"asymmetry {apart:.3g}, least eigenvalue {least:.3g}",
            fix="covariance=np.cov(samples)",
        )
    return found
