"""The autocovariance of a stationary input, cut where little is left of it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from upsim.errors import NotPredictableError
from upsim.network.signals import Signal
from upsim.words.tolerance import rounding

Array = NDArray[np.float64]

#: What may be cut off, as a share of the density's root mean square.
SEEN = 1e-4

#: What is not cut off, but refused.
_TOO_MUCH = 0.1

#: Lags that are kept at most.
_LONGEST = 256


@dataclass(frozen=True, eq=False)
class Autocovariance:
    """The autocovariance of the input, and what was cut off.

    Parameters
    ----------
    lags : array (2 D + 1, channels)
        Lags -D to D.
    cut : str
        In words, "" if nothing.
    """

    lags: Array
    cut: str


def cut_autocovariance(signal: Signal, channels: int, rate: Fraction) -> Autocovariance:
    """Return the autocovariance of a signal's noise, channels independent.

    It is cut after the lag beyond which less than 1e-4 of the density's root mean square is left,
    256 at most; where that leaves out too much it is refused.

    Examples
    --------
    >>> from upsim.network.signals import WhiteNoise
    >>> cut_autocovariance(WhiteNoise(2.0), 1, Fraction(8000)).lags.item()
    2.0
    """
    sided = signal.autocovariance(np.arange(_LONGEST + 1), channels, rate)
    left = left_beyond(sided, signal, channels, rate)
    reach = int(np.argmax(left <= SEEN)) if np.any(left <= SEEN) else _LONGEST
    if left[reach] > _TOO_MUCH:
        raise NotPredictableError(
            "the noise's correlation time is too long for an activation",
            given=f"{signal!r:.80}: lags beyond {reach} samples hold "
            f"{100 * left[reach]:.0f} % of its density (root mean square)",
            expected=f"at most {100 * _TOO_MUCH:.0f} %: no band much narrower than a hundredth of "
            "the input rate",
            fix="a wider band; upsim.Sine(frequency, amplitude) for a narrow one",
        )
    kept = sided[:, : reach + 1].T
    return Autocovariance(np.concatenate([kept[:0:-1], kept]), cut_note(reach, float(left[reach])))


def cut_note(reach: int, left: float) -> str:
    """Return what was cut off in words, "" where rounding alone explains it."""
    # The root of a difference of two sums that agree to rounding.
    if left <= rounding(reach + 8, 1.0) ** 0.5:
        return ""
    return (
        f"input: its autocovariance is cut after {reach} samples, which leaves out "
        f"{100 * left:.2g} % of its density (root mean square)"
    )


def left_beyond(sided: Array, signal: Signal, channels: int, rate: Fraction) -> Array:
    r"""Return the share of the density's root mean square that lags beyond each d hold, (D + 1,).

    By Parseval's rule all lags together hold

    .. math:: \sum_{d = -\infty}^{\infty} r[d]^2 = F \int_{-F/2}^{F/2} S(f)^2\, df

    and ``S`` is a straight line between the signal's corners, so ``S^2`` is a parabola there, which
    Gauss's rule of two points integrates exactly.  The largest share of a channel counts.

    Parameters
    ----------
    sided : array (channels, D + 1)
        Lags 0 to D.
    """
    half = float(rate) / 2
    inside = (corner for corner in signal.corners() if corner < half)
    edges = np.array(sorted({0.0, half, *inside}))
    middles, widths = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    energy = np.zeros(channels)
    for side in (-1, 1):
        found = signal.density(middles + side * widths / 12**0.5, channels, rate)
        # Half of each interval's width at each of two points; and the mirror at negative f.
        energy += 0.0 if found is None else float(rate) * (np.asarray(found) ** 2 @ widths)
    kept = 2 * np.cumsum(sided**2, axis=1) - sided[:, :1] ** 2
    share = np.divide(kept.T, energy, out=np.ones(kept.T.shape), where=energy > 0)
    return np.asarray(np.sqrt(np.maximum(1 - share, 0.0)).max(axis=1))
