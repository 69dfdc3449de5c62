r"""Straight lines that meet at corners: a clamp, ReLU6, a shifted ReLU, the absolute value.

With bends ``b_i``, the changes of slope, at corners ``c_i``::

    f(x) = offset + line x + sum_i b_i max(x - c_i, 0).

As in :mod:`~upsim.gaussian.rectifier`, each positive part is folded to the rarer side of its
corner.  Let ``g_i = 1`` where mu <= c_i and -1 elsewhere, ``r_i = max(g_i (x - c_i), 0)``, and
``a`` the slope of the line on which mu lies.  Then ``f(x) = f(mu) + a (x - mu) + sum_i b_i r_i``,
and no large numbers cancel::

    E f = f(mu) + sum_i b_i E r_i
    alpha_k = [k = 1] a s + sum_i b_i g_i^k alpha_k(r_i)

with the moments of a ReLU of mean ``-|mu - c_i|`` for those of ``r_i``.  A covariance is that of
the lines and of the positive parts, pair by pair; at correlation 1 it is the variance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from upsim.gaussian.covariance import Covariance
from upsim.gaussian.form import Form
from upsim.gaussian.inputs import gaussian
from upsim.gaussian.moments import DEFAULT_ORDER, ActivationMoments
from upsim.gaussian.rectifier import Rectifier
from upsim.words.arguments import whole_number
from upsim.words.tolerance import rounding

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BentLine(Form):
    """``offset + line x + sum_i bends_i max(x - corners_i, 0)``, the corners ascending.

    Examples
    --------
    >>> clamp = BentLine(corners=(-1.0, 1.0), bends=(1.0, -1.0), offset=-1.0)
    >>> clamp.function(np.array([-3.0, 0.25, 3.0]))
    array([-1.  ,  0.25,  1.  ])
    """

    corners: tuple[float, ...]
    bends: tuple[float, ...]
    line: float = 0.0
    offset: float = 0.0

    @property
    def kinks(self) -> tuple[float, ...]:
        """The corners."""
        return self.corners

    def function(self, x: Array) -> Array:
        """Return f(x), each piece reckoned from its own corner, or from 0 if that lies on it."""
        corners = np.array(self.corners)
        slopes = self.line + np.cumsum([0.0, *self.bends])
        starts = np.concatenate([corners[:1], corners]) if corners.size else np.zeros(1)
        starts[np.searchsorted(corners, 0.0, side="right")] = 0.0
        piece = np.searchsorted(corners, x, side="right")
        return np.asarray(self._plainly(starts)[piece] + slopes[piece] * (x - starts[piece]))

    def _plainly(self, x: Array) -> Array:
        """Return the definition."""
        total = self.offset + self.line * x
        for corner, bend in zip(self.corners, self.bends, strict=True):
            total = total + bend * np.maximum(x - corner, 0.0)
        return np.asarray(total)

    def _parts(
        self, mean: Array, deviation: Array, order: int
    ) -> tuple[Array, list[tuple[float, Array, ActivationMoments]]]:
        """Return the slope a at the mean, and the bend, fold and moments of each positive part."""
        slope, parts = np.full(np.shape(mean), self.line), []
        for corner, bend in zip(self.corners, self.bends, strict=True):
            below = mean <= corner
            slope = slope + np.where(below, 0.0, bend)
            moments = Rectifier().moments(-np.abs(mean - corner), deviation, order=order)
            parts.append((bend, np.where(below, 1.0, -1.0), moments))
        return slope, parts

    @np.errstate(over="ignore", invalid="ignore")  # refused below, not warned of
    def moments(
        self, mean: ArrayLike, deviation: ArrayLike, *, order: int = DEFAULT_ORDER
    ) -> ActivationMoments:
        """Return the moments in closed form."""
        order = whole_number(order, "order")
        mu, s = gaussian(mean, deviation)
        slope, parts = self._parts(mu, s, order)
        rows = np.zeros((order + 1, *np.shape(mu)))
        rows[0] = self.function(mu)
        rows[1] = slope * s
        gain = slope.copy()
        for bend, fold, part in parts:
            powers = fold ** np.arange(order + 1).reshape(-1, *[1] * np.ndim(mu))
            rows += bend * powers * part.coefficients
            gain += bend * fold * part.slope
        bends = float(np.abs(self.bends).sum())
        steep = abs(self.line) + bends
        scale = abs(self.offset) + steep * (np.abs(mu) + float(np.abs(self.corners).max(initial=0)))
        count = len(parts) + 1
        own = sum((part.coefficients_error for _, _, part in parts), np.zeros(()))
        variance = self._covariance((slope, s, parts), (slope, s, parts), np.ones(()))
        return ActivationMoments(
            form=self,
            input_mean=mu,
            input_deviation=s,
            mean=rows[0],
            variance=np.maximum(variance.values, 0.0),
            slope=gain,
            coefficients=rows,
            mean_error=rounding(16 * count, 1.0) * (scale + steep * s),
            variance_error=variance.error,
            slope_error=rounding(16 * count, 1.0) * steep * np.ones_like(s),
            coefficients_error=rounding(16 * count, 1.0) * (scale + steep * s)
            + float(np.abs(self.bends).max(initial=0)) * own,
            method="closed",
        )

    def expectation(self, mean: Array, deviation: Array) -> Array:
        """Return E f(x) alone."""
        total = self.function(np.asarray(mean))
        for corner, bend in zip(self.corners, self.bends, strict=True):
            total = total + bend * Rectifier().expectation(-np.abs(mean - corner), deviation)
        return np.asarray(total)

    def closed_covariance(
        self, x: ActivationMoments, y: ActivationMoments, rho: Array
    ) -> Covariance | None:
        """Return the covariance with another bent line, from the bivariate normal distribution."""
        if not isinstance(y.form, BentLine):
            return None
        sides = [
            (*each.form._parts(each.input_mean, each.input_deviation, 1), each.input_deviation)
            for each in (x, y)
            if isinstance(each.form, BentLine)
        ]
        one, other = ((slope, s, parts) for slope, parts, s in sides)
        return self._covariance(one, other, rho)

    @staticmethod
    def _covariance(one: _Side, other: _Side, rho: Array) -> Covariance:
        """Return the covariance of two lines with their positive parts."""
        (a, s, parts), (b, r, others) = one, other
        total = a * b * s * r * rho
        size = np.abs(a * b) * s * r
        error: Array = np.zeros(())
        for bend, fold, part in parts:
            total = total + bend * fold * part.coefficients[1] * b * r * rho
            size = size + np.abs(bend * b) * s * r
        for bend, fold, part in others:
            total = total + bend * fold * part.coefficients[1] * a * s * rho
            size = size + np.abs(bend * a) * s * r
        for bend, fold, part in parts:
            for bend_y, fold_y, part_y in others:
                found = part.form.closed_covariance(part, part_y, fold * fold_y * rho)
                assert found is not None
                total = total + bend * bend_y * found.values
                error = error + abs(bend * bend_y) * found.error
        count = (len(parts) + 1) * (len(others) + 1)
        return Covariance(total, error + rounding(16 * count, 1.0) * size, "closed")


#: The slope at the mean, the deviation, and each part's bend, fold and moments.
_Side = tuple[Array, Array, list[tuple[float, Array, ActivationMoments]]]
