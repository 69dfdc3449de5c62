"""Decibels, and the range of them that a picture shows.

There is no hidden floor. A fixed range of 80 dB would hide a line at -87 dB, and it is in silence
that such a line is heard; so the range is computed from what is there:

* every line is inside, with room below it;
* the density is inside too, but for the tips of its narrow nulls, which have no bottom: they leave
  the picture, and the picture marks where;
* what is zero but for rounding counts as zero.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from upsim.errors import ArgumentError
from upsim.words.tolerance import rounding
from upsim.words.units import decibels

__all__ = ["ROUNDING_DB", "Limits", "level_limits", "levels_of"]

# The amplitude of a line is a sum of products. One of a thousand of them is known to this share of
# its largest; what lies below, as power, is rounding and no content: 253 dB under the strongest.
_ROUNDING = rounding(1024, 1.0)
ROUNDING_DB = float(decibels(_ROUNDING**2))

# A null is the tip of a valley: deeper than this under the quietest 5 % of the density.
_QUIET_PERCENT = 5.0
_NULL_DB = 10.0
_EMPTY = (-100.0, 0.0)
_STEP_DB = 5.0
_SMALLEST_SPAN_DB = 20.0


@dataclass(frozen=True)
class Limits:
    """The dB range of an axis, and the level below which what is left is rounding."""

    low: float
    high: float
    zero: float = -np.inf

    @property
    def pair(self) -> tuple[float, float]:
        """``(low, high)``, as matplotlib takes it."""
        return self.low, self.high


def levels_of(power: ArrayLike, *, what: str = "power") -> NDArray[np.float64]:
    """``10 log10(power)`` of what may be drawn: no NaN, and nothing negative but by rounding.

    Parameters
    ----------
    power : array_like
        Powers, or powers per Hz.
    what : str
        What to call it in an error.

    Returns
    -------
    array of the same shape, in dB re 1 (or re 1/Hz)

    Examples
    --------
    >>> levels_of([1.0, 0.01, 0.0]).tolist()
    [0.0, -20.0, -inf]
    """
    values = np.asarray(power, dtype=np.float64)
    if np.isnan(values).any():
        raise ArgumentError(
            f"{what} must be numbers",
            given="NaN among them",
            expected="values >= 0",
            fix="look for the division by zero or the missing value that made the NaN",
            where="upsim.show",
        )
    # A density that is a difference of two kernels may fall below zero by rounding.
    allowed = _ROUNDING * np.max(np.abs(values), initial=0.0)
    if (values < -allowed).any():
        raise ArgumentError(
            f"{what} must not be negative",
            given=f"{float(values.min())!r}",
            expected="values >= 0: powers, neither amplitudes nor dB",
            fix="pass abs(amplitude)**2, or 10**(level/10)",
            where="upsim.show",
        )
    return decibels(np.maximum(values, 0.0))


def level_limits(lines_db: ArrayLike = (), densities_db: Iterable[NDArray[Any]] = ()) -> Limits:
    """Range of dB in which every line, and the density but for its null tips, can be seen.

    Parameters
    ----------
    lines_db : array_like
        Levels of the lines, on the axis of the picture.
    densities_db : iterable of arrays
        Levels of the curves on the same axis.

    Returns
    -------
    Limits
        In steps of 5 dB, with a margin on both sides.

    Examples
    --------
    >>> level_limits([0.0, -87.0]).pair
    (-95.0, 5.0)
    >>> level_limits([-np.inf]).pair
    (-100.0, 0.0)
    """
    lines = np.asarray(lines_db, dtype=np.float64).ravel()
    curves = [np.asarray(curve, dtype=np.float64).ravel() for curve in densities_db]
    everything = np.concatenate([lines, *curves])
    everything = everything[np.isfinite(everything)]
    if everything.size == 0:
        return Limits(*_EMPTY)
    peak = float(everything.max())
    zero = peak + ROUNDING_DB
    lowest = [float(lines[lines > zero].min(initial=peak))]
    for curve in curves:
        content = curve[curve > zero]
        if content.size:
            quiet = float(np.percentile(content, _QUIET_PERCENT))
            lowest.append(max(float(content.min()), quiet - _NULL_DB))
    low = min(lowest)
    margin = max(3.0, 0.05 * (peak - low))
    high = _STEP_DB * float(np.ceil((peak + margin) / _STEP_DB))
    low = _STEP_DB * float(np.floor((low - margin) / _STEP_DB))
    return Limits(min(low, high - _SMALLEST_SPAN_DB), high, zero)
