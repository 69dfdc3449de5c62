"""Numbers, kernels and samples that floating point adds and multiplies without rounding."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: The numbers are multiples of ``1 / GRAIN``.
GRAIN = 8


def dyadics(largest: int = 2) -> st.SearchStrategy[float]:
    """Multiples of 1/8 between ``-largest`` and ``largest``; they shrink towards 0."""
    return st.integers(-largest * GRAIN, largest * GRAIN).map(lambda whole: whole / GRAIN)


def arrays(shape: tuple[int, ...], largest: int = 2) -> st.SearchStrategy[Array]:
    """Arrays of :func:`dyadics`; many entries are equal, and now and then all are zero."""
    return hnp.arrays(np.float64, shape, elements=dyadics(largest))


@st.composite
def kernels(
    draw: st.DrawFn,
    *,
    out_channels: int | None = None,
    in_channels: int | None = None,
    kernel_size: int | None = None,
) -> Array:
    """Taps of shape (out, in, K), one to two channels and one to six taps unless given.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(kernels(kernel_size=2), lambda taps: True).shape
    (1, 1, 2)
    """
    out = draw(st.integers(1, 2)) if out_channels is None else out_channels
    inward = draw(st.integers(1, 2)) if in_channels is None else in_channels
    count = draw(st.integers(1, 6)) if kernel_size is None else kernel_size
    return draw(arrays((out, inward, count)))


def samples(channels: int, length: int) -> st.SearchStrategy[Array]:
    """Return inputs of shape (channels, length).

    Examples
    --------
    >>> from hypothesis import find
    >>> find(samples(2, 3), lambda values: True).tolist()
    [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """
    return arrays((channels, length))
