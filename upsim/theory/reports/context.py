"""Context: how far around a chunk a network looks, and what to feed so that a chunk is exact.

Two cuts are followed through the network: the input is known from some sample on, and up to some
sample.  On the infinite line that gives the receptive field.  On a finite run each layer also
drops what its length law cuts off, and sees its own padding beyond its ends; that gives the
overlap with which a chunk, run by itself, equals the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from upsim.errors import ArgumentError, ShapeError, TooLargeError
from upsim.layers.base import Activation, LinearLayer, Normalisation
from upsim.layers.merging import Merging
from upsim.network.graph import Graph
from upsim.network.node import Node
from upsim.network.walk import walk
from upsim.theory.reports.lengths import accepts, period_of_lengths
from upsim.theory.reports.sight import FAR, Counts, Sight, sight
from upsim.words.arguments import LARGEST_COUNT, refuse_beyond_memory, whole_number

#: Lengths that are tried for a run that a network takes.
_MOST_TRIED = 2**16


@dataclass(frozen=True)
class InputReach:
    """How far the output looks at one input.

    Parameters
    ----------
    name : str
    sample_rate : Fraction
        Of the input, in Hz.
    left, right : int
        Frames of this input before and behind a stretch of frames that their output looks at.
    past, future : Fraction
        In frames: how far before its own time, and behind it, an output sample looks at most.
    """

    name: str
    sample_rate: Fraction
    left: int
    right: int
    past: Fraction
    future: Fraction


@dataclass(frozen=True)
class Reach:
    """How far a network looks, and the overlap of exact chunks.

    Parameters
    ----------
    inputs : tuple of InputReach
    step : int
        Frames of the first input after which the network repeats itself: chunks start at
        multiples of it.
    endless : tuple of str
        Normalisations with statistics over the whole signal: no context is enough for them.
    unknown : tuple of str
        Opaque nodes: what they look at is not known.
    """

    inputs: tuple[InputReach, ...]
    step: int
    endless: tuple[str, ...]
    unknown: tuple[str, ...]

    def frames(self, graph: Graph) -> tuple[int, int]:
        """Return left and right in frames of the first input, whatever input they are of."""
        rate = graph.input_rate
        left = max(-(-each.left * rate // each.sample_rate) for each in self.inputs)
        right = max(-(-each.right * rate // each.sample_rate) for each in self.inputs)
        return int(left), int(right)


class Overlap(NamedTuple):
    """Frames of the first input that are fed before and behind a chunk."""

    left: int
    right: int


def find_reach(graph: Graph) -> Reach:
    """Return how far the output of a network looks at each of its inputs; no weight is needed."""
    step = period_of_lengths(graph)
    seen = Sights(graph)
    inputs = []
    for number, each in enumerate(graph.inputs):
        rate = graph.input_rates[number]
        count = int(step * rate / graph.input_rate)
        refuse_beyond_memory(8 * count, "the frames of one repetition", fix="simpler rates")
        frames = np.arange(count, dtype=np.int64)
        far = np.full(count, FAR)
        starts = [
            (frames, frames) if other == number else (-far, far)
            for other in range(len(graph.inputs))
        ]
        known, until = walk(graph, starts, seen.cut)[graph.end]
        inputs.append(_of_input(each.name, rate, graph.sample_rate / rate, frames, known, until))
    return Reach(tuple(inputs), step, seen.endless, seen.unknown)


def _of_input(
    name: str, rate: Fraction, ratio: Fraction, frames: Counts, known: Counts, until: Counts
) -> InputReach:
    """Return the reach from what is known of the output for each place of the cut.

    Output sample ``n`` belongs to frame ``floor(n / r)``.  For inputs known from frame ``j`` on,
    the last unknown sample is ``n = known - 1``, and looks at frame ``j - 1`` or before.  Frames
    ``a`` and later have known outputs if ``a r > n``.  For inputs known up to frame ``j``, the
    first unknown sample is ``until``, and frames before ``b`` have known outputs if ``b r`` is no
    larger.
    """
    past, future, left, right = [Fraction(0)], [Fraction(0)], [0], [0]
    for frame, start, end in zip(frames.tolist(), known.tolist(), until.tolist(), strict=True):
        if start > -FAR:
            past.append((start - 1) / ratio - (frame - 1))
            left.append((start - 1) // ratio + 1 - frame)
        if end < FAR:
            future.append(frame - end / ratio)
            right.append(frame - end // ratio)
    return InputReach(name, rate, max(left), max(right), max(past), max(future))


class Sights:
    """The rules that carry cuts through a network; each layer is asked once what it sees."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._known: dict[str, Sight] = {}
        others = [
            node
            for node in graph.nodes
            if not isinstance(node.layer, LinearLayer | Activation | Merging)
        ]
        self.endless = tuple(n.title for n in others if isinstance(n.layer, Normalisation))
        self.unknown = tuple(n.title for n in others if not isinstance(n.layer, Normalisation))

    def cut(self, node: Node, given: Sequence[tuple[Counts, Counts]]) -> tuple[Counts, Counts]:
        """Return from and up to which sample a node's output is known, on the infinite line."""
        known = np.max([each[0] for each in given], axis=0)
        until = np.min([each[1] for each in given], axis=0)
        if not isinstance(node.layer, LinearLayer):
            # What it looks at is nothing, or not known; an opaque node may have another rate.
            rate = node.layer.rate
            start = -(-known * rate.numerator // rate.denominator)
            end = until * rate.numerator // rate.denominator
            return np.where(known <= -FAR, -FAR, start), np.where(until >= FAR, FAR, end)
        if node.name not in self._known:
            channels = self._graph.value_channels[node.inputs[0]]
            self._known[node.name] = sight(node.layer, channels)
        seen = self._known[node.name]
        return seen.known_from(known), seen.known_until(until)

    def run(
        self, node: Node, given: Sequence[tuple[Counts, Counts, Counts]]
    ) -> tuple[Counts, Counts, Counts]:
        """Return the same for finite runs, and the samples that the node makes.

        A run that stops holds the whole value from its sample 0 on, and no sample behind its end.
        """
        known, until = self.cut(node, [each[:2] for each in given])
        length = given[0][2]
        if not isinstance(node.layer, Merging):
            length = node.layer.length_rule().of_many(length)
        return np.maximum(known, 0), np.minimum(until, length), length


def find_overlap(graph: Graph, reach: Reach, chunk: int) -> Overlap | None:
    """Return the least overlap with which a chunk, run by itself, equals the whole.

    The run is as long as the network takes, and starts at a multiple of ``reach.step``.  None
    where no such run was found.
    """
    seen, step = Sights(graph), reach.step
    # A chunk's end is a multiple of the step, so it needs less than any frame may.
    right = max(reach.frames(graph)[1] - step, 0)
    count = max(2 * step, 64)
    left = _whole_steps(_known_after(graph, seen, chunk), step)
    while count <= _MOST_TRIED:
        behind = np.arange(right, right + count, dtype=np.int64)
        totals = left + chunk + behind
        known, until = _run(graph, seen, totals)
        from_, upto = int(left * graph.rate), int((left + chunk) * graph.rate)
        found = np.flatnonzero(accepts(graph, totals) & (known <= from_) & (until >= upto))
        if found.size:
            return Overlap(left, int(behind[found[0]]))
        right, count = right + count, 2 * count
    return None


def nearest_run(graph: Graph, before: int, chunk: int, behind: int) -> int | None:
    """Return the frames behind a chunk, ``behind`` or more, whose run a network takes.

    The output of the run reaches to the chunk's end.
    """
    count = max(2 * period_of_lengths(graph), 64)
    tried = np.arange(behind, behind + count, dtype=np.int64)
    totals = before + chunk + tried
    start = [_lengths_of(graph, number, totals) for number in range(len(graph.inputs))]

    def after(node: Node, given: Sequence[Counts]) -> Counts:
        if isinstance(node.layer, Merging):
            return given[0]
        return node.layer.length_rule().of_many(given[0])

    made = walk(graph, start, after)[graph.end]
    needed = int((before + chunk) * graph.rate)
    fits = np.flatnonzero(accepts(graph, totals) & (made >= needed))
    return int(tried[fits[0]]) if fits.size else None


def _known_after(graph: Graph, seen: Sights, chunk: int) -> int:
    """Return the frames after which the left end is not seen any more, for a long run."""
    # A run that is long enough: its right end is of no matter to the left one.
    known, _ = _run(graph, seen, np.array([chunk + period_of_lengths(graph)], dtype=np.int64))
    return int(-(-int(known[0]) // graph.rate))


def _run(graph: Graph, seen: Sights, totals: Counts) -> tuple[Counts, Counts]:
    nothing = np.zeros_like(totals)
    starts = []
    for number in range(len(graph.inputs)):
        length = _lengths_of(graph, number, totals)
        starts.append((nothing, length, length))
    known, until, _ = walk(graph, starts, seen.run)[graph.end]
    return known, until


def _lengths_of(graph: Graph, number: int, totals: Counts) -> Counts:
    ratio = graph.input_rates[number] / graph.input_rate
    return np.asarray(totals * ratio.numerator // ratio.denominator)


def _whole_steps(frames: int, step: int) -> int:
    return -(-frames // step) * step


def checked_chunk(graph: Graph, chunk: object, step: int) -> int:
    """Return a chunk if chunks of this size can follow each other."""
    count = whole_number(chunk, "chunk", most=LARGEST_COUNT)
    if count % step:
        below, above = count // step * step, _whole_steps(count, step)
        near = [str(each) for each in (below, above) if each]
        raise ArgumentError(
            "the network repeats itself after several frames, and chunks start where it does",
            given=f"chunk={count}",
            expected=f"a multiple of {step}",
            fix=f"chunk={' or chunk='.join(near)}",
        )
    if count * max(graph.value_rates) / graph.input_rate >= FAR:
        raise TooLargeError("the chunk is too long", given=f"chunk={count}", fix="chunk=4096")
    return count


def refuse_no_run(graph: Graph, chunk: int) -> ShapeError:
    """Return the error for a chunk around which no run fits."""
    return ShapeError(
        "no run around a chunk of this size fits the network",
        given=f"chunk={chunk}",
        fix=f"upsim.lengths(graph, {chunk}), which says what does not fit",
        where=graph.summary(),
    )
