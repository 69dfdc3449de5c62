"""The operator that a callable is, measured with impulses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from upsim.operators import LengthRule, PolyphaseMatrix
from upsim.operators.operator import Real
from upsim.testing.callables.broken import BrokenLawError
from upsim.testing.callables.subject import Subject

#: Channels at which impulses enter; of more, these many, spread, say what all of them say.
_CHANNELS = 8

#: Blocks of input samples in which the answer to an impulse must end.
_FIRST, _LONGEST = 16, 1024

#: Numbers in one array of responses.
_NUMBERS = 2**24


@dataclass(frozen=True)
class Measured:
    """What impulses in the middle of an input say.

    Parameters
    ----------
    operator : PolyphaseMatrix
        Of the chosen channels, from the first sample that is heard to the last.
    chosen : tuple of int
        The input channels that were given impulses.
    blocks : int
        Blocks of the input that was used.
    is_circular : bool
        Whether the input's end is next to its start, as for resampling by Fourier transform.
    """

    operator: PolyphaseMatrix
    chosen: tuple[int, ...]
    blocks: int
    is_circular: bool = False

    @property
    def edge(self) -> int:
        """Blocks at either end whose output the ends of the input may reach."""
        count = self.operator.blocks.shape[0]
        first = self.operator.first
        return int(max(abs(first), abs(first + count)) + 2)


def chosen_channels(subject: Subject) -> tuple[int, ...]:
    """Return the input channels that are tried, the first and the last among them."""
    count = min(subject.channels, _CHANNELS)
    spread = np.unique(np.linspace(0, subject.channels - 1, count).round().astype(int))
    return tuple(int(each) for each in spread)


def impulses(subject: Subject, length: int, places: tuple[int, ...]) -> Real:
    """Return the answers to impulses less that to silence: (chosen, places, out, samples)."""
    chosen = chosen_channels(subject)
    inputs = np.zeros((len(chosen), len(places), subject.channels, length))
    for row, channel in enumerate(chosen):
        for column, place in enumerate(places):
            inputs[row, column, channel, place] = 1.0
    flat = inputs.reshape(-1, subject.channels, length)
    silence = subject.offset(length)
    step = max(1, _NUMBERS // max(1, silence.size))
    made = [subject.run(flat[start : start + step]) for start in range(0, len(flat), step)]
    answers = np.concatenate(made) - silence
    return answers.reshape(len(chosen), len(places), *silence.shape)


def is_heard(subject: Subject, answers: Real, silence: Real) -> NDArray[np.bool_]:
    """Return where answers to impulses are more than rounding."""
    size = float(np.abs(answers).max(initial=0.0)) + float(np.abs(silence).max(initial=0.0))
    return np.asarray(np.abs(answers) > subject.margin(size, subject.channels))


def measured(subject: Subject) -> Measured:
    """Return the operator, or say that the answer to an impulse does not end."""
    kept: Measured | None = getattr(subject, "_measured", None)
    if kept is None:
        kept = _measured(subject)
        subject._measured = kept  # type: ignore[attr-defined]
    return kept


def _measured(subject: Subject) -> Measured:
    up, down = subject.up, subject.down
    blocks = max(_FIRST, 2 * -(-subject.least // down))
    while True:
        middle = blocks // 2
        places = tuple(middle * down + part for part in range(down))
        answers = impulses(subject, blocks * down, places)
        loud = is_heard(subject, answers, subject.offset(blocks * down))
        heard = np.flatnonzero(loud.any(axis=(0, 1, 2)))
        total = answers.shape[3]
        if heard.size == 0 or (heard[0] >= up and heard[-1] < total - up):
            break
        if blocks == _FIRST and is_circular(subject, blocks, answers):
            break
        if blocks >= _LONGEST or answers.size * 4 > _NUMBERS * len(chosen_channels(subject)):
            raise BrokenLawError(
                "periodic_in_time",
                f"an impulse at sample {places[0]} of {blocks * down} is heard up to the ends of "
                "the output: the callable looks at its whole input",
            )
        blocks *= 2
    ends = heard.size > 0 and (heard[0] < up or heard[-1] >= total - up)
    return Measured(
        _operator(answers, heard, middle, up, _law_of(subject, blocks * down, total)),
        chosen_channels(subject),
        blocks,
        is_circular=bool(ends),
    )


def is_circular(subject: Subject, blocks: int, answers: Real) -> bool:
    """Return True if answers to impulses half a circle apart are half a circle apart."""
    up, down = subject.up, subject.down
    if answers.shape[3] != blocks * up:
        return False
    later = impulses(subject, blocks * down, tuple(range(down)))
    turned = np.roll(answers, -(blocks // 2) * up, axis=3)
    within = subject.margin(2 * float(np.abs(answers).max()), blocks * down)
    return bool(np.all(np.abs(later - turned) <= within))


def _law_of(subject: Subject, length: int, total: int) -> LengthRule:
    return LengthRule(((subject.up, subject.down, total * subject.down - length * subject.up),))


def _operator(
    answers: Real, heard: NDArray[np.intp], middle: int, up: int, law: LengthRule
) -> PolyphaseMatrix:
    """Return the blocks: output ``(middle + first + j) up + i`` for each input phase."""
    inward, down, out, total = answers.shape
    low = int(heard[0]) // up if heard.size else middle
    high = int(heard[-1]) // up + 1 if heard.size else middle + 1
    padded = np.zeros((inward, down, out, (high - low) * up))
    kept = answers[..., low * up : min(high * up, total)]
    padded[..., : kept.shape[3]] = kept
    shaped = padded.reshape(inward, down, out, high - low, up)
    return PolyphaseMatrix(
        np.ascontiguousarray(shaped.transpose(3, 2, 4, 0, 1)), low - middle, length=law
    )
