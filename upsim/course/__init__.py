"""The exercises of the course, and their grader.

An exercise has parameters of each student's own, from the student's name.  The grader computes the
answer from them, so there is no file of answers that could be handed on.

>>> from upsim.course import exercise
>>> found = exercise("0.2")
>>> given = found.parameters("ada")
>>> found.grade(found.answer(given), given).message
'Right.'

On the command line: ``python -m upsim.course check 0.2 answers.py``.
"""

from __future__ import annotations

from importlib import import_module

from upsim.course.exercise import CodeExercise, Exercise, NumberExercise, Verdict
from upsim.errors import ArgumentError
from upsim.words.arguments import plain_text, shown

__all__ = ["CodeExercise", "Exercise", "NumberExercise", "Verdict", "exercise", "exercises"]

#: The chapters' modules, in the course's order.
_CHAPTERS = (
    "line",
    "rate_change",
    "phase_gains",
    "transposed",
    "interpolation",
    "subpixel",
)


def exercises() -> tuple[Exercise, ...]:
    """Return all exercises, in the order of the course."""
    found: list[Exercise] = []
    for name in _CHAPTERS:
        found += import_module(f"upsim.course.chapters.{name}").EXERCISES
    return tuple(found)


def exercise(number: str) -> Exercise:
    """Return one exercise by its number.

    Examples
    --------
    >>> exercise("0.1").title
    'Name the layer'
    """
    plain_text(number, "number")
    known = {each.number: each for each in exercises()}
    if number.strip() not in known:
        raise ArgumentError(
            "there is no such exercise",
            given=f"number={shown(number)}",
            expected=", ".join(known),
            fix='exercise("0.1")',
        )
    return known[number.strip()]
