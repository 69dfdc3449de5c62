"""The power of noise behind linear layers, from the autocovariance of the input."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import lcm, prod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from upsim.network.signals import Signal
from upsim.theory.moments.transfer import Transfer

if TYPE_CHECKING:
    from upsim.theory.moments.places import Place

Real = NDArray[np.float64]


def response_span(place: Place, samples: int = 1) -> int:
    """Return output samples that so many neighbouring input samples can touch, or a few more.

    Examples
    --------
    >>> from upsim.operators import StretchFIR
    >>> from upsim.theory.moments.places import Filtered, Start
    >>> triangle = StretchFIR(np.ones((1, 1, 3)), 2)
    >>> start = Start(1, lambda: np.ones((1, 1)), 0.0)
    >>> response_span(Filtered(Filtered(start, triangle), triangle))
    7
    """
    spans: dict[Place, tuple[int, int]] = {}
    for each in _in_order(place):
        parts = [spans[parent] for parent in each.parents] or [(0, samples - 1)]
        spans[each] = each.answered(min(low for low, _ in parts), max(high for _, high in parts))
    low, high = spans[place]
    return high - low + 1


def density_at_input(signal: Signal, channels: int, rate: Fraction) -> Callable[[Real], Real]:
    """Return a signal's two-sided density per Hz as a function of cycles per sample."""

    def level(turns: Real) -> Real:
        found = signal.density(turns * float(rate), channels, rate)
        return np.zeros((channels, turns.size)) if found is None else found

    return level


def noise_power(place: Place, signal: Signal, rate: Fraction) -> Real:
    r"""Return the power of a signal's noise at a place, averaged over time, (out,).

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
    place : Place
        Behind linear layers only.
    signal : Signal
    rate : Fraction
        Input rate in Hz.

    Examples
    --------
    >>> from upsim.network.signals import Density, WhiteNoise
    >>> from upsim.operators import StretchFIR
    >>> from upsim.theory.moments.places import Filtered, Start
    >>> start = Start(1, lambda: np.ones((1, 1)), 0.0)
    >>> triangle = StretchFIR(np.array([[[0.5, 1.0, 0.5]]]), 2)
    >>> noise_power(Filtered(start, triangle), WhiteNoise(1.0), Fraction(8000)).round(12)
    array([0.75])
    >>> noise_power(start, Density([1000.2, 1000.4], [5.0, 5.0]), Fraction(8000)).round(12)
    array([1.])
    """
    # A block of `downs` input samples makes `ups` output samples, whatever the way.
    downs = lcm(prod(each.down for each in _in_order(place)), place.rate.denominator)
    ups = int(downs * place.rate)
    span = response_span(place, downs)
    transfer = Transfer(place, span // 2 + 1)
    channels = transfer.inputs
    # Inputs q blocks later are answered q `ups` later; both must reach one output.
    lags = np.arange((-(-span // ups) + 1) * downs)
    seen = signal.autocovariance(lags, channels, rate)
    moving = np.flatnonzero(seen.any(axis=0))
    last = int(moving[-1]) if moving.size else 0
    points = span + (last // downs + 2) * ups
    # Input frequencies are whole multiples of 1 / (points downs).
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
    found = transfer.density(grid, at_input).real
    weights = np.where((2 * np.arange(grid.size)) % points == 0, 1.0, 2.0)
    return np.maximum(found @ weights, 0.0) * (ups / downs / points)


def _in_order(place: Place) -> list[Place]:
    """Return a place and all before it, the first ones first."""
    return sorted((place, *place.ancestors), key=lambda each: each.depth)
