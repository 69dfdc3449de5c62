"""Checks of arguments, each of which says what was given and what to type instead."""

from __future__ import annotations

from collections.abc import Collection
from numbers import Integral, Real

import numpy as np
from numpy.typing import NDArray

from upsim.errors import ArgumentError, ArgumentTypeError, ShapeError, TooLargeError

#: No real layer has a stride, kernel or padding near this; a larger number is a mistake, refused
#: before an array of that size is asked for.
LARGEST_COUNT = 2**24

#: Seeds are no counts.
LARGEST_SEED = 2**64 - 1

#: Bytes that one array of a prediction may take before the question is refused.
MEMORY_BUDGET = 2 * 2**30


def whole_number(value: object, name: str, *, least: int = 1, most: int = LARGEST_COUNT) -> int:
    """Return ``value`` as an int of at least ``least``, or say what is wrong with it."""
    rule = "positive whole number" if least == 1 else f"whole number >= {least}"
    if isinstance(value, bool) or not isinstance(value, (Integral, Real)):
        raise ArgumentTypeError(
            f"{name} must be a {rule}", given=f"{name}={value!r}", expected=f"an int >= {least}"
        )
    whole = isinstance(value, Integral) or np.isfinite(float(value))
    number: int | None = int(value) if whole else None  # type: ignore[call-overload]
    if number is None or number != value or number < least:
        raise ArgumentError(
            f"{name} must be a {rule}",
            given=f"{name}={_short(value)}",
            expected=f"an int >= {least}",
            fix=f"{name}={max(least, min(number or least, most))}",
        )
    if number > most:
        raise TooLargeError(
            f"{name} is larger than any layer's"
            if most == LARGEST_COUNT
            else f"{name} is too large",
            given=f"{name}={_short(number)}",
            expected=f"at most {most}",
            fix=f"check {name}",
        )
    return number


def signed_number(value: object, name: str) -> int:
    """Return ``value`` as an int of either sign (a crop may be negative: zeros are added)."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise ArgumentTypeError(
            f"{name} must be a whole number", given=f"{name}={value!r}", expected="an int"
        )
    number = int(value)
    if abs(number) > LARGEST_COUNT:
        raise TooLargeError(
            f"{name} is larger than any layer's",
            given=f"{name}={_short(number)}",
            expected=f"at most {LARGEST_COUNT} in size",
        )
    return number


def _short(value: object) -> str:
    """Return a number as text, one of hundreds of digits by its beginning."""
    text = repr(value) if not isinstance(value, int) or abs(value) < 10**40 else "a huge integer"
    return text if len(text) <= 60 else text[:57] + "..."


def one_of(value: object, name: str, choices: Collection[str]) -> str:
    """Return ``value`` if it is one of the ``choices``."""
    if not isinstance(value, str) or value not in choices:
        listed = ", ".join(repr(choice) for choice in choices)
        raise ArgumentError(
            f"{name} is not known",
            given=f"{name}={_short(value)}",
            expected=f"one of {listed}",
            fix=f"{name}={next(iter(choices))!r}",
        )
    return value


def finite_number(value: object, name: str) -> float:
    """Return ``value`` as a finite float."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ArgumentTypeError(
            f"{name} must be a number", given=f"{name}={value!r}", expected="an int or a float"
        )
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    if not np.isfinite(number):
        raise ArgumentError(f"{name} must be finite", given=f"{name}={number}")
    return number


def finite_array(
    value: object, name: str, *, shape: tuple[int | None, ...] | None = None
) -> NDArray[np.float64]:
    """Return a read-only float64 array, checked for shape (None: any size) and finiteness."""
    try:
        array = np.array(value, dtype=np.float64, order="C")
    except (TypeError, ValueError, OverflowError) as error:
        raise ArgumentTypeError(
            f"{name} must be an array of real numbers",
            given=f"{name} of type {type(value).__name__}",
            expected="numbers in a regular nesting",
        ) from error
    if shape is not None and (
        array.ndim != len(shape)
        or any(
            want is not None and got != want for got, want in zip(array.shape, shape, strict=True)
        )
    ):
        expected = ", ".join("any" if size is None else str(size) for size in shape)
        raise ShapeError(
            f"{name} has the wrong shape",
            given=f"{name} of shape {array.shape}",
            expected=f"shape ({expected})",
        )
    wrong = int(array.size - np.count_nonzero(np.isfinite(array)))
    if wrong:
        raise ArgumentError(
            f"{name} must be finite",
            given=f"{wrong} of {array.size} entries are NaN or infinite",
            fix=f"repair {name} first",
        )
    array.setflags(write=False)
    return array


def refuse_beyond_memory(count: int, what: str, *, fix: str, itemsize: int = 8) -> None:
    """Refuse an array of ``count`` numbers that would pass the memory budget."""
    size = count * itemsize
    if size > MEMORY_BUDGET:
        raise TooLargeError(
            f"{what} would need {size / 2**30:.1f} GiB",
            given=f"{count} numbers",
            expected=f"at most {MEMORY_BUDGET / 2**30:.0f} GiB",
            fix=fix,
        )
