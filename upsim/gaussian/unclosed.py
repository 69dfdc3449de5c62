"""A function of which no moments are known: what is not random passes, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from upsim.errors import NotPredictableError
from upsim.gaussian.form import Form
from upsim.gaussian.moments import DEFAULT_ORDER, ActivationMoments
from upsim.gaussian.quadrature import Quadrature

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Unclosed(Form):
    """A function without moments.

    Parameters
    ----------
    values : callable
        f, from samples (..., channels, time) to samples.
    name : str
        For messages.
    by_sample : bool, optional
        Whether each sample is treated by itself; else a value depends on other channels.

    Examples
    --------
    >>> half = Unclosed(lambda x: 1 / x, "1 / x")
    >>> float(half.moments(2.0, 0.0).mean)
    0.5
    """

    values: Callable[[Array], Array]
    name: str
    by_sample: bool = True

    @property
    def has_moments(self) -> bool:
        """It has none."""
        return False

    def __repr__(self) -> str:
        return self.name

    def function(self, x: Array) -> Array:
        """Return f(x)."""
        return self.values(x)

    def moments(
        self, mean: ArrayLike, deviation: ArrayLike, *, order: int = DEFAULT_ORDER
    ) -> ActivationMoments:
        """Return those of a constant; refuse what is random."""
        self.refuse_random(deviation)
        return Quadrature(self.values, name=self.name).moments(mean, deviation, order=order)

    def refuse_random(self, deviation: ArrayLike) -> None:
        """Refuse noise, and, for a function of several channels, any question of one alone."""
        if self.by_sample and not np.any(deviation):
            return
        raise NotPredictableError(
            f"{self.name} has no moments that are known",
            given="noise, or random weights, in front of it",
            expected="a signal that is not random, such as upsim.Constant(1.0) or upsim.Silence()",
            fix="upsim.predict(stack, upsim.Constant(1.0)) for exact lines",
        )
