"""The networks in plain torch functions, read from the layers' fields: no code of upsim runs here.

Samples are tensors (batch, channels, time).  :func:`run` is torch as everybody runs it, ends
included.  :func:`steady` carries one period: every layer is run by torch on enough repetitions of
its input's period that the ends are out of reach, and one period is cut out of the middle.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import ceil, lcm
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from .networks import Node

Tensor = torch.Tensor


class Arithmetic:
    """Turns a layer's numbers into tensors of one precision.

    With a random generator it is another rounding of the same network in single precision: each
    number of a layer is moved by up to half a unit in the last place, each sample behind a layer
    that computes by up to one.
    """

    def __init__(self, dtype: torch.dtype, rng: np.random.Generator | None = None) -> None:
        self.dtype, self.rng = dtype, rng

    def rounded(self, samples: Tensor, layer: Any) -> Tensor:
        """Return the samples behind a layer (None: a sum or a mean) as they may be rounded."""
        if self.rng is None or type(layer).__name__ in _EXACT:
            return samples
        moved = torch.as_tensor(1 + 2.0**-23 * self.rng.uniform(-1, 1, samples.shape))
        return (samples.double() * moved).to(self.dtype)

    def __call__(self, values: Any) -> Tensor:
        """Return a tensor."""
        numbers = np.array(values, dtype=np.float64)
        if self.rng is not None:
            numbers = numbers * (1 + 2.0**-24 * self.rng.uniform(-1, 1, numbers.shape))
        return torch.as_tensor(numbers).to(self.dtype)

    def column(self, values: Any) -> Tensor:
        """Return one number, or one a channel, that multiplies samples."""
        return self(np.reshape(values, (-1, 1)))


class LengthError(Exception):
    """The network does not run on an input of this length."""


def run(
    nodes: Sequence[Node], inputs: Sequence[Tensor], arithmetic: Arithmetic
) -> tuple[Tensor, list[int]]:
    """Return the output, and the length of each value, inputs first."""
    values = list(inputs)
    for node in nodes:
        given = [values[each] for each in node.reads]
        if node.layer is None:
            if len({each.shape[-1] for each in given}) > 1:
                raise LengthError(f"{node.name}: {[each.shape[-1] for each in given]}")
            values.append(arithmetic.rounded(_merged(given, node.merging), None))
            continue
        try:
            made = arithmetic.rounded(forward(node.layer, given[0], arithmetic), node.layer)
        except RuntimeError as error:
            raise LengthError(f"{node.name}: {error}") from error
        if not made.shape[-1]:
            raise LengthError(f"{node.name}: nothing is left")
        values.append(made)
    return values[-1], [each.shape[-1] for each in values]


def steady(
    nodes: Sequence[Node],
    inputs: Sequence[Tensor],
    arithmetic: Arithmetic,
    *,
    only: Sequence[str] | None = None,
) -> Tensor:
    """Return one period of the output for periodic inputs, each given as one period.

    With ``only``, one row for each name: what the offset of the node of that name makes alone
    ("": of no node).  Every other node does to its input what it does beyond its answer to silence.
    """
    values = list(inputs)
    for node in nodes:
        given = [values[each] for each in node.reads]
        if node.layer is None:
            whole = lcm(*(each.shape[-1] for each in given))
            made = _merged([_tiled(each, whole) for each in given], node.merging)
            values.append(arithmetic.rounded(made, None))
            continue
        if only is None:
            made = _steady_layer(node.layer, given[0], arithmetic)
            values.append(arithmetic.rounded(made, node.layer))
            continue
        both = torch.cat([given[0], torch.zeros_like(given[0][:1])])
        seen = _steady_layer(node.layer, both, arithmetic)
        made, silent = seen[:-1], seen[-1:]
        others = torch.tensor([name != node.name for name in only])[:, None, None]
        values.append(arithmetic.rounded(torch.where(others, made - silent, made), node.layer))
    return values[-1]


def _steady_layer(layer: Any, period: Tensor, arithmetic: Arithmetic) -> Tensor:
    name = type(layer).__name__
    if name in _OVER_TIME or name in _AT_EACH_STEP:
        return forward(layer, period, arithmetic)
    rate = _rate(layer)
    count = lcm(period.shape[-1], rate.denominator)
    around = ceil(_reach(layer) / count) * count
    made = forward(layer, _tiled(period, 2 * around + count), arithmetic)
    start = int(around * rate)
    return made[..., start : start + int(count * rate)]


def _rate(layer: Any) -> Fraction:
    """Return output samples per input sample, from the fields."""
    match type(layer).__name__:
        case "Conv":
            return Fraction(1, layer.stride)
        case "TransposedConv":
            return Fraction(layer.stride)
        case "WeightNorm":
            return _rate(layer.layer)
        case "Decimate":
            return Fraction(1, layer.factor)
        case "Slice":
            return Fraction(1, layer.step)
        case "Hold" | "Crop" | "Bias" | "BatchNorm":
            return Fraction(1)
        case "HaarSynthesis" | "LazyWaveletSynthesis":
            return Fraction(2)
    return Fraction(layer.factor)


def _reach(layer: Any) -> int:
    """Return how many input samples from an end the end may be seen."""
    match type(layer).__name__:
        case "Conv" | "SubpixelConv":
            padding = 0 if isinstance(layer.padding, str) else layer.padding
            return 2 * (layer.dilation * layer.kernel_size + padding)
        case "TransposedConv":
            return layer.dilation * layer.kernel_size + 2 * layer.padding + layer.output_padding + 1
        case "WeightNorm":
            return _reach(layer.layer)
        case "WindowedSinc":
            return ceil(layer.zeros / layer.rolloff) + 2
        case "Hold":
            return layer.factor * layer.order
        case "Crop":
            return abs(layer.left) + abs(layer.right) + 1
        case "Slice":
            return (layer.start or 0) - (layer.stop or 0) + layer.step
        case "Decimate":
            return layer.factor
    return 4


def _tiled(samples: Tensor, count: int) -> Tensor:
    return samples.repeat(1, 1, ceil(count / samples.shape[-1]))[..., :count]


def _merged(parts: list[Tensor], merging: str) -> Tensor:
    match merging:
        case "sum":
            return sum(parts[1:], start=parts[0])
        case "mean":
            return torch.stack(parts).mean(dim=0)
        case "concatenate":
            return torch.cat(parts, dim=1)
    raise AssertionError(merging)


def forward(layer: Any, x: Tensor, arithmetic: Arithmetic) -> Tensor:
    """Return what torch makes of samples in one layer."""
    return _FORWARDS[type(layer).__name__](layer, x, arithmetic)


def _bias_of(layer: Any, arithmetic: Arithmetic) -> Tensor | None:
    return None if layer.bias is False else arithmetic(layer.bias)


def _convolved(layer: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: int) -> Tensor:
    reach = layer.dilation * (layer.kernel_size - 1)
    match layer.padding:
        case "valid":
            pads = (0, 0)
        case "same":
            pads = (reach // 2, reach - reach // 2)
        case count:
            pads = (count, count)
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    if any(pads):
        x = functional.pad(x, pads, mode=mode)
    return functional.conv1d(x, weight, bias, stride, 0, layer.dilation, layer.groups)


def _conv(layer: Any, x: Tensor, arithmetic: Arithmetic, weight: Tensor | None = None) -> Tensor:
    taps = arithmetic(layer.weight) if weight is None else weight
    return _convolved(layer, x, taps, _bias_of(layer, arithmetic), layer.stride)


def _transposed(
    layer: Any, x: Tensor, arithmetic: Arithmetic, weight: Tensor | None = None
) -> Tensor:
    return functional.conv_transpose1d(
        x,
        arithmetic(layer.weight) if weight is None else weight,
        _bias_of(layer, arithmetic),
        layer.stride,
        layer.padding,
        layer.output_padding,
        layer.groups,
        layer.dilation,
    )


def _subpixel(
    layer: Any, x: Tensor, arithmetic: Arithmetic, weight: Tensor | None = None
) -> Tensor:
    taps = arithmetic(layer.weight) if weight is None else weight
    return _shuffled(_convolved(layer, x, taps, _bias_of(layer, arithmetic), 1), layer)


def _shuffled(x: Tensor, layer: Any) -> Tensor:
    batch, channels, length = x.shape
    factor, out = layer.factor, channels // layer.factor
    if layer.order == "torch":
        # pixel_shuffle of a picture one sample high, with the other direction's factor folded out
        split = x.reshape(batch, out, factor, length).permute(0, 1, 3, 2)
    else:
        split = x.reshape(batch, factor, out, length).permute(0, 2, 3, 1)
    return split.reshape(batch, out, length * factor)


def _weight_norm(layer: Any, x: Tensor, arithmetic: Arithmetic) -> Tensor:
    inner = layer.layer
    weight = arithmetic(inner.weight)
    if layer.gain is not None:
        weight = torch._weight_norm(weight, arithmetic(layer.gain)[:, None, None], 0)
    kind = type(inner).__name__
    return {"Conv": _conv, "TransposedConv": _transposed, "SubpixelConv": _subpixel}[kind](
        inner, x, arithmetic, weight
    )


def _stretched(layer: Any, x: Tensor, arithmetic: Arithmetic) -> Tensor:
    made = x.new_zeros(*x.shape[:2], x.shape[-1] * layer.factor)
    made[..., :: layer.factor] = x
    return made


#: torch rounds the place of each output sample, so far from the start its weights are off.
_NEAR = 2**9


def _linear(layer: Any, x: Tensor, arithmetic: Arithmetic) -> Tensor:
    if layer.convention == "half-pixel":
        if x.shape[-1] <= _NEAR:
            return functional.interpolate(
                x, scale_factor=layer.factor, mode="linear", align_corners=False
            )
        return _interpolated(layer.factor, x, arithmetic, (0, 1), lambda t: 1 - t)
    distances = torch.arange(1 - layer.factor, layer.factor, dtype=x.dtype)
    triangle = (1 - distances.abs() / layer.factor).expand(x.shape[1], 1, -1)
    made = functional.conv_transpose1d(x, triangle, None, layer.factor, groups=x.shape[1])
    # the last L - 1 samples lie beyond the input, the first L - 1 before it
    made = made[..., layer.factor - 1 :]
    return made[..., : x.shape[-1] * layer.factor]


def _cubic(layer: Any, x: Tensor, arithmetic: Arithmetic) -> Tensor:
    if layer.a == -0.75 and x.shape[-1] <= _NEAR:  # torch's own
        return functional.interpolate(
            x[:, :, None], scale_factor=(1, layer.factor), mode="bicubic", align_corners=False
        )[:, :, 0]

    def weight(t: np.ndarray) -> np.ndarray:
        near = (layer.a + 2) * t**3 - (layer.a + 3) * t**2 + 1
        return np.where(t <= 1, near, layer.a * (t**3 - 5 * t**2 + 8 * t - 4))

    return _interpolated(layer.factor, x, arithmetic, (-1, 0, 1, 2), weight)


def _interpolated(factor: int, x: Tensor, arithmetic: Arithmetic, offsets, weight) -> Tensor:
    """Weigh the neighbours by their distance, a fraction whose numerator is a whole number."""
    count = x.shape[-1]
    left, rest = np.divmod(2 * np.arange(count * factor) + 1 - factor, 2 * factor)
    made = x.new_zeros(*x.shape[:2], count * factor)
    for offset in offsets:
        distance = np.abs(rest - 2 * factor * offset) / (2 * factor)
        index = torch.as_tensor(np.clip(left + offset, 0, count - 1))
        made = made + arithmetic(weight(distance)) * x[..., index]
    return made


def _sinc(layer: Any, x: Tensor, arithmetic: Arithmetic) -> Tensor:
    factor = layer.factor
    span = ceil(layer.zeros * factor / layer.rolloff)
    distances = np.arange(1 - span, span)
    angle = np.pi * distances / span
    window = {
        "hann": 0.5 + 0.5 * np.cos(angle),
        "hamming": 0.54 + 0.46 * np.cos(angle),
        "blackman": 0.42 + 0.5 * np.cos(angle) + 0.08 * np.cos(2 * angle),
        "rectangular": np.ones_like(angle),
    }[layer.window]
    taps = np.sinc(layer.rolloff * distances / factor) * window
    for phase in range(factor):
        taps[phase::factor] /= taps[phase::factor].sum()
    kernel = arithmetic(taps).expand(x.shape[1], 1, -1)
    made = functional.conv_transpose1d(
        x, kernel, None, factor, groups=x.shape[1], output_padding=factor - 1
    )
    return made[..., span - 1 : span - 1 + x.shape[-1] * factor]


def _learned(layer: Any, x: Tensor, arithmetic: Arithmetic) -> Tensor:
    share = torch.sigmoid(arithmetic.column(layer.weight))
    made = x.new_zeros(*x.shape[:2], 2 * x.shape[-1] - 1)
    made[..., ::2] = x
    made[..., 1::2] = share * x[..., :-1] + (1 - share) * x[..., 1:]
    return made


def _hold(layer: Any, x: Tensor, arithmetic: Arithmetic) -> Tensor:
    box = torch.full((x.shape[1], 1, layer.factor), 1 / layer.factor, dtype=x.dtype)
    for _ in range(layer.order):
        x = functional.conv1d(functional.pad(x, (layer.factor - 1, 0)), box, groups=x.shape[1])
    return x


def _woven(even: Tensor, odd: Tensor) -> Tensor:
    made = even.new_zeros(*even.shape[:2], 2 * even.shape[-1])
    made[..., ::2], made[..., 1::2] = even, odd
    return made


def _haar(layer: Any, x: Tensor, arithmetic: Arithmetic) -> Tensor:
    low, high = x.chunk(2, dim=1)
    return _woven((low + high) / 2**0.5, (low - high) / 2**0.5)


def _batch_norm(layer: Any, x: Tensor, arithmetic: Arithmetic) -> Tensor:
    ones, zeros = np.ones(layer.num_features), np.zeros(layer.num_features)

    def of(values: Any, instead: np.ndarray) -> Tensor:
        return arithmetic(instead if values is None else values)

    return functional.batch_norm(
        x,
        of(layer.running_mean, zeros),
        of(layer.running_var, ones),
        of(layer.weight, ones),
        of(layer.bias, zeros),
        training=False,
        eps=layer.eps,
    )


def _optional(values: Any, arithmetic: Arithmetic) -> Tensor | None:
    return None if values is None else arithmetic(values)


def _over_time(layer: Any, x: Tensor, groups: int, arithmetic: Arithmetic) -> Tensor:
    """Normalise groups of channels by hand: torch's own layers add up a long signal in order.

    In double precision that costs more than anything else, in single precision nothing.  Without
    the first sample of a group, the sum of equal samples is exact, too.
    """
    x = x.unflatten(1, (groups, -1))
    x = x - x[:, :, :1, :1]
    x = x - x.mean(dim=(2, 3), keepdim=True)
    made = x / torch.sqrt((x * x).mean(dim=(2, 3), keepdim=True) + layer.eps)
    weight, bias = _optional(layer.weight, arithmetic), _optional(layer.bias, arithmetic)
    made = made.flatten(1, 2)
    made = made if weight is None else made * weight[:, None]
    return made if bias is None else made + bias[:, None]


def _group_norm(layer: Any, x: Tensor, arithmetic: Arithmetic) -> Tensor:
    return _over_time(layer, x, layer.num_groups, arithmetic)


def _instance_norm(layer: Any, x: Tensor, arithmetic: Arithmetic) -> Tensor:
    return _over_time(layer, x, x.shape[1], arithmetic)


def _layer_norm(layer: Any, x: Tensor, arithmetic: Arithmetic) -> Tensor:
    weight, bias = _optional(layer.weight, arithmetic), _optional(layer.bias, arithmetic)
    return functional.layer_norm(x.mT, (layer.normalized_shape,), weight, bias, layer.eps).mT


def _snake(layer: Any, x: Tensor, arithmetic: Arithmetic) -> Tensor:
    alpha = arithmetic.column(layer.alpha)
    return x + torch.sin(alpha * x) ** 2 / alpha


def _snake_beta(layer: Any, x: Tensor, arithmetic: Arithmetic) -> Tensor:
    alpha, beta = arithmetic.column(layer.alpha), arithmetic.column(layer.beta)
    return x + torch.sin(alpha * x) ** 2 / beta


#: Layers that only move samples, or set them to zero: nothing is rounded.
_EXACT = frozenset(
    {
        "Crop",
        "Decimate",
        "LazyWaveletSynthesis",
        "Nearest",
        "PeriodicShuffle",
        "ReLU",
        "Slice",
        "Stretch",
    }
)

Forward = Callable[[Any, Tensor, Arithmetic], Tensor]

_AT_EACH_STEP: dict[str, Forward] = {
    "ReLU": lambda _, x, __: functional.relu(x),
    "LeakyReLU": lambda layer, x, _: functional.leaky_relu(x, layer.negative_slope),
    "PReLU": lambda layer, x, arithmetic: functional.prelu(
        x, arithmetic([layer.init] * layer.num_parameters if layer.weight is None else layer.weight)
    ),
    "ELU": lambda layer, x, _: functional.elu(x, layer.alpha),
    "GELU": lambda layer, x, _: functional.gelu(x, approximate=layer.approximate),
    "Tanh": lambda _, x, __: torch.tanh(x),
    "Sigmoid": lambda _, x, __: torch.sigmoid(x),
    "SiLU": lambda _, x, __: functional.silu(x),
    "Softplus": lambda layer, x, _: functional.softplus(x, layer.beta, layer.threshold),
    "GLU": lambda _, x, __: functional.glu(x, dim=1),
    "Snake": _snake,
    "SnakeBeta": _snake_beta,
    "LayerNorm": _layer_norm,
}

_OVER_TIME: dict[str, Forward] = {"GroupNorm": _group_norm, "InstanceNorm": _instance_norm}

_FORWARDS: dict[str, Forward] = {
    **_AT_EACH_STEP,
    **_OVER_TIME,
    "Conv": _conv,
    "TransposedConv": _transposed,
    "SubpixelConv": _subpixel,
    "WeightNorm": _weight_norm,
    "PeriodicShuffle": lambda layer, x, _: _shuffled(x, layer),
    "Stretch": _stretched,
    "Nearest": lambda layer, x, _: functional.interpolate(
        x, scale_factor=layer.factor, mode="nearest"
    ),
    "Linear": _linear,
    "Cubic": _cubic,
    "WindowedSinc": _sinc,
    "LearnedInterpolation": _learned,
    "HaarSynthesis": _haar,
    "LazyWaveletSynthesis": lambda _, x, __: _woven(*x.chunk(2, dim=1)),
    "Bias": lambda layer, x, arithmetic: x + arithmetic.column(layer.bias),
    "Hold": _hold,
    "Crop": lambda layer, x, _: functional.pad(x, (-layer.left, -layer.right)),
    "Decimate": lambda layer, x, _: x[..., layer.phase :: layer.factor],
    "Slice": lambda layer, x, _: x[..., layer.start : layer.stop : layer.step],
    "BatchNorm": _batch_norm,
}

#: The layers that this file can run.
KINDS = frozenset(_FORWARDS) | {"Residual", "Parallel"}
