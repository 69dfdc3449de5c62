"""Run layers on samples, one after another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from upsim.layers.base import Layer
from upsim.layers.merging import Merging
from upsim.network.graph import Graph, refuse_several_inputs
from upsim.network.node import Node
from upsim.network.walk import walk
from upsim.neural.batch import as_batch
from upsim.neural.branches import merged
from upsim.neural.precision import Signal
from upsim.neural.registry import forward, steps
from upsim.words.arguments import on_or_off

Layers = Graph | Iterable[Layer] | Layer


def run_graph(graph: Graph, inputs: Sequence[Signal]) -> list[Signal]:
    """Return every value of a graph for samples (batch, channels, time) at each input."""
    return walk(graph, list(inputs), _after)


def run_to_end(graph: Graph, inputs: Sequence[Signal]) -> Signal:
    """Return the output of a graph alone: each value is held until its last reader has run."""
    return walk(graph, list(inputs), _after, forget=np.zeros((0, 0, 0)))[graph.end]


def _after(node: Node, given: Sequence[Signal]) -> Signal:
    if isinstance(node.layer, Merging):
        return merged(node.layer.how, given)
    return forward(node.layer, given[0])


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
    layers : Graph, Stack, iterable of Layer, or Layer
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
    if isinstance(layers, Graph):
        refuse_several_inputs(layers, "neural.run")
        batch, added = as_batch(samples, dtype)
        values = run_graph(layers, [batch])
        shown = [values[end][0] if added else values[end] for end in layers.ends[1:]]
        return shown if each else shown[-1]
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
