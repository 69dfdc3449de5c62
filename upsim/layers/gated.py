"""Gates: one half of the channels opens and closes the other.

Two halves are two values, too: a node that reads a carrier and what opens it has their product.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import final

import numpy as np

from upsim.errors import ArgumentError, ArgumentTypeError, NotPredictableError, ShapeError
from upsim.gaussian import SIGMOID, Form, GatePair, Rectifier, Unclosed, confirmed
from upsim.layers.activations import Sigmoid
from upsim.layers.base import Activation, Array
from upsim.words.arguments import shown


class Gated(Activation):
    r"""A product of two pointwise functions, one of each half of the channels.

    .. math:: y_c[n] = f(x_c[n])\; g(x_{c + C / 2}[n])

    A class says which two they are: the carrier ``f`` and the opening ``g``, each a
    :class:`~upsim.gaussian.Form`.
    """

    _derived = ("form", "function", "passing", "moments", "pointwise", "is_homogeneous")

    @abstractmethod
    def pair(self) -> tuple[Form, Form]:
        """Return the carrier f and the opening g."""

    @cached_property
    def _pair(self) -> tuple[Form, Form]:
        return self.pair()

    @cached_property
    def gate(self) -> GatePair:
        """The pair, each closed form compared with its function."""
        carrier, opening = self._pair
        return GatePair(confirmed(carrier), confirmed(opening))

    @property
    def values_read(self) -> int:
        """The carrier's and the opening's."""
        return 2

    @property
    def channel_ratio(self) -> Fraction:
        """Return one half."""
        return Fraction(1, 2)

    @property
    def mixes_channels(self) -> bool:
        """Each channel is multiplied by another."""
        return True

    @property
    def is_homogeneous(self) -> bool:
        """A product is not."""
        return False

    def at_rest(self, channels: int) -> Array:
        """Return the product of both at 0; where nothing is carried nothing need be open."""
        carrier, opening = self._pair
        silence = np.zeros((channels // 2, 1))
        carried = carrier.function(silence)
        return carried * opening.function(silence) if carried.any() else carried

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
        carrier, opening = self._pair
        opened = opening.function(samples[..., half:, :])
        return carrier.function(samples[..., :half, :]) * opened


@final
@dataclass(frozen=True, eq=False, repr=False)
class GLU(Gated):
    """Gated linear unit over the channels: the first half times the sigmoid of the second.

    Source: Dauphin et al., ICML 2017.
    """

    def pair(self) -> tuple[Form, Form]:
        """Return the identity and the sigmoid."""
        return Rectifier(1.0), SIGMOID.derivatives[0]


@final
@dataclass(frozen=True, eq=False, repr=False)
class Gate(Gated):
    """A gate of any two activations: ``carrier(a) opening(b)``.

    Parameters
    ----------
    carrier, opening : Activation, optional
        What is done to the first half of the channels, and to the second; None for nothing.
        Both None is the plain product of the halves.

    Examples
    --------
    >>> from upsim.layers import Tanh
    >>> Gate(Tanh(), Sigmoid()).function(np.array([[0.0], [5.0]]))
    array([[0.]])
    >>> Gate().function(np.array([[3.0], [5.0]]))
    array([[15.]])
    """

    carrier: Activation | None = None
    opening: Activation | None = None

    def _check(self) -> None:
        for name in ("carrier", "opening"):
            part: object = getattr(self, name)
            if part is None:
                continue
            if not isinstance(part, Activation) or part.values_read > 1:
                raise ArgumentTypeError(
                    f"{name} must be an activation of one value",
                    given=f"{name}={shown(part)}",
                    expected="an activation such as upsim.Sigmoid(), or None",
                    fix=f"{name}=upsim.Sigmoid()",
                )
            if part.channels_in is not None:
                raise ArgumentError(
                    f"{name} has parameters of its own for each channel",
                    given=shown(part),
                    expected="one number for all channels",
                    fix="that activation as a layer before upsim.Multiply()",
                )

    def pair(self) -> tuple[Form, Form]:
        """Return the forms of both; the sigmoid's has its derivatives, too."""
        return _form_of(self.carrier), _form_of(self.opening)


def _form_of(part: Activation | None) -> Form:
    if part is None:
        return Rectifier(1.0)
    return SIGMOID.derivatives[0] if isinstance(part, Sigmoid) else part.form()


@final
@dataclass(frozen=True, eq=False, repr=False)
class Reciprocal(Activation):
    """``1 / x``; it has no moments, as a Gaussian comes arbitrarily near to 0."""

    def form(self) -> Form:
        """Return the function alone."""
        return Unclosed(_reciprocal, "a division")


def _reciprocal(samples: Array) -> Array:
    if not np.all(samples):
        raise NotPredictableError(
            "a division by 0",
            given="a divisor that is 0 at some sample",
            expected="a divisor that is never 0",
            fix="an offset before it: upsim.Bias(1e-5)",
        )
    return np.reciprocal(samples)


@final
@dataclass(frozen=True, eq=False, repr=False)
class Softmax(Activation):
    r"""The softmax over the channels, :math:`y_c = e^{x_c} / \sum_d e^{x_d}`.

    Each output depends on all channels, and moments of that are not known.  Where nothing is random
    it is exact.
    """

    @property
    def mixes_channels(self) -> bool:
        """All of them."""
        return True

    def form(self) -> Form:
        """Return the function alone."""
        return Unclosed(_softmax, "a softmax over channels", by_sample=False)


def _softmax(samples: Array) -> Array:
    powers = np.exp(samples - samples.max(axis=-2, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-2, keepdims=True))
