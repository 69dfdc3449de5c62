"""What a layer is: a pure description that answers one question, by kind.

* :class:`LinearLayer`: :meth:`~LinearLayer.operator`, the linear map that it performs;
* :class:`Activation`: :meth:`~Activation.function`, its pointwise function;
* :class:`Normalisation`: :meth:`~Normalisation.gains` and :meth:`~Normalisation.centre`, what it
  makes of a signal's statistics over time;
* :class:`Branch`: its parts and how they are merged.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import MISSING, Field, fields
from fractions import Fraction
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from upsim.errors import NotPredictableError, ShapeError, UpsimError
from upsim.gaussian import DEFAULT_ORDER, ActivationMoments, Form, Quadrature
from upsim.network.weights import NAMED, Initialisation, TapShape, draw_taps
from upsim.operators import LengthRule, Operator, StretchFIR
from upsim.operators.random_taps import Part

Array = NDArray[np.float64]

#: Arrays with more entries than this are named, not printed, in a repr.
_PRINTED_ENTRIES = 64


class Layer(ABC):
    """A pure description of one layer; immutable.

    Subclasses are frozen dataclasses whose fields carry torch's names, in torch's order.
    """

    def __post_init__(self) -> None:
        try:
            self._check()
        except UpsimError as error:
            raise error.at(type(self).__name__) from None

    def _check(self) -> None:  # noqa: B027 - a layer without arguments has nothing to check
        """Check and normalise the fields."""

    def _set(self, **values: object) -> None:
        """Store normalised fields while the record is being made."""
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @abstractmethod
    def channels_out(self, channels: int) -> int:
        """Return the number of output channels for ``channels`` input channels, or refuse."""

    @abstractmethod
    def length_rule(self) -> LengthRule:
        """Return the length law of the layer."""

    @cached_property
    def rate(self) -> Fraction:
        """Output samples per input sample."""
        return self.length_rule().rate

    @property
    def block(self) -> tuple[int, int]:
        """Output and input samples after which the layer repeats itself."""
        return self.rate.numerator, self.rate.denominator

    def output_length(self, length: int) -> int:
        """Return the number of output samples for ``length`` input samples."""
        if length < self.shortest_input:
            raise ShapeError(
                "the padding reaches further than the input",
                given=f"{length} samples",
                expected=f"at least {self.shortest_input}",
                fix="a longer input, or less padding",
            )
        return self.length_rule()(length)

    @property
    def shortest_input(self) -> int:
        """Samples that the layer needs to be run at all, whatever its output length."""
        return 1

    @property
    def channels_in(self) -> int | None:
        """The number of input channels that the layer asks for; None: any."""
        return None

    @property
    def channel_ratio(self) -> Fraction:
        """Output channels per input channel, for a layer that takes any number."""
        return Fraction(1)

    @property
    def is_drawn(self) -> bool:
        """Whether all weights are numbers, or an initialisation that is not random ("ones")."""
        return True

    def draw(self, rng: np.random.Generator) -> Self:
        """Return the layer with every initialisation replaced by drawn arrays."""
        return self

    def parameters(self, channels: int) -> int:
        """Return the number of trainable numbers, for ``channels`` input channels."""
        return 0

    def macs(self, channels: int) -> Fraction:
        """Return multiply-accumulates per input sample, as frameworks compute the layer."""
        return Fraction(0)

    def to_fields(self) -> dict[str, Any]:
        """Return the arguments that differ from the defaults, by name."""
        return {
            item.name: getattr(self, item.name)
            for item in fields(self)  # type: ignore[arg-type]
            if not _is_default(item, getattr(self, item.name))
        }

    def __repr__(self) -> str:
        parts = []
        for item in fields(self):  # type: ignore[arg-type]
            value = getattr(self, item.name)
            if _is_default(item, value):
                continue
            text = _shown(value)
            required = item.default is MISSING and item.default_factory is MISSING
            parts.append(text if required and not item.kw_only else f"{item.name}={text}")
        return f"{type(self).__name__}({', '.join(parts)})"

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(
            _equal(getattr(self, item.name), getattr(other, item.name))
            for item in fields(self)  # type: ignore[arg-type]
        )

    def __hash__(self) -> int:
        return hash((type(self), repr(self)))


class LinearLayer(Layer):
    """A layer that is a linear operator, with or without an offset."""

    @abstractmethod
    def operator(self, channels: int) -> Operator:
        """Return the linear operator on ``channels`` input channels."""

    def in_expectation(self, channels: int) -> tuple[Part, ...]:
        """Return the layer as a chain of parts that need no draw of its weights.

        For a layer whose weights are known, that is its operator.
        """
        return (self.operator(channels),)


class Activation(Layer):
    """A pointwise function; the rate and the length stay as they are."""

    def channels_out(self, channels: int) -> int:
        """Return ``channels``."""
        return channels

    def length_rule(self) -> LengthRule:
        """Return the law that keeps the length."""
        return LengthRule()

    @abstractmethod
    def function(self, samples: Array) -> Array:
        """Return the activation of samples of shape (..., channels, time)."""

    def form(self) -> Form:
        """Return what is known of the function's moments: here, that quadrature finds them.

        A layer whose moments are known in closed form names it by overriding this.
        """
        if self.channels_in is None:
            _refuse_mixing(self)
        return Quadrature(
            self.function,
            name=type(self).__name__,
            # a layer that is made for some number of channels may treat each in its own way
            same_everywhere=self.channels_in is None,
        )

    def moments(
        self, mean: ArrayLike, deviation: ArrayLike, *, order: int = DEFAULT_ORDER
    ) -> ActivationMoments:
        """Return mean, variance and Hermite coefficients of the output for a Gaussian input.

        Parameters
        ----------
        mean, deviation : array_like (..., channels, time)
            Mean and standard deviation of each input sample; plain numbers for a layer that
            treats all channels alike.
        order : int, optional
            Hermite coefficients to keep.

        Returns
        -------
        ActivationMoments
            With the bound of the error of each number.

        Examples
        --------
        >>> from upsim.layers import ReLU
        >>> ReLU().moments(0.0, 1.0)
        <moments of Rectifier(slope=0.0), shape (), order 32, closed>
        """
        return self.form().moments(mean, deviation, order=order)

    def carrier(self, samples: Array) -> Array:
        """Return the part of the input that passes through: all of it, save for gates."""
        return samples


class Normalisation(Layer):
    r"""Statistics over time decide a gain and an offset; given them, the layer is linear.

    .. math:: y_c[n] = g_c\,(x_c[n] - m_c) + b_c

    with the gains ``g`` a function of each channel's mean and variance over time, and the centre
    ``m`` linear in the means: a sum of signals has the sum of their centres.
    """

    def channels_out(self, channels: int) -> int:
        """Return ``channels``."""
        refuse_other_channels(self, channels)
        return channels

    def length_rule(self) -> LengthRule:
        """Return the law that keeps the length."""
        return LengthRule()

    def macs(self, channels: int) -> Fraction:
        """Return two a number: one for its square in the variance, one for its gain."""
        return Fraction(2 * channels)

    @abstractmethod
    def gains(self, mean: Array, variance: Array) -> Array:
        """Return ``g``, (..., channels), for means and variances over time, (..., channels)."""

    @abstractmethod
    def centre(self, mean: Array) -> Array:
        """Return what is subtracted from each channel, (..., channels); linear in the means."""

    def bias_array(self) -> Array | None:
        """Return ``b``, (channels,), None if nothing is added."""
        return None

    def operator_for(self, mean: Array, variance: Array) -> StretchFIR:
        """Return the linear map that the layer is for a signal of these statistics, (channels,)."""
        gains, bias = self.gains(mean, variance), self.bias_array()
        offset = -gains * self.centre(mean)
        offset = offset if bias is None else offset + bias
        return StretchFIR(gains[:, None, None], groups=gains.size, offset=offset[:, None])

    def function(self, samples: Array) -> Array:
        """Return what becomes of finite samples (..., channels, time) by their own statistics."""
        mean, variance = samples.mean(axis=-1), samples.var(axis=-1)
        centred = samples - self.centre(mean)[..., None]
        made = self.gains(mean, variance)[..., None] * centred
        bias = self.bias_array()
        return made if bias is None else made + bias[:, None]


class Branch(Layer):
    """Parts that run side by side on one input and are merged."""

    @property
    @abstractmethod
    def parts(self) -> tuple[tuple[Layer, ...], ...]:
        """The branches; an empty one is a plain wire."""

    @property
    @abstractmethod
    def merging(self) -> str:
        """How the parts are merged: "sum", "mean" or "concatenate"."""


def refuse_other_channels(layer: Layer, channels: int) -> None:
    """Refuse an input whose channels are not those that the layer asks for."""
    wanted = layer.channels_in
    if wanted is not None and channels != wanted:
        raise ShapeError(
            "the input channels do not match the layer",
            given=f"{channels} channels",
            expected=f"{wanted}",
            fix=f"in_channels={channels}",
            where=type(layer).__name__,
        )


def is_random(weight: object) -> bool:
    """Tell whether weights, as a layer holds them, differ from one draw to the next."""
    return isinstance(weight, Initialisation) and weight.is_random


def drawn(weight: Array | Initialisation, shape: TapShape, layer: Layer) -> Array:
    """Return the weights as numbers, an array as it is, taps where nothing is random."""
    if isinstance(weight, Initialisation):
        if not weight.is_random:
            return draw_taps(weight, shape, np.random.default_rng(0))
        raise NotPredictableError(
            "the weights are not drawn yet",
            given=f"weight={_shown(weight)}",
            expected="numbers",
            fix="stack = stack.draw(seed=0), or weight=<your array>",
            where=type(layer).__name__,
        )
    return weight


def _refuse_mixing(layer: Activation) -> None:
    """Refuse an activation in which one channel has a say in another's output."""
    probe = np.array([[0.4], [-1.2]])
    try:
        together = layer.function(probe)
        apart = np.concatenate([layer.function(probe[:1]), layer.function(probe[1:])])
        pointwise = together.shape == apart.shape and np.array_equal(together, apart)
    except (IndexError, ValueError):
        pointwise = False
    if not pointwise:
        raise NotPredictableError(
            "the activation has no moments of one sample: its channels act on each other",
            given=repr(layer),
            expected="a pointwise function",
            fix="override form(), or upsim.gaussian.gated_moments(...) for a gate",
            where=type(layer).__name__,
        )


def _is_default(item: Field[Any], value: object) -> bool:
    default = item.default
    if default is MISSING:
        default = MISSING if item.default_factory is MISSING else item.default_factory()
    if default is MISSING:
        return False
    if isinstance(default, str) and isinstance(value, Initialisation):
        return NAMED.get(default) == value
    return _equal(default, value)


def _equal(first: object, second: object) -> bool:
    if isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
        return (
            isinstance(first, np.ndarray)
            and isinstance(second, np.ndarray)
            and np.array_equal(first, second)
        )
    return type(first) is type(second) and bool(first == second)


def _shown(value: object) -> str:
    if isinstance(value, np.ndarray):
        if value.size > _PRINTED_ENTRIES:
            return f"<array of shape {value.shape}>"
        return repr(value.tolist())
    if isinstance(value, Initialisation):
        for name, known in NAMED.items():
            if known == value:
                return repr(name)
    return repr(value)
