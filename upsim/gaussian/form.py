"""What is known of a pointwise function: its values, its moments, where it is not smooth."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import fields, replace
from inspect import isabstract
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from upsim.errors import ArgumentTypeError

if TYPE_CHECKING:
    from upsim.gaussian.covariance import Covariance
    from upsim.gaussian.moments import ActivationMoments

Array = NDArray[np.float64]


class Form(ABC):
    """A pointwise function and its moments under a Gaussian; immutable.

    Subclasses are frozen dataclasses.  Parameters are numbers, or arrays that broadcast against
    the means.  A subclass that leaves no method abstract is final: moments are never inherited by
    another function.
    """

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        for base in cls.__mro__[1:]:
            if issubclass(base, Form) and not isabstract(base):
                raise ArgumentTypeError(
                    f"{base.__name__} is final: its moments are those of its own function",
                    given=f"class {cls.__name__}({base.__name__})",
                    fix="upsim.gaussian.Quadrature(np.square, name='square') for a new function",
                )

    @abstractmethod
    def function(self, x: Array) -> Array:
        """Return f(x)."""

    @abstractmethod
    def moments(
        self, mean: ArrayLike, deviation: ArrayLike, *, order: int = 32
    ) -> ActivationMoments:
        """Return the moments of f(x), ``x ~ N(mean, deviation^2)``."""

    @property
    def kinks(self) -> tuple[float, ...]:
        """Where f or one of its derivatives jumps; the places at which quadrature is split."""
        return ()

    @property
    def width(self) -> float:
        """The distance in x over which f changes its character, for quadrature."""
        return 1.0

    @property
    def is_homogeneous(self) -> bool:
        """Whether ``f(a x) = a f(x)`` for all ``a >= 0``."""
        return False

    @property
    def has_moments(self) -> bool:
        """Whether moments are known at all."""
        return True

    def refuse_random(self, deviation: ArrayLike) -> None:  # noqa: B027 - most refuse nothing
        """Refuse an input of these deviations if its moments are not known."""

    def centred_covariance(self, rho: Array) -> Array | None:
        """Return ``Cov(f(X), f(Y))`` for standard normal X and Y; None if it has no closed form."""
        return None

    def expectation(self, mean: Array, deviation: Array) -> Array:
        """Return E f(x) alone."""
        return self.moments(mean, deviation, order=1).mean

    def expectation_with_error(self, mean: Array, deviation: Array) -> tuple[Array, Array]:
        """Return E f(x) and what its quadrature, if it is one, may miss."""
        return self.expectation(mean, deviation), np.zeros(())

    def closed_covariance(
        self, x: ActivationMoments, y: ActivationMoments, rho: Array
    ) -> Covariance | None:
        """Return the covariance of f(x) and g(y) in closed form, None where there is none."""
        return None

    def entries(self, index: Any, shape: tuple[int, ...]) -> Self:
        """Return the form with its array parameters reduced to some entries of ``shape``."""
        changed = {
            item.name: np.broadcast_to(getattr(self, item.name), shape)[index]
            for item in fields(self)  # type: ignore[arg-type]
            if np.ndim(getattr(self, item.name)) > 0
            and isinstance(getattr(self, item.name), np.ndarray)
        }
        return replace(self, **changed) if changed else self  # type: ignore[type-var]

    def equals(self, other: Form) -> NDArray[np.bool_]:
        """Return whether the other is the same function, entry by entry."""
        same = np.asarray(type(self) is type(other))
        if not same:
            return same
        for item in fields(self):  # type: ignore[arg-type]
            same = same & np.asarray(getattr(self, item.name) == getattr(other, item.name))
        return same


def parameter(value: object, name: str) -> float | Array:
    """Return a finite number, or a read-only array of them."""
    from upsim.words.arguments import finite_array

    values = finite_array(value, name)
    return values if values.ndim else float(values)
