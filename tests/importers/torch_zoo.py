"""Small modules of the kinds that audio models are written with, and what torch makes of them."""

from __future__ import annotations

import warnings

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - as torch's users write it
from torch import nn

from upsim.neural.run import run_graph
from upsim.words.tolerance import rounding


def seeded(kind, *arguments, **fields):
    """Return a module in evaluation mode, its weights drawn from one seed."""
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the older weight_norm says that it is older
        return kind(*arguments, **fields).eval()


class HiFiGAN(nn.Module):
    """Both weight-norm forms, leaky rectifiers, residual blocks whose mean is taken in place."""

    def __init__(self):
        super().__init__()
        old, new = nn.utils.weight_norm, nn.utils.parametrizations.weight_norm
        self.conv_pre = old(nn.Conv1d(8, 16, 7, padding=3))
        self.ups = nn.ModuleList(
            [
                old(nn.ConvTranspose1d(16, 8, 8, 4, padding=2)),
                new(nn.ConvTranspose1d(8, 4, 4, 2, padding=1)),
            ]
        )
        self.resblocks = nn.ModuleList(
            new(nn.Conv1d(width, width, taps, padding=taps // 2))
            for width in (8, 4)
            for taps in (3, 5)
        )
        self.conv_post = old(nn.Conv1d(4, 1, 7, padding=3))

    def forward(self, mel):
        x = self.conv_pre(mel)
        for stage, up in enumerate(self.ups):
            x = up(F.leaky_relu(x, 0.1))
            total = None
            for block in self.resblocks[2 * stage : 2 * stage + 2]:
                made = block(F.leaky_relu(x, 0.1)) + x
                if total is None:
                    total = made
                else:
                    total += made
            x = total / 2
        return torch.tanh(self.conv_post(F.leaky_relu(x)))


class MelGAN(nn.Module):
    """Reflection pads before convolutions, in a Sequential."""

    def __init__(self):
        super().__init__()
        self.model = nn.Sequential(
            nn.ReflectionPad1d(3),
            nn.Conv1d(8, 16, 7),
            nn.LeakyReLU(0.2),
            nn.ConvTranspose1d(16, 8, 6, 3, padding=2, output_padding=1),
            nn.LeakyReLU(0.2, inplace=True),
            nn.ReflectionPad1d(3),
            nn.Conv1d(8, 1, 7),
            nn.Tanh(),
        )

    def forward(self, mel):
        return self.model(mel)


class Codec(nn.Module):
    """Causal: pads on the left, and what a transposed convolution adds is cut off by slices."""

    def __init__(self, strides=(4, 2)):
        super().__init__()
        self.strides = strides
        self.first = nn.utils.parametrizations.weight_norm(nn.Conv1d(6, 8, 5))
        self.ups = nn.ModuleList(nn.ConvTranspose1d(8, 8, 2 * each, each) for each in strides)
        self.last = nn.Conv1d(8, 1, 5)

    def forward(self, codes):
        x = self.first(F.pad(codes, (4, 0)))
        for up, stride in zip(self.ups, self.strides, strict=True):
            wanted = x.shape[-1] * stride
            x = up(F.elu(x))
            x = x[..., : wanted - x.shape[-1]]  # a negative end
        x = F.pad(F.elu(x), (4, 0), mode="replicate")
        return self.last(x)


class TrimmedByLength(nn.Module):
    """The trim's end is a number that grows with the length of the input."""

    def __init__(self):
        super().__init__()
        self.up = nn.ConvTranspose1d(2, 2, 7, 3)

    def forward(self, x):
        length = x.shape[-1]
        return self.up(x)[..., 2 : 2 + 3 * length]


class Demucs(nn.Module):
    """Encoder and decoder with gates, group normalisation, GELU and skips."""

    def __init__(self):
        super().__init__()
        self.down = nn.Conv1d(2, 8, 8, 4, padding=2)
        self.norm = nn.GroupNorm(2, 8)
        self.mix = nn.Conv1d(8, 16, 1)
        self.up = nn.ConvTranspose1d(8, 2, 8, 4, padding=2)

    def forward(self, mix):
        skip = F.gelu(self.norm(self.down(mix)))
        x = F.glu(self.mix(skip), dim=1) + skip
        return self.up(x)


class Subpixel(nn.Module):
    """A shuffle by reshape and transpose, in either order of channels."""

    def __init__(self, *, interleaved=False):
        super().__init__()
        self.interleaved = interleaved
        self.conv = nn.Conv1d(4, 6, 5, padding=2)

    def forward(self, x):
        x = self.conv(x)
        batch, channels, time = x.shape
        if self.interleaved:
            return x.view(batch, 2, channels // 2, time).permute(0, 2, 3, 1).flatten(2)
        return x.view(batch, channels // 2, 2, time).transpose(2, 3).reshape(batch, -1, 2 * time)


class PixelShuffle(nn.Module):
    """F.pixel_shuffle, on a picture of one row that is then cut out of the two it makes."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(4, 8, 3, padding=1)

    def forward(self, x):
        return F.pixel_shuffle(self.conv(x).unsqueeze(2), 2)[:, :, 0]


class Interpolated(nn.Module):
    """F.interpolate before a convolution."""

    def __init__(self, mode, **fields):
        super().__init__()
        self.fields = {"mode": mode, **fields}
        self.conv = nn.Conv1d(4, 2, 5, padding=2)

    def forward(self, x):
        if self.fields["mode"] in ("bilinear", "bicubic"):
            x = F.interpolate(x.unsqueeze(2), **self.fields).squeeze(2)
        else:
            x = F.interpolate(x, **self.fields)
        return self.conv(x)


class ChannelsLast(nn.Module):
    """Linear layers and a layer normalisation on (batch, time, channels)."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(6, 8)
        self.norm = nn.LayerNorm(8)
        self.out = nn.Linear(8, 4, bias=False)

    def forward(self, frames):
        x = self.out(torch.relu(self.norm(self.embed(frames))))
        return x.reshape(x.shape[0], -1)  # four samples a frame


def snake(x, alpha):
    shape = x.shape
    x = x.reshape(shape[0], shape[1], -1)
    x = x + (alpha + 1e-9).reciprocal() * torch.sin(alpha * x).pow(2)
    return x.reshape(shape)


with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # torch would rather have export; codecs still script this
    scripted_snake = torch.jit.script(snake)


class ScriptedSnake(nn.Module):
    """A scripted activation, as codecs have it."""

    def __init__(self):
        super().__init__()
        self.alpha = nn.Parameter(0.5 + torch.rand(1, 4, 1))
        self.up = nn.ConvTranspose1d(4, 4, 4, 2, 1)

    def forward(self, x):
        return self.up(scripted_snake(x, self.alpha))


class AntiAliased(nn.Module):
    """An activation between a resampler up and one down, both depthwise, edges replicated."""

    def __init__(self, channels=3):
        super().__init__()
        self.register_buffer("filter", torch.hann_window(14)[1:13].view(1, 1, 12) / 6.5)
        self.alpha = nn.Parameter(torch.randn(channels) / 4)
        self.beta = nn.Parameter(torch.randn(channels) / 4)
        self.up = nn.ConvTranspose1d(channels, 2, 4, 2, 1)

    def forward(self, x):
        count = x.shape[1]
        x = F.pad(x, (5, 5), mode="replicate")
        x = 2 * F.conv_transpose1d(x, self.filter.expand(count, -1, -1), stride=2, groups=count)
        x = x[..., 15:-15]
        alpha, beta = (each.exp().unsqueeze(0).unsqueeze(-1) for each in (self.alpha, self.beta))
        x = x + (1.0 / (beta + 1e-9)) * torch.pow(torch.sin(x * alpha), 2)
        x = F.pad(x, (5, 6), mode="replicate")
        x = F.conv1d(x, self.filter.expand(count, -1, -1), stride=2, groups=count)
        return self.up(x)


class InPlace(nn.Module):
    """Adds in place through a view, and into a slice of zeros: a stretch by hand."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(3, 2, 4, padding=2)

    def forward(self, x):
        x = x.clone()
        view = x[:, :2]
        view.mul_(0.5).add_(x[:, 1:].clone(), alpha=2.0)  # x sees it
        held = x.new_zeros(x.shape[0], 3, 2 * x.shape[-1])
        held[..., ::2] = x
        return self.conv(held)


class Shared(nn.Module):
    """One module called twice, and one activation in two places."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(4, 4, 3, padding=1)
        self.act = nn.ELU()
        self.up = nn.ConvTranspose1d(4, 2, 4, 2, 1)

    def forward(self, x):
        x = self.act(self.conv(x))
        x = self.act(self.conv(x)) + x
        return self.up(x)


class Recurrent(nn.Module):
    """An LSTM with a skip around it, as codecs have it."""

    def __init__(self, kind=nn.LSTM):
        super().__init__()
        self.lstm = kind(4, 4, 2)
        self.up = nn.ConvTranspose1d(4, 2, 4, 2, 1)

    def forward(self, x):
        x = x.permute(2, 0, 1)
        made, _ = self.lstm(x)
        return self.up((made + x).permute(1, 2, 0))


class Source(nn.Module):
    """Two inputs at two rates, and a speaker that stays."""

    def __init__(self):
        super().__init__()
        self.up = nn.ConvTranspose1d(4, 4, 8, 4, 2)
        self.source = nn.Conv1d(1, 4, 5, padding=2)
        self.cond = nn.Conv1d(3, 4, 1)
        self.out = nn.Conv1d(4, 1, 3, padding=1)

    def forward(self, mel, f0, g=None):
        x = self.up(mel) + self.source(torch.sin(f0))
        if g is not None:
            x = x + self.cond(g)
        return self.out(torch.tanh(x))


class Noisy(nn.Module):
    """Noise of its own, scaled by the signal, as in snac."""

    def __init__(self):
        super().__init__()
        self.up = nn.ConvTranspose1d(4, 2, 4, 2, 1)
        self.gain = nn.Conv1d(2, 2, 1, bias=False)

    def forward(self, x):
        x = self.up(x)
        noise = torch.randn((x.shape[0], 1, x.shape[-1]), dtype=x.dtype)
        return x + noise * 0.1 + self.gain(x)


class PeriodRows(nn.Module):
    """A two-dimensional convolution whose other axis is a row of independent signals."""

    def __init__(self):
        super().__init__()
        self.rows = nn.Conv2d(1, 1, (1, 5), padding=(0, 2), bias=False)
        self.up = nn.ConvTranspose1d(4, 1, 4, 2, 1)

    def forward(self, mel):
        x = F.interpolate(mel.unsqueeze(1), scale_factor=(1, 3), mode="nearest")
        return self.up(self.rows(x).squeeze(1))


#: Name, module, shape of the input.
ZOO = {
    "hifigan": (HiFiGAN, (1, 8, 12)),
    "melgan": (MelGAN, (1, 8, 12)),
    "codec": (Codec, (1, 6, 10)),
    "trimmed-by-length": (TrimmedByLength, (1, 2, 9)),
    "demucs": (Demucs, (1, 2, 64)),
    "subpixel": (Subpixel, (1, 4, 12)),
    "subpixel-interleaved": (lambda: Subpixel(interleaved=True), (1, 4, 12)),
    "pixel-shuffle": (PixelShuffle, (1, 4, 12)),
    "nearest": (lambda: Interpolated("nearest", scale_factor=3), (1, 4, 12)),
    "nearest-exact": (lambda: Interpolated("nearest-exact", scale_factor=2), (1, 4, 12)),
    "nearest-1.5": (lambda: Interpolated("nearest", scale_factor=1.5), (1, 4, 12)),
    "linear": (lambda: Interpolated("linear", scale_factor=4), (1, 4, 12)),
    "linear-1.5": (lambda: Interpolated("linear", scale_factor=1.5), (1, 4, 12)),
    "bilinear": (lambda: Interpolated("bilinear", scale_factor=(1, 2)), (1, 4, 12)),
    "bicubic": (lambda: Interpolated("bicubic", scale_factor=(1, 2)), (1, 4, 12)),
    "channels-last": (ChannelsLast, (1, 12, 6)),
    "scripted-snake": (ScriptedSnake, (1, 4, 12)),
    "anti-aliased": (AntiAliased, (1, 3, 24)),
    "in-place": (InPlace, (1, 3, 12)),
    "shared": (Shared, (1, 4, 12)),
    "lstm": (Recurrent, (1, 4, 12)),
    "gru": (lambda: Recurrent(nn.GRU), (1, 4, 12)),
    "rows": (PeriodRows, (1, 4, 12)),
    "plain": (lambda: nn.Sequential(nn.Conv1d(2, 3, 3, padding=1), nn.SiLU()), (1, 2, 12)),
}


def made_by(module, *inputs):
    """Return what a module makes of arrays, in double precision."""
    import copy

    torch.manual_seed(0)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        fresh = _double(copy, module)
        return fresh(*(torch.tensor(each) for each in inputs)).numpy()


def _double(copy, module):
    """Return a module like this one in double precision; weights that a hook made are made anew."""
    kept = {}
    for each in module.modules():
        for name, value in list(vars(each).items()):
            if isinstance(value, torch.Tensor) and not value.is_leaf:
                kept[each, name] = value
                vars(each)[name] = value.detach()
    try:
        return copy.deepcopy(module).double()
    finally:
        for (each, name), value in kept.items():
            vars(each)[name] = value


def laid_flat(array, axis):
    """Return a tensor as (1, channels, time)."""
    last = np.moveaxis(array, axis, -1)
    return last.reshape(1, -1, last.shape[-1])


def longer(shape, axis, length):
    """Return a shape with another length."""
    return tuple(length if at == axis else size for at, size in enumerate(shape))


def assert_same(graph, want, *inputs, operations=4096):
    """Compare the witness's run of a graph with (1, channels, time), edges included."""
    got = run_graph(graph, inputs)[graph.end]
    assert got.shape == want.shape
    # The modules are shallow and their weights of order one: rounding grows by the number of terms.
    scale = max(1.0, float(np.abs(want).max()))
    assert np.abs(got - want).max() <= rounding(operations, scale)
