"""The rules of second moments: what becomes of what two signals have in common, layer by layer.

:mod:`~upsim.theory.moments.places` walks back through a stack and asks them.  There are two kinds
of answers: covariances (:class:`Covariances`), and the windows that they would fill
(:class:`~upsim.theory.moments.lag_window.LagWindows`), so that a question which does not fit in
memory is refused before the memory is taken.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from upsim.gaussian import ActivationMoments, GatedMoments, ProductMoments
from upsim.operators import Operator
from upsim.theory.moments.covariance import Covariance, added, stacked, stationary
from upsim.theory.moments.gates import gate_mapped, gates_mapped
from upsim.theory.moments.per_channel import IndependentCovariance, independent, side_by_side
from upsim.theory.moments.pointwise import both_mapped, left_mapped

Array = NDArray[np.float64]
Record = TypeVar("Record")


@dataclass(frozen=True, eq=False)
class Nonlinearity:
    """An activation or a gate: how often its moments repeat, its channels, and its moments.

    ``moments`` are (phases, channels); None while sizes alone are worked out.
    """

    phases: int
    channels: int
    gate: bool
    moments: ActivationMoments | GatedMoments | ProductMoments | None = None

    @classmethod
    def of(cls, moments: ActivationMoments | GatedMoments | ProductMoments) -> Nonlinearity:
        """Return that of known moments."""
        phases, channels = moments.shape
        return cls(phases, channels, not isinstance(moments, ActivationMoments), moments)


class Rules(ABC, Generic[Record]):
    """What a walk through the places of a stack asks; x is the signal that comes later.

    Parameters
    ----------
    per_channel : bool
        Whether channels are taken as independent.
    """

    def __init__(self, *, per_channel: bool) -> None:
        self.per_channel = per_channel

    @abstractmethod
    def bytes_of(self, between: Record) -> int:
        """Return what it takes in memory."""

    @abstractmethod
    def start(self, lags: Array) -> Record:
        """Return the autocovariance of an input of independent channels, (2 D + 1, channels)."""

    @abstractmethod
    def transposed(self, between: Record) -> Record:
        """Return it with the two signals exchanged."""

    @abstractmethod
    def on_both_sides(self, own: Record, operator: Operator) -> Record:
        """Return the autocovariance of ``A x``."""

    @abstractmethod
    def on_the_left(self, between: Record, operator: Operator) -> Record:
        """Return the covariance of ``A x`` and y."""

    @abstractmethod
    def activated(
        self, own: Record, function: Nonlinearity, halves: Callable[[], Covariance | None]
    ) -> Record:
        """Return the autocovariance of f(x)."""

    @abstractmethod
    def both_activated(self, between: Record, left: Nonlinearity, right: Nonlinearity) -> Record:
        """Return the covariance of f(x) and g(y)."""

    @abstractmethod
    def left_activated(self, between: Record, function: Nonlinearity) -> Record:
        """Return the covariance of f(x) and y."""

    @abstractmethod
    def scaled(self, between: Record, left: Array, right: Array | None) -> Record:
        """Return it with x, and y if so asked, times a gain that repeats."""

    @abstractmethod
    def added(self, parts: Sequence[Record], share: float) -> Record:
        """Return ``share`` times the sum of the parts of x."""

    @abstractmethod
    def stacked(self, parts: Sequence[Record]) -> Record:
        """Return it for channels of x that are stacked."""

    @abstractmethod
    def unrelated(self, rows: int, columns: int, ratio: Fraction) -> Record:
        """Return that of unrelated signals of so many channels, ``ratio`` samples of y to one."""


class Covariances(Rules[Covariance]):
    """The covariances themselves."""

    def kept(self, own: Covariance) -> Covariance:
        """Return a covariance that is known, in the form of this walk."""
        return IndependentCovariance.of(own) if self.per_channel else own

    def bytes_of(self, between: Covariance) -> int:
        """Return the size of the array."""
        return between.values.nbytes

    def start(self, lags: Array) -> Covariance:
        """Return what the signal makes."""
        return independent(lags) if self.per_channel else stationary(lags)

    def transposed(self, between: Covariance) -> Covariance:
        """Exchange the signals."""
        return between.transposed()

    def on_both_sides(self, own: Covariance, operator: Operator) -> Covariance:
        """Apply the operator on both sides."""
        return own.on_both_sides(operator)

    def on_the_left(self, between: Covariance, operator: Operator) -> Covariance:
        """Apply the operator to x."""
        return between.transposed().through(operator).transposed()

    def activated(
        self, own: Covariance, function: Nonlinearity, halves: Callable[[], Covariance | None]
    ) -> Covariance:
        """Map both sides by one function."""
        moments = function.moments
        assert moments is not None
        if not isinstance(moments, ActivationMoments):
            crossed = halves() if self.per_channel else None
            return gates_mapped(own, moments, moments, same=True, halves=crossed)
        return both_mapped(own, moments, moments, same=True)

    def both_activated(
        self, between: Covariance, left: Nonlinearity, right: Nonlinearity
    ) -> Covariance:
        """Map the two sides by two functions."""
        one, two = left.moments, right.moments
        assert one is not None
        assert two is not None
        if isinstance(one, ActivationMoments) and isinstance(two, ActivationMoments):
            return both_mapped(between, one, two, same=False)
        return gates_mapped(between, one, two, same=False)

    def left_activated(self, between: Covariance, function: Nonlinearity) -> Covariance:
        """Map x by its mean slope."""
        moments = function.moments
        assert moments is not None
        if not isinstance(moments, ActivationMoments):
            return gate_mapped(between, moments)
        return left_mapped(between, moments)

    def scaled(self, between: Covariance, left: Array, right: Array | None) -> Covariance:
        """Multiply by the gains."""
        return between.scaled(left, right)

    def added(self, parts: Sequence[Covariance], share: float) -> Covariance:
        """Add the parts."""
        total = added(parts)
        return total if share == 1 else replace(total, values=share * total.values)

    def stacked(self, parts: Sequence[Covariance]) -> Covariance:
        """Stack the parts' channels."""
        return side_by_side(parts) if self.per_channel else stacked(parts)

    def unrelated(self, rows: int, columns: int, ratio: Fraction) -> Covariance:
        """Return zero."""
        none = IndependentCovariance.unrelated(rows, ratio)
        if self.per_channel:
            return none
        values = np.zeros((none.phases, 1, rows, columns))
        return Covariance(values, none.starts, none.period)
