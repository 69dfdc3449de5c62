"""How channels enter an expectation over networks: from a signal, or from given weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from upsim.errors import NotPredictableError
from upsim.network.signals import Signal
from upsim.operators.repeating import Repeating
from upsim.operators.two_time import TwoTime
from upsim.theory.moments.autocovariance import SEEN, cut_note, left_beyond
from upsim.theory.moments.base import Moments
from upsim.theory.moments.channels import Channels, runs
from upsim.theory.moments.deterministic import DeterministicMoments
from upsim.theory.moments.per_channel import IndependentCovariance
from upsim.theory.moments.stationary import StationaryMoments

Array = NDArray[np.float64]

#: Lags of an input's autocovariance that are kept at most.
_LONGEST = 2047

#: Bytes of the budget for each number that one covariance may hold: a thirty-second of them.
_SHARE = 256


def of_signal(signal: Signal, channels: int, rate: Fraction, budget: float) -> tuple[Channels, ...]:
    """Return the channels of a signal, those that are alike as one group."""
    if signal.recording(channels, rate) is not None:
        raise _recording(repr(signal))
    lines = DeterministicMoments.from_signal(signal, channels, rate, provenance=False)
    sided = _sided(signal, channels, rate)

    def noise(channel: int) -> TwoTime:
        row = sided[channel if len(sided) > 1 else 0]
        return replace(_stationary(row), most=int(budget) // _SHARE)

    return _alike(lines.period, sided, noise)


def noise_note(signal: Signal, channels: int, rate: Fraction) -> tuple[str, ...]:
    """Return how much of the noise's autocovariance is cut, where that is seen."""
    sided = signal.autocovariance(np.arange(_LONGEST + 1), channels, rate)
    left = float(left_beyond(sided, signal, channels, rate)[-1])
    return (cut_note(_LONGEST, left),) if left > SEEN else ()


def left_of_signal(
    groups: Sequence[Channels],
    signal: Signal,
    rate: Fraction,
    without: frozenset[str],
    *,
    cheaply: bool,
) -> tuple[Channels, ...]:
    """Return a signal's groups without the lines of some causes."""
    channels = sum(group.count for group in groups)
    lines = DeterministicMoments.from_signal(signal, channels, rate, provenance=True)
    period, first, found = _left(lines, without), 0, []
    for group in groups:
        noise = replace(group.covariance, most=0) if cheaply else group.covariance
        found.append(replace(group, mean=Repeating(period[first]).shortest(), covariance=noise))
        first += group.count
    return tuple(found)


def of_network(record: Moments, without: frozenset[str]) -> tuple[Channels, ...]:
    """Return the channels behind layers of given weights, each with its mean and covariance.

    The covariance between channels is not needed by random layers, whose taps are independent
    from one channel to the next.
    """
    mean = record.mean if isinstance(record, StationaryMoments) else record
    assert isinstance(mean, DeterministicMoments)
    if mean.waveform is not None:
        raise _recording("a recording")
    period = _left(mean, without)
    covariances, budget = np.zeros((mean.channels, 1, 1)), 0.0
    if isinstance(record, StationaryMoments):
        budget = record.budget
        kept = IndependentCovariance.of(record.place.covariance).centred().values[:, :, 0]
        covariances = np.ascontiguousarray(kept.transpose(2, 0, 1))

    def noise(channel: int) -> TwoTime:
        excess = covariances[channel]
        most = int(budget) // _SHARE
        return TwoTime(np.zeros((len(excess), 1)), excess, most=most).reduced()

    return _alike(period, covariances.reshape(mean.channels, -1), noise)


def _left(record: DeterministicMoments, without: frozenset[str]) -> Array:
    """Return one period without the shares of some causes."""
    period = record.period
    for source, share in zip(record.sources, record.shares, strict=True):
        if source.cause in without:
            period = period - share
    return period


def _alike(period: Array, rows: Array, noise: Callable[[int], TwoTime]) -> tuple[Channels, ...]:
    """Return channels whose period and whose noise, told by ``rows``, are equal, as groups."""
    return tuple(
        Channels(count, Repeating(period[channel]).shortest(), noise(channel))
        for channel, count in runs(len(period), period, rows)
    )


def _sided(signal: Signal, channels: int, rate: Fraction) -> Array:
    """Return lags 0 to D of the noise, a row a channel, or one row if all channels are alike."""
    rows = signal.autocovariance(np.arange(_LONGEST + 1), channels, rate)
    return rows[:1] if np.all(rows == rows[:1]) else rows


def _stationary(sided: Array) -> TwoTime:
    """Return the covariance of stationary noise from its lags 0 to D."""
    # A lag that rounding alone explains carries nothing.
    seen = np.abs(sided) > np.finfo(np.float64).eps * np.log2(sided.size) * sided[0]
    reach = int(np.flatnonzero(seen)[-1]) if seen.any() else 0
    return TwoTime(np.zeros((1, 1)), sided[np.abs(np.arange(-reach, reach + 1))][None])


def _recording(signal: str) -> NotPredictableError:
    return NotPredictableError(
        "a recording has no expectation over networks here",
        given=f"signal {signal:.60}",
        fix="stack = stack.draw(seed=0), and predict that one network",
    )
