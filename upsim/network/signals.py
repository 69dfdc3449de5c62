"""Input signals: what is fed to a stack, described exactly.

Every signal has three parts, each of which may be absent: lines at exact frequencies (constants
and sines), random noise of a given density, and a recording.  Signals add with ``+``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import MISSING, dataclass, fields
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from upsim.errors import ArgumentError, FileFormatError, ShapeError
from upsim.words.arguments import axes_of, finite_array, finite_number, shown, whole_number
from upsim.words.units import exact, format_hertz, positive_rate

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
    """What is fed to a stack."""

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


@dataclass(frozen=True, eq=False, repr=False)
class Density(Term):
    """Noise of any power spectral density, given as points that straight lines join.

    Parameters
    ----------
    frequencies : array (P,)
        In Hz, ascending from 0 or above.
    psd : array (P,) or (channels, P)
        One-sided, power per Hz, as ``scipy.signal.welch`` gives it; zero beyond the points.
    """

    frequencies: Array | ArrayLike
    psd: Array | ArrayLike

    def __post_init__(self) -> None:
        points = finite_array(self.frequencies, "frequencies", shape=(None,))
        levels = finite_array(self.psd, "psd")
        if points.size < 2 or np.any(points[1:] <= points[:-1]) or points[0] < 0:
            raise ArgumentError(
                "frequencies must ascend from 0 or above",
                given=f"{points.size} frequencies",
                expected="at least two, in Hz",
            )
        if levels.ndim not in (1, 2) or levels.shape[-1] != points.size:
            raise ShapeError(
                "psd does not match frequencies",
                given=f"psd of shape {levels.shape}, {points.size} frequencies",
                expected=f"({points.size},) or (channels, {points.size})",
            )
        if levels.min() < 0:
            raise ArgumentError(
                "a density must not be negative",
                given=f"psd as low as {levels.min():g}",
                fix="use power, not decibels: 10 ** (level / 10)",
            )
        object.__setattr__(self, "frequencies", points)
        object.__setattr__(self, "psd", levels)

    def density(self, frequencies: Array, channels: int, rate: Fraction) -> Array:
        """Return half the one-sided density at the folded frequencies."""
        points, levels = np.asarray(self.frequencies), np.atleast_2d(np.asarray(self.psd))
        if levels.shape[0] not in (1, channels):
            raise ShapeError(
                "psd does not match the stack's input channels",
                given=f"{levels.shape[0]} rows, {channels} channels",
                fix="one row for all, or one a channel",
            )
        turns = np.abs(frequencies) / float(rate) % 1
        folded = np.minimum(turns, 1 - turns) * float(rate)
        rows = [0.5 * np.interp(folded, points, row, left=0.0, right=0.0) for row in levels]
        return np.broadcast_to(np.asarray(rows), (channels, frequencies.size))


@dataclass(frozen=True, eq=False, repr=False)
class Recorded(Term):
    """A recording: finite samples, zeros before and after.

    Parameters
    ----------
    samples : array (n,) or (channels, n)
        One row feeds every input channel.
    sample_rate : number
        In Hz; must equal the input rate of the stack.

    See Also
    --------
    Recorded.from_file : read WAV, FLAC or OGG.
    """

    samples: Array | ArrayLike
    sample_rate: Fraction | float

    def __post_init__(self) -> None:
        samples = finite_array(self.samples, "samples")
        if samples.ndim not in (1, 2) or 0 in samples.shape:
            raise ShapeError(
                "samples must be (n,) or (channels, n), and not empty",
                given=f"shape {samples.shape}",
                expected="the time along the last axis",
                fix="upsim.Recorded(samples.T, sample_rate), if the channels come last",
            )
        object.__setattr__(self, "samples", samples)
        object.__setattr__(self, "sample_rate", positive_rate(self.sample_rate))

    @classmethod
    def from_file(
        cls, path: str | Path, *, sample_rate: object = None, channel: int | None = None
    ) -> Recorded:
        """Read a sound file; ``sample_rate`` resamples it, ``channel`` picks one channel."""
        from upsim.files.audio import read_sound, resampled

        picked = None if channel is None else whole_number(channel, "channel", least=0)
        samples, rate = read_sound(path)
        if picked is not None:
            if picked >= samples.shape[0]:
                raise FileFormatError(
                    "the sound file has no such channel",
                    given=f"channel={picked}, {samples.shape[0]} in {path}",
                    fix="channel=0",
                )
            samples = samples[picked : picked + 1]
        if sample_rate is not None:
            wanted = positive_rate(sample_rate)
            samples, rate = resampled(samples, rate, wanted), wanted
        return cls(samples, rate)

    @property
    def duration(self) -> float:
        """Seconds."""
        return float(np.shape(self.samples)[-1] / Fraction(self.sample_rate))

    def recording(self, channels: int, rate: Fraction) -> Array:
        """Return the samples for each input channel."""
        if rate != self.sample_rate:
            raise ArgumentError(
                "the recording's rate is not the stack's input rate",
                given=f"recording at {format_hertz(Fraction(self.sample_rate))}",
                expected=format_hertz(rate),
                fix=f"upsim.Recorded.from_file(path, sample_rate={float(rate)!r})",
            )
        samples = np.atleast_2d(np.asarray(self.samples))
        if samples.shape[0] not in (1, channels):
            raise ShapeError(
                "the recording does not match the stack's input channels",
                given=f"{samples.shape[0]} recorded channels, {channels} needed",
                fix="upsim.Recorded.from_file(path, channel=0)",
            )
        return np.broadcast_to(samples, (channels, samples.shape[1]))


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


def _same(first: object, second: object) -> bool:
    if isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
        return (
            isinstance(first, np.ndarray)
            and isinstance(second, np.ndarray)
            and np.array_equal(first, second)
        )
    return bool(first == second)
