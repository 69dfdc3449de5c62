"""What an activation makes of the mean and covariance of Gaussian samples of one channel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from upsim.errors import NotPredictableError
from upsim.gaussian import SIGMOID, ActivationMoments, covariance
from upsim.layers.activations import GLU
from upsim.layers.base import Activation
from upsim.operators.two_time import PointwiseMap

Array = NDArray[np.float64]


def channel_map(activation: Activation, mean: Array, variance: Array) -> tuple[Array, PointwiseMap]:
    r"""Return the mean behind an activation, and the map of covariances through it.

    Parameters
    ----------
    activation : Activation
    mean, variance : array (p,)
        Of the Gaussian input, sample by sample of its period.

    Returns
    -------
    mean : array (p,)
    map : callable
        (covariance, sample, partner sample) to the covariance behind the activation.

    Notes
    -----
    A gate ``a sigma(b)`` of two channels that are independent and alike:
    :math:`E[y y'] = E[a a']\,E[\sigma(b) \sigma(b')]`.
    """
    if activation.channels_in is not None:
        raise NotPredictableError(
            "an activation that treats its channels apart has no expectation over networks",
            given=repr(activation),
            expected="one parameter for all channels",
            fix="stack = stack.draw(seed=0), and predict that one network",
        )
    deviation = np.sqrt(np.maximum(variance, 0.0))
    if isinstance(activation, GLU):
        gate = SIGMOID.derivatives[0].moments(mean, deviation)
        passed = _covariances(gate, deviation)

        def gated(given: Array, sample: NDArray[np.intp], partner: NDArray[np.intp]) -> Array:
            carriers = mean[sample] * mean[partner]
            gates = gate.mean[sample] * gate.mean[partner]
            opened = passed(given, sample, partner)
            return np.asarray((given + carriers) * (opened + gates) - carriers * gates)

        return np.asarray(mean * gate.mean), gated
    moments = activation.moments(mean, deviation)
    return np.asarray(moments.mean), _covariances(moments, deviation)


def _covariances(moments: ActivationMoments, deviation: Array) -> PointwiseMap:
    def mapped(given: Array, sample: NDArray[np.intp], partner: NDArray[np.intp]) -> Array:
        partners = np.broadcast_to(partner, given.shape)
        rows = np.broadcast_to(sample, given.shape)[:, 0]
        answer = np.zeros(given.shape)
        for row, place in enumerate(rows):
            # Uncorrelated samples stay so; most lags of a long period are.
            lags = np.flatnonzero(given[row])
            if not lags.size:
                continue
            others = partners[row, lags]
            scale = deviation[place] * deviation[others]
            rho = np.divide(given[row, lags], scale, out=np.zeros(lags.size), where=scale > 0)
            found = covariance(moments[place], moments[others], np.clip(rho, -1.0, 1.0))
            answer[row, lags] = found.values
        return answer

    return mapped
