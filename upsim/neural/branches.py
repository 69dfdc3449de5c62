"""Branches: run each part on the same samples, then add, average or concatenate."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np

from upsim.errors import ShapeError, UpsimError
from upsim.layers.base import Layer
from upsim.layers.branches import Parallel, Residual
from upsim.neural.precision import Signal
from upsim.neural.registry import chain, register


@register(Residual)
def run_residual(layer: Residual, samples: Signal) -> Signal:
    """Return ``body(x) + skip(x)``; an empty skip is the input itself."""
    return merged("sum", run_parts((layer.layers, layer.skip), samples))


@register(Parallel)
def run_parallel(layer: Parallel, samples: Signal) -> Signal:
    """Return the sum, the mean or the concatenation (over channels) of the branches."""
    return merged(layer.merge, run_parts(layer.branches, samples))


def run_parts(parts: tuple[tuple[Layer, ...], ...], samples: Signal) -> list[Signal]:
    """Return the result of each branch."""
    results = []
    for number, part in enumerate(parts, 1):
        try:
            results.append(chain(part, samples))
        except UpsimError as error:
            raise error.at(f"branch {number}") from None
    return results


def merged(how: str, values: Sequence[Signal]) -> Signal:
    """Return the sum, the mean or the concatenation (over channels) of equally long values."""
    lengths = [value.shape[-1] for value in values]
    if len(set(lengths)) != 1:
        raise ShapeError(
            "the branches give different lengths",
            given=f"{lengths} samples",
            expected="equal lengths",
            fix="change a padding, or add upsim.Crop(left, right) to a branch",
        )
    if how == "concatenate":
        return np.concatenate(values, axis=1)
    total = reduce(np.add, values)
    return total / len(values) if how == "mean" else total
