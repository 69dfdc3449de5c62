"""Samples added beyond the ends before a convolution, as torch names the ways."""

from __future__ import annotations

from typing import Literal

import numpy as np

from upsim.errors import ShapeError
from upsim.neural.precision import Signal

_NUMPY_NAMES: dict[str, Literal["constant", "reflect", "edge", "wrap"]] = {
    "zeros": "constant",
    "reflect": "reflect",
    "replicate": "edge",
    "circular": "wrap",
}


def pad(samples: Signal, left: int, right: int, mode: str) -> Signal:
    """Return samples with ``left`` and ``right`` more of them at the ends.

    Parameters
    ----------
    samples : array (batch, channels, time)
    left, right : int
    mode : str
        "zeros", "reflect" (the end sample is not repeated), "replicate" or "circular".

    Examples
    --------
    >>> pad(np.array([[[1.0, 2.0, 3.0]]]), 2, 1, "reflect")
    array([[[3., 2., 1., 2., 3., 2.]]])
    """
    if not (left or right):
        return samples
    length = samples.shape[-1]
    # NumPy would go on mirroring or wrapping; frameworks refuse, and so would a model.
    longest = {"reflect": length - 1, "circular": length}.get(mode)
    if longest is not None and max(left, right) > longest:
        raise ShapeError(
            f"{mode} padding reaches further than the input",
            given=f"padding {max(left, right)}, {length} samples",
            expected=f"padding of at most {longest}",
            fix="use a longer input or less padding",
        )
    return np.pad(samples, ((0, 0), (0, 0), (left, right)), mode=_NUMPY_NAMES[mode])
