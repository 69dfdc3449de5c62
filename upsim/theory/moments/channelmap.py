"""What an activation makes of the mean and covariance of Gaussian samples of one channel."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from upsim.errors import NotPredictableError
from upsim.gaussian import ActivationMoments, Form, PairedMoments
from upsim.layers import Gated
from upsim.layers.base import Activation
from upsim.operators.two_time import PointwiseMap
from upsim.theory.moments.trust import moments_note

Array = NDArray[np.float64]
Whole = NDArray[np.intp]


def channel_map(
    activation: Activation, mean: Array, variance: Array, label: str = ""
) -> tuple[Array, PointwiseMap]:
    r"""Return the mean behind an activation, and the map of covariances through it.

    Parameters
    ----------
    activation : Activation
    mean, variance : array (p,)
        Of the Gaussian input, sample by sample of its period.
    label : str
        Of the layer, for refusals.

    Returns
    -------
    mean : array (p,)
    map : callable
        (covariance, sample, partner sample) to the covariance behind the activation.

    Notes
    -----
    A gate ``f(a) g(b)`` of two channels that are independent and alike:
    :math:`E[y y'] = E[f(a) f(a')]\,E[g(b) g(b')]`.
    """
    if activation.channels_in is not None:
        raise NotPredictableError(
            "an activation that treats its channels apart has no expectation over networks",
            given=repr(activation),
            expected="one parameter for all channels",
            fix="stack = stack.draw(seed=0), and predict that one network",
        )
    deviation = np.sqrt(np.maximum(variance, 0.0))
    if isinstance(activation, Gated):
        carried, opened = (
            PairedMoments(_of(form), mean, deviation)
            for form in (activation.gate.carrier, activation.gate.opening)
        )
        moments_note(max(carried.relative_error, opened.relative_error), activation, label)

        def gated(given: Array, sample: Whole, partner: Whole) -> Array:
            carriers = carried.mean[sample] * carried.mean[partner]
            openings = opened.mean[sample] * opened.mean[partner]
            first = carried.covariances(given, sample, partner)
            second = opened.covariances(given, sample, partner)
            return np.asarray((first + carriers) * (second + openings) - carriers * openings)

        return np.asarray(carried.mean * opened.mean), gated
    pairs = PairedMoments(_of(activation.pointwise), mean, deviation)
    moments_note(pairs.relative_error, activation, label)
    return pairs.mean, pairs.covariances


def _of(form: Form) -> Callable[[Array, Array, int], ActivationMoments]:
    return lambda mean, deviation, order: form.moments(mean, deviation, order=order)
