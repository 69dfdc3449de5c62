"""The power of noise behind a chain of operators: the integral of its density."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil, prod

import numpy as np
from numpy.typing import NDArray

from upsim.network.signals import Signal, WhiteNoise
from upsim.operators import Operator, StretchFIR
from upsim.theory.moments.transfer import density_through

Real = NDArray[np.float64]

#: Least points of the grid on which a density that is not flat is averaged.
_POINTS = 2**14


def response_span(chain: Sequence[Operator]) -> int:
    """Return output samples that one input sample can touch, or a few more.

    Examples
    --------
    >>> response_span([StretchFIR(np.ones((1, 1, 3)), 2), StretchFIR(np.ones((1, 1, 3)), 2)])
    7
    """
    span = 1
    for operator in chain:
        if isinstance(operator, StretchFIR):
            span = -(-((span - 1) * operator.factor + operator.reach) // operator.down)
            continue
        # Samples that lie anywhere in the blocks: one block more than their number fills.
        blocks = ceil((span - 1) / operator.down) + 1
        span = (blocks - 1 + operator.polyphase().blocks.shape[0]) * operator.up
    return span


def noise_power(
    chain: Sequence[Operator], signal: Signal, channels: int, rate: Fraction
) -> tuple[Real, Real]:
    r"""Return the power of a signal's noise behind a chain, averaged over time, and its error.

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
    chain : sequence of Operator
    signal : Signal
    channels : int
        Input channels.
    rate : Fraction
        Input rate in Hz.

    Returns
    -------
    power : array (out,)
    error : array (out,)
        Bound, 0 for white noise.

    Examples
    --------
    >>> triangle = StretchFIR(np.array([[[0.5, 1.0, 0.5]]]), 2)
    >>> power, error = noise_power([triangle], WhiteNoise(1.0), 1, Fraction(8000))
    >>> round(float(power[0]), 12), float(error[0])
    (0.75, 0.0)
    """
    random = [
        term for term in signal.terms() if term.density(np.zeros(1), channels, rate) is not None
    ]
    white = all(isinstance(term, WhiteNoise) for term in random)
    points = response_span(chain) if white else max(response_span(chain), _POINTS)
    hertz = float(rate)

    def at_input(turns: Real) -> Real:
        found = signal.density(turns * hertz, channels, rate)
        return np.zeros((channels, turns.size)) if found is None else found

    # Real taps: the upper half of the grid mirrors the lower.
    grid = np.arange(points // 2 + 1) / points
    levels = density_through(chain, grid, at_input, channels).real
    weights = np.where((2 * np.arange(grid.size)) % points == 0, 1.0, 2.0)
    scale = hertz * prod(operator.up / operator.down for operator in chain) / points
    power = levels @ weights * scale
    variation = 2 * np.abs(np.diff(levels, axis=1)).sum(axis=1)
    return power, np.zeros_like(power) if white else variation * scale
