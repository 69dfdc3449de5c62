"""Deep stacks: 10 to 60 layers of up to 16 channels that neither explode nor fade.

Sums of many layers are not exact in floating point, whatever the numbers.  So the weights here are
Gaussian, scaled to keep the level of their input, and a law on deep stacks measures its rounding.
Each layer is made from its kind and a seed: examples shrink by losing layers.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import sqrt

import numpy as np
from hypothesis import strategies as st

from upsim.layers.activations import ELU, GELU, LeakyReLU, ReLU, SiLU, Snake, Tanh
from upsim.layers.base import Layer
from upsim.layers.branches import Parallel, Residual
from upsim.layers.convolution import Conv, TransposedConv
from upsim.layers.interpolation import Linear, Nearest
from upsim.layers.normalisation import BatchNorm, GroupNorm, InstanceNorm, LayerNorm
from upsim.layers.samples import Decimate
from upsim.network.stack import Stack
from upsim.testing.strategies.values import Array

Maker = Callable[[np.random.Generator, int, int], Layer]

#: The rate of a deep stack stays between 1 / _SLOWEST and _FASTEST.
_FASTEST, _SLOWEST = 8, 4


def _weights(rng: np.random.Generator, shape: tuple[int, ...], fan: float) -> Array:
    return rng.standard_normal(shape) / sqrt(fan)


def _conv(rng: np.random.Generator, channels: int, out: int, gain: float = 1.0) -> Conv:
    count, dilation = int(rng.choice([1, 3, 5, 7])), int(rng.choice([1, 1, 2, 3]))
    groups = int(rng.choice([1, 1, 2, channels])) if channels == out and channels % 2 == 0 else 1
    inward = channels // groups
    bias = 0.2 * rng.standard_normal(out) if rng.random() < 0.5 else False
    weight = gain * _weights(rng, (out, inward, count), inward * count)
    reach = dilation * (count // 2)
    return Conv(
        channels, out, count, 1, reach, dilation=dilation, groups=groups, bias=bias, weight=weight
    )


def _changing(rng: np.random.Generator, channels: int, most: int) -> Layer:
    out = [each for each in (1, 2, 3, 4, 8, 16) if each <= most]
    return _conv(rng, channels, int(rng.choice(out)))


def _keeping(rng: np.random.Generator, channels: int, most: int) -> Layer:  # noqa: ARG001
    return _conv(rng, channels, channels)


def _activation(rng: np.random.Generator, channels: int, most: int) -> Layer:  # noqa: ARG001
    plain = (ReLU(), LeakyReLU(0.1), ELU(), GELU(), SiLU(), Snake(1.0), Tanh())
    return plain[rng.integers(len(plain))]


def _normalisation(rng: np.random.Generator, channels: int, most: int) -> Layer:  # noqa: ARG001
    bias = 0.2 * rng.standard_normal(channels)
    choices: list[Layer] = [GroupNorm(1, channels, bias=bias)]
    choices.append(InstanceNorm(channels, affine=True, bias=bias))
    if channels > 2:
        choices.append(LayerNorm(channels, bias=bias))
    return choices[rng.integers(len(choices))]


def _batch_norm(rng: np.random.Generator, channels: int, most: int) -> Layer:  # noqa: ARG001
    return BatchNorm(channels, bias=0.2 * rng.standard_normal(channels))


def _up(rng: np.random.Generator, channels: int, most: int) -> Layer:  # noqa: ARG001
    count = int(rng.choice([2, 4, 5]))
    weight = _weights(rng, (channels, channels, count), channels * count / 2)
    learned = TransposedConv(
        channels, channels, count, 2, (count - 2) // 2, bias=False, weight=weight
    )
    return (learned, Nearest(2), Linear(2))[rng.integers(3)]


def _down(rng: np.random.Generator, channels: int, most: int) -> Layer:  # noqa: ARG001
    weight = _weights(rng, (channels, channels, 4), 4 * channels)
    strided = Conv(channels, channels, 4, 2, 1, bias=False, weight=weight)
    return strided if rng.random() < 0.5 else Decimate(2, int(rng.integers(2)))


def _body(rng: np.random.Generator, channels: int, makers: tuple[Maker, ...]) -> list[Layer]:
    return [makers[rng.integers(len(makers))](rng, channels, channels) for _ in range(2)]


def _residual(makers: tuple[Maker, ...]) -> Maker:
    def make(rng: np.random.Generator, channels: int, most: int) -> Layer:  # noqa: ARG001
        # half of a body's level, so that sixty of them do not add up to an explosion
        return Residual(*_body(rng, channels, makers), _conv(rng, channels, channels, 0.5))

    return make


def _parallel(makers: tuple[Maker, ...]) -> Maker:
    def make(rng: np.random.Generator, channels: int, most: int) -> Layer:  # noqa: ARG001
        return Parallel(*(_body(rng, channels, makers) for _ in range(3)), merge="mean")

    return make


def _kinds(*, linear: bool) -> dict[str, Maker]:
    inside: tuple[Maker, ...] = (_keeping,) if linear else (_keeping, _activation)
    inside += (_residual(inside),)
    kinds = {
        "convolution": _changing,
        "residual": _residual(inside),
        "parallel": _parallel(inside),
        "up": _up,
        "down": _down,
        "fixed normalisation": _batch_norm,
    }
    if not linear:
        kinds |= {"activation": _activation, "normalisation": _normalisation}
    return kinds


@st.composite
def deep_stacks(
    draw: st.DrawFn,
    *,
    linear: bool = True,
    shortest: int = 10,
    longest: int = 60,
    most_channels: int = 16,
) -> Stack:
    """Stacks of ``shortest`` to ``longest`` layers: residuals, branches, normalisations, strides.

    Parameters
    ----------
    linear : bool
        Whether all layers are linear; otherwise activations and normalisations are among them.
    shortest, longest : int
        Layers.
    most_channels : int

    Examples
    --------
    >>> from hypothesis import find
    >>> find(deep_stacks(shortest=2, longest=3, most_channels=1), lambda stack: True).in_channels
    1
    """
    kinds = _kinds(linear=linear)
    depth = draw(st.integers(shortest, longest))
    pairs = st.tuples(st.sampled_from(list(kinds)), st.integers(0, 2**16))
    channels = first = draw(st.sampled_from([n for n in (1, 2, 4, 8, 16) if n <= most_channels]))
    rate = Fraction(1)
    found: list[Layer] = []
    for kind, seed in draw(st.lists(pairs, min_size=depth, max_size=depth)):
        rng = np.random.default_rng(seed)
        layer = kinds[kind](rng, channels, most_channels)
        after = rate * layer.rate
        if not Fraction(1, _SLOWEST) <= after <= _FASTEST:
            layer = _keeping(rng, channels, most_channels)
        found.append(layer)
        channels, rate = layer.channels_out(channels), rate * layer.rate
    return Stack(found, 16000, in_channels=first)
