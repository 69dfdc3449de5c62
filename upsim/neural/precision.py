"""Single and double precision: everything that a run touches is in one of the two."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from upsim.errors import ArgumentError
from upsim.words.arguments import shown

#: Samples of shape (batch, channels, time), float32 or float64.
Signal = NDArray[np.floating[Any]]


def precision(dtype: DTypeLike) -> np.dtype[Any]:
    """Return float32 or float64, or refuse what is neither.

    Examples
    --------
    >>> precision("float32")
    dtype('float32')
    """
    try:
        found = np.dtype(dtype)
    except Exception:  # noqa: BLE001 - NumPy evaluates text and asks a stranger's attributes
        found = np.dtype(object)
    if found not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ArgumentError(
            "the witness runs in single or double precision",
            given=f"dtype={shown(dtype)}",
            expected="np.float32 or np.float64",
            fix="dtype='float64'",
        )
    return found


def like(samples: Signal, values: ArrayLike) -> Signal:
    """Return weights in the precision of the samples.

    A NumPy scalar or array of float64 would pull a float32 signal up to double precision, so
    every weight goes through here first.

    Examples
    --------
    >>> like(np.zeros(1, np.float32), [0.1]).dtype
    dtype('float32')
    """
    return np.asarray(values, dtype=samples.dtype)
