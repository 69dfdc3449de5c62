"""Tones: the lines of an output, each with its exact place, its level and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from upsim.layers.base import Activation
from upsim.operators import StretchFIR
from upsim.signals import Signal
from upsim.stack import Stack
from upsim.theory.ladder import Ladder, Origin
from upsim.theory.moments import DeterministicMoments, Moments, StationaryMoments
from upsim.theory.propagation import Trace
from upsim.tolerance import rounding

Complex = NDArray[np.complex128]


@dataclass(frozen=True, eq=False)
class Contribution:
    """One source's share of a line; the shares of a line add up to its amplitude.

    Parameters
    ----------
    cause : str
        "input", "input offset", "bias" or "activation".
    layer : str
        Label of the layer, "" for the input.
    amplitude : array (channels,)
        Complex Fourier coefficient.
    """

    cause: str
    layer: str
    amplitude: Complex

    @property
    def power(self) -> NDArray[np.float64]:
        """Squared magnitude; powers of shares do not add up, amplitudes do."""
        return np.abs(self.amplitude) ** 2


@dataclass(frozen=True, eq=False)
class Tone:
    """A line of the output.

    Parameters
    ----------
    fraction : Fraction
        Frequency as an exact fraction of the sample rate, in [0, 1/2].
    frequency : float
        In Hz.
    amplitude : array (channels,)
        Complex Fourier coefficient at the positive frequency.
    power : array (channels,)
        Share of the mean square, both mirror lines together.
    layer : str
        Label of the layer at which a line here was first possible, "" for the input.
    cause : str
        What that layer did: "overlap" (an all-ones kernel of its shape would do it too),
        "weights" (its kernel's phase gains differ beyond that), "bias" (its own periodic bias),
        "activation", "input" (an image of the input's own line), "input offset" (the line at 0).
    contributions : tuple of Contribution
        By source, strongest first; empty without provenance.
    """

    fraction: Fraction
    frequency: float
    amplitude: Complex
    power: NDArray[np.float64]
    layer: str
    cause: str
    contributions: tuple[Contribution, ...] = ()


def repeating(moments: Moments) -> DeterministicMoments:
    """Return the part of a record that repeats."""
    if isinstance(moments, StationaryMoments):
        return moments.mean
    assert isinstance(moments, DeterministicMoments)
    return moments


def line_floor(moments: DeterministicMoments) -> float:
    """Return the amplitude below which a line is not told from rounding."""
    return rounding(moments.operations, float(np.abs(moments.period).max(initial=0.0)))


def find_tones(stack: Stack, trace: Trace, signal: Signal) -> tuple[Tone, ...]:
    """Return the lines of a stack's output, in ascending frequency.

    A line is listed when it is stronger than the rounding of the sums that made it, nothing else
    is cut.
    """
    place = repeating(trace.after(len(stack)))
    period = place.period.shape[1]
    amplitudes, floor = place.amplitudes(), line_floor(place)
    shares = place.share_amplitudes()
    own = signal.lines(stack.in_channels, stack.input_rate)
    ladder = Ladder(stack, frozenset(Fraction(line.frequency / stack.input_rate) for line in own))
    found = []
    for number in range(period // 2 + 1):
        amplitude = amplitudes[:, number]
        if np.abs(amplitude).max() <= floor:
            continue
        fraction = Fraction(number, period)
        mirrored = fraction not in (0, Fraction(1, 2))
        contributions = [
            Contribution(source.cause, source.layer, share[:, number])
            for source, share in zip(place.sources, shares, strict=True)
            if np.abs(share[:, number]).max() > floor
        ]
        contributions.sort(key=lambda each: -float(each.power.sum()))
        layer, cause = _layer_and_cause(trace, ladder, fraction, contributions)
        found.append(
            Tone(
                fraction,
                float(fraction * stack.sample_rate),
                amplitude,
                np.abs(amplitude) ** 2 * (2 if mirrored else 1),
                layer,
                cause,
                tuple(contributions),
            )
        )
    return tuple(found)


def _layer_and_cause(
    trace: Trace, ladder: Ladder, fraction: Fraction, contributions: list[Contribution]
) -> tuple[str, str]:
    if fraction == 0:
        strongest = contributions[0] if contributions else None
        return (strongest.layer, strongest.cause) if strongest else ("", "input offset")
    origin = ladder.origin(fraction)
    if origin is None:
        # Neither an image of an input line nor of an offset: an activation distorted a line.
        makers = [each.layer for each in contributions if each.cause == "activation"]
        makers += [step.label for step in trace.steps[::-1] if isinstance(step.layer, Activation)]
        return (makers[0] if makers else ""), "activation"
    if origin.step < 0:
        return origin.moved_by, "input"
    return origin.layer, mechanism(trace, origin)


def mechanism(trace: Trace, origin: Origin) -> str:
    r"""Tell what made a line of an offset in the layer where it was first possible.

    With ``mu`` the channel means before the layer, its line is
    :math:`\sum_c \mu_c H_{oc} / L`.  Each kernel is its mean tap times all ones, plus a rest; the
    first part is what overlap alone makes, the second what the weights add, and a bias of the
    layer's own period adds the third.  The strongest of the three is the cause.
    """
    step, operator = trace.steps[origin.step], trace.operators[origin.step]
    if not isinstance(operator, StretchFIR):
        return "weights"
    place = float(origin.at)
    means = repeating(trace.values[step.inputs[0]]).period.mean(axis=1)
    level = operator.taps.mean(axis=2)
    # An all-ones kernel on the same taps, carrying each kernel's mean.
    flat = StretchFIR(
        np.broadcast_to(level[..., None], operator.taps.shape),
        operator.factor,
        dilation=operator.dilation,
        groups=operator.groups,
        crop=operator.crop,
    )
    overlap = flat.gains([place])[0, 0] @ means
    weights = operator.gains([place])[0, 0] @ means - overlap
    bias = np.zeros(1, dtype=np.complex128)
    if operator.offset is not None:
        count = operator.offset.shape[1]
        turned = np.exp(-2j * np.pi * place * np.arange(count)) / count
        bias = operator.offset @ turned if (origin.at * count).denominator == 1 else bias
    strengths = {
        "weights": float(np.linalg.norm(weights)),
        "overlap": float(np.linalg.norm(overlap)),
        "bias": float(np.linalg.norm(bias)),
    }
    return max(strengths, key=lambda cause: strengths[cause])
