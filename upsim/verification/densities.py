"""The claims of the density and of the noise's power, for linear stacks."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from upsim.answer.prediction import Prediction
from upsim.network.feed import signals_of
from upsim.network.signals import Density
from upsim.verification.impulses import MOST_PRODUCTS, Impulses
from upsim.verification.report import Check

Real = NDArray[np.float64]

#: Nodes of a Gauss-Legendre rule on one piece of the band.
_NODES = 32


def density(prediction: Prediction, impulses: Impulses, hertz: Real) -> tuple[Real, Real]:
    """Return the witness's one-sided density and its tolerance, each (channels, F)."""
    stack = prediction.stack
    turns = hertz / float(stack.sample_rate)
    inputs = impulses.inputs(turns)
    level = signals_of(stack, prediction.signal)[0].density(
        inputs.reshape(-1) * float(stack.input_rate), stack.in_channels, stack.input_rate
    )
    assert level is not None
    shaped = level.reshape(stack.in_channels, *inputs.shape)
    magnitudes = np.abs(impulses.gains(turns))
    bound = impulses.gain_error[:, None]
    found = 2 * np.einsum("fkoc,cfk->of", magnitudes**2, shaped, optimize=True)
    # |A + d|^2 - |A|^2
    allowed = 2 * np.einsum("fkoc,cfk->of", bound * (2 * magnitudes + bound), shaped, optimize=True)
    return found, allowed


def judge_density(prediction: Prediction, impulses: Impulses) -> list[Check]:
    """Judge the density at every frequency, or at as many as there is time for."""
    grid, psd = prediction.frequencies, prediction.psd
    if psd is None or psd.shape != (prediction.channels, grid.size):
        return [Check.wrong("density", "noise goes in, and there is no density for each channel")]
    most = max(2, MOST_PRODUCTS // max(1, impulses.products(1)))
    chosen = np.arange(grid.size)
    if grid.size > most:
        chosen = np.unique(np.linspace(0, grid.size - 1, most).astype(np.intp))
    found, allowed = density(prediction, impulses, grid[chosen])
    rows = impulses.answers.shape[0] * impulses.answers.shape[1]
    fed = f"{rows} impulse response{'s' if rows > 1 else ''}"
    about = f"density at {chosen.size} frequencies against {fed}"
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


def judge_noise_power(prediction: Prediction, impulses: Impulses) -> Check:
    r"""Judge the power of the noise by the integral of the witness's density.

    Between the corners of the input's density the integrand is smooth: a straight line times a
    trigonometric polynomial of degree ``n``, the length of the answers.  Gauss's rule of ``m``
    nodes is exact to rounding on a piece of width ``w`` where :math:`m > \pi n w + 15`.
    """
    degree = impulses.times.size + impulses.up
    width = (_NODES - 15) / (np.pi * degree)
    edges = _corners(prediction, impulses)
    pieces = [
        np.linspace(low, high, 2 + int((high - low) / width)) for low, high in pairwise(edges)
    ]
    lows = np.concatenate([piece[:-1] for piece in pieces])
    widths = np.concatenate([np.diff(piece) for piece in pieces])
    if impulses.products(lows.size * _NODES) > MOST_PRODUCTS:
        return Check.skipped("noise power", "the impulse responses are long")
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    turns = (lows[:, None] + widths[:, None] * (1 + nodes) / 2).reshape(-1)
    rate = float(prediction.stack.sample_rate)
    steps = (widths[:, None] * weights / 2).reshape(-1) * rate
    found, allowed = density(prediction, impulses, turns * rate)
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


def _corners(prediction: Prediction, impulses: Impulses) -> list[float]:
    """Return the output frequencies where the input's density bends, in cycles per sample.

    ``(U g + K) / D`` is ``p`` or ``-p`` modulo 1 at ``g = (i ± D p) / U``.
    """
    rate = float(prediction.stack.input_rate)
    points = [0.0, 0.5]
    for term in signals_of(prediction.stack, prediction.signal)[0].terms():
        if isinstance(term, Density):
            points += [each for each in np.asarray(term.frequencies) / rate if each < 0.5]
    up, down = impulses.up, impulses.down
    whole = np.arange(-down, up + down + 1)
    found = np.concatenate(
        [(whole + sign * down * point) / up for point in points for sign in (1, -1)]
    )
    inside = np.unique(found[(found > 0) & (found < 0.5)])
    return [0.0, *inside.tolist(), 0.5]
