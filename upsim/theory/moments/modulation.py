r"""The mean after an activation, and the part of it that noise of changing power makes.

With the periodic mean ``m[p]`` and variance ``s[p]^2`` before it, a channel's mean becomes
``E f(m[p] + s[p] Z)``.  With the average power :math:`\bar s^2 = \overline{s[p]^2}`::

    E f(m[p] + s[p] Z) = F(m[p]) + modulation[p],       F(m) = E f(m + s_bar Z),
    modulation[p] = E f(m[p] + s[p] Z) - E f(m[p] + s_bar Z).

F is an activation like any other, and is split by Bussgang's rule as in regime 1; the second part
is a source of its own, of cause "modulation".  It vanishes where the variance does not change, and
the shares always add up to the mean.

A gate ``y = f(a) g(b)`` is split in the same way, with the variances of a and b and their
covariance averaged over time in F; the carrier a is what passes.
"""

from __future__ import annotations

from dataclasses import replace
from math import lcm

import numpy as np
from numpy.typing import NDArray

from upsim.gaussian import (
    SIGMOID,
    ActivationMoments,
    Form,
    GatedMoments,
    GatePair,
    ProductMoments,
    gated_moments,
    product_moments,
    products,
)
from upsim.operators.repeating import Repeating
from upsim.theory.moments import gates
from upsim.theory.moments.base import Source
from upsim.theory.moments.bussgang import bussgang_gain
from upsim.theory.moments.deterministic import DeterministicMoments
from upsim.theory.moments.passed_error import largest
from upsim.theory.moments.places import Place
from upsim.theory.moments.pointwise import ACCURACY, ORDER
from upsim.words.arguments import refuse_beyond_memory
from upsim.words.tolerance import rounding

Array = NDArray[np.float64]

#: Roundings that are as large as what the series of a closure may leave out.
_CLOSURE = round(ACCURACY / float(np.finfo(np.float64).eps))

#: Roundings of a moment's closed form: two special functions and a few products.
_FORMULA = 32


def activated(
    mean: DeterministicMoments, place: Place, form: Form, label: str
) -> tuple[DeterministicMoments, ActivationMoments]:
    """Return the mean after an activation and the moments (P, C) there."""
    variance = place.covariance.variance().T
    before, variance = over_one_period(mean, variance, kept=ORDER)
    operations = _operations(place)
    steady, average, equal = _levelled(variance, operations, variance)
    deviation = np.sqrt(steady)
    found = form.moments(before, deviation, order=ORDER)
    total = _significant(found)  # odd functions of symmetric noise have none
    flat = total
    if not np.all(equal):
        made = form.expectation(before, np.broadcast_to(np.sqrt(average), before.shape))
        flat = np.where(equal, total, made)
    # Errors of the mean pass with the mean slope; a deviation's reach the mean at most whole.
    slope = np.maximum(1.0, largest(found.slope))
    error = slope * mean.error + largest(found.mean_error)
    error += rounding(operations, 1.0) * largest(deviation)
    silent = form.expectation(np.zeros_like(average), np.sqrt(average))
    after = split(mean, (before, mean.shares), (total, flat, silent), label, error)
    # Phases first, as covariances have them.
    rows, columns = np.arange(total.shape[1])[:, None], np.arange(mean.channels)
    return after, found[columns[None, :], rows]


def gated(
    mean: DeterministicMoments, place: Place, gate: GatePair, label: str
) -> tuple[DeterministicMoments, GatedMoments | ProductMoments]:
    """Return the mean after a gate and the moments (P, C / 2) there."""
    half = mean.channels // 2
    variance, shared = place.covariance.variance().T, place.between_halves().T
    before, variance = over_one_period(mean, variance, kept=4 * gates.ORDER)
    given = (variance[:half], variance[half:], Repeating(shared).over(variance.shape[1]))
    operations = _operations(place)
    scale = np.maximum(given[0], given[1])
    steady, averages, levels = zip(
        *(_levelled(each, operations, scale) for each in given), strict=True
    )
    found = _pairs(gate, before, steady, order=gates.ORDER + 1)
    total = _significant(found)
    equal = np.all(levels, axis=0)
    flat = total
    if not np.all(equal):
        flat = np.where(equal, total, _pairs(gate, before, averages, order=2).mean)
    silent = np.zeros((half, 1))
    if gate.opening.has_moments:  # else it is not random, and may have no value at 0
        silent = _significant(_pairs(gate, np.zeros((mean.channels, 1)), averages, order=2))
    carried_error, opened_error = mean.error[:half], mean.error[half:]
    slope, opening_slope = (largest(each) for each in found.slopes)
    error = np.maximum(1.0, slope) * carried_error + opening_slope * opened_error
    error += largest(found.mean_error)
    error += rounding(operations, 1.0) * np.sqrt(np.max(scale, axis=1))
    carried = (before[:half], mean.shares[:, :half])
    after = split(mean, carried, (total, flat, silent), label, error)
    return after, found[np.arange(half)[None, :], np.arange(total.shape[1])[:, None]]


def _pairs(
    gate: GatePair, means: Array, powers: tuple[Array, Array, Array], *, order: int
) -> GatedMoments | ProductMoments:
    """Return the moments behind a gate, from the variances of a and b and their covariance."""
    half = len(means) // 2
    carrier, opening = np.sqrt(powers[0]), np.sqrt(powers[1])
    product = carrier * opening
    rho = np.divide(powers[2], product, out=np.zeros_like(product), where=product > 0)
    given = (means[:half], carrier, means[half:], opening)
    rho = np.clip(rho, -1.0, 1.0)
    if gate.is_line and np.all(gate.opening.equals(SIGMOID.derivatives[0])):
        return gated_moments(*given, rho=rho, gate=SIGMOID, order=order)
    return product_moments(gate, *given, rho=rho, order=min(order, products.ORDER))


def _significant(found: ActivationMoments | GatedMoments | ProductMoments) -> Array:
    """Zero the means that do not exceed their error bound."""
    return np.where(np.abs(found.mean) > found.mean_error, found.mean, 0.0)


def split(
    mean: DeterministicMoments,
    carried: tuple[Array, Array],
    made: tuple[Array, Array, Array],
    label: str,
    error: Array,
) -> DeterministicMoments:
    """Return the mean behind a nonlinear layer, its sources split.

    Parameters
    ----------
    mean : DeterministicMoments
        Before the layer.
    carried : (array (C, P), array (sources, C, P'))
        What passes, in whole and by source.
    made : (array (C, P), array (C, P), array (C, 1))
        The mean, what it would be with noise of the average power, and that without a mean before.
    label : str
    error : array (C,)
        What rounding may have done to the mean.
    """
    (before, before_shares), (total, flat, silent) = carried, made
    after = replace(mean, period=total, error=error, second=None)
    if not mean.provenance:
        return after
    gain = bussgang_gain(before, flat, silent)
    passed = gain * Repeating(before_shares).over(total.shape[1])
    if not mean.sources:
        passed = np.zeros((0, *total.shape))
    shares, sources = [passed, (flat - gain * before)[None]], [Source("activation", label)]
    modulation = total - flat
    if np.any(modulation):
        shares.append(modulation[None])
        sources.append(Source("modulation", label))
    return replace(after, shares=np.concatenate(shares), sources=(*mean.sources, *sources))


def over_one_period(
    mean: DeterministicMoments, variance: Array, *, kept: int
) -> tuple[Array, Array]:
    """Return mean and variance over their common period, (C, P); refuse one that does not fit."""
    whole = lcm(mean.period.shape[1], variance.shape[1])
    refuse_beyond_memory(
        (kept + len(mean.sources) + 4) * mean.channels * whole,
        "the moments of one period",
        fix="use a signal or strides with a shorter common period",
    )
    return Repeating(mean.period).over(whole), Repeating(variance).over(whole)


def _operations(place: Place) -> int:
    """Return the roundings of a variance."""
    return 2 * place.terms + _FORMULA + (_CLOSURE if place.activations else 0)


def _levelled(
    values: Array, operations: int, scale: Array
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Return (co)variances, their average over time, and whether they differ by rounding only.

    Those that do are made equal: they must not make a line.
    """
    average = values.mean(axis=1, keepdims=True)
    slack = rounding(operations, 1.0) * scale.max(axis=1, keepdims=True)
    equal = np.abs(values - average).max(axis=1, keepdims=True) <= slack
    return np.where(equal, average, values), average, equal
