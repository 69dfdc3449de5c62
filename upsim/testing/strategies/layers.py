"""Layers of every kind in the catalogue, each for a given number of input channels."""

from __future__ import annotations

from collections.abc import Callable, Collection

from hypothesis import strategies as st

from upsim.layers import CATALOGUE
from upsim.layers.base import Activation, Branch, Layer, LinearLayer
from upsim.testing.strategies import branches, normalisations, opaque, plain, pointwise, weighted

#: For each layer of the catalogue, a function from input channels to a strategy of such layers.
STRATEGIES: dict[str, Callable[[int], st.SearchStrategy[Layer]]] = {
    "Conv": weighted.convs,
    "TransposedConv": weighted.transposed_convs,
    "SubpixelConv": weighted.subpixel_convs,
    "LearnedInterpolation": weighted.learned_interpolations,
    **plain.STRATEGIES,
    **pointwise.STRATEGIES,
    **normalisations.STRATEGIES,
    "Residual": branches.residuals,
    "Parallel": branches.parallels,
    "Opaque": opaque.opaques,
}

#: Input channels must be a multiple of this.
_EVEN = frozenset({"HaarSynthesis", "LazyWaveletSynthesis", "GLU", "Gate", "InverseSTFT"})

#: The fewest channels, where one or two are not enough.
_FEWEST = {"InverseSTFT": 4}

#: Layers that make more samples of fewer.
_UPSAMPLERS = (
    "TransposedConv",
    "Stretch",
    "Nearest",
    "Linear",
    "Cubic",
    "WindowedSinc",
    "LearnedInterpolation",
    "SubpixelConv",
    "PeriodicShuffle",
    "HaarSynthesis",
    "LazyWaveletSynthesis",
)


def _channels(name: str) -> st.SearchStrategy[int]:
    if name in _EVEN:
        return st.sampled_from([2, 4]).map(lambda count: max(count, _FEWEST.get(name, 1)))
    return st.sampled_from([1, 2, 4]) if name == "PeriodicShuffle" else st.integers(1, 2)


@st.composite
def layers_with_channels(
    draw: st.DrawFn,
    *,
    names: Collection[str] | None = None,
    channels: int | None = None,
) -> tuple[Layer, int]:
    """Pairs of a layer (weights drawn) and a number of input channels that it takes.

    Parameters
    ----------
    names : collection of str, optional
        Names of the catalogue; all of them by default.
    channels : int, optional
        Fix the input channels.
    """
    wanted = sorted(STRATEGIES if names is None else names)
    if channels is not None and channels % 2:
        wanted = [name for name in wanted if name not in _EVEN]
    if channels is not None:
        wanted = [name for name in wanted if channels >= _FEWEST.get(name, 1)]
    name = draw(st.sampled_from(wanted))
    count = draw(_channels(name)) if channels is None else channels
    return draw(STRATEGIES[name](count)), count


def layers(
    *, names: Collection[str] | None = None, channels: int | None = None
) -> st.SearchStrategy[Layer]:
    """Layers of the catalogue, weights drawn.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(layers(names=["Nearest"]), lambda layer: layer.factor > 1)
    Nearest(2)
    """
    return layers_with_channels(names=names, channels=channels).map(lambda pair: pair[0])


def linear_layers(*, channels: int | None = None) -> st.SearchStrategy[Layer]:
    """Linear layers of the catalogue (branches left out)."""
    names = [name for name, kind in CATALOGUE.items() if issubclass(kind, LinearLayer)]
    return layers(names=names, channels=channels)


def upsamplers(*, channels: int | None = None) -> st.SearchStrategy[Layer]:
    """Layers that raise the rate: a stretch by L (1 now and then) and a filter."""
    return layers(names=_UPSAMPLERS, channels=channels)


def activations(*, channels: int | None = None) -> st.SearchStrategy[Layer]:
    """Activations of the catalogue."""
    names = [name for name, kind in CATALOGUE.items() if issubclass(kind, Activation)]
    return layers(names=names, channels=channels)


def branched(*, channels: int | None = None) -> st.SearchStrategy[Layer]:
    """Residual and Parallel layers, nested now and then."""
    names = [name for name, kind in CATALOGUE.items() if issubclass(kind, Branch)]
    return layers(names=names, channels=channels)
