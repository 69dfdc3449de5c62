r"""Kernel images: a kernel whose taps are spread out passes its band again and again.

With taps ``d`` samples apart the response has the period ``rate / d``:

.. math:: H(f) = \sum_k h[k]\, e^{-j 2\pi f d k / F}, \qquad H(f + F / d) = H(f).

So what the kernel does about 0 Hz it does about every multiple of ``F / d`` too, mirrored just
below each.  A dilated convolution is made this way, and a kernel that was designed for ``F / d``
and is run at ``F``.  Its images are in the filter; the replicas of a stretch are in the signal.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from upsim.errors import NotPredictableError
from upsim.layers.base import LinearLayer
from upsim.network.graph import Graph
from upsim.operators import PolyphaseMatrix, StretchFIR
from upsim.operators.random_taps import ApartTaps, Part, RandomTaps


@dataclass(frozen=True)
class KernelImages:
    """The images of one layer's kernel.

    Parameters
    ----------
    layer, name : str
        Label; label and type.
    apart : int
        Samples from tap to tap, at the rate at which the kernel runs.
    spacing : Fraction
        In Hz: the response repeats itself after that much.
    frequencies : tuple of Fraction
        In Hz, up to half the kernel's rate: where the images of 0 Hz lie.
    """

    layer: str
    name: str
    apart: int
    spacing: Fraction
    frequencies: tuple[Fraction, ...]

    @property
    def bands(self) -> tuple[tuple[Fraction, Fraction], ...]:
        """Where each image's band lies in Hz, half the spacing to each side, up to half the rate.

        Below its middle the response from 0 Hz up is mirrored, above it is upright.
        """
        half, most = self.spacing / 2, self.apart * self.spacing / 2
        return tuple((each - half, min(each + half, most)) for each in self.frequencies)


def kernel_images(graph: Graph) -> tuple[KernelImages, ...]:
    """Return the kernel images of each layer that has some; no weight is drawn.

    Examples
    --------
    >>> from upsim.layers import Conv
    >>> from upsim.network.stack import Stack
    >>> (found,) = kernel_images(Stack([Conv(1, 1, 3, dilation=4)], 48000))
    >>> found.spacing, [int(each) for each in found.frequencies]
    (Fraction(12000, 1), [12000, 24000])
    """
    found = []
    for node in graph.nodes:
        if not isinstance(node.layer, LinearLayer):
            continue
        given = node.inputs[0]
        for part in _parts(node.layer, graph.value_channels[given]):
            places, factor = _taps(part)
            apart = int(np.gcd.reduce(np.diff(places), initial=0))
            if apart > 1:
                spacing = graph.value_rates[given] * factor / apart
                images = tuple(k * spacing for k in range(1, apart // 2 + 1))
                found.append(KernelImages(node.name, node.title, apart, spacing, images))
    return tuple(found)


def _parts(layer: LinearLayer, channels: int) -> tuple[Part, ...]:
    """Return a layer's parts; where their moments are not known, those of a draw: taps stay put."""
    try:
        return layer.in_expectation(channels)
    except NotPredictableError:
        return (layer.draw(np.random.default_rng(0)).operator(channels),)


def _taps(part: Part) -> tuple[NDArray[np.intp], int]:
    """Return where some pair of channels has a tap, and the factor that precedes the kernel."""
    if isinstance(part, StretchFIR):
        return part.positions[part.taps.any(axis=(0, 1))], part.factor
    if isinstance(part, RandomTaps):
        return part.positions[np.diagonal(part.tap_covariance) > 0], part.factor
    if isinstance(part, ApartTaps):
        return part.positions[np.diagonal(part.products) > 0], part.factor
    if isinstance(part, PolyphaseMatrix) and part.up == 1:
        # Every down-th sample of a kernel's output: block j looks at sample q of the block j
        # before, so its tap lies at j down - q.
        blocks, looks = np.nonzero(part.blocks.any(axis=(1, 2, 3)))
        return np.sort(blocks * part.down - looks), 1
    return np.zeros(0, dtype=np.intp), 1
