"""The covariances that a stack will need, before one of them is made.

The places of a stack are laid out as propagation will, with no numbers in them, and asked for
their plans in the order in which propagation will ask for covariances.  So a stack whose
covariances fit in no form is refused at once, at its layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import lcm

import numpy as np

from upsim.layers import ChannelNormalisation, Gated
from upsim.layers.base import Layer, Normalisation
from upsim.network.graph import Graph
from upsim.operators import Operator, StretchFIR
from upsim.theory.moments.levelling import centring
from upsim.theory.moments.places import Activated, Filtered, Merged, Place, Plan, Scaled
from upsim.theory.moments.rules import Nonlinearity
from upsim.theory.moments.stationary import StationaryMoments
from upsim.theory.moments.windows import Windows


@dataclass(frozen=True, eq=False)
class Foreseen:
    """A place, the period of the mean there, and whether an activation came before."""

    place: Place
    period: int
    closed: bool = False

    @classmethod
    def at_input(cls, start: StationaryMoments) -> Foreseen:
        """Return that of a stack's input."""
        return cls(start.place, start.mean.period.shape[1])

    def after(self, layer: Layer, operator: Operator | None) -> Foreseen:
        """Return what comes after a layer; refuse a covariance that the layer needs in vain."""
        channels = self.place.channels
        if operator is not None:
            period = lcm(self.period, operator.down) // operator.down * operator.up
            offset = 1 if operator.offset is None else operator.offset.shape[1]
            place = Filtered(self.place, operator)
            return replace(self, place=place, period=lcm(period, offset))
        if isinstance(layer, Normalisation):
            if self.closed:
                self.settled()
            gains = StretchFIR(np.ones((channels, 1, 1)), groups=channels)
            return replace(self, place=Filtered(self.place, gains))
        if isinstance(layer, ChannelNormalisation):
            centred = replace(self, place=Filtered(self.place, centring(layer, channels)))
            period = lcm(self.period, centred.settled())
            return Foreseen(Scaled(centred.place, np.ones((period, 1))), period, True)
        period = lcm(self.period, self.settled())
        gate = isinstance(layer, Gated)
        function = Nonlinearity(period, layer.channels_out(channels), gate)
        return Foreseen(Activated(self.place, function), period, True)

    def settled(self) -> int:
        """Return the phases of the covariance here; refuse one that would not fit in any form."""
        return self.place.plan.window.phases


def releases(graph: Graph, foreseen: Sequence[Foreseen], budget: float) -> dict[int, list[int]]:
    """Return, by node, the values whose covariances no later node asks for.

    Empty where all of them together fit the budget: kept, they make panels of inner layers cheap.

    Parameters
    ----------
    graph : Graph
    foreseen : sequence of Foreseen
        By value.
    budget : float
        In bytes.
    """
    planned = {value: vars(each.place).get("plan") for value, each in enumerate(foreseen)}
    sizes = [Windows(apart=plan.apart).bytes_of(plan.window) for plan in planned.values() if plan]
    if sum(sizes) <= budget:
        return {}
    numbers = {each.place: value for value, each in enumerate(foreseen)}
    last_use = {value: readers[-1] for value, readers in enumerate(graph.readers) if readers}
    needed: dict[int, int] = {}

    def note(plan: Plan, node: int) -> None:
        """Take down that a covariance is worked out at a node from those that its plan asks for."""
        for first, second in plan.asked:
            if first is second and first in numbers:
                value = numbers[first]
                needed[value] = max(needed.get(value, 0), node)

    for value, each in enumerate(foreseen):
        plan = planned[value]
        if plan:
            note(plan, last_use.get(value, len(graph.nodes)))
        for parent in each.place.parents:
            # What LayerNorm makes on the way to its own value.
            if parent not in numbers and "plan" in vars(parent):
                note(parent.plan, value - 1)
    found: dict[int, list[int]] = {}
    for value, node in needed.items():
        if planned[value]:
            found.setdefault(node, []).append(value)
    return found


def merged(parts: Sequence[Foreseen], merging: str) -> Foreseen:
    """Return what comes where branches meet."""
    period = lcm(*(part.period for part in parts))
    closed = any(part.closed for part in parts)
    return Foreseen(Merged([part.place for part in parts], merging), period, closed)
