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

from upsim.words.tolerance import rounding

from .torch_run import Arithmetic

Evaluation = Callable[[Arithmetic], torch.Tensor]

#: Runs in single precision; they give the standard deviation of an error to a third.
RUNS = 4

#: Two answers, each off by an error of this many standard deviations (as in `tolerance.probable`),
#: and the standard deviation known to a third only.
_DEVIATIONS = 6 * np.sqrt(2) * 1.5

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
    values = evaluation(Arithmetic(torch.float64)).numpy()
    rng = np.random.default_rng(seed)
    errors = [
        np.abs(evaluation(Arithmetic(torch.float32, rng)).numpy() - values).max(initial=0.0)
        for _ in range(RUNS)
    ]
    size = float(np.abs(values).max(initial=0.0))
    error = float(np.sqrt(np.mean(np.square(errors))))
    tolerance = _DEVIATIONS * error * _FINER + rounding(operations, size)
    proportional = bool(np.isfinite(error) and error <= _PROPORTIONAL * size) or error == 0
    return Measured(values, tolerance, proportional)
