"""Chapter 5, subpixel: the order of channels, a bias before the shuffle, two names of one layer."""

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


class WhichChannel(NumberExercise):
    """From which channel an output sample comes, in two conventions."""

    number = "5.1"
    title = "Which channel?"
    unit = "two channel numbers: torch's order, then TensorFlow's"
    tolerance = 0.0

    def draw(self, rng: np.random.Generator) -> Parameters:
        while True:
            channels, factor = (int(n) for n in rng.integers(3, 9, 2))
            given = {
                "channels": channels,
                "factor": factor,
                "channel": int(rng.integers(1, channels)),
                "sample": int(rng.integers(2, 9)) * factor + int(rng.integers(1, factor)),
            }
            answers = self.answer(given)
            if channels != factor and answers[0] != answers[1]:
                return given

    def ask(self, given: Parameters) -> str:
        return (
            "A subpixel layer makes {channels} channels with the factor {factor}. Everything is "
            "counted from 0. From which of the {0} channels of its convolution does sample "
            "{sample} of output channel {channel} come: in torch's order (the phases of one output "
            "channel side by side), and in that of TensorFlow's `batch_to_space` (the output "
            "channels of one phase side by side)?"
        ).format(given["channels"] * given["factor"], **given)

    def answer(self, given: Parameters) -> Sequence[float]:
        phase = given["sample"] % given["factor"]
        return [
            given["channel"] * given["factor"] + phase,
            phase * given["channels"] + given["channel"],
        ]

    def mistakes(self, given: Parameters) -> Sequence[Mistake]:
        channels, factor = given["channels"], given["factor"]
        channel, sample = given["channel"], given["sample"]
        torch, tensorflow = self.answer(given)
        phase, place = sample % factor, sample // factor
        return [
            Mistake((tensorflow, torch), "You have them the other way round."),
            Mistake((torch + 1, tensorflow + 1), "Count from 0."),
            Mistake((torch, torch), "The second order differs: there all output channels of phase "
                    "0 come first."),
            Mistake((tensorflow, tensorflow), "The first order differs: there all phases of "
                    "output channel 0 come first."),
            Mistake((channel * factor + place, place * channels + channel), "The phase is the "
                    "remainder of the sample's number, not the quotient. The quotient says when."),
            Mistake((channel * channels + phase, phase * factor + channel), "You swapped the "
                    "number of channels and the factor."),
            Mistake((channel * factor + sample, sample * channels + channel), "The sample's number "
                    "counts time. Take its remainder by the factor: the phase."),
        ]  # fmt: skip

    def solve(self, given: Parameters) -> str:
        phase = given["sample"] % given["factor"]
        torch, tensorflow = self.answer(given)
        return (
            f"The phase is {given['sample']} mod {given['factor']} = {phase}. torch: "
            f"{given['channel']} · {given['factor']} + {phase} = {torch}. TensorFlow: {phase} · "
            f"{given['channels']} + {given['channel']} = {tensorflow}."
        )


class BiasLine(NumberExercise):
    """The line that a bias before the shuffle makes of silence."""

    number = "5.2"
    title = "A bias before the shuffle"
    unit = "dB"
    tolerance = 0.015

    def draw(self, rng: np.random.Generator) -> Parameters:
        while True:
            first, second = (int(n) / 100 for n in rng.integers(-40, 41, 2))
            difference, total = abs(first - second), abs(first + second)
            # Neither a level of 0 dB nor a sum that equals the difference.
            if difference > 0.1 and total > 0.05 and abs(difference - total) > 0.05:
                return {"biases": (first, second)}

    def ask(self, given: Parameters) -> str:
        one, other = (f"{bias:g}".replace("-", "−") for bias in given["biases"])
        return (
            "A subpixel layer makes one channel with the factor 2. The two biases of its "
            f"convolution are {one} and {other}. It is fed silence. How strong is the line at half "
            "the output rate, in dB re a mean square of 1? (Two decimals.)"
        )

    def _power(self, given: Parameters) -> float:
        first, second = given["biases"]
        return float(((first - second) / 2) ** 2)

    def answer(self, given: Parameters) -> Sequence[float]:
        return [decibels(self._power(given))]

    def mistakes(self, given: Parameters) -> Sequence[Mistake]:
        first, second = given["biases"]
        return [
            Mistake((decibels((first - second) ** 2),), "The mean of two samples divides by 2: "
                    "the amplitude is half the difference."),
            Mistake((decibels(((first + second) / 2) ** 2),), "This is the offset, the mean of the "
                    "two. The line is what differs."),
            Mistake((decibels((first**2 + second**2) / 2),), "This is the whole mean square, with "
                    "the offset."),
            Mistake((decibels(((first - second) / 2) ** 2 / 2),), "A line at half the rate "
                    "alternates between two values. Its mean square is its amplitude squared, not "
                    "half of that."),
            *level_mistakes([self._power(given)], [False]),
        ]  # fmt: skip

    def solve(self, given: Parameters) -> str:
        first, second = given["biases"]
        return (
            f"The output is {first:g}, {second:g}, {first:g}, … Its line at half the rate has the "
            f"amplitude ({first:g} − ({second:g}))/2 = {(first - second) / 2:g}, so the power "
            f"{self._power(given):.5g}: {decibels(self._power(given)):.2f} dB."
        ).replace("-", "−")


def as_transposed(weight: Array, factor: int) -> Array:
    """Return the taps of the transposed convolution that equals a subpixel layer.

    Parameters
    ----------
    weight : array (L, K)
        The convolution's kernels, one a phase, in torch's layout: they are cross-correlated.
    factor : int
        ``L``.

    Examples
    --------
    >>> as_transposed(np.array([[1.0, 2.0], [3.0, 4.0]]), 2)
    array([2., 4., 1., 3.])
    """
    # A framework's convolution turns its kernel round; phase i meets taps i, i + L, ...
    return weight[:, ::-1].T.reshape(-1)


class TwoNames(CodeExercise):
    """A subpixel layer as a transposed convolution."""

    number = "5.3"
    title = "Two names of one layer"

    def draw(self, rng: np.random.Generator) -> Parameters:
        return {"factor": int(rng.integers(2, 6)), "seed": int(rng.integers(2**31))}

    def ask(self, given: Parameters) -> str:
        return (
            "Write a function `answer_5_3(weight, L)`. It takes the kernels of a subpixel layer "
            "with one input and one output channel, an array of shape (L, K) in torch's layout "
            "(torch's convolution is a correlation), and returns the L · K taps of the transposed "
            "convolution of stride L that does the same."
        )

    def examine(self, answer: object, given: Parameters) -> str:
        function = function_in(answer, "answer_5_3(weight, L)")
        rng = np.random.default_rng(given["seed"])
        for factor, size in ((given["factor"], 3), (3, 5), (2, 1)):
            weight = rng.standard_normal((factor, size))
            found = array_of(function(weight.copy(), factor), "answer_5_3").reshape(-1)
            right = as_transposed(weight, factor)
            if found.shape != right.shape:
                return (
                    f"{factor} kernels of {size} taps make {factor * size} taps. You return "
                    f"{found.size}."
                )
            if np.allclose(found, right):
                continue
            if np.allclose(found, weight.T.reshape(-1)):
                return (
                    "torch's convolution does not turn its kernel round, a transposed convolution "
                    "paints it as it stands. Reverse the taps of each phase."
                )
            if np.allclose(found, weight.reshape(-1)):
                return "The kernels stand one behind the other. Phases take turns: interleave them."
            if np.allclose(found, weight[:, ::-1].reshape(-1)):
                return "Each kernel is turned round, as it must be. Now let the phases take turns."
            if np.allclose(found, right[::-1]):
                return "You turned everything round, the order of the phases, too."
            if np.allclose(found, factor * right) or np.allclose(found, right / factor):
                return "Right but for a factor of L. A shuffle does not change values."
            return "Feed an impulse to both layers, and compare what comes out."
        return ""

    def model(self, given: Parameters) -> object:
        return as_transposed

    def planted(self, given: Parameters) -> Mapping[str, object]:
        return {
            "torch's convolution does not turn": lambda weight, factor: weight.T.reshape(-1),
            "The kernels stand one behind": lambda weight, factor: weight.reshape(-1),
            "Each kernel is turned": lambda weight, factor: weight[:, ::-1].reshape(-1),
            "You turned everything": lambda weight, factor: as_transposed(weight, factor)[::-1],
            "Right but for a factor": lambda weight, factor: as_transposed(weight, factor) / factor,
            "Feed an impulse": lambda weight, factor: np.roll(as_transposed(weight, factor), 1),
        }

    def solve(self, given: Parameters) -> str:
        return "```python\ntaps = weight[:, ::-1].T.reshape(-1)\n```"


EXERCISES = (WhichChannel(), BiasLine(), TwoNames())
