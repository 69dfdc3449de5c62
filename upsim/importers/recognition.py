"""Activations told by what they do: a region is compared with each layer that it may be.

Exporters and traces write one function in many ways.  So no pattern of steps is looked for: the
region is evaluated on a grid, the parameters are read off, and the candidate is evaluated on the
same grid.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from upsim.importers.regions import Region
from upsim.layers import (
    GELU,
    Activation,
    LeakyReLU,
    PReLU,
    ReLU,
    SiLU,
    Snake,
    SnakeBeta,
    Softplus,
)
from upsim.words.tolerance import rounding

Numbers = NDArray[np.float64]

#: Constants of a model file are single precision, and a function may hold several in a row.  An
#: activation that differs by no more is meant.
_SAME = 16 * float(np.finfo(np.float32).eps)

#: A power or a sine of a step counts as so many roundings.
_OPERATIONS = 16

#: An odd number of places, zero among them, dense where activations bend.
_GRID = np.concatenate([np.linspace(-8.0, 8.0, 65), np.linspace(-0.9, 0.9, 20)])


def recognised(region: Region, channels: int) -> Activation | None:
    """Return the activation that an elementwise region is; None if it is none of the catalogue.

    Parameters
    ----------
    region : Region
        Its constants are numbers, or columns (channels, 1).
    channels : int
    """
    grid = np.broadcast_to(_GRID, (channels, _GRID.size))
    made = region.evaluate(grid)
    if made.shape != grid.shape or not np.all(np.isfinite(made)):
        return None
    scale = np.max(np.abs(made), axis=1)
    near: Activation | None = None
    for layer in _candidates(region, grid, made):
        apart = np.max(np.abs(layer.function(grid) - made), axis=1)
        if np.all(apart <= rounding(_OPERATIONS * len(region.steps), 1.0) * scale):
            return layer
        if near is None and np.all(apart <= _SAME * scale):
            near = layer
    return near


def _candidates(region: Region, grid: Numbers, made: Numbers) -> Iterator[Activation]:
    functions = region.functions
    if functions & {"sin", "cos"}:
        yield from _snakes(region, grid, made)
    if "erf" in functions:
        yield GELU()
    if "tanh" in functions:
        yield GELU("tanh")
    if functions & {"sigmoid", "exp", "tanh"}:
        yield SiLU()
    if functions & {"exp", "log", "log1p"}:
        yield Softplus(1.0, _NO_THRESHOLD)
    if functions & {"maximum", "minimum", "abs", "where", "relu", "leaky_relu", "prelu"}:
        slopes = -region.evaluate(-np.ones((len(grid), 1)))[:, 0]
        yield ReLU()
        if np.all(slopes == slopes[0]):
            yield LeakyReLU(float(slopes[0]))
        else:
            yield PReLU(slopes.size, weight=slopes)


#: Softplus turns into the identity there: beyond it, e^-x is less than any rounding.
_NO_THRESHOLD = 700.0


def _snakes(region: Region, grid: Numbers, made: Numbers) -> Iterator[Activation]:
    r"""Yield :math:`x + \sin^2(\alpha x) / \beta` with its numbers read off the region.

    :math:`\alpha` is the slope of what the sine is taken of, or half the slope where it is written
    with a cosine of the double; :math:`1 / \beta` is the least-squares factor of
    :math:`\sin^2(\alpha x)` in what is left of the region without x.
    """
    wave = next(step for step in region.steps if step.fields["function"] in ("sin", "cos"))
    inner = [step for step in region.steps if step.makes[0] in _needed(region, wave)]
    if not inner:
        slope = np.ones(len(grid))
    else:
        ends = Region(region.leaf, tuple(inner)).evaluate(np.tile([0.0, 1.0], (len(grid), 1)))
        slope = np.broadcast_to(ends[:, 1] - ends[:, 0], (len(grid),))
    for alpha in (slope, slope / 2):
        square = np.sin(alpha[:, None] * grid) ** 2
        power = np.sum(square**2, axis=1)
        if np.any(power == 0):
            continue
        share = np.sum(square * (made - grid), axis=1) / power
        if np.any(share == 0):
            continue
        beta = 1 / share
        a, b = _number_or_vector(alpha), _number_or_vector(beta)
        if np.all(np.abs(alpha - beta) <= _SAME * np.abs(alpha)):
            yield Snake(a)
        yield SnakeBeta(a, b)


def _needed(region: Region, wave: object) -> set[str]:
    """Return the values of a region that what a step reads is made of."""
    steps = {step.makes[0]: step for step in region.steps}
    waiting = [each for each in wave.values if each in steps]  # type: ignore[attr-defined]
    found: set[str] = set()
    while waiting:
        value = waiting.pop()
        if value not in found:
            found.add(value)
            waiting += [each for each in steps[value].values if each in steps]
    return found


def _number_or_vector(values: Numbers) -> float | Numbers:
    return float(values[0]) if np.all(values == values[0]) else values
