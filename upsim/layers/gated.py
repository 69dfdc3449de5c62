"""Gates: one half of the channels opens and closes the other."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import final

from upsim.errors import NotPredictableError, ShapeError
from upsim.gaussian import SIGMOID, Form, GatePair, Rectifier, confirmed
from upsim.layers.base import Activation, Array


class Gated(Activation):
    r"""A product of two pointwise functions, one of each half of the channels.

    .. math:: y_c[n] = f(x_c[n])\; g(x_{c + C / 2}[n])

    A class says which two they are: the carrier ``f`` and the opening ``g``, each a
    :class:`~upsim.gaussian.Form`.
    """

    _derived = ("form", "function", "carrier", "moments", "pointwise", "is_homogeneous")

    @abstractmethod
    def pair(self) -> tuple[Form, Form]:
        """Return the carrier f and the opening g."""

    @cached_property
    def gate(self) -> GatePair:
        """The pair, each closed form compared with its function."""
        carrier, opening = self.pair()
        return GatePair(confirmed(carrier), confirmed(opening))

    @property
    def channel_ratio(self) -> Fraction:
        """Return one half."""
        return Fraction(1, 2)

    @property
    def is_homogeneous(self) -> bool:
        """A product is not."""
        return False

    def channels_out(self, channels: int) -> int:
        """Return half the channels."""
        name = type(self).__name__
        if channels % 2:
            raise ShapeError(
                f"{name} needs an even number of channels",
                given=f"{channels} channels",
                expected="a gate for each channel that passes",
                fix=f"{channels + 1} channels before it",
                where=name,
            )
        return channels // 2

    def form(self) -> Form:
        """Refuse: an output depends on two inputs."""
        raise NotPredictableError(
            "a gate has no moments of one sample",
            given=repr(self),
            expected="the two halves and their correlation",
            fix="upsim.gaussian.gated_moments(0.0, 1.0, 0.0, 1.0, rho=0.5)",
            where=type(self).__name__,
        )

    def function(self, samples: Array) -> Array:
        """Return the product of the carrier's half and the opening's."""
        half = samples.shape[-2] // 2
        opened = self.gate.opening.function(samples[..., half:, :])
        return self.gate.carrier.function(samples[..., :half, :]) * opened

    def carrier(self, samples: Array) -> Array:
        """Return the half that passes; the other half opens and closes the gate."""
        return samples[..., : samples.shape[-2] // 2, :]


@final
@dataclass(frozen=True, eq=False, repr=False)
class GLU(Gated):
    """Gated linear unit over the channels: the first half times the sigmoid of the second.

    Source: Dauphin et al., ICML 2017.
    """

    def pair(self) -> tuple[Form, Form]:
        """Return the identity and the sigmoid."""
        return Rectifier(1.0), SIGMOID.derivatives[0]
