"""Regime 1, nothing random: one period is carried exactly, through anything.

A constant or periodic input makes every later signal periodic: a linear layer convolves the period
on a circle, an activation acts on each sample, and the DFT of the last period is the exact line
spectrum.  A recording is carried beside it as the finite signal that it is, edges included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from math import lcm
from typing import Self

import numpy as np
from numpy.typing import NDArray

from upsim.errors import NotPredictableError, ShapeError, TooLargeError
from upsim.layers import ChannelNormalisation
from upsim.layers.base import Activation, Normalisation, Unmodelled, mean_over_time
from upsim.network.node import spoken
from upsim.network.signals import Line, Signal
from upsim.operators import Operator
from upsim.operators.phasor import phasors
from upsim.operators.repeating import Repeating, period_behind, period_of_lines
from upsim.operators.rounding import running_error
from upsim.theory.moments.base import Levels, Moments, Source
from upsim.theory.moments.bussgang import bussgang
from upsim.theory.moments.merging import merged_samples
from upsim.theory.moments.passed_error import error_of_function, largest, merged_error
from upsim.theory.moments.second_evaluation import SecondEvaluation, merged_evaluations
from upsim.theory.moments.settling import settled
from upsim.theory.moments.spectral_lines import SpectralLines, merged_lines
from upsim.words.arguments import MEMORY_BUDGET, refuse_beyond_memory
from upsim.words.tolerance import probable, rounding
from upsim.words.units import format_hertz

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class DeterministicMoments(Moments):
    """One period of the repeating part, its shares by source, and a recording if there is one.

    Parameters
    ----------
    period : array (channels, P)
        The steady state, as far from the signal's ends as need be.
    sources : tuple of Source
        Empty when provenance is not asked for.
    shares : array (sources, channels, P)
        What each source contributes; they add up to ``period``.
    waveform : array (channels, n) or None
        The finite output for a finite recording, all offsets included.
    error : array (channels,)
        How far rounding may have moved a sample of each channel so far: the running bound of
        :mod:`upsim.operators.rounding`, taken on the values that pass.
    provenance : bool
        Whether shares are carried.
    normalised : tuple of str
        Names of the normalisations on the way.
    run : tuple of str
        Names of the nodes on the way that were run, as they have no formula.
    sines : SpectralLines or None
        The images of the input's sines, where they are kept apart from the period; their source is
        the input.
    second : SecondEvaluation or None
        Behind a normalisation: the period once more with larger roundings, which gives the error.
    """

    period: Array
    sources: tuple[Source, ...] = ()
    shares: Array = field(default_factory=lambda: np.zeros((0, 1, 1)))
    waveform: Array | None = None
    error: Array = field(default_factory=lambda: np.zeros(0))
    provenance: bool = True
    normalised: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    sines: SpectralLines | None = None
    second: SecondEvaluation | None = None

    def __post_init__(self) -> None:
        if not self.error.size:
            object.__setattr__(self, "error", np.zeros(self.channels))

    @classmethod
    def from_signal(
        cls,
        signal: Signal,
        channels: int,
        rate: Fraction,
        *,
        provenance: bool,
        label: str = "",
        apart: bool = False,
    ) -> DeterministicMoments:
        """Return the record at an input; ``label`` is its name where there are several.

        With ``apart`` sines are kept as lines, which a linear network needs no period of.
        """
        lines = signal.lines(channels, rate)
        sines = SpectralLines.of_signal(lines, rate) if apart else None
        if sines is not None:
            lines = tuple(line for line in lines if not line.frequency)
        count = period_of_lines(Fraction(line.frequency / rate) for line in lines)
        if count * channels * 8 > MEMORY_BUDGET:
            frequencies = ", ".join(format_hertz(line.frequency) for line in lines)
            raise TooLargeError(
                f"the signal repeats only after {count} samples",
                given=f"{frequencies} at an input rate of {format_hertz(rate)}",
                expected="a period that fits in memory",
                fix="sines whose frequencies share a larger divisor with the input rate",
            )
        offset = [line for line in lines if line.frequency == 0]
        others = [line for line in lines if line.frequency != 0]
        sources, shares = [], []
        for cause, group in (("input offset", offset), ("input", others)):
            if group:
                sources.append(Source(cause, label))
                shares.append(np.sum([_samples(line, rate, count) for line in group], axis=0))
        total = np.sum(shares, axis=0) if shares else np.zeros((channels, 1))
        recording = signal.recording(channels, rate)
        waveform = None
        if recording is not None:
            waveform = recording + Repeating(total).run(recording.shape[1])
            if sines is not None:
                waveform += sines.samples(np.arange(recording.shape[1]))
        kept = np.asarray(shares) if shares else np.zeros((0, *total.shape))
        return cls(
            total,
            tuple(sources) if provenance else (),
            kept if provenance else np.zeros((0, *total.shape)),
            waveform,
            error=rounding(4, 1.0) * largest(total) if others else np.zeros(channels),
            provenance=provenance,
            sines=sines,
        )

    @property
    def channels(self) -> int:
        """Channels at this place."""
        return int(self.period.shape[0])

    @cached_property
    def size(self) -> Array:
        """The largest sample of each channel, (channels,)."""
        return largest(self.period)

    @property
    def assumptions(self) -> tuple[str, ...]:
        """Nothing is assumed but the steady state."""
        found = ["lines: exact, in the steady state far from the ends"]
        if self.normalised and self.waveform is None:
            listed = ", ".join(self.normalised)
            found.append(f"{listed}: statistics of a long signal, its ends left out")
        if self.normalised and self.waveform is not None:
            listed = ", ".join(self.normalised)
            found.append(f"{listed}: statistics of the recording, edges included")
        if self.run:
            listed = ", ".join(self.run)
            found.append(f"{listed}: run until settled; what it passes and makes is one share")
        if self.waveform is not None:
            found.append("recording: carried exactly, edges included")
        return tuple(found)

    def through_operator(self, operator: Operator, label: str) -> Self:
        """Convolve the period on a circle; a bias is a new source."""
        after = period_behind(self.period.shape[1], operator.up, operator.down)
        offset = operator.offset
        whole, what, fix = after, f"one period, {after} samples long,", "smaller strides"
        if offset is not None and after % offset.shape[1]:
            whole = lcm(after, offset.shape[1])
            what = (
                f"the common period of a signal of {after} and a bias of {offset.shape[1]} samples"
            )
            fix = f"a bias whose period divides {after}"
        rows = len(self.sources) + 2
        refuse_beyond_memory(rows * operator.out_channels * whole, what, fix=fix)
        error, second = np.zeros(operator.out_channels), self.second
        if self.size.any() or self.error.any() or self.sources:
            batch = self.period[None]
            if self.sources:
                batch = np.concatenate([batch, self.shares])
            mapped = Repeating(operator.periodic(batch)).over(whole)
            before = self.error if second is None else np.zeros(self.channels)
            error = running_error(operator, self.size, before, period=self.period.shape[1])
            if second is not None:
                second = second.through(lambda each: Repeating(operator.periodic(each)).over(whole))
        else:  # silence, as where all the input is noise
            mapped = np.zeros((1, operator.out_channels, whole))
            second = None
        waveform = None
        if self.waveform is not None:
            refuse_beyond_memory(
                operator.out_channels * operator.output_length(self.waveform.shape[1]),
                "the recording",
                fix="use a shorter recording",
            )
            waveform = operator.apply(self.waveform)
        made = replace(
            self,
            period=mapped[0],
            shares=mapped[1:],
            waveform=waveform,
            sines=None if self.sines is None else self.sines.through(operator),
            second=second,
        )
        return made.with_offset(offset, label).rounded(error, label)

    def rounded(self, error: Array, label: str) -> Self:
        """Return the record with the error of the rounding at a node.

        Where there is a second evaluation, ``error`` is the node's own, and moves that; where there
        is none, it is all of it.
        """
        if self.second is None:
            return replace(self, error=error)
        second = self.second.rounded(error, label)
        return replace(self, error=second.error(self.period), second=second)

    def with_offset(self, offset: Array | None, label: str) -> Self:
        """Return the record with an offset (channels, p) added, a source of cause "bias".

        Its period divides that of the record.  The error is left to the caller.
        """
        if offset is None:
            return self
        own = Repeating(offset)

        def over(count: int) -> Array:
            return offset if own.period == 1 else own.run(count)

        sources, shares = self.sources, self.shares
        if self.provenance:
            whole = own.over(self.period.shape[1])[None]
            shares = np.concatenate([shares, whole]) if sources else whole
            sources = (*sources, Source("bias", label))
        recorded = self.waveform
        return replace(
            self,
            period=self.period + over(self.period.shape[1]),
            sources=sources,
            shares=shares,
            waveform=None if recorded is None else recorded + over(recorded.shape[1]),
            second=None
            if self.second is None
            else self.second.through(lambda each: each + over(each.shape[-1])),
        )

    def through_activation(self, activation: Activation, label: str) -> Self:
        """Apply the function to each sample; split what it makes by Bussgang's rule.

        The shares of the input pass with the gain of :func:`bussgang`; the rest (the activation's
        own offset and harmonics) is a source of its own, so the shares still add up exactly.
        """
        total = activation.function(self.period)
        waveform = None if self.waveform is None else activation.function(self.waveform)
        for samples in (total, waveform):
            if samples is not None and not np.isfinite(samples).all():
                raise NotPredictableError(
                    "the function has no finite value somewhere",
                    given=f"{activation!r:.60}",
                    expected="an input inside its domain that does not overflow",
                    fix="upsim.Clamp(low, high) before it",
                )
        shares, sources = self.shares, self.sources
        if self.provenance:
            gain, rest = bussgang(activation, self.period, total)
            shares = np.concatenate([gain * activation.passing(self.shares), rest[None]])
            sources = (*sources, Source("activation", label))
        second = self.second
        if second is None and isinstance(activation, ChannelNormalisation):
            second = SecondEvaluation.of(self.period, self.error, label)
        before = self.error if second is None else np.zeros(self.channels)
        made = replace(
            self,
            period=total,
            sources=sources,
            shares=shares,
            waveform=waveform,
            second=None if second is None else second.through(activation.function),
        )
        return made.rounded(error_of_function(activation, self.period, before, total), label)

    def through_unmodelled(self, layer: Unmodelled, label: str) -> Self:
        """Run the node: on a period until it has settled, on a recording as it is.

        What passed it and what it made cannot be told apart: all of it is one source.
        """
        total, error = settled(layer, self.period, self.error)
        return replace(
            self,
            period=total,
            sources=(Source("opaque", label),) if self.provenance else (),
            shares=total[None] if self.provenance else np.zeros((0, *total.shape)),
            waveform=None if self.waveform is None else layer.answer(self.waveform),
            error=error,
            second=None,
            run=(*self.run, f"{spoken(label)} ({layer.called})"),
        )

    def levels(self) -> Levels:
        """Return mean and variance of the recording if there is one, of the period if not."""
        measured = self.period if self.waveform is None else self.waveform
        return Levels(mean_over_time(measured), measured.var(axis=1))

    def through_normalisation(self, layer: Normalisation, label: str) -> Self:
        """Apply the gain that the levels decide; a bias is a new source."""
        return self.normalised_by(layer, label, None)

    def normalised_by(self, layer: Normalisation, label: str, given: Levels | None) -> Self:
        r"""Apply the gain that given levels decide, and take each part's own centre from it.

        With the gains ``g`` fixed, :math:`g (x - m(x)) + b` is linear in ``x`` but for the bias,
        as the centre ``m`` is linear in the means over time.  So each share loses its own centre,
        the shares still add up, and the bias is a source of its own.
        """
        levels, bias = given or self.levels(), layer.bias_array()
        # A sample and the mean that it loses are each off by the error so far; the mean is a sum.
        sums = probable(self.period.size + 2, 1.0)
        floor = 2 * self.error + sums * self.size
        gains = layer.gains(levels.mean, levels.variance)

        def centred(samples: Array) -> Array:
            return samples - layer.centre(mean_over_time(samples))[..., None]

        def moved(samples: Array, least: Array) -> Array:
            left = centred(samples)
            # Do not let the gain amplify rounding residue of a constant.
            moving = np.abs(left).max(axis=-1, keepdims=True) > least[..., None]
            return np.where(moving, gains[:, None] * left, 0.0)

        total, shares = moved(self.period, floor), self.shares
        if self.sources:
            shares = moved(shares, floor + sums * largest(shares))
            # What was set to zero here or there must not be missing in the sum.
            rows, largest_share = np.arange(self.channels), largest(shares).argmax(axis=0)
            shares[largest_share, rows] += total - shares.sum(axis=0)
        # What was set to zero has no error.
        moving = np.any(total, axis=1, keepdims=True)

        def again(copies: Array) -> Array:
            # The levels of a recording, or with noise, are not the period's own.
            apart = given is not None or self.waveform is not None
            own = levels if apart else Levels(mean_over_time(copies), copies.var(axis=-1))
            gains = layer.gains(own.mean, own.variance)[..., None]
            return np.where(moving, gains * centred(copies), 0.0)

        second = self.second or SecondEvaluation.of(self.period, self.error, label)
        waveform = None
        if self.waveform is not None:
            centre = layer.centre(mean_over_time(self.waveform))[:, None]
            waveform = gains[:, None] * (self.waveform - centre)
        made = replace(
            self,
            period=total,
            shares=shares,
            waveform=waveform,
            normalised=(*self.normalised, f"{spoken(label)} ({type(layer).__name__})"),
            second=second.through(again),
        ).with_offset(None if bias is None else bias[:, None], label)
        error = np.abs(gains) * sums * self.size * moving[:, 0] + rounding(2, 1.0) * made.size
        return made.rounded(error, label)

    @classmethod
    def merged(cls, parts: Sequence[Self], merging: str) -> Self:
        """Add, average or stack the branches over their common period, source by source."""
        whole = lcm(*(part.period.shape[1] for part in parts))
        sources = tuple(dict.fromkeys(source for part in parts for source in part.sources))
        places = {source: number for number, source in enumerate(sources)}
        channels = sum(part.channels for part in parts)
        each = " and ".join(str(part.period.shape[1]) for part in parts)
        refuse_beyond_memory(
            (len(sources) + 1) * channels * whole,
            f"the common period of branches that repeat after {each} samples",
            fix="branches of equal strides",
        )
        totals, shares = [], []
        for part in parts:
            totals.append(Repeating(part.period).over(whole))
            rows = np.zeros((len(sources), part.channels, whole))
            if part.sources:
                own = [places[source] for source in part.sources]
                rows[own] = Repeating(part.shares).over(whole)
            shares.append(rows)
        total, second = merged_samples(totals, merging), None
        error = merged_error([part.error for part in parts], merging)
        if any(part.second for part in parts):
            evaluations = [
                part.second or SecondEvaluation.of(part.period, part.error, f"branch {number}")
                for number, part in enumerate(parts)
            ]
            second = merged_evaluations(evaluations, whole, merging)
        recordings = [part.waveform for part in parts if part.waveform is not None]
        counts = sorted({each.shape[1] for each in recordings})
        if len(counts) > 1:
            raise ShapeError(
                "branches that meet have different lengths for this recording",
                given=" and ".join(map(str, counts)) + " samples",
                fix="cut or pad the recording to a multiple of the stack's strides",
            )
        return replace(
            parts[0],
            period=total,
            sources=sources,
            shares=merged_samples(shares, merging),
            waveform=merged_samples(recordings, merging) if recordings else None,
            error=error if second is None else second.error(total),
            sines=merged_lines(
                [part.sines for part in parts], [part.channels for part in parts], merging
            ),
            normalised=tuple(dict.fromkeys(name for part in parts for name in part.normalised)),
            second=second,
            run=tuple(dict.fromkeys(name for part in parts for name in part.run)),
        )

    def without_shares(self) -> Self:
        """Return the record as it is where no share is carried."""
        none = np.zeros((0, *self.period.shape))
        return replace(self, sources=(), shares=none, provenance=False)

    def samples(self, count: int, start: int = 0) -> Array:
        """Return ``count`` samples of the steady state from sample ``start``, (channels, count)."""
        total = Repeating(self.period).run(count, start)
        if self.sines is None:
            return total
        return total + self.sines.samples(np.arange(start, start + count))

    def amplitudes(self) -> NDArray[np.complex128]:
        """Return the coefficient of each line ``k / P`` up to 1/2, (channels, P // 2 + 1)."""
        return Repeating(self.period).half_lines()

    def share_amplitudes(self) -> NDArray[np.complex128]:
        """Return the Fourier coefficients source by source, (sources, channels, P // 2 + 1)."""
        return Repeating(self.shares).half_lines()


def _samples(line: Line, rate: Fraction, count: int) -> Array:
    """Return ``count`` samples of a line and its mirror, (channels, count)."""
    turns = Fraction(line.frequency / rate)
    wave = phasors(turns, np.arange(count))
    sides = 1 if turns in (0, Fraction(1, 2)) else 2
    return np.asarray(sides * (line.amplitude[:, None] * wave).real)
