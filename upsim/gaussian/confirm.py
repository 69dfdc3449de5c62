"""A closed form is compared with the function that it is said to be the moments of."""

from __future__ import annotations

from dataclasses import fields
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from upsim.errors import ArgumentError, NotPredictableError
from upsim.gaussian.form import Form
from upsim.gaussian.quadrature import Quadrature

Array = NDArray[np.float64]
Kind = TypeVar("Kind", bound=Form)

#: Coefficients that are compared: mean, slope, and two of the shape.
_ORDER = 3

#: A mean and a deviation off every symmetry, in widths of the function.
_MEAN, _DEVIATION = 0.25, 0.75


def confirmed(form: Kind) -> Kind:
    """Return the form; refuse one whose moments are not those of its function.

    Mean, variance, slope and first Hermite coefficients at one Gaussian are compared with a
    quadrature of the function, within the bounds that both sides give.  Each function and each
    set of parameters is looked at once.

    Examples
    --------
    >>> from upsim.gaussian import Rectifier
    >>> confirmed(Rectifier(0.1))
    Rectifier(slope=0.1)
    """
    if form.has_moments and not isinstance(form, Quadrature):
        _confirm(type(form), _parameters(form))
    return form


def _parameters(form: Form) -> tuple[tuple[str, Any], ...]:
    """Return the parameters of the first and the last entry, by name."""
    values = {item.name: getattr(form, item.name) for item in fields(form)}  # type: ignore[arg-type]
    numbers = {name: each for name, each in values.items() if isinstance(each, np.ndarray)}
    shape = np.broadcast_shapes(*(each.shape for each in numbers.values()))
    for name, each in numbers.items():
        entries = np.broadcast_to(each, shape).ravel()
        values[name] = (float(entries[0]), float(entries[-1]))
    return tuple(values.items())


@lru_cache(maxsize=256)
def _confirm(kind: type[Form], parameters: tuple[tuple[str, Any], ...]) -> None:
    form = kind(
        **{
            name: np.array(value) if isinstance(value, tuple) else value
            for name, value in parameters
        }
    )
    size = max([len(value) for _, value in parameters if isinstance(value, tuple)], default=1)
    mean = np.full(size, _MEAN * form.width)
    deviation = np.full(size, _DEVIATION * form.width)
    plain = Quadrature(
        form.function,
        kink_places=form.kinks,
        feature_width=form.width,
        name=kind.__name__,
        same_everywhere=size == 1,
    )
    try:
        told = form.moments(mean, deviation, order=_ORDER)
        found = plain.moments(mean, deviation, order=_ORDER)
    except NotPredictableError:
        return  # nothing finite to compare
    pairs = {
        "mean": (told.mean - found.mean, told.mean_error + found.mean_error),
        "variance": (told.variance - found.variance, told.variance_error + found.variance_error),
        "slope": (told.slope - found.slope, told.slope_error + found.slope_error),
        "Hermite coefficients": (
            told.coefficients - found.coefficients,
            told.coefficients_error + found.coefficients_error,
        ),
        "mean alone": (
            form.expectation(mean, deviation) - found.mean,
            told.mean_error + found.mean_error,
        ),
    }
    for name, (difference, bound) in pairs.items():
        if np.any(np.abs(difference) > bound):
            raise ArgumentError(
                f"the {name} of this form is not that of its function",
                given=f"{form!r}, off by {float(np.max(np.abs(difference))):.3g} at a mean of "
                f"{float(mean[0]):g} and a deviation of {float(deviation[0]):g}",
                expected="moments of form.function, within their own error bounds",
                fix=f"upsim.gaussian.Quadrature({kind.__name__}().function)",
            )
