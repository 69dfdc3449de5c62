"""Every elementwise function of torch, through its door, against torch in double precision."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason='torch is missing: pip install ".[torch]"')

from torch import nn  # noqa: E402
from torch.nn.modules import activation  # noqa: E402

import upsim  # noqa: E402
from upsim.layers.operations import OPERATIONS  # noqa: E402
from upsim.words.tolerance import rounding  # noqa: E402

#: From the size of a rounding of 16 bits to far beyond full scale, and silence.
SIZES = np.concatenate([[0.0], 10.0 ** np.linspace(-6, 4, 41)])
EVERYWHERE = np.stack([np.concatenate([-SIZES[1:], SIZES]), np.concatenate([SIZES, -SIZES[1:]])])


class Of(nn.Module):
    """A function of a signal."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def compare(module, samples=EVERYWHERE, operations=64):
    """Import a module, and compare what it makes of numbers with upsim's prediction."""
    module = module.double().eval()
    graph = upsim.from_torch(module, sample_rate=8000, input=(1, 2, 24))
    with torch.no_grad():
        want = module(torch.from_numpy(samples[None])).numpy()[0]
        rest = module(torch.zeros(1, 2, 24, dtype=torch.float64)).numpy()[0, :, 0]
    got = upsim.predict(graph, upsim.Recorded(samples, 8000)).waveform
    there = np.isfinite(want)
    size = np.maximum(np.abs(want), np.abs(samples[: len(want)]))
    apart = np.where(there, np.abs(got - np.where(there, want, 0)), 0)
    assert np.all(apart <= rounding(operations, 1.0) * np.where(there, 1 + size, 1))
    silent = [tone.amplitude for tone in upsim.predict(graph, upsim.Silence()).tones]
    assert np.allclose(silent[0] if silent else 0.0, rest, rtol=rounding(64, 1.0), atol=0)
    return graph


#: Those of torch.nn with another reading of the axes: not of each number alone.
NOT_ELEMENTWISE = {"MultiheadAttention", "Softmin", "Softmax", "Softmax2d", "LogSoftmax"}
ARGUMENTS = {"Threshold": (0.1, 1e-5), "Hardtanh": (-0.3, 0.4), "CELU": (0.5,), "GLU": (1,)}
OTHERS = {
    "GELU tanh": nn.GELU("tanh"),
    "Softplus of another slope": nn.Softplus(2.0, 5.0),
    "ELU of another height": nn.ELU(0.3),
    "Softshrink of another width": nn.Softshrink(0.2),
    "PReLU one a channel": nn.PReLU(2),
}


@pytest.mark.parametrize("name", sorted(set(activation.__all__) - NOT_ELEMENTWISE))
def test_every_activation_of_torch(name):
    graph = compare(getattr(nn, name)(*ARGUMENTS.get(name, ())))
    assert "Opaque" not in [type(part.layer).__name__ for part in graph.parts]


@pytest.mark.parametrize("name", OTHERS)
def test_activations_with_arguments(name):
    graph = compare(OTHERS[name])
    assert "Opaque" not in [type(part.layer).__name__ for part in graph.parts]


def between(x):
    """Return numbers from -0.9 to 0.9."""
    return 0.9 * torch.sin(x)


#: How torch says each operation that it does not call by the same name; where it is a number.
SAID = {
    "power": lambda x: torch.pow(x.abs() + 0.5, 1.5),
    "negative": torch.neg,
    "reciprocal": lambda x: torch.reciprocal(x.abs() + 0.5),
    "sqrt": lambda x: torch.sqrt(x.abs()),
    "exp": lambda x: torch.exp(between(x)),
    "exp2": lambda x: torch.exp2(between(x)),
    "expm1": lambda x: torch.expm1(between(x)),
    "log": lambda x: torch.log(x.abs() + 1e-5),
    "log2": lambda x: torch.log2(x.abs() + 1e-5),
    "log10": lambda x: torch.log10(x.abs() + 1e-5),
    "log1p": lambda x: torch.log1p(x.abs()),
    "tan": lambda x: torch.tan(between(x)),
    "arcsin": lambda x: torch.asin(between(x)),
    "arccos": lambda x: torch.acos(between(x)),
    "arctanh": lambda x: torch.atanh(between(x)),
    "arccosh": lambda x: torch.acosh(x.abs() + 1.5),
    "sinh": lambda x: torch.sinh(between(x)),
    "cosh": lambda x: torch.cosh(between(x)),
    "mod": lambda x: torch.remainder(x, 0.75),
    "fmod": lambda x: torch.fmod(x, 0.75),
    "arctan2": lambda x: torch.atan2(x, x * x - 1),
    "hypot": lambda x: torch.hypot(x, x - 1),
    "logaddexp": lambda x: torch.logaddexp(x, 0.5 * x),
    "maximum": lambda x: torch.maximum(x, 0.5 - x),
    "minimum": lambda x: torch.minimum(x, 0.5 - x),
    "add": lambda x: x + x * x,
    "subtract": lambda x: x * x - x,
    "multiply": lambda x: x * torch.tanh(x),
    "divide": lambda x: x / (1 + x * x),
    "gelu": nn.functional.gelu,
    "gelu_tanh": lambda x: nn.functional.gelu(x, approximate="tanh"),
    "leaky_relu": nn.functional.leaky_relu,
    "elu": nn.functional.elu,
    "softplus": nn.functional.softplus,
    "relu": torch.relu,
    "clip": lambda x: x.clamp(-1.0, 1e-5),
    "where": lambda x: torch.where(x > 0, x, torch.full_like(x, 1e-5)),
    "greater": lambda x: (x > 0.25).to(x.dtype),
    "less": lambda x: (x < 0.25).to(x.dtype),
    "equal": lambda x: torch.where(x == 0, 0.5, x),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_of_programs(name):
    function = SAID.get(name) or getattr(torch, name)
    graph = compare(Of(function))
    assert "Opaque" not in [type(part.layer).__name__ for part in graph.parts]


MORE = {
    "a band between": lambda x: torch.relu(x) - torch.relu(x - 12),
    "a floor far down": lambda x: torch.where(x > 0, x, 1e-5),
    "round to decimals": lambda x: torch.round(x, decimals=2),
    "round to tens": lambda x: torch.round(x, decimals=-1),
    "frac": torch.frac,
    "deg2rad": torch.deg2rad,
    "floor_divide": lambda x: torch.floor_divide(x, 0.3),
    "trunc_divide": lambda x: torch.div(x, 0.3, rounding_mode="trunc"),
    "xor": lambda x: torch.where(torch.logical_xor(x > 0, x > 1), x, -x),
    "or": lambda x: torch.where((x < 0) | (x >= 1), x, 0.5 * x),
    "and": lambda x: torch.where((x > 0) & (x <= 1), x, 0.5 * x),
    "not": lambda x: torch.where(~(x > 0), x, 0.5 * x),
    "not equal": lambda x: torch.where(x != 0, x, 0.5),
    "of two values": lambda x: torch.maximum(x[:, :1], x[:, 1:]),
    "power of two values": lambda x: torch.pow(x[:, :1].abs(), torch.tanh(x[:, 1:])),
    "a choice of two values": lambda x: torch.where(x[:, :1] > x[:, 1:], x[:, :1], 1e-5),
}


@pytest.mark.parametrize("name", MORE)
def test_functions_that_are_written_out(name):
    graph = compare(Of(MORE[name]))
    assert "Opaque" not in [type(part.layer).__name__ for part in graph.parts]


@pytest.mark.parametrize("function", [torch.special.erfcx, torch.special.i0, torch.sinc])
def test_what_programs_do_not_have_is_named(function):
    graph = compare(Of(lambda x: function(between(x))))
    layer = graph.parts[-1].layer
    assert isinstance(layer, upsim.Opaque)
    assert layer.reason
