"""Filtering artifacts: droop towards the old Nyquist, and nulls with their multiplicity."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from upsim.network.graph import Graph
from upsim.operators import Operator, StretchFIR
from upsim.words.tolerance import rounding
from upsim.words.units import decibels

#: Multiplicities are looked for up to this order.
_HIGHEST_ORDER = 16


@dataclass(frozen=True)
class Null:
    """A frequency at which a filter's response is zero for every pair of channels.

    Parameters
    ----------
    fraction : Fraction
        Of the layer's output rate, in (0, 1/2].
    frequency : Fraction
        In Hz.
    multiplicity : int
        1: offsets leave no replica here; d + 1: nor do polynomials of degree d (Strang & Fix).
    """

    fraction: Fraction
    frequency: Fraction
    multiplicity: int


@dataclass(frozen=True)
class Filtering:
    """What the filter of one upsampling layer does to the band that it is given.

    Parameters
    ----------
    layer, name : str
    old_nyquist : Fraction
        In Hz.
    droop : float
        Level at the old Nyquist over the level at 0 Hz, in dB (power over all channel pairs).
    nulls : tuple of Null
        At the multiples of the layer's input rate.
    """

    layer: str
    name: str
    old_nyquist: Fraction
    droop: float
    nulls: tuple[Null, ...]


def null_multiplicity(operator: StretchFIR, turns: Fraction) -> int:
    r"""Return the multiplicity of the zero of ``H`` at a frequency, 0 if there is none.

    ``H`` has a zero of multiplicity ``d + 1`` when :math:`\sum_n n^r h[n] e^{-j\omega n} = 0` for
    ``r = 0 … d``.  Powers are taken about the kernel's centre and in units of half its length,
    which changes no multiplicity and keeps the sums near one.

    Examples
    --------
    >>> null_multiplicity(StretchFIR(np.array([[[0.25, 0.75, 0.75, 0.25]]]), 2), Fraction(1, 2))
    3
    """
    positions = operator.positions
    half = max(1.0, float(np.ptp(positions)) / 2)
    centred = (positions - positions.mean()) / half
    # Whole turns are taken off in whole numbers, so the phases are exact.
    steps = (positions * turns.numerator) % turns.denominator
    wave = np.exp(-2j * np.pi * steps / turns.denominator)
    bound = rounding(4 * positions.size, float(np.abs(operator.taps).sum(axis=2).max()))
    order = 0
    while order < min(_HIGHEST_ORDER, positions.size):
        moment = operator.taps @ (centred**order * wave)
        if np.abs(moment).max() > bound:
            break
        order += 1
    return order


def filtering_report(graph: Graph) -> tuple[Filtering, ...]:
    """Return droop and nulls of each upsampling layer of a network with drawn weights."""
    found = []
    for node, operator in zip(graph.nodes, graph.operators, strict=True):
        if isinstance(operator, StretchFIR) and operator.factor > operator.down:
            before = graph.value_rates[node.inputs[0]]
            found.append(
                Filtering(
                    node.name,
                    node.title,
                    before / 2,
                    droop(operator),
                    nulls(operator, before * operator.length.rate),
                )
            )
    return tuple(found)


def droop(operator: Operator) -> float:
    """Return the level at the old Nyquist over the level at 0 Hz, in dB."""
    # The way that is no image: input and output frequency are one, in Hz.
    gains = operator.gains([0.5 * operator.down / operator.up, 0.0])[:, 0]
    levels = (np.abs(gains) ** 2).sum(axis=(1, 2))
    return float(decibels(levels[0]) - decibels(levels[1]))


def nulls(operator: StretchFIR, rate: Fraction) -> tuple[Null, ...]:
    """Return the nulls at the multiples of ``1 / L``; ``rate`` is the output rate in Hz."""
    found = []
    for k in range(1, operator.factor // 2 + 1):
        # Behind the stretch, offsets have their images at j / L; the decimation moves j to j D.
        turns = Fraction(k * pow(operator.down, -1, operator.factor), operator.factor) % 1
        multiplicity = null_multiplicity(operator, turns)
        if multiplicity:
            place = Fraction(k, operator.factor)
            found.append(Null(place, place * rate, multiplicity))
    return tuple(found)
