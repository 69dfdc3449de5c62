"""The strategies cover the catalogue and reach the corners that they claim to reach."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings

from upsim.layers import CATALOGUE, Branch, Conv, Layer, TransposedConv
from upsim.network.signals import Density, Recorded, Silence, Sine, Sum, WhiteNoise
from upsim.network.stack import Stack
from upsim.operators.edges import PADDING_MODES
from upsim.testing import (
    activations,
    kernels,
    layers,
    layers_with_channels,
    linear_layers,
    samples,
    signals,
    stacks,
    upsamplers,
)
from upsim.testing.laws.subject import is_linear
from upsim.testing.strategies import STRATEGIES, dyadics

# `find` stops at the first hit; 3000 tries without one fail the test.
SEARCH = settings(
    max_examples=3000, deadline=None, database=None, derandomize=True, phases=[Phase.generate]
)


def reach(strategy, condition):
    return find(strategy, condition, settings=SEARCH)


def test_every_layer_of_the_catalogue_has_a_strategy():
    missing, extra = set(CATALOGUE) - set(STRATEGIES), set(STRATEGIES) - set(CATALOGUE)
    assert not missing, f"add to upsim.testing.strategies.layers.STRATEGIES: {sorted(missing)}"
    assert not extra, f"not in upsim.layers.CATALOGUE: {sorted(extra)}"


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_strategy_makes_drawn_layers_of_its_class_that_take_the_channels(name):
    @settings(max_examples=10)
    @given(layers_with_channels(names=[name]))
    def holds(pair):
        layer, channels = pair
        assert type(layer) is CATALOGUE[name]
        assert layer.is_drawn
        assert layer.channels_out(channels) >= 1

    holds()


def plain(layer: Layer) -> TransposedConv:
    assert isinstance(layer, TransposedConv)
    return layer


TRANSPOSED = {
    "L = 1": lambda it: it.stride == 1,
    "L > K": lambda it: it.stride > it.kernel_size,
    "K = L": lambda it: it.stride == it.kernel_size > 1,
    "L divides K, K > L": lambda it: (
        it.kernel_size > it.stride > 1 and it.kernel_size % it.stride == 0
    ),
    "K > L, not a multiple": lambda it: (
        it.kernel_size > it.stride and it.kernel_size % it.stride != 0
    ),
    "dilation": lambda it: it.dilation > 1 and it.kernel_size > 1,
    "groups": lambda it: it.groups > 1,
    "output_padding": lambda it: it.output_padding > 0,
    "output_padding beyond the crop": lambda it: it.output_padding > it.padding,
    "crops": lambda it: it.padding > 0,
    "crops longer than the kernel": lambda it: 2 * it.padding > it.reach,
    "two channels in and out": lambda it: it.in_channels == 2 == it.out_channels,
    "more out than in": lambda it: it.out_channels > it.in_channels,
    "a zero kernel": lambda it: not it.weight_array().any(),
    "one channel's kernel zero": lambda it: (
        it.weight_array().any() and not it.weight_array()[0].any()
    ),
    "no bias": lambda it: it.bias is False,
    "a bias that is not zero": lambda it: it.bias is not False and np.any(it.bias),
    "equal phase gains": lambda it: (
        it.stride > 1
        and it.weight_array().any()
        and np.ptp(it.operator(it.in_channels).phase_gains(), axis=2).max() == 0
    ),
    "unequal phase gains": lambda it: (
        it.stride > 1 and np.ptp(it.operator(it.in_channels).phase_gains(), axis=2).max() > 0
    ),
}


@pytest.mark.parametrize("corner", TRANSPOSED)
def test_transposed_convolutions_reach(corner):
    reach(layers(names=["TransposedConv"]), lambda it: TRANSPOSED[corner](plain(it)))


@pytest.mark.parametrize("mode", PADDING_MODES)
@pytest.mark.parametrize("name", ["Conv", "SubpixelConv"])
def test_padding_modes_are_reached_with_something_padded(name, mode):
    def padded(it):
        before = it if isinstance(it, Conv) else it.convolution()
        return it.padding_mode == mode and max(before.pads) > 0

    reach(layers(names=[name]), padded)


@pytest.mark.parametrize("padding", ["same", "valid", 2])
def test_paddings_are_reached(padding):
    reach(layers(names=["Conv"]), lambda it: it.padding == padding and it.kernel_size > 1)


def test_uneven_same_padding_is_reached():
    reach(layers(names=["Conv"]), lambda it: it.pads[0] != it.pads[1])


def test_strided_and_dilated_convolutions_are_reached():
    reach(layers(names=["Conv"]), lambda it: it.stride > 1 and it.dilation > 1 and it.groups > 1)


@pytest.mark.parametrize("name", ["PeriodicShuffle", "SubpixelConv"])
@pytest.mark.parametrize("order", ["torch", "tensorflow"])
def test_both_orders_are_reached_where_they_differ(name, order):
    reach(
        layers_with_channels(names=[name]),
        lambda pair: (
            pair[0].order == order and pair[0].factor > 1 and pair[0].channels_out(pair[1]) > 1
        ),
    )


def test_a_subpixel_bias_with_a_tone_is_reached():
    def tone(it):
        offset = it.operator(it.in_channels).offset
        return offset is not None and bool(np.ptp(offset, axis=1).max() > 0)

    reach(layers(names=["SubpixelConv"]), tone)


def depth(layer):
    if not isinstance(layer, Branch):
        return 0
    return 1 + max((depth(each) for part in layer.parts for each in part), default=0)


@pytest.mark.parametrize("name", ["Residual", "Parallel"])
def test_branches_nest(name):
    reach(layers(names=[name]), lambda it: depth(it) >= 2)


@pytest.mark.parametrize("merge", ["sum", "mean", "concatenate"])
def test_every_merge_is_reached_with_an_upsampler_inside(merge):
    reach(
        layers(names=["Parallel"]),
        lambda it: it.merge == merge and len(it.branches) > 1 and it.rate > 1,
    )


@pytest.mark.parametrize("linear", [True, False])
def test_stacks_reach_branches_strides_and_several_upsamplers(linear):
    strategy = stacks(linear=linear)
    reach(strategy, lambda it: any(isinstance(layer, Branch) for layer in it))
    reach(strategy, lambda it: any(layer.rate < 1 for layer in it))
    reach(strategy, lambda it: sum(layer.rate > 1 for layer in it) >= 2)
    reach(strategy, lambda it: it.in_channels == 2 and it.out_channels == 1)
    reach(strategy, lambda it: it.rate.denominator > 1 and it.rate.numerator > 1)


@given(stacks(linear=True))
def test_linear_stacks_are_linear_and_fit_together(stack):
    assert all(is_linear(layer) for layer in stack)
    assert isinstance(stack, Stack)
    assert stack.is_drawn
    assert len(stack.nodes) >= len(stack)


def test_other_stacks_reach_activations_inside_branches():
    reach(
        stacks(linear=False),
        lambda it: any(isinstance(layer, Branch) and not is_linear(layer) for layer in it),
    )


@given(linear_layers())
def test_linear_layers_are_linear(layer):
    assert is_linear(layer)


@given(activations())
def test_activations_keep_the_rate(layer):
    assert layer.rate == 1
    assert not is_linear(layer)


def test_upsamplers_upsample():
    reach(upsamplers(), lambda it: it.rate == 4)
    reach(upsamplers(), lambda it: it.rate == 3)


@given(upsamplers())
def test_upsamplers_never_lower_the_rate(layer):
    assert layer.rate >= 1


@given(kernels())
def test_kernels_are_multiples_of_an_eighth(taps):
    assert taps.ndim == 3
    assert np.array_equal(taps * 8, np.round(taps * 8))


def test_kernels_reach_zero_and_two_channels():
    reach(kernels(), lambda taps: not taps.any() and taps.shape[0] == 2)
    reach(kernels(), lambda taps: taps.shape[:2] == (2, 2) and taps.all())
    assert reach(kernels(out_channels=2, in_channels=1, kernel_size=3), np.any).shape == (2, 1, 3)


def test_samples_and_dyadics_have_the_shape_and_range_asked_for():
    assert reach(samples(2, 3), np.all).shape == (2, 3)
    assert reach(dyadics(3), lambda value: value < -2) >= -3


@pytest.mark.parametrize("kind", [Silence, Sine, WhiteNoise, Density, Recorded, Sum])
def test_signals_reach(kind):
    reach(signals(channels=2), lambda it: isinstance(it, kind))


@given(signals(channels=2, input_rate=Fraction(44100, 7)))
def test_signals_fit_the_input_that_they_were_made_for(signal):
    rate = Fraction(44100, 7)
    for line in signal.lines(2, rate):
        assert 0 <= line.frequency <= rate / 2
        assert line.amplitude.shape == (2,)
    density = signal.density(np.linspace(0, float(rate) / 2, 5), 2, rate)
    assert density is None or density.shape == (2, 5)
    recording = signal.recording(2, rate)
    assert recording is None or recording.shape[0] == 2


@given(signals(random=False, recorded=False))
def test_signals_can_be_without_noise_and_recordings(signal):
    assert signal.density(np.array([100.0]), 1, Fraction(8000)) is None
    assert signal.recording(1, Fraction(8000)) is None
