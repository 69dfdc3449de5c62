"""Tones: the lines of an output, each with its exact place, its level and where it comes from."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

import numpy as np
from numpy.typing import NDArray

from upsim.errors import TooLargeError
from upsim.layers.base import Activation, LinearLayer, Normalisation, Unmodelled
from upsim.network.node import spoken
from upsim.network.signals import Signal
from upsim.operators import StretchFIR
from upsim.operators.repeating import Repeating
from upsim.theory.lines.ladder import Ladder, Origin, input_lines
from upsim.theory.lines.provenance import RunGains, shares_back
from upsim.theory.moments import (
    DeterministicMoments,
    Moments,
    Source,
    StationaryMoments,
)
from upsim.theory.moments.propagation import Trace
from upsim.theory.moments.spectral_lines import SpectralLines
from upsim.words.arguments import LARGEST_LINES
from upsim.words.frozen import frozen
from upsim.words.overflow import refuse_infinite
from upsim.words.tolerance import rounding

Complex = NDArray[np.complex128]


@dataclass(frozen=True, eq=False)
class Contribution:
    """One source's share of a line.

    For one network the shares' amplitudes add up to the line's; their powers do not.  In
    expectation over networks there are only powers, each what the line would lose without the
    cause (:mod:`upsim.theory.lines.ablation`); what is left is :attr:`Tone.interaction`.

    Parameters
    ----------
    cause : str
        "input", "input offset", "bias", "activation", "modulation" or "opaque"; of a run also
        "input noise" (its mean in that run) and "ends".
    layer : str
        Label of the layer, "" for the input; in expectation all layers of the cause ("2, 4").
    amplitude : array (channels,) or None
        Complex Fourier coefficient; None in expectation.
    power : array (channels,)
        Both mirror lines together; negative where a line is the weaker for the cause.
    """

    cause: str
    layer: str
    amplitude: Complex | None
    power: NDArray[np.float64]

    @property
    def place(self) -> str:
        """The layer in words: "layer 2", "layers 2, 4", or "input"."""
        if not self.layer:
            return "input"
        if "," not in self.layer and " " not in self.layer:
            return spoken(self.layer)
        numbers = not re.sub(r"[\d., ]|to", "", self.layer)
        return f"layers {self.layer}" if numbers else self.layer


@dataclass(frozen=True, eq=False)
class Tone:
    """A line of the output.

    Parameters
    ----------
    fraction : Fraction
        Frequency as an exact fraction of the sample rate, in [0, 1/2].
    frequency : float
        In Hz.
    amplitude : array (channels,) or None
        Complex Fourier coefficient at the positive frequency; None in expectation over networks,
        where the phase of a line is anything.
    power : array (channels,)
        Share of the mean square, both mirror lines together.
    layer : str
        Label of the layer at which a line here was first possible, "" for the input.
    cause : str
        What that layer did: "overlap" (an all-ones kernel of its shape would do it too),
        "weights" (its kernel's phase gains differ beyond that), "bias" (its own periodic bias),
        "activation", "modulation" (mostly noise whose power repeats, made a line by an
        activation: see :mod:`upsim.theory.moments.modulation`), "input" (an image of the input's
        own line), "input offset" (the line at 0).
    contributions : tuple of Contribution
        By source, strongest first; empty without provenance.
    error : array (channels,) or None
        Of a line that was measured: the standard error of its power.  The power is then that of
        the amplitude less what the scatter adds to it.
    """

    fraction: Fraction
    frequency: float
    amplitude: Complex | None
    power: NDArray[np.float64]
    layer: str
    cause: str
    contributions: tuple[Contribution, ...] = ()
    error: NDArray[np.float64] | None = None

    @property
    def interaction(self) -> NDArray[np.float64] | None:
        """In expectation: the power that no cause makes alone, the whole less its parts.

        None for one network, whose shares add up, and without provenance.
        """
        if self.amplitude is not None or not self.contributions:
            return None
        return np.asarray(self.power - sum(share.power for share in self.contributions))


def repeating(moments: Moments) -> DeterministicMoments:
    """Return the part of a record that repeats."""
    if isinstance(moments, StationaryMoments):
        return moments.mean
    assert isinstance(moments, DeterministicMoments)
    return moments


def line_floor(moments: DeterministicMoments) -> NDArray[np.float64]:
    """Return the amplitude below which a line is rounding, for each channel, (channels,).

    A Fourier coefficient is a mean of the samples, no further off than they are, and a few
    roundings for each doubling of the period.
    """
    sums = rounding(8 * moments.period.shape[1].bit_length(), 1.0)
    return moments.error + sums * moments.size


def find_tones(
    trace: Trace,
    signals: Sequence[Signal],
    *,
    starts: Sequence[DeterministicMoments] | None = None,
    lines: Sequence[int] | None = None,
    run: RunGains | None = None,
) -> tuple[Tone, ...]:
    """Return the lines of a network's output, in ascending frequency.

    A line is listed when it is stronger than the rounding of the sums that made it, nothing else
    is cut.  With ``starts``, the records at the inputs with their shares, the lines are split from
    the output back; without them, by the shares that the trace carries.  Of the mean periods of a
    ``run`` those ``lines`` are listed that stand out of its scatter.
    """
    graph, end = trace.graph, trace.end
    place = repeating(end)
    shown = not isinstance(end, StationaryMoments) or end.provenance
    if lines is None and not place.period.any() and place.sines is None:
        return ()
    period, floor = place.period.shape[1], line_floor(place)
    half = period // 2 + 1
    amplitudes = frozen(place.amplitudes())
    magnitudes = np.abs(amplitudes)
    # Every line but 0 and Nyquist stands for its mirror line, too.
    sides = np.where((2 * np.arange(half)) % period == 0, 1, 2)
    powers = frozen(sides * magnitudes**2)
    refuse_infinite(powers)
    if lines is None:
        listed = np.flatnonzero((magnitudes > floor[:, None]).any(axis=0)).tolist()
    else:
        listed = list(lines)
    refuse_too_many(len(listed))
    if starts is None:
        sources, shares = place.sources, place.share_amplitudes()[:, :, listed].transpose(2, 0, 1)
    else:
        sources, shares = shares_back(trace, starts, listed, run)
    contributions = _contributions(sources, shares, sides[listed], floor)
    ladder = Ladder.of(graph, input_lines(graph, signals))
    origins = dict(
        zip(
            (number for number in listed if number),
            ladder.origins_of_lines([number for number in listed if number], period),
            strict=True,
        )
    )
    mechanisms = Mechanisms(trace)
    # Whole numbers, divided once: the float nearest to the exact frequency.
    numerator, denominator = graph.sample_rate.numerator, period * graph.sample_rate.denominator
    found = []
    for number, split in zip(listed, contributions, strict=True):
        if number:
            layer, cause = _layer_and_cause(trace, origins[number], mechanisms, split)
        else:
            layer, cause = _offset_source(trace, split)
        found.append(
            Tone(
                Fraction(number, period),
                number * numerator / denominator,
                amplitudes[:, number],
                powers[:, number],
                layer,
                cause,
                split if shown else (),
            )
        )
    if place.sines is None:
        return tuple(found)

    def named(fraction: Fraction, split: tuple[Contribution, ...]) -> tuple[str, str]:
        if not fraction:
            return "", "input"
        return _layer_and_cause(trace, ladder.origins(fraction), mechanisms, split)

    split_too = place.provenance or starts is not None
    return _with_sines(found, place.sines, floor, graph.sample_rate, named, shown=split_too)


def _with_sines(
    offsets: Sequence[Tone],
    sines: SpectralLines,
    floor: NDArray[np.float64],
    rate: Fraction,
    named: Callable[[Fraction, tuple[Contribution, ...]], tuple[str, str]],
    *,
    shown: bool,
) -> tuple[Tone, ...]:
    """Return the lines of offsets and those of sines, added where they meet."""
    found = {tone.fraction: tone for tone in offsets}
    lines = sines.folded()
    refuse_too_many(len(lines) + len(found))
    for fraction, (amplitude, error) in lines.items():
        sides = 1 if 2 * fraction in (0, 1) else 2
        if not np.any(np.abs(amplitude) > error):
            continue
        share = frozen(amplitude)
        own = Contribution("input", "", share, frozen(sides * np.abs(share) ** 2))
        refuse_infinite(own.power)
        split: tuple[Contribution, ...] = (own,)
        total = share
        other = found.pop(fraction, None)
        if other is not None:
            assert other.amplitude is not None
            total = frozen(other.amplitude + share)
            if not np.any(np.abs(total) > error + floor):
                continue
            split = tuple(
                sorted((*other.contributions, own), key=lambda each: -float(each.power.sum()))
            )
            layer, cause = other.layer, other.cause
            if not fraction and other.contributions:
                layer, cause = split[0].layer, split[0].cause
        else:
            layer, cause = named(fraction, split)
        power = frozen(sides * np.abs(total) ** 2)
        kept = split if shown else ()
        frequency = float(fraction * rate)
        found[fraction] = Tone(fraction, frequency, total, power, layer, cause, kept)
    return tuple(found[fraction] for fraction in sorted(found))


def _contributions(
    sources: tuple[Source, ...],
    shares: Complex,
    sides: NDArray[np.intp],
    floor: NDArray[np.float64],
) -> list[tuple[Contribution, ...]]:
    """Return the sources of each line that are above the floor, the strongest first.

    ``shares`` has the shape (lines, sources, channels).
    """
    if not sources:
        return [()] * len(shares)
    order = np.argsort(-(np.abs(shares) ** 2).sum(axis=2), axis=1, kind="stable")
    above = np.any(np.abs(shares) > floor, axis=2)
    # What is too weak to be listed must not be missing in the sum: the strongest takes it.
    weak = np.where(above[..., None], 0.0, shares).sum(axis=1)
    shares, lines = np.array(shares), np.arange(len(shares))
    shares[lines, order[:, 0]] += np.where(above[lines, order[:, 0], None], weak, 0.0)
    shares = frozen(shares)
    magnitudes = np.abs(shares)
    heard: list[list[bool]] = above.tolist()
    powers = frozen(magnitudes**2 * sides[:, None, None])
    return [
        tuple(
            Contribution(sources[each].cause, sources[each].layer, line[each], power[each])
            for each in ranks
            if above[each]
        )
        for line, power, ranks, above in zip(shares, powers, order.tolist(), heard, strict=True)
    ]


def refuse_too_many(count: int) -> None:
    """Refuse more lines than anybody can read, before each gets a record of its own."""
    if count > LARGEST_LINES:
        raise TooLargeError(
            "the output has too many lines to list",
            given=f"{count} lines",
            expected=f"at most {LARGEST_LINES}",
            fix="smaller strides, or upsim.WhiteNoise(1.0) as the signal and bias=False",
        )


def _layer_and_cause(
    trace: Trace,
    origins: tuple[Origin, ...],
    mechanisms: Mechanisms,
    contributions: tuple[Contribution, ...],
) -> tuple[str, str]:
    """Return the layer at which a line was first possible, and what that layer did."""
    if _mostly_modulated(contributions):
        first = origins[0].layer or origins[0].moved_by if origins else ""
        makers = [each.layer for each in contributions if each.cause == "modulation"]
        return first or makers[0], "modulation"
    for origin in _strongest_first(trace, origins, contributions):
        cause = "input" if origin.node < 0 else mechanisms.cause(origin)
        if cause == "channels":
            # The layer has no weights: the lines are in how its channels' offsets differ.
            cause = contributions[0].cause if contributions else "input offset"
        if cause:
            return origin.layer or origin.moved_by, cause
    # No image of an input line, and no layer that could make it of an offset did so: an activation
    # or an opaque node behind them distorted other lines.
    bent = ("activation", "opaque")
    makes = [(each.layer, each.cause) for each in contributions if each.cause in bent]
    makes += [
        (node.name, bent[isinstance(node.layer, Unmodelled)])
        for node in trace.nodes[::-1]
        if isinstance(node.layer, Activation | Unmodelled)
    ]
    if makes or not origins:
        return makes[0] if makes else ("", "activation")
    return origins[0].layer, "weights"


def _strongest_first(
    trace: Trace, origins: tuple[Origin, ...], contributions: tuple[Contribution, ...]
) -> list[Origin]:
    """Return the origins with the images of the inputs' lines by the strength of their shares."""
    shares = [each.layer for each in contributions if each.cause == "input"]

    def rank(origin: Origin) -> int:
        if origin.node >= 0:
            return -1
        name = trace.graph.inputs[-1 - origin.node].name
        return shares.index(name) if name in shares else len(shares)

    return sorted(origins, key=rank)


def _offset_source(trace: Trace, contributions: tuple[Contribution, ...]) -> tuple[str, str]:
    """Return the strongest source of the line at 0 Hz; the last possible one without shares."""
    if contributions:
        return contributions[0].layer, contributions[0].cause
    for node, operator in zip(trace.nodes[::-1], trace.operators[::-1], strict=True):
        if operator is not None and operator.offset is not None and operator.offset.any():
            return node.name, "bias"
        if isinstance(node.layer, Normalisation) and node.layer.bias_array() is not None:
            return node.name, "bias"
        if isinstance(node.layer, Activation):
            return node.name, "activation"
        if isinstance(node.layer, Unmodelled):
            return node.name, "opaque"
    return "", "input offset"


def _mostly_modulated(contributions: tuple[Contribution, ...]) -> bool:
    """Return True if noise of changing power makes more of a line than all else together."""
    if all(each.cause != "modulation" for each in contributions):
        return False
    parts = [np.zeros(1, np.complex128), np.zeros(1, np.complex128)]
    for each in contributions:
        own = each.cause == "modulation"
        assert each.amplitude is not None
        parts[own] = parts[own] + each.amplitude
    return float(np.linalg.norm(parts[1])) > float(np.linalg.norm(parts[0]))


class Mechanisms:
    r"""Tells what made a line of an offset in the layer where it was first possible.

    With ``mu`` the channel means before the layer, its output repeats the pattern
    :math:`y_i = \sum_c \mu_c g_{oc,i}` of phase gains.  Each kernel is its mean tap times all
    ones, plus a rest.  The mean taps give :math:`y_i^{ones} = n_i \bar y`, with ``n_i`` the taps of
    phase ``i`` and :math:`\bar y = \sum_i y_i / K`: that much overlap alone makes; the rest is due
    to the weights, and a bias of the layer's own period adds a third part.  The strongest of the
    three at the line's frequency is the cause.
    """

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._known: dict[int, list[str]] = {}

    def cause(self, origin: Origin) -> str:
        """Return "overlap", "weights" or "bias"; "" if all three are at the level of rounding.

        A layer without weights of its own, a shuffle say, answers "channels", a node without a
        formula "opaque".
        """
        if isinstance(self._trace.nodes[origin.node].layer, Unmodelled):
            return "opaque"
        causes = self._known.get(origin.node)
        if causes is None:
            causes = self._known[origin.node] = self._causes(origin.node)
        # The line is a multiple of the layer's own spacing, and so one of its patterns'.
        return causes[origin.at.numerator * len(causes) // origin.at.denominator]

    def _causes(self, number: int) -> list[str]:
        """Return the cause of each line ``k / p`` of a layer's output, p the patterns' period."""
        patterns = self._patterns(number)
        period = lcm(*(pattern.shape[1] for pattern in patterns.values()))
        strengths = np.zeros((len(patterns), period))
        for row, pattern in zip(strengths, patterns.values(), strict=True):
            row[:] = np.linalg.norm(Repeating(pattern).lines(period), axis=0)
        named = list(patterns)
        layer = self._trace.nodes[number].layer
        if isinstance(layer, LinearLayer) and layer.interleaves:
            named[named.index("weights")] = "channels"
        is_there = strengths.max(axis=0) > self._floor(number)
        strongest = strengths.argmax(axis=0)
        return [
            named[part] if there else ""
            for part, there in zip(strongest.tolist(), is_there.tolist(), strict=True)
        ]

    def _floor(self, number: int) -> float:
        """Return the rounding of a line at a layer's output."""
        made = repeating(self._trace.values[self._trace.nodes[number].output])
        return float(np.linalg.norm(line_floor(made)))

    def _patterns(self, number: int) -> dict[str, NDArray[np.float64]]:
        """Return one period of each part, (out, L) or (out, period of the bias)."""
        node, operator = self._trace.nodes[number], self._trace.operators[number]
        assert operator is not None
        if not isinstance(operator, StretchFIR) or operator.down > 1:
            means = repeating(self._trace.values[node.inputs[0]]).period.mean(axis=1)
            patterns = {"weights": operator.periodic(means[:, None])}
        else:
            # The output averaged phase by phase is what the layer makes of the mean, because each
            # sample of the input meets each phase once: no second pass over the weights.
            total = repeating(self._trace.values[node.output]).period
            whole = _by_phase(total, operator.factor)
            if operator.offset is not None:
                span = lcm(operator.factor, operator.offset.shape[1])
                whole = whole - _by_phase(operator.offset_samples(span), operator.factor)
            phases = operator.positions % operator.factor
            counts = np.bincount(phases, minlength=operator.factor)
            overlap = whole.sum(axis=1, keepdims=True) * counts / counts.sum()
            patterns = {"weights": whole - overlap, "overlap": overlap}
        if operator.offset is not None:
            patterns["bias"] = operator.offset
        return patterns


def _by_phase(samples: NDArray[np.float64], factor: int) -> NDArray[np.float64]:
    """Return the mean of each phase, (channels, P) to (channels, factor)."""
    turns = samples.shape[1] // factor
    # As a product: NumPy's sums over a middle axis take ten times as long.
    return np.asarray(np.ones(turns) @ samples.reshape(-1, turns, factor) / turns)
