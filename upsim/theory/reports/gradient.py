r"""The loss side: which lines a critic of strided convolutions puts into its gradient.

The gradient of a strided convolution is the transposed convolution of the same taps.  So on the way
back layer ``l`` of a critic is an upsampler, and an offset of its gradient leaves lines on the
multiples of :math:`F/(s_1 \cdots s_l)`, with ``F`` the rate of the audio and ``s`` the strides
(Odena, Dumoulin & Olah, *Deconvolution and checkerboard artifacts*, Distill 2016; Pons et al.,
arXiv 2010.14356, section 2.3).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import log10, pi, prod, sin, sqrt
from typing import cast

import numpy as np

from upsim.errors import NotPredictableError
from upsim.layers import Conv, Crop, Decimate, LeakyReLU, PReLU, ReLU, Stretch, TransposedConv
from upsim.layers.base import Branch, Layer
from upsim.layers.convolution import Weight, WeightedLayer
from upsim.layers.merging import Merging
from upsim.network.graph import Graph, needs_network
from upsim.network.stack import Stack
from upsim.network.weights import Initialisation, Normal
from upsim.words.arguments import whole_number


@dataclass(frozen=True)
class GradientLine:
    """A line of the mean gradient with respect to a critic's input.

    Parameters
    ----------
    frequency : Fraction
        In Hz.
    layer, name : str
        The strided layer that makes it of an offset: the first that can, from the input on.
    factor : float
        What phase shuffle leaves of its amplitude: 1 without.
    """

    frequency: Fraction
    layer: str
    name: str
    factor: float

    @property
    def attenuation(self) -> float:
        """The factor in dB, 0 or less; minus infinity where the line is cancelled."""
        return 20 * log10(abs(self.factor)) if self.factor else float("-inf")


def phase_shuffle_factor(radius: int, turns: Fraction) -> float:
    r"""Return what random shifts by up to ``n`` samples either way leave of the mean of a line.

    .. math:: \frac{1}{2n+1} \sum_{d=-n}^{n} e^{-j 2\pi f d}
              = \frac{\sin((2n+1)\pi f)}{(2n+1) \sin \pi f}

    Parameters
    ----------
    radius : int
        ``n``; all ``2 n + 1`` shifts are equally likely (Donahue et al., ICLR 2019).
    turns : Fraction
        ``f``, in cycles per sample at the place of the shuffle.

    Examples
    --------
    >>> round(20 * log10(abs(phase_shuffle_factor(2, Fraction(1, 4)))), 2)
    -13.98
    """
    count = 2 * whole_number(radius, "radius", least=0) + 1
    place = turns % 1
    if not place:
        return 1.0
    if not (count * place) % 1:
        return 0.0
    return sin(float(count * place) * pi) / (count * sin(float(place) * pi))


def gradient_lines(critic: Graph, *, phase_shuffle: int = 0) -> tuple[GradientLine, ...]:
    r"""Return the lines that a critic can put into the mean gradient of its input.

    Parameters
    ----------
    critic : Stack or Graph
        From audio down: strided convolutions in a chain.
    phase_shuffle : int, optional
        Radius of the shuffle behind each strided layer but the last, as in WaveGAN.

    Returns
    -------
    tuple of GradientLine
        From low to high frequencies, up to half the rate of the input.

    Notes
    -----
    A line that layer ``l`` makes passes the shuffles behind layers ``l - 1, ..., 1``, at the rates
    :math:`F_j = F/(s_1 \cdots s_j)`.  Their shifts are independent, so the factors multiply:
    :math:`\prod_{j<l} D_n(f/F_j)`.  What layer 1 makes passes none.

    Examples
    --------
    >>> from upsim.layers import Conv
    >>> critic = Stack([Conv(1, 8, 25, 4), Conv(8, 16, 25, 4)], sample_rate=1000)
    >>> for line in gradient_lines(critic, phase_shuffle=2)[:4]:
    ...     print(int(line.frequency), line.layer, round(line.attenuation, 2))
    1000 2 -13.98
    2000 2 -13.98
    3000 2 -13.98
    4000 1 0.0
    """
    radius = whole_number(phase_shuffle, "phase_shuffle", least=0)
    critic = _needs_chain(critic, "gradient_lines")
    rates = critic.rates()
    if any(after > before for before, after in pairwise(rates)):
        raise NotPredictableError(
            "a critic lowers the rate in each of its layers, or keeps it",
            given="a layer that raises the rate",
            fix="upsim.families(stack), for the lines of a generator",
        )
    strided = [number for number, part in enumerate(critic.parts, 1) if part.layer.rate < 1]
    if not strided:
        return ()
    shuffled = [rates[number] for number in strided[:-1]]
    spacing, found = rates[strided[-1]], []
    for multiple in range(1, int(critic.input_rate / (2 * spacing)) + 1):
        frequency = multiple * spacing
        depth = next(i for i, number in enumerate(strided) if not frequency % rates[number])
        factor = prod(phase_shuffle_factor(radius, frequency / rate) for rate in shuffled[:depth])
        number = strided[depth]
        found.append(
            GradientLine(frequency, critic.parts[number - 1].name, critic.label(number), factor)
        )
    return tuple(found)


def adjoint(critic: Graph) -> Stack:
    """Return the way back of the gradient through a critic, as a stack.

    Every layer in reverse: a convolution becomes the transposed convolution of the same taps, and
    the reverse.  Biases have no part in it.  Rectifiers are left out: over inputs for which they
    are open half of the time each scales the mean gradient by half the sum of its two slopes, all
    lines alike.  Undrawn weights stay undrawn, with the variance that the critic's layer gives
    them.  Lengths are those of inputs that leave no sample over.

    Parameters
    ----------
    critic : Stack or Graph
        A chain of convolutions, crops, decimations and rectifiers.

    Examples
    --------
    >>> from upsim.layers import LeakyReLU
    >>> critic = Stack([Conv(1, 8, 8, 4), LeakyReLU(0.2), Conv(8, 1, 8, 4)], sample_rate=1000)
    >>> back = adjoint(critic)
    >>> [type(layer).__name__ for layer in back], int(back.sample_rate)
    (['TransposedConv', 'TransposedConv'], 16000)
    """
    critic = _needs_chain(critic, "adjoint")
    layers: list[Layer] = []
    for number in reversed(range(1, len(critic) + 1)):
        layer = critic.parts[number - 1].layer
        kind = next((kind for kind in _REVERSED if isinstance(layer, kind)), None)
        if kind is None:
            raise NotPredictableError(
                "the gradient's way back through this layer is not one of upsim's layers",
                given=critic.label(number),
                expected=", ".join(kind.__name__ for kind in _REVERSED),
                fix="leave the layer out, or put a convolution in its place",
            )
        layers += _REVERSED[kind](layer)
    return Stack(
        layers or [Crop()],
        critic.input_rate,
        in_channels=critic.out_channels,
        name=f"gradient of {critic.name}" if critic.name else "",
    )


def _reversed_convolution(layer: Layer) -> list[Layer]:
    weighted = cast("Conv | TransposedConv", layer)
    sides = (weighted.out_channels, weighted.in_channels)
    cut: tuple[int, int] = weighted.pads if isinstance(weighted, Conv) else weighted.crop
    if isinstance(weighted, Conv) and weighted.padding_mode != "zeros":
        raise NotPredictableError(
            "only zeros have no gradient",
            given=f"padding_mode={weighted.padding_mode!r}",
            fix='padding_mode="zeros"',
        )
    kind = TransposedConv if isinstance(weighted, Conv) else Conv
    made = kind(
        *sides,
        weighted.kernel_size,
        weighted.stride,
        groups=weighted.groups,
        dilation=weighted.dilation,
        bias=False,
        weight=_same_taps(weighted),
    )
    if kind is TransposedConv:
        return [made, Crop(*cut)] if any(cut) else [made]
    return [Crop(-cut[0], -cut[1]), made] if any(cut) else [made]


def _same_taps(layer: WeightedLayer) -> Weight:
    """Return the array, which torch lays out alike both ways, or independent taps as strong."""
    if not isinstance(layer.weight, Initialisation) or not layer.weight.is_random:
        return layer.weight
    covariance = layer.weight.tap_covariance(layer._tap_shape())
    if np.any(covariance != covariance[0, 0] * np.eye(len(covariance))):
        raise NotPredictableError(
            "taps that depend on each other have no reversed initialisation",
            given=f"weight={layer.weight!r}",
            fix="critic.draw(seed=0)",
        )
    return Normal(std=sqrt(covariance[0, 0]))


def _reversed_decimation(layer: Layer) -> list[Layer]:
    decimation = cast("Decimate", layer)
    phase = decimation.phase
    made: list[Layer] = [Stretch(decimation.factor)]
    return [*made, Crop(-phase, phase)] if phase else made


def _reversed_crop(layer: Layer) -> list[Layer]:
    crop = cast("Crop", layer)
    return [Crop(-crop.left, -crop.right)]


def _left_out(_: Layer) -> list[Layer]:
    return []


_REVERSED: dict[type[Layer], Callable[[Layer], list[Layer]]] = {
    Conv: _reversed_convolution,
    TransposedConv: _reversed_convolution,
    Crop: _reversed_crop,
    Decimate: _reversed_decimation,
    ReLU: _left_out,
    LeakyReLU: _left_out,
    PReLU: _left_out,
}


def _needs_chain(critic: Graph, who: str) -> Graph:
    """Return a network whose parts follow each other without branches, or refuse it."""
    critic = needs_network(critic, who)
    for number, part in enumerate(critic.parts, 1):
        before = critic.parts[number - 2].name if number > 1 else critic.inputs[0].name
        if isinstance(part.layer, Branch | Merging) or part.reads != (before,):
            raise NotPredictableError(
                "a critic's gradient is followed through a chain of layers",
                given=critic.label(number),
                expected="no branches",
                fix="one branch as a stack of its own",
            )
    return critic
