r"""Each source's share of a line, from the output back.

Once Bussgang's gains are fixed, what a source adds to the output has passed linear layers and
gains only.  So the line ``k`` of the output, and each source's share of it, is a row times the
spectrum of the source where it was born:

.. math:: a_k = \sum_c R_c[k]\, X_c[k]

The rows of all lines are carried back through the stack once, whatever the number of sources:
through a layer by its gains at the lines' frequencies, through an activation by its gain, where
branches met into each of them.  To carry every share forward costs a run for each source instead.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from upsim.layers import Gated
from upsim.layers.base import Activation, Normalisation
from upsim.layers.merging import Concatenate, Merging
from upsim.network.graph import Graph, Node, walk_back
from upsim.operators.rows import rows_back
from upsim.theory.moments.base import Source
from upsim.theory.moments.deterministic import DeterministicMoments, bussgang
from upsim.theory.moments.propagation import Trace

Complex = NDArray[np.complex128]
Real = NDArray[np.float64]
Whole = NDArray[np.intp]

#: A row is complex, two lines' worth of products; below this many sources a row it is no gain.
_SOURCES_PER_ROW = 4


def asked_back(graph: Graph) -> bool:
    """Tell whether backward attribution is valid for a network and cheaper than forward.

    Not behind a layer that decimates (a line has several ways back), a gate or a normalisation
    (a share passes by a rule of its own), and not where channels are more than sources.
    """
    sources = 0
    for node in graph.nodes:
        layer = node.layer
        if isinstance(layer, Gated | Normalisation) or layer.block[1] > 1:
            return False
        sources += isinstance(layer, Activation) or layer.has_bias
    return sources >= _SOURCES_PER_ROW * graph.out_channels


def shares_back(
    trace: Trace, starts: Sequence[DeterministicMoments], lines: Sequence[int]
) -> tuple[tuple[Source, ...], Complex]:
    """Return the sources of the output's lines and their shares.

    Parameters
    ----------
    trace : Trace
        Of a network that is :func:`asked_back`; without shares.
    starts : sequence of DeterministicMoments
        The records at the inputs, with the shares there.
    lines : sequence of int
        Numbers k of the lines, at ``k / P`` of the output's rate.

    Returns
    -------
    sources : tuple of Source, in the order in which they are born
    shares : array (lines, sources, out)
        Complex Fourier coefficients.
    """
    graph = trace.graph
    periods = [_period(trace, number) for number in range(len(trace.values))]
    numbers = np.asarray(lines, dtype=np.intp)
    out = periods[graph.end].shape[0]
    at_output = np.broadcast_to(np.eye(out, dtype=np.complex128), (numbers.size, out, out))
    born: list[tuple[Source, Complex]] = []

    # A row (lines, out, C) and its span: the samples at the value in the time of the output's
    # period.  Its lines are numbered modulo that.
    def back(node: Node, worth: tuple[Complex, int]) -> list[tuple[Complex, int]]:
        row, span = worth
        layer = node.layer
        if isinstance(layer, Concatenate):
            cuts = np.cumsum([periods[value].shape[0] for value in node.inputs])[:-1]
            return [(part, span) for part in np.split(row, cuts, axis=2)]
        if isinstance(layer, Merging):
            scale = len(node.inputs) if layer.how == "mean" else 1
            return [(row / scale, span)] * len(node.inputs)
        operator = trace.operators[node.output - len(starts)]
        if operator is not None:
            if operator.offset is not None:
                source = Source("bias", node.name)
                born.append((source, _share(row, operator.offset, numbers, span)))
            return [(rows_back(operator, row, numbers, span), span // operator.up)]
        assert isinstance(layer, Activation)
        gain, rest = bussgang(layer, periods[node.inputs[0]], periods[node.output])
        born.append((Source("activation", node.name), _share(row, rest, numbers, span)))
        return [(row * gain[:, 0], span)]

    worths = walk_back(
        graph,
        (at_output, periods[graph.end].shape[1]),
        back,
        lambda first, second: (first[0] + second[0], first[1]),
    )
    for worth, start in reversed(list(zip(worths, starts, strict=False))):
        assert worth is not None
        for source, share in reversed(list(zip(start.sources, start.shares, strict=True))):
            born.append((source, _share(worth[0], share, numbers, worth[1])))
    born.reverse()
    return tuple(source for source, _ in born), np.stack([share for _, share in born], axis=1)


def _period(trace: Trace, number: int) -> Real:
    record = trace.values[number]
    assert isinstance(record, DeterministicMoments)
    return record.period


def _share(row: Complex, samples: Real, numbers: Whole, span: int) -> Complex:
    """Return rows (lines, out, C) times the spectrum of a periodic source (C, p): (lines, out)."""
    count = samples.shape[1]
    spectrum = np.fft.fft(samples, axis=1) / count
    # Line k is at (k mod span) / span here; a source of a shorter period has not all of them.
    places, other = np.divmod((numbers % span) * count, span)
    there = other == 0
    answer = np.zeros(row.shape[:2], dtype=np.complex128)
    answer[there] = (row[there] @ spectrum.T[places[there], :, None])[..., 0]
    return answer
