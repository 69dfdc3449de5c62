"""Chapter 0, the line: arithmetic of rates and strides."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from upsim.course.exercise import Mistake, NumberExercise, Parameters

#: Decoders as people have them: output rate, strides.
DECODERS = (
    (22050, (8, 8, 2, 2)),
    (48000, (10, 6, 2, 2, 2)),
    (40000, (10, 10, 2, 2)),
    (32000, (10, 4, 2, 2, 2)),
    (24000, (8, 5, 4, 2)),
    (16000, (5, 4, 2, 2, 2)),
    (44100, (8, 8, 4, 2)),
    (24000, (4, 4, 2, 2, 2, 2)),
)


def ladder(rate: int, strides: Sequence[int]) -> list[float]:
    """Return the spacing of each layer's lines in Hz: the output rate over the strides from it on.

    Examples
    --------
    >>> ladder(48000, (10, 6, 2, 2, 2))
    [100.0, 1000.0, 6000.0, 12000.0, 24000.0]
    """
    return [rate / prod(strides[layer:]) for layer in range(len(strides))]


def first_layer(frequency: float, rate: int, strides: Sequence[int]) -> int:
    """Return the last layer (from 1) whose spacing divides a frequency; 0 if none does.

    Examples
    --------
    >>> first_layer(5000, 48000, (10, 6, 2, 2, 2)), first_layer(5050, 48000, (10, 6, 2, 2, 2))
    (2, 0)
    """
    # Whole numbers: frequency * product / rate must be a whole multiple.
    return max(
        (
            layer + 1
            for layer in range(len(strides))
            if frequency * prod(strides[layer:]) % rate == 0
        ),
        default=0,
    )


class NameTheLayer(NumberExercise):
    """A line's place names its layer."""

    number = "0.1"
    title = "Name the layer"
    unit = "the layer's number, the first is 1"
    tolerance = 0.0

    def draw(self, rng: np.random.Generator) -> Parameters:
        """Draw a decoder and a line that one of its middle layers can make."""
        # Rates that all spacings divide: the lines lie on whole hertz.
        whole = [each for each in DECODERS if not each[0] % prod(each[1])]
        rate, strides = whole[int(rng.integers(len(whole)))]
        layer = int(rng.integers(2, len(strides)))
        spacing = rate // prod(strides[layer - 1 :])
        multiples = [m for m in range(2, rate // 2 // spacing + 1) if m % strides[layer - 1]] or [1]
        return {
            "rate": rate,
            "strides": strides,
            "line": spacing * multiples[int(rng.integers(len(multiples)))],
        }

    def ask(self, given: Parameters) -> str:
        return (
            f"A decoder puts out {given['rate']} Hz with the strides "
            f"{', '.join(map(str, given['strides']))}. There is a steady line at "
            f"{given['line']} Hz. At which layer was it first possible?"
        )

    def answer(self, given: Parameters) -> Sequence[float]:
        """Return the last layer whose spacing divides the line."""
        return [first_layer(given["line"], given["rate"], given["strides"])]

    def mistakes(self, given: Parameters) -> Sequence[Mistake]:
        rate, strides, line = given["rate"], given["strides"], given["line"]
        right = int(self.answer(given)[0])
        count = len(strides)
        forward = first_layer(line, rate, strides[::-1])
        return [
            Mistake((1.0,), "Layer 1 could have a part in it, but a later layer suffices. Take the "
                    "last layer whose spacing divides the line."),
            Mistake((float(count + 1 - right),), "You counted from the output. The first layer is "
                    "the one next to the input."),
            Mistake((float(right - 1),), "Layers are counted from 1, and a layer's own stride "
                    "belongs to its spacing."),
            Mistake((float(forward),), "The strides after a layer multiply its spacing, not those "
                    "before it. Divide the output rate by the strides from the layer to the end."),
            Mistake((float(right + 1),), "That layer's spacing does not divide the line. Divide "
                    "and look for a remainder."),
            Mistake((float(count),), "The last layer makes lines at multiples of the output rate "
                    "over its stride only."),
        ]  # fmt: skip

    def solve(self, given: Parameters) -> str:
        steps = ", ".join(
            f"layer {n + 1}: {spacing:g} Hz"
            for n, spacing in enumerate(ladder(given["rate"], given["strides"]))
        )
        return (
            f"Divide the output rate by the strides from each layer to the end: {steps}. The last "
            f"of these that divides {given['line']} Hz is that of layer "
            f"{int(self.answer(given)[0])}."
        )


class LowestLine(NumberExercise):
    """The spacing of the first layer."""

    number = "0.2"
    title = "The lowest line"
    unit = "Hz"
    tolerance = 0.01

    def draw(self, rng: np.random.Generator) -> Parameters:
        rate, strides = DECODERS[int(rng.integers(len(DECODERS)))]
        return {"rate": rate, "strides": strides}

    def ask(self, given: Parameters) -> str:
        return (
            f"A decoder puts out {given['rate']} Hz with the strides "
            f"{', '.join(map(str, given['strides']))}. Which is the lowest frequency above 0 at "
            "which one of its layers can make a line? (In Hz, two decimals.)"
        )

    def answer(self, given: Parameters) -> Sequence[float]:
        """Return the spacing of layer 1."""
        return [ladder(given["rate"], given["strides"])[0]]

    def mistakes(self, given: Parameters) -> Sequence[Mistake]:
        rate, strides = given["rate"], given["strides"]
        return [
            Mistake((rate / strides[0],), "You divided by the first stride alone. The strides "
                    "after it count as well: they raise the rate, too."),
            Mistake((rate / strides[-1],), "You divided by the last stride alone. That is the "
                    "lowest line of the last layer."),
            Mistake((rate / 2 / prod(strides),), "You took half the output rate. Lines lie at "
                    "multiples of a layer's input rate, not of half of it."),
            Mistake((rate / sum(strides),), "Strides multiply. They do not add."),
            Mistake((float(prod(strides)),), "This is the number of output samples for each input "
                    "sample. Divide the output rate by it."),
            Mistake((rate / prod(strides) / 1000,), "The question asks for Hz, not kHz."),
        ]  # fmt: skip

    def solve(self, given: Parameters) -> str:
        rate, strides = given["rate"], given["strides"]
        return (
            f"{rate} / ({' · '.join(map(str, strides))}) = {rate} / {prod(strides)} = "
            f"{rate / prod(strides):.2f} Hz. It is the rate of the decoder's input."
        )


class ReadTheSpacing(NumberExercise):
    """From a picture's bins to hertz, and to a layer."""

    number = "0.3"
    title = "Read the spacing off a picture"
    unit = "Hz, then the layer's number"
    tolerance = 0.01

    def draw(self, rng: np.random.Generator) -> Parameters:
        """Draw a decoder, a layer and an FFT whose bins its lines meet."""
        options = []
        for rate, strides in DECODERS:
            for layer in range(1, len(strides)):
                tail = prod(strides[layer - 1 :])
                options += [
                    (rate, strides, bins, 2 * bins // tail)
                    for bins in (256, 512, 1024)
                    if 2 * bins % tail == 0 and 2 <= 2 * bins // tail <= 64
                ]
        rate, strides, bins, every = options[int(rng.integers(len(options)))]
        return {"rate": rate, "strides": strides, "bins": bins, "every": every}

    def ask(self, given: Parameters) -> str:
        return (
            f"A spectrogram of silence through a decoder of {given['rate']} Hz has {given['bins']} "
            f"bins from 0 Hz to half the rate. Every bin whose number is a multiple of "
            f"{given['every']} is bright. The strides are {', '.join(map(str, given['strides']))}. "
            "How far apart are the lines, in Hz (two decimals)? Which layer makes lines so far "
            "apart?"
        )

    def answer(self, given: Parameters) -> Sequence[float]:
        """Return the spacing and its layer."""
        spacing = given["every"] * given["rate"] / (2 * given["bins"])
        return [spacing, self._layer(given, spacing)]

    def _layer(self, given: Parameters, spacing: float) -> float:
        rungs = ladder(given["rate"], given["strides"])
        return float(int(np.argmin(np.abs(np.log(np.array(rungs) / spacing)))) + 1)

    def mistakes(self, given: Parameters) -> Sequence[Mistake]:
        spacing, layer = self.answer(given)
        count = len(given["strides"])
        double, half, bin_ = 2 * spacing, spacing / 2, spacing / given["every"]
        return [
            Mistake((double, self._layer(given, double)), "The bins reach to half the rate. A bin "
                    "is rate / (2 · bins) wide."),
            Mistake((double, layer), "The layer is right. The bins reach to half the rate, so a "
                    "bin is rate / (2 · bins) wide."),
            Mistake((half, self._layer(given, half)), "You halved once too often: the bins divide "
                    "half the rate."),
            Mistake((bin_, self._layer(given, bin_)), "This is the width of one bin. Only every "
                    f"{given['every']}th is bright."),
            Mistake((spacing, float(count + 1 - layer)), "The spacing is right. Count the layers "
                    "from the input."),
            Mistake((spacing, layer - 1), "The spacing is right. A layer's own stride belongs to "
                    "its spacing."),
            Mistake((spacing, layer + 1), "The spacing is right. A layer's own stride belongs to "
                    "its spacing; you left it out."),
        ]  # fmt: skip

    def solve(self, given: Parameters) -> str:
        spacing, layer = self.answer(given)
        return (
            f"A bin is {given['rate']} / (2 · {given['bins']}) = "
            f"{given['rate'] / 2 / given['bins']:.4f} Hz wide, and {given['every']} of them are "
            f"{spacing:.2f} Hz. The ladder is "
            f"{', '.join(f'{each:.2f}' for each in ladder(given['rate'], given['strides']))} Hz: "
            f"layer {int(layer)}."
        )


EXERCISES = (NameTheLayer(), LowestLine(), ReadTheSpacing())
