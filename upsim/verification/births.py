"""The layers that tones are born in, and what these layers did.

A constant in front of a layer becomes a signal of that layer's output period, and no later layer
makes that period longer.  So a line that a constant BEFORE a layer can leave at the output, and a
constant BEHIND it cannot, was first possible there.  Where one layer alone is such a place, the
witness shows what it does: the layer is fed its input's mean, and the lines of what comes out are
split into the bias, an all-ones kernel of the same taps, and the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import lcm

import numpy as np
from numpy.typing import NDArray

from upsim.answer.prediction import Prediction
from upsim.layers.base import LinearLayer
from upsim.network.feed import signals_of
from upsim.network.graph import Graph
from upsim.network.node import Node
from upsim.network.walk import walk
from upsim.operators import StretchFIR
from upsim.operators.rounding import running_error
from upsim.theory.lines.tones import Tone
from upsim.verification.replicas import images
from upsim.verification.report import Check
from upsim.verification.witness import Run, Witness, on_a_circle
from upsim.words.tolerance import probable

Real = NDArray[np.float64]


def judge_births(prediction: Prediction, run: Run, witness: Witness) -> list[Check]:
    """Judge the layer and the cause of each tone, as far as a run decides them."""
    tones = prediction.tones
    if not tones:
        return []
    births = _Births(prediction, run, witness)
    layers = causes = known_layers = known_causes = 0
    for tone in tones:
        possible = births.of(tone)
        places, reasons = {place for place, _ in possible}, {cause for _, cause in possible}
        if len(places) == 1:
            known_layers += 1
            layers += tone.layer not in places
        if len(reasons) == 1:
            known_causes += 1
            causes += tone.cause not in reasons
    checks = []
    for name, wrong, known in (
        ("first layers", layers, known_layers),
        ("causes", causes, known_causes),
    ):
        if known:
            about = f"{name} of {known} tone{'s' if known > 1 else ''}, by runs of single layers"
            checks.append(Check(name, about, float(wrong), 0.0))
        if known < len(tones):
            reason = (
                f"{len(tones) - known} of {len(tones)} tones: a run does not decide between "
                "several layers, an activation and a line of the input"
            )
            checks.append(Check.skipped(name, reason))
    return checks


class _Births:
    """Where each tone can have been born, and of what."""

    def __init__(self, prediction: Prediction, run: Run, witness: Witness) -> None:
        self.stack = prediction.stack
        self.makers = Makers(self.stack)
        self.patterns = _Patterns(self.stack, run, witness)
        graph = self.stack
        signals = signals_of(graph, prediction.signal)
        fed = zip(signals, graph.inputs, graph.input_rates, strict=True)
        self.images = [
            _last_movers(graph, number, line.frequency / rate)
            for number, (signal, each, rate) in enumerate(fed)
            for line in signal.lines(each.channels, rate)
            if line.frequency
        ]

    def of(self, tone: Tone) -> set[tuple[str, str]]:
        """Return pairs of a layer and a cause, one of which is right; none if nothing is known.

        The latest layer that could make the line, and does, is the one that is named.
        """
        if not tone.fraction:
            # The offset is put down to its strongest share.
            return {(share.layer, share.cause) for share in tone.contributions[:1]}
        for number in reversed(self.makers.of(tone.fraction)):
            causes = self.patterns.causes(number, tone)
            if causes is None:
                return set()
            if causes:
                label = self.stack.nodes[number].name
                return {(label, cause) for cause in causes}
        labels = set().union(*(image.get(tone.fraction, set()) for image in self.images))
        return {(label, "input") for label in labels}


def _last_movers(graph: Graph, number: int, frequency: Fraction) -> dict[Fraction, set[str]]:
    """Return where a line of an input lands, and which layer moved it last: "" for none."""

    def sent(node: Node, given: Sequence[dict[Fraction, set[str]]]) -> dict[Fraction, set[str]]:
        up, down = node.layer.block
        made: dict[Fraction, set[str]] = {}
        for lines in given:
            for turns, movers in lines.items():
                for image in images(turns, up):
                    moved = up > 1 and image > Fraction(1, 2 * up)
                    landed = image * down % 1
                    place = min(landed, 1 - landed)
                    made.setdefault(place, set()).update({node.name} if moved else movers)
        return made

    starts: list[dict[Fraction, set[str]]] = [{} for _ in graph.inputs]
    starts[number] = {Fraction(frequency): {""}}
    return walk(graph, starts, sent)[graph.end]


class Makers:
    """The steps at which a line of the output was first possible, made of a constant."""

    def __init__(self, stack: Graph) -> None:
        self.steps, self.output = stack.nodes, stack.end
        found = [(number, self._pairs(number)) for number in range(len(self.steps))]
        self._periods = [(number, pairs) for number, pairs in found if pairs]

    def of(self, fraction: Fraction) -> list[int]:
        """Return the numbers of these steps."""
        return [
            number
            for number, pairs in self._periods
            if any(
                before % fraction.denominator == 0 and after % fraction.denominator
                for before, after in pairs
            )
        ]

    def _pairs(self, number: int) -> set[tuple[int, int]]:
        """Return the output's periods for a constant before and behind a step, path by path."""
        node = self.steps[number]
        if node.layer.block[0] == 1:
            return set()
        reached: dict[int, set[tuple[int, int]]] = {node.output: {(_after(1, node), 1)}}
        for later in self.steps[number + 1 :]:
            pairs = set().union(*(reached.get(value, set()) for value in later.inputs))
            if pairs:
                reached[later.output] = {
                    (_after(before, later), _after(behind, later)) for before, behind in pairs
                }
        return reached.get(self.output, set())


def _after(period: int, node: Node) -> int:
    up, down = node.layer.block
    return lcm(period, down) // down * up


class _Patterns:
    """What each layer makes of its input's mean: three patterns, and their lines."""

    def __init__(self, stack: Graph, run: Run, witness: Witness) -> None:
        self.stack, self.run, self.witness = stack, run, witness
        self._rates: dict[int, Fraction | None] = {}
        self._known: dict[int, tuple[dict[str, Real], float]] = {}

    def causes(self, number: int, tone: Tone) -> list[str] | None:
        """Return the causes that a line may have at its layer: none where the layer made none.

        Of three strengths the largest decides; those within rounding of it count too.  None behind
        a decimation, where the line has several places at the layer's output.
        """
        if self.stack.operators[number] is None:  # an opaque node
            return None
        if number not in self._known:
            self._known[number] = self._strengths(number)
        strengths, floor = self._known[number]
        if number not in self._rates:
            self._rates[number] = _rate_behind(self.stack, number)
        path = self._rates[number]
        if path is None:
            return None
        at = tone.fraction * path % 1
        found = {}
        for name, lines in strengths.items():
            whole = lines.size % at.denominator == 0
            place = at.numerator * lines.size // at.denominator
            found[name] = float(lines[place]) if whole else 0.0
        top = max(found.values())
        if top <= floor:
            return []
        source = tone.contributions[0].cause if tone.contributions else "input offset"
        return [
            source if name == "channels" else name
            for name, strength in found.items()
            if strength >= top - floor
        ]

    def _strengths(self, number: int) -> tuple[dict[str, Real], float]:
        node, operator = self.stack.nodes[number], self.stack.operators[number]
        assert operator is not None
        before = self.run.places[node.inputs[0]]
        mean = before.samples.mean(axis=2, keepdims=True)
        rows = np.concatenate([mean, np.zeros_like(mean)])
        seen = on_a_circle(node, operator, rows, self.witness, [])
        whole, bias = seen
        whole = whole - bias
        if isinstance(node.layer, LinearLayer) and node.layer.interleaves:
            # No weights of its own: the lines are in how its channels' offsets differ.
            patterns = {"channels": whole}
        elif isinstance(operator, StretchFIR) and operator.down == 1:
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
        # The mean is as wrong as its input, and a sum of as many samples.
        size = np.abs(mean).max(axis=(0, 2))
        wrong = before.error + probable(before.samples.shape[2] + 1, 1.0) * size
        error = running_error(operator, size, wrong, period=1, dtype=self.witness.dtype)
        floor = float(np.linalg.norm(error))
        return strengths, 2 * floor


def _rate_behind(stack: Graph, number: int) -> Fraction | None:
    """Return output samples of a stack per output sample of a node; None if a later one decimates.

    Behind a decimation a line at the output has several places at the node.
    """
    rates = {stack.nodes[number].output: Fraction(1)}
    for node in stack.nodes[number + 1 :]:
        known = [rates[value] for value in node.inputs if value in rates]
        if not known:
            continue
        up, down = node.layer.block
        if down > 1:
            return None
        rates[node.output] = known[0] * up
    return rates.get(stack.end)
