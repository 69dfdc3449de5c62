"""What a layer sees beyond the ends of its input."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from upsim.errors import ShapeError

#: As torch names them.
PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


def shortest_to_pad(left: int, right: int, mode: str) -> int:
    """Return the samples that a padding needs: a reflection one more than it adds, a wrap as many.

    Examples
    --------
    >>> shortest_to_pad(2, 3, "reflect"), shortest_to_pad(2, 3, "zeros")
    (4, 1)
    """
    longest = max(left, right)
    return max(1, {"reflect": longest + 1, "circular": longest}.get(mode, 1))


def extended_index(
    index: NDArray[np.intp], length: int, mode: str
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Map sample numbers beyond ``0 … length - 1`` back into the input.

    Parameters
    ----------
    index : array of int
        Sample numbers, any sign.
    length : int
        Samples of the input.
    mode : str
        One of :data:`PADDING_MODES`.

    Returns
    -------
    inside : array of int
        The sample that is seen there (0 where none is).
    seen : array of bool
        False where the layer sees a zero.

    Examples
    --------
    >>> extended_index(np.array([-2, -1, 0, 3]), 3, "reflect")[0]
    array([2, 1, 0, 1])
    """
    everywhere = np.ones(index.shape, dtype=np.bool_)
    if mode == "zeros":
        seen = (index >= 0) & (index < length)
        return np.where(seen, index, 0), seen
    if mode == "replicate":
        return np.clip(index, 0, length - 1), everywhere
    overrun = int(max(-index.min(initial=0), index.max(initial=0) - length + 1))
    longest = length - 1 if mode == "reflect" else length
    if overrun > longest:
        raise ShapeError(
            f"{mode} padding reaches further than the input",
            given=f"{length} samples, {overrun} needed beyond an end",
            expected=f"at most {longest}",
            fix="use a longer input or less padding",
        )
    if mode == "circular":
        return index % length, everywhere
    mirrored = np.where(index < 0, -index, index)
    return np.where(mirrored >= length, 2 * (length - 1) - mirrored, mirrored), everywhere
