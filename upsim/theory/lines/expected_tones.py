"""The lines of an output in expectation over networks: powers, places, causes."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from upsim.gaussian.pairs import ACCURACY
from upsim.layers.base import Activation, LinearLayer
from upsim.layers.merging import Merging
from upsim.network.graph import Graph
from upsim.network.node import Node
from upsim.network.signals import Signal
from upsim.network.weights import Initialisation
from upsim.operators import Operator
from upsim.operators.random_taps import ApartTaps, RandomTaps
from upsim.theory.lines.ablation import layers_by_cause, own_bias
from upsim.theory.lines.distortion import Distortion
from upsim.theory.lines.ladder import Ladder, Origin, input_lines
from upsim.theory.lines.tones import Contribution, Tone, refuse_too_many
from upsim.theory.moments import EnsembleMoments
from upsim.theory.moments.propagation import Trace
from upsim.words.frozen import frozen
from upsim.words.overflow import refuse_infinite
from upsim.words.tolerance import rounding

Array = NDArray[np.float64]

#: Roundings of the closed form of a rectifier of mean zero: a root, an angle, and a few products.
_FORMULA = 32

#: Roundings that are as large as what the series of other activations may leave out.
_SERIES = _FORMULA + round(ACCURACY / float(np.finfo(np.float64).eps))

#: Layers that are named one by one in a contribution; of more, the first and the last.
_NAMED = 3


def expected_tones(trace: Trace, signals: Sequence[Signal]) -> tuple[Tone, ...]:
    """Return the lines of a network's output in expectation over initialisations.

    Random taps of mean zero make an offset's lines as strong as the offset that leaves the layer
    (E|H|^2 is equal at all k / L; a line between 0 and half the rate counts twice, with its mirror
    image), with or without overlap; so where a random layer made a line the cause is "weights",
    unless mostly the layer's own periodic bias did it, or noise of changing power through an
    activation.
    """
    graph, end = trace.graph, trace.end
    assert isinstance(end, EnsembleMoments)
    powers = end.line_powers()
    refuse_infinite(powers)
    period = powers.shape[1]
    floor = _floor(trace, powers)
    repeats = {cause: repeat.end for cause, repeat in trace.repeats.items()}
    causes = layers_by_cause(signals, trace)
    ladder = Ladder.of(graph, input_lines(graph, signals))
    listed = np.flatnonzero(powers[:, : period // 2 + 1].max(axis=0) > floor).tolist()
    refuse_too_many(len(listed))
    whole = end.by_channel(powers[:, listed])
    left = {
        cause: _powers_at(repeat, [Fraction(number, period) for number in listed])
        for cause, repeat in repeats.items()
        if isinstance(repeat, EnsembleMoments)
    }
    makers = _Makers(trace)
    found = []
    for place, number in enumerate(listed):
        fraction = Fraction(number, period)
        sides = 1 if fraction in (0, Fraction(1, 2)) else 2
        shares = [
            Contribution(
                cause, _joined(causes[cause]), None, frozen(sides * (whole - rest)[:, place])
            )
            for cause, rest in left.items()
            if cause in causes and np.abs((whole - rest)[:, place]).max() > 2 * floor
        ]
        shares.sort(key=lambda share: -float(share.power.max()))
        layer, cause = _layer_and_cause(makers, ladder, fraction, causes, tuple(shares))
        found.append(
            Tone(
                fraction,
                float(fraction * graph.sample_rate),
                None,
                frozen(sides * whole[:, place]),
                layer,
                cause,
                tuple(shares),
            )
        )
    return tuple(found)


def lines_left_out(graph: Graph) -> tuple[str, ...]:
    """Return what to say of the lines that noise makes in one network and not in the expectation.

    A network's channels differ in the power of their noise from phase to phase, by a part of
    order ``n^(-1/2)`` for sums of ``n`` terms.  An activation makes a periodic mean of that: lines
    whose power is of order ``1 / n``.  The limit of wide layers has none of them.
    """
    makers = [each for each in Distortion(graph).all_makers if each.repeats]
    if not makers:
        return ()
    note = (
        "lines: one network's channels differ in noise power by phase; the activations from "
        f"{makers[-1].name} on make lines of that, whose power falls as 1 / width and which the "
        "expectation does not carry"
    )
    return (note,)


def _floor(trace: Trace, powers: Array) -> float:
    """Return the power below which a line may be rounding.

    An entry of the line part goes through a few roundings a node, and its DFT through a few more a
    doubling of the period.  The entries are at most as large as their sum over all lines, and the
    DFT is divided by their number, so the period itself does not enter.
    """
    operations = sum(_roundings(trace, node) for node in trace.nodes)
    operations += 4 * powers.shape[1].bit_length()
    return rounding(operations, float(powers.sum(axis=1).max(initial=0.0)))


def _roundings(trace: Trace, node: Node) -> int:
    """Return the roundings that a node adds to an entry, a bound."""
    layer, given = node.layer, trace.values[node.inputs[0]]
    if isinstance(layer, Merging):
        return len(node.inputs) + 1
    if not isinstance(layer, LinearLayer):
        closed = (
            isinstance(layer, Activation)
            and layer.is_homogeneous
            and isinstance(given, EnsembleMoments)
            and not any(group.mean.samples.any() for group in given.groups)
        )
        return _FORMULA if closed else _SERIES
    count = 2
    for part in layer.in_expectation(given.channels):
        if isinstance(part, RandomTaps | ApartTaps):
            count += 2 * part.positions.size
        elif isinstance(part, Operator):
            count += 2 * part.terms
    return count


def _powers_at(moments: EnsembleMoments, places: list[Fraction]) -> Array:
    """Return a record's line powers at some places, (channels, places)."""
    powers = moments.line_powers()
    period = powers.shape[1]
    numbers = [place * period for place in places]
    known = [int(number) if number.denominator == 1 else -1 for number in numbers]
    rows = np.where(np.array(known) >= 0, powers[:, known], 0.0)
    return moments.by_channel(rows)


def _joined(labels: tuple[str, ...]) -> str:
    if len(labels) <= _NAMED:
        return ", ".join(labels)
    return f"{labels[0]} to {labels[-1]}"


def _layer_and_cause(
    makers: _Makers,
    ladder: Ladder,
    fraction: Fraction,
    causes: dict[str, tuple[str, ...]],
    shares: tuple[Contribution, ...],
) -> tuple[str, str]:
    if not fraction:
        # Without shares: the input's own, or else the last layer that adds an offset.
        order = ("input offset", "bias", "activation", "modulation", "input")
        cause = shares[0].cause if shares else next(each for each in order if each in causes)
        return next(reversed(causes[cause]), ""), cause
    origins = ladder.origins(fraction)
    modulated = _modulated(shares)
    for origin in origins:
        cause = "input" if origin.node < 0 else makers.cause(origin)
        if cause == "channels":
            cause = shares[0].cause if shares else "input offset"
        if cause or modulated:
            return origin.layer or origin.moved_by, "modulation" if modulated else cause
    last = next(reversed(causes.get("activation", ())), "")
    return last, "modulation" if modulated else "activation"


def _modulated(shares: tuple[Contribution, ...]) -> bool:
    """Return True if noise of changing power makes more of a line than all else together."""
    noise = sum(float(share.power.sum()) for share in shares if share.cause == "modulation")
    rest = sum(float(share.power.sum()) for share in shares if share.cause != "modulation")
    return noise > max(rest, 0.0)


class _Makers:
    """What each layer did to make lines of an offset; looked at once a layer."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._known: dict[int, tuple[str, NDArray[np.bool_]]] = {}

    def cause(self, origin: Origin) -> str:
        """Return "weights", "overlap" (of ones), "bias" or "channels"; "" if it makes none."""
        if origin.node not in self._known:
            self._known[origin.node] = self._look(origin.node)
        cause, biased = self._known[origin.node]
        place = origin.at % 1 * biased.size
        return "bias" if place.denominator == 1 and biased[int(place)] else cause

    def _look(self, number: int) -> tuple[str, NDArray[np.bool_]]:
        """Return the cause, and at which lines ``k / P`` the layer's own bias is the stronger."""
        node, none = self._trace.nodes[number], np.zeros(1, dtype=bool)
        layer = node.layer
        if not isinstance(layer, LinearLayer):
            return "", none
        if layer.interleaves:
            return "channels", none
        weights = layer.weights
        if weights is None:
            return "", none
        fixed = isinstance(weights, Initialisation) and not weights.is_random
        cause, made = "overlap" if fixed else "weights", self._trace.values[node.output]
        bias = own_bias(node, self._trace.values[node.inputs[0]].channels)
        if bias is None or bias.period == 1 or not isinstance(made, EnsembleMoments):
            return cause, none
        # L independent values have L lines of one and the same expected power.
        whole = made.by_channel(made.line_powers()).mean(axis=0)
        return cause, 2 * bias.variance / bias.period > whole
