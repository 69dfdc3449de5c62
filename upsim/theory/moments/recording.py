"""A recording through a plain chain of layers, stretch by stretch of its time.

A long recording in many channels is larger than what is asked of it.  Where every layer is a
stretch followed by an FIR that sees zeros beyond the ends, a stretch of the output needs a stretch
of the input and nothing else: the values in between are never held as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from upsim.network.graph import Graph
from upsim.operators import StretchFIR
from upsim.theory.moments.base import Moments
from upsim.theory.moments.deterministic import DeterministicMoments
from upsim.theory.moments.stationary import StationaryMoments
from upsim.words.arguments import refuse_beyond_memory

Real = NDArray[np.float64]

#: Numbers of the widest value that are held at once (2 MiB).
_BLOCK = 2**18


def plain_chain(graph: Graph) -> tuple[StretchFIR, ...] | None:
    """Return the operators of a chain that can be run stretch by stretch, None for any other."""
    found = []
    if len(graph.inputs) > 1 or not graph.is_drawn:
        return None
    for number, (node, operator) in enumerate(zip(graph.nodes, graph.operators, strict=True)):
        if not isinstance(operator, StretchFIR) or operator.down > 1:
            return None
        if operator.padding_mode != "zeros" or operator.coverage is not None:
            return None
        if node.inputs != (number,):
            return None
        found.append(operator)
    return tuple(found)


def with_recording(record: Moments, waveform: Real | None) -> Moments:
    """Return a record with another recording, or with none."""
    if isinstance(record, StationaryMoments):
        return replace(record, mean=replace(record.mean, waveform=waveform))
    assert isinstance(record, DeterministicMoments)
    return replace(record, waveform=waveform)


def run_chain(chain: Sequence[StretchFIR], samples: Real) -> Real:
    """Return the finite output of a chain, edges and offsets included.

    Parameters
    ----------
    chain : sequence of StretchFIR
        Of :func:`plain_chain`.
    samples : array (in, n)

    Returns
    -------
    array (out, length)
    """
    lengths = [samples.shape[1]]
    for operator in chain:
        lengths.append(operator.output_length(lengths[-1]))
    channels = [len(samples), *(operator.out_channels for operator in chain)]
    refuse_beyond_memory(channels[-1] * lengths[-1], "the recording", fix="use a shorter recording")
    answer = np.empty((channels[-1], lengths[-1]))
    # What a sample of the output weighs in the widest value on the way.
    widest = max(
        width * length / lengths[-1] for width, length in zip(channels, lengths, strict=True)
    )
    block = max(1, int(_BLOCK / widest))
    for begin in range(0, lengths[-1], block):
        spans = [(begin, min(begin + block, lengths[-1]))]
        for operator, length in zip(reversed(chain), reversed(lengths[:-1]), strict=True):
            first, last = operator.seen_by(*spans[0])
            # Beyond the ends are zeros, which nobody needs to hold.
            low = min(max(first, 0), length)
            spans.insert(0, (low, max(low, min(last + 1, length))))
        piece = samples[:, slice(*spans[0])]
        for operator, (given, _), (first, last) in zip(chain, spans, spans[1:], strict=False):
            piece = operator.stretch_of(piece, given, first, last)
        answer[:, begin : begin + block] = piece
    return answer
