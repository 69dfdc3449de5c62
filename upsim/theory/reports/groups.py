r"""Lines of one critical band are heard together: their powers add.

The ear takes a critical band in one.  So a comb of lines, each of them masked, may be heard as a
group (ISO/TS 20065 adds the lines of a band).  With :math:`B_i` the critical band about line i,

.. math:: \Delta L_i = 10 \log_{10} \frac{\sum_{j \in B_i} P_j}{\bar S_i\, \Delta f_c} - a_v(f_i).

About a line that is masked alone only lines that are masked alone count: a faint neighbour of a
loud tone is not heard because the tone is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from upsim.theory.reports.audibility import MaskedLevels, audibility
from upsim.theory.reports.masking import HEARING_RANGE, critical_band

Real = NDArray[np.float64]
Flags = NDArray[np.bool_]
Whole = NDArray[np.intp]

#: A line that is weaker than the strongest of its group by more is not said to be heard: 10 dB.
_WEAKER = 0.1


@dataclass(frozen=True, eq=False)
class Groups:
    """What is heard of each line together with the others of its critical band.

    Parameters
    ----------
    members : tuple of array of int
        For each line, those that count in the band about it, itself among them.
    levels : MaskedLevels
        Of the sum of each band, (T,).
    heard : array (T,) of bool
        Lines that are not heard alone, and are together.
    """

    members: tuple[Whole, ...]
    levels: MaskedLevels
    heard: Flags

    def apart(self) -> list[int]:
        """Return the lines about which groups are heard, the strongest first, no line in two."""
        found: list[int] = []
        taken = np.zeros(self.heard.size, dtype=bool)
        for number in np.argsort(-self.levels.margin, kind="stable").tolist():
            if self.heard[number] and not taken[self.members[number]].any():
                found.append(number)
                taken[self.members[number]] = True
        return found


def together(
    frequencies: Real,
    powers: Real,
    grid: Real | None,
    psd: Real | None,
    alone: MaskedLevels,
    *,
    calibration: float | None = None,
) -> Groups:
    """Return what lines of one channel are, taken together band by band.

    Parameters
    ----------
    frequencies, powers : array (T,)
        In ascending frequency.
    grid : array (F,) or None
    psd : array (F,) or None
    alone : MaskedLevels
        Of each line by itself.
    """
    low, high = HEARING_RANGE
    there = (powers > 0) & (frequencies >= low) & (frequencies <= high)
    lows, highs = critical_band(frequencies)
    firsts = np.searchsorted(frequencies, lows, side="left").tolist()
    lasts = np.searchsorted(frequencies, highs, side="right").tolist()
    masked = alone.margin <= 0
    members = []
    for number, (first, last) in enumerate(zip(firsts, lasts, strict=True)):
        counts = there[first:last]
        if masked[number]:
            counts = counts & masked[first:last]
        found = first + np.flatnonzero(counts)
        members.append(found if there[number] else np.array([number]))
    sums = np.array([powers[each].sum() for each in members])
    strongest = np.array([powers[each].max() for each in members])
    several = np.array([each.size > 1 for each in members], dtype=bool)
    levels = audibility(frequencies, sums, grid, psd, calibration=calibration)
    heard = ~alone.audible & levels.audible & several & (powers >= _WEAKER * strongest)
    return Groups(tuple(members), levels, heard)
