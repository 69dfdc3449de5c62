"""What a merging, "sum", "mean" or "concatenate", does to the values that meet."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def share(merging: str, count: int) -> float:
    """Return what each of so many values is multiplied by before they are added or stacked."""
    return 1 / count if merging == "mean" else 1.0


def merged_samples(parts: Sequence[Array], merging: str) -> Array:
    """Merge along the channels, the second axis from the end."""
    if merging == "concatenate":
        return np.concatenate(parts, axis=-2)
    total = reduce(np.add, parts)
    return np.asarray(total / len(parts) if merging == "mean" else total)
