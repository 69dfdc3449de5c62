"""The two kernels of a wide random network as whole matrices over a finite stretch of time.

An oracle: it shares no code with upsim.  ``one[n, n'] = E x_n x_n'`` is the kernel of one run,
``two`` that of two runs with independent inputs through the same weights.  Every layer is written
as matrices of zeros and ones, every tap by itself::

    kernel behind random taps = var(w) channels sum_k S_k kernel S_k^T + var(b) B,

and every activation by its formula for two zero-mean Gaussian samples.  Edges are those of a
finite signal between zeros, so only the middle is the kernel of an endless one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Dense:
    one: np.ndarray
    two: np.ndarray

    def mapped(self, rule) -> Dense:
        return Dense(rule(self.one), rule(self.two))

    def __add__(self, other: Dense) -> Dense:
        return Dense(self.one + other.one, self.two + other.two)


def source(count, constant, noise) -> Dense:
    lines = np.full((count, count), constant**2)
    return Dense(lines + noise * np.eye(count), lines)


# Which input sample a tap carries to which output sample.


def placed(rows, columns, pairs):
    matrix = np.zeros((rows, columns))
    for row, column in pairs:
        if 0 <= row < rows and 0 <= column < columns:
            matrix[row, column] = 1.0
    return matrix


def transposed_taps(count, kernel, stride, padding=0):
    length = (count - 1) * stride - 2 * padding + kernel
    return [
        placed(length, count, [(m * stride + k - padding, m) for m in range(count)])
        for k in range(kernel)
    ]


def conv_taps(count, kernel, stride=1, padding=0, dilation=1):
    length = (count + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    return [
        placed(length, count, [(n, n * stride + k * dilation - padding) for n in range(length)])
        for k in range(kernel)
    ]


def subpixel_taps(count, kernel, factor, padding):
    """Taps of different phases are different weights: one matrix for each pair of them."""
    length = count + 2 * padding - kernel + 1
    return [
        placed(length * factor, count, [(n * factor + i, n + k - padding) for n in range(length)])
        for i in range(factor)
        for k in range(kernel)
    ]


def random_layer(given: Dense, taps, gain, bias=0.0, bias_period=1) -> Dense:
    """``gain`` is the variance of a weight times the channels that are added."""
    phase = np.arange(len(taps[0])) % bias_period
    shared = bias * (phase[:, None] == phase)
    return given.mapped(lambda kernel: gain * sum(s @ kernel @ s.T for s in taps) + shared)


def fixed_layer(given: Dense, matrix) -> Dense:
    return given.mapped(lambda kernel: matrix @ kernel @ matrix.T)


def hold(count, factor):
    return np.kron(np.eye(count), np.ones((factor, 1)))


def triangle(count, factor):
    """Linear interpolation on the input's grid, ``2 L - 1`` taps from ``-(L - 1)`` on."""
    rise = 1 - np.abs(np.arange(-factor + 1, factor)) / factor
    matrix = np.zeros((count * factor, count))
    for m in range(count):
        for k, weight in zip(range(-factor + 1, factor), rise, strict=True):
            if 0 <= m * factor + k < count * factor:
                matrix[m * factor + k, m] = weight
    return matrix


# E f(x) f(x') for zero-mean Gaussian x, x'; the variances are those of one run in both kernels.


def activated(given: Dense, rule) -> Dense:
    variance = np.diag(given.one)
    left, right = variance[:, None], variance[None, :]
    return given.mapped(lambda kernel: rule(left, right, kernel))


def relu(left, right, kernel):
    """Arc-cosine kernel of degree 1 (Cho & Saul 2009)."""
    scale = np.sqrt(left * right)
    angle = np.arccos(np.clip(kernel / scale, -1, 1))
    return scale / (2 * np.pi) * (np.sin(angle) + (np.pi - angle) * np.cos(angle))


def leaky_relu(slope):
    """``f = a x + (1 - a) max(x, 0)``, and ``E x max(x', 0) = E x x' / 2``."""

    def rule(left, right, kernel):
        rest = 1 - slope
        return slope * (slope + rest) * kernel + rest**2 * relu(left, right, kernel)

    return rule


def snake(left, right, kernel):
    """``x + sin^2 x = x + 1/2 - cos(2 x) / 2``; cosines from ``E e^{j(ax + bx')}``."""
    cosines = np.exp(-2 * (left + right)) * np.cosh(4 * kernel)
    return kernel + (1 - np.exp(-2 * left) - np.exp(-2 * right) + cosines) / 4
