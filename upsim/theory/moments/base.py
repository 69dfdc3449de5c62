"""What flows through a stack: one record, three rules.

A regime is one class of :class:`Moments` in one file.  It answers three questions, one for each
kind of layer: what becomes of it in a linear operator, in an activation, and where branches meet.
Everything else (propagation, tones, reports, pictures) is the same for all regimes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from upsim.layers.base import Activation
from upsim.operators import Operator


@dataclass(frozen=True)
class Source:
    """Where a share of a line comes from.

    Parameters
    ----------
    cause : str
        "input", "input offset", "bias", "activation" or "modulation".
    layer : str
        The label of the layer, "" for the input.
    """

    cause: str
    layer: str = ""


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

    @classmethod
    @abstractmethod
    def merged(cls, parts: Sequence[Self], merging: str) -> Self:
        """Return the record where branches meet: "sum", "mean" or "concatenate"."""
