"""The claims about noise behind activations, against a seeded run with standard errors.

A claim passes where it differs by no more than the answer states, and z standard errors of the run.
z is Student's t, so that the chance of a false alarm is that of the whole check.  A measured answer
has errors of its own: those of the run, made smaller by the longer of the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from upsim.answer.prediction import Prediction
from upsim.theory.lines.statistics import student
from upsim.theory.moments.closure_error import StatedSize
from upsim.verification.births import judge_births
from upsim.verification.lines import (
    judge_frequencies,
    judge_sums,
    malformed,
    number_of,
    sides_of,
)
from upsim.verification.noise import NoiseRun, standard_error
from upsim.verification.report import Check
from upsim.verification.witness import Witness
from upsim.words.tolerance import probable, rounding

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]

#: The chance that a right answer fails, in each check.
FALSE_ALARM = 1e-4

#: Where an answer is not exact, an unlisted line may be as strong re the noise: -40 dB.
_UNLISTED = 1e-4

#: Relative errors above which a run says nothing about a density in dB.
_RESOLVED = 0.5

#: Roundings between the noise and the output, of the run and of the claim.
_ROUNDINGS = 2**12

_DECIBELS = 10 / np.log(10)

_LINES = ("lines", "powers", "sums of shares")
_NOISE = ("density", "noise power")


def judge_noise(prediction: Prediction, run: NoiseRun, witness: Witness) -> list[Check]:
    """Judge lines, their shares and births, density and power of noise."""
    wrong = malformed(prediction, prediction.channels)
    if wrong:
        return [Check.wrong("lines", wrong)]
    checks = [judge_frequencies(prediction)]
    size, own = prediction.stated_size, prediction.measured
    if own is not None:
        size = StatedSize(0.0, 0.0)
    if size is None:
        reason = "the answer states no size in dB, and a run has an error"
        return checks + [Check.skipped(name, reason) for name in (*_LINES, *_NOISE)]
    # The claim of a run has the errors of its own length.
    more = 1.0 if own is None else float(np.sqrt(1 + run.seconds / own.seconds))
    judge = _Judge(prediction, run, size, more, probable(_ROUNDINGS, 1.0, witness.dtype))
    checks += judge.lines()
    if any(tone.contributions for tone in prediction.tones):
        reason = "behind an activation or a normalisation only their sum is a fact of a run"
        checks.append(Check.skipped("shares", reason))
    times = student(FALSE_ALARM / 2, run.batches - 1)
    checks += judge_births(prediction, run.run(prediction.stack, times), witness)
    if prediction.noise_is_unknown:
        return checks
    return [*checks, *judge.density(), judge.power()]


class _Means:
    """The lines of a run, as :func:`judge_sums` reads them."""

    def __init__(self, found: Complex, tolerance: Real) -> None:
        self.found, self.tolerance = found, tolerance

    def at(self, _: Sequence[Fraction]) -> Complex:
        """Return the amplitudes (rows, lines, channels)."""
        return self.found[None]


class _Judge:
    def __init__(
        self, prediction: Prediction, run: NoiseRun, size: StatedSize, more: float, floor: float
    ) -> None:
        self.prediction, self.run, self.size, self.more = prediction, run, size, more
        lines = np.sum([tone.power for tone in prediction.tones] or [np.zeros_like(run.power)], 0)
        self.rms = np.sqrt(run.power + lines)
        self.floor = floor * self.rms
        about = f"{run.seconds:.3g} s of noise in {run.batches} batches"
        if prediction.measured is not None:
            about += ", each of two runs with its error"
        self.by = about

    def _times(self, compared: int) -> float:
        chance = FALSE_ALARM / 2 / max(1, compared)
        return self.more * student(chance, self.run.batches - 1)

    def lines(self) -> list[Check]:
        tones, period = self.prediction.tones, self.run.means[self.prediction.stack.end].shape[1]
        channels = self.prediction.channels
        known = [number_of(tone.fraction, period) for tone in tones]
        numbers = [number for number in known if number is not None]
        if len(numbers) < len(known):
            return [Check.wrong("lines", "a tone where no line can be")]
        claimed = np.array([tone.amplitude for tone in tones]).reshape(-1, channels)
        found = self.run.lines.T[numbers].reshape(-1, channels)
        times = self._times(2 * self.run.lines.size)
        allowed = times * self.run.line_errors.T + self.floor
        listed = allowed[numbers].reshape(-1, channels)
        wide = 10 ** (self.size.lines / 20)
        if wide > 1:
            high, low = np.abs(claimed) * wide, np.abs(claimed) / wide
            off = np.maximum(np.abs(found) - high, low - np.abs(found))
            errors = np.maximum(off, 0.0)
        else:
            apart = found - claimed
            errors = np.maximum(np.abs(apart.real), np.abs(apart.imag))
        rest = np.ones(period // 2 + 1, dtype=bool)
        rest[numbers] = False
        bounds = 0.0 if self.prediction.measured is None else self._bounds(rest)
        apart = np.maximum(np.abs(self.run.lines.T[rest]) - bounds, 0.0)
        unlisted = allowed[rest]
        if wide > 1:
            unlisted = unlisted + np.sqrt(_UNLISTED * self.run.power)
        else:
            # Each part by itself, as the errors are.
            unlisted = np.sqrt(2) * unlisted
        stated = f", {self.size.lines:g} dB stated" if wide > 1 else ""
        plural = "" if len(tones) == 1 else "s"
        about = f"amplitudes of {len(tones)} tone{plural}, and no other line, by {self.by}{stated}"
        checks = [
            Check.worst(
                "lines",
                about,
                np.concatenate([errors, apart]),
                np.concatenate([listed, unlisted]),
            )
        ]
        sides = np.array([sides_of(tone.fraction) for tone in tones]).reshape(-1, 1)
        powers = np.array([tone.power for tone in tones]).reshape(-1, channels)
        squares = sides * np.abs(claimed) ** 2
        scale = rounding(4, 1.0) * squares
        if self.prediction.measured is not None:
            # Its scatter is taken off the power.
            scale = scale + sides * (allowed[numbers].reshape(-1, channels)) ** 2
        about = f"powers of {len(tones)} tone{plural} against their amplitudes"
        checks.append(Check.worst("powers", about, np.abs(powers - squares), scale))
        means = _Means(found, listed * np.sqrt(2) + (wide - 1) * np.abs(claimed))
        return checks + judge_sums(self.prediction, means)

    def _bounds(self, rest: NDArray[np.bool_]) -> Real:
        """Return the upper bounds of a measured answer, as amplitudes (places, channels)."""
        run = self.prediction.measured
        assert run is not None
        sides = np.array([sides_of(Fraction(k, run.period)) for k in range(run.bounds.shape[1])])
        bounds = np.sqrt(np.nan_to_num(run.bounds) / sides)
        if bounds.shape[1] != rest.size:
            return np.zeros((int(rest.sum()), self.prediction.channels))
        return np.asarray(bounds.T[rest])

    def density(self) -> list[Check]:
        prediction, run, name = self.prediction, self.run, "density"
        psd = prediction.psd
        if psd is None or psd.shape != (prediction.channels, prediction.frequencies.size):
            return [Check.wrong(name, "noise goes in, and there is no density for each channel")]
        claimed, found = psd[:, run.chosen], run.levels.mean(axis=0)
        error = standard_error(run.levels)
        about = f"density at {run.chosen.size} frequencies, by {self.by}"
        stated = f"{self.size.density:g} dB stated" if self.size.density > 0 else "exact"
        whole = Check(name, f"{about}: rms in dB, {stated}", *self._rms(claimed))
        if self.size.density > 0:
            return [whole]
        # A mean of squares is skewed: the wider side counts.
        scale = np.maximum(np.maximum(claimed, found), np.finfo(np.float64).tiny)
        times = self._times(found.size)
        wide = times * error * np.exp(np.minimum(times * error / scale, 1.0))
        rate = float(prediction.sample_rate)
        rounded = 2 * self.floor[:, None] * self.rms[:, None] / rate
        bend = self._bend(psd)
        each = Check.worst(name, about, np.abs(claimed - found), wide + rounded + bend)
        # Where points stand for bands, their bends add up.
        return [each] if bend.any() else [each, whole]

    def _bend(self, psd: Real) -> Real:
        """Return how much a density that is the mean of a band may differ from that at a point."""
        if self.prediction.measured is None and self.run.white:
            return np.zeros((len(psd), self.run.chosen.size))
        steps = np.abs(np.diff(psd, axis=1))
        before = np.pad(steps, ((0, 0), (1, 0)))
        after = np.pad(steps, ((0, 0), (0, 1)))
        return np.asarray(np.maximum(before, after)[:, self.run.chosen])

    def _rms(self, claimed: Real) -> tuple[float, float]:
        """Return the decibels between densities, rms, and the most that passes.

        The mean square is freed of what the run's scatter adds to it; its own error is that of the
        jackknife over batches.
        """
        levels, count = self.run.levels, len(self.run.levels)
        mean, error = levels.mean(axis=0), standard_error(levels)
        there = (mean > 0) & (claimed > 0) & (error < _RESOLVED * mean)
        if not there.any():
            return 0.0, 0.0

        def square(level: Real, scatter: Real) -> float:
            off = _DECIBELS * np.log(claimed[there] / np.maximum(level, error)[there])
            return float(np.mean(off**2 - (_DECIBELS * (scatter / mean)[there]) ** 2))

        parts = []
        for number in range(count):
            left = (count * mean - levels[number]) / (count - 1)
            parts.append(square(left, error * np.sqrt(count / (count - 1))))
        whole = square(mean, error)
        spread = np.sqrt((count - 1) * np.var(parts))
        most = self.size.density**2 + student(FALSE_ALARM, count - 1) * spread
        return float(np.sqrt(max(whole, 0.0))), float(np.sqrt(most))

    def power(self) -> Check:
        run, claimed = self.run, self.prediction.noise_power
        if claimed.shape != run.power.shape:
            return Check.wrong("noise power", "there is not one power a channel")
        stated = (10 ** (self.size.density / 10) - 1) * np.maximum(claimed, run.power)
        allowed = stated + self._times(claimed.size) * run.power_error + 2 * self.floor * self.rms
        about = f"power of the noise, by {self.by}"
        return Check.worst("noise power", about, np.abs(claimed - run.power), allowed)
