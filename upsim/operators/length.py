"""How many samples come out of how many: the exact length law of a chain of layers."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import gcd, prod
from typing import Self

import numpy as np
from numpy.typing import NDArray

from upsim.errors import ArgumentTypeError, ShapeError
from upsim.words.arguments import shown, whole_number


@dataclass(frozen=True)
class LengthRule:
    """A chain of steps ``n -> floor((n up + extra) / down)``.

    A transposed convolution has ``up = L``, ``extra = 1 - L + reach - crops``; a strided
    convolution has ``down = s``, ``extra = s + crops - reach``; a crop has ``extra`` alone.  Steps
    are joined where the floor allows it, so a chain of upsamplers is one step.

    Parameters
    ----------
    steps : tuple of (up, down, extra)
        Applied from the first to the last.

    Examples
    --------
    >>> double = LengthRule(((2, 1, 0),))
    >>> double.then(LengthRule(((3, 1, -1),)))
    LengthRule(steps=((6, 1, -1),))
    >>> double(100)
    200
    """

    steps: tuple[tuple[int, int, int], ...] = ()

    def __post_init__(self) -> None:
        given: object = self.steps
        if not isinstance(given, tuple | list) or not all(_is_step(step) for step in given):
            raise ArgumentTypeError(
                "a length law is made of steps",
                given=f"steps={shown(given)}",
                expected="((up, down, extra), ...): whole numbers, the first two positive",
                fix="upsim.operators.LengthRule(((2, 1, 0),))",
            )
        object.__setattr__(self, "steps", tuple(given))

    def __call__(self, length: int) -> int:
        """Return the number of samples that ``length`` samples become."""
        length = whole_number(length, "length", most=None)
        for up, down, extra in self.steps:
            length = (length * up + extra) // down
            if length <= 0:
                raise ShapeError(
                    "the input is shorter than the layer's kernel",
                    given=f"an input that leaves {max(length, 0)} samples",
                    expected="at least one output sample",
                    fix="use a longer input, or a smaller kernel or crop",
                )
        return length

    def of_many(self, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rule for many lengths at once; 0 where no sample is left on the way."""
        for up, down, extra in self.steps:
            lengths = np.where(lengths > 0, np.maximum((lengths * up + extra) // down, 0), 0)
        return lengths

    @cached_property
    def rate(self) -> Fraction:
        """Output samples per input sample, far from the ends."""
        rate = Fraction(1)
        for up, down, _ in self.steps:
            rate *= Fraction(up, down)
        return rate

    def then(self, other: LengthRule) -> LengthRule:
        """Return the rule of this chain followed by another."""
        _rule_of(other)
        steps = list(self.steps)
        for up, down, extra in other.steps:
            if steps and steps[-1][1] == 1:
                # (n a + b) u + e, over d: the first step has no floor to keep.
                before = steps.pop()
                steps.append((before[0] * up, down, before[2] * up + extra))
            elif steps and up == 1:
                # floor(floor(n / c) + e, over d) = floor((n + c e) / (c d)): nested floors join.
                before = steps.pop()
                steps.append((before[0], before[1] * down, before[2] + before[1] * extra))
            else:
                steps.append((up, down, extra))
        kept = tuple(step for step in steps if step != (1, 1, 0))
        return LengthRule(kept)

    def reduced(self) -> LengthRule:
        """Return the same rule, each step with the smallest ``up`` and ``down``.

        ``floor((n g u + e) / (g d)) = floor((n u + floor(e / g)) / d)``: nested floors join.
        """
        rule = LengthRule()
        for up, down, extra in self.steps:
            common = gcd(up, down)
            step = LengthRule(((up // common, down // common, extra // common),))
            rule = rule.then(step)
        return rule

    def inverse(self) -> Self:
        """Return the shortest input for an output: the length law of the adjoint."""
        return type(self)(
            tuple((down, up, up - 1 - extra) for up, down, extra in reversed(self.steps))
        )

    def agrees_with(self, other: LengthRule, until: int = 512) -> bool:
        """Return True if two rules give equal lengths, for every input up to ``until`` samples."""
        every = np.arange(whole_number(until, "until"))
        _rule_of(other)
        return self.steps == other.steps or bool(
            np.array_equal(self._unchecked(every), other._unchecked(every))
        )

    def common_length(self, other: LengthRule) -> int | None:
        """Return a long input for which both rules give the same length, None if there is none.

        The difference of two rules of one rate repeats with the product of their divisors, so one
        such stretch of lengths decides.
        """
        if self.rate != _rule_of(other).rate:
            return None
        start = 2**20
        every = start + np.arange(min(2**20, prod(d for _, d, _ in self.steps + other.steps)))
        equal = np.flatnonzero(self._unchecked(every) == other._unchecked(every))
        return int(every[equal[0]]) if equal.size else None

    def _unchecked(self, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        for up, down, extra in self.steps:
            lengths = (lengths * up + extra) // down
        return lengths


def _is_step(step: object) -> bool:
    return (
        isinstance(step, tuple)
        and len(step) == 3
        and all(isinstance(number, int) for number in step)
        and min(step[:2]) > 0
    )


def _rule_of(value: object) -> LengthRule:
    if isinstance(value, LengthRule):
        return value
    raise ArgumentTypeError(
        "other must be a LengthRule",
        given=f"other={shown(value)}",
        expected="an upsim.operators.LengthRule",
        fix="upsim.operators.LengthRule(((2, 1, 0),))",
    )
