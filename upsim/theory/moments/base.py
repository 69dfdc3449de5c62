"""What flows through a stack: one record, three rules.

A regime is one class of :class:`Moments` in one file.  It answers three questions, one for each
kind of layer: what becomes of it in a linear operator, in an activation, and where branches meet.
A normalisation is a linear operator once the levels over time are known, so a regime that knows
its levels has no fourth rule to write.
Everything else (propagation, tones, reports, pictures) is the same for all regimes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from upsim.errors import NotPredictableError
from upsim.layers.base import Activation, Normalisation
from upsim.operators import Operator


@dataclass(frozen=True)
class Source:
    """Where a share of a line comes from.

    Parameters
    ----------
    cause : str
        "input", "input offset", "bias", "activation", "modulation" or "opaque".
    layer : str
        The label of the layer, "" for the input.
    """

    cause: str
    layer: str = ""


@dataclass(frozen=True, eq=False)
class Levels:
    """What a normalisation measures: mean and variance of each channel over a long time.

    Parameters
    ----------
    mean, variance : array (channels,)
        The variance counts everything that moves: lines, recordings and noise.
    """

    mean: NDArray[np.float64]
    variance: NDArray[np.float64]


class Moments(ABC):
    """What is known of the signal at one place of a stack."""

    @property
    @abstractmethod
    def channels(self) -> int:
        """Channels at this place."""

    @property
    @abstractmethod
    def assumptions(self) -> tuple[str, ...]:
        """What is exact, what is closed, what is ignored."""

    @abstractmethod
    def through_operator(self, operator: Operator, label: str) -> Self:
        """Return the record after a linear layer."""

    @abstractmethod
    def through_activation(self, activation: Activation, label: str) -> Self:
        """Return the record after an activation, or refuse with the ways out."""

    def levels(self) -> Levels:
        """Return mean and variance over time, or refuse where the regime does not know them."""
        raise NotPredictableError(
            "this regime does not know the levels that a normalisation divides by",
            given=type(self).__name__,
            expected="drawn weights; a signal without noise, or no activation before the layer",
            fix="stack = stack.draw(seed=0), or upsim.predict(stack, upsim.Constant(1.0))",
        )

    def through_normalisation(self, layer: Normalisation, label: str) -> Self:
        """Return the record after a normalisation: the linear operator that the levels make it."""
        levels = self.levels()
        return self.through_operator(layer.operator_for(levels.mean, levels.variance), label)

    @classmethod
    @abstractmethod
    def merged(cls, parts: Sequence[Self], merging: str) -> Self:
        """Return the record where branches meet: "sum", "mean" or "concatenate"."""
