"""The slow ways: every pair of taps, every row of samples, one after the other, as written down."""

from __future__ import annotations

import numpy as np

from upsim.gaussian import covariance
from upsim.operators.two_time import TwoTime


def through_pairs_of_taps(given: TwoTime, taps: np.ndarray, positions, factor: int) -> TwoTime:
    """C_y[n, n'] = sum S[k, k'] C_x[(n - p_k) / L, (n' - p_k') / L], pair by pair of taps."""
    entries = np.argwhere(taps)
    shifts = positions[entries[:, 1]] - positions[entries[:, 0]]
    spread = int(np.abs(shifts).max(initial=0))
    rows, turns = given.period * factor, given.turns * factor
    reach = given.reach * factor + spread
    fixed, excess = np.zeros((rows, turns)), np.zeros((rows, 2 * reach + 1))
    lags = np.arange(given.turns) * factor
    near = np.arange(-given.reach, given.reach + 1) * factor + reach
    for (first, second), shift in zip(entries, shifts, strict=True):
        phase, delay = positions[first] % factor, positions[first] // factor
        weight = taps[first, second]
        fixed[phase::factor, (lags + shift) % turns] += weight * np.roll(given.fixed, delay, 0)
        excess[phase::factor, near + shift] += weight * np.roll(given.excess, delay, 0)
    return TwoTime(fixed, excess)


def row_by_row(moments, deviation, given, partner):
    """Covariances behind a function, and the bounds of their errors; all lags, both directions."""
    values, error = np.zeros(given.shape), np.zeros(given.shape)
    for row in range(len(given)):
        others = partner[row]
        scale = deviation[row] * deviation[others]
        rho = np.divide(given[row], scale, out=np.zeros(len(others)), where=scale > 0)
        found = covariance(moments[row], moments[others], np.clip(rho, -1, 1))
        # Where the two samples are one, the correlation is 1 and rounding alone says otherwise.
        values[row], error[row] = found.values, found.error
    return values, error
