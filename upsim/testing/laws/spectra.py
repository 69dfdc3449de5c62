"""Laws in frequency: gains against exponentials, and two Parseval laws."""

from __future__ import annotations

import numpy as np

from upsim.layers.base import Branch, Layer, LinearLayer
from upsim.operators import StretchFIR
from upsim.testing.laws.comparison import (
    agree,
    largest_row,
    margin,
    room,
    spectral_margin,
)
from upsim.testing.laws.law import law
from upsim.testing.laws.subject import is_linear, operator_of

_OF = (LinearLayer, Branch)
_TURNS = 4


@law(
    of=_OF,
    when=is_linear,
    formula="exp(j 2 pi f m) -> sum over g of A_l(g) exp(j 2 pi g n), f = (U g + l) / D",
    source="Crochiere & Rabiner 1983, section 3.1; the alias components of an LPTV system",
)
def response(layer: Layer, channels: int) -> None:
    """Check that an exponential leaves as the exponentials that the gains foretell."""
    operator = operator_of(layer, channels)
    up, down = operator.up, operator.down
    period, count = _TURNS * down, _TURNS * up
    turns = np.outer(np.arange(period), np.arange(period)) % period / period
    waves = np.exp(2j * np.pi * turns)  # (k, m)
    inputs = np.einsum("km,ic->kicm", waves, np.eye(channels))
    outputs = operator.periodic(inputs.real) + 1j * operator.periodic(inputs.imag)
    back = np.exp(-2j * np.pi * (np.outer(np.arange(count), np.arange(count)) % count) / count)
    lines = np.einsum("kion,nj->kjoi", outputs, back) / count
    gains = operator.gains(np.arange(count) / count)
    # f = k / P and g = j / Q meet where j + (P / D) l = k modulo P.
    expected = np.zeros_like(lines)
    for k in range(period):
        for j in range(count):
            part, rest = divmod((k - j) % period, _TURNS)
            if rest == 0:
                expected[k, j] = gains[j, part]
    within = spectral_margin(operator, count, largest_row(operator))
    agree(lines, expected, within=within, what="lines of an exponential, by (k, j, out, in)")
    if isinstance(operator, StretchFIR) and operator.down == 1:
        grid = np.arange(count) / count
        agree(
            operator.response(grid),
            operator.polyphase().gains(grid)[:, 0] * up,
            within=spectral_margin(operator, 0, up * largest_row(operator)),
            what="H and L times the gains",
        )


@law(
    of=_OF,
    when=is_linear,
    formula="mean_i sum_m h[m L + i]^2 = (U / D) integral sum_l |A_l(g)|^2 dg",
    source="Parseval; for a stretch-FIR: integral |H|^2 df = sum h^2",
)
def parseval(layer: Layer, channels: int) -> None:
    """Check that the gains' mean square is the mean power with which white noise leaves.

    The integral is exact as a mean over more points than the impulse response has samples, because
    the sum over ``l`` of ``|A_l|^2`` is a trigonometric polynomial of that degree.
    """
    operator = operator_of(layer, channels)
    matrix = operator.polyphase()
    points = matrix.blocks.shape[0] * operator.up + 1
    gains = operator.gains(np.arange(points) / points)
    spectral = (np.abs(gains) ** 2).sum(axis=1).mean(axis=0) * operator.up / operator.down
    within = 2 * spectral_margin(operator, points, operator.up * largest_row(operator) ** 2)
    agree(
        operator.phase_powers().mean(axis=2),
        spectral,
        within=within,
        what="mean phase power and mean square gain",
    )


@law(
    of=_OF,
    when=is_linear,
    formula="var y[n] = sum_m A_{n m}^2 = sum_m h[m L + n]^2",
    source="the variance of a sum of independent terms",
)
def noise_power(layer: Layer, channels: int) -> None:
    """Check that white noise of power 1 leaves each phase with the phase power of that phase."""
    operator = operator_of(layer, channels)
    away = room(operator)
    length = 2 * away + operator.down
    total = operator.length(length)
    matrix = operator.matrix(length).toarray().reshape(-1, total, channels, length)
    start = away // operator.down * operator.up
    rows = matrix[:, start : start + operator.up]
    found = (rows**2).sum(axis=3).transpose(0, 2, 1)
    powers = operator.phase_powers()[:, :, : found.shape[2]]
    weights = operator.polyphase().blocks
    # The square of the weights is what is summed: as samples and operator of one application.
    agree(found, powers, within=margin(weights, operator), what="squared rows and phase powers")
