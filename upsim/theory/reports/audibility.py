"""Can it be heard? Each tone against the noise in its critical band, and against silence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from upsim.errors import ArgumentError, ShapeError
from upsim.theory.reports.masking import (
    HEARING_RANGE,
    critical_band,
    critical_bandwidth,
    hearing_threshold,
    hertz_array,
    masking_index,
    prominence_limit,
)
from upsim.words.arguments import finite_array, finite_number
from upsim.words.units import decibels

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class MaskedLevels:
    """Lines in noise, as the ear has them; every array has one value a line.

    Parameters
    ----------
    tnr : array (..., T)
        Tone-to-noise ratio in dB: power of the line over the noise in its critical band.
        ``inf`` where that band holds no noise, ``-inf`` for a line without power.
    margin : array (..., T)
        Audibility of ISO/TS 20065 in dB, ``tnr`` minus the masking index: heard through the noise
        where positive.  ``-inf`` outside 20 Hz to 20 kHz, so at 0 Hz too.
    prominent : array (..., T) of bool
        Whether ``tnr`` reaches the limit of ECMA-418-1; never outside 20 Hz to 20 kHz.
    level : array (..., T) or None
        Sound pressure level of the line in dB; None without a calibration.
    above_threshold : array (..., T) of bool or None
        Whether ``level`` is above the threshold of hearing; None without a calibration.
    """

    tnr: Array
    margin: Array
    prominent: Flags
    level: Array | None
    above_threshold: Flags | None

    @property
    def audible(self) -> Flags:
        """Heard through the noise and, where that was judged, above the threshold of hearing."""
        unmasked = np.asarray(self.margin > 0)
        return unmasked if self.above_threshold is None else unmasked & self.above_threshold


def audibility(
    frequencies: ArrayLike,
    powers: ArrayLike,
    grid: ArrayLike | None = None,
    psd: ArrayLike | None = None,
    *,
    calibration: float | None = None,
) -> MaskedLevels:
    r"""Judge lines in noise: tone-to-noise ratio, prominence, masking, threshold of hearing.

    .. math:: \mathrm{TNR} = 10 \log_{10} \frac{P}{\bar S\,\Delta f_c}, \qquad
              \bar S = \frac{1}{f_2 - f_1} \int_{f_1}^{f_2} S(f)\,df

    over the critical band :math:`f_1 \dots f_2` of width :math:`\Delta f_c` about the line.

    Parameters
    ----------
    frequencies : array (T,) or float
        Of the lines, in Hz.
    powers : array (..., T)
        Share of each line in the mean square, as :attr:`upsim.Tone.power` has it.
    grid : array (F,), optional
        Ascending frequencies of the density, in Hz.
    psd : array (..., F), optional
        One-sided density of the noise, power per Hz, without the lines; straight between its
        points.  None: there is no noise.
    calibration : float, optional
        Sound pressure level in dB at which a signal of RMS 1 is played.  None: the threshold of
        hearing is not judged.

    Returns
    -------
    MaskedLevels
        Leading axes of ``powers`` and ``psd`` broadcast.

    Raises
    ------
    ArgumentError
        For negative or infinite powers or densities, a grid that does not ascend, or a line where
        the density is not known.

    Notes
    -----
    The whole band counts, not the density at the line, because the ear takes the band in one:
    interpolations have zeros at multiples of their input rate, just where the tones of a bias
    or an activation lie, and a density of 0 there does not make them infinitely loud.  For a flat
    density both are the same.  Where a band reaches beyond the
    density (below 0 Hz, above half the sample rate), the mean of what is there stands for all
    of it, as ECMA-418-1 scales the lines that it has to the full width; at half the sample rate
    this counts up to 3 dB more noise than is played.

    Sources: :func:`~upsim.theory.reports.masking.critical_bandwidth` (Zwicker & Terhardt 1980),
    :func:`~upsim.theory.reports.masking.prominence_limit` (ECMA-418-1),
    :func:`~upsim.theory.reports.masking.masking_index` (ISO/TS 20065),
    :func:`~upsim.theory.reports.masking.hearing_threshold` (Terhardt 1979).

    Examples
    --------
    A line of power 0.01 at 1 kHz in white noise of power 1 at 16 kHz: the critical band is
    162.2 Hz wide and holds 162.2 / 8000 = 0.0203.

    >>> heard = audibility(1000, 0.01, [0, 8000], [1 / 8000, 1 / 8000])
    >>> print(heard.tnr.round(2), heard.margin.round(2), heard.prominent, heard.audible)
    -3.07 -0.25 False False
    """
    hertz = hertz_array(frequencies)
    if hertz.ndim > 1:
        raise ShapeError(
            "frequencies must be one number or one row",
            given=f"frequencies of shape {hertz.shape}",
            expected="shape () or (T,)",
        )
    power = _no_negative(powers, "powers")
    if hertz.ndim == 0:
        power = power[..., None]
    row = np.atleast_1d(hertz)
    if power.ndim and power.shape[-1] not in (1, row.size):
        raise ShapeError(
            "powers must have one value for each frequency",
            given=f"powers of shape {np.shape(powers)} for {row.size} frequencies",
            expected=f"shape (..., {row.size})",
        )
    density = _density(row, grid, psd)
    try:
        shape = np.broadcast_shapes(power.shape, density.shape, row.shape)
    except ValueError:
        raise ShapeError(
            "powers and psd do not broadcast",
            given=f"powers of shape {np.shape(powers)}, psd of shape {density.shape[:-1]} + (F,)",
            expected="equal leading axes, or 1",
        ) from None
    power = np.broadcast_to(power, shape)
    noise = np.broadcast_to(density * critical_bandwidth(row), shape)
    tnr = np.full(shape, np.inf)
    noisy = noise > 0
    # Levels are subtracted: the quotient of a loud line and a faint noise could overflow.
    tnr[noisy] = decibels(power[noisy]) - decibels(noise[noisy])
    tnr[power == 0] = -np.inf
    hearable = (row >= HEARING_RANGE[0]) & (row <= HEARING_RANGE[1])
    margin = np.where(hearable, tnr - masking_index(row), -np.inf)
    prominent = hearable & (tnr >= prominence_limit(row))
    level = above = None
    if calibration is not None:
        calibration = finite_number(calibration, "calibration")
        level = decibels(power) + calibration
        above = level > hearing_threshold(row)
    for array in (tnr, margin, prominent, level, above):
        if array is not None:
            array.setflags(write=False)
    pick = (..., 0) if hertz.ndim == 0 else (...,)
    return MaskedLevels(
        np.asarray(tnr[pick]),
        np.asarray(margin[pick]),
        np.asarray(prominent[pick]),
        None if level is None else np.asarray(level[pick]),
        None if above is None else np.asarray(above[pick]),
    )


def _no_negative(values: ArrayLike, name: str) -> Array:
    array = finite_array(values, name)
    if np.any(array < 0):
        raise ArgumentError(
            f"{name} must not be negative",
            given=f"{np.count_nonzero(array < 0)} of {array.size} entries, down to {array.min():g}",
            expected="powers, not decibels",
        )
    return array


def _density(row: Array, grid: ArrayLike | None, psd: ArrayLike | None) -> Array:
    """Return the mean density of each line's critical band, (..., T)."""
    if grid is None and psd is None:
        return np.zeros(row.size)
    if grid is None or psd is None:
        raise ArgumentError(
            "grid and psd belong together",
            given="only one of them",
            expected="both, or neither where there is no noise",
        )
    points, levels = hertz_array(grid), _no_negative(psd, "psd")
    if points.ndim != 1 or points.size < 2 or np.any(np.diff(points) <= 0):
        raise ArgumentError(
            "grid must be a row of ascending frequencies",
            given=f"grid of shape {points.shape}",
            expected="at least two frequencies in Hz, each above the one before",
        )
    if levels.ndim == 0 or levels.shape[-1] != points.size:
        raise ShapeError(
            "psd must have one value for each frequency of the grid",
            given=f"psd of shape {levels.shape} for {points.size} frequencies",
            expected=f"shape (..., {points.size})",
        )
    lows, highs = (np.clip(edge, points[0], points[-1]) for edge in critical_band(row))
    # A DFT of odd length ends half a step short of the last line that there can be.
    reach = points[0] - (points[1] - points[0]), points[-1] + (points[-1] - points[-2])
    unknown = (row < reach[0]) | (row > reach[1]) | (highs <= lows)
    if np.any(unknown):
        raise ArgumentError(
            "the density of the noise is not known at every line",
            given=f"a line at {row[unknown][0]:g} Hz, a grid from {points[0]:g} Hz to "
            f"{points[-1]:g} Hz",
            expected="a grid over the critical bands of all lines",
            fix="predict without frequencies=, or with a number of them",
        )
    means = [_mean(points, levels, low, high) for low, high in zip(lows, highs, strict=True)]
    empty = np.zeros((*levels.shape[:-1], 0))
    return np.stack(means, axis=-1) if means else empty


def _mean(points: Array, levels: Array, low: float, high: float) -> Array:
    """Return the mean from ``low`` to ``high`` of a density that is straight between its points.

    The band's own points are summed, not the difference of two running integrals: a faint band
    beside a loud one would drown in the rounding of such a difference.
    """
    first, last = np.searchsorted(points, low, "right"), np.searchsorted(points, high, "left")
    inside = np.concatenate(([low], points[first:last], [high]))
    values = [
        _between(points, levels, low),
        levels[..., first:last],
        _between(points, levels, high),
    ]
    return np.asarray(np.trapezoid(np.concatenate(values, axis=-1), inside, axis=-1) / (high - low))


def _between(points: Array, levels: Array, place: float) -> Array:
    """Return the density at ``place``, (..., 1)."""
    after = int(np.clip(np.searchsorted(points, place, "left"), 1, points.size - 1))
    share = (place - points[after - 1]) / (points[after] - points[after - 1])
    pair = levels[..., after - 1 : after + 1]
    return np.asarray((1 - share) * pair[..., :1] + share * pair[..., 1:])
