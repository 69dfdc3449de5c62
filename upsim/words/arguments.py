"""Checks of arguments, each of which says what was given and what to type instead."""

from __future__ import annotations

import difflib
import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from numbers import Integral, Rational, Real
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from upsim.errors import ArgumentError, ArgumentTypeError, ShapeError, TooLargeError

#: No real layer has a stride, kernel or padding near this; a larger number is a mistake, refused
#: before an array of that size is asked for.
LARGEST_COUNT = 2**24

#: A signal may be far longer than any layer: three hundred years at 48 kHz.
LARGEST_LENGTH = 2**48

#: Seeds are no counts: any whole number from 0 upwards will do.
LARGEST_SEED: int | None = None

#: Lines of an output, or of a kernel, that a report lists one by one.
LARGEST_LINES = 2**18

#: Bytes that one array of a prediction may take before the question is refused.
MEMORY_BUDGET = 2 * 2**30


def near_names(name: str, known: Iterable[str]) -> str:
    """Return the known name nearest to a mistyped one, quoted, "" where none is near.

    Examples
    --------
    >>> near_names("upsample", ["upsampler", "conv"])
    "'upsampler'"
    """
    near = difflib.get_close_matches(name, list(known), n=1)
    return repr(near[0]) if near else ""


def whole_number(
    value: object, name: str, *, least: int = 1, most: int | None = LARGEST_COUNT
) -> int:
    """Return ``value`` as an int from ``least`` to ``most`` (None: no end), or refuse it.

    Examples
    --------
    >>> whole_number(np.array(2), "stride"), whole_number(20240101, "seed", least=0, most=None)
    (2, 20240101)
    """
    if type(value) is int and value >= least and (most is None or value <= most):
        return value  # the plain case, thousands of times a prediction
    value = _unboxed(value)
    rule = "positive whole number" if least == 1 else f"whole number >= {least}"
    if isinstance(value, bool) or not isinstance(value, (Integral, Real)):
        raise ArgumentTypeError(
            f"{name} must be a {rule}",
            given=f"{name}={shown(value)}",
            expected=f"an int >= {least}",
        )
    number: int | None
    try:
        number = int(value)  # type: ignore[call-overload]
    except (OverflowError, ValueError):  # infinite, or no number
        number = None
    if number is None or number != value or number < least:
        raise ArgumentError(
            f"{name} must be a {rule}",
            given=f"{name}={shown(value)}",
            expected=f"an int >= {least}",
            fix=f"{name}={max(least, min(number or least, LARGEST_COUNT))}",
        )
    if most is not None and number > most:
        raise TooLargeError(
            f"{name} is too large",
            given=f"{name}={shown(number)}",
            expected=f"at most {most}",
            fix=f"{name}={most} or less",
        )
    return number


def plain_fraction(value: object) -> Fraction | None:
    """Return the fraction that a number stands for, if it is positive and not whole.

    A float stands for the fraction of a denominator up to 2^12 that it is the rounding of.

    Examples
    --------
    >>> plain_fraction(1.5), plain_fraction(48000 / 44100), plain_fraction(3)
    (Fraction(3, 2), Fraction(160, 147), None)
    """
    if not isinstance(value, Real) or isinstance(value, Integral):
        return None
    if not isinstance(value, Rational) and not np.isfinite(float(value)):
        return None
    exact = Fraction(value) if isinstance(value, Rational) else Fraction(float(value))
    if not 0 < exact < LARGEST_COUNT:
        return None
    found = exact.limit_denominator(2**12)
    same = found == exact if isinstance(value, Rational) else float(found) == float(value)
    return found if same and found.numerator and found.denominator > 1 else None


def signed_number(value: object, name: str, *, most: int | None = LARGEST_COUNT) -> int:
    """Return ``value`` as an int of either sign (a crop may be negative: zeros are added)."""
    if type(value) is int and (most is None or abs(value) <= most):
        return value
    value = _unboxed(value)
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise ArgumentTypeError(
            f"{name} must be a whole number", given=f"{name}={shown(value)}", expected="an int"
        )
    number = int(value)
    if most is not None and abs(number) > most:
        raise TooLargeError(
            f"{name} is too large",
            given=f"{name}={shown(number)}",
            expected=f"at most {most} in size",
            fix=f"check {name}",
        )
    return number


def _unboxed(value: object) -> object:
    """Return the number in an array without axes; anything else as it is."""
    return value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value


def shown(value: object) -> str:
    """Return what was given as text on one line: a long one by its beginning, or by its type.

    Examples
    --------
    >>> shown(2.5), shown(10**5000), shown("x" * 99)[-9:]
    ('2.5', 'a huge integer', 'xxxxxx...')
    """
    if isinstance(value, int) and abs(value) >= 10**40:
        return "a huge integer"
    try:
        text = " ".join(repr(value).split())
    except Exception:  # noqa: BLE001 - a stranger's repr raises what it likes
        return f"a {type(value).__name__}"
    return text if len(text) <= 60 else text[:57] + "..."


def axes_of(value: object) -> int:
    """Return the number of axes of what may be an array; 1 for what is no array."""
    try:
        return np.ndim(value)  # type: ignore[arg-type]
    except Exception:  # noqa: BLE001 - as above
        return 1


def one_of(value: object, name: str, choices: Collection[str]) -> str:
    """Return ``value`` if it is one of the ``choices``."""
    if not isinstance(value, str) or value not in choices:
        listed = ", ".join(repr(choice) for choice in choices)
        raise ArgumentError(
            f"{name} is not known",
            given=f"{name}={shown(value)}",
            expected=f"one of {listed}",
            fix=f"{name}={next(iter(choices))!r}",
        )
    return value


def on_or_off(value: object, name: str) -> bool:
    """Return True or False as it is, or refuse what is neither."""
    if not isinstance(value, bool | np.bool_):
        raise ArgumentTypeError(
            f"{name} is on or off",
            given=f"{name}={shown(value)}",
            expected="True or False",
            fix=f"{name}=True",
        )
    return bool(value)


def finite_number(value: object, name: str) -> float:
    """Return ``value`` as a finite float; minus zero becomes zero, its equal."""
    value = _unboxed(value)
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ArgumentTypeError(
            f"{name} must be a number", given=f"{name}={shown(value)}", expected="an int or a float"
        )
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    if not np.isfinite(number):
        raise ArgumentError(
            f"{name} must be finite", given=f"{name}={shown(value)}", expected="a finite number"
        )
    return number + 0.0


def finite_array(
    value: object, name: str, *, shape: tuple[int | None, ...] | None = None
) -> NDArray[np.float64]:
    """Return a read-only float64 array, checked for shape (None: any size) and finiteness.

    Minus zero becomes zero, so that equal arrays look equal.
    """
    try:
        found = np.asarray(value)
        if found.dtype.kind not in "biufcO":
            raise TypeError(found.dtype)
        if found.dtype.kind == "c":
            raise ArgumentTypeError(
                f"{name} must be real",
                given=f"{name} of complex numbers",
                expected="real numbers",
                fix=f"{name}={name}.real, if the imaginary part is no part of it",
            )
        array = np.array(found, dtype=np.float64, order="C")
    except ArgumentTypeError:
        raise
    except Exception as error:
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
    array += 0.0
    array.setflags(write=False)
    return array


def number_or_vector(value: object, name: str) -> float | NDArray[np.float64]:
    """Return a finite number, or a read-only vector of them."""
    values = finite_array(value, name)
    if values.ndim > 1 or not values.size:
        raise ShapeError(
            f"{name} is a number, or one a channel",
            given=f"shape {values.shape}",
            expected="no axis, or shape (channels,)",
            fix=f"{name}=1.0",
        )
    return values if values.ndim else float(values)


def path_of(value: object, name: str = "path") -> Path:
    """Return a path, or refuse what is no path."""
    if not isinstance(value, str | os.PathLike):
        raise ArgumentTypeError(
            f"{name} must be a path",
            given=f"{name}={shown(value)}",
            expected="a string or a pathlib.Path",
        )
    try:
        path = Path(value)
        usable = b"\0" not in os.fsencode(path)
    except Exception:  # noqa: BLE001 - a path of bytes, a lone surrogate, a stranger's __fspath__
        usable = False
    if not usable:
        raise ArgumentError(
            f"{name} must be text that a file can be named by",
            given=f"{name}={shown(value)}",
            expected="a string or a pathlib.Path",
        )
    return path


def plain_text(value: object, name: str) -> str:
    """Return a string that can be written to a file, or refuse it: a lone surrogate cannot."""
    if not isinstance(value, str):
        raise ArgumentTypeError(
            f"{name} must be a string", given=f"{name}={shown(value)}", expected="a str"
        )
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ArgumentError(
                f"{name} must be text that can be written in UTF-8",
                given=f"{name}={shown(value)}",
                expected="no lone surrogate, as bytes of another encoding leave",
            ) from None
    return value


def generator(value: object, name: str = "rng") -> np.random.Generator:
    """Return a generator of random numbers, or refuse anything else."""
    if isinstance(value, np.random.Generator):
        return value
    raise ArgumentTypeError(
        f"{name} must be a numpy Generator",
        given=f"{name}={shown(value)}",
        expected="a numpy.random.Generator",
        fix="numpy.random.default_rng(0)",
    )


@contextmanager
def memory_refused() -> Iterator[None]:
    """Say in our words that the machine has less memory than was allowed."""
    try:
        yield
    except TooLargeError:
        raise
    except MemoryError as error:
        raise TooLargeError(
            "the machine has not enough memory for this prediction",
            given=str(error) or "less memory than `memory=` allows",
            fix="predict(..., memory=<fewer bytes>), fewer channels, or "
            "upsim.predict(stack, upsim.Constant(1.0)) for exact lines",
        ) from None


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
