"""Levels in decibels, and what people make of them who take one step wrongly."""

from __future__ import annotations

from collections.abc import Sequence
from math import log10

from upsim.course.exercise import Mistake

#: Two equal powers together: the line and its mirror image.
MIRROR = 10 * log10(2)


def decibels(power: float) -> float:
    """Return a power in decibels.

    Examples
    --------
    >>> round(decibels(0.125), 2)
    -9.03
    """
    return 10 * log10(power) if power > 0 else float("-inf")


def level_mistakes(powers: Sequence[float], mirrored: Sequence[bool]) -> list[Mistake]:
    """Return what goes wrong with any level of a line, whatever the line.

    Parameters
    ----------
    powers : sequence of float
        The right powers, mirror images counted.
    mirrored : sequence of bool
        Whether each line has a mirror image: it has one strictly between 0 and half the rate.
    """
    right = [decibels(power) for power in powers]
    return [
        Mistake(
            tuple(level - MIRROR * own for level, own in zip(right, mirrored, strict=True)),
            "A line strictly between 0 and half the rate has a mirror image at negative "
            "frequency. Its power counts both.",
        ),
        Mistake(
            tuple(level + MIRROR * (not own) for level, own in zip(right, mirrored, strict=True)),
            "At half the rate a line is its own mirror image. It counts once.",
        ),
        Mistake(
            tuple(level + MIRROR for level in right),
            "You count a mirror image once too often.",
        ),
        Mistake(
            tuple(2 * level for level in right),
            "20 log is for an amplitude. You have a power: take 10 log.",
        ),
        Mistake(
            tuple(level / 2 for level in right),
            "10 log is for a power. You have an amplitude: square it first, or take 20 log.",
        ),
        Mistake(tuple(-level for level in right), "Mind the sign: a power below 1 is below 0 dB."),
        Mistake(tuple(powers), "This is the power itself. The question asks for decibels."),
    ]
