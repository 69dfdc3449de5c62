"""The predictions of the commands, and their checks, with numbers that overflow refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from upsim.errors import ArgumentError
from upsim.prediction import Prediction
from upsim.predictor import predict
from upsim.signals import Signal
from upsim.stack import Stack


def predicted(stack: Stack, signal: Signal, *, frequencies: Any = None) -> Prediction:
    """Return the prediction, or say that its numbers leave the range of floating point."""
    with in_range():
        found = predict(stack, signal, frequencies=frequencies)
    if not all(np.all(np.isfinite(tone.power)) for tone in found.tones):
        raise _too_large()
    return found


@contextmanager
def in_range() -> Iterator[None]:
    """Refuse numbers that leave the range of floating point, instead of warning of them."""
    try:
        with np.errstate(over="raise", invalid="raise"):
            yield
    except FloatingPointError:
        raise _too_large() from None


def _too_large() -> ArgumentError:
    return ArgumentError(
        "the output's numbers leave the range of floating point",
        given="weights or signals of enormous size",
        fix="scale them down",
    )
