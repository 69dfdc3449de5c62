"""Both kernels of the wide limit against whole matrices (dense_kernels), sample by sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

import upsim
from ensemble.dense_kernels import (
    Dense,
    activated,
    conv_taps,
    fixed_layer,
    hold,
    leaky_relu,
    random_layer,
    relu,
    snake,
    source,
    subpixel_taps,
    transposed_taps,
    triangle,
)
from upsim.theory.moments import EnsembleMoments
from upsim.theory.moments.propagation import propagate, starting_moments
from upsim.words.tolerance import rounding

CONSTANT, NOISE = 0.7, 0.3
SIGNAL = upsim.Constant(CONSTANT) + upsim.WhiteNoise(NOISE)
CHANNELS = 6
#: torch draws weights and biases of variance 1 / (3 fan-in).
THIRD = 1 / 3


def transposed(kernel, stride, padding=0):
    """A layer and what it makes of a kernel; torch's fan-in is that of the second axis."""
    variance = THIRD / (CHANNELS * kernel)

    def step(given):
        taps = transposed_taps(len(given.one), kernel, stride, padding)
        return random_layer(given, taps, variance * CHANNELS, variance)

    return upsim.TransposedConv(CHANNELS, CHANNELS, kernel, stride, padding), step


def conv(kernel, stride=1, padding=0, dilation=1):
    variance = THIRD / (CHANNELS * kernel)

    def step(given):
        taps = conv_taps(len(given.one), kernel, stride, padding, dilation)
        return random_layer(given, taps, variance * CHANNELS, variance)

    layer = upsim.Conv(CHANNELS, CHANNELS, kernel, stride, padding, dilation)
    return layer, step


def subpixel(kernel, factor, padding):
    variance = THIRD / (CHANNELS * kernel)

    def step(given):
        taps = subpixel_taps(len(given.one), kernel, factor, padding)
        return random_layer(given, taps, variance * CHANNELS, variance, factor)

    return upsim.SubpixelConv(CHANNELS, CHANNELS, kernel, factor, padding), step


def pointwise(layer, rule):
    return layer, lambda given: activated(given, rule)


RELU = pointwise(upsim.ReLU(), relu)
LEAKY = pointwise(upsim.LeakyReLU(0.1), leaky_relu(0.1))
SNAKE = pointwise(upsim.Snake(), snake)


def nearest(factor):
    return upsim.Nearest(factor), lambda given: fixed_layer(given, hold(len(given.one), factor))


def linear(factor):
    layer = upsim.Linear(factor, "triangle")
    return layer, lambda given: fixed_layer(given, triangle(len(given.one), factor))


def residual(*steps):
    def step(given):
        made = given
        for _, rule in steps:
            made = rule(made)
        return made + given

    return upsim.Residual(*(layer for layer, _ in steps)), step


def side_by_side(*branches):
    """Add residual blocks beside each other: n times the input, and each body."""

    def step(given):
        made = given
        for branch in branches:
            body = given
            for _, rule in branch:
                body = rule(body)
            made = made + body
        # The input adds up as an amplitude: n^2 times its power, one of which is there already.
        again = len(branches) ** 2 - 1
        return made + given.mapped(lambda kernel: again * kernel)

    residuals = [upsim.Residual(*(layer for layer, _ in branch)) for branch in branches]
    return upsim.Parallel(*residuals), step


CASES = {
    "full overlap": [transposed(4, 2, 1), RELU, transposed(8, 4, 2), RELU],
    "partial overlap": [transposed(5, 3), LEAKY, transposed(3, 2), RELU],
    "no overlap": [transposed(2, 2), SNAKE, transposed(2, 3), RELU],
    "nearest": [nearest(3), conv(3, padding=1), RELU, nearest(2), conv(5, padding=2), SNAKE],
    "linear": [conv(3, padding=1), LEAKY, linear(2), conv(3, padding=1), RELU],
    "subpixel": [subpixel(3, 2, 1), RELU, subpixel(3, 3, 1), LEAKY],
    "strided and dilated": [
        *(transposed(5, 4), RELU, conv(4, 2, 1), LEAKY, conv(3, 1, 2, 2), RELU),
    ],
    "residual": [
        *(transposed(5, 2), RELU, conv(3, padding=1)),
        *(residual(LEAKY, conv(3, 1, 3, 3), SNAKE, conv(1)), RELU),
    ],
    "residuals side by side": [
        *(transposed(5, 2), RELU, conv(3, padding=1)),
        *(side_by_side([LEAKY, conv(3, padding=1)], [SNAKE, conv(3, 1, 3, 3)]), RELU),
    ],
    "six rectifiers": [
        *(transposed(3, 2, 1), RELU, conv(3, padding=1), RELU, transposed(4, 2, 1), RELU),
        *(conv(3, padding=1), RELU, conv(3, padding=1), RELU, conv(1), RELU),
    ],
}

COUNT = 24


@dataclass(frozen=True)
class Compared:
    place: str
    error: float
    bound: float


def written_out(covariance, samples):
    """Return a covariance of two times as a matrix over the given samples."""
    lags = samples[None, :] - samples[:, None]
    rows = np.broadcast_to(samples[:, None] % covariance.period, lags.shape)
    fixed = covariance.fixed[rows, lags % covariance.fixed.shape[1]]
    near = np.abs(lags) <= covariance.reach
    column = np.where(near, lags + covariance.reach, 0)
    return Dense(fixed + np.where(near, covariance.excess[rows, column], 0.0), fixed)


def compared(steps, broken=lambda given: given):
    """Yield, behind each layer, the largest difference of either kernel."""
    stack = upsim.Stack([layer for layer, _ in steps], 48000)
    trace = propagate(stack, starting_moments(stack, [SIGNAL], provenance=False))
    dense, operations, largest = source(COUNT, CONSTANT, NOISE), 1, 1.0
    for number, (layer, rule) in enumerate(steps, 1):
        dense = broken(rule(dense))
        (group,) = trace.values[stack.ends[number]].groups
        # Behind each layer at most 9 taps and a skip are added, an activation takes two square
        # roots, an angle and its sine, each to a few roundings; slopes are at most 2.
        operations += 64
        largest *= 4 if isinstance(layer, upsim.Snake) else 1
        # Nine input samples at either end: no stack above reaches further.
        rate = len(dense.one) / COUNT
        inner = np.arange(int(9 * rate), int(15 * rate))
        found = written_out(group.second_moment(averaged=False), inner)
        wanted = dense.mapped(lambda kernel, inner=inner: kernel[np.ix_(inner, inner)])
        scale = largest * max(1.0, float(np.abs(wanted.one).max()))
        error = max(
            np.abs(found.one - wanted.one).max(),
            np.abs(found.two - wanted.two).max(),
        )
        yield Compared(f"{number} {layer!r}", float(error), rounding(operations, scale))


@pytest.fixture(autouse=True)
def phases_are_kept(monkeypatch):
    """Keep every record with its phases; a walk keeps averages where nothing needs more."""
    monkeypatch.setattr(EnsembleMoments, "over_time", lambda self: self)


@pytest.mark.parametrize("name", CASES)
def test_kernels_at_every_pair_of_samples(name):
    places = list(compared(CASES[name]))
    assert len(places) == len(CASES[name])
    for each in places:
        assert each.error <= each.bound, each


def stationary(given):
    """Break an oracle: average every diagonal, as if no kernel depended on the phase."""

    def averaged(kernel):
        made = np.empty_like(kernel)
        rows, columns = np.indices(kernel.shape)
        for lag in range(-len(kernel) + 1, len(kernel)):
            made[columns - rows == lag] = np.diagonal(kernel, lag).mean()
        return made

    return given.mapped(averaged)


def test_a_partial_overlap_taken_as_stationary_is_found():
    assert any(each.error > each.bound for each in compared(CASES["partial overlap"], stationary))


def test_lines_with_variances_of_their_own_are_found():
    def wrong(given):
        return Dense(
            relu(*_variances(given.one), given.one), relu(*_variances(given.two), given.two)
        )

    def _variances(kernel):
        return np.diag(kernel)[:, None], np.diag(kernel)[None, :]

    steps = [transposed(4, 2, 1), (upsim.ReLU(), wrong)]
    assert [each.error > each.bound for each in compared(steps)] == [False, True]
