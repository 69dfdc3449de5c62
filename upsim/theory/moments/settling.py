r"""A node without a formula, run on a periodic signal until its output is periodic, too.

The period is repeated, and the middle of the output is read.  The middle has as much of the signal
before it as behind it, so nodes that look back, ahead or both ways settle there.  The output is
compared at an eighth, a quarter and a half of its length.  Where a node forgets as
:math:`a \lambda^n`, the two differences are about :math:`a \lambda^{n/8}` and
:math:`a \lambda^{n/4}`, and the middle is off by :math:`a \lambda^{n/2}`: the second difference,
times the square of the ratio of the two.  Until that is at the level of rounding there are twice
the repetitions each time.
"""

from __future__ import annotations

from math import lcm
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upsim.errors import NotPredictableError, UpsimError
from upsim.layers.base import Unmodelled
from upsim.operators.repeating import Repeating
from upsim.words.arguments import refuse_beyond_memory
from upsim.words.tolerance import probable, rounding

Array = NDArray[np.float64]

#: Repetitions of the period of the first run, and of the last before the node is refused.
_FEWEST, MOST_PERIODS = 8, 4096

#: Samples of the first run, where the period is shorter.
_FIRST_SAMPLES = 64


def settled(layer: Unmodelled, period: Array, error: Array) -> tuple[Array, Array]:
    """Return one period of the steady state behind a node that is run, and its error.

    Parameters
    ----------
    layer : Unmodelled
    period : array (in, P)
    error : array (in,)
        How far rounding may have moved each channel so far.

    Returns
    -------
    made : array (out, U lcm(P, D) / D)
        For a node of rate U / D.
    error : array (out,)
        What the input's error moves when it is tried, and what repetitions still differ by.
    """
    up, down = layer.block
    unit = _precision(layer, period.shape[0])
    whole = Repeating(period).over(lcm(period.shape[1], down))
    span = whole.shape[1] // down * up
    times = max(_FEWEST, _FIRST_SAMPLES // whole.shape[1] // 8 * 8)
    while times <= MOST_PERIODS:
        made = _repeated(layer, whole, times)
        eighth, quarter, middle = (_turn(made, times // part, span) for part in (8, 4, 2))
        change = np.abs(middle - _turn(made, times // 2 - 1, span)).max(axis=1)
        least, left = _least(period, made, unit), _left(eighth, quarter, middle)
        # Nothing is left to settle, or what is left is rounding that never rests.
        once = rounding(1, float(np.abs(middle).max()), unit)
        if left <= once or np.abs(middle - quarter).max() <= least:
            if change.max() > least:
                raise _unsettled(
                    "its output repeats itself after another period than its input says",
                    f"{_count(whole)}, an output that differs by {change.max():.3g} from one "
                    "period to the next",
                )
            return middle, change + left + least + _tried(layer, whole, times, error, middle)
        times *= 2
    raise _unsettled(
        f"its output does not settle within {MOST_PERIODS} periods",
        f"{_count(whole)}, an output that still differs by {change.max():.3g} from one period to "
        "the next",
    )


def _repeated(layer: Unmodelled, period: Array, times: int) -> Array:
    refuse_beyond_memory(
        2 * (period.shape[0] + layer.channels_out(period.shape[0])) * period.shape[1] * times,
        "the run of an opaque node",
        fix="a signal of a shorter period",
    )
    return layer.answer(np.tile(period, times))


def _left(eighth: Array, quarter: Array, middle: Array) -> float:
    """Return how far the middle is off by, where the output settles like a power."""
    first = float(np.abs(quarter - eighth).max())
    second = float(np.abs(middle - quarter).max())
    return second if second >= first else second * (second / first) ** 2


def _turn(made: Array, number: int, span: int) -> Array:
    return made[:, number * span : (number + 1) * span]


def _precision(layer: Unmodelled, channels: int) -> type[np.floating[Any]]:
    """Return the precision that a node computes in: all that it makes of noise may fit single.

    A node that noise does not suit, a logarithm say, is taken as one in double precision.
    """
    noise = np.random.default_rng(0).normal(size=(channels, _FEWEST * layer.block[1]))
    try:
        made = layer.answer(noise)
    except UpsimError:
        return np.float64
    with np.errstate(over="ignore"):
        single = np.array_equal(made, made.astype(np.float32))
    return np.float32 if single else np.float64


def _least(period: Array, made: Array, unit: type[np.floating[Any]]) -> float:
    """Return what rounding may do to a sum of all channels at all times of a run.

    How many operations a stranger's node has is not known; each output may see all of the input.
    """
    terms = period.shape[0] * made.shape[1] + made.size
    size = float(max(np.abs(made).max(), np.abs(period).max()))
    return probable(terms, size, unit)


def _tried(layer: Unmodelled, period: Array, times: int, error: Array, middle: Array) -> Array:
    """Return how far the output moves if each channel is moved by its error, up or down, (out,)."""
    if not error.any():
        return np.zeros(middle.shape[0])
    signs = np.random.default_rng(0).choice((-1.0, 1.0), error.shape)
    made = _repeated(layer, period + (signs * error)[:, None], times)
    moved = np.abs(_turn(made, times // 2, middle.shape[1]) - middle)
    return np.asarray(moved.max(axis=1))


def _count(period: Array) -> str:
    count = period.shape[1]
    return f"an input that repeats after {count} sample{'' if count == 1 else 's'}"


def _unsettled(what: str, given: str) -> NotPredictableError:
    return NotPredictableError(
        f"an opaque node was run and has no steady state: {what}",
        given=given,
        expected="a function that does the same each time, and forgets",
        fix="upsim.Recorded(samples, sample_rate), which is run as it is",
    )
