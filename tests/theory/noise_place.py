"""The place of the noise behind a linear stack, as predict walks it."""

import upsim
from upsim.theory.moments.propagation import propagate, starting_moments


def place_behind(stack, signal=None):
    start = starting_moments(stack, [signal or upsim.WhiteNoise()], provenance=False)
    return propagate(stack, start).end.place


def operators(stack):
    return [operator for operator in stack.operators if operator is not None]
