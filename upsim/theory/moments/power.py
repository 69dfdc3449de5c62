"""The power of noise behind linear layers, from the autocovariances of the inputs."""

from __future__ import annotations

from math import lcm, prod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from upsim.network.signals import WhiteNoise
from upsim.operators import Operator, StretchFIR
from upsim.theory.moments.places import Filtered
from upsim.theory.moments.transfer import Transfer, on_the_way
from upsim.words.arguments import refuse_beyond_memory
from upsim.words.units import counted

if TYPE_CHECKING:
    from upsim.theory.moments.places import Place, Start

Real = NDArray[np.float64]


def response_span(place: Place, start: Start, samples: int = 1) -> int:
    """Return output samples that so many neighbouring input samples can touch, or a few more.

    Examples
    --------
    >>> from fractions import Fraction
    >>> from upsim.network.signals import WhiteNoise
    >>> from upsim.operators import StretchFIR
    >>> from upsim.theory.moments.places import Filtered, Start
    >>> triangle = StretchFIR(np.ones((1, 1, 3)), 2)
    >>> start = Start(WhiteNoise(1.0), 1, Fraction(8000))
    >>> response_span(Filtered(Filtered(start, triangle), triangle), start)
    7
    """
    spans: dict[Place, tuple[int, int]] = {}
    for each in on_the_way(place, start):
        parts = [spans[parent] for parent in each.parents if parent in spans]
        parts = parts or [(0, samples - 1)]
        spans[each] = each.answered(min(low for low, _ in parts), max(high for _, high in parts))
    low, high = spans[place]
    return high - low + 1


def noise_power(place: Place) -> Real:
    """Return the power of the noise at a place, averaged over time, (out,).

    The inputs are independent, so their powers (:func:`power_from`) add up.

    Parameters
    ----------
    place : Place
        Behind linear layers only.

    Examples
    --------
    >>> from fractions import Fraction
    >>> from upsim.network.signals import Density, WhiteNoise
    >>> from upsim.operators import StretchFIR
    >>> from upsim.theory.moments.places import Filtered, Merged, Start
    >>> start = Start(WhiteNoise(1.0), 1, Fraction(8000))
    >>> triangle = Filtered(start, StretchFIR(np.array([[[0.5, 1.0, 0.5]]]), 2))
    >>> noise_power(triangle).round(12)
    array([0.75])
    >>> narrow = Start(Density([1000.2, 1000.4], [5.0, 5.0]), 1, Fraction(16000))
    >>> noise_power(Merged([triangle, narrow], "sum")).round(12)
    array([1.75])
    """
    total = np.zeros(place.channels)
    for start in place.starts:
        total += power_from(start, place)
    return total


def power_from(start: Start, place: Place) -> Real:
    r"""Return the power at a place of the noise of one input, averaged over time, (out,).

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

    """
    if isinstance(place, Filtered) and place.parents == (start,):
        direct = _through_one_filter(start, place.operator)
        if direct is not None:
            return direct
    # A block of `downs` input samples makes `ups` output samples, whatever the way.
    pace = place.rate / start.rate
    downs = lcm(prod(each.down for each in on_the_way(place, start)), pace.denominator)
    ups = int(downs * pace)
    span = response_span(place, start, downs)
    transfer = Transfer(place, start, span // 2 + 1)
    channels = transfer.inputs
    # Inputs q blocks later are answered q `ups` later; both must reach one output.
    lags = np.arange((-(-span // ups) + 1) * downs)
    seen = start.signal.autocovariance(lags, channels, start.rate)
    moving = np.flatnonzero(seen.any(axis=0))
    last = int(moving[-1]) if moving.size else 0
    points = span + (last // downs + 2) * ups
    # Input frequencies are whole multiples of 1 / (points downs).
    alike = bool(np.all(seen == seen[:1]))
    refuse_beyond_memory(
        # A complex transform beside it.
        3 * (1 if alike else channels) * points * downs,
        f"the noise of {counted(downs, 'phase')} on a circle",
        fix="rates that share a larger divisor",
    )
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


def _through_one_filter(start: Start, operator: Operator) -> Real | None:
    r"""Return the power of white noise behind one stretch, FIR and decimation, else None.

    Of coprime L and D each tap is met by one output sample in L:

    .. math:: \sigma^2_o = \frac1L \sum_c r_c[0] \sum_k h_{oc}[k]^2
    """
    if not isinstance(operator, StretchFIR):
        return None
    signal, rate = start.signal, start.rate
    levels = signal.autocovariance(np.arange(2), operator.in_channels, rate)
    if not all(
        isinstance(each, WhiteNoise)
        for each in signal.terms()
        if each.has_noise(operator.in_channels, rate)
    ):
        return None
    energies = np.einsum("oik,oik->oi", operator.taps, operator.taps)
    groups = operator.groups
    own = levels[:, 0].reshape(groups, -1)
    made = np.einsum("goi,gi->go", energies.reshape(groups, -1, energies.shape[1]), own)
    return np.asarray(made.reshape(-1) / operator.factor)
