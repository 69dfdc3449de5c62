"""Activations, each written out from its definition."""

from __future__ import annotations

import numpy as np

from upsim.errors import ShapeError
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
from upsim.neural.precision import Signal, like
from upsim.neural.registry import forward, register


def per_channel(samples: Signal, values: object, name: str) -> Signal:
    """Return one number, or one a channel as a column, in the precision of the samples."""
    numbers = like(samples, np.asarray(values, dtype=np.float64)).reshape(-1, 1)
    if len(numbers) not in (1, samples.shape[1]):
        raise ShapeError(
            f"{name} does not match the channels",
            given=f"{len(numbers)} values, {samples.shape[1]} channels",
            expected="one number for all, or one a channel",
        )
    return numbers


def sigmoid(samples: Signal) -> Signal:
    r"""Return :math:`1 / (1 + e^{-x})`."""
    from scipy.special import expit

    return np.asarray(expit(samples))


def hinge(samples: Signal, slope: Signal | float) -> Signal:
    """Return the positive part plus ``slope`` times the negative part."""
    return np.maximum(samples, 0) + slope * np.minimum(samples, 0)


@register(ReLU)
def relu(layer: ReLU, samples: Signal) -> Signal:  # noqa: ARG001
    """Zero where negative."""
    return np.where(samples > 0, samples, 0)


@register(LeakyReLU)
def leaky_relu(layer: LeakyReLU, samples: Signal) -> Signal:
    """Return ``x``, with a small slope where negative."""
    return hinge(samples, layer.negative_slope)


@register(PReLU)
def prelu(layer: PReLU, samples: Signal) -> Signal:
    """Return ``x``, with a learned slope where negative."""
    if layer.weight is None:
        return hinge(samples, layer.init)
    return hinge(samples, per_channel(samples, layer.weight, "weight"))


@register(Clamp)
def clamp(layer: Clamp, samples: Signal) -> Signal:
    """Not below ``min``, not above ``max``."""
    if layer.min is not None:
        samples = np.maximum(samples, like(samples, layer.min))
    return samples if layer.max is None else np.minimum(samples, like(samples, layer.max))


@register(Sin)
def sine(layer: Sin, samples: Signal) -> Signal:
    """``amplitude sin(frequency x + phase)``."""
    angle = per_channel(samples, layer.frequency, "frequency") * samples
    angle = angle + per_channel(samples, layer.phase, "phase")
    return per_channel(samples, layer.amplitude, "amplitude") * np.sin(angle)


@register(ELU)
def elu(layer: ELU, samples: Signal) -> Signal:
    """``alpha (e^x - 1)`` where negative."""
    return np.maximum(samples, 0) + layer.alpha * np.expm1(np.minimum(samples, 0))


@register(GELU)
def gelu(layer: GELU, samples: Signal) -> Signal:
    r"""``x/2 (1 + erf(x / sqrt 2))``, or one of its forms with a logistic.

    :math:`(1 + \tanh u) / 2 = \sigma(2 u)` with
    :math:`u = \sqrt{2/\pi}\,(x + 0.044715\, x^3)`.
    """
    if layer.approximate == "sigmoid":
        return samples * sigmoid(like(samples, 1.702) * samples)
    if layer.approximate == "tanh":
        cube = samples * samples * samples
        scale = like(samples, np.sqrt(8 / np.pi))
        return samples * sigmoid(scale * (samples + 0.044715 * cube))
    from scipy.special import erfc

    # 1 + erf(u) = erfc(-u), which keeps its digits where erf is near -1.
    return samples / 2 * np.asarray(erfc(-samples * like(samples, np.sqrt(0.5))))


@register(Tanh)
def tanh(layer: Tanh, samples: Signal) -> Signal:  # noqa: ARG001
    r"""With :math:`e = e^{-2|x|} - 1`: :math:`-e / (e + 2)`, with the sign of ``x``."""
    below = np.expm1(-2 * np.abs(samples))
    made: Signal = np.copysign(below / (below + 2), samples)
    return made


@register(Sigmoid)
def logistic(layer: Sigmoid, samples: Signal) -> Signal:  # noqa: ARG001
    """``1 / (1 + e^-x)``."""
    return sigmoid(samples)


@register(SiLU)
def silu(layer: SiLU, samples: Signal) -> Signal:  # noqa: ARG001
    """``x`` times its sigmoid."""
    return samples * sigmoid(samples)


@register(Softplus)
def softplus(layer: Softplus, samples: Signal) -> Signal:
    """``log(1 + e^(beta x)) / beta``; the identity past the threshold."""
    scaled = layer.beta * samples
    # log(1 + e^u) = max(u, 0) + log(1 + e^-|u|): no exponential of a large number.
    soft = np.maximum(scaled, 0) + np.log1p(np.exp(-np.abs(scaled)))
    return np.where(scaled > layer.threshold, samples, soft / layer.beta)


@register(GLU)
def glu(layer: GLU, samples: Signal) -> Signal:  # noqa: ARG001
    """Return the first half of the channels times the sigmoid of the second."""
    carried, gate = np.split(samples, 2, axis=1)
    return carried * sigmoid(gate)


@register(Gate)
def gate(layer: Gate, samples: Signal) -> Signal:
    """Return what the carrier makes of the first half times what opens it makes of the second."""

    def made(part: Activation | None, half: Signal) -> Signal:
        return half if part is None else forward(part, half)

    carried, opening = np.split(samples, 2, axis=1)
    return made(layer.carrier, carried) * made(layer.opening, opening)


@register(Reciprocal)
def reciprocal(layer: Reciprocal, samples: Signal) -> Signal:  # noqa: ARG001
    """``1 / x``."""
    return 1 / samples


@register(Softmax)
def softmax(layer: Softmax, samples: Signal) -> Signal:  # noqa: ARG001
    """Return the exponentials over their sum, the largest taken out of both."""
    powers: Signal = np.exp(samples - np.max(samples, axis=1, keepdims=True))
    return np.asarray(powers / np.sum(powers, axis=1, keepdims=True))


@register(Snake)
def snake(layer: Snake, samples: Signal) -> Signal:
    """``x + sin^2(alpha x) / alpha``."""
    alpha = per_channel(samples, layer.alpha, "alpha")
    wave = np.sin(alpha * samples)
    return samples + wave * wave / alpha


@register(SnakeBeta)
def snake_beta(layer: SnakeBeta, samples: Signal) -> Signal:
    """``x + sin^2(alpha x) / beta``."""
    wave = np.sin(per_channel(samples, layer.alpha, "alpha") * samples)
    return samples + wave * wave / per_channel(samples, layer.beta, "beta")
