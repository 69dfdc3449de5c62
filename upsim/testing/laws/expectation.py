"""The law between drawing and foretelling draws: second moments of a layer's output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from upsim.layers.base import Layer, LinearLayer
from upsim.layers.composed import Composed
from upsim.layers.convolution import WeightedLayer
from upsim.layers.interpolation import LearnedInterpolation
from upsim.layers.weight_norm import WeightNorm
from upsim.operators import Operator
from upsim.operators.operator import Real
from upsim.operators.random_taps import ApartTaps, Part, RandomBias, RandomTaps
from upsim.testing.laws.comparison import agree, probe, room
from upsim.testing.laws.law import law
from upsim.words.tolerance import rounding, sampling

_DRAWS = 96


def undrawn(layer: Layer) -> Layer | None:
    """Return the layer with random weights in the place of drawn ones, None if it has none."""
    if not layer.is_drawn:
        return layer
    if isinstance(layer, WeightedLayer):
        return replace(layer, weight="torch", bias=True)  # type: ignore[type-var]
    if isinstance(layer, LearnedInterpolation):
        return replace(layer, weight="torch")
    inner = {item.name: getattr(layer, item.name) for item in fields(layer)}  # type: ignore[arg-type]
    changed: dict[str, Any] = {
        name: undrawn(value) for name, value in inner.items() if isinstance(value, LinearLayer)
    }
    if not any(changed.values()):
        return None
    return replace(  # type: ignore[type-var]
        layer, **{name: value for name, value in changed.items() if value is not None}
    )


def _has_random_weights(layer: Layer, channels: int) -> bool:
    del channels
    return undrawn(layer) is not None


@law(
    of=(WeightedLayer, LearnedInterpolation, WeightNorm, Composed),
    when=_has_random_weights,
    formula="E y y' by the moments of the taps = the average of y y' over drawn layers",
    source="in_expectation and draw speak of the same weights",
)
def expectation_of_draws(layer: Layer, channels: int) -> None:
    """Check that the second moments of a layer in expectation are the mean over its draws."""
    random = undrawn(layer)
    assert isinstance(random, LinearLayer)
    rng = np.random.default_rng(7)
    first = random.draw(rng).operator(channels)
    samples = probe(channels, first.down * max(2, -(-room(first) // first.down)))
    foretold = second_moment(random.in_expectation(channels), samples)
    found = np.stack([_output(random.draw(rng), samples) for _ in range(_DRAWS)])
    products = np.einsum("dcn,dem->dcnem", found, found)
    scale = float(np.abs(foretold).max(initial=0.0))
    average, deviation = products.mean(axis=0), products.std(axis=0)
    # Each entry in units of what it may be off by: one bound for all.
    unit = sampling(1.0, _DRAWS) * deviation + rounding(found.size, scale)
    unit = np.maximum(unit, np.finfo(np.float64).tiny)
    agree(
        (average - foretold) / unit,
        np.zeros_like(foretold),
        within=1.0,
        what="the second moments over draws, in units of what chance allows,",
    )


def _output(layer: Layer, samples: Real) -> Real:
    assert isinstance(layer, LinearLayer)
    return _behind(layer.operator(samples.shape[0]), samples)


def _behind(operator: Operator, samples: Real) -> Real:
    made = operator.periodic(samples)
    return np.asarray(made + operator.offset_samples(made.shape[1]))


def second_moment(parts: Sequence[Part], samples: Real) -> Real:
    """Return ``E y_c[n] y_e[m]``, (C, P, C, P), of a chain of parts, from one period (C, P)."""
    mean = samples
    second = np.einsum("cn,em->cnem", samples, samples)
    for part in parts:
        mean, second = _through(part, mean, second)
    return np.asarray(second)


def _through(part: Part, mean: Real, second: Real) -> tuple[Real, Real]:
    channels, period = mean.shape
    if isinstance(part, RandomTaps):
        shifts = _shifts(part.positions, part.factor, period)[:, :: part.stride]
        groups = channels // part.fan
        own = [
            np.einsum("cncm->nm", second[members][:, :, members])
            for members in np.array_split(np.arange(channels), groups)
        ]
        made = np.zeros((part.out_channels, shifts.shape[1]) * 2)
        for channel in range(part.out_channels):
            given = own[channel * groups // part.out_channels]
            made[channel, :, channel] = np.einsum(
                "kl,kan,nm,lbm->ab", part.tap_covariance, shifts, given, shifts, optimize=True
            )
        return np.zeros(made.shape[:2]), made
    if isinstance(part, ApartTaps):
        shifts = _shifts(part.positions, part.factor, period)
        along = np.einsum("k,kan->an", part.mean, shifts)
        made = np.einsum("an,cnem,bm->caeb", along, second, along, optimize=True)
        for channel in range(channels):
            made[channel, :, channel] = np.einsum(
                "kl,kan,nm,lbm->ab",
                part.products,
                shifts,
                second[channel, :, channel],
                shifts,
                optimize=True,
            )
        return np.asarray(mean @ along.T), made
    if isinstance(part, RandomBias):
        times = np.arange(period)
        alike = (times[:, None] - times) % part.period == 0
        added = part.variance * np.einsum("ce,nm->cnem", np.eye(channels), alike)
        return mean, second + added
    units = np.eye(channels * period).reshape(-1, channels, period)
    matrix = np.stack([part.periodic(unit) for unit in units], axis=-1)
    out, length = matrix.shape[:2]
    flat = matrix.reshape(out * length, -1)
    offset = part.offset_samples(length).ravel()
    behind = flat @ mean.ravel()
    made = flat @ second.reshape(flat.shape[1], -1) @ flat.T
    made = made + np.outer(behind, offset) + np.outer(offset, behind) + np.outer(offset, offset)
    return (behind + offset).reshape(out, length), made.reshape(out, length, out, length)


def _shifts(positions: Any, factor: int, period: int) -> Real:
    """Return, tap by tap, which input sample stands under which output sample, (K, P L, P)."""
    shifts = np.zeros((len(positions), period * factor, period))
    inputs = np.arange(period)
    for tap, position in enumerate(positions):
        shifts[tap, (inputs * factor + position) % (period * factor), inputs] += 1.0
    return shifts
