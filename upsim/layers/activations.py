"""Activations as pointwise functions, each as torch (or its paper) defines it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import final

import numpy as np
from numpy.typing import ArrayLike

from upsim.errors import ArgumentError, ShapeError
from upsim.gaussian import (
    BentLine,
    ExactGELU,
    ExponentialLinear,
    Form,
    Quadrature,
    Rectifier,
    Sinusoid,
    snake,
)
from upsim.layers.base import Activation, Array
from upsim.words.arguments import (
    finite_array,
    finite_number,
    number_or_vector,
    one_of,
    whole_number,
)


def as_column(value: float | Array | ArrayLike) -> float | Array:
    """Return one number, or one a channel as a column that broadcasts over time."""
    values = np.asarray(value, dtype=np.float64)
    return float(values.reshape(())) if values.size == 1 else values[:, None]


@final
@dataclass(frozen=True, eq=False, repr=False)
class ReLU(Activation):
    """``max(x, 0)``."""

    def form(self) -> Form:
        """Return the closed form."""
        return Rectifier()


@final
@dataclass(frozen=True, eq=False, repr=False)
class LeakyReLU(Activation):
    """``x`` where positive, ``negative_slope x`` elsewhere."""

    negative_slope: float = 0.01

    def _check(self) -> None:
        self._set(negative_slope=finite_number(self.negative_slope, "negative_slope"))

    def form(self) -> Form:
        """Return the closed form."""
        return Rectifier(self.negative_slope)


@final
@dataclass(frozen=True, eq=False, repr=False)
class PReLU(Activation):
    """A leaky ReLU whose slope is learned, one for all channels or one a channel.

    Parameters
    ----------
    num_parameters : int
        1, or the number of channels.
    init : float
        The slope before training.
    weight : array (num_parameters,), optional
        The learned slopes.
    """

    num_parameters: int = 1
    init: float = 0.25
    weight: Array | ArrayLike | None = field(default=None, kw_only=True)

    def _check(self) -> None:
        self._set(
            num_parameters=whole_number(self.num_parameters, "num_parameters"),
            init=finite_number(self.init, "init"),
        )
        if self.weight is not None:
            self._set(weight=finite_array(self.weight, "weight", shape=(self.num_parameters,)))

    @property
    def channels_in(self) -> int | None:
        """The channels that the slopes are for."""
        return self.num_parameters if self.num_parameters > 1 else None

    def slopes(self) -> Array:
        """Return the slopes, shape (num_parameters,)."""
        if self.weight is None:
            return np.full(self.num_parameters, self.init)
        return np.asarray(self.weight, dtype=np.float64)

    def channels_out(self, channels: int) -> int:
        """Return ``channels``."""
        if self.num_parameters not in (1, channels):
            raise ShapeError(
                "the slopes do not match the channels",
                given=f"num_parameters={self.num_parameters}, {channels} channels",
                fix=f"num_parameters={channels}",
                where="PReLU",
            )
        return channels

    def parameters(self, channels: int) -> int:
        """Return the number of slopes."""
        return self.num_parameters

    def form(self) -> Form:
        """Return the closed form."""
        return Rectifier(as_column(self.slopes()))


@final
@dataclass(frozen=True, eq=False, repr=False)
class Clamp(Activation):
    """``min(max(x, min), max)``, ``torch.clamp``; None is no end.

    Examples
    --------
    >>> Clamp(-1.0, 1.0).function(np.array([-2.0, 0.5]))
    array([-1. ,  0.5])
    """

    min: float | None = None
    max: float | None = None

    def _check(self) -> None:
        for name in ("min", "max"):
            if getattr(self, name) is not None:
                self._set(**{name: finite_number(getattr(self, name), name)})
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ArgumentError(
                "min must not be above max",
                given=f"min={self.min}, max={self.max}",
                fix=f"Clamp({self.max}, {self.min})",
            )

    def form(self) -> Form:
        """Return the closed form: a bend up at ``min``, a bend down at ``max``."""
        up = () if self.min is None else (self.min,)
        down = () if self.max is None else (self.max,)
        bends = (1.0,) * len(up) + (-1.0,) * len(down)
        return BentLine(up + down, bends, line=1.0 - len(up), offset=sum(up))


@final
@dataclass(frozen=True, eq=False, repr=False)
class ELU(Activation):
    """``x`` where positive, ``alpha (e^x - 1)`` elsewhere."""

    alpha: float = 1.0

    def _check(self) -> None:
        self._set(alpha=finite_number(self.alpha, "alpha"))

    def form(self) -> Form:
        """Return the closed form."""
        return ExponentialLinear(self.alpha)


@final
@dataclass(frozen=True, eq=False, repr=False)
class GELU(Activation):
    """``x Phi(x)``, its tanh form, or ``x`` times the sigmoid of ``1.702 x``.

    Source: Hendrycks & Gimpel, arXiv 1606.08415, section 2.
    """

    approximate: str = "none"

    def _check(self) -> None:
        one_of(self.approximate, "approximate", ("none", "tanh", "sigmoid"))

    def form(self) -> Form:
        """Return the closed form; the approximations have none."""
        if self.approximate == "none":
            return ExactGELU()
        return Quadrature(_gelu if self.approximate == "tanh" else _quick_gelu, name="GELU")


def _gelu(samples: Array) -> Array:
    inner = np.sqrt(2 / np.pi) * (samples + 0.044715 * samples**3)
    return np.asarray(0.5 * samples * (1 + np.tanh(inner)))


def _quick_gelu(samples: Array) -> Array:
    return samples * logistic(1.702 * samples)


@final
@dataclass(frozen=True, eq=False, repr=False)
class Tanh(Activation):
    """``tanh x``."""

    def form(self) -> Form:
        """Return a quadrature."""
        return Quadrature(np.tanh, name="Tanh")


def logistic(samples: Array) -> Array:
    """Return ``1 / (1 + e^-x)``, written so that nothing overflows."""
    return 0.5 + 0.5 * np.tanh(0.5 * samples)


@final
@dataclass(frozen=True, eq=False, repr=False)
class Sigmoid(Activation):
    """``1 / (1 + e^-x)``; 1/2 at zero, so it makes an offset of silence."""

    def form(self) -> Form:
        """Return a quadrature."""
        return Quadrature(logistic, name="Sigmoid")


@final
@dataclass(frozen=True, eq=False, repr=False)
class SiLU(Activation):
    """``x`` times its sigmoid."""

    def form(self) -> Form:
        """Return a quadrature."""
        return Quadrature(_silu, name="SiLU")


def _silu(samples: Array) -> Array:
    return samples * logistic(samples)


@final
@dataclass(frozen=True, eq=False, repr=False)
class Softplus(Activation):
    """``log(1 + e^(beta x)) / beta``; the identity where ``beta x`` passes the threshold."""

    beta: float = 1.0
    threshold: float = 20.0

    def _check(self) -> None:
        self._set(
            beta=finite_number(self.beta, "beta"),
            threshold=finite_number(self.threshold, "threshold"),
        )
        if self.beta == 0:
            raise ArgumentError("beta must not be zero", given="beta=0", fix="beta=1.0")

    def form(self) -> Form:
        """Return a quadrature that is cut at the threshold, where the function jumps."""
        return Quadrature(
            self._softplus,
            kink_places=(self.threshold / self.beta,),
            feature_width=1 / abs(self.beta),
            name="Softplus",
        )

    def _softplus(self, samples: Array) -> Array:
        scaled = self.beta * samples
        return np.where(scaled > self.threshold, samples, np.logaddexp(0.0, scaled) / self.beta)


class _ChannelParameters(Activation):
    """An activation whose fields are numbers for all channels, or one a channel."""

    def _vectors(self) -> dict[str, Array]:
        """Return the fields that are vectors, by name."""
        found = {item.name: np.asarray(getattr(self, item.name)) for item in fields(self)}  # type: ignore[arg-type]
        return {name: values for name, values in found.items() if values.size > 1}

    @property
    def channels_in(self) -> int | None:
        """The channels that the vectors are for; None if all fields are numbers."""
        return next((values.size for values in self._vectors().values()), None)

    def channels_out(self, channels: int) -> int:
        """Return ``channels``."""
        for name, values in self._vectors().items():
            if values.size != channels:
                raise ShapeError(
                    f"{name} does not match the channels",
                    given=f"{values.size} values, {channels} channels",
                    fix="one number for all, or one a channel",
                    where=type(self).__name__,
                )
        return channels


@final
@dataclass(frozen=True, eq=False, repr=False)
class SnakeBeta(_ChannelParameters):
    """``x + sin^2(alpha x) / beta``, alpha and beta one number or one a channel (BigVGAN)."""

    alpha: float | Array | ArrayLike = 1.0
    beta: float | Array | ArrayLike = 1.0

    def _check(self) -> None:
        for name in ("alpha", "beta"):
            self._set(**{name: number_or_vector(getattr(self, name), name)})
        if not np.all(np.asarray(self.beta)):
            raise ArgumentError("beta must not be zero", given="beta=0", fix="beta=1.0")

    def parameters(self, channels: int) -> int:
        """Return an alpha and a beta a channel."""
        return 2 * channels

    def form(self) -> Form:
        """Return the closed form."""
        return snake(as_column(self.alpha), as_column(self.beta))


@final
@dataclass(frozen=True, eq=False, repr=False)
class Sin(_ChannelParameters):
    """``amplitude sin(frequency x + phase)``, in radians; each one number or one a channel."""

    frequency: float | Array | ArrayLike = 1.0
    amplitude: float | Array | ArrayLike = 1.0
    phase: float | Array | ArrayLike = 0.0

    def _check(self) -> None:
        for name in ("frequency", "amplitude", "phase"):
            self._set(**{name: number_or_vector(getattr(self, name), name)})

    def parameters(self, channels: int) -> int:
        """Return the numbers of the vectors: a single number is a constant of the network."""
        return sum(values.size for values in self._vectors().values())

    def form(self) -> Form:
        """Return the closed form."""
        return Sinusoid(
            amplitude=as_column(self.amplitude),
            frequency=as_column(self.frequency),
            phase=as_column(self.phase),
        )


@final
@dataclass(frozen=True, eq=False, repr=False)
class Snake(_ChannelParameters):
    """``x + sin^2(alpha x) / alpha`` (Ziyin, Hartwig & Ueda, NeurIPS 2020)."""

    alpha: float | Array | ArrayLike = 1.0

    def _check(self) -> None:
        self._set(alpha=number_or_vector(self.alpha, "alpha"))
        if not np.all(np.asarray(self.alpha)):
            raise ArgumentError("alpha must not be zero", given="alpha=0", fix="alpha=1.0")

    def parameters(self, channels: int) -> int:
        """Return one alpha a channel."""
        return channels

    def form(self) -> Form:
        """Return the closed form."""
        return snake(as_column(self.alpha))
