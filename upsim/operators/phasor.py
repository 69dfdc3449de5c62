"""Samples of an exponential at an exact frequency."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Complex = NDArray[np.complex128]
Whole = NDArray[np.intp]


def phasors(turn: Fraction, moments: Whole) -> Complex:
    r"""Return :math:`e^{j 2 \pi f n}` at whole moments n, for an exact f in cycles per sample.

    The phase is reduced to one turn in whole numbers, so it is as exact for the last of many
    samples as for the first.

    Examples
    --------
    >>> phasors(Fraction(1, 4), np.array([1, 4_000_000_002])).round(12) + 0.0
    array([ 0.+1.j, -1.+0.j])
    """
    numerator, denominator = turn.numerator % turn.denominator, turn.denominator
    farthest = int(np.abs(moments).max(initial=0))
    # Beyond 64 bits Python's own whole numbers take over.
    fits = max(farthest, 1) * denominator < 2**62
    steps = (moments if fits else moments.astype(object)) * numerator % denominator
    phases = np.asarray(steps / denominator, dtype=np.float64)
    return np.asarray(np.exp(2j * np.pi * phases))
