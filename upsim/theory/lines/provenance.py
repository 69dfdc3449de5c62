r"""Each source's share of a line, from the output back.

Once Bussgang's gains and the levels of normalisations are fixed, what a source adds to the output
has passed linear layers and gains only.  So the line ``k`` of the output, and each source's share
of it, is a row times the spectrum of the source where it was born:

.. math:: a_k = \sum_c \sum_i R_{ci}[k]\, X_c[k + o_i]

The rows of all lines are carried back through the network once, whatever the number of sources:
through a layer by its gains at the lines' frequencies, through an activation by its gain, where
branches met into each of them.  A decimation folds several lines onto one, so behind it a line
has several rows, at offsets ``o_i`` that are the same for all lines; a stretch brings those that
were one line together again.  To carry every share forward costs a run for each source instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from upsim.layers.base import Activation, Normalisation, Unmodelled, mean_over_time
from upsim.layers.merging import Concatenate, Merging
from upsim.network.graph import Graph
from upsim.network.node import Node
from upsim.network.walk import walk_back
from upsim.operators import Operator
from upsim.operators.repeating import Repeating
from upsim.operators.rows import rows_at
from upsim.theory.moments.base import Source
from upsim.theory.moments.bussgang import bussgang
from upsim.theory.moments.deterministic import DeterministicMoments
from upsim.theory.moments.propagation import Trace

Complex = NDArray[np.complex128]
Real = NDArray[np.float64]
Whole = NDArray[np.intp]

#: A row is complex, two lines' worth of products; below this many sources a row it is no gain.
_SOURCES_PER_ROW = 4

#: Complex numbers in the widest rows of one block of lines (32 MiB).
_BLOCK = 2**21


def asked_back(graph: Graph) -> bool:
    """Return True if backward attribution is valid for a network and cheaper than forward.

    An activation that passes something else than the first value that it reads has a rule of its
    own for shares, and where the output has more channels than there are sources, rows cost more.
    """
    sources = 0
    for node in graph.nodes:
        layer = node.layer
        if isinstance(layer, Activation) and not _passes_its_input(layer):
            return False
        sources += isinstance(layer, Activation | Unmodelled) or layer.has_bias
    return sources >= _SOURCES_PER_ROW * graph.out_channels


def _passes_its_input(layer: Activation) -> bool:
    return type(layer).passing is Activation.passing


@dataclass(frozen=True, eq=False)
class RunGains:
    r"""The gains of a run, with which the mean periods of its values explain each other.

    At a node ``f`` with any gain ``g``, the mean periods obey
    :math:`\langle f(x) \rangle = g \langle x \rangle + \mathrm{rest}`, and the rest is a source of
    lines.  In a run that is circular in time a linear layer maps mean periods exactly; in one with
    ends what it leaves over is a source, too, "ends".

    Parameters
    ----------
    gains : mapping of str to array (parts, channels)
        By the name of a node that is not linear: a gain for each part of what it reads.
    ends : bool
        Whether the run has ends.
    """

    gains: Mapping[str, Real]
    ends: bool = False


def shares_back(
    trace: Trace,
    starts: Sequence[DeterministicMoments],
    lines: Sequence[int],
    run: RunGains | None = None,
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
    run : RunGains, optional
        Where the values are the mean periods of a run: the gains that it had.

    Returns
    -------
    sources : tuple of Source, in the order in which they are born
    shares : array (lines, sources, out)
        Complex Fourier coefficients.
    """
    numbers = np.asarray(lines, dtype=np.intp)
    widest = max(trace.graph.value_channels) * trace.graph.out_channels
    step = max(1, _BLOCK // widest)
    blocks = [
        _Block(trace, starts, numbers[i : i + step], run) for i in range(0, len(numbers), step)
    ]
    if not blocks:
        blocks = [_Block(trace, starts, numbers, run)]
    return blocks[0].sources, np.concatenate([block.shares for block in blocks])


@dataclass(frozen=True, eq=False)
class _Rows:
    """The rows of some lines at one value.

    Parameters
    ----------
    gains : array (lines, A, out, C)
    offsets : tuple of int
        A of them: line k of the output is made of the lines ``k + offset`` here.
    span : int
        Samples here in the time of the output's period: lines are numbered modulo that.
    """

    gains: Complex
    offsets: tuple[int, ...]
    span: int

    def before(self, operator: Operator, numbers: Whole) -> _Rows:
        """Return the rows before an operator of rate U / D.

        Alias l of the line at ``j / S'`` is :math:`(U j / S' + l) / D` cycles per input sample:
        line :math:`j + l S' / U` of the :math:`S = S' D / U` that there are.
        """
        count, ways, out, channels = self.gains.shape
        places = numbers[:, None] + np.array(self.offsets)
        rows = self.gains.reshape(count * ways, out, channels)
        # Whole turns count the aliases of a decimation; beyond as many all is said again.
        turns = places.reshape(-1) % (self.span * operator.down) / self.span
        moved = rows_at(operator, rows, turns)
        moved = moved.reshape(count, ways, operator.down, out, operator.in_channels)
        span = self.span * operator.down // operator.up
        found: dict[int, Complex] = {}
        for way, offset in enumerate(self.offsets):
            for alias in range(operator.down):
                place = (offset + alias * self.span // operator.up) % span
                part = moved[:, way, alias]
                found[place] = found[place] + part if place in found else part
        return _Rows(np.stack(list(found.values()), axis=1), tuple(found), span)

    def __add__(self, other: _Rows) -> _Rows:
        """Return the rows of a value that is read twice."""
        if self.offsets == other.offsets:
            return replace(self, gains=self.gains + other.gains)
        offsets = tuple(dict.fromkeys(self.offsets + other.offsets))
        total = np.zeros(
            (len(self.gains), len(offsets), *self.gains.shape[2:]), dtype=np.complex128
        )
        for part in (self, other):
            total[:, [offsets.index(offset) for offset in part.offsets]] += part.gains
        return _Rows(total, offsets, self.span)

    def times(self, spectrum_of: Real, numbers: Whole) -> Complex:
        """Return the rows times the spectrum of a periodic source (C, p): (lines, out)."""
        count = spectrum_of.shape[1]
        spectrum = Repeating(spectrum_of).lines()
        answer = np.zeros((len(self.gains), self.gains.shape[2]), dtype=np.complex128)
        for way, offset in enumerate(self.offsets):
            # Line j is at j / span here; a source of a shorter period has not all of them.
            places, other = np.divmod((numbers + offset) % self.span * count, self.span)
            there = other == 0
            seen = spectrum.T[places[there], :, None]
            answer[there] += (self.gains[there, way] @ seen)[..., 0]
        return answer


class _Block:
    """The shares of some lines: one walk from the output back."""

    def __init__(
        self,
        trace: Trace,
        starts: Sequence[DeterministicMoments],
        numbers: Whole,
        run: RunGains | None,
    ) -> None:
        self._trace, self._numbers, self._run = trace, numbers, run
        self._ends: list[Complex] = []
        self._born: list[tuple[Source, Complex]] = []
        graph = trace.graph
        out, span = self._period(graph.end).shape
        eye = np.broadcast_to(np.eye(out, dtype=np.complex128), (numbers.size, 1, out, out))
        rows = walk_back(graph, _Rows(eye, (0,), span), self._back, _Rows.__add__)
        for found, start in reversed(list(zip(rows, starts, strict=False))):
            if found is None:  # an opaque node stands on every way to the output
                continue
            for source, share in reversed(list(zip(start.sources, start.shares, strict=True))):
                self._bear(source, found, share)
        if self._ends:
            self._born.append((Source("ends"), np.sum(self._ends, axis=0)))
        self._born.reverse()
        self.sources = tuple(source for source, _ in self._born)
        self.shares = np.stack([share for _, share in self._born], axis=1)

    def _record(self, value: int) -> DeterministicMoments:
        record = self._trace.values[value]
        assert isinstance(record, DeterministicMoments)
        return record

    def _period(self, value: int) -> Real:
        return self._record(value).period

    def _bear(self, source: Source, rows: _Rows, samples: Real) -> None:
        self._born.append((source, rows.times(samples, self._numbers)))

    def _back(self, node: Node, rows: _Rows) -> Sequence[_Rows | None]:
        layer = node.layer
        if isinstance(layer, Unmodelled):
            self._bear(Source("opaque", node.name), rows, self._period(node.output))
            return [None] * len(node.inputs)
        if isinstance(layer, Concatenate):
            cuts = np.cumsum([self._period(value).shape[0] for value in node.inputs])[:-1]
            return [replace(rows, gains=part) for part in np.split(rows.gains, cuts, axis=3)]
        if isinstance(layer, Merging):
            scale = len(node.inputs) if layer.how == "mean" else 1
            return [replace(rows, gains=rows.gains / scale)] * len(node.inputs)
        operator = self._trace.operators[node.output - len(self._trace.graph.inputs)]
        if operator is not None:
            if operator.offset is not None:
                self._bear(Source("bias", node.name), rows, operator.offset)
            if self._run is not None and self._run.ends:
                self._end(node, operator, rows)
            return [rows.before(operator, self._numbers)]
        if isinstance(layer, Normalisation):
            return [self._before_normalisation(node, layer, rows)]
        assert isinstance(layer, Activation)
        gains, rest = self._gains_and_rest(node, layer)
        self._bear(Source("activation", node.name), rows, rest)
        passed = np.concatenate([rows.gains * gain for gain in gains], axis=3)
        return [replace(rows, gains=passed)]

    def _gains_and_rest(self, node: Node, layer: Activation) -> tuple[Real, Real]:
        """Return the gain from each part, (parts, channels), and what no part explains."""
        before, after = self._period(node.inputs[0]), self._period(node.output)
        if self._run is not None:
            gains = self._run.gains[node.name]
            parts = before.reshape(len(gains), -1, before.shape[1])
            return gains, after - np.einsum("ic,ict->ct", gains, parts)
        gain, rest = bussgang(layer, before, after)
        # What opens a gate is part of the rest, as are all values but the first.
        gains = np.zeros((layer.values_read, gain.size))
        gains[0] = gain[:, 0]
        return gains, rest

    def _end(self, node: Node, operator: Operator, rows: _Rows) -> None:
        """Note what a linear layer made beyond the map of the mean periods."""
        after = self._period(node.output)
        made = Repeating(operator.periodic(self._period(node.inputs[0]))).over(after.shape[1])
        if operator.offset is not None:
            made = made + Repeating(operator.offset).over(after.shape[1])
        self._ends.append(rows.times(after - made, self._numbers))

    def _before_normalisation(self, node: Node, layer: Normalisation, rows: _Rows) -> _Rows:
        """Return ``g (x - m(x))`` back: the centre is linear in the means, lines at 0 alone."""
        before, after = self._record(node.inputs[0]), self._period(node.output)
        bias = layer.bias_array()
        if bias is not None:
            self._bear(Source("bias", node.name), rows, bias[:, None])
            after = after - bias[:, None]
        if self._run is None:
            levels = before.levels()
            # Channels that were set to zero, as they moved by rounding only, pass nothing.
            gains = layer.gains(levels.mean, levels.variance) * np.any(after, axis=1)
        else:
            gains = self._run.gains[node.name][0]
            centre = layer.centre(mean_over_time(before.period))[:, None]
            # The levels of one batch are not those of another.
            rest = after - gains[:, None] * (before.period - centre)
            self._bear(Source("activation", node.name), rows, rest)
        passed = rows.gains * gains
        centres = layer.centre(np.eye(before.channels)).T
        for way, offset in enumerate(rows.offsets):
            still = (self._numbers + offset) % rows.span == 0
            passed[still, way] -= passed[still, way] @ centres
        return replace(rows, gains=passed)
