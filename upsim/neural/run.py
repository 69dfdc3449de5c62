"""Run layers on samples, one after another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from upsim.layers.base import Layer
from upsim.neural.batch import as_batch
from upsim.neural.precision import Signal
from upsim.neural.registry import steps
from upsim.words.arguments import on_or_off

Layers = Iterable[Layer] | Layer


@overload
def run(
    layers: Layers, samples: ArrayLike, *, dtype: DTypeLike = ..., each: Literal[False] = ...
) -> Signal: ...


@overload
def run(
    layers: Layers, samples: ArrayLike, *, dtype: DTypeLike = ..., each: Literal[True]
) -> list[Signal]: ...


def run(
    layers: Layers, samples: ArrayLike, *, dtype: DTypeLike = np.float64, each: bool = False
) -> Signal | list[Signal]:
    """Return what layers make of samples, computed as a neural framework computes it.

    Parameters
    ----------
    layers : Stack, iterable of Layer, or Layer
        All weights drawn.
    samples : array (batch, channels, time) or (channels, time)
        The output has as many axes.
    dtype : float32 or float64
        The weights and the samples are rounded to it and everything is computed in it.
    each : bool
        Return the list of the samples after every layer instead.

    Examples
    --------
    >>> from upsim.layers import Nearest, ReLU
    >>> run([Nearest(2), ReLU()], [[-1.0, 3.0]])
    array([[0., 0., 3., 3.]])
    >>> [made.shape for made in run([Nearest(2), Nearest(3)], np.ones((5, 1, 4)), each=True)]
    [(5, 1, 8), (5, 1, 24)]
    """
    each = on_or_off(each, "each")
    batch, added = as_batch(samples, dtype)
    listed = (layers,) if isinstance(layers, Layer) else layers
    kept: list[Signal] = []
    last = batch
    for last in steps(listed, batch):
        if each:
            kept.append(last[0] if added else last)
    if each:
        return kept
    return last[0] if added else last
