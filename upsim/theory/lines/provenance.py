r"""Each source's share of a line, from the output back.

Once Bussgang's gains and the levels of normalisations are fixed, what a source adds to the output
has passed linear layers and gains only.  So the line ``k`` of the output, and each source's share
of it, is a row times the spectrum of the source where it was born:

.. math:: a_k = \sum_c \sum_i R_{ci}[k]\, X_c[j_i]

The rows of all lines are carried back through the network once, whatever the number of sources:
through a layer by its gains at the lines' frequencies, through an activation by its gain, where
branches met into each of them.  A decimation folds several lines onto one, so before it a line
has several rows, one for each line ``j_i`` that is there; a stretch brings those that were one
line together again.  To carry every share forward costs a run for each source instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from math import gcd, inf, lcm
from operator import or_

import numpy as np
from numpy.typing import NDArray

from upsim.layers.base import Activation, Layer, Normalisation, Unmodelled, mean_over_time
from upsim.layers.merging import Concatenate, Merging
from upsim.network.graph import Graph
from upsim.network.node import Node
from upsim.network.walk import walk, walk_back
from upsim.operators import Operator
from upsim.operators.repeating import Repeating, period_behind
from upsim.operators.rows import rows_at
from upsim.theory.moments.base import Source
from upsim.theory.moments.bussgang import bussgang
from upsim.theory.moments.deterministic import DeterministicMoments
from upsim.theory.moments.propagation import Trace
from upsim.words.arguments import MEMORY_BUDGET

Complex = NDArray[np.complex128]
Real = NDArray[np.float64]
Whole = NDArray[np.intp]

#: Seconds for a product and for a number that is touched, forth and back, as measured within a
#: factor of two.
_FORTH, _BACK = (25e-12, 6e-9), (12e-12, 0.5e-9)

#: Complex numbers in the widest rows of one block of lines (32 MiB).
_BLOCK = 2**21


def asked_back(graph: Graph, periods: Sequence[int]) -> bool:
    """Return True if shares from the output back are valid for a network, and cost less than forth.

    An activation that passes something else than the first value that it reads has a rule of its
    own for shares, forth.

    Parameters
    ----------
    graph : Graph
        Drawn.
    periods : sequence of int
        Of the signals at the inputs.
    """
    if not all(_passes_its_input(node.layer) for node in graph.nodes):
        return False
    if not any(_is_source(node.layer) for node in graph.nodes):
        return False  # nothing but the input, which comes through by itself
    forth, back = _costs(graph, periods)
    return back < forth


def _is_source(layer: Layer) -> bool:
    return isinstance(layer, Activation | Unmodelled) or layer.has_bias


def _costs(graph: Graph, periods: Sequence[int]) -> tuple[float, float]:
    """Return what all shares would take in seconds, about: carried forth, and asked back.

    Forth, each source that reaches a layer goes through it, over one period.  Back, each line has
    a row there for each of its aliases, and layers answer once for lines that are one here.  Forth
    takes for ever where it does not fit in memory.
    """
    inputs, channels = len(graph.inputs), graph.value_channels
    kept = 0

    def after(node: Node, given: Sequence[tuple[int, int]]) -> tuple[int, int]:
        nonlocal kept
        period = period_behind(lcm(*(each for each, _ in given)), *node.layer.block)
        # The sources that reach a value, one bit each.
        sources = reduce(or_, (each for _, each in given))
        if isinstance(node.layer, Unmodelled):
            sources = 0
        if _is_source(node.layer):
            sources |= 1 << node.output
        kept += (sources.bit_count() + 1) * channels[node.output] * period
        return period, sources

    starts = [(period, 1 << number) for number, period in enumerate(periods)]
    seen = walk(graph, starts, after)
    spans = [period for period, _ in seen]
    ways = _ways(graph, spans)
    length, out = spans[graph.end], graph.out_channels
    products, asked, rows_kept = 0.0, 0.0, 0.0
    for node in graph.nodes:
        operator = graph.operators[node.output - inputs]
        if operator is None:
            continue
        taps, pairs = operator.terms * operator.out_channels, operator.in_channels
        pairs = min(taps, pairs * operator.out_channels)
        sources = seen[node.inputs[0]][1].bit_count()
        products += sources * taps * spans[node.output] / operator.up
        rows = (length // 2 + 1) * (ways[node.output] or 0)
        span = int(length * graph.value_rates[node.output] / graph.sample_rate) * operator.down
        apart = 2 * taps * min(rows, span) + 4 * rows * out * pairs
        asked += min(2 * taps * rows * out, apart)
        rows_kept += rows * out * (operator.in_channels * operator.down + operator.out_channels)
    forth = _FORTH[0] * products + _FORTH[1] * kept
    back = _BACK[0] * asked + _BACK[1] * rows_kept
    return (forth if 8 * kept <= MEMORY_BUDGET else inf), back


def _passes_its_input(layer: Layer) -> bool:
    return not isinstance(layer, Activation) or type(layer).passing is Activation.passing


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
    step = max(1, _BLOCK // _widest(trace))
    blocks = [
        _Block(trace, starts, numbers[i : i + step], run) for i in range(0, len(numbers), step)
    ]
    if not blocks:
        blocks = [_Block(trace, starts, numbers, run)]
    return blocks[0].sources, np.concatenate([block.shares for block in blocks])


def _widest(trace: Trace) -> int:
    """Return the most numbers that the rows of one line are at a value."""
    graph = trace.graph
    periods = [
        each.period.shape[1] if isinstance(each, DeterministicMoments) else 1
        for each in trace.values
    ]
    pairs = zip(_ways(graph, periods), graph.value_channels, strict=True)
    return graph.out_channels * max((ways or 0) * channels for ways, channels in pairs)


def _ways(graph: Graph, periods: Sequence[int]) -> list[int | None]:
    """Return how many lines at each value a line of the output may read, None for none."""

    def before(node: Node, ways: int) -> list[int]:
        operator = graph.operators[node.output - len(graph.inputs)]
        down = 1 if operator is None else operator.down
        return [min(ways * down, periods[value]) for value in node.inputs]

    return walk_back(graph, 1, before, int.__add__)


@dataclass(frozen=True, eq=False)
class _Rows:
    """The rows of some lines of the output at one value.

    Parameters
    ----------
    gains : array (rows, out, C)
    lines : array (rows,)
        The line of the output that a row belongs to, by its place in the block.
    places : array (rows,)
        The line here that it reads; a pair of both has one row.
    span : int
        Samples here in the time of the output's period: lines are numbered modulo that.
    """

    gains: Complex
    lines: Whole
    places: Whole
    span: int

    def before(self, operator: Operator, period: int) -> _Rows:
        """Return the rows before an operator of rate U / D, whose input has a period.

        Alias l of the line at ``j / S'`` is :math:`(U j / S' + l) / D` cycles per input sample:
        line :math:`j + l S' / U` of the :math:`S = S' D / U` that there are.  What enters has only
        lines at multiples of one over its period, so only these are asked for on.
        """
        moved = rows_at(operator, self.gains, self.places / self.span)
        span = self.span * operator.down // operator.up
        aliases = np.arange(operator.down) * self.span // operator.up
        places = ((self.places[:, None] + aliases) % span).reshape(-1)
        lines = np.repeat(self.lines, operator.down)
        moved = moved.reshape(lines.size, *moved.shape[2:])
        there = places % (span // gcd(span, period)) == 0
        if not there.all():
            moved, lines, places = moved[there], lines[there], places[there]
        return _one_each(moved, lines, places, span)

    def __add__(self, other: _Rows) -> _Rows:
        """Return the rows of a value that is read twice."""
        if np.array_equal(self.lines, other.lines) and np.array_equal(self.places, other.places):
            return replace(self, gains=self.gains + other.gains)
        pairs = (self, other)
        return _one_each(
            np.concatenate([each.gains for each in pairs]),
            np.concatenate([each.lines for each in pairs]),
            np.concatenate([each.places for each in pairs]),
            self.span,
        )

    def times(self, spectrum_of: Real, count: int) -> Complex:
        """Return the rows times the spectrum of a periodic source (C, p): (count lines, out)."""
        period = spectrum_of.shape[1]
        # A source of a shorter period has not all lines.
        places, other = np.divmod(self.places * period, self.span)
        there = other == 0
        seen = Repeating(spectrum_of).lines().T[places[there], :, None]
        answer = np.zeros((count, self.gains.shape[1]), dtype=np.complex128)
        np.add.at(answer, self.lines[there], (self.gains[there] @ seen)[..., 0])
        return answer


def _one_each(gains: Complex, lines: Whole, places: Whole, span: int) -> _Rows:
    """Return rows of which those of one line at one place are added."""
    keys = lines * span + places
    order = np.argsort(keys, kind="stable")
    first = np.flatnonzero(np.diff(keys[order], prepend=-1))
    if first.size < keys.size:
        gains = np.add.reduceat(gains[order], first)
        lines, places = lines[order][first], places[order][first]
    return _Rows(gains, lines, places, span)


class _Block:
    """The shares of some lines: one walk from the output back."""

    def __init__(
        self,
        trace: Trace,
        starts: Sequence[DeterministicMoments],
        numbers: Whole,
        run: RunGains | None,
    ) -> None:
        self._trace, self._count, self._run = trace, numbers.size, run
        self._ends: list[Complex] = []
        self._born: list[tuple[Source, Complex]] = []
        graph = trace.graph
        out, span = self._period(graph.end).shape
        eye = np.broadcast_to(np.eye(out, dtype=np.complex128), (numbers.size, out, out))
        ends = _Rows(eye, np.arange(numbers.size), numbers % span, span)
        rows = walk_back(graph, ends, self._back, _Rows.__add__)
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
        self._born.append((source, rows.times(samples, self._count)))

    def _back(self, node: Node, rows: _Rows) -> Sequence[_Rows | None]:
        layer = node.layer
        if isinstance(layer, Unmodelled):
            self._bear(Source("opaque", node.name), rows, self._period(node.output))
            return [None] * len(node.inputs)
        if isinstance(layer, Concatenate):
            cuts = np.cumsum([self._period(value).shape[0] for value in node.inputs])[:-1]
            return [replace(rows, gains=part) for part in np.split(rows.gains, cuts, axis=2)]
        if isinstance(layer, Merging):
            scale = len(node.inputs) if layer.how == "mean" else 1
            return [replace(rows, gains=rows.gains / scale)] * len(node.inputs)
        operator = self._trace.operators[node.output - len(self._trace.graph.inputs)]
        if operator is not None:
            if operator.offset is not None:
                self._bear(Source("bias", node.name), rows, operator.offset)
            if self._run is not None and self._run.ends:
                self._end(node, operator, rows)
            return [rows.before(operator, self._period(node.inputs[0]).shape[1])]
        if isinstance(layer, Normalisation):
            return [self._before_normalisation(node, layer, rows)]
        assert isinstance(layer, Activation)
        gains, rest = self._gains_and_rest(node, layer)
        self._bear(Source("activation", node.name), rows, rest)
        passed = np.concatenate([rows.gains * gain for gain in gains], axis=2)
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
        self._ends.append(rows.times(after - made, self._count))

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
        still = rows.places == 0
        passed[still] -= passed[still] @ centres
        return replace(rows, gains=passed)
