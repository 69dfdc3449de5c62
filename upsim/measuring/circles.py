"""Runs circles of a network on a backend, value by value, and adds to the sums."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from math import lcm
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upsim.errors import NotPredictableError, ShapeError
from upsim.layers.base import Unmodelled
from upsim.measuring.plan import Plan, bands
from upsim.measuring.seam import Seam
from upsim.measuring.sums import NodeSums, OutputSums, Seen, Sums, fetched
from upsim.network.draws import Draws
from upsim.network.node import Node
from upsim.network.walk import walk
from upsim.neural.backends import Backend
from upsim.theory.moments import DeterministicMoments
from upsim.verification.witness import LONGEST, TURNS, Circle
from upsim.words.tolerance import probable

Real = NDArray[np.float64]


class Circles:
    """Runs circles by their number; a number always has the same noise.

    Parameters
    ----------
    plan : Plan
    draws : sequence of Draws
        Of each input.
    starts : sequence of DeterministicMoments
        The lines of each input over the common period.
    backend : Backend
    grid : array (F,)
        Of the density, in Hz.
    batches, seed : int
    """

    def __init__(
        self,
        plan: Plan,
        draws: Sequence[Draws],
        starts: Sequence[DeterministicMoments],
        backend: Backend,
        grid: Real,
        batches: int,
        seed: int,
    ) -> None:
        graph = self.graph = plan.graph
        self.plan, self.backend, self.seed, self.batches = plan, backend, seed, batches
        self._draws, self._starts = draws, starts
        self._bands = bands(plan, grid)
        self._ready: tuple[range, list[Real]] | None = None
        self._circles: dict[str, Circle | Seam] = {}
        self._operators = {
            node.output: operator
            for node, operator in zip(graph.nodes, graph.operators, strict=True)
        }
        nodes = {}
        for node in graph.nodes:
            if self._operators[node.output] is None and not node.merging:
                channels = graph.value_channels[node.output]
                parts = graph.value_channels[node.inputs[0]] // channels
                parts = 0 if isinstance(node.layer, Unmodelled) else parts
                nodes[node.name] = NodeSums.empty(channels, parts, plan.periods[node.output])
        self.sums = Sums(
            OutputSums.empty(batches, graph.out_channels, plan.period, grid.size),
            [np.zeros_like(start.period) for start in starts],
            nodes,
        )

    @property
    def done(self) -> int:
        """Circles that were run."""
        return self.sums.output.circles

    def run(self, count: int) -> None:
        """Run the next circles, side by side."""
        numbers = range(self.done, self.done + count)
        ready, self._ready = self._ready, None
        fed = ready[1] if ready is not None and ready[0] == numbers else self._fed(numbers)
        # Everything is worked out and added before it counts: an interruption leaves whole circles.
        seen: dict[str, Seen] = {}
        with self.backend.running():
            end = self._values(fed, seen)
            if self.backend.runs_apart:
                # While the device works: what the next run is fed, most likely.
                following = range(numbers.stop, numbers.stop + count)
                self._ready = (following, self._fed(following))
            period, points = self.plan.period, self.sums.output.levels.shape[2]
            found = (
                self.backend.periods(end, period),
                self.backend.bands(end, self._bands, points),
                self.backend.squares(end),
            )
            own = fetched(seen, self.backend)
        self._add(numbers, fed, own, found)

    def _fed(self, numbers: range) -> list[Real]:
        """Return each input of some circles, (rows, channels, time)."""
        found = []
        for number, (draw, start) in enumerate(zip(self._draws, self._starts, strict=True)):
            lines = np.tile(start.period, self.plan.turns)
            rows = [draw(np.random.default_rng([self.seed, each, number])) for each in numbers]
            found.append(np.stack(rows) + lines)
        return found

    def _add(
        self,
        numbers: range,
        fed: Sequence[Real],
        own: dict[str, NodeSums],
        found: tuple[Real, Real, Real],
    ) -> None:
        sums = deepcopy(self.sums)
        for number, samples in enumerate(fed):
            rows, channels, _ = samples.shape
            folded = samples.reshape(rows, channels, self.plan.turns, -1)
            sums.inputs[number] += folded.mean(axis=2).sum(axis=0)
        for name, each in sums.nodes.items():
            each.join(own[name])
        periods, powers, squares = found
        # A circle of N samples at the rate F has the one-sided density 2 |X_k|^2 / (N F).
        count, rate = self.plan.length(self.graph.end), float(self.graph.sample_rate)
        levels = powers * (2 / (count * rate))
        for number, *row in zip(numbers, periods, levels, squares, strict=True):
            sums.output.add(number, *row)
        self.sums = sums

    def _values(self, fed: Sequence[Real], seen: dict[str, Seen]) -> Any:
        """Return the output of circles (rows, channels, time), on the backend."""
        backend = self.backend

        def rule(node: Node, given: Sequence[Any]) -> Any:
            if node.merging:
                return backend.merged(node.merging, given)
            if self._operators[node.output] is not None:
                return self._linear(node, given[0])
            if isinstance(node.layer, Unmodelled):
                made = self._settled(node, given[0])
            else:
                made = backend.layer(node.layer, given[0])
            sums = self.sums.nodes[node.name]
            parts, period = len(sums.ones), sums.total.shape[1]
            # The first round of circles gives the gains.
            first = self.done < self.batches
            seen[node.name] = Seen.at(backend, given[0], made, parts, period, gains=first)
            return made

        starts = [backend.array(each) for each in fed]
        return walk(self.graph, starts, rule, forget=backend.array(np.zeros((0, 0, 0))))[
            self.graph.end
        ]

    def _linear(self, node: Node, value: Any) -> Any:
        """Return what a linear layer makes of circles."""
        backend, circle = self.backend, self._circles.get(node.name)
        if circle is None:
            operator, given = self._operators[node.output], self.plan.length(node.inputs[0])
            assert operator is not None
            circle = Seam.of(operator, node.layer, given)
            circle = circle or Circle.of(operator, node.layer, given)
            self._circles[node.name] = circle
        if isinstance(circle, Seam):
            return circle.run(backend, node.layer, value)
        while True:
            try:
                made = backend.layer(node.layer, backend.turned(value, circle.start, circle.length))
                break
            except (ShapeError, RuntimeError):
                # A reflection asks for more samples than the layer's taps.
                circle = circle.longer()
                if circle.length > LONGEST:
                    raise
        self._circles[node.name] = circle
        return backend.turned(made, circle.begin, circle.count)

    def _settled(self, node: Node, value: Any) -> Any:
        """Return what a node without a formula makes of circles: fed again and again."""
        up, down = node.layer.block
        count = value.shape[2]
        whole = lcm(count, down)
        span = whole // down * up
        before: Real | None = None
        for turns in TURNS:
            made = self.backend.layer(node.layer, self.backend.turned(value, 0, whole * turns))
            kept = self.backend.turned(made, (turns - 1) // 2 * span, span)
            found = self.backend.numpy(kept)
            least = probable(found[0].size, 1.0) * np.abs(found).max(initial=0.0)
            least *= self.backend.epsilon / np.finfo(np.float64).eps
            if before is not None and np.abs(found - before).max(initial=0.0) <= least:
                return kept
            before = found
        raise NotPredictableError(
            "an opaque node does not settle",
            given=f"{TURNS[-1]} turns of {count} samples",
            expected="a function that forgets",
            where=node.title,
        )
