"""The power of noise behind linear layers: the integral of its density."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from upsim.network.signals import Signal, WhiteNoise
from upsim.theory.moments.transfer import Transfer

if TYPE_CHECKING:
    from upsim.theory.moments.places import Place

Real = NDArray[np.float64]

#: Least points of the grid on which a density that is not flat is averaged.
_POINTS = 2**14


def response_span(place: Place) -> int:
    """Return output samples that one input sample can touch, or a few more.

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
    for each in sorted((place, *place.ancestors), key=lambda each: each.depth):
        parts = [spans[parent] for parent in each.parents] or [(0, 0)]
        spans[each] = each.answered(min(low for low, _ in parts), max(high for _, high in parts))
    low, high = spans[place]
    return high - low + 1


def density_at_input(signal: Signal, channels: int, rate: Fraction) -> Callable[[Real], Real]:
    """Return a signal's two-sided density per Hz as a function of cycles per sample."""

    def level(turns: Real) -> Real:
        found = signal.density(turns * float(rate), channels, rate)
        return np.zeros((channels, turns.size)) if found is None else found

    return level


def noise_power(place: Place, signal: Signal, rate: Fraction) -> tuple[Real, Real]:
    r"""Return the power of a signal's noise at a place, averaged over time, and its error.

    .. math:: \sigma^2_o = \int_0^1 \bar S_o(g)\, dg \approx
              \frac1M \sum_{i<M} \bar S_o(i / M)

    Through operators of finite support, the autocorrelation of what white noise becomes is zero at
    lags beyond the span of their response, so :math:`\bar S` is a trigonometric polynomial.  The
    average over ``M`` points sees the lags 0, ``M``, ``2 M``, ... as one and is therefore exact
    when ``M`` is at least the span.  For any other density it differs from the integral by at most
    the total variation of :math:`\bar S` over ``M`` (the rectangle rule); the variation is taken
    from the same points.

    Parameters
    ----------
    place : Place
        Behind linear layers only.
    signal : Signal
    rate : Fraction
        Input rate in Hz.

    Returns
    -------
    power : array (out,)
    error : array (out,)
        Bound, 0 for white noise.

    Examples
    --------
    >>> from upsim.operators import StretchFIR
    >>> from upsim.theory.moments.places import Filtered, Start
    >>> triangle = StretchFIR(np.array([[[0.5, 1.0, 0.5]]]), 2)
    >>> place = Filtered(Start(1, lambda: np.ones((1, 1)), 0.0), triangle)
    >>> power, error = noise_power(place, WhiteNoise(1.0), Fraction(8000))
    >>> round(float(power[0]), 12), float(error[0])
    (0.75, 0.0)
    """
    span = response_span(place)
    # Real taps: the upper half of the grid mirrors the lower.
    transfer = Transfer(place, span // 2 + 1)
    channels = transfer.inputs
    random = [
        term for term in signal.terms() if term.density(np.zeros(1), channels, rate) is not None
    ]
    white = all(isinstance(term, WhiteNoise) for term in random)
    points = span if white else max(span, _POINTS)
    grid = np.arange(points // 2 + 1) / points
    levels = transfer.density(grid, density_at_input(signal, channels, rate)).real
    weights = np.where((2 * np.arange(grid.size)) % points == 0, 1.0, 2.0)
    scale = float(rate * place.rate) / points
    power = levels @ weights * scale
    variation = 2 * np.abs(np.diff(levels, axis=1)).sum(axis=1)
    return power, np.zeros_like(power) if white else variation * scale
