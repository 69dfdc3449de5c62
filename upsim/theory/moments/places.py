"""Where random values come from, and so how any two of them covary.

Every value of a stack is a place: the input, or an operator, an activation or a merging of earlier
places.  The covariance of two places is found by going back from the later one: linear steps and
mergings are exact, an activation is the Gaussian closure.  Two activations of different branches
are taken together, so that what they have in common is not lost.  Thus all values that are alive
are carried jointly, and a sum after an activation needs no independence.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cached_property
from math import lcm

import numpy as np
from numpy.typing import NDArray

from upsim.arguments import MEMORY_BUDGET
from upsim.errors import TooLargeError
from upsim.gaussian import ActivationMoments, GatedMoments
from upsim.operators import Operator
from upsim.theory.moments.covariance import Covariance, added, stacked
from upsim.theory.moments.gates import gate_mapped, gates_mapped
from upsim.theory.moments.independent import IndependentCovariance
from upsim.theory.moments.pointwise import both_mapped, left_mapped

Array = NDArray[np.float64]

#: Covariances of a chain without branches: a place, and the one before it.
_ALONE = 3


class Place(ABC):
    """A random signal somewhere in a stack, its mean left out.

    Attributes
    ----------
    parents : tuple of Place
    channels : int
    rate : Fraction
        Samples per input sample.
    depth : int
        Steps from the input along the longest way.
    terms : int
        Products that are added for one sample, along the longest way.
    activations : int
        Activations along the way with the most of them.
    levelled : bool
        Whether a level that was taken as certain has scaled it on the way.
    budget : float
        Bytes that one covariance may take.
    """

    depth: int
    terms: int
    activations: int
    levelled: bool
    budget: float

    def __init__(self, parents: tuple[Place, ...], channels: int, rate: Fraction) -> None:
        self.parents = parents
        self.channels = channels
        self.rate = rate
        self.depth = 1 + max((parent.depth for parent in parents), default=-1)
        self.terms = max((parent.terms for parent in parents), default=0)
        self.activations = max((parent.activations for parent in parents), default=0)
        self.levelled = any(parent.levelled for parent in parents)
        self.budget = parents[0].budget if parents else float(MEMORY_BUDGET)
        self.ancestors: frozenset[Place] = frozenset(parents).union(
            *(parent.ancestors for parent in parents)
        )

    @cached_property
    def covariance(self) -> Covariance:
        """The autocovariance."""
        return _between(self, self, {})

    @property
    def halves(self) -> Covariance | None:
        """The covariance of channel c of the first half and of the second, for independent ones."""
        return None

    def between_halves(self) -> Array:
        """Return ``Cov(x_c[p], x_{c + C / 2}[p])``: carriers and what opens them, (P, C / 2)."""
        own, half = self.covariance, self.channels // 2
        if not isinstance(own, IndependentCovariance):
            channels = np.arange(half)
            return own.lagged(0)[:, channels, half + channels]
        shared = self.halves
        return np.zeros((1, half)) if shared is None else shared.lagged(0)[:, 0]

    @abstractmethod
    def _with(self, other: Place, known: _Known) -> Covariance:
        """Return the covariance with a place that does not come later, by one step back."""


_Known = dict[tuple[int, int], Covariance]


class Start(Place):
    """The input of a stack; its autocovariance is made when it is first needed."""

    def __init__(self, channels: int, make: Callable[[], Covariance], budget: float) -> None:
        super().__init__((), channels, Fraction(1))
        self._make = make
        self.budget = budget

    def _with(self, other: Place, known: _Known) -> Covariance:
        return self._make()


class Filtered(Place):
    """An operator's output."""

    def __init__(self, parent: Place, operator: Operator) -> None:
        super().__init__((parent,), operator.out_channels, parent.rate * operator.length.rate)
        self.operator = operator
        self.terms += operator.terms + 1

    def _refuse_beyond_budget(self, size: int) -> None:
        """Refuse a covariance of ``size`` numbers that would pass the budget."""
        if 8 * size > self.budget:
            raise TooLargeError(
                f"the covariances of {self.channels} channels would need "
                f"{8 * size / 2**20:.1f} MiB",
                given="each channel by itself, the least form",
                expected=f"at most {self.budget / 2**20:.1f} MiB",
                fix="predict(..., memory=<bytes>) for more, or shorter kernels",
            )

    def _size(self, half: Covariance, *, pairs: bool) -> int:
        """Return about how many numbers the largest array on the way takes."""
        up, down = self.operator.up, self.operator.down
        phases = max(half.phases, half.phases * lcm(half.period, down) // half.period * up // down)
        first, last = self.operator.support()
        # One output sees this many inputs; the windows of two outputs that overlap add up.
        seen = int((last - first).max()) + 1
        width = max(half.width + seen, (half.width + 2 * seen) * up // down)
        inward, out = self.parents[0].channels, self.channels
        return phases * width * (out * max(out, inward) if pairs else max(out, inward))

    def _with(self, other: Place, known: _Known) -> Covariance:
        (parent,) = self.parents
        if other is self:
            half = _between(parent, parent, known)
            apart = isinstance(half, IndependentCovariance)
            if apart or 8 * self._size(half, pairs=True) > self.budget:
                self._refuse_beyond_budget(self._size(half, pairs=False))
                half = IndependentCovariance.of(half)
            return half.on_both_sides(self.operator)
        across = _between(parent, other, known).transposed()
        return across.through(self.operator).transposed()


class Activated(Place):
    """An activation's output; ``moments`` are those of each phase and channel, (P, C)."""

    def __init__(self, parent: Place, moments: ActivationMoments | GatedMoments) -> None:
        super().__init__((parent,), moments.shape[1], parent.rate)
        self.moments = moments
        self.activations += 1

    def _with(self, other: Place, known: _Known) -> Covariance:
        (parent,) = self.parents
        mine = self.moments
        if other is self:
            own = _between(parent, parent, known)
            if isinstance(mine, GatedMoments):
                return gates_mapped(own, mine, mine, same=True, halves=parent.halves)
            return both_mapped(own, mine, mine, same=True)
        if other in self.ancestors:
            between = _between(parent, other, known)
            if isinstance(mine, GatedMoments):
                return gate_mapped(between, mine)
            return left_mapped(between, mine)
        if not isinstance(other, Activated):
            return other._with(self, known).transposed()
        between = _between(parent, other.parents[0], known)
        if isinstance(mine, ActivationMoments) and isinstance(other.moments, ActivationMoments):
            return both_mapped(between, mine, other.moments, same=False)
        return gates_mapped(between, mine, other.moments, same=False)


class Scaled(Place):
    """Each channel times a gain that repeats, ``gains`` (P, C): what LayerNorm's level does."""

    def __init__(self, parent: Place, gains: Array) -> None:
        super().__init__((parent,), parent.channels, parent.rate)
        self.gains = gains
        self.levelled = True

    def _with(self, other: Place, known: _Known) -> Covariance:
        (parent,) = self.parents
        if other is self:
            return _between(parent, parent, known).scaled(self.gains, self.gains)
        return _between(parent, other, known).scaled(self.gains)


class Merged(Place):
    """Where branches meet: "sum", "mean" or "concatenate"."""

    def __init__(self, parts: Sequence[Place], merging: str) -> None:
        counts = [part.channels for part in parts]
        whole = sum(counts) if merging == "concatenate" else counts[0]
        super().__init__(tuple(parts), whole, parts[0].rate)
        self.merging = merging

    def _with(self, other: Place, known: _Known) -> Covariance:
        parts = [_between(part, other, known) for part in self.parents]
        if self.merging == "concatenate":
            return stacked(parts)
        total = added(parts)
        if self.merging == "sum":
            return total
        return Covariance(total.values / len(parts), total.starts, total.period)


def _between(first: Place, second: Place, known: _Known) -> Covariance:
    """Return the covariance of two places, each pair worked out once."""
    if first is second and "covariance" in vars(first):
        return first.covariance
    key = (id(first), id(second))
    if key not in known:
        if second.depth > first.depth:
            known[key] = _between(second, first, known).transposed()
        else:
            known[key] = first._with(second, known)
        _refuse_many(known, first.budget)
    return known[key]


def _refuse_many(known: _Known, budget: float) -> None:
    """Refuse what branches that meet keep at once: the covariances of all their places."""
    held = sum(each.values.nbytes for each in {id(each): each for each in known.values()}.values())
    if len(known) > _ALONE and held > budget:
        raise TooLargeError(
            "branches that meet need the covariances of all channels at many places",
            given=f"{held / 2**20:.1f} MiB for {len(known)} of them",
            expected=f"at most {budget / 2**20:.1f} MiB",
            fix="predict(..., memory=<bytes>) for more, fewer channels, or "
            "upsim.predict(stack, upsim.Constant(1.0)) for its exact lines",
        )
