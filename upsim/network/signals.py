"""Input signals: what is fed to a stack, described exactly.

Every signal has three parts, each of which may be absent: lines at exact frequencies (constants
and sines), random noise of a given density, and a recording.  Signals add with ``+``.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from upsim.errors import ArgumentError, ShapeError
from upsim.network.density import Density
from upsim.network.recorded import Recorded
from upsim.network.signal import Line, Signal, Sum, Term
from upsim.words.arguments import axes_of, finite_array, finite_number, shown
from upsim.words.units import exact, format_hertz

__all__ = [
    "Constant",
    "Density",
    "Line",
    "Recorded",
    "Signal",
    "Silence",
    "Sine",
    "Sum",
    "Term",
    "WhiteNoise",
]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Silence(Term):
    """No input: what remains is what the stack makes of its own biases and activations."""


@dataclass(frozen=True, eq=False, repr=False)
class Constant(Term):
    """An offset: the same value at every sample.

    Parameters
    ----------
    value : float or array (channels,)
    """

    value: float | Array | ArrayLike = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", _number_or_vector(self.value, "value"))

    def lines(self, channels: int, rate: Fraction) -> tuple[Line, ...]:
        """Return the line at 0 Hz."""
        values = _per_channel(self.value, channels, "value")
        return (Line(Fraction(0), values.astype(np.complex128)),)


@dataclass(frozen=True, eq=False, repr=False)
class Sine(Term):
    """``amplitude cos(2 pi frequency t + phase)``.

    Parameters
    ----------
    frequency : number
        In Hz; kept exact.
    amplitude, phase : float or array (channels,)
        Phase in radians.
    """

    frequency: Fraction | float
    amplitude: float | Array | ArrayLike = 1.0
    phase: float | Array | ArrayLike = 0.0

    def __post_init__(self) -> None:
        frequency = exact(self.frequency, "frequency")
        if frequency < 0:
            raise ArgumentError(
                "frequency must not be negative",
                given=f"frequency={self.frequency}",
                fix=f"upsim.Sine({float(-frequency)!r})",
            )
        object.__setattr__(self, "frequency", frequency)
        for name in ("amplitude", "phase"):
            object.__setattr__(self, name, _number_or_vector(getattr(self, name), name))

    def lines(self, channels: int, rate: Fraction) -> tuple[Line, ...]:
        """Return the line, folded into the band of the input rate."""
        frequency = Fraction(self.frequency)
        if 2 * frequency > rate:
            raise ArgumentError(
                "the sine lies above the Nyquist frequency of the stack's input",
                given=f"{format_hertz(frequency)}, input rate {format_hertz(rate)}",
                expected=f"at most {format_hertz(rate / 2)}",
                fix=f"upsim.Sine({float(rate / 4)!r})",
            )
        amplitude = _per_channel(self.amplitude, channels, "amplitude")
        phase = _per_channel(self.phase, channels, "phase")
        coefficient = 0.5 * amplitude * np.exp(1j * phase)
        if frequency == 0 or 2 * frequency == rate:
            # The line is its own mirror: cos(phase) is all that the samples show.
            coefficient = (amplitude * np.cos(phase)).astype(np.complex128)
        return (Line(frequency, coefficient),)


@dataclass(frozen=True, eq=False, repr=False)
class WhiteNoise(Term):
    """Independent samples of mean 0, channels independent.

    Parameters
    ----------
    power : float or array (channels,)
        The variance.
    """

    power: float | Array | ArrayLike = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "power", _powers(self.power, "power"))

    def density(self, frequencies: Array, channels: int, rate: Fraction) -> Array:
        """Return ``power / rate``."""
        powers = _per_channel(self.power, channels, "power")
        return np.broadcast_to(powers[:, None] / float(rate), (channels, frequencies.size))

    def autocovariance(self, lags: ArrayLike, channels: int, rate: Fraction) -> Array:
        """Return the power at lag 0, and nothing beside it."""
        powers = _per_channel(self.power, channels, "power")
        return np.where(np.asarray(lags) == 0, powers[:, None], 0.0)


def _number_or_vector(value: object, name: str) -> float | Array:
    if axes_of(value) == 0:
        return finite_number(value, name)
    found = finite_array(value, name, shape=(None,))
    if not found.size:
        raise ShapeError(
            f"{name} is a number, or one a channel",
            given=f"{name} of shape (0,)",
            expected="at least one number",
            fix=f"{name}=1.0",
        )
    return found


def _powers(value: object, name: str) -> float | Array:
    found = _number_or_vector(value, name)
    if np.min(found) < 0:
        raise ArgumentError(
            f"{name} must not be negative", given=f"{name}={shown(value)}", fix=f"{name}=1.0"
        )
    return found


def _per_channel(value: object, channels: int, name: str) -> Array:
    values = np.asarray(value, dtype=np.float64)
    if values.ndim and values.size != channels:
        raise ShapeError(
            f"{name} does not match the stack's input channels",
            given=f"{values.size} values, {channels} channels",
            fix="one number for all, or one a channel",
        )
    return np.full(channels, values)
