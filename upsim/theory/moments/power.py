"""The power of noise behind a chain of operators, from the autocovariance of the input."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil, prod

import numpy as np
from numpy.typing import NDArray

from upsim.network.signals import Signal
from upsim.operators import Operator, StretchFIR
from upsim.theory.moments.transfer import density_through

Real = NDArray[np.float64]


def response_span(chain: Sequence[Operator], samples: int = 1) -> int:
    """Return output samples that so many neighbouring input samples can touch, or a few more.

    Examples
    --------
    >>> response_span([StretchFIR(np.ones((1, 1, 3)), 2), StretchFIR(np.ones((1, 1, 3)), 2)])
    7
    """
    span = samples
    for operator in chain:
        if isinstance(operator, StretchFIR):
            span = (span - 1) * operator.factor + operator.reach
            continue
        # Samples that lie anywhere in the blocks: one block more than their number fills.
        blocks = ceil((span - 1) / operator.down) + 1
        span = (blocks - 1 + operator.polyphase().blocks.shape[0]) * operator.up
    return span


def noise_power(chain: Sequence[Operator], signal: Signal, channels: int, rate: Fraction) -> Real:
    r"""Return the power of a signal's noise behind a chain, averaged over time, (out,).

    An output sample sees input samples that lie at most ``T`` apart, so its power knows the
    autocovariance :math:`r_c` of the input up to that lag and nothing of what lies beyond:

    .. math:: \sigma^2_o = \frac1U \sum_{i < U} \sum_c \sum_{m, m'} h_{oc,i}[m]\, h_{oc,i}[m']\,
              r_c[m - m'] = \int_0^1 \bar S_o(g)\, dg

    with :math:`\bar S_o` the density of the output for the input
    :math:`S_c(f) = \sum_{|d| \le T} r_c[d]\, e^{-j 2 \pi f d}`.  Both are trigonometric
    polynomials.  An output lag is at most the span of the response and what ``T`` becomes at the
    output's rate; the average over ``M`` points sees the lags 0, ``M``, ``2 M``, ... as one, so it
    is the integral when ``M`` is larger.  The autocovariance is a closed form
    (:meth:`~upsim.network.signal.Signal.autocovariance`): nothing is sampled, and a narrow band is
    no special case.  The response is held block by block of frequencies, however long it is.

    Parameters
    ----------
    chain : sequence of Operator
    signal : Signal
    channels : int
        Input channels.
    rate : Fraction
        Input rate in Hz.

    Examples
    --------
    >>> from upsim.network.signals import Density, WhiteNoise
    >>> triangle = StretchFIR(np.array([[[0.5, 1.0, 0.5]]]), 2)
    >>> noise_power([triangle], WhiteNoise(1.0), 1, Fraction(8000)).round(12)
    array([0.75])
    >>> noise_power([], Density([1000.2, 1000.4], [5.0, 5.0]), 1, Fraction(8000)).round(12)
    array([1.])
    """
    ups = prod(operator.up for operator in chain)
    downs = prod(operator.down for operator in chain)
    span = response_span(chain, downs)
    # Inputs q blocks of `downs` later are answered q `ups` later; both must reach one output.
    lags = np.arange((-(-span // ups) + 1) * downs)
    seen = signal.autocovariance(lags, channels, rate)
    moving = np.flatnonzero(seen.any(axis=0))
    last = int(moving[-1]) if moving.size else 0
    points = span + (last // downs + 2) * ups
    # Input frequencies (U k / M + K) / D are whole multiples of 1 / (M D).
    alike = bool(np.all(seen == seen[:1]))
    circle = np.zeros((1 if alike else channels, points * downs))
    for lag in range(last + 1):
        circle[:, lag % circle.shape[1]] += seen[: len(circle), lag]
    # r is even: twice the real part of its half less the lag that was counted twice.
    levels = 2 * np.fft.fft(circle, axis=1).real - seen[: len(circle), :1]

    def at_input(turns: Real) -> Real:
        places = np.rint(turns * circle.shape[1]).astype(np.intp) % circle.shape[1]
        return np.broadcast_to(levels[:, places], (channels, turns.size))

    # Real taps: the upper half of the grid mirrors the lower.
    grid = np.arange(points // 2 + 1) / points
    found = density_through(chain, grid, at_input, channels).real
    weights = np.where((2 * np.arange(grid.size)) % points == 0, 1.0, 2.0)
    return np.maximum(found @ weights, 0.0) * (ups / downs / points)
