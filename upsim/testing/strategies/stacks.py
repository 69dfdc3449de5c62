"""Stacks: layers that fit together, branches included."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import strategies as st

from upsim.layers import CATALOGUE
from upsim.layers.base import Layer, LinearLayer, Unmodelled
from upsim.network.stack import Stack
from upsim.testing.strategies.branches import parallels, residuals
from upsim.testing.strategies.layers import STRATEGIES, layers_with_channels

_rates = st.sampled_from([8000, 22050, 32000, 44100, Fraction(44100, 7)])

#: More samples a period than this make slow tests, not better ones.
_LARGEST_RATE = 24


def _fits(layer: Layer, rate: Fraction) -> bool:
    after = rate * layer.rate
    return max(after.numerator, after.denominator) <= _LARGEST_RATE


@st.composite
def stacks(draw: st.DrawFn, *, linear: bool = True, longest: int = 4) -> Stack:
    """Stacks of one to ``longest`` drawn layers.

    Parameters
    ----------
    linear : bool
        Whether all layers are linear, those in branches too; otherwise any layers with a formula
        are taken.
    longest : int
        Most layers.
    """
    channels = first = draw(st.integers(1, 2))
    rate = Fraction(1)
    found: list[Layer] = []
    for _ in range(draw(st.integers(1, longest))):
        layer = draw(_next_layer(channels, linear=linear))
        if not _fits(layer, rate):
            continue
        found.append(layer)
        channels, rate = layer.channels_out(channels), rate * layer.rate
    if not found:
        found = [draw(STRATEGIES["TransposedConv"](first))]
    return Stack(found, draw(_rates), in_channels=first)


def _next_layer(channels: int, *, linear: bool) -> st.SearchStrategy[Layer]:
    if not linear:
        modelled = [name for name, kind in CATALOGUE.items() if not issubclass(kind, Unmodelled)]
        found = layers_with_channels(names=modelled, channels=channels)
        return found.map(lambda pair: pair[0])
    names = [name for name, kind in CATALOGUE.items() if issubclass(kind, LinearLayer)]
    plain = layers_with_channels(names=names, channels=channels).map(lambda pair: pair[0])
    branched = st.one_of(residuals(channels, linear=True), parallels(channels, linear=True))
    return st.one_of(plain, plain, plain, branched)
