r"""A covariance through products of two pointwise functions, pair by pair.

:mod:`upsim.gaussian.products` has the series.  Here it is summed over windows of lags: with
``kappa`` what a has of b and ``e`` the rest of it, the four correlations of (e, b) and (e', b') ::

    rho = Cov(b, b') / (s s'),        u = (Cov(a, b') - kappa Cov(b, b')) / (|e| s'),
    v = (Cov(b, a') - kappa' Cov(b, b')) / (s |e'|),
    w = (Cov(a, a') - kappa Cov(b, a') - kappa' Cov(a, b') + kappa kappa' Cov(b, b')) / (|e| |e'|).

Beyond order K the rest is at most ``r^(K+1) sqrt(tail tail')``, r the root of the sum of their four
squares (Nelson 1973).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from upsim.errors import NotPredictableError
from upsim.gaussian import ActivationMoments, GatedMoments, ProductMoments
from upsim.gaussian.mehler import furthest, tail_shares
from upsim.gaussian.products import ORDER, plane_of, product_covariance
from upsim.theory.moments.pointwise import bands, reciprocal

Array = NDArray[np.float64]
Whole = NDArray[np.intp]
Moments = ActivationMoments | GatedMoments | ProductMoments

_ORDERS = (1, 2, 3, 4, 6, 8, 12, 16, ORDER)

#: What a series may leave out where nothing better is known: -120 dB.
_LEAST = 1e-6


@dataclass(frozen=True, eq=False)
class _Side:
    """One of the two signals at ``places`` of its period, (P, 1) or (P, T).

    ``axis`` is where windows have the other signal's channels.
    """

    places: Whole
    axis: int
    plane: Array
    lean: Array
    carrier: Array
    opening: Array
    tails: tuple[float, ...]

    @classmethod
    def at(cls, moments: Moments, places: Whole, axis: int) -> _Side:
        def spread(values: Array) -> Array:
            return np.expand_dims(values[places], axis)

        plane = plane_of(moments, ORDER)
        if isinstance(moments, ActivationMoments):
            lean = carrier = np.zeros(moments.shape)
            opening = moments.input_deviation
        elif isinstance(moments, GatedMoments):
            lean, carrier = moments.lean, np.sqrt(moments.remainder)
            opening = moments.gate[0].input_deviation
        else:
            lean, carrier = moments.lean, np.sqrt(moments.remainder)
            opening = moments.gate_deviation
        return cls(
            places,
            axis,
            plane,
            spread(lean),
            spread(reciprocal(carrier)),
            spread(reciprocal(opening)),
            tail_shares(_powers(plane), moments.variance, _ORDERS),
        )

    def coefficients(self, lags: Whole) -> Callable[[int, int], Array]:
        """Return c_jk for the windows' places ``lags``."""
        places = self.places if self.places.shape[1] == 1 else self.places[:, lags]
        return lambda j, k: np.expand_dims(self.plane[j, k][places], self.axis)


def products_mapped(
    given: tuple[Array | None, Array | None, Array | None, Array],
    left: Moments,
    right: Moments,
    phases: Whole,
    moments: Whole,
    *,
    per_channel: bool,
    same: bool,
) -> Array:
    """Map windows (P, T, C, C') of (a, a'), (a, b'), (b, a') and (b, b').

    Where both are one signal (``same``), lag 0 comes first, and each channel's own variance there
    is left to the caller, who knows it.  x is at ``phases`` (P,), y at ``moments`` (P, T); what is
    not a gate has b only.
    """
    one = _Side.at(left, phases[:, None], 2 if per_channel else 3)
    two = _Side.at(right, moments, 2)
    bb = given[3]
    aa, ab, ba = (np.zeros_like(bb) if each is None else each for each in given[:3])
    w = aa - one.lean * ba - two.lean * ab + one.lean * two.lean * bb
    between = (
        w * one.carrier * two.carrier,
        (ab - one.lean * bb) * one.carrier * two.opening,
        (ba - two.lean * bb) * one.opening * two.carrier,
        bb * one.opening * two.opening,
    )
    between = tuple(np.clip(each, -1.0, 1.0) for each in between)  # type: ignore[assignment]
    reach: Array = np.minimum(np.sqrt(sum(each**2 for each in between)), 1.0)
    if same:
        channels = np.arange(reach.shape[3])
        reach[:, 0, 0 if per_channel else channels, channels] = 0.0
    largest = reach.max(axis=(0, 2, 3), initial=0.0)
    rests = [float(np.sqrt(x * y)) for x, y in zip(one.tails, two.tails, strict=True)]
    _refuse_slow(float(largest.max(initial=0.0)), rests[-1])
    answer: Array = np.zeros_like(bb)
    for order, chosen in bands(largest, _ORDERS, rests, 5 * bb[:, 0].size):
        answer[:, chosen] = product_covariance(
            one.coefficients(chosen),
            two.coefficients(chosen),
            tuple(each[:, chosen] for each in between),  # type: ignore[arg-type]
            order,
            (len(one.plane), len(two.plane)),
        )
    return answer


def _refuse_slow(reach: float, rest: float) -> None:
    """Refuse a product whose series leaves out too much."""
    if reach > furthest(ORDER, rest, _LEAST):
        raise NotPredictableError(
            "a product of two functions as steep as these has no series that ends",
            given=f"correlations up to {reach:.3g}, {rest:.1e} of the deviations beyond order "
            f"{ORDER}",
            expected=f"at most {_LEAST:g}",
            fix="normalise the input of the gate, or "
            "upsim.predict(stack, upsim.Constant(1.0)) for exact lines",
        )


def _powers(plane: Array) -> Array:
    """Return the power of each order from 1 on, (K, *shape): the sum of c_jk^2 over j + k = n."""
    rows, order = len(plane), plane.shape[1] - 1
    return np.stack(
        [
            np.sum([plane[j, n - j] ** 2 for j in range(min(n, rows - 1) + 1)], axis=0)
            for n in range(1, order + 1)
        ]
    )
