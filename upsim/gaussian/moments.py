r"""The record of a function's moments under a Gaussian, each with the bound of its error.

For ``x ~ N(mu, s^2)``, ``x = mu + s Z``: the orthonormal Hermite coefficients
``alpha_k = E[f(mu + s Z) He_k(Z)] / sqrt(k!)``.  ``alpha_0`` is the mean, ``sum_{k>=1} alpha_k^2``
the variance (Parseval), and ``alpha_1 = s E f'(x)`` (Stein), so that ``alpha_1 / s`` is the gain
that a linear system would need to do as f does on average (Bussgang 1952).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from upsim.errors import NotPredictableError
from upsim.gaussian.form import Form

Array = NDArray[np.float64]

#: Coefficients kept unless more are asked for.
DEFAULT_ORDER = 32


@dataclass(frozen=True, eq=False, repr=False)
class ActivationMoments:
    """Moments of ``f(x)``, ``x ~ N(input_mean, input_deviation^2)``, entry by entry.

    Attributes
    ----------
    form : Form
        The function, and what is known in closed form of it.
    input_mean, input_deviation, mean, variance, slope : array (*shape)
        mu, s, E f(x), Var f(x), E f'(x).
    coefficients : array (order + 1, *shape)
        ``alpha_0 .. alpha_order``.
    mean_error, variance_error, slope_error : array (*shape)
        Bounds of the errors of mean, variance and slope: rounding, and, for quadrature, the sum
        over all panels of what two rules differ by.
    coefficients_error : array (*shape)
        A bound for every one of the coefficients.
    method : str
        "closed" or "quadrature".
    """

    form: Form
    input_mean: Array
    input_deviation: Array
    mean: Array
    variance: Array
    slope: Array
    coefficients: Array
    mean_error: Array
    variance_error: Array
    slope_error: Array
    coefficients_error: Array
    method: str

    def __post_init__(self) -> None:
        shape = np.broadcast_shapes(np.shape(self.mean), np.shape(self.input_mean))
        for item in fields(self):
            if item.name in {"form", "method"}:
                continue
            values = np.asarray(getattr(self, item.name), dtype=np.float64)
            lead = values.shape[:1] if item.name == "coefficients" else ()
            if lead:
                # a new leading axis must stay the leading one when the others are broadcast
                values = values.reshape(
                    *lead, *[1] * (len(shape) + 1 - values.ndim), *values.shape[1:]
                )
            values = np.broadcast_to(values, (*lead, *shape))
            if not np.all(np.isfinite(values)):
                raise NotPredictableError(
                    f"the {item.name.replace('_', ' ')} of this function is not finite",
                    given=f"{self.form!r}, deviations up to "
                    f"{float(np.max(self.input_deviation)):.3g}",
                    expected="a function that grows more slowly than a Gaussian falls",
                    fix="normalise the input (a smaller deviation), or another activation",
                )
            values.setflags(write=False)
            object.__setattr__(self, item.name, values)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the means."""
        return self.mean.shape

    @property
    def order(self) -> int:
        """The highest coefficient that is kept."""
        return len(self.coefficients) - 1

    @property
    def relative_error(self) -> float:
        """The largest bound of a mean or a variance, over the larger of what goes in and out."""
        return relative_error(self, np.abs(self.input_mean) + self.input_deviation)

    @property
    def second(self) -> Array:
        """``E f(x)^2``."""
        return self.variance + self.mean**2

    @property
    def tail(self) -> Array:
        """The energy beyond the series: ``variance - sum_{1..order} alpha_k^2``, at least 0."""
        kept = np.sum(self.coefficients[1:] ** 2, axis=0)
        return np.asarray(np.maximum(self.variance - kept, 0.0))

    @property
    def tail_bound(self) -> Array:
        """An upper bound of the tail, errors of variance and coefficients included.

        Changing K coefficients by at most e each changes the sum of their squares by at most
        ``2 e sqrt(K variance) + K e^2`` (Cauchy and Schwarz).
        """
        shift = np.sqrt(self.order) * self.coefficients_error
        return np.asarray(
            self.tail + self.variance_error + 2 * shift * np.sqrt(self.variance) + shift**2
        )

    def spread(self, shape: tuple[int, ...]) -> Self:
        """Return the same moments broadcast to a shape."""
        return replace(self, input_mean=np.broadcast_to(self.input_mean, shape))

    def __getitem__(self, index: Any) -> Self:
        """Return the moments of some entries: ``moments[:, None]`` pairs channels."""
        changed: dict[str, Any] = {
            item.name: np.asarray(getattr(self, item.name))[index]
            for item in fields(self)
            if item.name not in {"form", "method", "coefficients"}
        }
        changed["coefficients"] = np.stack([row[index] for row in self.coefficients])
        return type(self)(form=self.form.entries(index, self.shape), method=self.method, **changed)

    def __repr__(self) -> str:
        return f"<moments of {self.form!r}, shape {self.shape}, order {self.order}, {self.method}>"


class _Bounded(Protocol):
    """Moments with their bounds."""

    @property
    def mean_error(self) -> Array: ...
    @property
    def variance_error(self) -> Array: ...
    @property
    def second(self) -> Array: ...


def relative_error(moments: _Bounded, given: Array) -> float:
    """Return the largest bound over the larger of ``given``, the size of what goes in, and out."""
    scale = np.maximum(given, np.sqrt(moments.second))
    scale = np.where(scale > 0, scale, 1.0)
    bounds = np.maximum(moments.mean_error / scale, moments.variance_error / scale**2)
    return float(bounds.max())
