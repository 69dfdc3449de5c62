"""The covariances that a stack will need, before one of them is made.

The places of a stack are laid out as propagation will, with no numbers in them, and asked for
their plans in the order in which propagation will ask for covariances.  So a stack whose
covariances fit in no form is refused at once, at its layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import lcm

import numpy as np

from upsim.layers import ChannelNormalisation, Gated
from upsim.layers.base import Layer, Normalisation, Unmodelled
from upsim.network.signals import Silence
from upsim.operators import Operator, StretchFIR
from upsim.operators.repeating import period_behind
from upsim.theory.moments.base import Moments
from upsim.theory.moments.deterministic import DeterministicMoments
from upsim.theory.moments.levelling import centring
from upsim.theory.moments.places import Activated, Filtered, Merged, Place, Scaled, Start
from upsim.theory.moments.rules import Nonlinearity
from upsim.theory.moments.stationary import StationaryMoments


@dataclass(frozen=True, eq=False)
class Planned:
    """A place, the period of the mean there, and whether an activation came before.

    The place is None where nothing random has reached: only the period counts there.
    """

    place: Place | None
    period: int
    closed: bool = False

    @classmethod
    def at_input(cls, start: Moments) -> Planned:
        """Return that of an input."""
        if isinstance(start, StationaryMoments):
            return cls(start.place, start.mean.period.shape[1])
        assert isinstance(start, DeterministicMoments)
        return cls(None, start.period.shape[1])

    def after(self, layer: Layer, operator: Operator | None) -> Planned:
        """Return what comes after a layer; refuse one whose covariance does not fit."""
        if operator is not None:
            period = period_behind(self.period, operator.up, operator.down)
            offset = 1 if operator.offset is None else operator.offset.shape[1]
            place = None if self.place is None else Filtered(self.place, operator)
            return replace(self, place=place, period=lcm(period, offset))
        if isinstance(layer, Unmodelled):  # nothing random comes to it
            return replace(self, period=period_behind(self.period, *layer.block))
        if self.place is None:
            return self
        channels = self.place.channels
        if isinstance(layer, Normalisation):
            if self.closed:
                self.settled()
            gains = StretchFIR(np.ones((channels, 1, 1)), groups=channels)
            return replace(self, place=Filtered(self.place, gains))
        if isinstance(layer, ChannelNormalisation):
            centred = Filtered(self.place, centring(layer, channels))
            period = lcm(self.period, centred.plan.window.phases)
            return Planned(Scaled(centred, np.ones((period, 1))), period, True)
        period = lcm(self.period, self.settled())
        gate = isinstance(layer, Gated)
        function = Nonlinearity(period, layer.channels_out(channels), gate)
        return Planned(Activated(self.place, function), period, True)

    def settled(self) -> int:
        """Return the phases of the covariance here; refuse one that would not fit in any form."""
        return 1 if self.place is None else self.place.plan.window.phases


def merged(
    parts: Sequence[Planned], merging: str, channels: Sequence[int], rate: Fraction
) -> Planned:
    """Return what comes where branches of so many channels meet."""
    period = lcm(*(part.period for part in parts))
    closed = any(part.closed for part in parts)
    budget = next((part.place.budget for part in parts if part.place is not None), None)
    if budget is None:
        return Planned(None, period, closed)
    places = [
        Start(Silence(), count, rate, budget) if part.place is None else part.place
        for part, count in zip(parts, channels, strict=True)
    ]
    return Planned(Merged(places, merging), period, closed)
