r"""The mean after an activation, and the part of it that noise of changing power makes.

With the periodic mean ``m[p]`` and variance ``s[p]^2`` before it, a channel's mean becomes
``E f(m[p] + s[p] Z)``.  With the average power :math:`\bar s^2 = \overline{s[p]^2}`::

    E f(m[p] + s[p] Z) = F(m[p]) + modulation[p],       F(m) = E f(m + s_bar Z),
    modulation[p] = E f(m[p] + s[p] Z) - E f(m[p] + s_bar Z).

F is an activation like any other, and is split by Bussgang's rule as in regime 1; the second part
is a source of its own, of cause "modulation".  It vanishes where the variance does not change, and
the shares always add up to the mean.
"""

from __future__ import annotations

from dataclasses import replace
from math import lcm

import numpy as np
from numpy.typing import NDArray

from upsim.arguments import refuse_beyond_memory
from upsim.gaussian import ActivationMoments, Form
from upsim.theory.moments.base import Source
from upsim.theory.moments.deterministic import DeterministicMoments
from upsim.theory.moments.places import Place
from upsim.theory.moments.pointwise import ACCURACY, ORDER
from upsim.tolerance import rounding

Array = NDArray[np.float64]

#: Roundings that are as large as what the series of a closure may leave out.
_CLOSURE = round(ACCURACY / float(np.finfo(np.float64).eps))

#: Roundings of a moment's closed form: two special functions and a few products.
_FORMULA = 32


def activated(
    mean: DeterministicMoments, place: Place, form: Form, label: str
) -> tuple[DeterministicMoments, ActivationMoments]:
    """Return the mean after an activation and the moments (P, C) there."""
    before = mean.period
    variance = place.covariance.variance().T
    whole = lcm(before.shape[1], variance.shape[1])
    refuse_beyond_memory(
        (ORDER + len(mean.sources) + 4) * mean.channels * whole,
        "the moments of one period",
        fix="use a signal or strides with a shorter common period",
    )
    before, variance = _tiled(before, whole), _tiled(variance, whole)
    operations = 2 * place.terms + _FORMULA + (_CLOSURE if place.activations else 0)
    average = variance.mean(axis=1, keepdims=True)
    # Variances that differ by rounding only are equal: they must not make a line.
    slack = rounding(operations, 1.0) * variance.max(axis=1, keepdims=True)
    equal = np.abs(variance - average).max(axis=1, keepdims=True) <= slack
    deviation = np.sqrt(np.where(equal, average, variance))
    found = form.moments(before, deviation, order=ORDER)
    # Phases first, as covariances have them.
    moments = found[np.arange(mean.channels)[None, :], np.arange(whole)[:, None]]
    # A mean that is not told from rounding is none (odd functions of symmetric noise).
    total = np.where(np.abs(found.mean) > found.mean_error, found.mean, 0.0)
    modulation = np.zeros_like(total)
    if not np.all(equal):
        flat = form.expectation(before, np.broadcast_to(np.sqrt(average), before.shape))
        modulation = np.where(equal, 0.0, total - flat)
    # Errors of the mean pass with the mean slope; a deviation's reach the mean at most whole.
    slope = max(1.0, float(np.abs(found.slope).max()))
    error = slope * mean.error + float(found.mean_error.max())
    error += rounding(operations, float(deviation.max()))
    made = replace(mean, period=total, error=error)
    if not mean.provenance:
        return made, moments
    silent = form.expectation(np.zeros_like(average), np.sqrt(average))
    flat = total - modulation
    energy = (before**2).sum(axis=1, keepdims=True)
    agreement = (before * (flat - silent)).sum(axis=1, keepdims=True)
    gain = np.divide(agreement, energy, out=np.zeros_like(energy), where=energy > 0)
    passed = gain * _tiled(mean.shares, whole)
    if not mean.sources:
        passed = np.zeros((0, *total.shape))
    shares, sources = [passed, (flat - gain * before)[None]], [Source("activation", label)]
    if np.any(modulation):
        shares.append(modulation[None])
        sources.append(Source("modulation", label))
    return replace(made, shares=np.concatenate(shares), sources=(*mean.sources, *sources)), moments


def _tiled(samples: Array, whole: int) -> Array:
    times = whole // samples.shape[-1]
    return samples if times == 1 else np.tile(samples, (1,) * (samples.ndim - 1) + (times,))
