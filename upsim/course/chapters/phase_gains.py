"""Chapter 2, phase gains: the lines of a kernel, and kernels without lines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from upsim.course.exercise import Mistake, NumberExercise, Parameters
from upsim.course.levels import MIRROR, decibels, level_mistakes


def line_powers(gains: Sequence[float]) -> list[float]:
    """Return the powers of the lines that phase gains make of a constant 1, for k = 1 ... L // 2.

    A line strictly between 0 and half the rate counts with its mirror image.

    Examples
    --------
    >>> line_powers([2, 1, 1, 1])
    [0.125, 0.0625]
    """
    count = len(gains)
    turns = np.outer(np.arange(1, count // 2 + 1), np.arange(count)) / count
    amplitudes = np.abs(np.exp(-2j * np.pi * turns) @ np.asarray(gains, float)) / count
    twice = np.where(2 * np.arange(1, count // 2 + 1) < count, 2.0, 1.0)
    return [float(power) for power in (twice * amplitudes**2).round(12)]


def ones_gains(kernel_size: int, stride: int) -> list[float]:
    """Return how many of K ones fall on each of L phases.

    Examples
    --------
    >>> ones_gains(5, 4)
    [2.0, 1.0, 1.0, 1.0]
    """
    return [float(len(range(phase, kernel_size, stride))) for phase in range(stride)]


class LinesOfOnes(NumberExercise):
    """The lines of a kernel of ones with partial overlap."""

    number = "2.1"
    title = "The lines of ones"
    unit = "dB, from the lowest line to the highest"
    tolerance = 0.015

    def draw(self, rng: np.random.Generator) -> Parameters:
        # One larger or one smaller phase gain: no line vanishes.
        pairs = [(5, 4), (7, 4), (9, 4), (11, 4), (7, 6), (11, 6), (9, 8), (7, 3), (5, 3)]
        size, stride = pairs[int(rng.integers(len(pairs)))]
        return {"kernel_size": size, "stride": stride}

    def ask(self, given: Parameters) -> str:
        count = given["stride"] // 2
        return (
            f"A transposed convolution has {given['kernel_size']} taps of one and the stride "
            f"{given['stride']}. It is fed the constant 1. How strong "
            f"{'is its line' if count == 1 else f'are its {count} lines'} above 0 Hz, in dB re a "
            "mean square of 1? (A line counts with its mirror image. Two decimals.)"
        )

    def _powers(self, given: Parameters) -> list[float]:
        return line_powers(ones_gains(given["kernel_size"], given["stride"]))

    def answer(self, given: Parameters) -> Sequence[float]:
        return [decibels(power) for power in self._powers(given)]

    def mistakes(self, given: Parameters) -> Sequence[Mistake]:
        size, stride = given["kernel_size"], given["stride"]
        powers = self._powers(given)
        right = self.answer(given)
        mirrored = [2 * (k + 1) < stride for k in range(len(right))]
        constant = decibels((size / stride) ** 2)
        undivided = decibels(stride**2)
        swapped = [decibels(power) for power in line_powers(ones_gains(stride, size))]
        return [
            Mistake(tuple(level - constant for level in right), "These are levels beside the "
                    "constant that leaves. The question asks for levels re a mean square of 1."),
            Mistake(tuple(level + undivided for level in right), "This is |H|². The Fourier "
                    "series of the phase gains divides by L: a line's amplitude is H / L."),
            Mistake(tuple(level + undivided - MIRROR * own
                          for level, own in zip(right, mirrored, strict=True)),
                    "This is |H|² of one side. Divide the amplitude by L, and count the mirror "
                    "image."),
            Mistake(tuple(swapped[: len(right)]), "You swapped the number of taps and the stride: "
                    "the phases are counted by the stride."),
            *level_mistakes(powers, mirrored),
        ]  # fmt: skip

    def solve(self, given: Parameters) -> str:
        gains = ones_gains(given["kernel_size"], given["stride"])
        levels = ", ".join(f"{level:.2f}" for level in self.answer(given))
        return (
            f"The phase gains are {', '.join(f'{gain:g}' for gain in gains)}. They are a constant "
            "and one phase that differs by 1. The constant has no lines, and the one phase has "
            f"them all with the amplitude 1/L = 1/{given['stride']}. With a mirror image the power "
            f"is 2/L², at half the rate 1/L²: {levels} dB.".replace("-", "−")
        )


class TheMissingTap(NumberExercise):
    """A fourth tap, so that there is no line."""

    number = "2.2"
    title = "The missing tap"
    unit = "plain numbers"
    tolerance = 0.0051

    def draw(self, rng: np.random.Generator) -> Parameters:
        while True:
            taps = [int(n) for n in rng.integers(-9, 10, 5)]
            # All six answers below differ, so that each mistake shows itself.
            if len(set(taps)) == 5 and 0 not in taps:
                return {"taps": taps}

    def ask(self, given: Parameters) -> str:
        taps = ", ".join(map(str, given["taps"]))
        return (
            f"A transposed convolution of stride 2 has six taps: {taps} and one more, the last. "
            "Which value must it have so that a constant leaves without a line?".replace("-", "−")
        )

    def answer(self, given: Parameters) -> Sequence[float]:
        a, b, c, d, e = given["taps"]
        return [a + c + e - b - d]

    def mistakes(self, given: Parameters) -> Sequence[Mistake]:
        a, b, c, d, e = given["taps"]
        return [
            Mistake((b + d - a - c - e,), "Mind the sign: the last tap is added to the second and "
                    "the fourth."),
            Mistake((float(a),), "Symmetry is not enough. Add up the taps of each phase."),
            Mistake((a + b + c - d - e,), "You made the two halves equal. A phase holds every "
                    "second tap."),
            Mistake((-(a + b + c + d + e),), "You made the sum of all taps zero. That removes the "
                    "constant, not the line."),
            Mistake(((a + b + c + d + e) / 5,), "The mean of the others changes nothing. Compare "
                    "the sums of the even and of the odd taps."),
            Mistake((a + c + e,), "The second and the fourth tap are in its phase, too."),
        ]  # fmt: skip

    def solve(self, given: Parameters) -> str:
        a, b, c, d, e = given["taps"]
        return (
            f"The phase gains are g₀ = {a} + {c} + {e} = {a + c + e} and g₁ = {b} + {d} + h₅. They "
            f"are equal if h₅ = {a + c + e} − ({b + d}) = {a + c + e - b - d}."
        ).replace("-", "−")


class FreeTaps(NumberExercise):
    """How much freedom the condition leaves."""

    number = "2.3"
    title = "What is left to learn"
    unit = "a count"
    tolerance = 0.0

    def draw(self, rng: np.random.Generator) -> Parameters:
        stride = int(rng.choice([2, 4, 5, 8, 10]))
        return {
            "stride": stride,
            "kernel_size": stride * int(rng.integers(2, 5)),
            "inputs": int(rng.choice([2, 4, 8])),
            "outputs": int(rng.choice([3, 5, 6])),
        }

    def ask(self, given: Parameters) -> str:
        return (
            f"A transposed convolution has {given['inputs']} input channels, {given['outputs']} "
            f"output channels, {given['kernel_size']} taps and the stride {given['stride']}, and "
            "no bias. No constant, whatever its values in the channels, may leave with a line. "
            "How many of its weights can still be chosen freely?"
        )

    def answer(self, given: Parameters) -> Sequence[float]:
        pairs = given["inputs"] * given["outputs"]
        return [pairs * (given["kernel_size"] - given["stride"] + 1)]

    def mistakes(self, given: Parameters) -> Sequence[Mistake]:
        size, stride = given["kernel_size"], given["stride"]
        pairs = given["inputs"] * given["outputs"]
        return [
            Mistake((pairs * (size - stride),), "L equal gains are L − 1 conditions, not L: their "
                    "common value is free."),
            Mistake((pairs * size,), "These are all the weights. Each equation takes one away."),
            Mistake((pairs * size - (stride - 1),), "The conditions hold for every pair of an "
                    "input and an output channel."),
            Mistake((size - stride + 1,), "This is one pair of channels. Count them all."),
            Mistake((pairs * (size - 1),), "There is one condition for each phase but the first."),
            Mistake((pairs * size // stride,), "Taps of one phase need not be equal to those of "
                    "another. Only their sums must be."),
            Mistake((given["outputs"] * (given["inputs"] * size - stride + 1),),
                    "That is enough for one constant. For any values in the channels each input "
                    "channel must meet equal gains."),
        ]  # fmt: skip

    def solve(self, given: Parameters) -> str:
        size, stride = given["kernel_size"], given["stride"]
        return (
            f"For each pair of channels g₀ = g₁ = … are {stride - 1} equations for {size} taps, "
            f"and {size - stride + 1} taps stay free. There are {given['inputs']} · "
            f"{given['outputs']} pairs: {int(self.answer(given)[0])}."
        )


EXERCISES = (LinesOfOnes(), TheMissingTap(), FreeTaps())
