r"""LayerNorm on noise: the level of many channels is nearly certain.

At time n, LayerNorm takes away the mean over the channels, which is linear
(``I - 1 1^T / C``, exact), and divides by ``sqrt(S[n] + eps)`` with the level

.. math:: S[n] = \frac1C \sum_c z_c[n]^2, \qquad z = (I - \mathbf 1 \mathbf 1^T / C)\, x .

For Gaussian z of mean m and covariance :math:`\Sigma` over the channels

.. math:: E S = \tfrac1C (\operatorname{tr} \Sigma + |m|^2), \qquad
          \operatorname{Var} S = \tfrac{1}{C^2} (2 \|\Sigma\|_F^2 + 4\, m^T \Sigma\, m),

so S keeps to its mean as C grows, unless few directions hold all the power.  In that limit the
layer is a gain ``w_c / sqrt(E S[p] + eps)`` that repeats with the phase p: linear again.  What is
neglected is of the size of ``sqrt(Var S) / (E S + eps)``; it is worked out and reported.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from upsim.layers import LayerNorm
from upsim.operators import StretchFIR
from upsim.theory.moments.covariance import Covariance
from upsim.theory.moments.deterministic import DeterministicMoments
from upsim.theory.moments.modulation import over_one_period, split, with_bias
from upsim.theory.moments.per_channel import IndependentCovariance
from upsim.theory.moments.places import Place
from upsim.words.tolerance import rounding

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Levelled:
    """The mean behind a LayerNorm, its gains (P, C), and what was neglected, in words."""

    mean: DeterministicMoments
    gains: Array
    note: str


def centring(channels: int) -> StretchFIR:
    """Return ``I - 1 1^T / C``: each channel without the mean over all of them.

    Examples
    --------
    >>> centring(2).taps[:, :, 0]
    array([[ 0.5, -0.5],
           [-0.5,  0.5]])
    """
    return StretchFIR((np.eye(channels) - 1 / channels)[:, :, None])


def levelled(mean: DeterministicMoments, centred: Place, layer: LayerNorm, label: str) -> Levelled:
    """Return what LayerNorm makes of a mean, with the gains for the noise.

    Parameters
    ----------
    mean : DeterministicMoments
        Before the layer.
    centred : Place
        The noise without its mean over the channels.
    layer : LayerNorm
    label : str
    """
    before = mean.through_operator(centring(mean.channels), label)
    own = centred.covariance
    means, variance = over_one_period(before, own.variance().T, kept=4)
    power = variance.mean(axis=0)
    level = power + (means**2).mean(axis=0)
    slack = rounding(2 * centred.terms, 1.0) * float(power.max(initial=0.0))
    # Powers that differ by rounding only are equal: they must not make a line.
    if np.ptp(power) <= slack:
        power = np.full_like(power, power.mean())
        level = power + (means**2).mean(axis=0)
    weight = layer.weight_array()[:, None]
    gains = weight / np.sqrt(level + layer.eps)
    # The same with noise of the average power.
    flat = weight / np.sqrt(power.mean() + (means**2).mean(axis=0) + layer.eps)
    # A mean that is off moves with the gain, and moves the level by at most as much again.
    error = 2 * float(np.abs(gains).max()) * before.error
    error += rounding(4 + 2 * centred.terms, float(np.abs(gains * means).max(initial=0.0)))
    made = (gains * means, flat * means, np.zeros((mean.channels, 1)))
    after = split(before, (means, before.shares), made, label, error)
    spread = float((_fluctuation(own, means) / (level + layer.eps)).max(initial=0.0))
    note = (
        f"layer {label} (LayerNorm): wide limit, the level over {mean.channels} channels is taken "
        f"as certain; its relative standard deviation is {100 * spread:.2g} %"
    )
    return Levelled(with_bias(after, layer.bias_array(), label), gains.T, note)


def _fluctuation(own: Covariance, means: Array) -> Array:
    """Return the standard deviation of the level at each phase, (P,)."""
    channels, phases = means.shape
    now = own.lagged(0)
    chosen = np.arange(phases) % len(now)
    if isinstance(own, IndependentCovariance):
        size = (now[:, 0] ** 2).sum(axis=1)[chosen]
        along = (means.T**2 * now[chosen, 0]).sum(axis=1)
    else:
        size = (now**2).sum(axis=(1, 2))[chosen]
        along = np.array([means[:, p] @ now[chosen[p]] @ means[:, p] for p in range(phases)])
    return np.asarray(np.sqrt(np.maximum(2 * size + 4 * along, 0.0)) / channels)
