"""``context``: how far a network looks, which overlap is exact, what a shorter one costs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from upsim.answer.context import ChunkError, Context
from upsim.errors import NotPredictableError, TooLargeError
from upsim.network.graph import Graph, needs_network
from upsim.neural.run import run_to_end
from upsim.theory.reports.context import (
    Overlap,
    Reach,
    checked_chunk,
    find_overlap,
    find_reach,
    nearest_run,
    refuse_no_run,
)
from upsim.theory.reports.seams import Rows, difference, is_affine, run_rows
from upsim.words.arguments import (
    LARGEST_SEED,
    on_or_off,
    refuse_beyond_memory,
    whole_number,
)
from upsim.words.progress import Progress, told
from upsim.words.units import counted

Array = NDArray[np.float64]

#: Contexts between none and enough for which the error is given.
_POINTS = 12

#: Runs of the witness over which an error is averaged.
_RUNS = 4

#: Contexts beyond what the taps ask for, where statistics of the whole signal matter: so many
#: times chunk and context on each side are "the whole".
_WHOLE = 4


def context(
    graph: Graph,
    chunk: int | None = None,
    *,
    errors: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
) -> Context:
    """Say how far a network looks, and how to run it in chunks.

    Parameters
    ----------
    graph : Stack or Graph
        Weights are looked at only for ``errors``.
    chunk : int, optional
        Frames of the first input in a chunk: the answer then has the safe overlap.
    errors : bool
        Also the error of a chunk with less context, against the whole.  In closed form where the
        network is linear, otherwise measured by the NumPy witness on white noise of power 1.
        Without ``chunk``, a chunk as long as the context is taken.
    seed : int
        Of the noise.
    progress : callable, optional
        Called with the part that is done, 0 to 1, and what comes next.

    Returns
    -------
    Context

    Examples
    --------
    >>> from upsim import Conv, Stack, TransposedConv
    >>> layers = [Conv(1, 1, 7, padding=3), TransposedConv(1, 1, 16, 8, padding=4)]
    >>> context(Stack(layers, sample_rate=16000), chunk=32)
    stack: 2 layers, 1 to 1 channels, 2 kHz to 16 kHz
    context: 4 frames of 2 kHz before, 4 behind
    lookahead 3.5 frames (28 output samples, 1.75 ms); delay 0.4375 frames (3.5 output samples, \
0.2188 ms)
    chunk of 32: feed 4 before and 4 behind, keep 256 output samples from 32 on: equals the whole
    """
    graph = needs_network(graph, "context")
    errors = on_or_off(errors, "errors")
    seed = whole_number(seed, "seed", least=0, most=LARGEST_SEED)
    tell = told(progress)
    reach = find_reach(graph)
    left, right = reach.frames(graph)
    if chunk is not None:
        chunk = checked_chunk(graph, chunk, reach.step)
    elif errors:
        chunk = _least_chunk(left + right, reach.step)
    overlap = None
    if chunk is not None:
        overlap = find_overlap(graph, reach, chunk)
        if overlap is None:
            raise refuse_no_run(graph, chunk)
    found: tuple[ChunkError, ...] = ()
    how = ""
    if errors:
        assert chunk is not None
        assert overlap is not None
        if not graph.is_drawn:
            raise NotPredictableError(
                "the error of a chunk is that of one network, whose weights are drawn",
                given="a network with open weights",
                fix="upsim.context(graph.draw(seed=0), errors=True)",
            )
        found, how = _Seams(graph, reach, chunk, overlap, seed, tell).errors()
    return Context(
        graph.summary(),
        graph.input_rate,
        graph.sample_rate,
        reach.inputs,
        left,
        right,
        reach.step,
        reach.endless,
        reach.unknown,
        chunk,
        overlap,
        found,
        how,
    )


def _least_chunk(frames: int, step: int) -> int:
    return -(-max(frames, 1) // step) * step


class _Seams:
    """Finds the errors of one network's chunks.

    Where the ends are seen for some frames only, the middle of a chunk has no error, and a chunk
    no longer than what is seen tells all.
    """

    def __init__(
        self,
        graph: Graph,
        reach: Reach,
        chunk: int,
        overlap: Overlap,
        seed: int,
        tell: Progress,
    ) -> None:
        self.graph, self.reach, self.chunk, self.seed, self.tell = graph, reach, chunk, seed, tell
        self.bounded = not reach.endless and not reach.unknown
        self.short = chunk
        self.whole = overlap
        if self.bounded:
            least = _least_chunk(sum(overlap), reach.step)
            shorter = find_overlap(graph, reach, least) if least < chunk else None
            if shorter is not None:
                self.short, self.whole = least, shorter
        else:
            side = _least_chunk(_WHOLE * (chunk + max(overlap)), reach.step)
            behind = nearest_run(graph, side, chunk, side)
            if behind is None:
                raise refuse_no_run(graph, chunk)
            self.whole = Overlap(side, behind)

    def errors(self) -> tuple[tuple[ChunkError, ...], str]:
        """Return the errors for contexts from none to enough, and how they were found."""
        if is_affine(self.graph):
            try:
                return tuple(self._exact()), "exact"
            except TooLargeError:
                pass  # too many rows for a closed form: runs will do
        against = "" if self.bounded else f" against {max(self.whole)} frames a side"
        return tuple(self._measured()), f"measured{against}"

    def _contexts(self) -> list[tuple[int, Overlap]]:
        """Return the contexts that are tried, and what is fed for each; the last is enough."""
        most, found = max(self.whole), dict[Overlap, int]()
        for each in np.unique(np.rint(np.linspace(0, most, _POINTS + 1)).astype(int)).tolist():
            step = self.reach.step
            before = min(-(-each // step) * step, self.whole.left)
            behind = nearest_run(self.graph, before, self.short, min(each, self.whole.right))
            if behind is not None and each < most:
                found.setdefault(Overlap(before, min(behind, self.whole.right)), each)
        found.pop(self.whole, None)
        listed = [(context, fed) for fed, context in found.items()]
        # Without an end to what is seen, there is no context of which the error is known to be 0.
        return [*listed, (most, self.whole)] if self.bounded else listed

    def _place(self, fed: Overlap) -> tuple[int, int, int]:
        """Return the frames of a run, and the output samples of the chunk in it."""
        total = fed.left + self.short + fed.right
        start = int(fed.left * self.graph.rate)
        return total, start, start + int(self.short * self.graph.rate)

    def _exact(self) -> Sequence[ChunkError]:
        whole = run_rows(self.graph, *self._place(self.whole))
        reference = whole.power
        found = []
        listed = self._contexts()
        for number, (asked, fed) in enumerate(listed):
            self.tell(number / len(listed), f"context of {counted(asked, 'frame')}")
            powers, largest = self._differ(whole, fed)
            found.append(
                self._error(asked, fed, powers.reshape(1, -1), reference, float(largest.max()) ** 2)
            )
        return found

    def _differ(self, whole: Rows, fed: Overlap) -> tuple[Array, Array]:
        if fed == self.whole:
            return np.zeros(1), np.zeros(1)
        place = self._place(fed)
        frames = (self._place(self.whole)[0], place[0])
        return difference(
            self.graph, whole, run_rows(self.graph, *place), frames, self.whole.left - fed.left
        )

    def _measured(self) -> Sequence[ChunkError]:
        graph = self.graph
        total, start, stop = self._place(self.whole)
        lengths = graph.lengths(total)
        refuse_beyond_memory(
            2 * sum(c * n for c, n in zip(graph.value_channels, lengths, strict=True)),
            "the runs of a chunk",
            fix="a smaller chunk",
        )
        listed = self._contexts()
        sums: list[list[Array]] = [[] for _ in listed]
        reference = 0.0
        for turn in range(_RUNS):
            rng = np.random.default_rng([self.seed, turn])
            inputs = [
                rng.standard_normal((each.channels, lengths[number]))
                for number, each in enumerate(graph.inputs)
            ]
            self.tell(turn / _RUNS, "the whole")
            whole = run_to_end(graph, [each[None] for each in inputs])[0, :, start:stop]
            reference += float((whole**2).mean()) / _RUNS
            for number, (asked, fed) in enumerate(listed):
                if fed == self.whole:
                    sums[number].append(np.zeros(1))
                    continue
                part = (turn + number / len(listed)) / _RUNS
                self.tell(part, f"context of {counted(asked, 'frame')}")
                sums[number].append(self._run(inputs, fed, np.asarray(whole, dtype=np.float64)))
        return [
            self._error(asked, fed, np.array(squares), reference, None)
            for (asked, fed), squares in zip(listed, sums, strict=True)
        ]

    def _run(self, inputs: Sequence[Array], fed: Overlap, whole: Array) -> Array:
        """Return the square of the error at each output sample of a run."""
        total, start, stop = self._place(fed)
        first = self.whole.left - fed.left
        cut = []
        for number, samples in enumerate(inputs):
            ratio = self.graph.input_rates[number] / self.graph.input_rate
            low, high = int(first * ratio), int((first + total) * ratio)
            cut.append(samples[None, :, low:high])
        made = run_to_end(self.graph, cut)[0, :, start:stop]
        return np.asarray(np.square(made - whole)).ravel()

    def _error(
        self, asked: int, fed: Overlap, squares: Array, reference: float, largest: float | None
    ) -> ChunkError:
        """Return the record; squares are (runs, samples) of the short chunk."""
        if not reference:
            return ChunkError(asked, *fed, 0.0, 0.0, None if largest is None else 0.0, 0.0)
        relative = squares / reference
        # What the short chunk has at its ends is all that the long one has.
        means = relative.mean(axis=1) * self.short / self.chunk
        count = len(means)
        deviation = float(means.std(ddof=1) / np.sqrt(count)) if count > 1 else 0.0
        return ChunkError(
            asked,
            *fed,
            float(means.mean()),
            float(relative.mean(axis=0).max()),
            None if largest is None else largest / reference,
            deviation,
        )
