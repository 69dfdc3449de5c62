"""Chapter 6, stacks: the ladder, a place on it, and what a repair leaves."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from upsim.course.chapters.line import DECODERS, first_layer, ladder
from upsim.course.exercise import Mistake, NumberExercise, Parameters


class TheLadder(NumberExercise):
    """All spacings of a decoder."""

    number = "6.1"
    title = "The ladder"
    unit = "Hz, from layer 1 to the last"
    tolerance = 0.0051

    def draw(self, rng: np.random.Generator) -> Parameters:
        options = [each for each in DECODERS if each[1] != each[1][::-1]]
        rate, strides = options[int(rng.integers(len(options)))]
        return {"rate": rate, "strides": strides}

    def ask(self, given: Parameters) -> str:
        return (
            f"A decoder puts out {given['rate']} Hz with the strides "
            f"{', '.join(map(str, given['strides']))}. How far apart are the lines of each layer, "
            "in Hz (two decimals)?"
        )

    def answer(self, given: Parameters) -> Sequence[float]:
        return ladder(given["rate"], given["strides"])

    def mistakes(self, given: Parameters) -> Sequence[Mistake]:
        rate, strides = given["rate"], given["strides"]
        right = self.answer(given)
        forward = [rate / prod(strides[: n + 1]) for n in range(len(strides))]
        return [
            Mistake(tuple(right[::-1]), "You began at the output. Layer 1 is next to the input and "
                    "has the smallest spacing."),
            Mistake(tuple(forward), "You divided by the strides from the input to the layer. What "
                    "counts are those from the layer to the output."),
            Mistake(tuple(ladder(rate, strides[::-1])), "You took the strides from behind."),
            Mistake((*right[1:], float(rate)), "These are the layers' output rates. Lines lie at "
                    "multiples of a layer's input rate."),
            Mistake(tuple(each / 2 for each in right), "Lines lie at multiples of the input rate, "
                    "not of half of it."),
            Mistake(tuple(rate / stride for stride in strides), "Each layer's own stride is not "
                    "enough: those behind it divide, too."),
        ]  # fmt: skip

    def solve(self, given: Parameters) -> str:
        steps = ", ".join(f"{each:.2f}" for each in self.answer(given))
        return (
            "Begin at the output and divide by one stride after the other, from the last to the "
            f"first. From layer 1 on: {steps} Hz."
        )


class FourKilohertz(NumberExercise):
    """A line at 4 kHz for strides of product 600."""

    number = "6.2"
    title = "4 kHz at 48 kHz"
    unit = "the layer, and the multiple of its spacing"
    tolerance = 0.0

    def draw(self, rng: np.random.Generator) -> Parameters:
        while True:
            # Products of 600, in any order.
            lists = [(10, 5, 4, 3), (10, 6, 5, 2), (5, 5, 4, 3, 2), (8, 5, 5, 3), (6, 5, 5, 4)]
            strides = tuple(int(n) for n in rng.permutation(lists[int(rng.integers(len(lists)))]))
            if 1 < first_layer(4000, 48000, strides) < len(strides):
                return {"strides": strides}

    def ask(self, given: Parameters) -> str:
        return (
            "Users of a vocoder at 48 kHz see a line at 4 kHz. Its strides are "
            f"{', '.join(map(str, given['strides']))}. At which layer was the line first possible, "
            "and which multiple of that layer's spacing is it?"
        )

    def _at(self, given: Parameters, layer: int) -> tuple[float, float]:
        return float(layer), 4000 / (48000 / prod(given["strides"][layer - 1 :]))

    def answer(self, given: Parameters) -> Sequence[float]:
        return self._at(given, first_layer(4000, 48000, given["strides"]))

    def mistakes(self, given: Parameters) -> Sequence[Mistake]:
        layer, multiple = self.answer(given)
        count = len(given["strides"])
        number = int(layer)
        return [
            Mistake(self._at(given, 1), "Layer 1 could make it. But a later layer suffices: take "
                    "the last whose spacing divides 4 kHz."),
            Mistake((count + 1 - layer, multiple), "The multiple is right. Count the layers from "
                    "the input."),
            Mistake((layer, 12.0), "12 is the output rate over the line. Divide the line by the "
                    "layer's spacing."),
            Mistake(self._at(given, number + 1), "That layer's spacing does not divide 4 kHz."),
            Mistake(self._at(given, number - 1), "That layer could make it, but one behind it "
                    "suffices."),
            Mistake((layer, 1.0), "It is a line of that layer, but not the lowest one."),
            Mistake((layer, 2 * multiple), "Lines lie at multiples of the input rate, not of half "
                    "of it."),
        ]  # fmt: skip

    def solve(self, given: Parameters) -> str:
        steps = ", ".join(f"{each:g}" for each in ladder(48000, given["strides"]))
        layer, multiple = self.answer(given)
        return (
            f"The ladder is {steps} Hz. The last step that divides 4000 Hz is that of layer "
            f"{int(layer)}, {int(multiple)} times."
        )


class AfterTheRepair(NumberExercise):
    """How many lines a repaired layer leaves."""

    number = "6.3"
    title = "What survives a repair"
    unit = "a count"
    tolerance = 0.0

    def draw(self, rng: np.random.Generator) -> Parameters:
        strides = tuple(int(n) for n in rng.choice([2, 3, 4, 5], 4))
        return {"strides": strides, "layer": int(rng.integers(2, 4))}

    def ask(self, given: Parameters) -> str:
        return (
            f"A decoder with the strides {', '.join(map(str, given['strides']))} has lines at all "
            "multiples of its lowest frequency, up to half the output rate. Now layer "
            f"{given['layer']} gets equal phase gains for all its channels. How many lines above "
            "0 Hz can be left?"
        )

    @staticmethod
    def _lines(product: int) -> int:
        return product // 2

    def _counts(self, given: Parameters) -> tuple[int, int, int]:
        strides, layer = given["strides"], given["layer"]
        return (
            self._lines(prod(strides)),
            self._lines(prod(strides[layer - 1 :])),
            self._lines(prod(strides[layer:])),
        )

    def answer(self, given: Parameters) -> Sequence[float]:
        every, own, behind = self._counts(given)
        return [every - (own - behind)]

    def mistakes(self, given: Parameters) -> Sequence[Mistake]:
        every, own, behind = self._counts(given)
        strides, layer = given["strides"], given["layer"]
        return [
            Mistake((float(every),), "The repaired layer has zeros at the multiples of its "
                    "spacing. Lines of earlier layers that lie there go, too."),
            Mistake((float(own - behind),), "These are the lines that go."),
            Mistake((float(every - own),), "Multiples that a later layer can make as well come "
                    "back there."),
            Mistake((float(behind),), "Lines of earlier layers between the zeros stay."),
            Mistake((float(every - (strides[layer - 1] - 1)),), "The zeros are copied by the "
                    "layers behind: there are more of them at the output."),
            Mistake((float(2 * (every - own + behind)),), "A line and its mirror image are one."),
            Mistake((float(own),), "This is how many multiples of the layer's spacing there are."),
        ]  # fmt: skip

    def solve(self, given: Parameters) -> str:
        every, own, behind = self._counts(given)
        return (
            f"Up to half the rate there are {every} multiples of f₁, {own} of the repaired "
            f"layer's spacing, {behind} of the next layer's. The layer's zeros remove "
            f"{own} − {behind} lines, and {every - own + behind} can be left."
        )


EXERCISES = (TheLadder(), FourKilohertz(), AfterTheRepair())
