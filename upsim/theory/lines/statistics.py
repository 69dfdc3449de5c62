r"""Means of batches and their errors: densities, and lines with a test.

Batches :math:`b` of :math:`n_b` circles have the means :math:`x_b`.  The mean of all circles is
:math:`\bar x = \sum_b n_b x_b / n`, and with the scatter of one circle,
:math:`s^2 = \sum_b n_b (x_b - \bar x)^2 / (B - 1)`, its variance is :math:`s^2 / n`.

A line's coefficient is a complex number whose parts may scatter unequally and together: lines of
noise whose power repeats are not circular.  So the test is Hotelling's, which is Student's t for
two numbers at once: with the covariance :math:`S / n` of the mean,

.. math:: T^2 = \bar a^T (S / n)^{-1} \bar a, \qquad
          \frac{B - 2}{2 (B - 1)}\, T^2 \sim F(2, B - 2)

where there is no line (Anderson, *An Introduction to Multivariate Statistical Analysis*, 2003,
section 5.2).  At 0 and at half the rate the coefficient is real, and the test is Student's t.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from upsim.operators.repeating import Repeating

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]

#: The chance that any place without a line is listed, over all places and channels.
FALSE_ALARM = 1e-3

#: Neighbours to each side of a line that say how strong the rest is there.
NEIGHBOURS = 16

#: Periods of a waveform whose lines are looked for: neighbours enough for a test.
LEAST_TURNS = 16

#: The confidence of an upper bound.
BOUND = 0.95


def student(chance: float, degrees: int) -> float:
    """Return what Student's t exceeds by this chance.

    Examples
    --------
    >>> round(student(0.025, 15), 4)
    2.1314
    """
    from scipy.special import stdtrit

    return -float(stdtrit(degrees, chance))


def fisher(chance: float, degrees: int) -> float:
    r"""Return what :math:`F(2, m)` exceeds by this chance, m the degrees of the denominator.

    With two numbers above, the tail is closed: :math:`P(F > x) = (1 + 2 x / m)^{-m/2}`.

    Examples
    --------
    >>> round(fisher(0.05, 14), 4)
    3.7389
    """
    return float(degrees / 2 * (chance ** (-2 / degrees) - 1))


def mean_and_error(sums: Real, counts: Real) -> tuple[Real, Real]:
    """Return the mean and its standard error of sums over batches (batches, ...)."""
    held = counts > 0
    sums, counts = sums[held], counts[held]
    weights = counts.reshape(-1, *[1] * (sums.ndim - 1))
    mean = sums.sum(axis=0) / counts.sum()
    off = sums / weights - mean
    variance = (weights * off**2).sum(axis=0) / (counts.size - 1)
    return mean, np.sqrt(variance / counts.sum())


@dataclass(frozen=True, eq=False)
class LineStatistics:
    """The coefficients of all possible lines, with their scatter.

    Parameters
    ----------
    amplitudes : array (channels, K)
        Complex; K places ``k / P`` from 0 to a half.
    squares : array (channels, K)
        The variance of the mean, both parts together.
    radial : array (channels, K)
        The standard error along the direction of the amplitude.
    listed : array (K,)
        Whether a line stands out in some channel.
    bounds : array (channels, K)
        Upper bounds of the power.
    sides : array (K,)
        1 at 0 and at half the rate, otherwise 2.
    """

    amplitudes: Complex
    squares: Real
    radial: Real
    listed: NDArray[np.bool_]
    bounds: Real
    sides: Real

    @property
    def powers(self) -> Real:
        r"""The powers less what scatter adds to them: :math:`|\bar a|^2 - s^2`, not below 0."""
        power = np.abs(self.amplitudes) ** 2 - self.squares
        return np.asarray(self.sides * np.maximum(power, 0.0))

    @property
    def errors(self) -> Real:
        r"""The standard errors of the powers, :math:`2 |\bar a| s_r`."""
        return np.asarray(self.sides * 2 * np.abs(self.amplitudes) * self.radial)


def line_statistics(sums: Real, counts: Real, floor: Real) -> LineStatistics:
    """Return the lines of mean periods.

    Parameters
    ----------
    sums : array (batches, channels, P)
        Sums of the mean periods of each batch's circles.
    counts : array (batches,)
        Circles in each.
    floor : array (channels,)
        How far rounding may have moved an amplitude.
    """
    held = counts > 0
    sums, counts = sums[held], counts[held]
    batches, total, period = counts.size, counts.sum(), sums.shape[2]
    each = Repeating(sums / counts[:, None, None]).half_lines()
    weights = counts[:, None, None]
    mean = (weights * each).sum(axis=0) / total
    off = each - mean
    scale = (batches - 1) * total
    # The covariance of the mean: both parts, and what they have in common.
    real = (weights * off.real**2).sum(axis=0) / scale
    imag = (weights * off.imag**2).sum(axis=0) / scale
    both = (weights * off.real * off.imag).sum(axis=0) / scale
    size = np.abs(mean)
    places = np.arange(mean.shape[1])
    alone = (2 * places) % period == 0
    sides = np.where(alone, 1.0, 2.0)
    family = FALSE_ALARM / (mean.shape[1] * mean.shape[0])
    least = floor[:, None] ** 2 + np.finfo(np.float64).tiny
    # A plane in which the mean has moved by rounding only has no direction of its own.
    first, second = real + least, imag + least
    determinant = np.maximum(first * second - both**2, np.finfo(np.float64).tiny)
    distance = (
        second * mean.real**2 - 2 * both * mean.real * mean.imag + first * mean.imag**2
    ) / determinant
    plane = distance * (batches - 2) / (2 * (batches - 1))
    line = mean.real**2 / first
    stands = np.where(
        alone, line > student(family / 2, batches - 1) ** 2, plane > fisher(family, batches - 2)
    )
    listed = (stands & (size > floor[:, None])).any(axis=0)
    spread = (first + second) / 2 + np.hypot((first - second) / 2, both)
    reach = np.where(
        alone,
        student(1 - BOUND, batches - 1) * np.sqrt(first),
        np.sqrt(fisher(1 - BOUND, batches - 2) * 2 * (batches - 1) / (batches - 2) * spread),
    )
    direction = np.divide(mean, size, out=np.ones_like(mean), where=size > 0)
    radial = (
        direction.real**2 * real
        + direction.imag**2 * imag
        + 2 * direction.real * direction.imag * both
    )
    return LineStatistics(
        mean,
        np.where(alone, real, real + imag),
        np.sqrt(np.maximum(radial, 0.0)),
        listed,
        sides * (size + reach) ** 2,
        sides,
    )


def beside_neighbours(samples: Real, period: int, floor: Real) -> LineStatistics:
    r"""Return the lines of one finite waveform, each judged by what stands beside it.

    The waveform is cut to whole periods, M of them, so the line ``k / P`` is bin ``k M`` of its
    DFT exactly.  What is no line is as strong there as in the bins next to it, so with the mean
    :math:`s^2` of :math:`|a|^2` over n neighbours

    .. math:: |a|^2 / s^2 \sim F(2, 2 n)

    where there is no line (at 0 and half the rate :math:`F(1, n)`, over the neighbours of one
    side, of which the others are mirror images).  A line whose level follows the music has side
    bands among its neighbours, which makes the test the stricter.

    Parameters
    ----------
    samples : array (channels, n)
        At least :data:`LEAST_TURNS` periods.
    period : int
    floor : array (channels,)
        How far rounding may have moved an amplitude.
    """
    turns = samples.shape[1] // period
    spectrum = np.fft.rfft(samples[:, : turns * period], axis=1, norm="forward")
    places = np.arange(period // 2 + 1)
    alone = (2 * places) % period == 0
    count = min(NEIGHBOURS, (turns - 1) // 2)
    steps = np.concatenate([np.arange(-count, 0), np.arange(1, count + 1)])
    beside = np.abs(places[:, None] * turns + steps)
    # Beyond half the rate is the mirror image.
    whole = turns * period
    beside = np.minimum(beside, whole - beside)
    mean = spectrum[:, places * turns]
    squares = (np.abs(spectrum[:, beside]) ** 2).mean(axis=2)
    least = squares + floor[:, None] ** 2 + np.finfo(np.float64).tiny
    family = FALSE_ALARM / (mean.shape[1] * mean.shape[0])
    ratio = np.abs(mean) ** 2 / least

    def beyond(chance: float) -> Real:
        # Alone, |a|^2 / s^2 is the square of one number of variance s^2, and mirror images count
        # once; otherwise it is the mean of two squares over that of two.
        found = np.where(alone, student(chance / 2, 2 * count) ** 2, fisher(chance, 4 * count))
        return np.asarray(found)

    size = np.abs(mean)
    listed = ((ratio > beyond(family)) & (size > floor[:, None])).any(axis=0)
    sides = np.where(alone, 1.0, 2.0)
    return LineStatistics(
        mean,
        squares,
        np.sqrt(np.where(alone, 1.0, 0.5) * squares),
        listed,
        sides * (size + np.sqrt(beyond(1 - BOUND) * least)) ** 2,
        sides,
    )
