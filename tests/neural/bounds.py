"""How far two right runs of a chain may differ: an error analysis, layer by layer.

A bound holds the largest size that a sample can have and the largest distance between two
computations.  A linear layer with weights ``w`` and bias ``b`` makes of them

    size'     = sum |w| size + |b|
    distance' = sum |w| distance + rounding(operations, size')

and an activation with Lipschitz constant ``p`` makes ``p distance + rounding(...)``.  Every
``rounding`` is :func:`upsim.words.tolerance.rounding`; what stands here counts operations and
sums terms.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import singledispatch
from math import ceil, log, pi, sqrt

import numpy as np

from upsim.layers import (
    ELU,
    GELU,
    GLU,
    PQMF,
    BatchNorm,
    Bias,
    Clamp,
    Conv,
    Crop,
    Cubic,
    Decimate,
    Gate,
    GroupNorm,
    HaarSynthesis,
    Hold,
    InstanceNorm,
    InverseSTFT,
    Layer,
    LayerNorm,
    LazyWaveletSynthesis,
    LeakyReLU,
    LearnedInterpolation,
    Linear,
    Nearest,
    Opaque,
    Pad,
    Parallel,
    PeriodicShuffle,
    Pointwise,
    PReLU,
    ReLU,
    Resample,
    Residual,
    Scale,
    Select,
    Sigmoid,
    SiLU,
    Sin,
    Slice,
    Snake,
    SnakeBeta,
    Softmax,
    Softplus,
    Stretch,
    SubpixelConv,
    Tanh,
    TransposedConv,
    WeightNorm,
    WindowedSinc,
)
from upsim.words.tolerance import rounding

# exp, tanh, sin, erf: the libraries promise 4 ulp = 8 units of rounding; 8 more for what is around
# the call, whose arguments are rounded where the function is flat enough: |v f'(v)| < 1 for all.
ELEMENTARY = 16


@dataclass(frozen=True)
class Bound:
    size: float
    distance: float
    dtype: type
    length: int  # of the longest signal so far: interpolation places are rounded in proportion

    def linear(self, gain: float, terms: int, *, bias: float = 0.0) -> "Bound":
        """Products and additions of ``terms`` terms, each weight and the bias rounded once."""
        size = gain * self.size + bias
        made = gain * self.distance + rounding(2 * terms + 2, size, self.dtype)
        return Bound(size, made, self.dtype, self.length)

    def pointwise(self, slope: float, size: float, operations: int = ELEMENTARY) -> "Bound":
        made = slope * self.distance + rounding(operations, size, self.dtype)
        return Bound(size, made, self.dtype, self.length)


def bound_of(layers: Iterable[Layer], samples: np.ndarray, dtype: type, *, longest: int) -> Bound:
    """Return the bound at the end of a chain; the samples are rounded to ``dtype`` once."""
    size = float(np.abs(samples).max())
    found = Bound(size, rounding(1, size, dtype), dtype, longest)
    for layer in layers:
        found = through(layer, found)
    return found


def difference(first: np.ndarray, second: np.ndarray, bound: Bound) -> str:
    """Return what is wrong with two arrays that should agree; empty if nothing is."""
    if first.shape != second.shape:
        return f"shapes {first.shape} and {second.shape}"
    apart = float(np.abs(first.astype(np.float64) - second).max())
    return "" if apart <= bound.distance else f"{apart} apart, at most {bound.distance} is rounding"


@singledispatch
def through(layer: Layer, bound: Bound) -> Bound:
    raise NotImplementedError(type(layer).__name__)


@through.register(Stretch)
@through.register(Nearest)
@through.register(Crop)
@through.register(Pad)
@through.register(Select)
@through.register(Decimate)
@through.register(Slice)
@through.register(PeriodicShuffle)
@through.register(LazyWaveletSynthesis)
@through.register(ReLU)
def _copies(_: Layer, bound: Bound) -> Bound:
    return bound


@through.register(Opaque)
def _opaque(layer: Opaque, bound: Bound) -> Bound:
    # A Leaky: a tanh of slope 1 at most, and errors that its memory keeps.
    return bound.pointwise(1 / (1 - abs(layer.run.memory)), 1.0)


@through.register(Conv)
@through.register(SubpixelConv)
def _conv(layer: Conv, bound: Bound) -> Bound:
    weight = np.abs(layer.weight_array())
    return bound.linear(weight.sum((1, 2)).max(), weight[0].size, bias=_bias(layer))


@through.register(TransposedConv)
def _transposed(layer: TransposedConv, bound: Bound) -> Bound:
    weight = np.abs(layer.weight_array())
    grouped = weight.reshape(layer.groups, -1, *weight.shape[1:])
    gain = grouped.sum((1, 3)).max()
    return bound.linear(gain, grouped.shape[1] * layer.kernel_size, bias=_bias(layer))


def _bias(layer: Conv) -> float:
    bias = layer.bias_array()
    return 0.0 if bias is None else float(np.abs(bias).max())


@through.register(Linear)
def _linear(_: Layer, bound: Bound) -> Bound:
    # torch rounds a place of up to `length` three times (1/L, product, -1/2), and a place that is
    # off by e moves the output by at most e (|left| + |right|) = 2 e size.
    return bound.linear(1.0, 2 + 3 * bound.length)


@through.register(Cubic)
def _cubic(layer: Cubic, bound: Bound) -> Bound:
    a = abs(layer.a)
    # The far weight is a (t - 1) (t - 2)^2 in size, at most 4/27 |a| on [1, 2]; the four sum to 1,
    # so the near ones are at most 1 + 8/27 |a| together.
    gain = 1 + 16 / 27 * a
    # Written out, a far weight sums |a| (8 + 20 + 16 + 4), a near one |a + 2| + |a + 3| + 1.
    terms = 4 * max(48 * a, 2 * a + 6)
    # Their slopes over the place: |a| for a far one (at t = 1); a near one has its largest at
    # t = 1 too, or at (a + 3) / (3 (a + 2)), where it is (a + 3)^2 / (3 (a + 2)).
    slopes = 2 * a + 2 * max(a, (layer.a + 3) ** 2 / (3 * abs(layer.a + 2)))
    made = gain * bound.distance + sum(
        rounding(operations, scale * bound.size, bound.dtype)
        for operations, scale in ((8, terms), (3 * bound.length, slopes))
    )
    return Bound(gain * bound.size, made, bound.dtype, bound.length)


@through.register(WindowedSinc)
def _sinc(layer: WindowedSinc, bound: Bound) -> Bound:
    terms = int(2 * layer.zeros / layer.rolloff) + 3
    # |sinc t| <= min(1, 1 / (pi |t|)), so the sizes sum to at most 2 + (2 / pi) (1 + log zeros)
    # over the density 1 / rolloff; a phase's sum is at least half of that density.
    gain = 2 * (2 + 2 / pi * (1 + log(layer.zeros)))
    # A weight and the sum that divides it each see an elementary function and their own terms.
    made = gain * bound.distance + rounding(
        2 * terms + 2 * ELEMENTARY, 2 * terms * bound.size, bound.dtype
    )
    return Bound(gain * bound.size, made, bound.dtype, bound.length)


@through.register(Resample)
def _resample(layer: Resample, bound: Bound) -> Bound:
    taps, _ = layer.kernel()
    up, down = layer.ratio
    # The taps of one phase, in size, and how many; each is made of few elementary functions of an
    # angle of up to pi zeros, which is rounded, and divided by a sum of as many terms.
    terms = -(-taps.size // up)
    gain = float(np.bincount(np.arange(taps.size) % up, np.abs(taps)).max())
    most = float(np.abs(taps).max())
    crossings = ceil(terms / max(1, down / up))
    made = gain * bound.distance + rounding(
        2 * terms + 4 * ELEMENTARY + 4 * crossings, 2 * terms * most * bound.size, bound.dtype
    )
    return Bound(gain * bound.size, made, bound.dtype, bound.length)


@through.register(LearnedInterpolation)
def _learned(_: Layer, bound: Bound) -> Bound:
    return bound.linear(1.0, 2 + ELEMENTARY)


@through.register(Hold)
def _hold(layer: Hold, bound: Bound) -> Bound:
    for _ in range(layer.order):
        bound = bound.linear(1.0, layer.factor)
    return bound


@through.register(HaarSynthesis)
def _haar(_: Layer, bound: Bound) -> Bound:
    return bound.linear(sqrt(2), 2)


@through.register(PQMF)
def _bank(layer: PQMF, bound: Bound) -> Bound:
    place = np.arange(layer.taps + 1) - layer.taps / 2
    envelope = np.kaiser(layer.taps + 1, layer.beta) * layer.cutoff_ratio
    envelope *= np.abs(np.sinc(layer.cutoff_ratio * place)) * 2 * layer.subbands
    gain = layer.subbands * np.bincount(np.arange(layer.taps + 1) % layer.subbands, envelope).max()
    # The angles of the cosines are rounded in proportion to them.
    angle = ceil(np.pi * layer.taps / 2)
    return bound.linear(gain, layer.taps * layer.subbands + ELEMENTARY + angle)


@through.register(InverseSTFT)
def _inverse(layer: InverseSTFT, bound: Bound) -> Bound:
    window = layer.window_array()
    covered = []
    for frames in range(2, 8):
        squares = np.zeros((frames - 1) * layer.hop + layer.n_fft)
        for frame in range(frames):
            squares[frame * layer.hop : frame * layer.hop + layer.n_fft] += window**2
        covered.append(squares[layer.cut : squares.size - layer.cut].min())
    # A frame is at most the mean of both parts' sizes over all bins, in size.
    frame = 2 * window.max() * (sqrt(layer.n_fft) if layer.normalized else 1.0)
    overlaps = -(-layer.n_fft // layer.hop)
    return bound.linear(frame * overlaps / min(covered), layer.n_fft + overlaps + ELEMENTARY)


@through.register(Bias)
def _add(layer: Bias, bound: Bound) -> Bound:
    return bound.linear(1.0, 1, bias=float(np.abs(layer.bias).max()))


@through.register(Scale)
def _scale(layer: Scale, bound: Bound) -> Bound:
    gain, bias = (float(np.abs(each).max()) for each in (layer.scale, layer.bias))
    return bound.linear(gain, 1, bias=bias)


@through.register(Residual)
@through.register(Parallel)
def _branches(layer: Residual, bound: Bound) -> Bound:
    ends = []
    for part in layer.parts:
        end = bound
        for inner in part:
            end = through(inner, end)
        ends.append(end)
    if layer.merging == "concatenate":
        size, distance = max(end.size for end in ends), max(end.distance for end in ends)
        return Bound(size, distance, bound.dtype, bound.length)
    size, distance = sum(end.size for end in ends), sum(end.distance for end in ends)
    made = distance + rounding(len(ends) + 1, size, bound.dtype)
    # A mean is the sum, divided: bounded by the sum.
    return Bound(size, made, bound.dtype, bound.length)


@through.register(LeakyReLU)
def _leaky(layer: LeakyReLU, bound: Bound) -> Bound:
    slope = max(1.0, abs(layer.negative_slope))
    return bound.pointwise(slope, slope * bound.size, 2)


@through.register(PReLU)
def _prelu(layer: PReLU, bound: Bound) -> Bound:
    slope = max(1.0, float(np.abs(layer.slopes()).max()))
    return bound.pointwise(slope, slope * bound.size, 2)


@through.register(Clamp)
def _clamp(_: Layer, bound: Bound) -> Bound:
    return bound  # a copy, or one of two numbers that are rounded alike


@through.register(Sin)
def _sine(layer: Sin, bound: Bound) -> Bound:
    height, speed, turn = (
        float(np.abs(each).max()) for each in (layer.amplitude, layer.frequency, layer.phase)
    )
    # The angle is rounded in proportion to its own size.
    return bound.pointwise(height * speed, height * (1 + speed * bound.size + turn))


@through.register(ELU)
def _elu(layer: ELU, bound: Bound) -> Bound:
    slope = max(1.0, abs(layer.alpha))
    return bound.pointwise(slope, max(bound.size, abs(layer.alpha)))


@through.register(GELU)
@through.register(SiLU)
def _gated_by_itself(_: Layer, bound: Bound) -> Bound:
    # x g(x) with 0 <= g <= 1; the largest slopes are 1.129 (GELU) and 1.100 (SiLU).
    return bound.pointwise(1.13, bound.size)


@through.register(Tanh)
@through.register(Sigmoid)
def _saturating(_: Layer, bound: Bound) -> Bound:
    return bound.pointwise(1.0, 1.0)


@through.register(Softplus)
def _softplus(layer: Softplus, bound: Bound) -> Bound:
    return bound.pointwise(1.0, bound.size + log(2) / abs(layer.beta))


@through.register(GLU)
def _glu(_: Layer, bound: Bound) -> Bound:
    # d(x s(y)) <= |dx| + |x| |dy| / 4.
    return bound.pointwise(1 + bound.size / 4, bound.size)


@through.register(Gate)
def _gate(layer: Gate, bound: Bound) -> Bound:
    # d(f g) <= |df| |g| + |f| |dg|.
    one, other = (
        bound if part is None else through(part, bound) for part in (layer.carrier, layer.opening)
    )
    size = one.size * other.size
    distance = one.distance * other.size + one.size * other.distance
    made = distance + rounding(2, size, bound.dtype)
    return Bound(size, made, bound.dtype, bound.length)


@through.register(Softmax)
def _softmax(_: Layer, bound: Bound) -> Bound:
    # y = e^x / sum: moves by at most y (1 - y) + y (1 - y) <= 1/2 of what x moves by; the largest
    # is taken out, which rounds the exponents, and the sum has as many terms as channels.
    return bound.pointwise(0.5, 1.0 + 2 * bound.size, 2 * ELEMENTARY)


@through.register(Pointwise)
def _pointwise(layer: Pointwise, bound: Bound) -> Bound:
    """Errors pass step by step; the slopes of the operations are at most 1 but for these."""
    found: list[Bound] = []
    for name, *operands in layer.steps:
        given = [
            (bound if each[0] == "x" else found[int(each[1:])])
            if isinstance(each, str)
            else Bound(
                float(np.abs(each).max()),
                rounding(1, np.abs(each).max(), bound.dtype),
                bound.dtype,
                0,
            )
            for each in operands
        ]
        sizes, moved = [each.size for each in given], [each.distance for each in given]
        size, distance = max(1.0, *sizes), sum(moved)
        if name in ("multiply", "square", "power"):
            one, other = (given * 2)[:2] if name != "power" else (given[0], given[0])
            size = one.size * other.size
            distance = one.distance * other.size + one.size * other.distance
        elif name == "divide":
            least = float(np.abs(operands[1]).min())
            size, distance = sizes[0] / least, moved[0] / least + sizes[0] * moved[1] / least**2
        elif name in ("add", "subtract"):
            size = sum(sizes)
        elif name.startswith("gelu"):
            distance *= 1.13
        elif name == "floor":
            size = size + 1
        found.append(
            Bound(size, distance + rounding(ELEMENTARY, size, bound.dtype), bound.dtype, 0)
        )
    end = found[-1]
    return Bound(end.size, end.distance, bound.dtype, bound.length)


@through.register(Snake)
@through.register(SnakeBeta)
def _snake(layer: Snake, bound: Bound) -> Bound:
    alpha = np.abs(layer.alpha)
    beta = np.abs(getattr(layer, "beta", layer.alpha))
    # d/dx = 1 + (alpha / beta) sin(2 alpha x); the argument alpha x is rounded in proportion to it.
    slope = 1 + float(np.max(alpha / beta))
    size = bound.size + float(np.max((1 + 2 * alpha * bound.size) / beta))
    return bound.pointwise(slope, size)


@through.register(BatchNorm)
def _batch_norm(layer: BatchNorm, bound: Bound) -> Bound:
    variance = np.ones(1) if layer.running_var is None else layer.running_var
    mean = 0.0 if layer.running_mean is None else float(np.abs(layer.running_mean).max())
    gain = float(np.max(np.abs(layer.weight_array()) / np.sqrt(variance + layer.eps)))
    # Sum, square root, quotient and product: four roundings more than those of the terms.
    return bound.linear(gain, 4, bias=gain * mean + _shift(layer))


@through.register(GroupNorm)
@through.register(InstanceNorm)
@through.register(LayerNorm)
def _standardised(layer: GroupNorm, bound: Bound) -> Bound:
    """Samples less their mean are at most 2 size, and the deviation is at least sqrt(eps).

    An error d of the input moves the quotient by at most |d| (2 + sqrt n) / sqrt(eps): of n
    samples of variance 1 none is beyond sqrt n, and the mean of their sizes is at most 1.  Mean
    and variance are sums of n terms, and the variance enters under a root.
    """
    count = layer.channels_in * (1 if isinstance(layer, LayerNorm) else bound.length)
    scale = float(np.abs(layer.weight_array()).max())
    gain = scale / sqrt(layer.eps)
    shift = _shift(layer)
    sums = rounding(2 * count + 8, 2 * gain * bound.size * (1 + sqrt(count)), bound.dtype)
    made = gain * (2 + sqrt(count)) * bound.distance + sums + rounding(1, shift, bound.dtype)
    return Bound(scale * sqrt(count) + shift, made, bound.dtype, bound.length)


def _shift(layer: GroupNorm) -> float:
    bias = layer.bias_array()
    return 0.0 if bias is None else float(np.abs(bias).max())


@through.register(WeightNorm)
def _weight_norm(layer: WeightNorm, bound: Bound) -> Bound:
    inner = layer.effective()
    made = through(inner, bound)
    # Each weight is made of the norm of a slice, a quotient and a product, also where the gain is
    # that norm.
    more = rounding(inner.weight_array()[0].size + 8, made.size, bound.dtype)
    return Bound(made.size, made.distance + more, bound.dtype, made.length)
