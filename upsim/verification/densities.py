"""The claims of the density and of the noise's power, for linear networks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from upsim.answer.prediction import Prediction
from upsim.network.signals import Signal
from upsim.verification.impulses import MOST_PRODUCTS, Impulses
from upsim.verification.report import Check

Real = NDArray[np.float64]

#: Nodes of a Gauss-Legendre rule on one piece of the band.
_NODES = 32


#: The impulse responses from one input, with the signal whose noise comes in there.
Fed = tuple[Signal, Impulses]


def density(prediction: Prediction, fed: Sequence[Fed], hertz: Real) -> tuple[Real, Real]:
    """Return the witness's one-sided density and its tolerance, each (channels, F).

    It is a sum over the inputs, which are independent.
    """
    turns = hertz / float(prediction.stack.sample_rate)
    found = np.zeros((prediction.channels, turns.size))
    allowed = np.zeros_like(found)
    for signal, impulses in fed:
        inputs = impulses.inputs(turns)
        level = signal.density(
            inputs.reshape(-1) * float(impulses.rate), impulses.channels, impulses.rate
        )
        assert level is not None
        shaped = level.reshape(impulses.channels, *inputs.shape)
        magnitudes = np.abs(impulses.gains(turns))
        bound = impulses.gain_error[:, None]
        found += 2 * np.einsum("fkoc,cfk->of", magnitudes**2, shaped, optimize=True)
        # |A + d|^2 - |A|^2
        more = bound * (2 * magnitudes + bound)
        allowed += 2 * np.einsum("fkoc,cfk->of", more, shaped, optimize=True)
    return found, allowed


def _products(fed: Sequence[Fed], frequencies: int) -> int:
    return sum(impulses.products(frequencies) for _, impulses in fed)


def judge_density(prediction: Prediction, fed: Sequence[Fed]) -> list[Check]:
    """Judge the density at every frequency, or at as many as there is time for."""
    grid, psd = prediction.frequencies, prediction.psd
    if psd is None or psd.shape != (prediction.channels, grid.size):
        return [Check.wrong("density", "noise goes in, and there is no density for each channel")]
    most = max(2, MOST_PRODUCTS // max(1, _products(fed, 1)))
    chosen = np.arange(grid.size)
    if grid.size > most:
        chosen = np.unique(np.linspace(0, grid.size - 1, most).astype(np.intp))
    found, allowed = density(prediction, fed, grid[chosen])
    rows = sum(impulses.down * impulses.channels for _, impulses in fed)
    about = (
        f"density at {chosen.size} frequencies against {rows} impulse response{'s' * (rows > 1)}"
    )
    checks = [Check.worst("density", about, np.abs(found - psd[:, chosen]), allowed)]
    if chosen.size < grid.size:
        checks.append(
            Check.skipped(
                "density",
                f"{grid.size - chosen.size} of {grid.size} frequencies: "
                "the impulse responses are long",
            )
        )
    return checks


def judge_noise_power(prediction: Prediction, fed: Sequence[Fed]) -> Check:
    r"""Judge the power of the noise by the integral of the witness's density.

    Between the corners of the input's density the integrand is smooth: a straight line times a
    trigonometric polynomial of degree ``n``, the length of the answers.  Gauss's rule of ``m``
    nodes is exact to rounding on a piece of width ``w`` where :math:`m > \pi n w + 15`.
    """
    degree = max(impulses.times.size + impulses.up for _, impulses in fed)
    width = (_NODES - 15) / (np.pi * degree)
    edges = _corners(fed)
    pieces = [
        np.linspace(low, high, 2 + int((high - low) / width)) for low, high in pairwise(edges)
    ]
    lows = np.concatenate([piece[:-1] for piece in pieces])
    widths = np.concatenate([np.diff(piece) for piece in pieces])
    if _products(fed, lows.size * _NODES) > MOST_PRODUCTS:
        return Check.skipped("noise power", "the impulse responses are long")
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    turns = (lows[:, None] + widths[:, None] * (1 + nodes) / 2).reshape(-1)
    rate = float(prediction.stack.sample_rate)
    steps = (widths[:, None] * weights / 2).reshape(-1) * rate
    found, allowed = density(prediction, fed, turns * rate)
    claimed = prediction.noise_power
    if claimed.shape != (prediction.channels,):
        return Check.wrong("noise power", "there is not one power a channel")
    # The rule's own rounding is that of a sum of positive numbers; as much again for the claim's.
    return Check.worst(
        "noise power",
        f"power of the noise against the integral of the density, {turns.size} nodes",
        np.abs(found @ steps - claimed),
        2 * (allowed @ steps),
    )


def _corners(fed: Sequence[Fed]) -> list[float]:
    """Return the output frequencies where the inputs' densities bend, in cycles per sample.

    ``(U g + K) / D`` is ``p`` or ``-p`` modulo 1 at ``g = (i ± D p) / U``.
    """
    found = []
    for signal, impulses in fed:
        corners = (each / float(impulses.rate) for each in signal.corners())
        points = [0.0, 0.5, *(each for each in corners if each < 0.5)]
        up, down = impulses.up, impulses.down
        whole = np.arange(-down, up + down + 1)
        found += [(whole + sign * down * point) / up for point in points for sign in (1, -1)]
    places = np.concatenate(found)
    inside = np.unique(places[(places > 0) & (places < 0.5)])
    return [0.0, *inside.tolist(), 0.5]
