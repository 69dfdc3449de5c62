"""The autocovariance of a stationary input, from its density."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from upsim.errors import ArgumentError, NotPredictableError
from upsim.network.signals import Signal, WhiteNoise

Array = NDArray[np.float64]

#: Points of the density that are summed; its corners fold back at lags this far apart.
_POINTS = 2**16

#: What may be cut off, as a share of the density's root mean square.
_SHARE = 1e-4

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


def from_density(signal: Signal, channels: int, rate: Fraction) -> Autocovariance:
    r"""Return :math:`R[d] = \int S(f) e^{j 2 \pi f d / F} df`, channels independent.

    White noise is exact.  Any other density has an endless autocovariance; it is cut after the
    lag beyond which less than 1e-4 of the density's root mean square is left, 256 at most.

    Examples
    --------
    >>> from upsim.network.signals import WhiteNoise
    >>> from_density(WhiteNoise(2.0), 1, Fraction(8000)).lags.item()
    2.0
    """
    random = [
        term for term in signal.terms() if term.density(np.zeros(1), channels, rate) is not None
    ]
    if all(isinstance(term, WhiteNoise) for term in random):
        flat = signal.density(np.zeros(1), channels, rate)
        levels = np.zeros((1, channels)) if flat is None else np.asarray(flat).T * float(rate)
        return Autocovariance(_checked(levels, signal), "")
    turns = (np.arange(_POINTS) + 0.5) / _POINTS
    found = signal.density(turns * float(rate), channels, rate)
    levels = _checked(np.asarray(found) * float(rate), signal)
    lags = np.arange(_POINTS // 2)
    # Points lie half a step off zero: the middle of each interval.
    shifted = np.fft.ifft(levels, axis=1)[:, : lags.size] * np.exp(1j * np.pi * lags / _POINTS)
    sided = shifted.real
    energy = np.cumsum(sided[:, ::-1] ** 2, axis=1)[:, ::-1]
    whole = 2 * energy[:, 0] - sided[:, 0] ** 2
    left = np.sqrt(2 * energy[:, 1:] / np.where(whole > 0, whole, 1.0)[:, None]).max(axis=0)
    # left[d] is what lags beyond d hold.
    reach = min(int(np.argmax(left <= _SHARE)) if np.any(left <= _SHARE) else _LONGEST, _LONGEST)
    if left[reach] > _TOO_MUCH:
        raise NotPredictableError(
            "the noise remembers itself for too long to be carried through an activation",
            given=f"{signal!r:.80}: lags beyond {reach} samples hold "
            f"{100 * left[reach]:.0f} % of its density (root mean square)",
            expected=f"at most {100 * _TOO_MUCH:.0f} %: no band much narrower than a hundredth of "
            "the input rate",
            fix="a wider band; upsim.Sine(frequency, amplitude) for a narrow one",
        )
    kept = sided[:, : reach + 1].T
    cut = (
        f"input: its autocovariance is cut after {reach} samples, which leaves out "
        f"{100 * float(left[reach]):.2g} % of its density (root mean square)"
    )
    return Autocovariance(np.concatenate([kept[:0:-1], kept]), cut)


def _checked(levels: Array, signal: Signal) -> Array:
    """Return densities, or refuse what none can be."""
    if not np.all(np.isfinite(levels)) or np.any(levels < 0):
        wrong = "not finite" if not np.all(np.isfinite(levels)) else f"{levels.min():g}"
        raise ArgumentError(
            "a density must be finite and not negative",
            given=f"{wrong} in {signal!r}",
            expected="power per Hz >= 0",
            fix="upsim.Density(frequencies, np.maximum(levels, 0.0))",
        )
    return levels
