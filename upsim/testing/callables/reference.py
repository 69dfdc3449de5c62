"""What a known layer makes of samples: the reference of a callable that should be it."""

from __future__ import annotations

import numpy as np

from upsim import neural
from upsim.errors import ShapeError
from upsim.layers.base import Layer
from upsim.network.graph import Graph
from upsim.operators.operator import Real
from upsim.testing.laws.subject import run_finite


def run_reference(like: Layer | Graph, samples: Real) -> Real | None:
    """Return what it makes of samples (channels, n); None where it refuses them as too short."""
    try:
        if isinstance(like, Graph):
            return np.asarray(neural.run(like, samples), dtype=np.float64)
        return run_finite([like], samples)
    except ShapeError:
        return None


def output_length(like: Layer | Graph, count: int) -> int | None:
    """Return its output length for so many samples, None where it refuses them."""
    try:
        if isinstance(like, Graph):
            return int(like.lengths(count)[-1])
        return like.output_length(count)
    except ShapeError:
        return None
