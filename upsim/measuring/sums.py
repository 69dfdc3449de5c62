"""What is kept of a run: sums whose size does not depend on how long the run is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upsim.neural.backends import Backend
from upsim.theory.lines.explained import regressed

Real = NDArray[np.float64]


@dataclass(eq=False)
class OutputSums:
    """Sums over the circles of each batch, at the output.

    Parameters
    ----------
    counts : array (batches,)
        Circles in each.
    periods : array (batches, channels, period)
        Sums of the circles' mean periods.
    levels : array (batches, channels, F)
        Sums of their densities, one-sided.
    squares : array (batches, channels)
        Sums of their mean squares.
    """

    counts: Real
    periods: Real
    levels: Real
    squares: Real

    @classmethod
    def empty(cls, batches: int, channels: int, period: int, points: int) -> OutputSums:
        """Return sums of nothing."""
        return cls(
            np.zeros(batches),
            np.zeros((batches, channels, period)),
            np.zeros((batches, channels, points)),
            np.zeros((batches, channels)),
        )

    @property
    def circles(self) -> int:
        """All circles so far."""
        return int(self.counts.sum())

    def add(self, number: int, period: Real, level: Real, square: Real) -> None:
        """Add a circle; circle ``number`` is of batch ``number`` modulo them.

        Parameters
        ----------
        period : array (channels, period)
            Its mean period.
        level : array (channels, F)
            Its density, one-sided.
        square : array (channels,)
            Its mean square.
        """
        batch = number % self.counts.size
        self.counts[batch] += 1
        self.periods[batch] += period
        self.levels[batch] += level
        self.squares[batch] += square


@dataclass(eq=False)
class NodeSums:
    """Sums over circles at a node that is not linear.

    An output channel is compared with ``parts`` input channels: with its own, at a gate with that
    of each half.  Any gains explain a run exactly, so they are taken from some of its circles.

    Parameters
    ----------
    total : array (channels, period)
        Sum of the output over rows and periods.
    ones : array (parts, channels)
        Sums of the parts.
    gram : array (parts, parts, channels)
        Sums of products of the parts.
    cross : array (parts, channels)
        Sums of products of the parts and the output.
    after : array (channels,)
        Sum of the output over the same samples.
    counts : array (2,)
        Periods that were added to the total, and samples that the gains are of.
    """

    total: Real
    ones: Real
    gram: Real
    cross: Real
    after: Real
    counts: Real

    @classmethod
    def empty(cls, channels: int, parts: int, period: int) -> NodeSums:
        """Return sums of nothing."""
        return cls(
            np.zeros((channels, period)),
            np.zeros((parts, channels)),
            np.zeros((parts, parts, channels)),
            np.zeros((parts, channels)),
            np.zeros(channels),
            np.zeros(2),
        )

    @classmethod
    def of(cls, seen: Seen, total: Real, products: Sequence[Real], parts: int) -> NodeSums:
        """Return what was seen of a node in one run, its arrays fetched from the backend."""
        sums = cls.empty(len(total), parts, total.shape[1])
        sums.total += total
        sums.counts[0] = seen.periods
        if products:
            sums.after += total.sum(axis=1)
            sums.counts[1] = seen.periods * total.shape[1]
            found = iter(products)
            for i in range(parts):
                sums.ones[i] = next(found)[:, 0]
                sums.cross[i] = next(found)
                for j in range(i + 1):
                    sums.gram[i, j] = sums.gram[j, i] = next(found)
        return sums

    def join(self, other: NodeSums) -> None:
        """Add other sums."""
        for name in NODE_FIELDS:
            total = getattr(self, name)
            total += getattr(other, name)

    @property
    def mean(self) -> Real:
        """The mean of the output at each phase, (channels, period)."""
        return np.asarray(self.total / self.counts[0])

    def gains(self) -> Real:
        """Return the gain from each part, (parts, channels)."""
        return regressed(self.ones, self.gram, self.cross, self.after, float(self.counts[1]))


def fetched(seen: Mapping[str, Seen], backend: Backend) -> dict[str, NodeSums]:
    """Return what was seen of each node, all of it by one transfer."""
    arrays = backend.every(
        [each for node in seen.values() for each in (node.total, *node.products)]
    )
    rest, found = iter(arrays), {}
    for name, node in seen.items():
        total = next(rest)
        products = [next(rest) for _ in node.products]
        found[name] = NodeSums.of(node, total, products, node.parts)
    return found


NODE_FIELDS = ("total", "ones", "gram", "cross", "after", "counts")


@dataclass(frozen=True, eq=False)
class Seen:
    """What one run showed of a node, on the backend.

    Parameters
    ----------
    total : array (channels, period)
    periods : int
        Of which it is the sum.
    parts : int
    products : list
        For each part its sum, its product with the output, and those with the parts up to it.
    """

    total: Any
    periods: int
    parts: int
    products: list[Any]

    @classmethod
    def at(
        cls, backend: Backend, before: Any, after: Any, parts: int, period: int, *, gains: bool
    ) -> Seen:
        """Look at what a node was given and what it made, (rows, channels, time)."""
        rows, channels, time = after.shape
        turns = time // period
        products: list[Any] = []
        if gains:
            own = [before[:, i * channels : (i + 1) * channels] for i in range(parts)]
            for i, one in enumerate(own):
                products += [backend.folded(one, 1), backend.product(one, after)]
                products += [backend.product(one, other) for other in own[: i + 1]]
        return cls(backend.folded(after, period), rows * turns, parts, products)


@dataclass(eq=False)
class Sums:
    """All that is kept of a run."""

    output: OutputSums
    inputs: list[Real]
    nodes: Mapping[str, NodeSums] = field(default_factory=dict)

    def arrays(self) -> dict[str, Real]:
        """Return the arrays by name, as a file holds them."""
        found = {
            f"output.{name}": getattr(self.output, name)
            for name in ("counts", "periods", "levels", "squares")
        }
        found |= {f"input.{number}": each for number, each in enumerate(self.inputs)}
        for number, sums in enumerate(self.nodes.values()):
            for name in NODE_FIELDS:
                found[f"node.{number}.{name}"] = getattr(sums, name)
        return found

    def fill(self, arrays: Mapping[str, Real]) -> None:
        """Take the contents of a file; the shapes are those of these sums."""
        for name, own in self.arrays().items():
            if arrays[name].shape != own.shape:
                raise ValueError(name)
            own[...] = arrays[name]
