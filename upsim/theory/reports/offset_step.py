r"""The step of an offset: silent inside, a click where the signal starts, stops or is joined.

A signal that starts with an offset :math:`\mu` is a step of that height.  With the sample rate
``F`` its spectrum and its one-sided energy density are

.. math:: X(f) = \frac{\mu}{F\,(1 - e^{-j 2\pi f / F})}, \qquad
          2 |X(f)|^2 = \frac{\mu^2}{2 F^2 \sin^2(\pi f / F)},

and since :math:`\int d\nu / \sin^2 \pi\nu = -\cot(\pi\nu) / \pi`, the energy between two
frequencies is

.. math:: E(f_1, f_2) = \frac{\mu^2}{2\pi F}
          \left(\cot\frac{\pi f_1}{F} - \cot\frac{\pi f_2}{F}\right).

Far below ``F`` that is :math:`\mu^2 / (2\pi^2 f_1)`, whatever the rate: above 20 Hz a step has the
energy of 2.53 ms of its offset.  A join of two signals is a step of the difference of their
offsets.  The layers' own ends shape the step within the transients that ``boundaries`` lists; this
is the step of ideal shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from upsim.errors import ArgumentError
from upsim.words.arguments import finite_array
from upsim.words.units import exact, format_decibels, format_hertz

Array = NDArray[np.float64]

#: Below it nothing is heard as a tone, so a click's energy is counted from here, in Hz.
LOWEST_HEARD = Fraction(20)


@dataclass(frozen=True, eq=False)
class OffsetStep:
    """The step of the output's offset.

    Parameters
    ----------
    power : array (channels,)
        The square of its height, the power of the line at 0 Hz.
    sample_rate : Fraction
        In Hz.

    Examples
    --------
    >>> step = OffsetStep(np.array([10**-5.6]), Fraction(48000))
    >>> print(step)
    a step of -56.00 dB at starts, stops and joins, above 20 Hz the energy of 2.53 ms of it
    """

    power: Array
    sample_rate: Fraction

    def density(self, frequencies: ArrayLike) -> Array:
        """Return the one-sided energy density at frequencies in Hz, (channels, F).

        In squared units of the signal times seconds, per Hz.
        """
        turns = finite_array(frequencies, "frequencies", shape=(None,)) / float(self.sample_rate)
        with np.errstate(divide="ignore"):
            shape = 0.5 / (float(self.sample_rate) * np.sin(np.pi * turns)) ** 2
        return self.power[:, None] * shape

    def energy(self, low: object = LOWEST_HEARD, high: object = None) -> Array:
        """Return the energy between two frequencies in Hz, (channels,), squared units x seconds.

        Parameters
        ----------
        low : number
            20 Hz by default; nothing is left above half the sample rate.
        high : number, optional
            Half the sample rate by default.
        """
        half = self.sample_rate / 2
        first, last = exact(low, "low"), half if high is None else exact(high, "high")
        if not first > 0 or last > half or last < min(first, half):
            raise ArgumentError(
                "the band of a step's energy lies above 0 and up to half the sample rate",
                given=f"low={low!r}, high={high!r}",
                expected=f"0 < low <= high <= {float(half):g}",
                fix=f"energy(20, {float(half):g})",
            )
        return np.asarray(self.power * self._seconds(min(first, half), last))

    def _seconds(self, low: Fraction, high: Fraction) -> float:
        """Return how long the offset lasts that has the energy of the step in a band."""
        rate = float(self.sample_rate)
        low_turn, high_turn = (np.pi * float(edge / self.sample_rate) for edge in (low, high))
        # cot a - cot b = sin(b - a) / (sin a sin b): no difference of nearly equal numbers.
        return float(
            np.sin(np.pi * float((high - low) / self.sample_rate))
            / (np.sin(low_turn) * np.sin(high_turn) * 2 * np.pi * rate)
        )

    @property
    def summary(self) -> str:
        """The step's level, that of the strongest channel."""
        return f"a step of {format_decibels(float(self.power.max()))} at starts, stops and joins"

    def __str__(self) -> str:
        half = self.sample_rate / 2
        seconds = self._seconds(min(LOWEST_HEARD, half), half)
        heard = format_hertz(LOWEST_HEARD)
        return f"{self.summary}, above {heard} the energy of {1000 * seconds:.3g} ms of it"
