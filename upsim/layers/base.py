"""What a layer is: a pure description that answers one question, by kind.

* :class:`LinearLayer`: :meth:`~LinearLayer.operator`, the linear map that it performs;
* :class:`Activation`: :meth:`~Activation.form`, a pointwise function with its moments;
* :class:`~upsim.layers.gated.Gated`: its carrier and its opening, two such functions;
* :class:`~upsim.layers.levels.ChannelNormalisation`: its centre and its level;
* :class:`Normalisation`: :meth:`~Normalisation.gains` and :meth:`~Normalisation.centre`, what it
  makes of a signal's statistics over time;
* :class:`Branch`: its parts and how they are merged;
* :class:`Unmodelled`: nothing but what it makes of samples, if it brings a function to run.

A class is abstract or final.  The kinds above are abstract, and a class that answers all their
questions is final: another one is written beside it, or around it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import MISSING, Field, fields
from fractions import Fraction
from functools import cached_property
from inspect import isabstract
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from upsim.errors import ArgumentTypeError, NotPredictableError, ShapeError, UpsimError
from upsim.gaussian import DEFAULT_ORDER, ActivationMoments, Form, Quadrature, confirmed
from upsim.network.weights import NAMED, Initialisation, TapShape, draw_taps
from upsim.operators import LengthRule, Operator, StretchFIR
from upsim.operators.random_taps import Part
from upsim.words.arguments import whole_number

if TYPE_CHECKING:
    from upsim.layers.lowering import Lowering

Array = NDArray[np.float64]

#: Arrays with more entries than this are named, not printed, in a repr.
_PRINTED_ENTRIES = 64


class Layer(ABC):
    """A pure description of one layer; immutable.

    Subclasses are frozen dataclasses whose fields carry torch's names, in torch's order.  A
    subclass that leaves no method abstract is final.
    """

    #: Methods that follow from what a class of this kind says; none of them is written anew.
    _derived: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        for base in cls.__mro__[1:]:
            if not issubclass(base, Layer):
                continue
            if not isabstract(base):
                raise ArgumentTypeError(
                    f"{base.__name__} is final: a layer made from it would inherit moments, an "
                    "operator or a witness that are not its own",
                    given=f"class {cls.__name__}({base.__name__})",
                    expected="a class of one of the abstract kinds",
                    fix=f"class {cls.__name__}({_kind_of(base)}) beside it, or one that has a "
                    f"{base.__name__} as a field",
                )
            again = [name for name in vars(base).get("_derived", ()) if name in vars(cls)]
            if again:
                raise ArgumentTypeError(
                    f"{again[0]} follows from what a {base.__name__} says and cannot be another",
                    given=f"class {cls.__name__} with {again[0]}",
                    fix=f"leave {again[0]} out, or write a layer of another kind",
                )

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

    @property
    def called(self) -> str:
        """What titles and tables call it: the name of its type."""
        return type(self).__name__

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
        length = whole_number(length, "length", most=None)
        if length < self.shortest_input:
            raise ShapeError(
                "the layer's padding or crop reaches further than the input",
                given=f"{length} samples",
                expected=f"at least {self.shortest_input}",
                fix="a longer input, or less padding or crop",
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
    def values_read(self) -> int:
        """Values of equal channels that the layer reads side by side: 2 for a gate, 1 for most.

        A node may read as many values; their channels are then put one after another.
        """
        return 1

    def lowered(self, values: int) -> Layer | Lowering | None:
        """Return what a node that reads so many values has in the place of this layer.

        None where the theory has a rule for the layer as it is.
        """
        return None

    @property
    def least_channels(self) -> int:
        """The fewest input channels, for a layer that takes any number."""
        return self.channel_ratio.denominator

    @property
    def is_drawn(self) -> bool:
        """Whether all weights are numbers, or an initialisation that is not random ("ones")."""
        return True

    @property
    def has_bias(self) -> bool:
        """Whether the layer adds a bias of its own."""
        return False

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
            for item in said_fields(type(self))
            if not _is_default(item, getattr(self, item.name))
        }

    def __repr__(self) -> str:
        parts = []
        for item in said_fields(type(self)):
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
            for item in said_fields(type(self))
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

    @property
    def weights(self) -> Array | Initialisation | None:
        """The weights that are trained, or what they will be drawn from; None if there are none."""
        return None

    @property
    def interleaves(self) -> bool:
        """Whether the phases of an output are different input channels, as in a shuffle.

        Of a fixed bank, too: what lines it makes is in how its channels' offsets differ.
        """
        return False

    def taps_by_phase(self, operator: StretchFIR) -> tuple[int, int]:
        """Return the taps of a kernel and their dilation, as they meet the phases."""
        return operator.taps.shape[2], operator.dilation


class Activation(Layer):
    """A function of the channels of one time step; the rate and the length stay as they are.

    Where a class says no more, it is pointwise: one function of one number, which is all that is
    asked.  A class writes :meth:`form`, a function with its moments, or :meth:`function`, whose
    moments are then found by quadrature of that very function.  It does not write both.
    """

    _derived: ClassVar[tuple[str, ...]] = ("moments", "pointwise")

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        said = vars(cls)
        if "function" not in said or "_derived" in said:
            return
        if "form" in said:
            raise ArgumentTypeError(
                "a layer that writes its function and its moments apart may contradict itself",
                given=f"class {cls.__name__} with function() and form()",
                expected="form() alone, which holds both; or function() alone",
                fix="upsim.gaussian.Quadrature(np.square, name='square') for form()",
            )
        cls.form = _by_quadrature  # type: ignore[assignment,method-assign]

    def channels_out(self, channels: int) -> int:
        """Return ``channels``."""
        refuse_other_channels(self, channels)
        return channels

    def length_rule(self) -> LengthRule:
        """Return the law that keeps the length."""
        return LengthRule()

    @abstractmethod
    def form(self) -> Form:
        """Return the pointwise function and its moments under a Gaussian, one record.

        Parameters of a form broadcast against samples of shape (..., channels, time).
        """

    @cached_property
    def _form(self) -> Form:
        return self.form()

    @cached_property
    def pointwise(self) -> Form:
        """The form, with a closed form compared with the function that it is said to be of.

        Who needs the moments asks for this one; the function alone needs no comparison.
        """
        return confirmed(self._form)

    def function(self, samples: Array) -> Array:
        """Return the activation of samples of shape (..., channels, time)."""
        if self.channels_in is not None:
            self.channels_out(samples.shape[-2])
        return self._form.function(samples)

    def at_rest(self, channels: int) -> Array:
        """Return what becomes of silence in so many channels, (channels out, 1)."""
        return self.function(np.zeros((channels, 1)))

    @property
    def mixes_channels(self) -> bool:
        """Whether an output depends on more than one channel."""
        return False

    @property
    def is_homogeneous(self) -> bool:
        """Whether ``f(a x) = a f(x)`` for all ``a >= 0``."""
        return self._form.is_homogeneous

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
        return self.pointwise.moments(mean, deviation, order=order)

    def passing(self, samples: Array) -> Array:
        """Return the part of the input that passes through: the first of the values that it reads.

        The others, as what opens a gate, decide how much.
        """
        return samples[..., : samples.shape[-2] // self.values_read, :]


class Normalisation(Layer):
    r"""Statistics over time decide a gain and an offset; given them, the layer is linear.

    .. math:: y_c[n] = g_c\,(x_c[n] - m_c) + b_c

    with the gains ``g`` a function of each channel's mean and variance over time, and the centre
    ``m`` linear in the means: a sum of signals has the sum of their centres.
    """

    _derived: ClassVar[tuple[str, ...]] = ("operator_for", "function")

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
        mean, variance = mean_over_time(samples), samples.var(axis=-1)
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


def mean_over_time(samples: Array) -> Array:
    """Return the mean along the last axis; of equal samples, exactly one of them.

    A sum of many equal samples is rounded, and a normalisation makes that hundreds of times larger.
    """
    first = samples[..., :1]
    return np.asarray(first[..., 0] + (samples - first).mean(axis=-1))


class Unmodelled(Layer):
    """A node without a formula: its channels and its rate are known, and it may be run.

    What it makes of samples may depend on all of them, before and after.
    """

    @property
    @abstractmethod
    def why(self) -> str:
        """Why there is no formula, as the end of a sentence; "" if nothing is said."""

    @property
    @abstractmethod
    def can_run(self) -> bool:
        """Whether there is a function to run."""

    @abstractmethod
    def answer(self, samples: Array) -> Array:
        """Return what becomes of finite samples (channels, time), or refuse."""


def in_words(layer: Layer) -> str:
    """Return the kind of a layer that is not linear, as sentences name it."""
    if isinstance(layer, Normalisation):
        return "a normalisation"
    if isinstance(layer, Unmodelled):
        return "an opaque node"
    return "an activation" if isinstance(layer, Activation) else "a branch"


def said_fields(kind: type[Layer]) -> tuple[Field[Any], ...]:
    """Return the fields that say what a layer is: those that its comparison counts."""
    return tuple(item for item in fields(kind) if item.compare)  # type: ignore[arg-type]


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
    """Return True if weights, as a layer holds them, differ from one draw to the next."""
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


def _by_quadrature(layer: Activation) -> Form:
    """Return what is known of a function that comes without moments: that quadrature finds them."""
    if layer.channels_in is None:
        _refuse_mixing(layer)
    return Quadrature(
        layer.function,
        name=type(layer).__name__,
        # a layer that is made for some number of channels may treat each in its own way
        same_everywhere=layer.channels_in is None,
    )


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
            fix="class Mine(upsim.layers.Gated) for a product of two pointwise functions",
            where=type(layer).__name__,
        )


def _kind_of(layer: type[Layer]) -> str:
    """Return the name of the public kind that a concrete layer is of."""
    return next(
        kind.__name__
        for kind in layer.__mro__
        if isabstract(kind) and not kind.__name__.startswith("_")
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
    if isinstance(first, tuple) and isinstance(second, tuple):
        return len(first) == len(second) and all(map(_equal, first, second))
    if isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
        return (
            isinstance(first, np.ndarray)
            and isinstance(second, np.ndarray)
            and np.array_equal(first, second)
        )
    return type(first) is type(second) and bool(first == second)


def _shown(value: object) -> str:
    if isinstance(value, Fraction):
        return str(value) if value.denominator == 1 else repr(str(value))
    if isinstance(value, np.ndarray):
        if value.size > _PRINTED_ENTRIES:
            return f"<array of shape {value.shape}>"
        return repr(value.tolist())
    if isinstance(value, Initialisation):
        for name, known in NAMED.items():
            if known == value:
                return repr(name)
    if isinstance(value, tuple):
        return f"({', '.join(map(_shown, value))}{',' * (len(value) == 1)})"
    return repr(value)
