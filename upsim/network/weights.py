"""Weights: arrays, or the named initialisation that they will be drawn from.

An initialisation draws *taps*: shape (out, in per group, K), in the order in which the equivalent
stretch-FIR has them (tap ``k`` belongs to phase ``k mod factor``).  A layer turns taps into its
framework's layout.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import sqrt
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from upsim.errors import ArgumentError, NotPredictableError, UnknownNameError
from upsim.operators.kernels import equal_phase_gains
from upsim.words.arguments import (
    finite_array,
    finite_number,
    generator,
    refuse_beyond_memory,
)

Array = NDArray[np.float64]


@dataclass(frozen=True)
class TapShape:
    """What an initialisation must know of the taps it draws.

    Parameters
    ----------
    out, per_group, count : int
        Shape of the taps.
    factor : int
        Phases: tap ``k`` belongs to phase ``k mod factor``.
    fan_in, fan_out : int
        As the frameworks count them.  torch's fan-in of a transposed convolution is that of the
        weight's second axis, ``out / groups * K``.  Keras multiplies the last two axes of its
        kernel, (K, in / groups, out), each by K, so its fan-out is not divided by the groups.
    """

    out: int
    per_group: int
    count: int
    factor: int
    fan_in: int
    fan_out: int


class Initialisation(ABC):
    """How weights are drawn.

    Attributes
    ----------
    is_random : bool
        Whether two draws differ.  One that is not random is as good as an array.
    """

    is_random: ClassVar[bool] = True

    @abstractmethod
    def draw(self, shape: TapShape, rng: np.random.Generator) -> Array:
        """Return taps, shape (out, per_group, count)."""

    def draw_bias(self, shape: TapShape, count: int, rng: np.random.Generator) -> Array:
        """Return a bias of ``count`` values: zero, unless the framework draws it."""
        return np.zeros(count)

    def tap_covariance(self, shape: TapShape) -> Array:
        """Return the covariance of one kernel's taps, (count, count).

        Taps have mean zero, and the kernels of different channel pairs are independent.
        """
        raise NotPredictableError(
            "this initialisation does not say how its taps vary over networks",
            given=type(self).__name__,
            expected="tap_covariance(shape), for taps of mean zero",
            fix="stack = stack.draw(seed=0), and predict that one network",
        )

    def bias_variance(self, shape: TapShape) -> float:
        """Return the variance of a bias."""
        return 0.0


@dataclass(frozen=True)
class Uniform:
    """Numbers equally likely from ``-bound`` to ``bound``."""

    bound: float

    @property
    def variance(self) -> float:
        """``bound^2 / 3``."""
        return self.bound**2 / 3

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
        """Return independent numbers."""
        return rng.uniform(-self.bound, self.bound, shape)


@dataclass(frozen=True)
class Gaussian:
    """Gaussian numbers of mean 0."""

    std: float

    @property
    def variance(self) -> float:
        """``std^2``."""
        return self.std**2

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
        """Return independent numbers."""
        return rng.normal(0.0, self.std, shape)


class IndependentTaps(Initialisation):
    """Taps that are independent draws of one distribution, symmetric about 0."""

    @abstractmethod
    def distribution(self, shape: TapShape) -> Uniform | Gaussian:
        """Return the distribution of one tap."""

    def draw(self, shape: TapShape, rng: np.random.Generator) -> Array:
        """Return independent taps."""
        return self.distribution(shape).draw((shape.out, shape.per_group, shape.count), rng)

    def tap_covariance(self, shape: TapShape) -> Array:
        """Return the variance of one tap, times the identity."""
        return self.distribution(shape).variance * np.eye(shape.count)


@dataclass(frozen=True)
class Torch(IndependentTaps):
    r"""PyTorch's default: uniform on :math:`\pm 1/\sqrt{\text{fan\_in}}`, weights and bias.

    This is ``kaiming_uniform_(a=sqrt(5))`` worked out; the variance is ``1 / (3 fan_in)``.
    """

    def distribution(self, shape: TapShape) -> Uniform:
        """Return that of weights and bias alike."""
        return Uniform(1 / sqrt(shape.fan_in))

    def draw_bias(self, shape: TapShape, count: int, rng: np.random.Generator) -> Array:
        """Return a uniform bias."""
        return self.distribution(shape).draw((count,), rng)

    def bias_variance(self, shape: TapShape) -> float:
        """Return ``1 / (3 fan_in)``."""
        return self.distribution(shape).variance


@dataclass(frozen=True)
class Glorot(IndependentTaps):
    r"""Keras' default: uniform on :math:`\pm\sqrt{6 / (\text{fan\_in} + \text{fan\_out})}`.

    The variance is ``2 / (fan_in + fan_out)``; Keras' bias is zero.
    """

    def distribution(self, shape: TapShape) -> Uniform:
        """Return that of the weights."""
        return Uniform(sqrt(6 / (shape.fan_in + shape.fan_out)))


@dataclass(frozen=True)
class Ones(Initialisation):
    """All taps 1: the case of pure overlap."""

    is_random: ClassVar[bool] = False

    def draw(self, shape: TapShape, rng: np.random.Generator) -> Array:
        """Return ones."""
        return np.ones((shape.out, shape.per_group, shape.count))


@dataclass(frozen=True)
class Normal(IndependentTaps):
    """Independent Gaussian taps of mean 0.

    Parameters
    ----------
    std : float
    """

    std: float = 0.02

    def __post_init__(self) -> None:
        if finite_number(self.std, "std") <= 0:
            raise ArgumentError(
                "std must be positive", given=f"std={self.std}", fix="upsim.Normal(std=0.02)"
            )

    def distribution(self, shape: TapShape) -> Gaussian:
        """Return that of the weights."""
        return Gaussian(self.std)


@dataclass(frozen=True)
class Rescaled(IndependentTaps):
    r"""PyTorch's default, moved towards a reference standard deviation, as Demucs does.

    Weight and bias are divided by :math:`\sqrt{s / r}`, with :math:`s` the standard deviation of
    the drawn weight and :math:`r` the reference, so that the weight's becomes :math:`\sqrt{s r}`
    (Defossez et al., arXiv 1911.13254; facebookresearch/demucs, ``rescale``).  Here :math:`s` is
    its expectation, :math:`1/\sqrt{3\,\text{fan\_in}}`: that of ``n`` drawn weights is off by
    about :math:`1/\sqrt{5 n}` of it.

    Parameters
    ----------
    reference : float

    Examples
    --------
    >>> shape = TapShape(100, 2, 8, 1, fan_in=16, fan_out=800)
    >>> bool(np.isclose(Rescaled(0.1).tap_covariance(shape)[0, 0], 0.1 / np.sqrt(3 * 16)))
    True
    """

    reference: float = 0.1

    def __post_init__(self) -> None:
        if finite_number(self.reference, "reference") <= 0:
            raise ArgumentError(
                "reference must be positive",
                given=f"reference={self.reference}",
                fix="upsim.Rescaled(reference=0.1)",
            )

    def distribution(self, shape: TapShape) -> Uniform:
        """Return that of weights and bias alike, of variance ``reference / sqrt(3 fan_in)``."""
        return Uniform(sqrt(3 * self.reference / sqrt(3 * shape.fan_in)))

    def draw_bias(self, shape: TapShape, count: int, rng: np.random.Generator) -> Array:
        """Return a uniform bias, rescaled as the weight is."""
        return self.distribution(shape).draw((count,), rng)

    def bias_variance(self, shape: TapShape) -> float:
        """Return ``reference / sqrt(3 fan_in)``: torch draws bias and weight alike."""
        return self.distribution(shape).variance


@dataclass(frozen=True)
class ICNR(Initialisation):
    r"""Sub-pixel initialisation that starts as nearest neighbour, for any factor.

    ``h[m L + i] = p[m]`` for every phase ``i``, ``p`` drawn as torch draws:
    :math:`H(z) = P(z^L) \sum_{i<L} z^{-i}` (Aitken et al., arXiv 1707.02937, 2017).  Taps beyond
    the last whole group of ``L`` are zero, or the phases would differ.
    """

    def draw(self, shape: TapShape, rng: np.random.Generator) -> Array:
        """Return taps that repeat through the phases."""
        _refuse_missing_phases(shape, "icnr")
        slots = shape.count // shape.factor
        bound = 1 / sqrt(shape.fan_in)
        taps = np.zeros((shape.out, shape.per_group, shape.count))
        drawn = rng.uniform(-bound, bound, (shape.out, shape.per_group, slots))
        taps[:, :, : slots * shape.factor] = np.repeat(drawn, shape.factor, axis=2)
        return taps

    def tap_covariance(self, shape: TapShape) -> Array:
        """Return taps that are equal within each whole group of ``factor``."""
        _refuse_missing_phases(shape, "icnr")
        slot = np.arange(shape.count) // shape.factor
        used = slot < shape.count // shape.factor
        equal = (slot[:, None] == slot) & used[:, None] & used
        return np.asarray(equal / (3 * shape.fan_in))


@dataclass(frozen=True)
class CheckerboardFree(Initialisation):
    r"""Torch's draw, moved to the nearest taps whose phase gains are all equal.

    Then :math:`H(z) = P(z) \sum_{i<L} z^{-i}`: no offset makes a tone (Sugawara, Shiota & Kiya,
    ICIP 2018).
    """

    def draw(self, shape: TapShape, rng: np.random.Generator) -> Array:
        """Return taps with equal phase gains."""
        _refuse_missing_phases(shape, "checkerboard-free")
        return equal_phase_gains(Torch().draw(shape, rng), shape.factor)

    def tap_covariance(self, shape: TapShape) -> Array:
        """Return the covariance of projected taps, ``A A^T / (3 fan_in)``."""
        _refuse_missing_phases(shape, "checkerboard-free")
        units = np.eye(shape.count)[:, None, :]
        projection = equal_phase_gains(units, shape.factor)[:, 0]
        return np.asarray(projection.T @ projection / (3 * shape.fan_in))


def _refuse_missing_phases(shape: TapShape, name: str) -> None:
    if shape.count < shape.factor:
        raise ArgumentError(
            f'weight="{name}" needs at least one tap in each phase',
            given=f"kernel_size={shape.count}, factor {shape.factor}",
            expected="a kernel at least as long as the factor",
            fix=f"kernel_size={shape.factor}",
        )


#: The initialisations that have a name; of two names of one, reports and files use the first.
NAMED: dict[str, Initialisation] = {
    "torch": Torch(),
    "keras": Glorot(),
    "glorot": Glorot(),
    "ones": Ones(),
    "icnr": ICNR(),
    "checkerboard-free": CheckerboardFree(),
    "normal": Normal(),
    "rescaled": Rescaled(),
}

#: Those that take a number, and the name of that number.
NUMBERED: dict[str, tuple[type[Initialisation], str]] = {
    "normal": (Normal, "std"),
    "rescaled": (Rescaled, "reference"),
}


def initialisation(name: str) -> Initialisation:
    """Return the initialisation of a name."""
    if name not in NAMED:
        raise UnknownNameError(
            "weight is not a known initialisation",
            given=f"weight={name!r}",
            expected="an array, or one of " + ", ".join(map(repr, NAMED)),
            fix='weight="torch"',
        )
    return NAMED[name]


def parse_weight(value: object, shape: tuple[int, ...], name: str) -> Array | Initialisation:
    """Return an array of the given shape, or an initialisation, from what a user wrote."""
    if isinstance(value, Initialisation):
        return value
    if isinstance(value, str):
        return initialisation(value)
    return finite_array(value, name, shape=shape)


def draw_taps(weight: Initialisation, shape: TapShape, rng: np.random.Generator) -> Array:
    """Draw taps, after a look at their size."""
    refuse_beyond_memory(
        shape.out * shape.per_group * shape.count,
        "the weights of one layer",
        fix="use fewer channels or a smaller kernel",
    )
    return weight.draw(shape, generator(rng))
