"""Frequencies as people write them: a value, and how far its last digit leaves it open."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction

from upsim.errors import ArgumentError
from upsim.words.units import exact

_UNITS = {"khz": 1000, "hz": 1, "k": 1000}

#: No reading is wider, to each side: half a per cent, a twelfth of a semitone.
_WIDEST = Fraction(1, 200)

_LONGEST_TEXT, _LARGEST_EXPONENT = 40, 40


@dataclass(frozen=True)
class Reading:
    """A frequency that somebody read off somewhere.

    Parameters
    ----------
    value : Fraction
        In Hz, as it was written.
    within : Fraction
        In Hz: the line may lie this far to each side; 0 if the value is exact.
    """

    value: Fraction
    within: Fraction = Fraction(0)

    def holds(self, hertz: Fraction) -> bool:
        """Return whether a frequency lies within the reading."""
        return abs(hertz - self.value) <= self.within


def reading(value: object, name: str = "frequency", *, within: object = None) -> Reading:
    """Return a number as it is, and a text as a person means it.

    Parameters
    ----------
    value : number or str
        A number is exact.  A text has a unit in its last digit, and half of that is its width, at
        most 0.5 % of the value.  A text with a slash is exact.
    name : str
        What the messages call it.
    within : number, optional
        In Hz: the width, instead.

    Examples
    --------
    >>> reading("5.5kHz")
    Reading(value=Fraction(5500, 1), within=Fraction(55, 2))
    >>> reading("689"), reading(689)
    (Reading(value=Fraction(689, 1), within=Fraction(1, 2)), Reading(value=Fraction(689, 1), \
within=Fraction(0, 1)))
    """
    found = _read(value, name) if isinstance(value, str) else Reading(exact(value, name))
    if within is None:
        return found
    width = exact(within, "within")
    if width < 0:
        raise ArgumentError(
            "within must not be negative", given=f"within={float(width):g}", fix="within=10"
        )
    return Reading(found.value, width)


def _read(text: str, name: str) -> Reading:
    digits = text.strip().lower()
    scale = 1
    for unit, factor in _UNITS.items():
        if digits.endswith(unit):
            digits, scale = digits.removesuffix(unit).strip(), factor
            break
    try:
        if len(digits) > _LONGEST_TEXT:
            raise ValueError(digits)
        if "/" in digits:
            above, below = digits.split("/")
            return Reading(exact(Fraction(int(above), int(below)) * scale, name))
        number = Decimal(digits)
        nearest = float(number)
    except (ValueError, ZeroDivisionError, InvalidOperation):
        raise ArgumentError(
            "this is not a frequency",
            given=f"{name} {text[:60]}",
            expected="a number in Hz",
            fix="4000, 5512.5, 4kHz or 11025/2",
        ) from None
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or abs(number.adjusted()) > _LARGEST_EXPONENT:
        # Infinite, no number, or too large for a fraction to be made of it: refused in its words.
        return Reading(exact(nearest, name))
    value = exact(Fraction(number) * scale, name)
    half_unit = Fraction(10) ** exponent * scale / 2
    return Reading(value, min(half_unit, abs(value) * _WIDEST))
