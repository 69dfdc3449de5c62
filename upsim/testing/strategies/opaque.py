"""Nodes without a formula, each with a small recurrent network to run."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st

from upsim.layers.base import Array, Layer
from upsim.layers.opaque import Opaque


@dataclass(frozen=True)
class Leaky:
    """``y[n] = tanh(x[n] + memory y[n - 1])``, of the mean of all channels, at another rate."""

    channels: int
    rate: Fraction
    memory: float

    def __call__(self, samples: Array) -> Array:
        """Return (channels, n rate) for samples (any, n)."""
        up, down = self.rate.as_integer_ratio()
        count = samples.shape[1] * up // down
        heard = np.repeat(samples.mean(axis=0), up)[::down][:count]
        made, state = np.empty((self.channels, count)), np.zeros(self.channels)
        for number, sample in enumerate(heard):
            state = np.tanh(sample + self.memory * state)
            made[:, number] = state
        return made


@st.composite
def opaques(draw: st.DrawFn, channels: int) -> Layer:
    """Opaque nodes of one or two channels, at the rate of the input, twice or half of it."""
    del channels
    count, rates = draw(st.integers(1, 2)), [Fraction(1), Fraction(2), Fraction(1, 2)]
    rate = draw(st.sampled_from(rates))
    run = Leaky(count, rate, draw(st.sampled_from([0.0, 0.5, -0.25])))
    return Opaque("LSTM", count, rate, run, draw(st.sampled_from(["", "it has a state"])))
