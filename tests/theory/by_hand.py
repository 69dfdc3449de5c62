"""An oracle in plain NumPy: the layers run in time, sample by sample of the kernel.

It reads a layer's fields and nothing else of upsim, except the one place where tolerances are
derived.  Inputs are (..., channels, time), so that a batch of unit impulses gives the matrix of a
stack.  With ``absolute=True`` every weight, bias and input is replaced by its magnitude and every
activation by its largest slope: the result bounds the sum of the magnitudes of all terms, which is
the scale that a rounding bound needs.
"""

from __future__ import annotations

import math

import numpy as np

from upsim.layers import (
    Bias,
    Conv,
    Crop,
    Decimate,
    LeakyReLU,
    Nearest,
    Parallel,
    PeriodicShuffle,
    ReLU,
    Residual,
    Sigmoid,
    Snake,
    Stretch,
    SubpixelConv,
    Tanh,
    TransposedConv,
)
from upsim.words.tolerance import rounding

#: Activation to (function, largest slope, magnitude at 0).
_FUNCTIONS = {
    ReLU: (lambda _, x: x * (x > 0), 1.0, 0.0),
    LeakyReLU: (lambda layer, x: x * np.where(x > 0, 1.0, layer.negative_slope), 1.0, 0.0),
    Tanh: (lambda _, x: np.tanh(x), 1.0, 0.0),
    Sigmoid: (lambda _, x: 1 / (1 + np.exp(-x)), 0.25, 0.5),
    # d/dx (x + sin^2(a x) / a) = 1 + sin(2 a x) <= 2
    Snake: (lambda layer, x: x + (1 - np.cos(2 * layer.alpha * x)) / (2 * layer.alpha), 2.0, 0.0),
}


#: Input samples of a run, at least: its first third is longer than any transient in these tests.
_LONG = 192


def run(stack, samples, *, absolute=False):
    """Run the layers of a stack on (..., channels, time)."""
    return _chain(tuple(stack), np.abs(samples) if absolute else samples, absolute)


def _chain(layers, x, absolute):
    for layer in layers:
        x = _layer(layer, x, absolute)
    return x


def _layer(layer, x, absolute):
    of = np.abs if absolute else np.asarray
    match layer:
        case Conv():
            return _conv(layer, x, of(layer.weight), _bias(layer, of))
        case SubpixelConv():
            wide = _conv(layer, x, of(layer.weight), _bias(layer, of))
            return _shuffle(wide, layer.factor, layer.order)
        case TransposedConv():
            return _transposed(layer, x, of(layer.weight), _bias(layer, of))
        case PeriodicShuffle():
            return _shuffle(x, layer.factor, layer.order)
        case Nearest():
            return np.repeat(x, layer.factor, axis=-1)
        case Stretch():
            return _stretched(x, layer.factor)
        case Bias():
            return (
                x + of(layer.bias) * np.ones((x.shape[-2], 1))
                if np.ndim(layer.bias) == 0
                else (x + of(layer.bias)[:, None])
            )
        case Crop():
            zeros = [np.zeros((*x.shape[:-1], max(0, -n))) for n in (layer.left, layer.right)]
            x = np.concatenate([zeros[0], x, zeros[1]], axis=-1)
            return x[..., max(0, layer.left) : x.shape[-1] - max(0, layer.right)]
        case Decimate():
            return x[..., layer.phase :: layer.factor]
        case Residual():
            return _chain(layer.layers, x, absolute) + _chain(layer.skip, x, absolute)
        case Parallel():
            parts = [_chain(branch, x, absolute) for branch in layer.branches]
            if layer.merge == "concatenate":
                return np.concatenate(parts, axis=-2)
            return sum(parts) / (len(parts) if layer.merge == "mean" else 1)
    function, slope, start = _FUNCTIONS[type(layer)]
    return slope * x + start if absolute else function(layer, x)


def _bias(layer, of):
    return np.zeros((1, 1)) if layer.bias is False else of(layer.bias)[:, None]


def _conv(layer, x, weight, bias):
    stride = getattr(layer, "stride", 1)
    pad = np.zeros((*x.shape[:-1], layer.padding))
    x = np.concatenate([pad, x, pad], axis=-1)
    reach = layer.dilation * (layer.kernel_size - 1) + 1
    count = (x.shape[-1] - reach) // stride + 1
    per_group, rows = weight.shape[1], weight.shape[0] // layer.groups
    total = 0
    for k in range(layer.kernel_size):
        seen = x[..., k * layer.dilation :: stride][..., :count]
        parts = [
            weight[g * rows : (g + 1) * rows, :, k]
            @ seen[..., g * per_group : (g + 1) * per_group, :]
            for g in range(layer.groups)
        ]
        total = total + np.concatenate(parts, axis=-2)
    return total + bias


def _transposed(layer, x, weight, bias):
    per_group, rows = weight.shape[0] // layer.groups, weight.shape[1]
    stretched = _stretched(x, layer.stride)[..., : (x.shape[-1] - 1) * layer.stride + 1]
    reach = layer.dilation * (layer.kernel_size - 1) + 1
    full = np.zeros(
        (*x.shape[:-2], layer.out_channels, stretched.shape[-1] + reach - 1 + layer.output_padding)
    )
    for k in range(layer.kernel_size):
        place = slice(k * layer.dilation, k * layer.dilation + stretched.shape[-1])
        for g in range(layer.groups):
            group = stretched[..., g * per_group : (g + 1) * per_group, :]
            taps = weight[g * per_group : (g + 1) * per_group, :, k].T
            full[..., g * rows : (g + 1) * rows, place] += taps @ group
    return full[..., layer.padding : full.shape[-1] - layer.padding] + bias


def _stretched(x, factor):
    made = np.zeros((*x.shape[:-1], x.shape[-1] * factor))
    made[..., ::factor] = x
    return made


def _shuffle(x, factor, order):
    channels = x.shape[-2] // factor
    made = np.zeros((*x.shape[:-2], channels, x.shape[-1] * factor))
    for c in range(channels):
        for i in range(factor):
            row = c * factor + i if order == "torch" else i * channels + c
            made[..., c, i::factor] = x[..., row, :]
    return made


def ups_and_downs(layers):
    """Return the products of all strides up and of all strides down: a whole block of a chain."""
    up = down = 1
    for layer in layers:
        if isinstance(layer, Residual | Parallel):
            parts = layer.branches if isinstance(layer, Parallel) else (layer.layers, layer.skip)
            blocks = [ups_and_downs(part) for part in parts]
            here = math.lcm(*(block[0] for block in blocks))
            up, down = up * here, down * (blocks[0][1] * here // blocks[0][0])
        elif isinstance(layer, TransposedConv):
            up *= layer.stride
        elif isinstance(layer, Conv):
            down *= layer.stride
        elif isinstance(layer, Decimate):
            down *= layer.factor
        else:
            up *= getattr(layer, "factor", 1)
    return up, down


def operations(layers):
    """Return the products and sums along the longest path through a chain."""
    count = 0
    for layer in layers:
        if isinstance(layer, Residual):
            count += max(operations(layer.layers), operations(layer.skip)) + 1
        elif isinstance(layer, Parallel):
            count += max(operations(branch) for branch in layer.branches) + len(layer.branches)
        elif hasattr(layer, "kernel_size"):
            count += layer.in_channels * layer.kernel_size + 1
        else:
            count += 4  # an elementary function, or one sum
    return count


def tolerance(stack, samples, *, more=0):
    """Return the bound between two runs of a stack on ``samples``; ``more`` further operations."""
    long = np.tile(samples, -(-_LONG // samples.shape[-1]))
    scale = float(run(stack, long, absolute=True).max())
    return rounding(operations(stack) + more, scale)


def steady_period(stack, period, count):
    """Return ``count`` output samples of a periodic input, far from the ends.

    The answer begins a whole number of ``count`` samples after the first output sample, in the
    middle third of the run.
    """
    inputs = max(_LONG, 6 * math.ceil(count / stack.rate))
    samples = np.tile(period, math.ceil(inputs / period.shape[-1]))
    made = run(stack, samples)
    start = -(-made.shape[-1] // (3 * count)) * count
    assert start + count <= 2 * made.shape[-1] // 3
    return made[..., start : start + count]


def lines_of(stack, period, count):
    """Return the Fourier coefficients of ``count`` steady output samples, (channels, count)."""
    return np.fft.fft(steady_period(stack, period, count), axis=-1) / count


def impulse_matrix(stack, length):
    """Return A (out channels, output samples, in channels, input samples), offsets taken off."""
    channels = stack.in_channels
    impulses = np.eye(channels * length).reshape(channels * length, channels, length)
    silent = run(stack, np.zeros((channels, length)))
    answers = run(stack, impulses) - silent
    return answers.transpose(1, 2, 0).reshape(*silent.shape, channels, length)


def steady_covariances(stack, length, powers, phases):
    """Return the covariances of a steady stretch of output: list over phases of (out, lags).

    White noise of the given power in each channel goes in: ``R = A diag(powers) A'``.  Row ``p``
    holds ``E y[n + d] y[n]`` for ``n = p`` modulo ``phases`` and every lag ``d``, lags ascending
    from ``-D`` to ``D``; D covers the whole support, which is checked.
    """
    matrix = impulse_matrix(stack, length)
    total = matrix.shape[1]
    weighted = matrix * np.asarray(powers)[:, None]
    middle = total // 2 // phases * phases
    lags = min(middle, total - middle - phases) - 1
    found = np.zeros((stack.out_channels, phases, 2 * lags + 1))
    for out in range(stack.out_channels):
        rows = matrix[out].reshape(total, -1)
        for phase in range(phases):
            here = weighted[out, middle + phase].reshape(-1)
            span = slice(middle + phase - lags, middle + phase + lags + 1)
            found[out, phase] = rows[span] @ here
    assert not found[:, :, 0].any()
    assert not found[:, :, -1].any()
    return found
