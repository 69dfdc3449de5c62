"""Linear layers without weights: interpolators, shuffles, wavelets, samples added, cut or kept."""

from __future__ import annotations

from collections.abc import Callable
from math import gcd

from hypothesis import strategies as st

from upsim.layers.base import Layer
from upsim.layers.channels import Scale, Select
from upsim.layers.interpolation import Cubic, Hold, Linear, Nearest, Stretch, WindowedSinc
from upsim.layers.inverse_stft import InverseSTFT
from upsim.layers.pqmf import PQMF
from upsim.layers.resample import METHODS, PADTYPES, Resample
from upsim.layers.samples import Bias, Crop, Decimate, Pad, Slice
from upsim.layers.subpixel import PeriodicShuffle
from upsim.layers.wavelet import HaarSynthesis, LazyWaveletSynthesis
from upsim.operators.edges import PADDING_MODES
from upsim.operators.kernels import WINDOWS
from upsim.testing.strategies.values import arrays, dyadics

_factors = st.integers(1, 4)


def _shuffles(channels: int) -> st.SearchStrategy[Layer]:
    divisors = [factor for factor in (1, 2, 4) if gcd(factor, channels) == factor]
    orders = st.sampled_from(["torch", "tensorflow"])
    return st.builds(PeriodicShuffle, st.sampled_from(divisors), orders)


def _biases(channels: int) -> st.SearchStrategy[Layer]:
    return st.builds(Bias, st.one_of(dyadics(), arrays((channels,))))


def _scales(channels: int) -> st.SearchStrategy[Layer]:
    numbers = st.one_of(dyadics(), arrays((channels,)))
    return st.builds(Scale, numbers, bias=st.one_of(st.just(0.0), numbers))


def _selections(channels: int) -> st.SearchStrategy[Layer]:
    # The last one is among them, so that no fewer channels would do.
    listed = st.lists(st.integers(0, channels - 1), max_size=3)
    return st.builds(lambda some: Select([*some, channels - 1]), listed)


@st.composite
def _decimations(draw: st.DrawFn, channels: int) -> Layer:
    del channels
    factor = draw(_factors)
    return Decimate(factor, draw(st.integers(0, factor - 1)))


def _banks(channels: int) -> st.SearchStrategy[Layer]:
    return st.builds(
        PQMF,
        st.just(channels),
        st.sampled_from([2, 8, 14]),
        st.sampled_from([0.142, 0.25, 0.5]),
        st.sampled_from([0.0, 9.0]),
    )


@st.composite
def _inverse_transforms(draw: st.DrawFn, channels: int) -> Layer:
    n_fft = draw(st.sampled_from([channels - 2, channels - 1]))
    window = draw(st.sampled_from(["hann", "hamming", "boxcar"]))
    # The first sample of a Hann window is zero: it must be cut.
    center = window == "hann" or draw(st.booleans())
    hop = draw(st.integers(1, n_fft // 2))
    trim = None if center else draw(st.sampled_from([None, 1]))
    return InverseSTFT(n_fft, hop, None, window, center, draw(st.booleans()), trim)


_rates = st.integers(1, 5)
_resamplers = st.one_of(
    st.builds(
        Resample,
        _rates,
        _rates,
        zeros=st.integers(1, 4),
        rolloff=st.sampled_from([0.75, 0.99, 1.0]),
    ),
    st.builds(
        Resample,
        _rates,
        _rates,
        st.just("scipy"),
        window=st.one_of(
            st.sampled_from(["hamming", ("kaiser", 5.0)]),
            st.lists(dyadics(), min_size=1, max_size=9),
        ),
        padtype=st.sampled_from(list(PADTYPES)),
    ),
    st.builds(
        Resample,
        _rates,
        _rates,
        st.just("torchaudio"),
        lowpass_filter_width=st.integers(1, 4),
        rolloff=st.sampled_from([0.75, 0.99]),
        resampling_method=st.sampled_from(METHODS),
        beta=st.sampled_from([None, 8.0]),
    ),
    st.builds(Resample, st.just(1), st.integers(1, 3), st.just("bigvgan")),
    st.builds(Resample, st.just(1), st.just(2), st.just("denoiser"), zeros=st.integers(1, 4)),
    st.builds(Resample, st.just(2), st.just(1), st.just("denoiser"), zeros=st.integers(1, 4)),
    st.builds(
        Resample, st.integers(2, 3), st.just(1), st.just("bigvgan"), kernel_size=st.integers(6, 9)
    ),
)

_interpolators: dict[str, st.SearchStrategy[Layer]] = {
    "Stretch": st.builds(Stretch, _factors),
    "Nearest": st.builds(Nearest, _factors),
    "Linear": st.builds(Linear, _factors, st.sampled_from(["half-pixel", "triangle"])),
    "Cubic": st.builds(Cubic, _factors, st.sampled_from([-0.75, -0.5])),
    "WindowedSinc": st.builds(
        WindowedSinc,
        _factors,
        st.integers(1, 3),
        st.sampled_from([0.75, 0.945, 1.0]),
        st.sampled_from(WINDOWS),
    ),
    "Resample": _resamplers,
    "HaarSynthesis": st.builds(HaarSynthesis),
    "LazyWaveletSynthesis": st.builds(LazyWaveletSynthesis),
    "Hold": st.builds(Hold, _factors, st.integers(1, 3)),
    "Crop": st.builds(Crop, st.integers(-2, 3), st.integers(-2, 3)),
    "Pad": st.builds(Pad, st.integers(0, 2), st.integers(0, 2), st.sampled_from(PADDING_MODES)),
    "Slice": st.builds(
        Slice,
        st.one_of(st.none(), st.integers(0, 3)),
        st.one_of(st.none(), st.integers(-3, -1)),
        _factors,
    ),
}


def _any_channels(strategy: st.SearchStrategy[Layer]) -> Callable[[int], st.SearchStrategy[Layer]]:
    return lambda channels: strategy  # noqa: ARG005 - each channel by itself


STRATEGIES: dict[str, Callable[[int], st.SearchStrategy[Layer]]] = {
    **{name: _any_channels(strategy) for name, strategy in _interpolators.items()},
    "PeriodicShuffle": _shuffles,
    "PQMF": _banks,
    "InverseSTFT": _inverse_transforms,
    "Bias": _biases,
    "Scale": _scales,
    "Select": _selections,
    "Decimate": _decimations,
}
