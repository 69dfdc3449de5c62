"""Chapter 3, transposed convolution: silent multiples, random taps, lengths."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd

import numpy as np

from upsim.course.exercise import Mistake, NumberExercise, Parameters
from upsim.course.levels import decibels, level_mistakes


class SilentMultiple(NumberExercise):
    """The multiple at which a partial overlap makes no line."""

    number = "3.1"
    title = "The silent multiple"
    unit = "Hz"
    tolerance = 0.5

    def draw(self, rng: np.random.Generator) -> Parameters:
        # One multiple strictly below half the rate, or at it, is silent.
        pairs = [(8, 6), (10, 4), (6, 4), (9, 6), (15, 6), (10, 8), (14, 8), (14, 4), (15, 10)]
        pairs = [(k, s) for k, s in pairs if len(self._silent(k, s)) == 1]
        size, stride = pairs[int(rng.integers(len(pairs)))]
        return {"kernel_size": size, "stride": stride, "rate": 1000 * int(rng.integers(1, 9))}

    @staticmethod
    def _silent(size: int, stride: int) -> list[int]:
        return [k for k in range(1, stride // 2 + 1) if k * size % stride == 0]

    def ask(self, given: Parameters) -> str:
        return (
            f"A transposed convolution of {given['kernel_size']} ones and the stride "
            f"{given['stride']} raises the rate from {given['rate']} Hz. Its overlap is partial, "
            "and a constant leaves with lines. But at one multiple of the input rate, from that "
            "rate up to half the output rate, there is none. At which frequency?"
        )

    def answer(self, given: Parameters) -> Sequence[float]:
        return [given["rate"] * self._silent(given["kernel_size"], given["stride"])[0]]

    def mistakes(self, given: Parameters) -> Sequence[Mistake]:
        size, stride, rate = given["kernel_size"], given["stride"], given["rate"]
        step = self._silent(size, stride)[0]
        return [
            Mistake((float(step),), "This is the number of the multiple. The question asks for a "
                    "frequency."),
            Mistake((rate * gcd(size, stride),), "You took the common divisor itself. Zeros are "
                    "where k · K / L is a whole number."),
            Mistake((rate * stride * stride / size,), "A zero of the kernel's response lies at "
                    "multiples of the output rate over K. Only one that is also a multiple of the "
                    "input rate meets a line."),
            Mistake((rate * stride / size,), "This is the first zero of the response. A line would "
                    "have to be there for it to remove one."),
            Mistake((rate * size,), "You swapped K and L."),
            Mistake((rate * stride / 2,), "Not every partial overlap is silent at half the rate: "
                    "that needs a K for which K/2 is a whole number."),
            Mistake((rate * (step - 1),), "Lines are counted from the input rate: k = 1 is that "
                    "rate itself."),
            Mistake((step / stride,), "This is the fraction of the output rate. Give Hz."),
        ]  # fmt: skip

    def solve(self, given: Parameters) -> str:
        size, stride = given["kernel_size"], given["stride"]
        k = self._silent(size, stride)[0]
        return (
            f"Ones have |a_k| ∝ |sin(πkK/L)|. It is zero where kK/L is whole: "
            f"k = {k}, since {k} · {size} / {stride} = {k * size // stride}. That is "
            f"{k} · {given['rate']} Hz = {k * given['rate']} Hz."
        )


class ExpectedLine(NumberExercise):
    """The expected power of a line over all random taps."""

    number = "3.2"
    title = "A line of random taps"
    unit = "dB"
    tolerance = 0.015

    def draw(self, rng: np.random.Generator) -> Parameters:
        stride = int(rng.integers(3, 9))
        return {
            "stride": stride,
            "kernel_size": stride * int(rng.integers(2, 4)),
            "variance": float(rng.choice([0.01, 0.02, 0.03, 0.05, 0.06, 0.08])),
        }

    def ask(self, given: Parameters) -> str:
        return (
            f"The {given['kernel_size']} taps of a transposed convolution of stride "
            f"{given['stride']} are drawn independently, with mean 0 and variance "
            f"{given['variance']:g}. It is fed the constant 1. How strong do you expect the line "
            f"at 1/{given['stride']} of the output rate, in dB re a mean square of 1? (With its "
            "mirror image. Two decimals.)"
        )

    def _power(self, given: Parameters) -> float:
        # E|H|^2 = K sigma^2 at every frequency; amplitude H / L; the mirror image doubles.
        return float(2 * given["kernel_size"] * given["variance"] / given["stride"] ** 2)

    def answer(self, given: Parameters) -> Sequence[float]:
        return [decibels(self._power(given))]

    def mistakes(self, given: Parameters) -> Sequence[Mistake]:
        size, stride, variance = given["kernel_size"], given["stride"], given["variance"]
        return [
            Mistake((decibels(2 * size * variance),), "This is E|H|², twice. A line's amplitude is "
                    "H / L."),
            Mistake((decibels(2 * size**2 * variance / stride**2),), "Independent taps do not add "
                    "in step: their powers add, K σ², not K² σ²."),
            Mistake((decibels(2 * size * variance / stride),), "The amplitude is divided by L, so "
                    "the power by L²."),
            Mistake((decibels(2 * stride * variance / size**2),), "You swapped K and L."),
            Mistake((decibels(2 * size * variance**2 / stride**2),), "The variance is the mean "
                    "square of a tap already."),
            *level_mistakes([self._power(given)], [True]),
        ]  # fmt: skip

    def solve(self, given: Parameters) -> str:
        return (
            f"E|H(k/L)|² = K σ² at every k, since the cross terms vanish. So E|a_k|² = K σ² / L² "
            f"and the line has 2 · {given['kernel_size']} · {given['variance']:g} / "
            f"{given['stride']}² = {self._power(given):.5g}: {decibels(self._power(given)):.2f} dB."
        ).replace("-", "−")


class LengthFormula(NumberExercise):
    """The output length of a transposed convolution."""

    number = "3.3"
    title = "How many samples come out?"
    unit = "samples"
    tolerance = 0.0

    def draw(self, rng: np.random.Generator) -> Parameters:
        stride = int(rng.integers(3, 9))
        return {
            "n": int(rng.integers(20, 101)),
            "stride": stride,
            "kernel_size": 2 * stride + int(rng.integers(1, 4)),
            "padding": int(rng.integers(2, 5)),
            "output_padding": int(rng.integers(1, stride)),
            "dilation": int(rng.integers(2, 4)),
        }

    def ask(self, given: Parameters) -> str:
        return (
            "`TransposedConv(1, 1, kernel_size={kernel_size}, stride={stride}, padding={padding}, "
            "output_padding={output_padding}, dilation={dilation})` is fed {n} samples. How many "
            "come out?".format(**given)
        )

    @staticmethod
    def _length(given: Parameters) -> int:
        return int(
            (given["n"] - 1) * given["stride"]
            - 2 * given["padding"]
            + given["dilation"] * (given["kernel_size"] - 1)
            + given["output_padding"]
            + 1
        )

    def answer(self, given: Parameters) -> Sequence[float]:
        return [self._length(given)]

    def mistakes(self, given: Parameters) -> Sequence[Mistake]:
        right = self._length(given)
        n, stride, size = given["n"], given["stride"], given["kernel_size"]
        padding, dilation = given["padding"], given["dilation"]
        down = (n + 2 * padding - dilation * (size - 1) - 1) // stride + 1
        return [
            Mistake((n * stride,), "That would be the length if nothing stuck out and nothing was "
                    "cut. Count the kernel's width and the padding."),
            Mistake((right + stride,), "n copies begin at 0, L, …, (n − 1) L: there is no L behind "
                    "the last."),
            Mistake((right + padding,), "Padding cuts samples at both ends."),
            Mistake((right + 4 * padding,), "In a transposed convolution padding cuts. It does not "
                    "add."),
            Mistake((right - given["output_padding"],), "output_padding adds samples at the end."),
            Mistake((right - (dilation - 1) * (size - 1),), "A dilated kernel is "
                    "dilation · (K − 1) + 1 samples wide."),
            Mistake((down,), "This is the formula of the convolution, which shortens."),
            Mistake((right - 1,), "A kernel of K taps reaches over K samples: K − 1 steps "
                    "and one."),
        ]  # fmt: skip

    def solve(self, given: Parameters) -> str:
        return (
            "(n − 1) · stride − 2 · padding + dilation · (kernel_size − 1) + output_padding + 1 = "
            "{0} · {stride} − 2 · {padding} + {dilation} · {1} + {output_padding} + 1 = {2}."
        ).format(given["n"] - 1, given["kernel_size"] - 1, self._length(given), **given)


EXERCISES = (SilentMultiple(), ExpectedLine(), LengthFormula())
