"""Laws of length and place: how many samples leave, crops, output padding, dilation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from upsim.errors import ShapeError
from upsim.layers.base import Activation, Branch, Layer, LinearLayer, Normalisation
from upsim.layers.convolution import Conv, TransposedConv
from upsim.layers.samples import Crop
from upsim.operators.operator import Real
from upsim.testing.laws.comparison import (
    agree,
    largest_row,
    margin,
    probe,
    room,
    spectral_margin,
)
from upsim.testing.laws.law import law
from upsim.testing.laws.subject import is_linear, operator_of, run_finite

_LENGTHS = 24


def _length(count_of: object, length: int) -> int | None:
    """Return a length law's answer, None where it refuses the input as too short."""
    try:
        return count_of(length)  # type: ignore[operator,no-any-return]
    except ShapeError:
        return None


@law(
    of=(LinearLayer, Branch, Activation, Normalisation),
    formula="n' = floor((n U + extra) / D), step by step",
    source="torch.nn.Conv1d and ConvTranspose1d: the length formulas in their documentation",
)
def length(layer: Layer, channels: int) -> None:
    """Check that as many samples and channels leave as the layer says, for every input length."""
    runs = 0
    for count in range(1, _LENGTHS):
        promised = _length(layer.output_length, count)
        if promised is None:
            continue
        made = run_finite([layer], probe(channels, count))
        runs += 1
        expected = (layer.channels_out(channels), promised)
        if made.shape != expected:
            raise AssertionError(f"{count} samples become {made.shape}, promised are {expected}")
    if not runs:
        raise AssertionError(f"no input of up to {_LENGTHS - 1} samples is accepted")
    if not is_linear(layer):
        return
    operator = operator_of(layer, channels)
    if operator.length.rate != layer.rate or layer.rate * operator.down != operator.up:
        raise AssertionError(f"rate {layer.rate}, but the operator's is {operator.length.rate}")
    if operator.out_channels != layer.channels_out(channels):
        raise AssertionError(
            f"{layer.channels_out(channels)} channels out, the operator has {operator.out_channels}"
        )
    # Reflect and circular padding ask for more than a sample, which only the layer knows.
    for count in range(layer.shortest_input, _LENGTHS):
        pair = _length(layer.output_length, count), _length(operator.output_length, count)
        if pair[0] != pair[1] and not isinstance(layer, Branch):
            raise AssertionError(
                f"{count} samples: the layer says {pair[0]}, the operator {pair[1]}"
            )


def full_response(layer: TransposedConv, samples: Real) -> Real:
    """Return what the kernel makes before anything is cropped, tap by tap as the formula says."""
    weight, groups = layer.weight_array(), layer.groups
    rows, columns = layer.out_channels // groups, layer.in_channels // groups
    count, step = samples.shape[1], layer.stride
    full = np.zeros((layer.out_channels, (count - 1) * step + layer.reach))
    for inward, out, tap in np.ndindex(*weight.shape):
        start = tap * layer.dilation
        place = slice(start, start + (count - 1) * step + 1, step)
        full[inward // columns * rows + out, place] += weight[inward, out, tap] * samples[inward]
    return full


@law(
    of=(TransposedConv, Crop),
    formula="y[n] = full[n + left], 0 <= n < n' ; |H| unchanged",
    source="torch.nn.ConvTranspose1d: padding removes samples of the full response",
)
def crops(layer: Layer, channels: int) -> None:
    """Check that a crop cuts samples from the ends and shifts the rest; it changes no gain."""
    operator = operator_of(layer, channels)
    samples = probe(channels, 3 * room(operator))
    if isinstance(layer, Crop):
        left, right = layer.left, layer.right
        full = samples
    else:
        assert isinstance(layer, TransposedConv)
        left, right = layer.padding, layer.padding - layer.output_padding
        wide = operator_of(replace(layer, padding=0, output_padding=0), channels)
        full = full_response(layer, samples)
        grid = np.arange(16) / 16
        agree(
            np.abs(operator.gains(grid)),
            np.abs(wide.gains(grid)),
            within=spectral_margin(operator, 0, largest_row(operator))
            + spectral_margin(wide, 0, largest_row(wide)),
            what="absolute gains, cropped and not",
        )
    padded = np.pad(full, ((0, 0), (max(-left, 0), max(-right, 0))))
    kept = padded[:, max(left, 0) : padded.shape[1] - max(right, 0)]
    agree(operator.apply(samples), kept, within=margin(samples, operator), what="the kept samples")


@law(
    of=TransposedConv,
    formula="y_p[n] = y_0[n] for n < n'_0, and n'_p = n'_0 + p",
    source="torch.nn.ConvTranspose1d: output_padding adds size to one side only",
)
def output_padding(layer: Layer, channels: int) -> None:
    """Check that output padding only lengthens the output at its right end."""
    assert isinstance(layer, TransposedConv)
    most = max(layer.stride, layer.dilation) - 1
    without = replace(layer, output_padding=0)
    samples = probe(channels, 3 * room(operator_of(without, channels)))
    plain = run_finite([without], samples)
    within = margin(samples, operator_of(without, channels))
    for more in range(most + 1):
        longer = run_finite([replace(layer, output_padding=more)], samples)
        if longer.shape[1] != plain.shape[1] + more:
            raise AssertionError(
                f"output_padding={more} makes {longer.shape[1]} samples of {plain.shape[1]}"
            )
        agree(longer[:, : plain.shape[1]], plain, within=within, what=f"with output_padding={more}")


@law(
    of=(Conv, TransposedConv),
    formula="H_d(f) = H_1(d f)",
    source="Vaidyanathan 1993, section 4.1: H(z^d) has d - 1 zeros between the taps",
)
def dilation(layer: Layer, channels: int) -> None:
    """Check that dilation by d turns H(z) into H(z^d)."""
    assert isinstance(layer, Conv | TransposedConv)
    changes = {"padding": 0, "dilation": 1}
    changes |= {"output_padding": 0} if isinstance(layer, TransposedConv) else {"stride": 1}
    narrow = operator_of(replace(layer, **changes), channels).stretch_fir()  # type: ignore[arg-type]
    grid = np.arange(16) / 16
    for spread in sorted({1, 2, 3, layer.dilation}):
        wide = operator_of(
            replace(layer, **changes | {"dilation": spread}),  # type: ignore[arg-type]
            channels,
        ).stretch_fir()
        # Conv's taps run backwards in time, from -(reach - 1) to 0: no crop is left to align.
        agree(
            wide.response(grid),
            narrow.response(spread * grid),
            within=spectral_margin(wide, 0, wide.factor * largest_row(wide)) * spread,
            what=f"H at dilation {spread} and H at {spread} times the frequency",
        )
