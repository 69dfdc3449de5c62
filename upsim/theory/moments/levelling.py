r"""A normalisation over channels on noise: the level of many channels is nearly certain.

At time n, LayerNorm takes away the mean over the channels, which is linear
(``I - 1 1^T / C``, exact), and divides by the root of a level of the mean square,
``S[n] + eps``, with

.. math:: S[n] = \frac1C \sum_c z_c[n]^2, \qquad z = (I - \mathbf 1 \mathbf 1^T / C)\, x ,

or z = x where a layer takes no mean away.  For Gaussian z of mean m and covariance
:math:`\Sigma` over the channels

.. math:: E S = \tfrac1C (\operatorname{tr} \Sigma + |m|^2), \qquad
          \operatorname{Var} S = \tfrac{1}{C^2} (2 \|\Sigma\|_F^2 + 4\, m^T \Sigma\, m),

so S keeps to its mean as C grows, unless few directions hold all the power.  In that limit the
layer is a gain ``w_c / sqrt(l(E S[p]))`` that repeats with the phase p, l the level: linear again.
What is neglected is of the size of ``sqrt(Var S) / l(E S)``; it is worked out and reported.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from upsim.layers import ChannelNormalisation
from upsim.network.node import spoken
from upsim.operators import StretchFIR
from upsim.theory.moments.covariance import Covariance
from upsim.theory.moments.deterministic import DeterministicMoments
from upsim.theory.moments.modulation import over_one_period, split
from upsim.theory.moments.passed_error import largest
from upsim.theory.moments.per_channel import IndependentCovariance
from upsim.theory.moments.places import Place
from upsim.words.tolerance import rounding

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Levelled:
    """The mean behind the layer, its gains (P, C), and what was neglected, in words."""

    mean: DeterministicMoments
    gains: Array
    note: str


def centring(layer: ChannelNormalisation, channels: int) -> StretchFIR:
    """Return ``I - 1 1^T / C``, each channel without the mean over all of them, or a wire.

    Examples
    --------
    >>> from upsim.layers import LayerNorm
    >>> centring(LayerNorm(2), 2).taps[:, :, 0]
    array([[ 0.5, -0.5],
           [-0.5,  0.5]])
    """
    if not layer.is_centred:
        return StretchFIR(np.ones((channels, 1, 1)), groups=channels)
    return StretchFIR((np.eye(channels) - 1 / channels)[:, :, None])


def levelled(
    mean: DeterministicMoments, centred: Place, layer: ChannelNormalisation, label: str
) -> Levelled:
    """Return what the layer makes of a mean, with the gains for the noise.

    Parameters
    ----------
    mean : DeterministicMoments
        Before the layer.
    centred : Place
        The noise without its mean over the channels, if the layer takes that away.
    layer : ChannelNormalisation
    label : str
    """
    before = mean.through_operator(centring(layer, mean.channels), label)
    own = centred.covariance
    means, variance = over_one_period(before, own.variance().T, kept=4)
    power = variance.mean(axis=0)
    square = power + (means**2).mean(axis=0)
    slack = rounding(2 * centred.terms, 1.0) * float(power.max(initial=0.0))
    # Powers that differ by rounding only are equal: they must not make a line.
    if np.ptp(power) <= slack:
        power = np.full_like(power, power.mean())
        square = power + (means**2).mean(axis=0)
    level, given = layer.level(square), layer.weight_array()
    weight = np.ones((mean.channels, 1)) if given is None else given[:, None]
    gains = weight / np.sqrt(level)
    # The same with noise of the average power.
    flat = weight / np.sqrt(layer.level(power.mean() + (means**2).mean(axis=0)))
    # A mean that is off moves with the gain, and moves the level by at most as much again.
    error = largest(gains) * (before.error + before.error.max())
    error += rounding(4 + 2 * centred.terms, 1.0) * largest(gains * means)
    made = (gains * means, flat * means, np.zeros((mean.channels, 1)))
    after = split(before, (means, before.shares), made, label, error)
    spread = float((_fluctuation(own, means) / level).max(initial=0.0))
    note = (
        f"{spoken(label)} ({type(layer).__name__}): wide limit, the level over {mean.channels} "
        f"channels is taken as certain; its relative standard deviation is {100 * spread:.2g} %"
    )
    bias = layer.bias_array()
    if bias is not None:
        after = after.with_offset(bias[:, None], label)
        after = replace(after, error=after.error + rounding(1, 1.0) * after.size)
    return Levelled(after, gains.T, note)


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
