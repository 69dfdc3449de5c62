"""The claims of the tones: places, amplitudes, powers, and the shares that add up to them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from upsim.answer.prediction import Prediction
from upsim.theory.lines.tones import Tone
from upsim.verification.inputs import periods_of_lines
from upsim.verification.report import Check
from upsim.verification.witness import Seen, Witness, run_period
from upsim.words.tolerance import probable, rounding

Complex = NDArray[np.complex128]
Real = NDArray[np.float64]

#: Random mixtures of the sources that are run.
_MIXTURES = 2


class SeenLines(Protocol):
    """Lines that somebody has seen, and how wrong they may be."""

    tolerance: Real

    def at(self, fractions: Sequence[Fraction]) -> Complex:
        """Return the amplitudes (rows, lines, channels) of lines at fractions of the rate."""


class Lines:
    """The lines of one period that the witness made.

    Parameters
    ----------
    seen : Seen
        One row for each run.
    """

    def __init__(self, seen: Seen) -> None:
        self.period = seen.samples.shape[2]
        self.amplitudes = np.fft.rfft(seen.samples, axis=2) / self.period
        # The transform adds as many roundings as it has stages, to the sum that it takes.
        stages = self.period.bit_length() + 1
        self.tolerance = seen.error + probable(stages, 1.0) * seen.size

    def at(self, fractions: Sequence[Fraction]) -> Complex:
        """Return the amplitudes (rows, lines, channels) of lines at fractions of the rate."""
        found = np.zeros((len(self.amplitudes), len(fractions), self.amplitudes.shape[1]), complex)
        numbers = [number_of(each, self.period) for each in fractions]
        there = [line for line, number in enumerate(numbers) if number is not None]
        chosen = [number for number in numbers if number is not None]
        found[:, there] = self.amplitudes[:, :, chosen].transpose(0, 2, 1)
        return found


def number_of(fraction: Fraction, period: int) -> int | None:
    """Return the number of a line among those of a period; None if it is not one of them."""
    if period % fraction.denominator or not 0 <= 2 * fraction <= 1:
        return None
    return fraction.numerator * (period // fraction.denominator)


def sides_of(fraction: Fraction) -> int:
    """Return how many lines stand for one: it and its mirror, or itself."""
    return 1 if fraction in (0, Fraction(1, 2)) else 2


def judge_lines(prediction: Prediction, lines: Lines) -> list[Check]:
    """Judge the places, amplitudes and powers of all tones; a line too many or too few fails."""
    tones = prediction.tones
    channels, count = lines.amplitudes.shape[1], lines.period
    plural = "s" if count > 1 else ""
    about = f"amplitudes of {_counted(tones)}, and no other line in a period of {count} sample"
    about += plural
    wrong = malformed(prediction, channels)
    if wrong:
        return [Check.wrong("lines", wrong)]
    found = lines.at([tone.fraction for tone in tones])[0]
    claimed = np.array([tone.amplitude for tone in tones]).reshape(-1, channels)
    unclaimed = lines.amplitudes[0].copy()
    for tone in tones:
        number = number_of(tone.fraction, count)
        if number is not None:
            unclaimed[:, number] = 0
    errors = np.concatenate([np.abs(claimed - found), np.abs(unclaimed.T)])
    checks = [Check.worst("lines", about, errors, lines.tolerance)]
    sides = np.array([sides_of(tone.fraction) for tone in tones]).reshape(-1, 1)
    magnitudes, bound = np.abs(found), lines.tolerance
    powers = np.array([tone.power for tone in tones]).reshape(-1, channels)
    # |a + t|^2 - |a|^2, and the rounding of the square itself.
    allowed = sides * (bound * (2 * magnitudes + bound) + rounding(4, 1.0) * magnitudes**2)
    checks.append(
        Check.worst(
            "powers",
            f"powers of {_counted(tones)}",
            np.abs(powers - sides * magnitudes**2),
            allowed,
        )
    )
    checks.append(judge_frequencies(prediction))
    return checks


def judge_frequencies(prediction: Prediction) -> Check:
    """Judge that each tone's frequency is its fraction of the sample rate."""
    tones, rate = prediction.tones, prediction.stack.sample_rate
    hertz = np.array([float(tone.fraction * rate) for tone in tones])
    given = np.array([tone.frequency for tone in tones])
    about = f"frequencies of {_counted(tones)} in Hz, and the sample rate"
    return Check.worst("frequencies", about, np.abs(given - hertz), np.spacing(hertz))


def malformed(prediction: Prediction, channels: int) -> str:
    """Return what makes the tones no list of lines; "" if they are one."""
    fractions = [tone.fraction for tone in prediction.tones]
    if any(not 0 <= each <= Fraction(1, 2) for each in fractions):
        return "a tone lies outside the band"
    if any(first >= second for first, second in pairwise(fractions)):
        return "the tones do not ascend in frequency"
    if prediction.sample_rate != prediction.stack.sample_rate:
        return f"a sample rate of {prediction.sample_rate}, not that of the stack"
    for tone in prediction.tones:
        values = [(tone.amplitude, tone.power)]
        values += [(share.amplitude, share.power) for share in tone.contributions]
        if any(
            amplitude is None or amplitude.shape != (channels,) or power.shape != (channels,)
            for amplitude, power in values
        ):
            return f"the tone at {tone.fraction} has not one amplitude and one power a channel"
    return ""


def judge_sums(prediction: Prediction, lines: SeenLines) -> list[Check]:
    """Judge that the shares of each line add up to the witness's line, the strongest first."""
    tones = [tone for tone in prediction.tones if tone.contributions]
    if not tones:
        return []
    if len(tones) < len(prediction.tones):
        return [Check.wrong("sums of shares", "some tones have shares and others none")]
    shares, starts = _shares(tones)
    squares = np.abs(shares) ** 2
    counts = np.diff(starts, append=len(shares))
    sides = np.repeat([sides_of(tone.fraction) for tone in tones], counts)[:, None]
    powers = np.array([share.power for tone in tones for share in tone.contributions])
    # A share that is stronger than the one before it, within one tone.
    order = squares.sum(axis=1)
    step = np.diff(order, prepend=order[:1])
    step[starts] = 0
    sizes = np.add.reduceat(np.abs(shares), starts)
    found = lines.at([tone.fraction for tone in tones])[0]
    most = int(counts.max())
    about = f"shares of {_counted(tones)} against the witness's lines; powers; strongest first"
    parts = (
        (
            np.abs(np.add.reduceat(shares, starts) - found),
            lines.tolerance + rounding(most, 1.0) * sizes,
        ),
        (np.abs(powers - sides * squares), rounding(4, 1.0) * sides * squares),
        (np.maximum(step, 0), rounding(4 * shares.shape[1], 1.0) * order),
    )
    errors = np.concatenate([np.ravel(error) for error, _ in parts])
    bounds = np.concatenate(
        [np.ravel(np.broadcast_to(bound, error.shape)) for error, bound in parts]
    )
    return [Check.worst("sums of shares", about, errors, bounds)]


def judge_shares(prediction: Prediction, witness: Witness, seed: int) -> list[Check]:
    """Judge every share of a linear stack, by runs of random mixtures of the sources.

    In a run each source of lines, the input's offset, its other lines and the bias of each layer,
    has a factor of its own.  The shares times these factors must add up to the line of that run.
    """
    tones = [tone for tone in prediction.tones if tone.contributions]
    if not tones:
        return []
    rng = np.random.default_rng(seed)
    factors: dict[tuple[str, str], Real] = {}

    def factor(cause: str, layer: str) -> Real:
        known = factors.get((cause, layer))
        if known is None:
            # Away from 0, so that no source is lost.
            signs = rng.choice((-1.0, 1.0), _MIXTURES)
            known = factors[cause, layer] = signs * rng.uniform(0.5, 1.0, _MIXTURES)
        return known

    mixed = [
        np.sum([factor(*source)[:, None, None] * part for source, part in parts.items()], axis=0)
        for parts in periods_of_lines(prediction)
    ]
    run = run_period(prediction.stack, mixed, witness, lambda name: factor("bias", name))
    lines = Lines(run.end)
    about = f"shares of {_counted(tones)}, by {_MIXTURES} runs of the sources mixed at random"
    used = []
    for tone in tones:
        for share in tone.contributions:
            known = factors.get((share.cause, share.layer))
            if known is None:
                return [Check.wrong("shares", f"no such source: {share.cause} {share.place}")]
            used.append(known)
    shares, starts = _shares(tones)
    weighted = np.array(used).T[:, :, None] * shares
    found = lines.at([tone.fraction for tone in tones])
    sizes = np.add.reduceat(np.abs(shares), starts)
    most = max(len(tone.contributions) for tone in tones)
    errors = np.abs(np.add.reduceat(weighted, starts, axis=1) - found)
    return [Check.worst("shares", about, errors, lines.tolerance + rounding(most + 1, 1.0) * sizes)]


def _shares(tones: Sequence[Tone]) -> tuple[Complex, NDArray[np.intp]]:
    """Return the shares of all tones, (shares, channels), and where those of each tone begin."""
    counts = [len(tone.contributions) for tone in tones]
    rows = [share.amplitude for tone in tones for share in tone.contributions]
    return np.array(rows, dtype=np.complex128), np.cumsum([0, *counts[:-1]])


def _counted(tones: Sequence[Tone]) -> str:
    count = len(tones)
    return f"{count} tone{'' if count == 1 else 's'}"
