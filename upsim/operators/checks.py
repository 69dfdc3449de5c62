"""What the operators ask of the arrays they are made of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from upsim.errors import ArgumentError, ArgumentTypeError, ShapeError
from upsim.operators.length import LengthRule
from upsim.words.arguments import finite_array, shown, signed_number

Real = NDArray[np.float64]

_COUNTS = {2: "two", 3: "three", 5: "five"}


def checked_array(value: object, name: str, *, axes: str) -> NDArray[np.float64]:
    """Return a read-only array with the axes of a text like ``(out, in, K)``, none of them empty.

    A read-only float64 array is taken as it is, without a look at its numbers: those of layers
    were checked when the layer was made.  Anything else is copied and must be finite, so that a
    later writing to it does not change the operator.
    """
    if isinstance(value, np.ndarray) and value.dtype == np.float64 and not value.flags.writeable:
        array = value
    else:
        array = finite_array(value, name)
    if array.ndim != axes.count(",") + 1 or 0 in array.shape:
        raise ShapeError(
            f"{name} must have {_COUNTS[axes.count(',') + 1]} axes, none of them empty",
            given=f"{name} of shape {array.shape}",
            expected=f"shape {axes}",
        )
    return array


def checked_columns(value: object, name: str, channels: int, *, axes: str) -> Real:
    """Return samples or a period whose axis before the last runs through the channels.

    An array of floating point numbers of the right shape is taken as it is.
    """
    array = value
    if not (isinstance(array, np.ndarray) and array.dtype.kind in "fc"):
        array = finite_array(value, name)
    wrong_axes = array.ndim < 2 or (array.ndim > 2 and "..." not in axes)
    if wrong_axes or array.shape[-2] != channels or not array.shape[-1]:
        raise ShapeError(
            f"{name} has the wrong shape",
            given=f"{name} of shape {array.shape}",
            expected=f"{axes}, {channels} channels",
            fix=f"{name}.reshape({channels}, -1)",
        )
    return array


def checked_grid(value: object) -> Real:
    """Return frequencies in cycles per sample as one row, finite."""
    if isinstance(value, np.ndarray) and value.dtype == np.float64:
        return value.reshape(-1)
    grid = finite_array(value, "frequencies").reshape(-1)
    if np.abs(grid).max(initial=0.0) > 2**52:
        raise ArgumentError(
            "frequencies are in cycles per sample",
            given=f"a frequency of {np.abs(grid).max():g}",
            expected="0 to 1/2, or what folds there: beyond 2**52 a float has no fraction",
            fix="frequencies / sample_rate, if they are in Hz",
        )
    return grid


def checked_offset(value: object, channels: int) -> NDArray[np.float64] | None:
    """Return an offset (out, period) or None."""
    if value is None:
        return None
    offset = checked_array(value, "offset", axes="(out, period)")
    if offset.shape[0] != channels:
        raise ShapeError(
            "the offset does not match the output channels",
            given=f"offset of shape {offset.shape}, {channels} channels",
            expected=f"shape ({channels}, period)",
        )
    return offset


def checked_crop(value: object) -> tuple[int, int]:
    """Return two whole numbers of either sign."""
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise ArgumentTypeError(
            "crop must be two whole numbers",
            given=f"crop={shown(value)}",
            expected="(left, right)",
            fix="crop=(0, 0)",
        )
    left, right = (signed_number(each, "crop", most=None) for each in value)
    return left, right


def refuse_other_rate(length: object, up: int, down: int) -> None:
    """Refuse what is no length law, or one of another rate than the blocks'."""
    if not isinstance(length, LengthRule):
        raise ArgumentTypeError(
            "length must be a LengthRule",
            given=f"length={shown(length)}",
            expected=f"a law of rate {up}/{down}",
            fix=f"length = upsim.operators.LengthRule((({up}, {down}, 0),))",
        )
    if length.rate * down != up:
        raise ShapeError(
            "the length law and the blocks disagree on the rate",
            given=f"up={up}, down={down}, a length law of rate {length.rate}",
            expected=f"rate {up}/{down}",
        )
