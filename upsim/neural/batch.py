"""A user's samples as a batch, checked, in one precision."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from upsim.errors import ArgumentError, ArgumentTypeError, ShapeError
from upsim.neural.precision import Signal, precision


def as_batch(samples: ArrayLike, dtype: DTypeLike) -> tuple[Signal, bool]:
    """Return samples of shape (batch, channels, time), and whether a batch axis was added.

    Examples
    --------
    >>> batch, added = as_batch([[1.0, 2.0]], np.float32)
    >>> batch.shape, added
    ((1, 1, 2), True)
    """
    wanted = precision(dtype)
    try:
        given = np.asarray(samples)
    except Exception:  # noqa: BLE001 - a stranger's __array__ raises what it likes
        given = np.empty(0, dtype=object)
    if given.dtype.kind not in "fiub":
        raise ArgumentTypeError(
            "samples must be real numbers", given=f"an array of {given.dtype}", expected="floats"
        )
    if given.ndim not in (2, 3):
        raise ShapeError(
            "samples have the wrong shape",
            given=f"shape {given.shape}",
            expected="(batch, channels, time) or (channels, time)",
            fix="samples[None]" if given.ndim == 1 else "",
        )
    if not given.size:
        raise ShapeError(
            "samples must not be empty", given=f"shape {given.shape}", expected="at least one"
        )
    wrong = int(given.size - np.count_nonzero(np.isfinite(given)))
    if wrong:
        raise ArgumentError(
            "samples must be finite", given=f"{wrong} of {given.size} are NaN or infinite"
        )
    batch = np.asarray(given, dtype=wanted)
    return (batch[None], True) if batch.ndim == 2 else (batch, False)
