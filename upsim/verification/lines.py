"""The claims of the tones: places, amplitudes, powers, and the shares that add up to them."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from upsim.answer.prediction import Prediction
from upsim.theory.lines.tones import Contribution, Tone
from upsim.verification.inputs import period_of_lines
from upsim.verification.report import Check
from upsim.verification.witness import Seen, Witness, run_period
from upsim.words.tolerance import probable, rounding

Complex = NDArray[np.complex128]
Real = NDArray[np.float64]

#: Random mixtures of the sources that are run.
_MIXTURES = 2


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

    def at(self, fraction: Fraction) -> Complex:
        """Return the amplitudes (rows, channels) of the line at a fraction of the rate."""
        place = fraction * self.period
        if place.denominator != 1 or not 0 <= place <= self.period // 2:
            return np.zeros(self.amplitudes.shape[:2], np.complex128)
        return np.asarray(self.amplitudes[:, :, int(place)])


def sides_of(fraction: Fraction) -> int:
    """Return how many lines stand for one: it and its mirror, or itself."""
    return 1 if fraction in (0, Fraction(1, 2)) else 2


def judge_lines(prediction: Prediction, lines: Lines) -> list[Check]:
    """Judge the places, amplitudes and powers of all tones; a line too many or too few fails."""
    tones, rate = prediction.tones, prediction.stack.sample_rate
    channels, count = lines.amplitudes.shape[1], lines.period
    plural = "s" if count > 1 else ""
    about = f"amplitudes of {_counted(tones)}, and no other line in a period of {count} sample"
    about += plural
    malformed = _malformed(prediction, channels)
    if malformed:
        return [Check.wrong("lines", malformed)]
    found = np.array([lines.at(tone.fraction)[0] for tone in tones]).reshape(-1, channels)
    claimed = np.array([tone.amplitude for tone in tones]).reshape(-1, channels)
    unclaimed = lines.amplitudes[0].copy()
    for tone in tones:
        place = tone.fraction * count
        if place.denominator == 1:
            unclaimed[:, int(place)] = 0
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
    hertz = np.array([float(tone.fraction * rate) for tone in tones])
    given = np.array([tone.frequency for tone in tones])
    checks.append(
        Check.worst(
            "frequencies",
            f"frequencies of {_counted(tones)} in Hz, and the sample rate",
            np.abs(given - hertz),
            np.spacing(hertz),
        )
    )
    return checks


def _malformed(prediction: Prediction, channels: int) -> str:
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


def judge_sums(prediction: Prediction, lines: Lines) -> list[Check]:
    """Judge that the shares of each line add up to the witness's line, the strongest first."""
    tones = [tone for tone in prediction.tones if tone.contributions]
    if not tones:
        return []
    if len(tones) < len(prediction.tones):
        return [Check.wrong("sums of shares", "some tones have shares and others none")]
    errors, bounds = [], []
    for tone in tones:
        shares = _amplitudes(tone)
        found = lines.at(tone.fraction)[0]
        sizes = np.abs(shares).sum(axis=0)
        errors.append(np.abs(shares.sum(axis=0) - found))
        bounds.append(lines.tolerance + rounding(len(shares), 1.0) * sizes)
        powers = np.array([share.power for share in tone.contributions])
        squares = sides_of(tone.fraction) * np.abs(shares) ** 2
        errors += list(np.abs(powers - squares))
        bounds += list(rounding(4, 1.0) * squares)
        order = (np.abs(shares) ** 2).sum(axis=1)
        errors += [np.full_like(found.real, max(0.0, step)) for step in np.diff(order)]
        bounds += [np.full_like(found.real, rounding(4 * found.size, each)) for each in order[:-1]]
    about = f"shares of {_counted(tones)} against the witness's lines; powers; strongest first"
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

    start = period_of_lines(prediction.signal, prediction.stack)
    mixed = np.sum([factor(cause, "")[:, None, None] * part for cause, part in start.items()], 0)
    run = run_period(prediction.stack, mixed, witness, lambda label: factor("bias", label))
    lines = Lines(run.end)
    errors, bounds = [], []
    about = f"shares of {_counted(tones)}, by {_MIXTURES} runs of the sources mixed at random"
    for tone in tones:
        for share in tone.contributions:
            if (share.cause, share.layer) not in factors:
                return [Check.wrong("shares", f"no such source: {share.cause} {share.place}")]
        shares = _amplitudes(tone)
        used = np.array([factor(each.cause, each.layer) for each in tone.contributions])
        sizes = np.abs(shares).sum(axis=0)
        errors.append(np.abs(used.T @ shares - lines.at(tone.fraction)))
        bounds.append(
            np.broadcast_to(
                lines.tolerance + rounding(len(shares) + 1, 1.0) * sizes, errors[-1].shape
            )
        )
    return [Check.worst("shares", about, errors, bounds)]


def _amplitudes(tone: Tone) -> Complex:
    shares: list[Contribution] = list(tone.contributions)
    return np.array([share.amplitude for share in shares], dtype=np.complex128)


def _counted(tones: object) -> str:
    count = len(tones)  # type: ignore[arg-type]
    return f"{count} tone{'' if count == 1 else 's'}"
