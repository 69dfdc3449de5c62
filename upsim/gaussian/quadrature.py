r"""The moments of any pointwise function, by quadrature with a reported bound.

``E f(mu + s Z) he_k(Z)`` over ``|Z| <= 14`` (the weight left out is below 1e-21 of its peak for
every k, by Cramer's inequality, and what f holds there is added to the bound).  Panels are two
deviations long, and cut where f changes its character: at its kinks, and at ``+-2^i`` widths from
0, which for large s is where the features of tanh or SiLU lie, although they are then as narrow as
1/s.  :mod:`~upsim.gaussian.panels` halves what does not yet agree.

To keep the digits where s is small against mu, ``f(x) - f(mu)`` is integrated, not f.  Gauss-
Hermite rules, the usual choice, need ever more nodes as s grows and know of no kink.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from upsim.errors import NotPredictableError
from upsim.gaussian.form import Form
from upsim.gaussian.hermite import ROOT_TWO_PI, density, weighted_hermite
from upsim.gaussian.inputs import gaussian
from upsim.gaussian.moments import DEFAULT_ORDER, ActivationMoments
from upsim.gaussian.panels import integrate
from upsim.words.arguments import whole_number
from upsim.words.tolerance import rounding

Array = NDArray[np.float64]

#: e^{-14^2/4} = 5e-22.
WINDOW = 14.0
#: Entries that are integrated at once, so that the nodes fit into a cache.
_CHUNK = 2048


def breakpoints(form: Form, mean: Array, deviation: Array, window: float = WINDOW) -> Array:
    """Return where to cut the standardised axis, shape (count, *shape), ascending."""
    places = np.array(
        [*form.kinks, *(sign * form.width * 2.0**i for sign in (-1, 1) for i in range(7)), 0.0]
    )
    shape = (-1, *([1] * mean.ndim))
    positive = np.where(deviation > 0, deviation, 1.0)
    with np.errstate(over="ignore"):
        moving = np.clip((places.reshape(shape) - mean) / positive, -window, window)
    fixed = np.linspace(-window, window, round(window) + 1).reshape(shape)
    return np.sort(
        np.concatenate([moving, np.broadcast_to(fixed, (fixed.size, *mean.shape))]), axis=0
    )


@dataclass(frozen=True, eq=False)
class Quadrature(Form):
    """A function of which nothing is known but its values.

    Parameters
    ----------
    pointwise : callable
        f, from an array to an array of the same shape.
    kink_places : tuple of float, optional
        Where f or a derivative jumps.  A kink at 0 is always provided for; others are found by
        halving, at a cost, and in large arrays not to the last digit: the bound then says so.
    feature_width : float, optional
        The distance over which f changes its character (1 for tanh).
    name : str, optional
        For messages.
    same_everywhere : bool, optional
        False if f depends on the place in the array (a parameter for each channel).
    constants : tuple of array, optional
        Parameters of f, which is then called ``f(x, *constants)``; they broadcast against x.

    Examples
    --------
    >>> tanh = Quadrature(np.tanh, name="tanh").moments(0.0, 1.0)
    >>> round(float(tanh.variance), 6), bool(tanh.variance_error < 1e-13)
    (0.394294, True)
    """

    pointwise: Callable[..., Array]
    kink_places: tuple[float, ...] = ()
    feature_width: float = 1.0
    name: str = "a function"
    same_everywhere: bool = True
    constants: tuple[Array, ...] = ()

    @property
    def kinks(self) -> tuple[float, ...]:
        """The places that were given."""
        return self.kink_places

    @property
    def width(self) -> float:
        """The width that was given."""
        return self.feature_width

    def __repr__(self) -> str:
        return f"Quadrature of {self.name}"

    def function(self, x: Array) -> Array:
        """Return f(x)."""
        values = np.asarray(self.pointwise(x, *self.constants), dtype=np.float64)
        if values.shape != x.shape:
            raise NotPredictableError(
                f"{self.name} has no moments: it is not a function of one sample",
                given=f"shape {x.shape} in, shape {values.shape} out",
                expected="an array of the shape that came in",
                fix="upsim.gaussian.gated_moments(0.0, 1.0, 0.0, 1.0, rho=0.5) for a gate",
            )
        return values

    def entries(self, index: Any, shape: tuple[int, ...]) -> Self:
        """Return the form with its constants reduced to some entries of ``shape``."""
        if not self.constants:
            return self
        kept = tuple(np.broadcast_to(each, shape)[index] for each in self.constants)
        return replace(self, constants=kept)

    def equals(self, other: Form) -> NDArray[np.bool_]:
        """Return whether the other is the same function, entry by entry."""
        if not isinstance(other, Quadrature) or self.pointwise != other.pointwise:
            return np.asarray(False)
        pairs = zip(self.constants, other.constants, strict=True)
        return reduce(np.logical_and, (one == two for one, two in pairs), np.asarray(True))

    def moments(
        self, mean: ArrayLike, deviation: ArrayLike, *, order: int = DEFAULT_ORDER
    ) -> ActivationMoments:
        """Return the moments, with the bounds of what quadrature and rounding may have missed."""
        order = whole_number(order, "order")
        mu, s = gaussian(mean, deviation)
        if not self.same_everywhere:
            rows, error, slope, slope_error = self._entries(mu, s, order)
        else:
            # Equal entries (the channels of white noise, a stationary period) are done once.
            pairs, place = np.unique(
                np.stack([mu.ravel(), s.ravel()], axis=1), axis=0, return_inverse=True
            )
            parts = [
                # one channel, the entries as its samples: what a layer's function expects
                self._entries(chunk[None, :, 0], chunk[None, :, 1], order)
                for chunk in np.array_split(pairs, max(1, -(-len(pairs) // _CHUNK)))
            ]
            place = place.reshape(mu.shape)
            rows, error, slope, slope_error = (
                np.concatenate(part, axis=-1)[..., 0, :][..., place]
                for part in zip(*parts, strict=True)
            )
        return ActivationMoments(
            form=self,
            input_mean=mu,
            input_deviation=s,
            mean=rows[0],
            variance=rows[-1],
            slope=slope,
            coefficients=rows[:-1],
            mean_error=error[0],
            variance_error=error[-1],
            slope_error=slope_error,
            coefficients_error=np.max(error[:-1], axis=0),
            method="quadrature",
        )

    def expectation_with_error(self, mean: Array, deviation: Array) -> tuple[Array, Array]:
        """Return E f(x) alone, from two fixed rules: the inner integral of a double one."""
        mu, s = np.broadcast_arrays(mean, deviation)
        centre = self.function(mu)

        def sums(z: Array, weights: Array) -> Array:
            value = self.function(mu + s * z) - centre
            return np.asarray(np.sum(weights * density(z) * value, axis=0)[None])

        # phi(9) = 1e-18
        cuts = breakpoints(self, mu, s, 9.0)
        values, error = integrate(sums, cuts, np.abs, depth=0)
        return np.asarray(centre + values[0]), np.asarray(error[0])

    def _entries(self, mu: Array, s: Array, order: int) -> tuple[Array, Array, Array, Array]:
        """Return alpha_0..alpha_K and the variance, their errors, the slope and its error."""
        centre = self.function(mu)

        def sums(z: Array, weights: Array) -> Array:
            value = self.function(mu + s * z) - centre
            # phi(z) he_k(z) = e^{-z^2/4} / sqrt(2 pi) times the weighted polynomial
            base = weights * np.exp(-0.25 * z * z) / ROOT_TWO_PI
            lifted = base * value
            rows = [np.sum(lifted * row, axis=0) for row in weighted_hermite(z, order)]
            square = np.sum(base * np.exp(-0.25 * z * z) * value**2, axis=0)
            return np.stack([*rows, square])

        positive = np.where(s > 0, s, 1.0)

        def noise(root: Array) -> Array:
            # f is known at a rounded x, |mu| u times its mean slope, and to its own rounding.
            # That may be absolute: x (1/2 + tanh(x/2)/2) keeps no digit of its small values.
            steep = np.where(s > 0, root / positive, 0.0)
            return np.asarray(np.abs(centre) + np.abs(mu) * (1 + steep) + s)

        def scale(total: Array) -> Array:
            # |E f he_k| <= sqrt(E f^2), since he_k is orthonormal
            # and halving cannot help where f itself is known no better
            root = np.sqrt(np.abs(total[-1]))
            level = root + noise(root)
            return np.stack([*[level] * (order + 1), level**2])

        with np.errstate(over="ignore", invalid="ignore"):
            rows, error = integrate(sums, breakpoints(self, mu, s), scale)
            edges = sums(
                np.stack([np.full_like(mu, -WINDOW), np.full_like(mu, WINDOW)]), np.ones(())
            )
            # A function at the edge that does not outgrow the weight holds less beyond it than its
            # value there times one deviation.
            error = error + np.abs(edges)
            shift = rows[0].copy()
            square = rows[-1].copy()
            rows[-1] = np.maximum(square - shift**2, 0.0)
            root = np.sqrt(np.maximum(square, 0.0))
            known = rounding(4, 1.0) * noise(root)
            floor = rounding(64, 1.0) * root + known
            error[-1] += 2 * np.abs(shift) * error[0] + floor * 2 * root + known**2
            error[:-1] += floor
        rows[0] = centre + shift
        slope, slope_error = rows[1] / positive, error[1] / positive
        still = s == 0
        if np.any(still):
            slope_here, slope_error_here = self._derivative(mu)
            slope = np.where(still, slope_here, slope)
            slope_error = np.where(still, slope_error_here, slope_error)
            error = np.where(still, rounding(4, 1.0) * np.abs(centre), error)
            error[1:] = np.where(still, 0.0, error[1:])
        return rows, error, slope, slope_error

    def _derivative(self, x: Array) -> tuple[Array, Array]:
        """Return f'(x) by central differences of two steps, and what they differ by.

        At a kink this is the mean of the two slopes, the limit of E f' as s goes to 0.
        """
        step = float(np.cbrt(np.finfo(np.float64).eps)) * np.maximum(1.0, np.abs(x))
        wide, narrow = (
            (self.function(x + h) - self.function(x - h)) / (2 * h) for h in (2 * step, step)
        )
        lost = rounding(4, 1.0) * (np.abs(self.function(x)) + np.abs(x)) / step
        return narrow, np.abs(wide - narrow) + lost
