"""The claims of the replicas: which band of the input lands where, by whom, and how strong."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from upsim.answer.prediction import Prediction
from upsim.errors import TooLargeError
from upsim.network.graph import Graph
from upsim.network.node import Node
from upsim.network.walk import walk
from upsim.theory.reports.replicas import Replica, repeats
from upsim.verification.impulses import MOST_PRODUCTS, Impulses
from upsim.verification.report import Check
from upsim.words.tolerance import rounding

#: Places in a band at which a replica's gain is averaged: what the record claims is this average.
_POINTS = 32

#: Ways of input bands to output bands that may be followed.
_MOST_WAYS = 2**16


def judge_replicas(prediction: Prediction, impulses: Impulses | None) -> list[Check]:
    """Judge the bands by counting, and their gains by the witness's impulse responses."""
    try:
        claimed = prediction.replicas
    except TooLargeError:
        return []  # Nothing is claimed.
    stack = prediction.stack
    up, down = repeats(stack)
    if up * down * len(stack.nodes) > _MOST_WAYS:
        return [Check.skipped("replicas", f"there are {up * down} of them")]
    expected = bands(stack, up, down)
    named = {
        (each.low, each.high, each.input_low, each.input_high, each.mirrored): each
        for each in claimed
    }
    wrong = len(claimed) - len(named)
    ordered = [each.low for each in claimed]
    wrong += ordered != sorted(ordered)
    wrong += len(set(named) ^ set(expected))
    for key, ways in expected.items():
        wrong += key in named and named[key].made_by not in ways
    about = f"bands and makers of {len(claimed)} replicas, by counting"
    checks = [Check("replicas", about, float(wrong), 0.0)]
    if wrong:
        return checks
    if impulses is None:
        if any(each.gain is not None for each in claimed):
            checks.append(Check.skipped("gains of replicas", "the stack is not linear"))
        return checks
    checks.append(_gains(prediction, impulses, claimed))
    return checks


def _gains(prediction: Prediction, impulses: Impulses, claimed: tuple[Replica, ...]) -> Check:
    """Judge the gain of each band, averaged over its middle points."""
    name, stack = "gains of replicas", prediction.stack
    if any(each.gain is None or each.gain.shape != (prediction.channels,) for each in claimed):
        return Check.wrong(name, "a replica of a linear stack has no gain for each channel")
    if impulses.products(_POINTS * impulses.up) > MOST_PRODUCTS:
        return Check.skipped(name, "the impulse responses are long")
    errors, bounds = [], []
    for low in sorted({each.low for each in claimed}):
        rows = [each for each in claimed if each.low == low]
        first, last = (float(edge / stack.sample_rate) for edge in (low, rows[0].high))
        turns = first + (np.arange(_POINTS) + 0.5) / _POINTS * (last - first)
        magnitudes = np.abs(impulses.gains(turns))
        bound = impulses.gain_error[:, None]
        found = (magnitudes**2).sum(axis=3).mean(axis=0)
        allowed = (bound * (2 * magnitudes + bound)).sum(axis=3).mean(axis=0)
        allowed = allowed + rounding(_POINTS + magnitudes.shape[3], 1.0) * found
        inputs = impulses.inputs(np.array([(first + last) / 2]))[0]
        for row in rows:
            assert row.gain is not None
            centre = float((row.input_low + row.input_high) / 2 / stack.input_rate)
            alias = int(np.argmin(np.abs(_folded(inputs) - centre)))
            errors.append(np.abs(found[alias] - row.gain))
            bounds.append(allowed[alias])
    return Check.worst(name, f"gains of {len(claimed)} bands by impulse responses", errors, bounds)


def _folded(turns: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.minimum(turns % 1, 1 - turns % 1))


#: The lists of layers that moved a line, by where it is.
_Ways = dict[Fraction, set[tuple[str, ...]]]

#: Output band, input band, whether it is mirrored.
_Band = tuple[Fraction, Fraction, Fraction, Fraction, bool]


def bands(stack: Graph, up: int, down: int) -> dict[_Band, set[tuple[str, ...]]]:
    r"""Return every piece of an input band with the output band where it lands, and its makers.

    An input frequency ``f`` and an output frequency ``g`` belong together where :math:`D f` and
    :math:`U g` are equal modulo 1.  Between multiples of ``1 / (2 U)`` that is one straight piece
    of slope one or minus one for each of the ``D`` aliases.  Makers are found forwards: the middle
    of the input piece is sent through the stack, a stretch gives each frequency its images.
    """
    found: dict[_Band, set[tuple[str, ...]]] = {}
    ways: dict[Fraction, _Ways] = {}
    for band in range(up):
        low, high = Fraction(band, 2 * up), Fraction(band + 1, 2 * up)
        middle = (low + high) / 2
        for alias in range(down):
            raw = (up * middle + alias) / down % 1
            centre = min(raw, 1 - raw)
            half = (high - low) * up / down / 2
            if centre not in ways:
                ways[centre] = _sent(stack, centre)
            key = (
                low * stack.sample_rate,
                high * stack.sample_rate,
                (centre - half) * stack.input_rate,
                (centre + half) * stack.input_rate,
                raw > Fraction(1, 2),
            )
            found[key] = ways[centre].get(middle, {()})
    return found


def _sent(graph: Graph, frequency: Fraction) -> _Ways:
    """Return where the first input's frequency lands, with the shortest lists of movers."""

    def sent(node: Node, given: Sequence[_Ways]) -> _Ways:
        up, down = node.layer.block
        made: _Ways = {}
        for lines in given:
            for turns, movers in lines.items():
                for image in images(turns, up):
                    moved = (node.name,) if up > 1 and image > Fraction(1, 2 * up) else ()
                    landed = image * down % 1
                    place = min(landed, 1 - landed)
                    known = made.setdefault(place, set())
                    known |= {(*moved, *each) for each in movers}
        return {place: _shortest(each) for place, each in made.items()}

    starts: list[_Ways] = [{} for _ in graph.inputs]
    starts[0] = {frequency: {()}}
    return walk(graph, starts, sent)[graph.end]


def images(turns: Fraction, up: int) -> set[Fraction]:
    """Return the frequencies in [0, 1/2] that a stretch makes of one."""
    found = {(each + sign * turns) / up for each in range(up + 1) for sign in (1, -1)}
    return {each for each in found if 0 <= each <= Fraction(1, 2)}


def _shortest(ways: set[tuple[str, ...]]) -> set[tuple[str, ...]]:
    least = min(map(len, ways))
    return {way for way in ways if len(way) == least}
