"""What is kept of a run: sums whose size does not depend on how long the run is."""

from __future__ import annotations

from collections.abc import Mapping
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

    def add(self, number: int, samples: Real, bands: NDArray[np.intp], rate: float) -> None:
        """Add a circle (channels, time); circle ``number`` is of batch ``number`` modulo them.

        A circle of :math:`N` samples has the one-sided density :math:`2 |X_k|^2 / (N F)`.
        """
        batch = number % self.counts.size
        channels, count = samples.shape
        period = self.periods.shape[2]
        self.counts[batch] += 1
        self.periods[batch] += samples.reshape(channels, -1, period).mean(axis=1)
        self.squares[batch] += np.square(samples).mean(axis=1)
        spectrum = np.fft.rfft(samples, axis=1)
        power = (spectrum.real**2 + spectrum.imag**2) * (2 / (count * rate))
        inside = bands >= 0
        points = self.levels.shape[2]
        sizes = np.bincount(bands[inside], minlength=points)
        for channel, row in enumerate(power):
            band = np.bincount(bands[inside], row[inside], minlength=points)
            self.levels[batch, channel] += band / sizes


@dataclass(eq=False)
class NodeSums:
    """Sums over all circles at a node that is not linear.

    An output channel is compared with ``parts`` input channels: with its own, at a gate with that
    of each half.

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
    samples : float
        Samples of a channel that were added.
    """

    total: Real
    ones: Real
    gram: Real
    cross: Real
    samples: float = 0.0

    @classmethod
    def empty(cls, channels: int, parts: int, period: int) -> NodeSums:
        """Return sums of nothing."""
        return cls(
            np.zeros((channels, period)),
            np.zeros((parts, channels)),
            np.zeros((parts, parts, channels)),
            np.zeros((parts, channels)),
        )

    def zeros(self) -> NodeSums:
        """Return sums of nothing, of the same shapes."""
        return NodeSums.empty(len(self.total), len(self.ones), self.total.shape[1])

    def join(self, other: NodeSums) -> None:
        """Add other sums."""
        for name in ("total", "ones", "gram", "cross"):
            total = getattr(self, name)
            total += getattr(other, name)
        self.samples += other.samples

    def add(self, backend: Backend, before: Any, after: Any) -> None:
        """Add what a node was given and what it made, (rows, channels, time) of the backend."""
        channels, period = self.total.shape
        parts = [before[:, i * channels : (i + 1) * channels] for i in range(len(self.ones))]
        self.total += backend.folded(after, period)
        self.samples += after.shape[0] * after.shape[2]
        for i, one in enumerate(parts):
            self.ones[i] += backend.folded(one, 1)[:, 0]
            self.cross[i] += backend.product(one, after)
            for j, other in enumerate(parts[: i + 1]):
                self.gram[i, j] += backend.product(one, other)
                self.gram[j, i] = self.gram[i, j]

    @property
    def mean(self) -> Real:
        """The mean of the output at each phase, (channels, period)."""
        return np.asarray(self.total * (self.total.shape[1] / self.samples))

    def gains(self) -> Real:
        """Return the gain from each part, (parts, channels)."""
        after = self.total.sum(axis=1)
        return regressed(self.ones, self.gram, self.cross, after, self.samples)


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
            for name in ("total", "ones", "gram", "cross"):
                found[f"node.{number}.{name}"] = getattr(sums, name)
            found[f"node.{number}.samples"] = np.array(sums.samples)
        return found

    def fill(self, arrays: Mapping[str, Real]) -> None:
        """Take the contents of a file; the shapes are those of these sums."""
        for name, own in self.arrays().items():
            if arrays[name].shape != own.shape:
                raise ValueError(name)
            own[...] = arrays[name]
        for number, sums in enumerate(self.nodes.values()):
            sums.samples = float(arrays[f"node.{number}.samples"])
