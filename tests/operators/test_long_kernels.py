"""Filters of thousands of taps, which are worked out by FFT, against plain convolutions."""

import numpy as np
import pytest

from upsim.operators import StretchFIR
from upsim.words.tolerance import rounding


@pytest.mark.parametrize("factor", [1, 2])
@pytest.mark.parametrize("crop", [(0, 0), (700, 5), (-3, -4)])
def test_long_kernels_by_hand(factor, crop):
    rng = np.random.default_rng(factor)
    taps, samples = rng.standard_normal((4, 1, 2500)), rng.standard_normal((2, 6000))
    operator = StretchFIR(taps, factor, groups=2, crop=crop)
    stretched = np.zeros((2, 6000 * factor))
    stretched[:, ::factor] = samples
    # The last sample ends at its own place, not at the zeros that would follow it.
    whole = np.stack([np.convolve(stretched[row // 2], taps[row, 0]) for row in range(4)])
    whole = whole[:, : (6000 - 1) * factor + 2500]
    ends = [max(0, -end) for end in crop]
    padded = np.pad(whole, ((0, 0), ends))
    wanted = padded[:, max(0, crop[0]) : padded.shape[1] - max(0, crop[1])]
    made = operator.apply(samples)
    assert made.shape == wanted.shape
    # An FFT of N points is off by u log2 N times the root of the energies' product, three times.
    energy = float(np.linalg.norm(taps, axis=2).max() * np.linalg.norm(samples, axis=1).max())
    assert np.abs(made - wanted).max() <= rounding(3 * 16, energy)
