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
from upsim.network.stack import Stack
from upsim.operators.rows import rows_back
from upsim.theory.moments.base import Source
from upsim.theory.moments.deterministic import DeterministicMoments, bussgang
from upsim.theory.moments.propagation import Trace

Complex = NDArray[np.complex128]
Real = NDArray[np.float64]
Whole = NDArray[np.intp]

#: A row is complex, two lines' worth of products; below this many sources a row it is no gain.
_SOURCES_PER_ROW = 4


def asked_back(stack: Stack) -> bool:
    """Tell whether the shares of a stack's output are had from the output back, and cheaper so.

    Not behind a layer that decimates (a line has several ways back), a gate or a normalisation
    (a share passes by a rule of its own), and not where channels are more than sources.
    """
    sources = 0
    for step in stack.steps:
        layer = step.layer
        if layer is None:
            continue
        if isinstance(layer, Gated | Normalisation) or layer.block[1] > 1:
            return False
        sources += isinstance(layer, Activation) or layer.has_bias
    return sources >= _SOURCES_PER_ROW * stack.out_channels


def shares_back(
    trace: Trace, start: DeterministicMoments, lines: Sequence[int]
) -> tuple[tuple[Source, ...], Complex]:
    """Return the sources of the last value's lines and their shares.

    Parameters
    ----------
    trace : Trace
        Of a stack that is :func:`asked_back`; without shares.
    start : DeterministicMoments
        The record at the input, with the shares there.
    lines : sequence of int
        Numbers k of the lines, at ``k / P`` of the output's rate.

    Returns
    -------
    sources : tuple of Source, in the order in which they are born
    shares : array (lines, sources, out)
        Complex Fourier coefficients.
    """
    periods = [_period(trace, number) for number in range(len(trace.values))]
    numbers = np.asarray(lines, dtype=np.intp)
    end = len(trace.values) - 1
    out = periods[end].shape[0]
    rows = {end: np.broadcast_to(np.eye(out, dtype=np.complex128), (numbers.size, out, out))}
    # Samples at a value in the time of the output's period: its lines are numbered modulo that.
    spans = {end: periods[end].shape[1]}
    born: list[tuple[Source, Complex]] = []

    def back(value: int, row: Complex, span: int) -> None:
        rows[value] = row if value not in rows else rows[value] + row
        spans[value] = span

    for step, operator in zip(reversed(trace.steps), reversed(trace.operators), strict=True):
        row, span = rows.pop(step.output), spans[step.output]
        if step.layer is None:
            first = 0
            for value in step.inputs:
                last = first + periods[value].shape[0]
                scale = len(step.inputs) if step.merging == "mean" else 1
                stacked = step.merging == "concatenate"
                back(value, row[..., first:last] if stacked else row / scale, span)
                first = last if stacked else 0
        elif operator is not None:
            if operator.offset is not None:
                born.append(
                    (Source("bias", step.label), _share(row, operator.offset, numbers, span))
                )
            before = rows_back(operator, row, numbers, span)
            back(step.inputs[0], before, span // operator.up)
        else:
            assert isinstance(step.layer, Activation)
            gain, rest = bussgang(step.layer, periods[step.inputs[0]], periods[step.output])
            born.append((Source("activation", step.label), _share(row, rest, numbers, span)))
            back(step.inputs[0], row * gain[:, 0], span)
    for source, share in reversed(list(zip(start.sources, start.shares, strict=True))):
        born.append((source, _share(rows[0], share, numbers, spans[0])))
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
