r"""The error of a chunk that is run with too little context, in closed form for linear networks.

A finite run of a linear network is a matrix: :math:`y = A x + b`, edges, paddings and lost samples
included.  Rows of the whole less rows of the run, at the same output samples, are what the missing
context leaves out.  For white input of power 1 the error at a sample is

.. math:: E e^2 = \sum_m (A_{nm} - \tilde A_{nm})^2 + (b_n - \tilde b_n)^2,

and for inputs of magnitude 1 at most it is no larger than
:math:`\sum_m |A_{nm} - \tilde A_{nm}| + |b_n - \tilde b_n|`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from upsim.layers.base import LinearLayer
from upsim.layers.merging import MERGINGS, Merging
from upsim.network.graph import Graph
from upsim.network.node import Node
from upsim.network.walk import walk, walk_back
from upsim.theory.moments.merging import merged_samples, share
from upsim.words.arguments import refuse_beyond_memory

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Rows:
    """Output samples of a run as sums over its input.

    Parameters
    ----------
    rows : sequence of sparse (channels * samples, channels of the input * frames)
        For each input.
    offset : array (channels * samples,)
    """

    rows: Sequence[csr_array]
    offset: Array

    @property
    def power(self) -> float:
        """Mean square for white input of power 1."""
        return float(_squares(self.rows, self.offset).mean())


def is_affine(graph: Graph) -> bool:
    """Return True if a network of drawn weights is a matrix and an offset."""
    known = set(MERGINGS)
    return graph.is_drawn and all(
        node.layer.how in known
        if isinstance(node.layer, Merging)
        else isinstance(node.layer, LinearLayer)
        for node in graph.nodes
    )


def run_rows(graph: Graph, total: int, start: int, stop: int) -> Rows:
    """Return the output samples from ``start`` to ``stop`` of a run of ``total`` frames.

    They are carried from the output back, as sparse rows.
    """
    from scipy.sparse import csr_array

    lengths = graph.lengths(total)
    channels, count = graph.out_channels, stop - start
    sizes = [each * long for each, long in zip(graph.value_channels, lengths, strict=True)]
    # In the worst case a row is full: a value and its column, and once more while it is made.
    refuse_beyond_memory(
        3 * channels * count * max(sizes), "the rows of the chunk", fix="a smaller chunk"
    )
    picked = np.arange(start, stop) + lengths[graph.end] * np.arange(channels)[:, None]
    ones = np.ones(channels * count)
    select = csr_array(
        (ones, picked.ravel(), np.arange(ones.size + 1)), shape=(ones.size, sizes[graph.end])
    )

    def before(node: Node, worth: Any) -> list[Any]:
        if isinstance(node.layer, Merging):
            if node.layer.how != "concatenate":
                return [share(node.layer.how, len(node.inputs)) * worth] * len(node.inputs)
            ends = np.cumsum([sizes[value] for value in node.inputs])
            return [
                worth[:, end - sizes[value] : end]
                for value, end in zip(node.inputs, ends.tolist(), strict=True)
            ]
        operator = graph.operators[node.output - len(graph.inputs)]
        assert operator is not None
        return [worth @ operator.matrix(lengths[node.inputs[0]])]

    found = walk_back(graph, select, before, add)
    offset = _silent_run(graph, lengths)[:, start:stop].ravel()
    return Rows(
        [csr_array(each) for each in found[: len(graph.inputs)] if each is not None], offset
    )


def _silent_run(graph: Graph, lengths: Sequence[int]) -> Array:
    """Return the output of a run of zeros, (channels, samples): what the offsets make."""

    def after(node: Node, given: Sequence[Array]) -> Array:
        if isinstance(node.layer, Merging):
            return merged_samples(given, node.layer.how)
        operator = graph.operators[node.output - len(graph.inputs)]
        assert operator is not None
        made = operator.apply(given[0])
        return made + operator.offset_samples(made.shape[1])

    starts = [
        np.zeros((each.channels, lengths[number])) for number, each in enumerate(graph.inputs)
    ]
    return walk(graph, starts, after)[graph.end]


def difference(
    graph: Graph, whole: Rows, run: Rows, frames: tuple[int, int], first: int
) -> tuple[Array, Array]:
    """Return the error of each output sample: its expected power, and the largest there can be.

    Parameters
    ----------
    graph : Graph
    whole, run : Rows
        The same output samples.
    frames : (int, int)
        Of the first input, in the whole and in the run.
    first : int
        Frame of the whole at which the run starts.

    Returns
    -------
    powers, largest : array (channels * samples,)
        For white input of power 1, and for inputs between -1 and 1.
    """
    from scipy.sparse import csr_array

    rows = []
    for number, each in enumerate(graph.inputs):
        ratio = graph.input_rates[number] / graph.input_rate
        long, short, shift = (int(count * ratio) for count in (*frames, first))
        known = run.rows[number].tocoo()
        channel, sample = np.divmod(known.col, short)
        moved = csr_array(
            (known.data, (known.row, channel * long + sample + shift)),
            shape=(known.shape[0], each.channels * long),
        )
        rows.append(csr_array(whole.rows[number] - moved))
    offset = whole.offset - run.offset
    sums = [np.asarray(abs(each).sum(axis=1), dtype=np.float64).ravel() for each in rows]
    return _squares(rows, offset), np.asarray(reduce(add, sums) + np.abs(offset))


def _squares(rows: Sequence[csr_array], offset: Array) -> Array:
    squares = (np.asarray(each.multiply(each).sum(axis=1)).ravel() for each in rows)
    return np.asarray(reduce(add, squares) + offset**2)
