"""The layers that tones are born in, and what these layers did.

A constant in front of a layer becomes a signal of that layer's output period, and no later layer
makes that period longer.  So a line that a constant BEFORE a layer can leave at the output, and a
constant BEHIND it cannot, was first possible there.  Where one layer alone is such a place, the
witness shows what it does: the layer is fed its input's mean, and the lines of what comes out are
split into the bias, an all-ones kernel of the same taps, and the rest.
"""

from __future__ import annotations

from fractions import Fraction
from math import lcm

import numpy as np
from numpy.typing import NDArray

from upsim.answer.prediction import Prediction
from upsim.layers.subpixel import PeriodicShuffle
from upsim.layers.wavelet import TwoBandSynthesis
from upsim.network.stack import Stack, Step
from upsim.operators import StretchFIR
from upsim.theory.lines.tones import Tone
from upsim.verification.report import Check
from upsim.verification.witness import Run, Witness, run_period
from upsim.words.tolerance import probable

Real = NDArray[np.float64]


def judge_births(prediction: Prediction, run: Run, witness: Witness) -> list[Check]:
    """Judge the layer and the cause of each tone, as far as a run decides them."""
    stack = prediction.stack
    tones = prediction.tones
    if not tones:
        return []
    sines = any(
        line.frequency for line in prediction.signal.lines(stack.in_channels, stack.input_rate)
    )
    makers = Makers(stack)
    places = _Patterns(stack, run, witness)
    wrong_layers, wrong_causes, open_layers, open_causes = 0, 0, 0, 0
    for tone in tones:
        if not tone.fraction:
            if not tone.contributions:
                open_layers, open_causes = open_layers + 1, open_causes + 1
                continue
            # The offset is put down to its strongest share.
            wrong_layers += tone.layer != tone.contributions[0].layer
            wrong_causes += tone.cause != tone.contributions[0].cause
            continue
        steps = makers.of(tone.fraction)
        if sines or len(steps) != 1:
            open_layers, open_causes = open_layers + 1, open_causes + 1
            continue
        causes = places.causes(steps[0], tone)
        if causes is None:
            open_layers, open_causes = open_layers + 1, open_causes + 1
            continue
        wrong_layers += tone.layer != stack.steps[steps[0]].label
        if len(causes) > 1:
            open_causes += 1
        else:
            wrong_causes += tone.cause not in causes
    checks = []
    for name, wrong, unknown in (
        ("first layers", wrong_layers, open_layers),
        ("causes", wrong_causes, open_causes),
    ):
        known = len(tones) - unknown
        if known:
            about = f"{name} of {known} tone{'s' if known > 1 else ''}, by runs of single layers"
            checks.append(Check(name, about, float(wrong), 0.0))
        if unknown:
            reason = (
                f"{unknown} of {len(tones)} tones: a run does not decide where several layers, an "
                "activation or a line of the input may have made them"
            )
            checks.append(Check.skipped(name, reason))
    return checks


class Makers:
    """The steps at which a line of the output was first possible, made of a constant."""

    def __init__(self, stack: Stack) -> None:
        self.steps = stack.steps
        self._periods = [self._pairs(number) for number in range(len(self.steps))]

    def of(self, fraction: Fraction) -> list[int]:
        """Return the numbers of these steps."""
        return [
            number
            for number, pairs in enumerate(self._periods)
            if any(
                (fraction * before).denominator == 1 and (fraction * after).denominator != 1
                for before, after in pairs
            )
        ]

    def _pairs(self, number: int) -> set[tuple[int, int]]:
        """Return the output's periods for a constant before and behind a step, path by path."""
        step = self.steps[number]
        if step.layer is None or step.layer.block[0] == 1:
            return set()
        reached: dict[int, set[tuple[int, int]]] = {step.output: {(_after(1, step), 1)}}
        for later in self.steps[number + 1 :]:
            pairs = set().union(*(reached.get(value, set()) for value in later.inputs))
            if pairs:
                reached[later.output] = {
                    (_after(before, later), _after(behind, later)) for before, behind in pairs
                }
        return reached.get(self.steps[-1].output, set())


def _after(period: int, step: Step) -> int:
    up, down = (1, 1) if step.layer is None else step.layer.block
    return lcm(period, down) // down * up


class _Patterns:
    """What each layer makes of its input's mean: three patterns, and their lines."""

    def __init__(self, stack: Stack, run: Run, witness: Witness) -> None:
        self.stack, self.run, self.witness = stack, run, witness
        self._known: dict[int, tuple[dict[str, Real], float] | None] = {}

    def causes(self, number: int, tone: Tone) -> list[str] | None:
        """Return the causes that a line may have at its layer; None where the layer made none.

        Of three strengths the largest decides; those that rounding does not tell from it count too.
        """
        if number not in self._known:
            self._known[number] = self._strengths(number)
        known = self._known[number]
        if known is None:
            return None
        strengths, floor = known
        path = _rate_behind(self.stack, number)
        if path is None:
            return None
        at = tone.fraction * path % 1
        found = {}
        for name, lines in strengths.items():
            place = at * lines.size
            found[name] = float(lines[int(place)]) if place.denominator == 1 else 0.0
        top = max(found.values())
        if top <= floor:
            return None
        source = tone.contributions[0].cause if tone.contributions else "input offset"
        return [
            source if name == "channels" else name
            for name, strength in found.items()
            if strength >= top - floor
        ]

    def _strengths(self, number: int) -> tuple[dict[str, Real], float] | None:
        step, operator = self.stack.steps[number], self.stack.operators[number]
        assert operator is not None
        before = self.run.places[step.inputs[0]]
        assert before is not None
        mean = before.samples.mean(axis=2, keepdims=True)
        assert step.layer is not None
        alone = Stack([step.layer], self.stack.sample_rate, in_channels=int(mean.shape[1]))
        rows = np.concatenate([mean, np.zeros_like(mean)])
        seen = run_period(alone, rows, self.witness).end
        whole, bias = seen.samples
        whole = whole - bias
        if isinstance(step.layer, PeriodicShuffle | TwoBandSynthesis):
            # No weights of its own: the lines are in how its channels' offsets differ.
            patterns = {"channels": whole}
        elif isinstance(operator, StretchFIR):
            # An all-ones kernel gives each phase as much as it has taps.
            phases = operator.positions % operator.factor
            counts = np.bincount(phases, minlength=operator.factor)
            counts = np.tile(counts, whole.shape[1] // operator.factor)
            overlap = whole.sum(axis=1, keepdims=True) * counts / counts.sum()
            patterns = {"overlap": overlap, "weights": whole - overlap, "bias": bias}
        else:
            patterns = {"weights": whole, "bias": bias}
        strengths = {
            name: np.linalg.norm(np.fft.fft(pattern, axis=1), axis=0) / pattern.shape[1]
            for name, pattern in patterns.items()
        }
        error = seen.error + probable(whole.shape[1] + 8, 1.0, self.witness.dtype) * seen.size
        floor = float(np.linalg.norm(error + before.error.max()))
        return strengths, 2 * floor


def _rate_behind(stack: Stack, number: int) -> Fraction | None:
    """Return output samples of a stack per output sample of a step; None if a later one decimates.

    Behind a decimation a line at the output has several places at the step.
    """
    rates = {stack.steps[number].output: Fraction(1)}
    for step in stack.steps[number + 1 :]:
        known = [rates[value] for value in step.inputs if value in rates]
        if not known:
            continue
        up, down = (1, 1) if step.layer is None else step.layer.block
        if down > 1:
            return None
        rates[step.output] = known[0] * up
    return rates.get(stack.steps[-1].output)
