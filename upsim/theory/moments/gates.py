r"""A covariance through gates, ``y = a g(b)``, pair by pair.

With :mod:`upsim.gaussian.gated`'s split ``y = h(b) + e g(b)``, e independent of b, and the same of
a second gate (dashed), let ``B`` be the standardised b and ::

    rho = Cov(B, B'),  u = Cov(e, B'),  v = Cov(B, e'),  w = Cov(e, e').

Parts of different orders are uncorrelated, and ``E[e He_k(B) e' He_k(B')] / k! = w rho^k +
k u v rho^(k-1)`` (each factor of one side meets one of the other), so that ::

    Cov(y, y') = sum_{k>=1} eta_k eta'_k rho^k
               + v sum_{k>=0} sqrt(k+1) eta_{k+1} beta'_k rho^k
               + u sum_{k>=0} sqrt(k+1) beta_k eta'_{k+1} rho^k
               + w G(rho) + u v G'(rho),            G(rho) = sum_{k>=0} beta_k beta'_k rho^k.

A pointwise function is the case ``eta_k = alpha_k``, ``beta_k = 0``.  Beyond order K the rest is at
most ``r^(K+1) sqrt(tail tail')``, r the largest correlation between the spaces of (a, b) and
(a', b') (Nelson 1973), which the root of the sum of the four squared correlations bounds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upsim.errors import NotPredictableError
from upsim.gaussian import SIGMOID, ActivationMoments, GatedMoments, ProductMoments
from upsim.gaussian.covariance import ACCURACY as SLOWEST
from upsim.gaussian.gated import close_covariance
from upsim.gaussian.mehler import furthest, summed, tail_shares
from upsim.theory.moments.covariance import Covariance, aligned
from upsim.theory.moments.pointwise import bands, pieces, reciprocal
from upsim.theory.moments.products import products_mapped

Array = NDArray[np.float64]
Whole = NDArray[np.intp]
Gate = GatedMoments | ProductMoments
Moments = ActivationMoments | Gate
Quarters = tuple[Any, Any, Any, Any]

#: Coefficients of a gate that are kept.  It is smooth: for deviations up to 2 they all but end.
ORDER = 80

#: Orders in which lags are summed together; a pointwise function has fewer coefficients.
_ORDERS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 40, 56, ORDER)

#: What a series may leave out where nothing better is known: -120 dB.
_LEAST = 1e-6

#: A carrier that follows from its gate but for this share of its power follows wholly.
_WHOLE = 64 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class _Side:
    """One of the two signals at ``places`` of its period, (P, 1) or (P, T).

    ``axis`` is where windows have the other signal's channels.
    """

    places: Whole
    axis: int
    gate: bool
    eta: Array
    beta: Array
    lean: Array
    remainder: Array
    inverse: Array
    tails: tuple[float, ...]

    @classmethod
    def at(cls, moments: ActivationMoments | GatedMoments, places: Whole, axis: int) -> _Side:
        def spread(values: Array) -> Array:
            return np.expand_dims(values[places], axis)

        if isinstance(moments, ActivationMoments):
            eta, inverse = moments.coefficients, spread(reciprocal(moments.input_deviation))
            tails = tail_shares(eta[1:] ** 2, moments.variance, _ORDERS)
            none = np.zeros_like(inverse)
            return cls(places, axis, False, eta, np.zeros_like(eta), none, none, inverse, tails)
        eta, beta = moments.coefficients
        follows = moments.remainder <= _WHOLE * moments.carrier_deviation**2
        remainder = np.where(follows, 0.0, moments.remainder)
        inverse = spread(reciprocal(moments.gate[0].input_deviation))
        tails = tail_shares(eta[1:] ** 2 + remainder * beta[:-1] ** 2, moments.variance, _ORDERS)
        return cls(
            places, axis, True, eta, beta, spread(moments.lean), spread(remainder), inverse, tails
        )

    def coefficients(self, order: int, lags: Whole) -> tuple[Array, Array]:
        """Return eta and beta up to an order, (K + 1, ...), for the windows' places ``lags``."""
        places = self.places if self.places.shape[1] == 1 else self.places[:, lags]
        eta, beta = (
            np.expand_dims(each[: order + 1, places], self.axis + 1)
            for each in (self.eta, self.beta)
        )
        return eta, beta


def gates_mapped(
    between: Covariance,
    left: Moments,
    right: Moments,
    *,
    same: bool,
    halves: Covariance | None = None,
) -> Covariance:
    """Return the covariance behind two functions of which at least one is a gate.

    Parameters
    ----------
    between : Covariance
        Of what comes in: carriers first, then gates, where a gate follows.
    left, right : ActivationMoments, GatedMoments or ProductMoments
        Shapes (phases, channels).
    same : bool
        Whether both are one signal, so that half of the lags follow from the other half.
    halves : Covariance, optional
        Of carriers and gates, channel by channel, where ``between`` has independent channels.
    """
    record = between.over(left.shape[0], right.shape[0])
    crossed: list[Array] = []
    if halves is not None:
        record, *others = aligned([record, halves, halves.transposed()])
        crossed = [(other.centred() if same else other).values for other in others]
    if same:
        record = record.centred()
    start = record.width // 2 if same else 0
    per_channel = record.per_channel
    phases = np.arange(record.phases) % left.shape[0]
    moments = record.moments()[:, start:] % right.shape[0]
    values = record.values[:, start:]
    if per_channel:
        n = left.shape[1]
        none = np.zeros((*values.shape[:3], n))
        ab, ba = (each[:, start:] for each in crossed) if crossed else (none, none)
        aa, bb = values[..., :n], values[..., n:]
    else:
        aa, ab, ba, bb = _quarters(values, left, right)
    given = (aa, ab, ba, bb)
    if isinstance(left, ProductMoments) or isinstance(right, ProductMoments):
        mapped = products_mapped(
            given, left, right, phases, moments, per_channel=per_channel, same=same
        )
    else:
        mapped = _mapped(given, left, right, phases, moments, per_channel=per_channel)
    if not same:
        return replace(record, values=mapped)
    return record.from_later(mapped, left.variance[phases])


def gate_mapped(between: Covariance, gate: Gate) -> Covariance:
    """Return ``Cov(a g(b), z)``: each half passes with its mean slope (Stein)."""
    carrier, opening = gate.slopes
    record = between.over(len(carrier), 1)
    phases, count = np.arange(record.phases) % len(carrier), carrier.shape[1]
    made = record.values[:, :, :count] * carrier[phases][:, None, :, None]
    made += record.values[:, :, count:] * opening[phases][:, None, :, None]
    return replace(record, values=made)


def _quarters(values: Array, left: Moments, right: Moments) -> Quarters:
    """Return the covariances of (a, a'), (a, b'), (b, a'), (b, b'); what is no gate has b only."""
    n, m = left.shape[1], right.shape[1]
    if isinstance(left, ActivationMoments):
        return None, None, values[..., :m], values[..., m:]
    upper, lower = values[:, :, :n], values[:, :, n:]
    if isinstance(right, ActivationMoments):
        return None, upper, None, lower
    return upper[..., :m], upper[..., m:], lower[..., :m], lower[..., m:]


def _mapped(
    given: Quarters,
    left: ActivationMoments | GatedMoments,
    right: ActivationMoments | GatedMoments,
    phases: Whole,
    moments: Whole,
    *,
    per_channel: bool,
) -> Array:
    """Map windows (P, T, C, C'), x at ``phases`` (P,) and y at ``moments`` (P, T)."""
    aa, ab, ba, bb = given
    # x has an axis for the window and one for the channels of y; per channel, its own place.
    one = _Side.at(left, phases[:, None], 2 if per_channel else 3)
    two = _Side.at(right, moments, 2)
    rho = np.clip(bb * one.inverse * two.inverse, -1.0, 1.0)
    square = rho**2
    u = v = w = None
    if one.gate:
        u = _limited((ab - one.lean * bb) * two.inverse, one.remainder, square)
    if two.gate:
        v = _limited((ba - two.lean * bb) * one.inverse, two.remainder, square)
    if u is not None and v is not None:
        w = aa - one.lean * ba - two.lean * ab + one.lean * two.lean * bb
        w = _limited(w, one.remainder * two.remainder, square)
    reach: Array = np.sqrt(np.minimum(square, 1.0))
    largest = reach.max(axis=(0, 2, 3), initial=0.0)
    orders = _ORDERS[: min(len(one.tails), len(two.tails))]
    rests = [float(np.sqrt(x * y)) for x, y in zip(one.tails, two.tails, strict=False)]
    answer: Array = np.zeros_like(rho)
    each = 5 * rho[:, 0].size + 4 * (orders[-1] + 1) * moments.shape[0] * right.shape[1]
    for order, chosen in bands(largest, orders, rests, each):
        answer[:, chosen] = _summed(
            order,
            (*one.coefficients(order, chosen), *two.coefficients(order, chosen)),
            rho[:, chosen],
            *(None if each is None else each[:, chosen] for each in (u, v, w)),
        )
    for close in pieces(np.nonzero(reach > furthest(orders[-1], rests[-1], SLOWEST))):
        _refuse_slow(left, right, float(reach[close].max()) ** orders[-1] * rests[-1])
        if isinstance(left, GatedMoments) and isinstance(right, GatedMoments):
            p, t, c, d = close
            x, y = left[phases[p], d if per_channel else c], right[moments[p, t], d]
            answer[close] = _combined(x, y, *(quarter[close] for quarter in given))
    return answer


def _limited(found: Array, power: Array, square: Array) -> Array:
    """Cut a covariance with a remainder at what its power allows; add its squared correlation."""
    limit = np.sqrt(power)
    found = np.clip(found, -limit, limit, out=found)
    square += np.divide(found, limit, out=np.zeros_like(found), where=limit > 0) ** 2
    return found


def _summed(
    order: int,
    coefficients: tuple[Array, Array, Array, Array],
    rho: Array,
    u: Array | None,
    v: Array | None,
    w: Array | None,
) -> Array:
    """Return the series up to an order, each sum by Horner's rule."""
    rises = np.sqrt(np.arange(order + 1))
    eta, beta, eta_y, beta_y = coefficients
    total = summed(lambda k: eta[k] * eta_y[k], rho, order)
    if u is not None:
        part = np.zeros_like(rho)
        for k in range(order - 1, -1, -1):
            part *= rho
            part += rises[k + 1] * beta[k] * eta_y[k + 1]
        total += u * part
    if v is not None:
        part = np.zeros_like(rho)
        for k in range(order - 1, -1, -1):
            part *= rho
            part += rises[k + 1] * eta[k + 1] * beta_y[k]
        total += v * part
    if u is not None and v is not None and w is not None:
        part, slope = np.zeros_like(rho), np.zeros_like(rho)
        for k in range(order - 1, -1, -1):
            slope *= rho
            slope += part
            part *= rho
            part += beta[k] * beta_y[k]
        total += w * part + u * v * slope
    return total


def _combined(
    x: GatedMoments, y: GatedMoments, aa: Array, ab: Array, ba: Array, bb: Array
) -> Array:
    """Return the covariance of pairs entry by entry, by sums over what is common."""
    carriers = reciprocal(x.carrier_deviation), reciprocal(y.carrier_deviation)
    gates = reciprocal(x.gate[0].input_deviation), reciprocal(y.gate[0].input_deviation)
    parts = [
        np.clip(values * first * second, -1.0, 1.0)
        for values, first, second in (
            (aa, carriers[0], carriers[1]),
            (bb, gates[0], gates[1]),
            (ab, carriers[0], gates[1]),
            (ba, gates[0], carriers[1]),
        )
    ]
    return close_covariance(x, y, SIGMOID, *parts)


def _refuse_slow(
    left: ActivationMoments | GatedMoments, right: ActivationMoments | GatedMoments, rest: float
) -> None:
    """Refuse a gate beside a pointwise function where their series leaves out too much."""
    if isinstance(left, GatedMoments) and isinstance(right, GatedMoments):
        return
    if rest > _LEAST:
        widest = max(
            float(each.gate[0].input_deviation.max())
            for each in (left, right)
            if isinstance(each, GatedMoments)
        )
        raise NotPredictableError(
            "a gate this wide and an activation of another branch have no series that ends",
            given=f"a gate whose input has a deviation of {widest:.3g}, {rest:.1e} left out",
            expected=f"at most {_LEAST:g} of the deviations",
            fix="normalise what opens the gate, or upsim.predict(stack, upsim.Constant(1.0))",
        )
