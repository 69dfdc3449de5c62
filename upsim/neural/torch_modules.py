"""How each layer is built from torch's modules, or from tensor operations where it has none."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, gcd
from typing import Any

import numpy as np

from upsim.layers.base import Layer
from upsim.layers.branches import Parallel, Residual
from upsim.layers.channels import Scale, Select
from upsim.layers.convolution import Conv, TransposedConv
from upsim.layers.interpolation import (
    Cubic,
    Hold,
    LearnedInterpolation,
    Linear,
    Nearest,
    Stretch,
    WindowedSinc,
)
from upsim.layers.resample import Resample
from upsim.layers.samples import Bias, Crop, Decimate, Pad, Slice
from upsim.layers.subpixel import PeriodicShuffle, SubpixelConv
from upsim.layers.wavelet import HaarSynthesis, LazyWaveletSynthesis
from upsim.neural.resample import every_kernel
from upsim.neural.torch_layers import build_chain, merge, register_torch
from upsim.neural.torch_tensor import tensor, tensor_layer

# torch's bicubic has Keys' parameter built in.
_TORCH_CUBIC = -0.75


def _with_weights(torch: Any, kind: Any, *arguments: Any, layer: Any, **named: Any) -> Any:
    """Return a torch module whose parameters are the layer's, without touching torch's seed."""
    bias = layer.bias_array()
    named |= {"bias": bias is not None, "dtype": torch.float64}
    module = torch.nn.utils.skip_init(kind, *arguments, **named)
    module.weight = torch.nn.Parameter(tensor(torch, layer.weight_array()))
    if bias is not None:
        module.bias = torch.nn.Parameter(tensor(torch, bias))
    return module


def _convolution(torch: Any, layer: Any, out_channels: int, stride: int) -> Any:
    return _with_weights(
        torch,
        torch.nn.Conv1d,
        layer.in_channels,
        out_channels,
        layer.kernel_size,
        stride,
        layer.padding,
        layer.dilation,
        layer.groups,
        padding_mode=layer.padding_mode,
        layer=layer,
    )


@register_torch(Conv)
def _conv(layer: Conv, torch: Any) -> Any:
    return _convolution(torch, layer, layer.out_channels, layer.stride)


@register_torch(TransposedConv)
def _transposed(layer: TransposedConv, torch: Any) -> Any:
    return _with_weights(
        torch,
        torch.nn.ConvTranspose1d,
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.output_padding,
        layer.groups,
        dilation=layer.dilation,
        layer=layer,
    )


@register_torch(PeriodicShuffle)
def _shuffle(layer: PeriodicShuffle, torch: Any) -> Any:
    return tensor_layer(torch, layer, _shuffler(layer.factor, layer.order))


def _shuffler(factor: int, order: str) -> Callable[[Any], Any]:
    def compute(x: Any) -> Any:
        if order == "torch":
            return x.unflatten(1, (-1, factor)).transpose(2, 3).flatten(2)
        return x.unflatten(1, (factor, -1)).permute(0, 2, 3, 1).flatten(2)

    return compute


@register_torch(SubpixelConv)
def _subpixel(layer: SubpixelConv, torch: Any) -> Any:
    convolution = _convolution(torch, layer, layer.out_channels * layer.factor, 1)
    shuffle = tensor_layer(
        torch, PeriodicShuffle(layer.factor, layer.order), _shuffler(layer.factor, layer.order)
    )
    return torch.nn.Sequential(convolution, shuffle)


@register_torch(Stretch)
def _stretch(layer: Stretch, torch: Any) -> Any:
    def compute(x: Any) -> Any:
        return torch.nn.functional.pad(x[..., None], (0, layer.factor - 1)).flatten(-2)

    return tensor_layer(torch, layer, compute)


@register_torch(Nearest)
def _nearest(layer: Nearest, torch: Any) -> Any:
    return torch.nn.Upsample(scale_factor=layer.factor, mode="nearest")


@register_torch(Linear)
def _linear(layer: Linear, torch: Any) -> Any:
    if layer.convention == "half-pixel":
        return torch.nn.Upsample(scale_factor=layer.factor, mode="linear", align_corners=False)

    def compute(x: Any) -> Any:
        # With a zero appended there are n + 1 samples; aligned corners put n L + 1 on them, in
        # steps of n / (n L) = 1 / L: the textbook triangle.
        closed = torch.nn.functional.pad(x, (0, 1))
        size = x.shape[-1] * layer.factor + 1
        return torch.nn.functional.interpolate(
            closed, size=size, mode="linear", align_corners=True
        )[..., :-1]

    return tensor_layer(torch, layer, compute)


@register_torch(Cubic)
def _cubic(layer: Cubic, torch: Any) -> Any:
    def of_torch(x: Any) -> Any:
        return torch.nn.functional.interpolate(
            x[:, :, None], scale_factor=(1, layer.factor), mode="bicubic", align_corners=False
        )[:, :, 0]

    def with_other_a(x: Any) -> Any:
        count, a = x.shape[-1], layer.a
        steps = torch.arange(count * layer.factor, device=x.device, dtype=torch.float64)
        places = (steps + 0.5) / layer.factor - 0.5
        left = places.floor()
        made = torch.zeros_like(x).repeat_interleave(layer.factor, -1)
        for offset in (-1, 0, 1, 2):
            t = (places - left - offset).abs().to(x.dtype)
            near = (a + 2) * t**3 - (a + 3) * t**2 + 1
            far = a * (t**3 - 5 * t**2 + 8 * t - 4)
            index = (left.long() + offset).clamp(0, count - 1)
            made = made + torch.where(t <= 1, near, far) * x[..., index]
        return made

    return tensor_layer(torch, layer, of_torch if layer.a == _TORCH_CUBIC else with_other_a)


@register_torch(WindowedSinc)
def _windowed_sinc(layer: WindowedSinc, torch: Any) -> Any:
    # As resamplers do it: one kernel a phase, correlated at the low rate, then interleaved.
    factor = layer.factor
    span = ceil(layer.zeros * factor / layer.rolloff)
    reach = span // factor + 1
    grid = torch.arange(-reach, reach + 1, dtype=torch.float64)
    phases = torch.arange(factor, dtype=torch.float64)[:, None]
    distance = phases - grid * factor
    angle = torch.pi * distance / span
    window = {
        "hann": 0.5 * (1 + torch.cos(angle)),
        "hamming": 0.54 + 0.46 * torch.cos(angle),
        "blackman": 0.42 + 0.5 * torch.cos(angle) + 0.08 * torch.cos(2 * angle),
        "rectangular": torch.ones_like(angle),
    }[layer.window]
    inside = distance.abs() < span
    kernels = torch.sinc(layer.rolloff * distance / factor) * window * inside
    kernels = kernels / kernels.sum(dim=1, keepdim=True)

    def compute(x: Any, kernels: Any) -> Any:
        flat = x.reshape(-1, 1, x.shape[-1])
        made = torch.nn.functional.conv1d(flat, kernels, padding=reach)
        return made.transpose(1, 2).reshape(*x.shape[:2], -1)

    return tensor_layer(torch, layer, compute, kernels=kernels[:, None].numpy())


@register_torch(Resample)
def _resample(layer: Resample, torch: Any) -> Any:
    common = gcd(layer.old, layer.new)
    old, new = layer.old // common, layer.new // common
    if old == new:
        return torch.nn.Identity()
    kernels, begins = every_kernel(layer)
    held = layer.like in ("julius", "bigvgan") or layer.padtype == "edge"

    def compute(x: Any, kernels: Any, begins: Any) -> Any:
        count = x.shape[-1]
        size = new * count // old if layer.like == "julius" else -(-new * count // old)
        outputs = torch.arange(size, device=x.device)
        phases = outputs % new
        first = outputs // new * old + begins.long()[phases]
        made = torch.zeros_like(x[..., :1]).repeat(1, 1, size)
        for neighbour in range(kernels.shape[1]):
            index = first + neighbour
            seen = x[..., index.clamp(0, count - 1)] * kernels[phases, neighbour]
            inside = (index >= 0) & (index < count)
            made = made + (seen if held else torch.where(inside, seen, torch.zeros_like(seen)))
        return made

    return tensor_layer(torch, layer, compute, kernels=kernels, begins=begins)


@register_torch(LearnedInterpolation)
def _learned(layer: LearnedInterpolation, torch: Any) -> Any:
    def compute(x: Any, weight: Any) -> Any:
        share = torch.sigmoid(weight)[:, None]
        mixed = share * x[..., :-1] + (1 - share) * x[..., 1:]
        woven = torch.stack((x[..., :-1], mixed), dim=-1).flatten(-2)
        return torch.cat((woven, x[..., -1:]), dim=-1)

    return tensor_layer(torch, layer, compute, weight=layer.weight_array())


@register_torch(Hold)
def _hold(layer: Hold, torch: Any) -> Any:
    def compute(x: Any) -> Any:
        for _ in range(layer.order):
            longer = torch.nn.functional.pad(x, (layer.factor - 1, 0))
            x = torch.nn.functional.avg_pool1d(longer, layer.factor, stride=1)
        return x

    return tensor_layer(torch, layer, compute)


@register_torch(HaarSynthesis)
def _haar(layer: HaarSynthesis, torch: Any) -> Any:
    def compute(x: Any) -> Any:
        low, high = x.chunk(2, dim=1)
        return torch.stack((low + high, low - high), dim=-1).flatten(-2) * 0.5**0.5

    return tensor_layer(torch, layer, compute)


@register_torch(LazyWaveletSynthesis)
def _lazy(layer: LazyWaveletSynthesis, torch: Any) -> Any:
    return tensor_layer(torch, layer, lambda x: torch.stack(x.chunk(2, dim=1), dim=-1).flatten(-2))


@register_torch(Bias)
def _bias(layer: Bias, torch: Any) -> Any:
    values = np.reshape(layer.bias, (-1, 1))
    return tensor_layer(torch, layer, lambda x, bias: x + bias, bias=values)


@register_torch(Crop)
def _crop(layer: Crop, torch: Any) -> Any:
    sides = (-layer.left, -layer.right)
    return tensor_layer(torch, layer, lambda x: torch.nn.functional.pad(x, sides))


@register_torch(Pad)
def _pad(layer: Pad, torch: Any) -> Any:
    mode = "constant" if layer.mode == "zeros" else layer.mode
    sides = (layer.left, layer.right)
    return tensor_layer(torch, layer, lambda x: torch.nn.functional.pad(x, sides, mode))


@register_torch(Scale)
def _scale(layer: Scale, torch: Any) -> Any:
    return tensor_layer(
        torch,
        layer,
        lambda x, scale, bias: scale * x + bias,
        scale=np.reshape(layer.scale, (-1, 1)),
        bias=np.reshape(layer.bias, (-1, 1)),
    )


@register_torch(Select)
def _select(layer: Select, torch: Any) -> Any:
    numbers = list(layer.numbers)
    return tensor_layer(torch, layer, lambda x: x[:, numbers])


@register_torch(Decimate)
def _decimate(layer: Decimate, torch: Any) -> Any:
    return tensor_layer(torch, layer, lambda x: x[..., layer.phase :: layer.factor])


@register_torch(Slice)
def _slice(layer: Slice, torch: Any) -> Any:
    return tensor_layer(torch, layer, lambda x: x[..., layer.start : layer.stop : layer.step])


@register_torch(Residual)
def _residual(layer: Residual, torch: Any) -> Any:
    return _merged(torch, layer, (layer.layers, layer.skip), "sum")


@register_torch(Parallel)
def _parallel(layer: Parallel, torch: Any) -> Any:
    return _merged(torch, layer, layer.branches, layer.merge)


def _merged(torch: Any, layer: Layer, parts: tuple[tuple[Layer, ...], ...], how: str) -> Any:
    branches = torch.nn.ModuleList(build_chain(part, torch) for part in parts)

    def compute(x: Any) -> Any:
        return merge(torch, how, [branch(x) for branch in branches])

    module = tensor_layer(torch, layer, compute)
    module.branches = branches  # so that .to() and .parameters() reach them
    return module
