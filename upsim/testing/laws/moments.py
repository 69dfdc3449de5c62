"""The law between a pointwise function and the moments that come with it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from upsim.errors import NotPredictableError
from upsim.gaussian import ActivationMoments
from upsim.layers.base import Activation, Layer
from upsim.layers.gated import Gated
from upsim.layers.levels import ChannelNormalisation
from upsim.operators.operator import Real
from upsim.testing.laws.comparison import agree
from upsim.testing.laws.law import law
from upsim.words.tolerance import rounding

#: Means and deviations, in every combination.
_MEANS, _DEVIATIONS = (0.0, 0.5, -1.5, 3.0), (0.25, 1.0, 2.0)

#: phi(9) = 1e-18, in steps of a thousandth.
_WINDOW, _STEPS = 9.0, 2**14

#: Hermite coefficients that are compared: mean, slope, and two of the shape.
_ORDER = 3

#: Jumps of one function that are allowed for.
_JUMPS = 8


def _has_moments(layer: Layer, channels: int) -> bool:
    del channels
    if isinstance(layer, Gated):
        return layer.gate.carrier.has_moments and layer.gate.opening.has_moments
    if not isinstance(layer, Activation) or isinstance(layer, ChannelNormalisation):
        return False
    try:
        return layer.form().has_moments
    except NotPredictableError:  # its channels act on each other: another law says so
        return False


@law(
    of=Activation,
    when=_has_moments,
    formula="alpha_k = E f(m + s Z) he_k(Z), k = 0 .. 3; variance = E f^2 - (E f)^2",
    source="the definition, by the trapezoidal rule on the function itself",
)
def moments_of_the_function(layer: Layer, channels: int) -> None:
    """Check that the moments of an activation, or of both parts of a gate, are its function's."""
    assert isinstance(layer, Activation)
    means, deviations = (each.ravel() for each in np.meshgrid(_MEANS, _DEVIATIONS))
    mean, deviation = (np.tile(each, (channels, 1)) for each in (means, deviations))
    if isinstance(layer, Gated):
        for name, form in (("carrier", layer.gate.carrier), ("opening", layer.gate.opening)):
            told = form.moments(mean, deviation, order=_ORDER)
            _compare(form.function, told, mean, deviation, name)
        return
    told = layer.moments(mean, deviation, order=_ORDER)
    _compare(layer.function, told, mean, deviation, type(layer).__name__)


def _compare(
    function: Callable[[Real], Real],
    told: ActivationMoments,
    mean: Real,
    deviation: Real,
    name: str,
) -> None:
    z = np.linspace(-_WINDOW, _WINDOW, _STEPS + 1)[:, None, None]
    values = function(mean + deviation * z)
    density = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    hermite = (np.ones_like(z), z, (z**2 - 1) / np.sqrt(2), (z**3 - 3 * z) / np.sqrt(6))
    found = [_integral(values * density * row) for row in hermite]
    square, square_error = _integral(values**2 * density)
    centre, centre_error = found[0]
    for k, (value, error) in enumerate(found):
        bound = error + (told.mean_error if k == 0 else told.coefficients_error)
        _within(told.coefficients[k], value, bound, f"Hermite coefficient {k} of {name}")
    _within(told.mean, centre, centre_error + told.mean_error, f"the mean of {name}")
    bound = square_error + 2 * np.abs(centre) * centre_error + told.variance_error
    bound = bound + rounding(8, 1.0) * square
    _within(told.variance, square - centre**2, bound, f"the variance of {name}")
    value, error = found[1]
    bound = told.slope_error + error / deviation
    _within(told.slope, value / deviation, bound, f"the slope of {name}")


def _integral(integrand: Real) -> tuple[Real, Real]:
    """Return the integral along the first axis, and the bound of its error.

    Twice the step makes the error of a smooth or kinked integrand at least three times as large.
    A jump within a step errs by at most the jump times the step, and what lies beyond the edge is
    less than the value there.
    """
    step = 2 * _WINDOW / _STEPS
    fine, coarse = step * integrand.sum(axis=0), 2 * step * integrand[::2].sum(axis=0)
    jumps = np.sort(np.abs(np.diff(integrand, axis=0)), axis=0)[-_JUMPS:].sum(axis=0)
    edges = np.abs(integrand[0]) + np.abs(integrand[-1])
    size = step * np.abs(integrand).sum(axis=0)
    return fine, np.abs(fine - coarse) + step * jumps + edges + rounding(64, 1.0) * size


def _within(told: Real, found: Real, bound: Real, what: str) -> None:
    """Compare in units of the bound of each entry."""
    unit = np.maximum(bound, np.finfo(np.float64).tiny)
    agree((told - found) / unit, np.zeros_like(unit), within=1.0, what=f"{what}, over its bound,")
