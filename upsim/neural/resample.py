"""Resampling as the libraries do it: for each output phase a kernel over its neighbours.

Output ``new b + i`` looks at the samples from ``old b + begin`` on, with the begin and the kernel
of its phase ``i``.  SciPy's resampler is asked itself; BigVGAN's filters are padded and correlated.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, gcd, pi
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upsim.errors import ShapeError
from upsim.layers.resample import PARAMETERS, Resample
from upsim.neural.convolution import correlate
from upsim.neural.padding import pad
from upsim.neural.precision import Signal, like
from upsim.neural.registry import register

Kernels = NDArray[np.float64]
Begins = NDArray[np.intp]


def parameter(layer: Resample, name: str) -> Any:
    """Return what the layer says, or else the library's default."""
    value = getattr(layer, name)
    return PARAMETERS[layer.like][name] if value is None else value


def rates(layer: Resample) -> tuple[int, int]:
    """Return the old and the new rate without their common divisor."""
    return layer.old // gcd(layer.old, layer.new), layer.new // gcd(layer.old, layer.new)


def sinc_kernels(
    old: int, new: int, zeros: int, rolloff: float, window: Callable[[Kernels], Kernels]
) -> tuple[Kernels, Begins]:
    """Return a windowed sinc for each phase, (new, neighbours), and its first neighbours.

    Phase ``i`` stands at ``i / new`` seconds, neighbour ``j`` at ``j / old``.
    """
    cutoff = min(old, new) * rolloff
    reach = ceil(zeros * old / cutoff)
    phases = np.arange(new)
    begins = phases * old // new - reach
    neighbours = begins[:, None] + np.arange(2 * reach + 2)
    # j / old - i / new, its numerator in whole numbers.
    apart = neighbours * new - phases[:, None] * old
    crossings = apart * (cutoff / (old * new))
    outside = np.abs(crossings) >= zeros
    angle = np.where(crossings == 0, 1.0, pi * crossings)
    sinc = np.where(crossings == 0, 1.0, np.sin(angle) / angle)
    kernels = sinc * window(np.clip(crossings / zeros, -1, 1))
    return np.where(outside, 0.0, kernels), begins


def hann(share: Kernels) -> Kernels:
    """Return the Hann window at a share of its half-width."""
    return 0.5 + 0.5 * np.cos(pi * share)


def phase_kernels(layer: Resample) -> tuple[Kernels, Begins]:
    """Return the kernels of julius or torchaudio, (new, neighbours), and where they begin."""
    from scipy.special import i0

    old, new = rates(layer)
    rolloff = parameter(layer, "rolloff")
    if layer.like == "julius":
        kernels, begins = sinc_kernels(old, new, parameter(layer, "zeros"), rolloff, hann)
        return kernels / kernels.sum(axis=1, keepdims=True), begins
    given = parameter(layer, "beta")
    beta = 14.769656459379492 if given is None else given
    is_hann = parameter(layer, "resampling_method") == "sinc_interp_hann"

    def kaiser(share: Kernels) -> Kernels:
        return np.asarray(i0(beta * np.sqrt(1 - share * share)) / i0(beta))

    zeros = parameter(layer, "lowpass_filter_width")
    kernels, begins = sinc_kernels(old, new, zeros, rolloff, hann if is_hann else kaiser)
    return kernels * (min(old, new) * rolloff / old), begins


def alias_free_filter(ratio: int, taps: int) -> Kernels:
    """Return BigVGAN's low-pass: a sinc of cutoff 0.5 / ratio under a Kaiser window, sum 1."""
    from scipy.signal import kaiser_beta
    from scipy.signal.windows import kaiser

    half = taps // 2
    attenuation = 2.285 * (half - 1) * pi * 2.4 / ratio + 7.95
    moments = np.arange(taps) - (taps - 1) / 2 if taps % 2 == 0 else np.arange(taps) - half
    shape = kaiser(taps, kaiser_beta(attenuation), sym=True) * np.sinc(moments / ratio) / ratio
    return np.asarray(shape / shape.sum())


def every_kernel(layer: Resample) -> tuple[Kernels, Begins]:
    """Return the kernels of any library by phase, (new, neighbours), and where they begin."""
    old, new = rates(layer)
    if layer.like in ("julius", "torchaudio"):
        return phase_kernels(layer)
    if layer.like == "bigvgan":
        ratio = max(old, new)
        count = 6 * ratio // 2 * 2 if layer.kernel_size is None else layer.kernel_size
        taps = alias_free_filter(ratio, count) * new
        centre = (count - ratio) // 2 if old == 1 else count // 2
    elif layer.like == "denoiser":
        between = middle_kernel(parameter(layer, "zeros"))
        taps = np.zeros(2 * between.size - 1)
        taps[::2], taps[between.size - 1] = between / old, 1 / old
        centre = between.size - 1
    else:
        window = parameter(layer, "window")
        if isinstance(window, np.ndarray):
            taps, centre = window * new, (window.size - 1) // 2
        else:
            from scipy.signal import firwin

            largest = max(old, new)
            centre = 10 * largest
            taps = firwin(2 * centre + 1, 1 / largest, window=window) * new
    # Phase i looks at neighbour j by the tap i old - j new + centre.
    phases = np.arange(new)
    begins = -(-(phases * old + centre - (taps.size - 1)) // new)
    neighbours = begins[:, None] + np.arange(-(-taps.size // new))
    places = phases[:, None] * old - neighbours * new + centre
    inside = (places >= 0) & (places < taps.size)
    return np.where(inside, taps[np.where(inside, places, 0)], 0.0), begins


def middle_kernel(zeros: int) -> Kernels:
    """Return the weights of the neighbours of a place in the middle between two samples."""
    away = np.arange(-zeros + 0.5, zeros) * pi
    window = np.sin(pi * np.arange(1, 4 * zeros, 2) / (4 * zeros)) ** 2
    return np.asarray(np.sin(away) / away * window)


@register(Resample)
def resample(layer: Resample, samples: Signal) -> Signal:
    """Resample as the library does that the layer is like."""
    old, new = rates(layer)
    if old == new:
        return samples.copy()
    length = samples.shape[-1]
    if layer.like == "scipy":
        return _by_scipy(layer, samples, old, new)
    if layer.like == "denoiser":
        return _by_halves(layer, samples, new)
    if layer.like == "bigvgan":
        return _alias_free(layer, samples, old, new)
    held = layer.like == "julius"
    count = new * length // old if held else -(-new * length // old)
    if not count:
        raise ShapeError(
            "no sample is left",
            given=f"{length} samples, from rate {old} to {new}",
            fix="use a longer input",
        )
    kernels, begins = phase_kernels(layer)
    blocks, phases = np.divmod(np.arange(count), new)
    made = np.zeros((*samples.shape[:2], count), samples.dtype)
    for neighbour, weights in enumerate(like(samples, kernels).T):
        index = blocks * old + begins[phases] + neighbour
        seen = samples[..., np.clip(index, 0, length - 1)] * weights[phases]
        # julius holds the end samples, torchaudio sees zeros.
        made += seen if held else np.where((index >= 0) & (index < length), seen, 0)
    return made


def _by_scipy(layer: Resample, samples: Signal, old: int, new: int) -> Signal:
    from scipy.signal import resample_poly

    window: Any = parameter(layer, "window")
    if isinstance(window, np.ndarray):
        window = like(samples, window)
    padtype = parameter(layer, "padtype")
    made = resample_poly(samples, new, old, axis=-1, window=window, padtype=padtype)
    return np.asarray(made, dtype=samples.dtype)


def _alias_free(layer: Resample, samples: Signal, old: int, new: int) -> Signal:
    """Hold the ends and correlate; on the way up write zeros between the samples first."""
    ratio = max(old, new)
    taps = 6 * ratio // 2 * 2 if layer.kernel_size is None else layer.kernel_size
    kernel = like(samples, alias_free_filter(ratio, taps))[None, None]
    batch, channels, length = samples.shape
    if new == 1:
        left = taps // 2 - (1 - taps % 2)
        held = pad(samples, left, taps // 2, "replicate")
        made = correlate(held.reshape(batch * channels, 1, -1), kernel, stride=ratio)
        return made.reshape(batch, channels, -1)
    more = max(taps // ratio - 1, 0)
    held = pad(samples, more, more, "replicate")
    spaced = np.zeros((batch * channels, 1, held.shape[-1] * ratio - ratio + 1), samples.dtype)
    spaced[..., ::ratio] = held.reshape(batch * channels, 1, -1) * ratio
    full = correlate(pad(spaced, taps - 1, taps - 1, "zeros"), kernel[..., ::-1])
    begin = more * ratio + (taps - ratio) // 2
    end = more * ratio + (taps - ratio + 1) // 2
    return full[..., begin : full.shape[-1] - end].reshape(batch, channels, length * ratio)


def _by_halves(layer: Resample, samples: Signal, new: int) -> Signal:
    """Weave in the samples in the middle, or add the odd samples to the even ones."""
    zeros = parameter(layer, "zeros")
    kernel = like(samples, middle_kernel(zeros))[None, None]

    def between(values: Signal) -> Signal:
        alone = values.reshape(-1, 1, values.shape[-1])
        made = correlate(pad(alone, zeros, zeros, "zeros"), kernel)
        return made.reshape(*values.shape[:-1], -1)

    if new == 2:
        return np.stack([samples, between(samples)[..., 1:]], axis=-1).reshape(
            *samples.shape[:-1], -1
        )
    even = pad(samples, 0, samples.shape[-1] % 2, "zeros")
    return (even[..., ::2] + between(even[..., 1::2])[..., :-1]) * like(samples, 0.5)
