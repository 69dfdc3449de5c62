"""The finite map of a stretch-FIR: overlap-add on a line, its ends included."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]


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
    A convolution may be summed over its taps or over its samples.  The sum runs over the fewer of
    the two, each time for all of the others at once.
    """
    groups, rows, _, taps = kernels.shape
    samples = columns.shape[2]
    answer = np.zeros((groups, rows, total))
    steps = (taps, dilation), (samples, factor)
    by_tap = taps <= samples
    (outer, far), (inner, near) = steps if by_tap else steps[::-1]
    for each in range(outer):
        place = start + each * far
        # Those of the others whose answer lies inside the output.
        low = max(0, -(place // near))
        high = min(inner, -(-(total - place) // near))
        if low >= high:
            continue
        if by_tap:
            piece = kernels[..., each] @ columns[..., low:high]
        else:
            piece = (columns[:, None, None, :, each] @ kernels[..., low:high])[:, :, 0]
        answer[..., place + low * near : place + (high - 1) * near + 1 : near] += piece
    return answer.reshape(groups * rows, total)
