"""Deliberately broken forwards: the comparisons used here find every one of them."""

import importlib.util
from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import upfirdn

from upsim import neural
from upsim.layers import (
    ELU,
    GELU,
    GLU,
    Bias,
    Conv,
    Crop,
    Cubic,
    Decimate,
    HaarSynthesis,
    Hold,
    LeakyReLU,
    LearnedInterpolation,
    Linear,
    Nearest,
    Parallel,
    PeriodicShuffle,
    Residual,
    Slice,
    Snake,
    Softplus,
    SubpixelConv,
    TransposedConv,
    WindowedSinc,
)
from upsim.neural import registry

from .bounds import bound_of, difference
from .cases import drawn, noise


def correct(layer, samples):
    return registry._forward_of(type(layer))(layer, samples)


def changed(**fields):
    """A forward that performs the layer with other fields."""
    forwards = dict(registry._FORWARDS)
    return lambda layer, samples: forwards[type(layer)](replace(layer, **fields), samples)


def after(change):
    """A forward whose output is changed."""
    forwards = dict(registry._FORWARDS)
    return lambda layer, samples: change(forwards[type(layer)](layer, samples))


def before(change):
    """A forward whose input is changed."""
    forwards = dict(registry._FORWARDS)
    return lambda layer, samples: forwards[type(layer)](layer, change(samples))


def late(samples):
    """One sample late: an off-by-one in a padding, the length as it was."""
    return np.roll(samples, 1, axis=-1)


def nudged(samples):
    """A relative change of 1e-9, far below what anybody hears."""
    return samples * (1 + 1e-9)


def single(samples):
    return samples.astype(np.float32).astype(samples.dtype)


BROKEN = {
    "conv: padding off by one": (Conv(2, 2, 3, padding=1), 2, after(late)),
    "conv: one padded sample missing": (Conv(2, 2, 3, padding=2), 2, changed(padding=1)),
    "conv: dilation forgotten": (Conv(2, 2, 3, dilation=2), 2, changed(dilation=1)),
    "conv: zeros instead of reflection": (
        Conv(2, 2, 3, padding=1, padding_mode="reflect"),
        2,
        changed(padding_mode="zeros"),
    ),
    "conv: replicated instead of reflected": (
        Conv(2, 2, 3, padding=1, padding_mode="reflect"),
        2,
        changed(padding_mode="replicate"),
    ),
    "conv: bias lost": (Conv(2, 2, 3), 2, changed(bias=False)),
    "conv: weight back to front": (
        Conv(2, 2, 3),
        2,
        lambda layer, x: correct_conv(replace(layer, weight=layer.weight_array()[:, :, ::-1]), x),
    ),
    "conv: channels of a group swapped": (
        Conv(4, 4, 3, groups=2),
        4,
        before(lambda x: x[:, [1, 0, 2, 3]]),
    ),
    "conv: computed in single precision": (Conv(2, 2, 3), 2, before(single)),
    "conv: a change of 1e-9": (Conv(2, 2, 3), 2, after(nudged)),
    "transposed: crop off by one": (TransposedConv(2, 2, 4, 2, 1), 2, after(late)),
    "transposed: crop forgotten": (TransposedConv(2, 2, 4, 2, 1), 2, changed(padding=0)),
    "transposed: output padding on the left": (
        TransposedConv(2, 2, 4, 2, 1, 1),
        2,
        after(late),
    ),
    "transposed: overlap lost": (
        TransposedConv(2, 2, 4, 2),
        2,
        lambda layer, x: correct_transposed(
            replace(layer, weight=layer.weight_array() * [1, 1, 0, 0]), x
        ),
    ),
    "transposed: groups swapped": (
        TransposedConv(4, 4, 3, 2, groups=2),
        4,
        after(lambda y: y[:, [2, 3, 0, 1]]),
    ),
    "shuffle: the other order": (PeriodicShuffle(2), 4, changed(order="tensorflow")),
    "subpixel: the other order": (SubpixelConv(2, 2, 3, 2), 2, changed(order="tensorflow")),
    "subpixel: bias added after the shuffle": (
        SubpixelConv(1, 1, 3, 2),
        1,
        lambda layer, x: correct_subpixel(replace(layer, bias=False), x) + layer.bias_array()[0],
    ),
    "nearest: one sample late": (Nearest(2), 2, after(late)),
    "linear: the textbook triangle": (Linear(2), 2, changed(convention="triangle")),
    "linear: half-pixel": (Linear(3, "triangle"), 2, changed(convention="half-pixel")),
    "cubic: the other a": (Cubic(2), 2, changed(a=-0.5)),
    "sinc: one zero crossing fewer": (WindowedSinc(2), 2, changed(zeros=23)),
    "sinc: another window": (WindowedSinc(2), 2, changed(window="hamming")),
    "sinc: a rolloff of 0.946": (WindowedSinc(2), 2, changed(rolloff=0.946)),
    "learned: left and right exchanged": (
        LearnedInterpolation(2, weight=[1.0, 2.0]),
        2,
        changed(weight=[-1.0, -2.0]),
    ),
    "hold: looks ahead": (Hold(3), 2, after(lambda y: np.roll(y, -1, axis=-1))),
    "hold: one box fewer": (Hold(3, order=2), 2, changed(order=1)),
    "haar: detail upside down": (
        HaarSynthesis(),
        2,
        before(lambda x: x * np.array([[1.0], [-1.0]])),
    ),
    "haar: not normalised": (HaarSynthesis(), 2, after(lambda y: y / np.sqrt(2))),
    "bias: the wrong channel": (Bias([1.0, 2.0]), 2, changed(bias=[2.0, 1.0])),
    "crop: the wrong end": (Crop(2, 1), 2, changed(left=1, right=2)),
    "decimate: the wrong phase": (Decimate(3, phase=1), 2, changed(phase=0)),
    "slice: the end forgotten": (Slice(1, -2, 3), 2, changed(stop=None)),
    "residual: skip forgotten": (
        Residual(Conv(2, 2, 1)),
        2,
        lambda layer, x: registry.chain(layer.layers, x),
    ),
    "parallel: sum for mean": (
        Parallel(Conv(2, 2, 1), (), merge="mean"),
        2,
        after(lambda y: 2 * y),
    ),
    "leaky: slope 0.011": (LeakyReLU(), 2, changed(negative_slope=0.011)),
    "elu: alpha forgotten": (ELU(0.5), 2, changed(alpha=1.0)),
    "gelu: the tanh form": (GELU(), 2, changed(approximate="tanh")),
    "glu: halves exchanged": (GLU(), 4, before(lambda x: x[:, [2, 3, 0, 1]])),
    "softplus: beta forgotten": (Softplus(2.0), 2, changed(beta=1.0)),
    "snake: alpha of the wrong channel": (Snake([1.0, 2.0]), 2, changed(alpha=[2.0, 1.0])),
}

correct_conv = registry._FORWARDS[Conv]
correct_transposed = registry._FORWARDS[TransposedConv]
correct_subpixel = registry._FORWARDS[SubpixelConv]


@pytest.mark.torch
@pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="torch is missing: pip install torch"
)
@pytest.mark.parametrize("name", BROKEN)
def test_torch_finds_what_is_broken(name, monkeypatch):
    layer, channels, broken = BROKEN[name]
    layer, samples = drawn(layer), noise(2, channels, 23)
    theirs = neural.run_torch(layer, samples)
    bound = bound_of([layer], samples, np.float64, longest=theirs.shape[-1])
    assert not difference(neural.run(layer, samples), theirs, bound)
    monkeypatch.setitem(registry._FORWARDS, type(layer), broken)
    assert difference(neural.run(layer, samples), theirs, bound)


@pytest.mark.parametrize("broken", [after(late), after(nudged), before(single), before(late)])
def test_upfirdn_finds_what_is_broken(broken, monkeypatch):
    rng = np.random.default_rng(0)
    taps, samples = rng.normal(size=5), rng.normal(size=20)
    layer = TransposedConv(1, 1, 5, 2, bias=False, weight=taps[None, None])
    bound = bound_of([layer], samples, np.float64, longest=20)
    truth = upfirdn(taps, samples, 2)[None]
    assert not difference(neural.run(layer, samples[None]), truth, bound)
    monkeypatch.setitem(registry._FORWARDS, TransposedConv, broken)
    assert difference(neural.run(layer, samples[None]), truth, bound)


@pytest.mark.parametrize("change", [late, nudged])
def test_single_precision_against_double_finds_what_is_broken(change, monkeypatch):
    # A relative 1e-9 is below single precision's rounding and must pass; a shift must not.
    layer, samples = drawn(Conv(2, 2, 3)), noise(1, 2, 23)
    double = neural.run(layer, samples)
    bound = bound_of([layer], samples, np.float32, longest=23)
    monkeypatch.setitem(registry._FORWARDS, Conv, after(change))
    found = difference(neural.run(layer, samples, dtype=np.float32), double, bound)
    assert bool(found) == (change is late)
