"""The autocovariance of a stationary input, from its density."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from upsim.signals import Signal
from upsim.theory.moments.covariance import Covariance, stationary, white

#: Points of the density that are summed; its corners fold back at lags this far apart.
_POINTS = 2**16

#: What may be cut off, as a share of the density's root mean square.
_SHARE = 1e-4

#: Lags that are kept at most.
_LONGEST = 256


@dataclass(frozen=True, eq=False)
class Autocovariance:
    """The autocovariance of the input, and what was cut off, in words ("" if nothing)."""

    covariance: Covariance
    cut: str


def from_density(signal: Signal, channels: int, rate: Fraction) -> Autocovariance:
    r"""Return :math:`R[d] = \int S(f) e^{j 2 \pi f d / F} df`, channels independent.

    White noise is exact.  Any other density has an endless autocovariance; it is cut after the
    lag beyond which less than 1e-4 of the density's root mean square is left, 256 at most.

    Examples
    --------
    >>> from upsim.signals import WhiteNoise
    >>> from_density(WhiteNoise(2.0), 1, Fraction(8000)).covariance.values.item()
    2.0
    """
    turns = (np.arange(_POINTS) + 0.5) / _POINTS
    found = signal.density(turns * float(rate), channels, rate)
    if found is None:
        return Autocovariance(white(np.zeros(channels)), "")
    levels = np.asarray(found) * float(rate)
    if np.all(levels == levels[:, :1]):
        return Autocovariance(white(levels[:, 0]), "")
    lags = np.arange(_POINTS // 2)
    # Points lie half a step off zero: the middle of each interval.
    shifted = np.fft.ifft(levels, axis=1)[:, : lags.size] * np.exp(1j * np.pi * lags / _POINTS)
    sided = shifted.real
    energy = np.cumsum(sided[:, ::-1] ** 2, axis=1)[:, ::-1]
    whole = 2 * energy[:, 0] - sided[:, 0] ** 2
    left = np.sqrt(2 * energy[:, 1:] / np.where(whole > 0, whole, 1.0)[:, None]).max(axis=0)
    # left[d] is what lags beyond d hold.
    reach = min(int(np.argmax(left <= _SHARE)) if np.any(left <= _SHARE) else _LONGEST, _LONGEST)
    kept = sided[:, : reach + 1].T
    cut = (
        f"input: its autocovariance is cut after {reach} samples, which leaves out "
        f"{100 * float(left[reach]):.2g} % of its density (root mean square)"
    )
    return Autocovariance(stationary(np.concatenate([kept[:0:-1], kept])), cut)
