"""What a measured answer has beside a predicted one: how long was run, errors, upper bounds."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from upsim.theory.lines.statistics import student
from upsim.theory.lines.tones import Tone
from upsim.words.arguments import finite_number

Real = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Measured:
    r"""The size of a run and the errors of what it shows.

    Standard errors come from the scatter of independent batches.

    Parameters
    ----------
    batches : int
    circles : int
        Runs in all batches together.
    seconds : float
        Of the output, in all.
    backend : str
        What ran the layers, and in which precision.
    seed : int
    degrees : int
        Degrees of freedom of Student's t: batches - 1; 0 where nothing is random.
    psd_error : array (channels, F) or None
        Standard error of the density.
    bounds : array (channels, P // 2 + 1)
        For each place ``k / P`` where a line may be: the power that it does not exceed, at 95 %.
        NaN where a line is listed.

    Examples
    --------
    >>> import upsim
    >>> stack = upsim.Stack([upsim.Conv(1, 8, 7, padding=3), upsim.ReLU(), upsim.Nearest(2)], 16000)
    >>> run = upsim.measure(stack.draw(0), upsim.WhiteNoise(1.0))
    >>> run.measured.psd_error.shape, run.measured.degrees
    ((8, 129), 15)
    """

    batches: int
    circles: int
    seconds: float
    backend: str
    seed: int
    degrees: int
    psd_error: Real | None
    bounds: Real

    def density_interval(self, psd: Real, confidence: object = 0.95) -> tuple[Real, Real]:
        r"""Return the interval of a density, (low, high), each (channels, F).

        On a logarithmic axis, :math:`S \exp(\pm t\, s / S)`: the logarithm of a mean of squares is
        nearer to normal than the mean.
        """
        assert self.psd_error is not None
        times = self._quantile(confidence)
        relative = np.divide(self.psd_error, psd, out=np.zeros_like(psd), where=psd > 0)
        factor = np.exp(times * relative)
        return psd / factor, psd * factor

    def line_interval(self, tone: Tone, confidence: object = 0.95) -> tuple[Real, Real]:
        r"""Return the interval of a line's power, (low, high), each (channels,).

        The amplitude :math:`a` has the error :math:`s / (2 a)`, :math:`s` that of the power
        :math:`a^2`, so the power lies in :math:`(a \pm t\, s / (2 a))^2`.
        """
        assert tone.error is not None
        size = np.sqrt(np.maximum(tone.power, 0.0))
        half = np.divide(tone.error, 2 * size, out=np.zeros_like(size), where=size > 0)
        off = self._quantile(confidence) * half
        return np.maximum(size - off, 0.0) ** 2, (size + off) ** 2

    def bound(self, fraction: Fraction) -> Real | None:
        """Return the upper bound at a place of the output's rate; None where no line can be."""
        place = fraction * self.period
        if place.denominator > 1 or not 0 <= place < self.bounds.shape[1]:
            return None
        found = self.bounds[:, int(place)]
        return None if np.isnan(found).any() else found

    period: int = 1

    def _quantile(self, confidence: object) -> float:
        """Return Student's t for a two-sided interval."""
        share = finite_number(confidence, "confidence")
        return student(0.5 - share / 2, self.degrees) if self.degrees else 0.0
