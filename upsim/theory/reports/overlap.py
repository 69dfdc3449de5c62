"""Overlap: how evenly the copies of a kernel cover the output."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from upsim.layers.base import LinearLayer
from upsim.network.graph import Graph
from upsim.operators import StretchFIR
from upsim.words.arguments import LARGEST_LINES, whole_number
from upsim.words.frozen import frozen


@dataclass(frozen=True)
class OnesLine:
    """A line that an all-ones kernel makes of a constant.

    Parameters
    ----------
    fraction : Fraction
        Of the layer's output rate.
    ratio : float
        Amplitude over that of the constant; 0 where the line is structurally absent.
    """

    fraction: Fraction
    ratio: float


@dataclass(frozen=True, eq=False)
class Overlap:
    """How a kernel of K taps covers an output of stride L.

    Parameters
    ----------
    kind : str
        "none" (each output sees one tap), "partial" (some see more than others), "full" (all see
        the same number, more than one), "gaps" (some see none).
    counts : tuple of int
        Taps in each phase.
    lines : tuple of OnesLine
        What an all-ones kernel would make of a constant, for k = 1 … L // 2.
    """

    kernel_size: int
    stride: int
    dilation: int
    kind: str
    counts: tuple[int, ...]
    lines: tuple[OnesLine, ...]


def overlap(kernel_size: int, stride: int, *, dilation: int = 1) -> Overlap:
    r"""Classify the overlap of a kernel, and predict what an all-ones kernel would do.

    With ``K = m L + r``, ``r`` phases see ``m + 1`` taps and ``L - r`` see ``m``.  A line of the
    all-ones kernel has

    .. math:: \frac{|a_k|}{a_0} = \left|\frac{\sin(\pi k K / L)}{K \sin(\pi k / L)}\right|,

    zero for every ``k`` exactly when ``L`` divides ``K`` (the geometric sum of ``K`` turns of
    ``k / L``; with dilation ``d``, ``k`` becomes ``k d``).

    Examples
    --------
    >>> report = overlap(8, 6)
    >>> report.kind, [round(float(line.ratio), 4) for line in report.lines]
    ('partial', [0.2165, 0.125, 0.0])
    """
    kernel_size = whole_number(kernel_size, "kernel_size")
    stride = whole_number(stride, "stride", most=LARGEST_LINES)
    dilation = whole_number(dilation, "dilation")
    counts = np.zeros(stride, dtype=np.int64)
    phases, repeats = np.unique((np.arange(kernel_size) * dilation) % stride, return_counts=True)
    counts[phases] = repeats
    if counts.min() == 0:
        kind = "gaps"
    elif counts.max() != counts.min():
        kind = "partial"
    else:
        kind = "none" if counts[0] == 1 else "full"
    lines = tuple(
        OnesLine(Fraction(k, stride), _ones_ratio(kernel_size, stride, k * dilation))
        for k in range(1, stride // 2 + 1)
    )
    return Overlap(kernel_size, stride, dilation, kind, tuple(map(int, counts)), lines)


def _ones_ratio(kernel_size: int, stride: int, turns: int) -> float:
    if turns % stride == 0:
        return 1.0
    if (turns * kernel_size) % stride == 0:
        return 0.0  # exactly: the kernel makes whole turns
    return float(
        abs(np.sin(np.pi * turns * kernel_size / stride))
        / (kernel_size * abs(np.sin(np.pi * turns / stride)))
    )


@dataclass(frozen=True, eq=False)
class LayerOverlap:
    """The overlap of one upsampling layer of a stack, and what its weights make of it.

    Parameters
    ----------
    layer, name : str
    overlap : Overlap
    phase_gains : array (out, in, L)
    phase_powers : array (out, in, L)
    gain_spread : float
        Largest difference of two phase gains of one channel pair, over the largest phase gain.
    """

    layer: str
    name: str
    overlap: Overlap
    phase_gains: NDArray[np.float64]
    phase_powers: NDArray[np.float64]

    @property
    def gain_spread(self) -> float:
        """Return 0 where no offset makes a tone in this layer."""
        largest = float(np.abs(self.phase_gains).max())
        return float(np.ptp(self.phase_gains, axis=2).max()) / largest if largest else 0.0


def overlap_report(graph: Graph) -> tuple[LayerOverlap, ...]:
    """Return the overlap of each upsampling layer of a network with drawn weights."""
    found = []
    for node, operator in zip(graph.nodes, graph.operators, strict=True):
        if isinstance(operator, StretchFIR) and operator.factor > 1:
            assert isinstance(node.layer, LinearLayer)
            taps, dilation = node.layer.taps_by_phase(operator)
            found.append(
                LayerOverlap(
                    node.name,
                    node.title,
                    overlap(taps, operator.factor, dilation=dilation),
                    frozen(operator.phase_gains()),
                    frozen(operator.phase_powers()),
                )
            )
    return tuple(found)
