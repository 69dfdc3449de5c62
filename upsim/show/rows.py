"""The plain rows that the pictures are drawn from.

Drawing lies below the prediction, so it knows nothing of stacks, tones or replicas as the theory
has them. Whoever wants a picture writes these rows; whoever has only numbers can write them
by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Band", "ContributionRow", "Panel", "ToneRow"]


@dataclass(frozen=True, kw_only=True)
class ToneRow:
    """One spectral line.

    Parameters
    ----------
    frequency_hz : float
        Its place, in Hz, from 0 to half the sample rate.
    power : float or sequence of float
        Its share of the mean square, both mirror lines together; one value, or one a channel.
    layer : str
        Label of the layer at which it was first possible, ``"1"`` or ``"decoder.2"``.
    cause : str
        One of `upsim.show.style.CAUSES`; another word is drawn in grey.
    interval : sequence of (float, float)
        Of a measured line: the interval of its power, one a channel; drawn as an error bar.

    Examples
    --------
    >>> ToneRow(frequency_hz=4000.0, power=(0.5, 0.25), layer="1", cause="weights").in_channel(1)
    0.25
    """

    frequency_hz: float
    power: float | Sequence[float]
    layer: str = ""
    cause: str = "input"
    interval: Sequence[tuple[float, float]] = ()

    def in_channel(self, channel: int) -> float:
        """Power in one channel; a row with a single value has it in every channel."""
        powers = np.atleast_1d(np.asarray(self.power, dtype=np.float64))
        return float(powers[0] if powers.size == 1 else powers[channel])


@dataclass(frozen=True, kw_only=True)
class Band:
    """Where one copy (replica) of the input's band lies in the output.

    Parameters
    ----------
    low_hz, high_hz : float
        Its edges, in Hz.
    mirrored : bool
        Whether its frequencies run backwards.
    made_by : str
        Label of the layer whose zero insertion made it; ``"input"`` for the band itself.
    order : int
        Which copy it is, 0 for the band itself.
    """

    low_hz: float
    high_hz: float
    mirrored: bool = False
    made_by: str = "input"
    order: int = 0


@dataclass(frozen=True, kw_only=True)
class ContributionRow:
    """What one cause in one layer adds to one line.

    Parameters
    ----------
    frequency_hz : float
        The line that it adds to, exactly as in that line's `ToneRow`.
    layer, cause : str
        Who adds it, and why.
    power : float
        The power that the line would have from this contribution alone.
    phase : float or None
        Its angle in radians. Contributions add as phasors, so two loud ones may cancel; None where
        only the expected power is known.
    """

    frequency_hz: float
    layer: str
    cause: str
    power: float
    phase: float | None = None


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One picture in a column: the signal after one layer.

    Parameters
    ----------
    title : str
        What is shown, ``"layer 1"``.
    sample_rate : float
        The rate of the signal at this place, in Hz.
    frequencies_hz, psd : array (frequencies,) and array (channels, frequencies), or None
        One-sided density, power per Hz.
    psd_interval : two arrays (channels, frequencies), or None
        Of a measured density: the ends of its interval, drawn as a shade about the curve.
    tones, bands : sequence of rows
        Lines and replicas.
    waveform : array (channels, time) or None
        The samples themselves, where they are known; a spectrogram shows them instead of the
        expectation.
    """

    title: str
    sample_rate: float
    frequencies_hz: NDArray[Any] | None = None
    psd: NDArray[Any] | None = None
    tones: Sequence[ToneRow] = ()
    bands: Sequence[Band] = ()
    waveform: NDArray[Any] | None = None
    psd_interval: tuple[NDArray[Any], NDArray[Any]] | None = None
