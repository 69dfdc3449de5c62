"""A stretch, an FIR and a decimation by D, without the samples that the decimation drops.

Output ``n`` sees input ``m`` through the tap at place ``p`` if ``n D = m L + p``.  Filters of one
channel each go tap by tap.  Filters that mix channels are split by the
input phase: the taps that input samples ``q + D t`` meet are a stretch-FIR of these samples alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import gcd, lcm
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from upsim.operators.circle import filtered
from upsim.operators.finite import overlap_added
from upsim.operators.repeating import Repeating, period_behind
from upsim.words.arguments import refuse_beyond_memory

if TYPE_CHECKING:
    from upsim.operators.stretch_fir import StretchFIR

Real = NDArray[np.float64]
Whole = NDArray[np.intp]


def decimated_circle(operator: StretchFIR, columns: Real) -> Real:
    """Map one period, (groups, in / groups, copies, P) to (out, copies, L lcm(P, D) / D)."""
    factor, down = operator.factor, operator.down
    copies, count = columns.shape[2:]
    whole, total = lcm(count, down), period_behind(count, factor, down)
    refuse_beyond_memory(
        max(total * operator.out_channels, whole * operator.in_channels) * copies,
        "one period of the output",
        fix="use a signal with a shorter period",
    )
    if operator.by_channel:
        return _by_neighbour(operator, total, Repeating(columns[:, 0]).at)
    tiled = Repeating(columns).over(whole)
    answer = np.zeros((operator.out_channels, copies, total))
    for part, chosen, outputs in by_part(operator):
        kernels = operator.kernels()[..., chosen]
        answer += filtered(kernels, outputs, tiled[..., part::down], factor)
    return answer


def decimated_line(operator: StretchFIR, samples: Real, first: int, total: int) -> Real:
    """Map finite samples (in, n), of which the first is number ``first``, to (out, total)."""
    factor, down, count = operator.factor, operator.down, samples.shape[1]
    if operator.by_channel:

        def read(inputs: Whole) -> Real:
            places = inputs - first
            inside = (places >= 0) & (places < count)
            return np.where(inside, samples[:, np.where(inside, places, 0)], 0.0)

        return _by_neighbour(operator, total, read)
    answer = np.zeros((operator.out_channels, total))
    for part, chosen, outputs in by_part(operator):
        # The first of the samples q + D t is that of this turn t.
        turn = -((part - first) // down)
        own = samples[:, part + turn * down - first :: down]
        if own.shape[1]:
            answer += overlap_added(
                operator.kernels()[..., chosen],
                own.reshape(operator.groups, -1, own.shape[1]),
                int(outputs[0]) + turn * factor,
                int(outputs[1] - outputs[0]) if outputs.size > 1 else 1,
                factor,
                total,
            )
    return answer


def by_part(operator: StretchFIR) -> Iterator[tuple[int, slice, Whole]]:
    """Yield each input phase with its taps and their output samples, both evenly spaced."""
    parts, outputs = operator.places
    step = operator.down // gcd(operator.dilation, operator.down)
    for first in range(min(step, parts.size)):
        chosen = slice(first, None, step)
        yield int(parts[first]), chosen, outputs[chosen]


def _by_neighbour(operator: StretchFIR, total: int, read: Callable[[Whole], Real]) -> Real:
    r"""Return the outputs of filters of one channel each, (C, ..., total).

    Output ``n`` sees the input samples ``m`` for which :math:`k = (n D - m L + crop) / d` is a tap:
    at most ``reach / L`` neighbours, however many phases there are.

    Parameters
    ----------
    total : int
        Outputs.
    read : callable
        Input sample numbers (total,), of any sign, to samples (C, ..., total).
    """
    behind = np.arange(total) * operator.down + operator.crop[0]
    latest = behind // operator.factor
    taps = operator.taps[:1, 0] if operator.taps.strides[0] == 0 else operator.taps[:, 0]
    # What is no tap is the zero behind the last one.
    padded = np.concatenate([taps, np.zeros((len(taps), 1))], axis=1)
    answer: Real | None = None
    for neighbour in range(-(-operator.reach // operator.factor)):
        inputs = latest - neighbour
        place, rest = np.divmod(behind - inputs * operator.factor, operator.dilation)
        place[(rest != 0) | (place >= taps.shape[1])] = -1
        samples = read(inputs)
        weights = padded[:, place]
        made = weights.reshape(len(taps), *(1,) * (samples.ndim - 2), total) * samples
        answer = made if answer is None else answer + made
    assert answer is not None
    return answer
