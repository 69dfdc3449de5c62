"""Laws that read a layer's own words: padding modes, shuffle orders, pointwise functions."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Literal

import numpy as np

from upsim.layers.base import Activation, Layer, LinearLayer, Normalisation
from upsim.layers.convolution import Conv
from upsim.layers.samples import Decimate, Pad, Slice
from upsim.layers.subpixel import PeriodicShuffle, SubpixelConv
from upsim.operators import Operator
from upsim.operators.operator import Real
from upsim.testing.laws.comparison import agree, margin, normalisation_margin, probe, room
from upsim.testing.laws.law import law
from upsim.testing.laws.subject import operator_of, scaled_wire

_MODES: dict[str, Literal["constant", "reflect", "edge", "wrap"]] = {
    "zeros": "constant",
    "reflect": "reflect",
    "replicate": "edge",
    "circular": "wrap",
}


@law(
    of=(Conv, SubpixelConv, Pad),
    formula="conv(x; padding, mode) = conv(pad(x, mode); padding 0)",
    source="torch.nn.Conv1d: padding_mode; numpy.pad for the modes",
)
def padding(layer: Layer, channels: int) -> None:
    """Check that padding by a mode is no padding on an input that numpy.pad has extended."""
    if isinstance(layer, Pad):
        left, right, length = layer.left, layer.right, max(layer.left, layer.right) + 2
        bare: Operator = scaled_wire(channels)
        word = "mode"
    else:
        assert isinstance(layer, Conv | SubpixelConv)
        before = layer if isinstance(layer, Conv) else layer.convolution()
        left, right = before.pads
        bare = operator_of(replace(layer, padding=0, padding_mode="zeros"), channels)
        length = max(2 * before.reach, left + 1, right + 1) + before.stride + 1
        word = "padding_mode"
    for mode, name in _MODES.items():
        padded = operator_of(replace(layer, **{word: mode}), channels)  # type: ignore[arg-type]
        samples = probe(channels, length)
        extended = np.pad(samples, ((0, 0), (left, right)), mode=name)
        agree(
            padded.apply(samples),
            bare.apply(extended),
            within=margin(samples, bare),
            what=f"{word}={mode!r} and numpy.pad",
        )


def shuffled(rows: Real, factor: int, order: str) -> Real:
    """Interleave (C L, n) to (C, n L), entry by entry, as the words of each order say."""
    channels = rows.shape[0] // factor
    out = np.empty((channels, rows.shape[1] * factor))
    for channel in range(channels):
        for phase in range(factor):
            row = channel * factor + phase if order == "torch" else phase * channels + channel
            out[channel, phase::factor] = rows[row]
    return out


@law(
    of=(PeriodicShuffle, SubpixelConv),
    formula='y[c, m L + i] = x[c L + i, m] ("torch"), x[i C + c, m] ("tensorflow")',
    source="torch.nn.PixelShuffle; tf.batch_to_space",
)
def shuffle_order(layer: Layer, channels: int) -> None:
    """Check that a shuffle interleaves the channel groups in the order that it is named for."""
    assert isinstance(layer, PeriodicShuffle | SubpixelConv)
    # One output channel has nothing to confuse: a plain shuffle is tried with twice as many too.
    counts = [channels] if isinstance(layer, SubpixelConv) else [channels, 2 * channels]
    for order, count in product(("torch", "tensorflow"), counts):
        named = replace(layer, order=order)
        operator = operator_of(named, count)
        samples = rows = probe(count, 2 * room(operator))
        if isinstance(named, SubpixelConv):
            rows = operator_of(named.convolution(), count).apply(samples)
        agree(
            operator.apply(samples),
            shuffled(rows, layer.factor, order),
            within=margin(samples, operator),
            what=f"order={order!r}",
        )


@law(
    of=Decimate,
    formula="y[m] = x[m factor + phase]",
    source="the definition",
)
def decimation(layer: Layer, channels: int) -> None:
    """Check that a decimation keeps the samples of one phase and nothing else."""
    assert isinstance(layer, Decimate)
    for length in range(layer.phase + 1, layer.phase + 3 * layer.factor + 1):
        samples = probe(channels, length)
        agree(
            operator_of(layer, channels).apply(samples),
            samples[:, layer.phase :: layer.factor],
            within=0.0,
            what=f"{length} samples, decimated and sliced",
        )


@law(
    of=Slice,
    formula="y[m] = x[start + m step], up to the sample stop",
    source="the definition, by Python's own slices",
)
def slicing(layer: Layer, channels: int) -> None:
    """Check that a slice keeps the samples that Python's slice keeps, and as many."""
    assert isinstance(layer, Slice)
    least = (layer.start or 0) - (layer.stop or 0) + 1
    for length in range(least, least + 3 * layer.step):
        samples = probe(channels, length)
        agree(
            operator_of(layer, channels).apply(samples),
            samples[:, layer.start : layer.stop : layer.step],
            within=0.0,
            what=f"{length} samples, by the layer and by Python",
        )


@law(
    of=Activation,
    formula="f(x P) = f(x) P for every permutation P of time; and sample by sample",
    source="the definition of a pointwise function",
)
def pointwise(layer: Layer, channels: int) -> None:
    """Check that an activation treats every sample alike and by itself; batches change nothing."""
    assert isinstance(layer, Activation)
    samples = probe(channels, 12) / 4
    output = layer.function(samples)
    if output.shape != (layer.channels_out(channels), 12):
        raise AssertionError(f"{samples.shape} becomes {output.shape}")
    if not np.isfinite(output).all():
        raise AssertionError("finite samples give NaN or infinity")
    order = np.random.default_rng(0).permutation(12)
    agree(layer.function(samples[:, order]), output[:, order], within=0.0, what="permuted in time")
    alone = [layer.function(samples[:, n : n + 1]) for n in range(12)]
    agree(np.concatenate(alone, axis=1), output, within=0.0, what="sample by sample")
    agree(layer.function(samples[None])[0], output, within=0.0, what="in a batch of one")
    if not layer.mixes_channels:
        _refuse_mixing(layer, channels)


def _refuse_mixing(layer: Activation, channels: int) -> None:
    """Let every other channel change: a pointwise function of this one does not notice."""
    count = max(channels, 2) if layer.channels_in is None else channels
    samples = probe(count, 12) / 4
    output = layer.function(samples)
    for channel in range(count):
        others = probe(count, 12, seed=1) / 4
        others[channel] = samples[channel]
        agree(
            layer.function(others)[channel],
            output[channel],
            within=0.0,
            what=f"channel {channel}, the other channels changed,",
        )


@law(
    of=(LinearLayer, Activation, Normalisation),
    formula="A(1) x = A(2) x; f(1)(x) = f(2)(x)",
    source="a layer is a description and does not change",
)
def two_calls(layer: Layer, channels: int) -> None:
    """Check that a layer gives one answer, however often it is asked."""
    if isinstance(layer, Activation | Normalisation):
        samples = probe(channels, 12) / 4
        agree(layer.function(samples), layer.function(samples), within=0.0, what="two calls")
        return
    one, two = operator_of(layer, channels), operator_of(layer, channels)
    samples = probe(channels, one.down * room(one))
    agree(one.apply(samples), two.apply(samples), within=0.0, what="two operators' outputs")
    agree(one.offset_samples(one.up), two.offset_samples(one.up), within=0.0, what="two offsets")


@law(
    of=Normalisation,
    formula="f(x P) = f(x) P; f([x x]) = [f(x) f(x)]; f(x) = g (x - m) + b; "
    "f(x + a) = f(x) if m(a) = a",
    source="means over time do not know its order, nor how often a signal is repeated",
)
def time_statistics(layer: Layer, channels: int) -> None:
    """Check that a normalisation hears means over time only, and is linear once they are known."""
    assert isinstance(layer, Normalisation)
    samples = probe(channels, 12) / 4
    output = layer.function(samples)
    if output.shape != (layer.channels_out(channels), 12):
        raise AssertionError(f"{samples.shape} becomes {output.shape}")
    order = np.random.default_rng(0).permutation(12)
    # The offset below is the largest number that any of these computations meets.
    within = normalisation_margin(layer, np.tile(samples, 2)) + normalisation_margin(
        layer, samples + 8
    )
    agree(layer.function(samples[:, order]), output[:, order], within=within, what="permuted")
    twice = layer.function(np.tile(samples, 2))
    agree(twice, np.tile(output, 2), within=within, what="the signal once and twice")
    constant = np.full(channels, 8.0)
    if np.array_equal(layer.centre(constant), constant):
        agree(layer.function(samples + 8), output, within=within, what="with and without an offset")
    mean, variance = samples.mean(axis=1), samples.var(axis=1)
    operator = layer.operator_for(mean, variance)
    linear = operator.apply(samples) + operator.offset_samples(12)
    agree(linear, output, within=within, what="the linear map of these statistics")
    agree(layer.function(samples[None])[0], output, within=within, what="in a batch of one")
