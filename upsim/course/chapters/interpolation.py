"""Chapter 4, interpolation: droop, the order of a zero, and taps with a zero of an order."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import pi, sin

import numpy as np

from upsim.course.exercise import Mistake, NumberExercise, Parameters
from upsim.course.levels import decibels


def hold_gain(factor: int) -> float:
    """Return the gain of nearest neighbour at the old half rate, a constant's being 1.

    Examples
    --------
    >>> round(decibels(hold_gain(2) ** 2), 2)
    -3.01
    """
    return sin(pi / 2) / (factor * sin(pi / (2 * factor)))


class Droop(NumberExercise):
    """The droop of two interpolations by hand."""

    number = "4.1"
    title = "Droop by hand"
    unit = "dB: nearest neighbour, then linear"
    tolerance = 0.015

    def draw(self, rng: np.random.Generator) -> Parameters:
        return {"factor": int(rng.integers(2, 9)), "rate": 1000 * int(rng.integers(4, 13))}

    def ask(self, given: Parameters) -> str:
        return (
            f"A signal is raised from {given['rate']} Hz to {given['factor'] * given['rate']} Hz, "
            "by nearest neighbour and by the textbook's linear interpolation (a triangle). What is "
            f"the gain of each at {given['rate'] // 2} Hz, the old half rate, in dB re its gain at "
            "0 Hz? (Two numbers, two decimals.)"
        )

    def answer(self, given: Parameters) -> Sequence[float]:
        level = decibels(hold_gain(given["factor"]) ** 2)
        return [level, 2 * level]

    def mistakes(self, given: Parameters) -> Sequence[Mistake]:
        factor = given["factor"]
        level, twice = self.answer(given)
        sinc = decibels((2 / pi) ** 2)
        raw = decibels(1 / sin(pi / (2 * factor)) ** 2)
        return [
            Mistake((level / 2, level), "20 log of the gain, or 10 log of its square: you took 10 "
                    "log of the gain."),
            Mistake((level, level), "A triangle is a hold with itself, so its gain is that of the "
                    "hold squared."),
            Mistake((twice, level), "You have them the other way round. The triangle falls "
                    "faster."),
            Mistake((sinc, 2 * sinc), "This is the limit of large factors, the continuous sinc. "
                    "For a finite one the denominator is a sine."),
            Mistake((-level, -twice), "Mind the sign: the gain is below that at 0 Hz."),
            Mistake((raw, 2 * raw), "Divide by the gain at 0 Hz, which is L."),
            Mistake((level, 3 * level), "That is torch's linear interpolation by 2, at half-pixel "
                    "places. The textbook's triangle is the hold twice, not three times."),
            Mistake((level, 1.5 * level), "The triangle's decibels are exactly twice those of the "
                    "hold."),
        ]  # fmt: skip

    def solve(self, given: Parameters) -> str:
        factor = given["factor"]
        level, twice = self.answer(given)
        return (
            f"At the old half rate, 1/(2L) cycles per sample, the hold has |sin(π/2)| / "
            f"(L sin(π/(2L))) = {hold_gain(factor):.4f} with L = {factor}: {level:.2f} dB. The "
            f"triangle is its square: {twice:.2f} dB."
        ).replace("-", "−")


class OrderOfZero(NumberExercise):
    """How many times taps vanish at half the rate."""

    number = "4.2"
    title = "The order of a zero"
    unit = "the order"
    tolerance = 0.0

    def draw(self, rng: np.random.Generator) -> Parameters:
        order = int(rng.integers(2, 5))
        other = [[2, 1], [3, 1], [1, -3], [3, -1], [2, -1], [4, 1], [1, -1]]
        rest = other[int(rng.integers(len(other)))]
        taps = reduce(np.convolve, [np.array([1, 1])] * order, np.array(rest))
        return {"order": order, "rest": tuple(rest), "taps": tuple(int(n) for n in taps)}

    def ask(self, given: Parameters) -> str:
        taps = ", ".join(map(str, given["taps"])).replace("-", "−")
        return (
            f"A filter behind a stretch by 2 has the taps {taps}. Of which order is its zero at "
            "half the output rate?"
        )

    def answer(self, given: Parameters) -> Sequence[float]:
        return [given["order"]]

    def mistakes(self, given: Parameters) -> Sequence[Mistake]:
        taps = given["taps"]
        return [
            Mistake((1.0,), "You showed that the response vanishes. Take the factor 1 + w out "
                    "again, until it does not."),
            Mistake((len(taps) - 1.0,), "This is the number of all zeros. Not all of them lie at "
                    "half the rate: w = −1."),
            Mistake((float(len(taps)),), "This is the number of taps. The order is how often "
                    "1 + w divides the polynomial."),
            Mistake((given["order"] - 1.0,), "A step is missing: the order counts each factor "
                    "1 + w, also the first."),
            Mistake((float(sum(taps)),), "This is the gain at 0 Hz. Put w = −1, not w = 1."),
            Mistake((0.0,), "Alternate the signs and add: the sum is 0, so there is a zero."),
        ]  # fmt: skip

    def solve(self, given: Parameters) -> str:
        rest = ", ".join(map(str, given["rest"])).replace("-", "−")
        return (
            f"Divide by 1 + w as often as nothing is left: {given['order']} times. The taps "
            f"{rest} remain, and their alternating sum, {given['rest'][0]} − "
            f"({given['rest'][1]}), is not 0."
        ).replace("-", "−")


class DoubleZero(NumberExercise):
    """Four taps with a zero of second order."""

    number = "4.3"
    title = "Four taps with a double zero"
    unit = "the four taps"
    tolerance = 0.0051

    def draw(self, rng: np.random.Generator) -> Parameters:
        first = int(rng.choice([-30, -20, -10, 5, 10, 15, 35, 40, 60, 70])) / 100
        return {"first": first}

    def ask(self, given: Parameters) -> str:
        first = f"{given['first']:g}".replace("-", "−")
        return (
            "Find the four taps of an upsampler by 2 that keeps a constant as it is (the taps add "
            f"up to 2), has a double zero at half the output rate, and begins with {first}. "
            "(Two decimals.)"
        )

    def answer(self, given: Parameters) -> Sequence[float]:
        p = given["first"]
        q = 0.5 - p  # (1 + w)^2 (p + q w) has the sum 4 (p + q) = 2
        return [p, 2 * p + q, p + 2 * q, q]

    def mistakes(self, given: Parameters) -> Sequence[Mistake]:
        p = given["first"]
        q = 0.5 - p
        scaled = 0.25 - p
        return [
            Mistake((q, p + 2 * q, 2 * p + q, p), "These are the right taps from behind. The first "
                    "is given."),
            Mistake((p, 1 - p, 1 - p, p), "Symmetry gives equal phase gains, a zero of first "
                    "order. Ask for the slope as well: the sum of (−1)ⁿ n h[n] must vanish."),
            Mistake((p, 2 * p + scaled, p + 2 * scaled, scaled), "Your taps add up to 1. Behind a "
                    "stretch by 2 a constant needs a sum of 2: each phase has 1."),
            Mistake((0.25, 0.75, 0.75, 0.25), "These have a zero of third order, and do not begin "
                    "as asked."),
            Mistake((p, -2 * p + (2 - p), p - 2 * (2 - p), 2 - p), "This is (1 − w)²: zeros at "
                    "0 Hz. Half the rate is w = −1, so the factor is 1 + w."),
            Mistake((p, 2 - p, 0.0, 0.0), "Two taps are not enough. Write "
                    "(1 + w)² (p + q w) and multiply out."),
            Mistake((p, 2 * p, p, 0.0), "You left q out: (1 + w)² (p + q w) has four taps."),
        ]  # fmt: skip

    def solve(self, given: Parameters) -> str:
        p = given["first"]
        q = 0.5 - p
        taps = ", ".join(f"{tap:.2f}" for tap in self.answer(given))
        return (
            f"(1 + w)² (p + q w) = p + (2p + q) w + (p + 2q) w² + q w³. The sum at w = 1 is "
            f"4 (p + q) = 2. With p = {p:g}, q = {q:g}: {taps}."
        ).replace("-", "−")


EXERCISES = (Droop(), OrderOfZero(), DoubleZero())
