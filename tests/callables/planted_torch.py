"""Modules and functions of torch with one fault each, as people write them."""

import pytest

import upsim

from .planted import EVEN_BIAS, SUB, SUB_BIAS, UP, UP_BIAS, L, subpixel, transposed

torch = pytest.importorskip("torch", reason="needs torch")
f = torch.nn.functional

UP_T, UP_BIAS_T = torch.tensor(UP), torch.tensor(UP_BIAS)


class Subpixel(torch.nn.Module):
    """A right one."""

    def __init__(self, weight=SUB, bias=SUB_BIAS):
        super().__init__()
        self.conv = torch.nn.Conv1d(3, 2 * L, 3, padding=1).double()
        with torch.no_grad():
            self.conv.weight.copy_(torch.tensor(weight.copy()))
            self.conv.bias.copy_(torch.tensor(bias))

    def forward(self, x):
        return self.shuffle(self.conv(x))

    def shuffle(self, y):
        b, _, n = y.shape
        return y.reshape(b, 2, L, n).transpose(2, 3).reshape(b, 2, n * L)


class Plain(Subpixel):
    def forward(self, x):
        y = self.conv(x)
        return y.view(y.shape[0], 2, y.shape[2] * L)


class TensorflowOrder(Subpixel):
    def shuffle(self, y):
        b, _, n = y.shape
        return y.reshape(b, L, 2, n).permute(0, 2, 3, 1).reshape(b, 2, n * L)


class Rolled(Subpixel):
    def shuffle(self, y):
        b, _, n = y.shape
        return super().shuffle(y.reshape(b, 2, L, n).roll(1, 2).reshape(b, 2 * L, n))


class LateBias(Subpixel):
    def __init__(self):
        super().__init__(bias=0 * SUB_BIAS)
        self.bias = torch.tensor(SUB_BIAS[:2, None])

    def forward(self, x):
        return super().forward(x) + self.bias


class Triangle(torch.nn.Module):
    def __init__(self, gain):
        super().__init__()
        taps = gain * (1 - torch.arange(1 - L, L, dtype=torch.float64).abs() / L)
        self.register_buffer("h", taps.expand(2, 1, -1).clone())

    def forward(self, x):
        return f.conv_transpose1d(
            x, self.h, stride=L, groups=2, padding=L - 1, output_padding=L - 1
        )


def up(x, weight=UP_T, bias=UP_BIAS_T, **given):
    return f.conv_transpose1d(x, weight, bias, L, **given)


def padded(x, *sides):
    return f.pad(up(x, bias=None, padding=3), sides) + UP_BIAS_T[:, None]


def faults():
    """Return (fault, callable, channels, layer)."""
    both = {"padding": 3, "output_padding": 2}
    uncut = transposed(output_padding=0)
    upsample = torch.nn.Upsample
    return [
        ("plain reshape", Plain(), 3, None),
        ("plain reshape", Plain(), 3, subpixel()),
        ("channel order", TensorflowOrder(), 3, subpixel()),
        ("kernel flip", lambda x: up(x, UP_T.flip(2), **both), 2, transposed()),
        ("kernel flip", Subpixel(SUB[..., ::-1]), 3, subpixel()),
        ("crop at the wrong end", lambda x: up(x)[..., 6:], 2, uncut),
        ("output_padding on the wrong side", lambda x: padded(x, 2, 0), 2, transposed()),
        ("gain L forgotten", Triangle(1 / L), 2, upsim.Linear(L, "triangle")),
        (
            "half-pixel against aligned",
            upsample(scale_factor=L, mode="linear", align_corners=True),
            2,
            None,
        ),
        (
            "half-pixel against triangle",
            upsample(scale_factor=L, mode="linear"),
            2,
            upsim.Linear(L, "triangle"),
        ),
        ("bias after the shuffle", LateBias(), 3, subpixel()),
        ("bias before the shuffle", Subpixel(), 3, subpixel(bias=EVEN_BIAS)),
        ("weights of another phase", Rolled(), 3, subpixel()),
        ("weights of another phase", Rolled().float(), 3, subpixel()),
    ]


def right():
    """Return (callable, channels, layer) without a fault."""
    return [
        (Subpixel(), 3, subpixel()),
        (lambda x: up(x, padding=3, output_padding=2), 2, transposed()),
        (Triangle(1.0), 2, upsim.Linear(L, "triangle")),
        (torch.nn.Upsample(scale_factor=L, mode="linear"), 2, upsim.Linear(L)),
    ]
