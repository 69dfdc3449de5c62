r"""Normalisations of channels that are known by their statistics over networks.

A mean over n independent channels and all time is known itself: with :math:`r_c[n]` what channel
c's sample has in common with its own average over time, and :math:`\bar r_c` the variance of that
average, the group's centre has the variance :math:`v = \sum_c \bar r_c / n^2`, and a channel
without the centre has

.. math:: C_c[n, n'] - \frac{r_c[n] + r_c[n']}{n} + v.

For one channel a group (InstanceNorm) this takes its offset away, on both sides; for many it
changes nothing.  The gain is that of the EXPECTED variance: how the variance differs from one
network to the next is left out, which is the limit of many channels a group, or of noise that is
much stronger than the lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from upsim.layers import ChannelNormalisation, TimeNormalisation
from upsim.operators.repeating import Repeating
from upsim.operators.two_time import TwoTime
from upsim.theory.moments.channels import (
    Channels,
    average,
    average_mean,
    moving,
    shares_of,
)
from upsim.words.tolerance import rounding

Array = NDArray[np.float64]


def over_time(
    members: Sequence[Channels], layer: TimeNormalisation, gain: float | None = None
) -> tuple[tuple[Channels, ...], float]:
    """Return one group of channels normalised by its centre and level over time, and the gain.

    Parameters
    ----------
    members : sequence of Channels
        All channels of the group.
    layer : TimeNormalisation
    gain : float, optional
        Used instead of the one that these channels decide.
    """
    count = sum(member.count for member in members)
    shares = shares_of(members, 0, count)
    centre, spread = 0.0, 0.0
    if layer.is_centred:
        centre = float(average_mean(members, shares).samples.mean())
        spread = sum(m.count * float(m.covariance.fixed.mean()) for m in members) / count**2
    if gain is None:
        power = float(average(members, shares, averaged=True).variance[0])
        square = np.array(max(power - centre**2 - spread, 0.0))
        gain = 1 / float(np.sqrt(layer.level(square)))
    if not layer.is_centred:
        return tuple(member.scaled(gain) for member in members), gain
    made = tuple(
        replace(
            member,
            mean=moving(member.mean, Repeating.constant(centre)),
            covariance=_without_centre(member.covariance, 1 / count, spread),
        ).scaled(gain)
        for member in members
    )
    return made, gain


def level_deviation(made: Sequence[Channels]) -> float:
    r"""Return the relative standard deviation, over networks, of a normalised group's level.

    A channel's level holds its lines, :math:`\sum_k |a_k|^2`, whose coefficients are Gaussian over
    networks: complex and equal in pairs, of variance :math:`E|a_k|^2` squared, or real.  Either way
    line k adds :math:`2 (E|a_k|^2)^2`, and n independent channels average n of them:

    .. math:: \frac1{n^2} \sum_c \sum_k 2 (E|a_{ck}|^2)^2

    for a level of 1.  What is random in the signal averages out over time.
    """
    count = sum(each.count for each in made)
    lines = sum(each.count * float((each.covariance.line_powers() ** 2).sum()) for each in made)
    return float(np.sqrt(2 * lines)) / count


def over_channels(
    groups: Sequence[Channels], layer: ChannelNormalisation, gain: Array | None = None
) -> tuple[tuple[Channels, ...], Array]:
    r"""Return all channels normalised by their centre and level at each sample, and the gains.

    The mean over n channels is taken out of each at its sample:
    :math:`C_c (1 - 2 / n) + \bar C / n`, with the average :math:`\bar C` over channels.
    """
    count = sum(group.count for group in groups)
    shares = shares_of(groups, 0, count)
    centre = average_mean(groups, shares)
    common = average([replace(group, mean=Repeating.constant(0.0)) for group in groups], shares)
    if gain is None:
        square = Repeating(average(groups, shares).variance)
        if layer.is_centred:
            square += (centre * centre).scaled(-1.0)
            square += Repeating(-common.variance / count)
        gain = 1 / np.sqrt(layer.level(np.maximum(square.samples, 0.0)))
    made, weights = [], Repeating(gain)
    for group in groups:
        covariance, mean = group.covariance, group.mean
        if layer.is_centred:
            covariance = covariance.scaled(1 - 2 / count) + common.scaled(1 / count)
            mean = moving(mean, centre)
        covariance = _weighted(covariance, weights.shortest())
        made.append(replace(group, mean=(mean * weights).shortest(), covariance=covariance))
    return tuple(made), gain


def _without_centre(covariance: TwoTime, share: float, spread: float) -> TwoTime:
    whole = covariance.over(covariance.period)
    period, turns = whole.period, whole.turns
    own = whole.fixed.mean(axis=1)
    partner = (np.arange(period)[:, None] + np.arange(turns)) % period
    made = whole.fixed - share * (own[:, None] + own[partner]) + spread
    # Do not let the gain amplify rounding residue.
    floor = rounding(turns + 4, float(np.abs(whole.fixed).max()))
    return replace(whole, fixed=np.where(np.abs(made) > floor, made, 0.0)).reduced()


def _weighted(covariance: TwoTime, weights: Repeating) -> TwoTime:
    """Return the covariance of a signal times a periodic weight."""
    whole = covariance.over(weights.period)
    sample = np.arange(whole.period)[:, None]
    lags = np.arange(-whole.reach, whole.reach + 1)
    left = weights.at(sample)
    fixed = whole.fixed * left * weights.at(sample + np.arange(whole.turns))
    excess = whole.excess * left * weights.at(sample + lags)
    # Lags that are known as averages meet the average product of the two weights.
    far = np.arange(whole.reach + 1, whole.reach + 1 + whole.far.size)[:, None]
    common = (weights.samples * weights.at(np.arange(weights.period) + far)).mean(axis=1)
    return replace(whole, fixed=fixed, excess=excess, far=whole.far * common).reduced()
