r"""Aliasing: what a network makes of a sine that is neither the sine nor a harmonic of it.

A sine of ``m`` turns in ``N`` input samples, ``N`` prime, repeats after ``N`` samples, and so does
what any network makes of it, but for the network's own repetition.  One period of the output is
carried exactly, through any activation (:mod:`~upsim.theory.moments.deterministic`).  With ``P``
samples in the output's period and the sine at its line ``m'``, each line ``k`` is

* a harmonic if ``k = h m'`` with a whole ``h``, up to half the rate;
* otherwise a copy of one order ``h``: activations make order ``h`` at ``h m'``, and rates fold or
  image it to ``h m' + j N``.  ``m'`` has an inverse modulo the prime ``N``, so

.. math:: h = k\, m'^{-1} \bmod N, \qquad -N/2 < h < N/2.

Order 0 is a tone of the network (an offset's images), order 1 or -1 an image of the sine, and any
other a harmonic that was folded.  ``N`` is at least four times what a period of the sine has output
samples, so that no harmonic in the band meets a fold of an order below ``7 N / 8``.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import count, islice
from math import ceil, isqrt

import numpy as np

from upsim.network.graph import Graph
from upsim.network.signals import Sine
from upsim.theory.moments.deterministic import DeterministicMoments
from upsim.theory.moments.propagation import propagate

#: The least period of a sine, in input samples; and how many primes from there on are tried.
_LEAST, _TRIED = 1009, 16

#: Periods of the sine that the run holds, in output samples of one period.
_PERIODS = 4

#: Arrays as large as the period of the widest value that a run holds at once.
_HELD = 16

#: A line that is weaker than the strongest by more is no peak, in power: 80 dB.
PEAK = 1e-8


@dataclass(frozen=True)
class AliasedSine:
    """The powers of what becomes of one sine, summed over the output's channels.

    Parameters
    ----------
    frequency : Fraction
        Of the sine, in Hz, exact.
    fundamental : float
        At the sine's own place.
    harmonics : float
        At its multiples from 2 on, up to half the output rate.
    offset : float
        At 0 Hz.
    images : float
        Copies of the sine itself, made by changes of the rate.
    folds : float
        Harmonics elsewhere than at their own frequency.
    tones : float
        Copies of the offset: the network's own lines.
    signal_peaks, alias_peaks : float
        Fundamental and harmonics, and copies of all kinds, of lines within 80 dB of the strongest.
    """

    frequency: Fraction
    fundamental: float
    harmonics: float
    offset: float
    images: float
    folds: float
    tones: float
    signal_peaks: float
    alias_peaks: float

    @property
    def signal(self) -> float:
        """Fundamental and harmonics."""
        return self.fundamental + self.harmonics

    @property
    def aliased(self) -> float:
        """All that is neither the sine, nor a harmonic, nor the offset."""
        return self.images + self.folds + self.tones


def prime_turn(wanted: Fraction, *, least: int) -> Fraction:
    """Return a number of turns a sample with a prime period of at least so many samples.

    Of the next sixteen primes, that which comes nearest.

    Examples
    --------
    >>> prime_turn(Fraction(440, 44100), least=1009)
    Fraction(11, 1097)
    """
    primes = islice((each for each in count(least) if _is_prime(each)), _TRIED)
    turns = (Fraction(max(round(wanted * each), 1), each) for each in primes)
    return min(turns, key=lambda each: abs(each - wanted))


def _is_prime(number: int) -> bool:
    return number > 1 and all(number % each for each in range(2, isqrt(number) + 1))


def least_period(graph: Graph, frequency: Fraction) -> int:
    """Return the fewest input samples that tell apart all lines of a sine."""
    return max(_LEAST, ceil(_PERIODS * max(graph.input_rate, graph.sample_rate) / frequency))


def numbers_of(graph: Graph, frequency: Fraction) -> int:
    """Return how many numbers a run of a sine holds at once, about."""
    widest = max(
        channels * rate / graph.input_rate
        for channels, rate in zip(graph.value_channels, graph.value_rates, strict=True)
    )
    return ceil(_HELD * widest * least_period(graph, frequency))


def aliased_sine(graph: Graph, frequency: Fraction, amplitude: float) -> AliasedSine:
    """Return what a drawn network makes of a sine on every channel of its one input.

    The sine is of the nearest frequency that has a prime period.
    """
    rate = graph.input_rate
    turn = prime_turn(frequency / rate, least=least_period(graph, frequency))
    signal = Sine(turn * rate, amplitude)
    start = DeterministicMoments.from_signal(
        signal, graph.inputs[0].channels, rate, provenance=False
    )
    end = propagate(graph, [start]).end
    assert isinstance(end, DeterministicMoments)
    power = (np.abs(end.amplitudes()) ** 2).sum(axis=0)
    period, prime = end.period.shape[1], turn.denominator
    power[1 : (period + 1) // 2] *= 2  # a line and its mirror
    place = int(turn * rate / graph.sample_rate * period)
    lines = np.arange(power.size)
    order = lines * pow(place, -1, prime) % prime
    own = lines % place == 0
    # What rounding may have made is nothing: lines of power e^2 in all, e the bound of a sample.
    rounded = float(np.sum(end.error**2))
    found = {
        "images": power[~own & ((order == 1) | (order == prime - 1))],
        "tones": power[~own & (order == 0)],
        "folds": power[~own & (order > 1) & (order < prime - 1)],
    }
    peak = power > PEAK * power.max()
    peak[0] = False
    copies = {name: _above(float(each.sum()), rounded) for name, each in found.items()}
    return AliasedSine(
        frequency=turn * rate,
        fundamental=float(power[place]),
        harmonics=_above(float(power[2 * place :: place].sum()), rounded),
        offset=_above(float(power[0]), rounded),
        signal_peaks=float(power[own & peak].sum()),
        alias_peaks=float(power[~own & peak].sum()) if sum(copies.values()) else 0.0,
        **copies,
    )


def _above(power: float, rounded: float) -> float:
    """Return a power, 0 where it may be rounding."""
    return power if power > rounded else 0.0
