"""Chapter 1, rate change is linear: images, their level, and the stretch itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from upsim.course.exercise import (
    Array,
    CodeExercise,
    Mistake,
    NumberExercise,
    Parameters,
    array_of,
    function_in,
)
from upsim.course.levels import decibels, level_mistakes


def images(frequency: float, rate: float, factor: int) -> list[float]:
    """Return where a sine is found after a stretch, in Hz, up to half the new rate.

    Examples
    --------
    >>> images(700, 4000, 3)
    [700, 3300, 4700]
    """
    top = factor * rate / 2
    found = {abs(k * rate + sign * frequency) for k in range(factor + 1) for sign in (1, -1)}
    return sorted(each for each in found if each <= top)


class WhereItGoes(NumberExercise):
    """Where a sine goes under a stretch."""

    number = "1.1"
    title = "Where does it go?"
    unit = "Hz, ascending"
    tolerance = 0.5

    def draw(self, rng: np.random.Generator) -> Parameters:
        rate = 1000 * int(rng.integers(4, 13))
        return {
            "rate": rate,
            "frequency": 50 * int(rng.integers(6, rate // 2 // 50 - 4)),
            "factor": int(rng.integers(2, 5)),
        }

    def ask(self, given: Parameters) -> str:
        return (
            f"A sine of {given['frequency']} Hz is sampled at {given['rate']} Hz and stretched by "
            f"{given['factor']}. At which frequencies from 0 Hz to half the new rate does the "
            "stretched signal have energy?"
        )

    def answer(self, given: Parameters) -> Sequence[float]:
        return images(given["frequency"], given["rate"], given["factor"])

    def mistakes(self, given: Parameters) -> Sequence[Mistake]:
        rate, frequency, factor = given["rate"], given["frequency"], given["factor"]
        count = len(self.answer(given))
        upright = [frequency + k * rate for k in range(count)]
        return [
            Mistake(tuple(upright), "You forgot the mirrored images. A real sine has a partner at "
                    "−f, and that is copied, too."),
            Mistake(tuple(frequency * (k + 1) for k in range(count)),
                    "These are harmonics. A stretch is linear: it copies, it does not distort."),
            Mistake(tuple(each / factor for each in self.answer(given)),
                    "In cycles per sample the frequency falls by L. In Hz it stays: the samples "
                    "come L times as fast."),
            Mistake(tuple(each * factor for each in self.answer(given)),
                    "The stretched signal is played at the new rate. Its first line stays where "
                    "the sine was."),
            Mistake(tuple(images(frequency, rate / 2, factor * 2)[:count]),
                    "The copies lie around multiples of the old rate, not of half of it."),
            Mistake(tuple(images(frequency, factor * rate, 2)[:count]),
                    "The copies lie around multiples of the old rate, not of the new one."),
            Mistake((float(frequency),), "This is the sine itself. Stretching shows its copies."),
        ]  # fmt: skip

    def solve(self, given: Parameters) -> str:
        rate = given["rate"]
        found = ", ".join(f"{each:g}" for each in self.answer(given))
        return (
            f"The copies lie at k · {rate} ± {given['frequency']} Hz. Up to half the new rate, "
            f"{given['factor'] * rate / 2:g} Hz, these are {found} Hz."
        )


class HowLoud(NumberExercise):
    """How strong each image is."""

    number = "1.2"
    title = "The stretch of a cosine"
    unit = "dB"
    tolerance = 0.015

    def draw(self, rng: np.random.Generator) -> Parameters:
        return {
            "factor": int(rng.integers(3, 9)),
            "amplitude": float(rng.choice([0.5, 1.0, 1.5, 2.0, 3.0])),
        }

    def ask(self, given: Parameters) -> str:
        return (
            f"A cosine of amplitude {given['amplitude']:g} is stretched by {given['factor']}. How "
            "strong is each of the lines above 0 Hz, in dB re a mean square of 1? (A line counts "
            "with its mirror image. Two decimals.)"
        )

    def _power(self, given: Parameters) -> float:
        # Two complex lines of A / 2 become lines of A / (2 L); a line and its mirror: twice.
        return float(given["amplitude"] ** 2 / (2 * given["factor"] ** 2))

    def answer(self, given: Parameters) -> Sequence[float]:
        return [decibels(self._power(given))]

    def mistakes(self, given: Parameters) -> Sequence[Mistake]:
        amplitude, factor = given["amplitude"], given["factor"]
        return [
            Mistake((decibels(amplitude**2 / 2),), "The stretched signal is zero most of the time. "
                    "Its lines are weaker than the cosine."),
            Mistake((decibels(amplitude**2 / 2 / factor),), "The whole power falls by L, and it is "
                    "shared by L lines. You divided once."),
            Mistake((decibels(amplitude**2 / factor**2),), "The mean square of a cosine is half "
                    "its amplitude squared."),
            *level_mistakes([self._power(given)], [True]),
        ]  # fmt: skip

    def solve(self, given: Parameters) -> str:
        amplitude, factor = given["amplitude"], given["factor"]
        return (
            f"The mean square is A²/2 = {amplitude**2 / 2:g}. Zeros between the samples divide it "
            f"by {factor}, and {factor} lines share it alike: A²/(2L²) = {self._power(given):.5g}, "
            f"which is {decibels(self._power(given)):.2f} dB."
        )


def stretched(samples: Array, factor: int) -> Array:
    """Return a signal with ``factor - 1`` zeros behind each sample.

    Examples
    --------
    >>> stretched(np.array([1.0, 2.0]), 3)
    array([1., 0., 0., 2., 0., 0.])
    """
    output = np.zeros(samples.size * factor)
    output[::factor] = samples
    return output


class WriteStretch(CodeExercise):
    """Write the stretch."""

    number = "1.3"
    title = "Write the stretch"

    def draw(self, rng: np.random.Generator) -> Parameters:
        return {"factor": int(rng.integers(3, 7)), "seed": int(rng.integers(2**31))}

    def ask(self, given: Parameters) -> str:
        return (
            "Write a function `answer_1_3(x, L)` that takes an array of n samples and returns the "
            "L · n samples of its stretch."
        )

    def examine(self, answer: object, given: Parameters) -> str:
        function = function_in(answer, "answer_1_3(x, L)")
        rng = np.random.default_rng(given["seed"])
        factors = (given["factor"], 2, 1)
        for factor in factors:
            samples = rng.standard_normal(5) + 3.0
            kept = samples.copy()
            found = array_of(function(samples, factor), "answer_1_3")
            if not np.array_equal(samples, kept):
                return "Your function changes the array that it is given. Make a new one."
            if hint := self._hint(found, samples, factor):
                return hint
        return ""

    def _hint(self, found: Array, samples: Array, factor: int) -> str:
        right = stretched(samples, factor)
        if np.array_equal(found, right):
            return ""
        if found.shape == (samples.size * (factor + 1),):
            return "L − 1 zeros stand between two samples, not L."
        if found.shape == ((samples.size - 1) * factor + 1,):
            return "The last sample has L − 1 zeros behind it, too: n samples become L · n."
        if found.shape != right.shape:
            return (
                f"{samples.size} samples stretched by {factor} are {right.size} samples. Your "
                f"array has the shape {found.shape}."
            )
        if np.array_equal(found, np.repeat(samples, factor)):
            return "You repeat each sample. That is nearest neighbour; a stretch puts zeros."
        if np.array_equal(np.sort(found), np.sort(right)):
            return "The zeros stand behind each sample, not before it or at the end."
        if np.allclose(found, factor * right):
            return "The samples keep their values. A gain of L belongs to the filter behind it."
        if np.allclose(found[::factor], samples):
            return "Between the samples there are zeros, nothing else. The filter comes later."
        return "The samples are not where they belong: sample m goes to place m · L."

    def model(self, given: Parameters) -> object:
        return stretched

    def planted(self, given: Parameters) -> Mapping[str, object]:
        def between(x: Array, factor: int) -> Array:
            ends = np.append(x, x[-1])
            steps: Array = np.interp(
                np.arange(x.size * factor) / factor, np.arange(ends.size), ends
            )
            return steps

        return {
            "L − 1 zeros stand": lambda x, factor: stretched(x, factor + 1),
            "The last sample": lambda x, factor: stretched(x, factor)[: (x.size - 1) * factor + 1],
            "You repeat": np.repeat,
            "The zeros stand behind": lambda x, factor: np.roll(stretched(x, factor), factor - 1),
            "The samples keep": lambda x, factor: factor * stretched(x, factor),
            "Between the samples": between,
        }

    def solve(self, given: Parameters) -> str:
        return "```python\ny = np.zeros(L * len(x))\ny[::L] = x\n```"


EXERCISES = (WhereItGoes(), HowLoud(), WriteStretch())
