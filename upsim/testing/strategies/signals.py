"""Signals: silence, constants, sines, noise, recordings, and sums of them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import strategies as st

from upsim.network.signals import Constant, Density, Recorded, Signal, Silence, Sine, WhiteNoise
from upsim.testing.strategies.values import Array, arrays, dyadics


def _per_channel(channels: int, *, positive: bool = False) -> st.SearchStrategy[float | Array]:
    both: st.SearchStrategy[float | Array] = st.one_of(dyadics(), arrays((channels,)))
    # hypothesis has no unsigned dyadics; the square of a multiple of 1/8 is one of 1/64.
    return both.map(np.square) if positive else both


@st.composite
def _sines(draw: st.DrawFn, channels: int, rate: Fraction) -> Signal:
    # Up to the Nyquist frequency, both ends included.
    share = draw(st.fractions(0, Fraction(1, 2), max_denominator=12))
    phase = draw(st.sampled_from([0.0, np.pi / 4, np.pi / 2]))
    return Sine(share * rate, draw(_per_channel(channels)), phase)


@st.composite
def _densities(draw: st.DrawFn, rate: Fraction) -> Signal:
    points = np.linspace(0.0, float(rate) / 2, draw(st.integers(2, 5)))
    levels = st.integers(0, 8).map(lambda eighths: eighths / 8)
    return Density(points, draw(st.lists(levels, min_size=points.size, max_size=points.size)))


@st.composite
def _recordings(draw: st.DrawFn, channels: int, rate: Fraction) -> Signal:
    length = draw(st.integers(1, 24))
    return Recorded(draw(arrays((channels, length))), rate)


@st.composite
def signals(
    draw: st.DrawFn,
    *,
    channels: int = 1,
    input_rate: Fraction | int = 8000,
    random: bool = True,
    recorded: bool = True,
) -> Signal:
    """Signals for a stack of the given input channels and input rate (Hz), one to three terms.

    Parameters
    ----------
    channels : int
    input_rate : number
        Hz; sines and densities stay at or below half of it.
    random, recorded : bool
        Whether noise, and whether recordings, may be among the terms.
    """
    rate = Fraction(input_rate)
    terms: list[st.SearchStrategy[Signal]] = [
        st.builds(Silence),
        st.builds(Constant, _per_channel(channels)),
        _sines(channels, rate),
    ]
    if random:
        terms += [
            st.builds(WhiteNoise, _per_channel(channels, positive=True)),
            _densities(rate),
        ]
    if recorded:
        terms.append(_recordings(channels, rate))
    first, *more = draw(st.lists(st.one_of(terms), min_size=1, max_size=3))
    for term in more:
        first = first + term
    return first
