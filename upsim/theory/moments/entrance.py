"""How channels enter an expectation over networks: from a signal, or from given weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from upsim.errors import NotPredictableError
from upsim.network.signals import Signal
from upsim.operators.two_time import TwoTime
from upsim.theory.moments.base import Moments
from upsim.theory.moments.channels import Channels, shortest
from upsim.theory.moments.deterministic import DeterministicMoments
from upsim.theory.moments.per_channel import IndependentCovariance
from upsim.theory.moments.stationary import StationaryMoments

Array = NDArray[np.float64]

#: Points of the frequency grid from which an input's autocovariance is taken.
_GRID = 4096

#: Bytes of the budget for each number that one covariance may hold: a thirty-second of them.
_SHARE = 256

#: Numbers of a density that are held at once (4 MiB).
_PIECE = 2**19


def of_signal(signal: Signal, channels: int, rate: Fraction, budget: float) -> tuple[Channels, ...]:
    """Return the channels of a signal, those that are alike as one group."""
    if signal.recording(channels, rate) is not None:
        raise _recording(repr(signal))
    lines = DeterministicMoments.from_signal(signal, channels, rate, provenance=False)
    levels = _levels(signal, channels, rate)

    def noise(channel: int) -> TwoTime:
        level = levels[channel if len(levels) > 1 else 0]
        return replace(_autocovariance(level), most=int(budget) // _SHARE)

    return _alike(lines.period, levels, noise)


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
        found.append(replace(group, mean=shortest(period[first]), covariance=noise))
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
    others = np.any(period[1:] != period[:-1], axis=1)
    if len(rows) > 1:
        others |= np.any(rows[1:] != rows[:-1], axis=1)
    starts = np.flatnonzero(np.concatenate([[True], others])).tolist()
    counts = np.diff(starts, append=len(period)).tolist()
    return tuple(
        Channels(count, shortest(period[channel]), noise(channel))
        for channel, count in zip(starts, counts, strict=True)
    )


def _levels(signal: Signal, channels: int, rate: Fraction) -> Array:
    """Return the density per cycle per sample on the grid, one row if all channels are alike."""
    grid = np.arange(_GRID) / _GRID * float(rate)
    pieces = []
    # Thousands of channels at once would take more memory than all that follows.
    for part in np.array_split(grid, 1 + channels * _GRID // _PIECE):
        density = signal.density(part, channels, rate)
        if density is None:
            return np.zeros((1, _GRID))
        alike = np.all(density == density[:1])
        pieces.append(np.asarray(density[:1] if alike else density) * float(rate))
    rows = max(map(len, pieces))
    return np.concatenate([np.broadcast_to(p, (rows, p.shape[1])) for p in pieces], axis=1)


def _autocovariance(level: Array) -> TwoTime:
    """Return the autocovariance of a density on the grid, per cycle per sample."""
    covariance = np.fft.ifft(level).real
    # A lag that rounding alone explains carries nothing.
    seen = (
        np.abs(covariance[: _GRID // 2]) > np.finfo(np.float64).eps * np.log2(_GRID) * level.max()
    )
    reach = int(np.flatnonzero(seen)[-1]) if seen.any() else 0
    return TwoTime(np.zeros((1, 1)), covariance[np.arange(-reach, reach + 1)][None])


def _recording(signal: str) -> NotPredictableError:
    return NotPredictableError(
        "a recording has no expectation over networks here",
        given=f"signal {signal:.60}",
        fix="stack = stack.draw(seed=0), and predict that one network",
    )
