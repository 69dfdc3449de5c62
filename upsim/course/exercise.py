"""An exercise: parameters from a student's name, the right answer, and computed misconceptions.

No answer is stored.  Each is computed from the parameters, and so is what a known misconception
would give.  A wrong answer that equals one of those gets its hint.
"""

from __future__ import annotations

import hashlib
import math
import numbers
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from upsim.errors import ArgumentError, ArgumentTypeError
from upsim.words.arguments import plain_text, shown

Array = NDArray[np.float64]
Parameters = Mapping[str, Any]

#: The student whose parameters stand in the pages.
PAGE = "page"

_LONGEST_NAME = 200


@dataclass(frozen=True)
class Mistake:
    """What a misconception gives, and the hint for it.

    Parameters
    ----------
    values : tuple of float
    hint : str
        A sentence that leads on and does not tell the answer.
    """

    values: tuple[float, ...]
    hint: str


@dataclass(frozen=True)
class Verdict:
    """What the grader says of one answer.

    Parameters
    ----------
    number : str
        Of the exercise.
    passed : bool
    message : str
        One or two sentences for the student.
    refused : bool
        The answer could not be graded: not a number, of the wrong length, code that raises.
    """

    number: str
    passed: bool
    message: str
    refused: bool = False


class Exercise(ABC):
    """One exercise of the course."""

    number: ClassVar[str]
    title: ClassVar[str]

    def parameters(self, student: str = PAGE) -> Parameters:
        """Return the numbers of one student's exercise; the same name, the same numbers."""
        plain_text(student, "student")
        if len(student) > _LONGEST_NAME:
            raise ArgumentError(
                "this name is too long",
                given=f"{len(student)} characters",
                expected=f"at most {_LONGEST_NAME}",
                fix='student="ada"',
            )
        seed = hashlib.sha256(f"{student.strip().lower()}/{self.number}".encode()).digest()
        return self.draw(np.random.default_rng(list(seed)))

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> Parameters:
        """Draw parameters."""

    @abstractmethod
    def ask(self, given: Parameters) -> str:
        """Return the question, in Markdown."""

    @abstractmethod
    def solve(self, given: Parameters) -> str:
        """Return how the answer is found, in Markdown."""

    @abstractmethod
    def grade(self, answer: object, given: Parameters) -> Verdict:
        """Grade an answer."""

    def _refused(self, message: str) -> Verdict:
        return Verdict(self.number, passed=False, message=message, refused=True)


class NumberExercise(Exercise):
    """An exercise whose answer is one number or a few."""

    unit: ClassVar[str]
    #: How far an answer may be off, in the unit: rounding to the digits that the question asks for.
    tolerance: ClassVar[float]

    @abstractmethod
    def answer(self, given: Parameters) -> Sequence[float]:
        """Return the right numbers, in the order of the question."""

    @abstractmethod
    def mistakes(self, given: Parameters) -> Sequence[Mistake]:
        """Return what misconceptions give; the first that fits a wrong answer is told."""

    def known_mistakes(self, given: Parameters) -> tuple[Mistake, ...]:
        """Return the misconceptions whose numbers differ from all others and the right ones."""
        right = tuple(map(float, self.answer(given)))
        kept: list[Mistake] = []
        for mistake in self.mistakes(given):
            values = tuple(map(float, mistake.values))
            taken = (right, *(other.values for other in kept))
            if all(map(math.isfinite, values)) and not any(
                self._same(values, other) for other in taken
            ):
                kept.append(Mistake(values, mistake.hint))
        return tuple(kept)

    def _same(self, one: Sequence[float], other: Sequence[float]) -> bool:
        # A little over the tolerance: 0.015 in binary is not 0.015.
        return len(one) == len(other) and all(
            abs(a - b) <= self.tolerance * (1 + 1e-9) for a, b in zip(one, other, strict=True)
        )

    def grade(self, answer: object, given: Parameters) -> Verdict:
        """Grade one number, or a list of them."""
        right = self.answer(given)
        try:
            values = numbers_in(answer)
        except (ArgumentError, ArgumentTypeError) as error:
            return self._refused(f"This is not an answer that can be graded: {error.what}.")
        if self._same(values, right):
            return Verdict(self.number, passed=True, message="Right.")
        for mistake in self.known_mistakes(given):
            if self._same(values, mistake.values):
                return Verdict(self.number, passed=False, message=f"Not yet. {mistake.hint}")
        if len(values) != len(right):
            return self._refused(
                f"This exercise asks for {_count(len(right))} in {self.unit}, and you gave "
                f"{_count(len(values))}."
            )
        if len(right) > 1 and self._same(sorted(values), sorted(right)):
            return Verdict(
                self.number,
                passed=False,
                message="Not yet. The numbers are right, their order is not.",
            )
        wrong = [n + 1 for n, pair in enumerate(zip(values, right, strict=True))
                 if abs(pair[0] - pair[1]) > self.tolerance * (1 + 1e-9)]  # fmt: skip
        which = "" if len(right) == 1 else f" Look at number {', '.join(map(str, wrong))}."
        near = all(abs(a - b) <= 20 * self.tolerance for a, b in zip(values, right, strict=True))
        more = " You are close: do not round before the end." if near else ""
        return Verdict(self.number, passed=False, message=f"Not yet.{which}{more}")


class CodeExercise(Exercise):
    """An exercise whose answer is a function or a layer, which the grader runs."""

    @abstractmethod
    def examine(self, answer: object, given: Parameters) -> str:
        """Return a hint, or an empty text if the answer is right."""

    @abstractmethod
    def model(self, given: Parameters) -> object:
        """Return a right answer."""

    @abstractmethod
    def planted(self, given: Parameters) -> Mapping[str, object]:
        """Return wrong answers, from the beginning of the hint that each must get."""

    def grade(self, answer: object, given: Parameters) -> Verdict:
        """Run a student's code on inputs of the grader's own, and compare."""
        try:
            hint = self.examine(answer, given)
        except Exception as error:  # noqa: BLE001 - whatever a student's code raises is told
            return self._refused(
                f"Your code raises {type(error).__name__}: {str(error)[:300] or 'no message'}"
            )
        message = f"Not yet. {hint}" if hint else "Right."
        return Verdict(self.number, passed=not hint, message=message)


def _count(count: int) -> str:
    return "1 number" if count == 1 else f"{count} numbers"


def numbers_in(answer: object) -> tuple[float, ...]:
    """Return the numbers of an answer: one, or a list, tuple or array of one axis.

    Examples
    --------
    >>> numbers_in(-9.03), numbers_in([1, 2.5])
    ((-9.03,), (1.0, 2.5))
    """
    if isinstance(answer, np.ndarray):
        if answer.ndim > 1:
            raise ArgumentError(f"an array of shape {answer.shape} is no list of numbers")
        answer = answer.tolist()
    values = list(answer) if isinstance(answer, list | tuple) else [answer]
    found = []
    for value in values:
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise ArgumentTypeError(f"{shown(value)} is not a number")
        try:
            found.append(float(value))
        except (OverflowError, ValueError):
            raise ArgumentError(f"{shown(value)} is too large for a number here") from None
        if not math.isfinite(found[-1]):
            raise ArgumentError(f"{found[-1]} is not a finite number")
    return tuple(found)


def function_in(answer: object, name: str) -> Any:
    """Return an answer that must be a function; raise a TypeError that says what came instead."""
    if isinstance(answer, type) or not callable(answer):
        raise TypeError(f"a function is asked for: def {name}(...). This is {shown(answer)}")
    return answer


def array_of(value: object, name: str) -> Array:
    """Return what a student's function gave as an array; refuse what holds no finite numbers."""
    try:
        array = np.asarray(value, float)
    except (TypeError, ValueError):
        raise TypeError(f"{name} returned {shown(value)}, not an array of numbers") from None
    if not np.isfinite(array).all():
        raise ValueError(f"{name} returned a number that is not finite")
    return array
