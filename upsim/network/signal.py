"""What a signal is: lines, a random part of known density and autocovariance, a recording."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import MISSING, dataclass, fields
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from upsim.errors import ArgumentTypeError, NotPredictableError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """A line of a signal's spectrum at an exact frequency in Hz, 0 or more.

    ``amplitude`` (channels,) is the complex Fourier coefficient at the positive frequency; the
    mirror line carries its conjugate.
    """

    frequency: Fraction
    amplitude: NDArray[np.complex128]


class Signal(ABC):
    """What is fed to a stack.

    A class that gives its noise a density gives its autocovariance with it: the two are one
    statement, and a class with one of them alone is refused.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        own = [name for name in ("density", "autocovariance") if name in vars(cls)]
        if len(own) == 1:
            raise ArgumentTypeError(
                "a signal defines density and autocovariance together",
                given=f"{cls.__name__} defines {own[0]} alone",
                expected="both, one the Fourier transform of the other",
                fix="upsim.Density(frequencies, psd), which has both",
            )

    def lines(self, channels: int, rate: Fraction) -> tuple[Line, ...]:
        """Return the lines of the signal."""
        return ()

    def density(self, frequencies: Array, channels: int, rate: Fraction) -> Array | None:
        """Return the two-sided density, power per Hz, at frequencies in Hz, or None.

        Returns
        -------
        array (channels, F) or None
            None where the signal has no random part; channels are independent.
        """
        return None

    def autocovariance(self, lags: ArrayLike, channels: int, rate: Fraction) -> Array:
        r"""Return :math:`r[d] = \int_{-F/2}^{F/2} S(f) \cos(2 \pi f d / F)\, df` in closed form.

        S is the :meth:`density`, F the rate.

        Parameters
        ----------
        lags : array (D,)
            In samples.

        Returns
        -------
        array (channels, D)
            Of the random part alone; zeros where there is none.
        """
        return np.zeros((channels, np.size(lags)))

    def noise_power(self, channels: int, rate: Fraction) -> Array:
        """Return the mean square of the random part, (channels,)."""
        return self.autocovariance(np.zeros(1), channels, rate)[:, 0]

    def has_noise(self, channels: int, rate: Fraction) -> bool:
        """Tell whether any part of the signal is random."""
        return self.density(np.zeros(1), channels, rate) is not None

    def mixing(self, channels: int) -> Array | None:
        """Return the gains (channels, channels) that independent channels of noise pass first.

        None where channels are independent: then :meth:`density` is all there is to say.
        """
        return None

    def unmixed(self) -> Signal:
        """Return the noise before the :meth:`mixing`."""
        return self

    def corners(self) -> frozenset[float]:
        """Return the frequencies in Hz, 0 or more, between which the density is a straight line."""
        return frozenset()

    def recording(self, channels: int, rate: Fraction) -> Array | None:
        """Return the recorded samples, (channels, n), or None."""
        return None

    @abstractmethod
    def terms(self) -> tuple[Signal, ...]:
        """Return the signals that this one is the sum of."""

    def __add__(self, other: Signal) -> Signal:
        if not isinstance(other, Signal):
            return NotImplemented
        return Sum(self.terms() + other.terms())

    def __repr__(self) -> str:
        parts = []
        for item in fields(self):  # type: ignore[arg-type]
            value = getattr(self, item.name)
            if item.default is not MISSING and _same(value, item.default):
                continue
            text = repr(value.tolist()) if isinstance(value, np.ndarray) else repr(value)
            if isinstance(value, np.ndarray) and value.size > 64:
                text = f"<array of shape {value.shape}>"
            if isinstance(value, Fraction):
                text = str(value) if value.denominator == 1 else repr(value)
            parts.append(text if item.default is MISSING else f"{item.name}={text}")
        return f"{type(self).__name__}({', '.join(parts)})"

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(
            _same(getattr(self, item.name), getattr(other, item.name))
            for item in fields(self)  # type: ignore[arg-type]
        )

    def __hash__(self) -> int:
        return hash((type(self), repr(self)))


class Term(Signal):
    """A signal that is not a sum."""

    def terms(self) -> tuple[Signal, ...]:
        """Return the signal itself."""
        return (self,)


@dataclass(frozen=True, eq=False, repr=False)
class Sum(Signal):
    """Several signals at once; random parts are independent of each other."""

    parts: tuple[Signal, ...]

    def terms(self) -> tuple[Signal, ...]:
        """Return the parts."""
        return self.parts

    def lines(self, channels: int, rate: Fraction) -> tuple[Line, ...]:
        """Return the lines of all parts; those at one frequency are added."""
        found: dict[Fraction, NDArray[np.complex128]] = {}
        for part in self.parts:
            for line in part.lines(channels, rate):
                found[line.frequency] = found.get(line.frequency, 0) + line.amplitude
        return tuple(Line(frequency, found[frequency]) for frequency in sorted(found))

    def density(self, frequencies: Array, channels: int, rate: Fraction) -> Array | None:
        """Return the sum of the densities."""
        found = [part.density(frequencies, channels, rate) for part in self.parts]
        known = [each for each in found if each is not None]
        return np.sum(known, axis=0) if known else None

    def autocovariance(self, lags: ArrayLike, channels: int, rate: Fraction) -> Array:
        """Return the sum of the autocovariances: the parts are independent."""
        found = [part.autocovariance(lags, channels, rate) for part in self.parts]
        return np.asarray(np.sum(found, axis=0))

    def mixing(self, channels: int) -> Array | None:
        """Return the mixing of the one part that has noise; of several, none may be mixed."""
        found = [part for part in self.parts if part.mixing(channels) is not None]
        noisy = [part for part in self.parts if part.has_noise(channels, Fraction(1))]
        if found and len(noisy) > 1:
            raise NotPredictableError(
                "noise whose channels go together cannot be added to other noise here",
                given=f"{len(noisy)} parts with noise",
                expected="one part with noise",
                fix="upsim.measure(graph, signal)",
            )
        return found[0].mixing(channels) if found else None

    def unmixed(self) -> Signal:
        """Return the sum of the parts, each before its mixing."""
        return Sum(tuple(part.unmixed() for part in self.parts))

    def corners(self) -> frozenset[float]:
        """Return the corners of all parts."""
        return frozenset().union(*(part.corners() for part in self.parts))

    def recording(self, channels: int, rate: Fraction) -> Array | None:
        """Return the sum of the recordings, the shorter ones followed by zeros."""
        found = [part.recording(channels, rate) for part in self.parts]
        known = [each for each in found if each is not None]
        if not known:
            return None
        total = np.zeros((channels, max(each.shape[1] for each in known)))
        for each in known:
            total[:, : each.shape[1]] += each
        return total

    def __repr__(self) -> str:
        return " + ".join(repr(part) for part in self.parts)


def _same(first: object, second: object) -> bool:
    if isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
        return (
            isinstance(first, np.ndarray)
            and isinstance(second, np.ndarray)
            and np.array_equal(first, second)
        )
    return bool(first == second)
