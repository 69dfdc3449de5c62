"""The finite map of a stretch-FIR: overlap-add on a line, its ends included."""

from __future__ import annotations

from math import gcd

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Real = NDArray[np.float64]

#: Numbers that are gathered for one matrix product (1 MiB, what a processor's cache holds).
_BLOCK = 2**17

#: From so many neighbouring taps on an FFT takes a quarter of the time, or less.
_LONG = 256


def overlap_added(
    kernels: Real, columns: Real, start: int, dilation: int, factor: int, total: int
) -> Real:
    r"""Return ``y[n] = sum_k h[k] x[m]`` over ``n = start + m L + d k``, for ``0 <= n < total``.

    Parameters
    ----------
    kernels : array (groups, rows, in / groups, K)
    columns : array (groups, in / groups, samples)
    start : int
        Output sample of the first tap on the first input sample.
    dilation, factor : int
        ``d`` and ``L``.
    total : int
        Output samples.

    Returns
    -------
    array (groups * rows, total)

    Notes
    -----
    Where samples are more than taps, the outputs of one phase ``i`` are an ordinary filter of the
    input, and many of them are one matrix product, or one of spectra where taps are hundreds.
    Where taps are more than samples, one sample after another adds its answer.
    """
    groups, rows, _, taps = kernels.shape
    answer = np.zeros((groups, rows, total))
    if taps > columns.shape[2]:
        _sample_by_sample(answer, kernels, columns, start, dilation, factor)
    else:
        # Taps whose places differ by a multiple of L share a phase: every `turns`-th of them.
        turns = factor // gcd(dilation, factor)
        for first in range(min(turns, taps)):
            place = start + first * dilation
            _one_phase(
                answer[..., place % factor :: factor],
                kernels[..., first::turns],
                columns,
                place // factor,
                dilation * turns // factor,
            )
    return answer.reshape(groups * rows, total)


def _one_phase(answer: Real, kernels: Real, columns: Real, delay: int, step: int) -> None:
    """Write ``y[t] = sum_k h[k] x[t - delay - k step]`` into the samples of one phase."""
    groups, rows, per_group, taps = kernels.shape
    reach = step * (taps - 1)
    # Back to front, so that a window of samples in ascending order meets its taps.
    flat = np.ascontiguousarray(kernels[..., ::-1]).reshape(groups, rows, per_group * taps)
    samples = columns.shape[2]
    low, high = max(0, delay), min(answer.shape[2], samples + delay + reach)
    if taps >= _LONG and step == 1 and low < high:
        from scipy.signal import oaconvolve

        for channel in range(per_group):
            made = oaconvolve(columns[:, None, channel], kernels[:, :, channel], axes=-1)
            answer[..., low:high] += made[..., low - delay : high - delay]
        return
    block = max(1, _BLOCK // (groups * per_group * taps))
    for begin in range(low, high, block):
        end = min(begin + block, high)
        # Output t sees the samples from t - delay - reach to t - delay; beyond the ends are zeros.
        first, last = begin - delay - reach, end - delay
        piece = columns[..., max(first, 0) : min(last, samples)]
        if first < 0 or last > samples:
            ends = (max(-first, 0), max(last - samples, 0))
            piece = np.pad(piece, ((0, 0), (0, 0), ends))
        windows = sliding_window_view(piece, end - begin, axis=2)[:, :, ::step]
        answer[..., begin:end] = flat @ windows.reshape(groups, per_group * taps, end - begin)


def _sample_by_sample(
    answer: Real, kernels: Real, columns: Real, start: int, dilation: int, factor: int
) -> None:
    """Add the answer of one sample after another, all taps at once."""
    taps, total = kernels.shape[3], answer.shape[2]
    for sample in range(columns.shape[2]):
        place = start + sample * factor
        # Those of the taps that lie inside the output.
        low = max(0, -(place // dilation))
        high = min(taps, -(-(total - place) // dilation))
        if low < high:
            piece = (columns[:, None, None, :, sample] @ kernels[..., low:high])[:, :, 0]
            answer[..., place + low * dilation : place + (high - 1) * dilation + 1 : dilation] += (
                piece
            )
