"""Hertz, exact fractions and decibels: the units in which upsim answers.

Inside, a frequency is in cycles per sample; outside it is in Hz or an exact
:class:`~fractions.Fraction` of the output sample rate.  Levels are ``10 log10`` of a power.
"""

from __future__ import annotations

import math
from fractions import Fraction
from numbers import Rational, Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from upsim.errors import ArgumentError, ArgumentTypeError
from upsim.words.arguments import shown

#: No frequency or rate, in Hz, is larger; numbers beyond it would not fit a float for long.
LARGEST_HERTZ = 10**15


def exact(value: object, name: str) -> Fraction:
    """Return a number as the exact fraction that its author meant.

    ``0.1`` is one tenth, although the float nearest to it is not: a float is read as the simplest
    of all fractions that round to it.

    Examples
    --------
    >>> exact(22050, "sample_rate"), exact(689.0625, "frequency"), exact(0.1, "frequency")
    (Fraction(22050, 1), Fraction(11025, 16), Fraction(1, 10))
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ArgumentTypeError(
            f"{name} must be a number",
            given=f"{name}={shown(value)}",
            expected="an int, float or Fraction",
        )
    if isinstance(value, Rational):
        found = Fraction(int(value.numerator), int(value.denominator))
        if abs(found) > LARGEST_HERTZ:
            raise ArgumentError(
                f"{name} is too large", given=name, expected=f"at most {LARGEST_HERTZ:g} Hz"
            )
        return found
    number = float(value)
    if not math.isfinite(number):
        raise ArgumentError(f"{name} must be finite", given=f"{name}={number}")
    if abs(number) > LARGEST_HERTZ:
        raise ArgumentError(
            f"{name} is too large",
            given=f"{name}={number:g}",
            expected=f"at most {LARGEST_HERTZ:g} Hz",
        )
    half_step = Fraction(math.ulp(number)) / 2
    return _simplest_between(Fraction(number) - half_step, Fraction(number) + half_step)


def _simplest_between(low: Fraction, high: Fraction) -> Fraction:
    """Return the fraction of smallest denominator in a closed interval.

    The whole part is split off and the rest turned over, as a continued fraction does, until a
    whole number lies in between.
    """
    if low <= 0 <= high:
        return Fraction(0)
    if high < 0:
        return -_simplest_between(-high, -low)
    whole = math.ceil(low)
    if whole <= high:
        return Fraction(whole)
    below = whole - 1
    return below + 1 / _simplest_between(1 / (high - below), 1 / (low - below))


def positive_rate(value: object, name: str = "sample_rate") -> Fraction:
    """Return a sample rate in Hz as an exact fraction, or refuse it."""
    rate = exact(value, name)
    if rate <= 0:
        raise ArgumentError(
            f"{name} must be positive",
            given=f"{name}={shown(float(value) if isinstance(value, Fraction) else value)}",
            expected="a rate in Hz",
            fix=f"{name}=44100",
        )
    if rate * LARGEST_HERTZ < 1:
        raise ArgumentError(
            f"{name} is too small",
            given=f"{name}={float(rate):g}",
            expected=f"at least {1 / LARGEST_HERTZ:g} Hz",
            fix=f"{name}=44100",
        )
    return rate


def fold(fraction: Fraction) -> Fraction:
    """Return the frequency in [0, 1/2] at which a real signal shows a line at ``fraction``.

    Examples
    --------
    >>> fold(Fraction(5, 8)), fold(Fraction(-1, 8)), fold(Fraction(3))
    (Fraction(3, 8), Fraction(1, 8), Fraction(0, 1))
    """
    turn = fraction % 1
    return min(turn, 1 - turn)


def decibels(power: ArrayLike) -> NDArray[np.float64]:
    """Return ``10 log10(power)``; no floor, so zero power is ``-inf``."""
    with np.errstate(divide="ignore"):
        return np.asarray(10.0 * np.log10(np.asarray(power, dtype=np.float64)))


def counted(number: Fraction | float, noun: str) -> str:
    """Return a number of things in words.

    Examples
    --------
    >>> counted(1, "frame"), counted(13, "frame"), counted(0.498, "frame")
    ('1 frame', '13 frames', '0.498 frames')
    """
    return f"{float(number):.12g} {noun}{'' if number == 1 else 's'}"


def format_hertz(hertz: Fraction | float) -> str:
    """Return a frequency as a person would write it.

    Examples
    --------
    >>> format_hertz(12000), format_hertz(5512.5), format_hertz(86.1328125), format_hertz(0)
    ('12 kHz', '5.5125 kHz', '86.1328 Hz', '0 Hz')
    """
    number = float(hertz)
    if abs(number) >= 1000:
        return f"{round(number / 1000, 6):.10g} kHz"
    return f"{round(number, 4):.10g} Hz"


def format_decibels(power: float) -> str:
    """Return a power in dB with two decimals, ``-inf dB`` for none.

    Examples
    --------
    >>> format_decibels(0.5), format_decibels(0.0)
    ('-3.01 dB', '-inf dB')
    """
    level = float(decibels(power))
    return f"{level:.2f} dB" if math.isfinite(level) else f"{level} dB"


def format_full_scale(power: float) -> str:
    """Return a power in dBFS as AES17 defines it: a sine of amplitude 1 is 0 dB.

    Its mean square is a half, so the level is ``10 log10(2 power)``.

    Examples
    --------
    >>> format_full_scale(0.5), format_full_scale(0.0)
    ('0.00 dBFS', '-inf dBFS')
    """
    return format_decibels(2 * power) + "FS"


def rate_text(rate: Fraction) -> str:
    """Return a rate as a constructor takes it."""
    return str(int(rate)) if rate.denominator == 1 else repr(rate)
