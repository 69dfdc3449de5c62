"""Numbers that leave the range of floating point are refused, instead of returned as infinite."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from upsim.errors import ArgumentError


@contextmanager
def in_range() -> Iterator[None]:
    """Refuse numbers that leave the range of floating point, instead of warning of them."""
    try:
        with np.errstate(over="raise", invalid="raise"):
            yield
    except (FloatingPointError, OverflowError):
        raise _beyond_range() from None


def refuse_infinite(numbers: NDArray[np.float64]) -> None:
    """Refuse results that overflowed without a word, as matrix products do."""
    if not np.isfinite(numbers.sum()):
        raise _beyond_range()


def _beyond_range() -> ArgumentError:
    return ArgumentError(
        "the output's numbers leave the range of floating point",
        given="weights or signals of enormous size",
        fix="scale them down",
    )
