"""How far two right answers of one network may lie apart, measured and not guessed.

The same network is run by torch in single precision, several times, each with other roundings of
its numbers.  What those runs differ by from the run in double precision is what the network makes
of roundings of ``2^-24``; what it makes of roundings of ``2^-53`` is that, times ``2^-29``, as
long as the errors are small enough to pass through in proportion.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import t as student

from upsim.words.tolerance import rounding

from .torch_run import Arithmetic

Evaluation = Callable[[Arithmetic], torch.Tensor]

#: Runs in single precision, which give the standard deviation of an error.
RUNS = 4

#: Two answers, each off by an error of that deviation, differ by more in one of 10^7 comparisons:
#: Student's t, as the deviation is known from a few runs only.
_DEVIATIONS = float(np.sqrt(2) * student.isf(0.5e-7, RUNS))

#: What is left of an error of single precision in double precision.
_FINER = np.finfo(np.float64).eps / np.finfo(np.float32).eps

#: Errors of single precision beyond this part of the signal do not pass in proportion.
_PROPORTIONAL = 0.01


@dataclass(frozen=True)
class Measured:
    """Torch's answer in double precision and how far another right answer may lie from it."""

    values: np.ndarray
    tolerance: float
    is_proportional: bool


def measured(evaluation: Evaluation, seed: int, operations: int) -> Measured:
    """Evaluate in double precision, and in single precision for the tolerance.

    ``operations`` along the network times the largest value bound what is left where all numbers
    are exact in single precision, too, and the runs do not differ.
    """
    whole = measured_each(lambda arithmetic: evaluation(arithmetic)[None], seed, operations)
    return whole[0]


def measured_each(evaluation: Evaluation, seed: int, operations: int) -> list[Measured]:
    """Do the same for each row of the first axis, all rows in one evaluation."""
    values = evaluation(Arithmetic(torch.float64)).numpy()
    rng = np.random.default_rng(seed)
    rest = tuple(range(1, values.ndim))
    errors = [
        np.abs(evaluation(Arithmetic(torch.float32, rng)).numpy() - values).max(
            axis=rest, initial=0.0
        )
        for _ in range(RUNS)
    ]
    sizes = np.abs(values).max(axis=rest, initial=0.0)
    found = []
    spread = np.sqrt(np.mean(np.square(errors), axis=0))
    for row, error, size in zip(values, spread, sizes, strict=True):
        tolerance = _DEVIATIONS * float(error) * _FINER + rounding(operations, float(size))
        near = bool(np.isfinite(error) and error <= _PROPORTIONAL * size) or error == 0
        found.append(Measured(row, tolerance, near))
    return found
