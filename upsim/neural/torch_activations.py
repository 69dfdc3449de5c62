"""Activations from torch's modules, and the snakes, which it does not have."""

from __future__ import annotations

from typing import Any

import numpy as np

from upsim.layers.activations import (
    ELU,
    GELU,
    Clamp,
    LeakyReLU,
    PReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Sin,
    Snake,
    SnakeBeta,
    Softplus,
    Tanh,
)
from upsim.layers.base import Activation
from upsim.layers.gated import GLU, Gate, Reciprocal, Softmax
from upsim.layers.pointwise import Pointwise
from upsim.neural.torch_layers import build, register_torch
from upsim.neural.torch_tensor import tensor, tensor_layer


@register_torch(ReLU)
def _relu(layer: ReLU, torch: Any) -> Any:  # noqa: ARG001
    return torch.nn.ReLU()


@register_torch(LeakyReLU)
def _leaky_relu(layer: LeakyReLU, torch: Any) -> Any:
    return torch.nn.LeakyReLU(layer.negative_slope)


@register_torch(PReLU)
def _prelu(layer: PReLU, torch: Any) -> Any:
    module = torch.nn.PReLU(layer.num_parameters, layer.init, dtype=torch.float64)
    if layer.weight is not None:
        module.weight = torch.nn.Parameter(tensor(torch, layer.weight))
    return module


@register_torch(Clamp)
def _clamp(layer: Clamp, torch: Any) -> Any:
    return tensor_layer(torch, layer, lambda x: torch.clamp(x, layer.min, layer.max))


@register_torch(Sin)
def _sin(layer: Sin, torch: Any) -> Any:
    return tensor_layer(
        torch,
        layer,
        lambda x, frequency, amplitude, phase: amplitude * torch.sin(frequency * x + phase),
        frequency=np.reshape(layer.frequency, (-1, 1)),
        amplitude=np.reshape(layer.amplitude, (-1, 1)),
        phase=np.reshape(layer.phase, (-1, 1)),
    )


@register_torch(ELU)
def _elu(layer: ELU, torch: Any) -> Any:
    return torch.nn.ELU(layer.alpha)


@register_torch(GELU)
def _gelu(layer: GELU, torch: Any) -> Any:
    if layer.approximate == "sigmoid":
        return tensor_layer(torch, layer, lambda x: x * torch.sigmoid(1.702 * x))
    return torch.nn.GELU(layer.approximate)


@register_torch(Tanh)
def _tanh(layer: Tanh, torch: Any) -> Any:  # noqa: ARG001
    return torch.nn.Tanh()


@register_torch(Sigmoid)
def _sigmoid(layer: Sigmoid, torch: Any) -> Any:  # noqa: ARG001
    return torch.nn.Sigmoid()


@register_torch(SiLU)
def _silu(layer: SiLU, torch: Any) -> Any:  # noqa: ARG001
    return torch.nn.SiLU()


@register_torch(Softplus)
def _softplus(layer: Softplus, torch: Any) -> Any:
    return torch.nn.Softplus(layer.beta, layer.threshold)


@register_torch(GLU)
def _glu(layer: GLU, torch: Any) -> Any:  # noqa: ARG001
    return torch.nn.GLU(dim=1)


@register_torch(Gate)
def _gate(layer: Gate, torch: Any) -> Any:
    def module(part: Activation | None) -> Any:
        return torch.nn.Identity() if part is None else build(part, torch)

    carrier, opening = module(layer.carrier), module(layer.opening)

    def gated(samples: Any) -> Any:
        first, second = samples.chunk(2, dim=1)
        return carrier(first) * opening(second)

    return tensor_layer(torch, layer, gated)


@register_torch(Reciprocal)
def _reciprocal(layer: Reciprocal, torch: Any) -> Any:
    return tensor_layer(torch, layer, torch.reciprocal)


@register_torch(Softmax)
def _softmax(layer: Softmax, torch: Any) -> Any:  # noqa: ARG001
    return torch.nn.Softmax(dim=1)


def _gelu_of(torch: Any, form: str) -> Any:
    return lambda x: torch.nn.functional.gelu(x, approximate=form)


@register_torch(Pointwise)
def _pointwise(layer: Pointwise, torch: Any) -> Any:
    named = {
        "elu": lambda x, alpha: torch.where(x > 0, x, alpha * torch.expm1(x)),
        "gelu": _gelu_of(torch, "none"),
        "gelu_tanh": _gelu_of(torch, "tanh"),
        "greater": lambda one, other: torch.gt(one, other).to(one.dtype),
        "leaky_relu": lambda x, slope: torch.where(x > 0, x, slope * x),
        "less": lambda one, other: torch.lt(one, other).to(one.dtype),
        "power": torch.pow,
        "softplus": lambda x, beta, threshold: torch.where(
            beta * x > threshold, x, torch.logaddexp(beta * x, torch.zeros_like(x)) / beta
        ),
        "where": lambda chosen, one, other: torch.where(chosen != 0, one, other),
    }
    constants = {
        f"c{number}_{place}": np.reshape(each, (-1, 1))
        for number, (_, *operands) in enumerate(layer.steps)
        for place, each in enumerate(operands)
        if not isinstance(each, str)
    }

    def run(samples: Any, **arrays: Any) -> Any:
        values = samples.chunk(layer.values, dim=1)
        results: list[Any] = []
        for number, (name, *operands) in enumerate(layer.steps):
            given = [
                (values if each[0] == "x" else results)[int(each[1:])]
                if isinstance(each, str)
                else arrays[f"c{number}_{place}"].expand_as(values[0])
                for place, each in enumerate(operands)
            ]
            function = named[name] if name in named else getattr(torch, name)
            results.append(function(*given))
        return results[-1]

    return tensor_layer(torch, layer, run, **constants)


@register_torch(Snake)
def _snake(layer: Snake, torch: Any) -> Any:
    alpha = np.reshape(layer.alpha, (-1, 1))
    return tensor_layer(
        torch, layer, lambda x, alpha: x + torch.sin(alpha * x).square() / alpha, alpha=alpha
    )


@register_torch(SnakeBeta)
def _snake_beta(layer: SnakeBeta, torch: Any) -> Any:
    return tensor_layer(
        torch,
        layer,
        lambda x, alpha, beta: x + torch.sin(alpha * x).square() / beta,
        alpha=np.reshape(layer.alpha, (-1, 1)),
        beta=np.reshape(layer.beta, (-1, 1)),
    )
