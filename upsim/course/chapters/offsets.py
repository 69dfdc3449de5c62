"""Chapter 7, offsets: which bias feeds a line, what an activation adds, the line of a bias."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from upsim.course.chapters.line import DECODERS, ladder
from upsim.course.exercise import Mistake, NumberExercise, Parameters
from upsim.course.levels import decibels, level_mistakes


class WhichBias(NumberExercise):
    """The last bias that can feed a line."""

    number = "7.1"
    title = "Which bias feeds it?"
    unit = "the layer that makes the lines, then the layer of the bias"
    tolerance = 0.0

    def draw(self, rng: np.random.Generator) -> Parameters:
        whole = [each for each in DECODERS if not each[0] % prod(each[1])]
        rate, strides = whole[int(rng.integers(len(whole)))]
        return {"rate": rate, "strides": strides, "layer": int(rng.integers(2, len(strides) + 1))}

    def ask(self, given: Parameters) -> str:
        spacing = ladder(given["rate"], given["strides"])[given["layer"] - 1]
        return (
            f"A vocoder of {given['rate']} Hz with the strides "
            f"{', '.join(map(str, given['strides']))} answers silence with lines every "
            f"{spacing:g} Hz. Each upsampler adds a bias behind its taps. Which upsampler makes "
            "these lines, and of which upsampler is the last bias that can feed them?"
        )

    def answer(self, given: Parameters) -> Sequence[float]:
        return [given["layer"], given["layer"] - 1]

    def mistakes(self, given: Parameters) -> Sequence[Mistake]:
        layer, count = given["layer"], len(given["strides"])
        return [
            Mistake((layer, layer), "A layer adds its own bias behind its taps. There it is an "
                    "offset of the output, and repeats nothing: it feeds the next layer."),
            Mistake((layer - 1, layer - 1), "The bias is right. The lines are made one layer "
                    "later, where that offset is repeated."),
            Mistake((layer - 1, layer - 2), "Divide the rate by the layer's own stride, too."),
            Mistake((count + 1 - layer, count - layer), "Count the layers from the input."),
            Mistake((layer, 0), "The input is silent. Biases on the way are not."),
            Mistake((layer, 1), "The first bias can feed it, but a later one can, too."),
            Mistake((layer, layer + 1), "A bias behind the lines cannot feed them."),
        ]  # fmt: skip

    def solve(self, given: Parameters) -> str:
        layer = given["layer"]
        steps = ", ".join(f"{each:g}" for each in ladder(given["rate"], given["strides"]))
        return (
            f"The ladder is {steps} Hz: layer {layer} makes lines so far apart. It repeats the "
            f"offset at its input, and the last bias before it is that of layer {layer - 1}."
        )


class TwoLines(NumberExercise):
    """What an activation makes of two lines."""

    number = "7.2"
    title = "Two lines and a square"
    unit = "Hz, ascending"
    tolerance = 0.5

    def draw(self, rng: np.random.Generator) -> Parameters:
        while True:
            first, second = sorted(100 * int(n) for n in rng.integers(7, 48, 2))
            given = {"rate": 10000, "first": first, "second": second}
            # Four lines of their own, the highest folded.
            if 2 * second > 5000 and len({0, 5000, first, second, *self.answer(given)}) == 8:
                return given

    @staticmethod
    def _folded(frequency: float, rate: float) -> float:
        within = frequency % rate
        return min(within, rate - within)

    def ask(self, given: Parameters) -> str:
        return (
            "Two sines of {first} and {second} Hz, sampled at {rate} Hz, go through an activation "
            "that squares each sample. At which four frequencies above 0 Hz, up to half the rate, "
            "does energy leave?".format(**given)
        )

    def answer(self, given: Parameters) -> Sequence[float]:
        first, second = given["first"], given["second"]
        made = (second - first, 2 * first, first + second, 2 * second)
        return sorted(self._folded(each, given["rate"]) for each in made)

    def mistakes(self, given: Parameters) -> Sequence[Mistake]:
        first, second, rate = given["first"], given["second"], given["rate"]
        made = (second - first, 2 * first, first + second, 2 * second)
        return [
            Mistake(tuple(sorted(map(float, made))), "Nothing above half the rate exists: it folds "
                    "to the rate minus the frequency."),
            Mistake(tuple(sorted(self._folded(2 * f, rate) for f in (first, second))),
                    "These are the harmonics. The product of the two sines makes their sum and "
                    "their difference as well."),
            Mistake((second - first, self._folded(first + second, rate)), "Each sine is multiplied "
                    "by itself, too."),
            Mistake((float(first), float(second)), "A square is even: the sines themselves do not "
                    "leave."),
            Mistake(tuple(each for each in sorted(map(float, made)) if each <= rate / 2),
                    "What lies above half the rate does not vanish. It folds."),
            Mistake(tuple(sorted(self._folded(3 * f, rate) for f in (first, second))),
                    "Third harmonics need a cube."),
            Mistake(tuple(sorted(each % (rate / 2) for each in made)), "Folding mirrors at half "
                    "the rate: take the rate minus the frequency."),
        ]  # fmt: skip

    def solve(self, given: Parameters) -> str:
        first, second = given["first"], given["second"]
        found = ", ".join(f"{each:g}" for each in self.answer(given))
        return (
            f"The square of a sum of two cosines has 2·{first}, 2·{second}, {first}+{second} and "
            f"{second}−{first} Hz (and an offset). What lies above {given['rate'] // 2} Hz folds "
            f"to {given['rate']} Hz minus itself: {found} Hz."
        )


class SilenceWithABias(NumberExercise):
    """The line of a bias, an activation and two phase gains."""

    number = "7.3"
    title = "Silence with a bias"
    unit = "dB"
    tolerance = 0.015

    def draw(self, rng: np.random.Generator) -> Parameters:
        taps = [int(n) for n in rng.choice([1, 2, 4, 5, 7, 8], 4, replace=False)]
        if taps[0] + taps[2] == taps[1] + taps[3]:
            taps[0] += 1
        return {
            "bias": -int(rng.integers(3, 10)) / 10,
            "slope": float(rng.choice([0.1, 0.2, 0.3])),
            "taps": tuple(each / 10 for each in taps),
        }

    def ask(self, given: Parameters) -> str:
        taps = ", ".join(f"{tap:g}" for tap in given["taps"])
        bias = f"{given['bias']:g}".replace("-", "−")
        return (
            f"Silence goes through a convolution with the bias {bias}, a LeakyReLU of slope "
            f"{given['slope']:g} and a transposed convolution of stride 2 with the taps {taps} and "
            "no bias. How strong is the line at half the output rate, in dB re a mean square of 1? "
            "(Two decimals.)"
        )

    @staticmethod
    def _difference(given: Parameters) -> float:
        a, b, c, d = given["taps"]
        return float((a + c - b - d) / 2)

    def _power(self, given: Parameters) -> float:
        return float((given["slope"] * given["bias"] * self._difference(given)) ** 2)

    def answer(self, given: Parameters) -> Sequence[float]:
        return [decibels(self._power(given))]

    def mistakes(self, given: Parameters) -> Sequence[Mistake]:
        a, b, c, d = given["taps"]
        offset = given["slope"] * given["bias"]
        return [
            Mistake((decibels((given["bias"] * self._difference(given)) ** 2),), "The bias is "
                    "negative: the activation multiplies it by its slope."),
            Mistake((decibels((2 * offset * self._difference(given)) ** 2),), "The amplitude of an "
                    "alternation is half the difference of its two values."),
            Mistake((decibels((offset * (a + b + c + d) / 2) ** 2),), "This is the offset that "
                    "leaves. The line is what the phase gains differ by."),
            Mistake((decibels((offset * (a + b - c - d) / 2) ** 2),), "A phase holds every second "
                    "tap, not one half of the kernel."),
            *level_mistakes([self._power(given)], [False]),
        ]  # fmt: skip

    def solve(self, given: Parameters) -> str:
        a, b, c, d = given["taps"]
        offset = given["slope"] * given["bias"]
        return (
            f"The activation makes {offset:g} of the bias. The phase gains are {a + c:g} and "
            f"{b + d:g}, so the line has the amplitude {abs(offset * self._difference(given)):.4g}:"
            f" {decibels(self._power(given)):.2f} dB."
        ).replace("-", "−")


EXERCISES = (WhichBias(), TwoLines(), SilenceWithABias())
