"""Deep networks whose lines were lost: each against torch, and against a number kept from torch."""

import tracemalloc
from functools import cache

import numpy as np
import pytest
from hypothesis import Phase, given, settings

import upsim
from upsim.testing import deep_stacks
from upsim.words.tolerance import rounding

torch = pytest.importorskip("torch", reason='torch is missing: pip install ".[torch]"')
from . import networks, precision, torch_run  # noqa: E402 - they need torch

pytestmark = pytest.mark.torch


def plain_stack():
    deep = [upsim.Conv(8, 8, 7, padding=3) for _ in range(20)]
    first, last = upsim.TransposedConv(8, 8, 4, 2, 1), upsim.TransposedConv(8, 1, 4, 2, 1)
    return upsim.Stack([first, *deep, last], 16000).draw(3)


def small_hifigan():
    """A vocoder of 32 channels: four stages, each with blocks of kernels 3, 7 and 11."""

    def block(channels, count):
        chains = []
        for dilation in (1, 3, 5):
            reach, half = dilation * (count - 1) // 2, count // 2
            chains.append(
                upsim.Residual(
                    upsim.LeakyReLU(0.1),
                    upsim.Conv(channels, channels, count, padding=reach, dilation=dilation),
                    upsim.LeakyReLU(0.1),
                    upsim.Conv(channels, channels, count, padding=half),
                )
            )
        return tuple(chains)

    layers, channels = [upsim.Conv(10, 32, 7, padding=3)], 32
    for stride, count in ((8, 16), (8, 16), (2, 4), (2, 4)):
        up = upsim.TransposedConv(channels, channels // 2, count, stride, (count - stride) // 2)
        channels //= 2
        blocks = upsim.Parallel(*(block(channels, count) for count in (3, 7, 11)), merge="mean")
        layers += [upsim.LeakyReLU(0.1), up, blocks]
    layers += [upsim.LeakyReLU(), upsim.Conv(channels, 1, 7, padding=3), upsim.Tanh()]
    return upsim.Stack(layers, 22050).draw(0)


def residual_blocks():
    def block():
        inner = upsim.Conv(4, 4, 3, padding=1), upsim.ReLU(), upsim.Conv(4, 4, 3, padding=1)
        return upsim.Residual(*inner)

    first, last = upsim.TransposedConv(4, 4, 8, 4, 2), upsim.Conv(4, 1, 3, padding=1)
    return upsim.Stack([first, *(block() for _ in range(30)), last], 16000).draw(5)


def normalised(count, norm, seed):
    weight = upsim.Normal(0.17)
    deep = [upsim.Conv(8, 8, 7, padding=3, weight=weight, bias=False) for _ in range(count)]
    up = upsim.TransposedConv(8, 8, 4, 2, 1)
    return upsim.Stack([up, *deep, norm, upsim.TransposedConv(8, 1, 4, 2, 1)], 16000).draw(seed)


#: Each network, and the amplitudes of its first lines by torch in double precision.
DEEP = {
    "20 convolutions": (plain_stack, (0.296890, 0.000002, 0.255336)),
    "a vocoder of 32 channels": (small_hifigan, (0.020571, 0.000116, 0.000243)),
    "30 residual blocks": (residual_blocks, (0.327000, 0.084630, 0.086232)),
    "GroupNorm behind 16 convolutions": (
        lambda: normalised(16, upsim.GroupNorm(2, 8), 0),
        (0.391061, 0.436497, 0.383144),
    ),
    "InstanceNorm behind 12 convolutions": (
        lambda: normalised(12, upsim.InstanceNorm(8), 0),
        (0.307930, 0.808243),
    ),
}


@cache
def deep(name):
    return DEEP[name][0]()


@cache
def truth_of(name):
    return measured(deep(name), np.ones((deep(name).in_channels, 1)))


def measured(stack, period):
    nodes = networks.nodes_of(tuple(stack))

    def lines(arithmetic):
        fed = arithmetic(period[None])
        return torch.fft.rfft(torch_run.steady(nodes, [fed], arithmetic)[0], norm="forward")

    return precision.measured(lines, seed=0, operations=8 * len(nodes))


def spectrum(tones, truth):
    """Return the listed amplitudes at the places of the true ones."""
    lines = truth.values.shape[1]
    found = np.zeros(truth.values.shape, dtype=np.complex128)
    for tone in tones:  # all periods here are 1 or even
        found[:, int(tone.fraction * (2 * lines - 2))] = tone.amplitude
    return found


@pytest.mark.parametrize("name", DEEP)
def test_torch_gives_the_recorded_amplitudes(name):
    recorded = DEEP[name][1]
    found = np.abs(truth_of(name).values).max(axis=0)[: len(recorded)]
    assert tuple(found.round(6).tolist()) == recorded


@pytest.mark.parametrize("name", DEEP)
def test_every_line_above_the_true_rounding_is_listed(name):
    truth = truth_of(name)
    tones = upsim.predict(deep(name), upsim.Constant(1.0), provenance=False).tones
    assert np.abs(spectrum(tones, truth) - truth.values).max() <= truth.tolerance
    heard = np.flatnonzero(np.abs(truth.values).max(axis=0) > truth.tolerance)
    assert len(tones) >= heard.size


@pytest.mark.parametrize("name", DEEP)
def test_the_shares_of_every_line_add_up_to_it(name):
    truth = truth_of(name)
    tones = upsim.predict(deep(name), upsim.Constant(1.0)).tones
    assert len(tones) > 1
    for tone in tones:
        total = sum(share.amplitude for share in tone.contributions)
        assert np.abs(total - tone.amplitude).max() <= truth.tolerance


@pytest.mark.parametrize("linear", [True, False])
@pytest.mark.filterwarnings("ignore:Generating overly large repr")
def test_every_line_of_a_deep_stack_is_listed(linear):
    # A smaller stack says no more than a deep one here: no search for it.
    @settings(phases=[Phase.explicit, Phase.reuse, Phase.generate])
    @given(deep_stacks(linear=linear))
    def holds(stack):
        constant = np.linspace(0.5, 1.5, stack.in_channels)[:, None]
        truth = measured(stack, constant)
        tones = upsim.predict(stack, upsim.Constant(constant[:, 0]), provenance=False).tones
        assert np.abs(spectrum(tones, truth) - truth.values).max() <= truth.tolerance

    holds()


def hundreds_of_layers():
    return upsim.Stack([upsim.Nearest(2), upsim.Snake(1.0), upsim.Decimate(2)] * 300, 16000)


@pytest.mark.parametrize("amplitude", [0.01, 0.5])
def test_a_sine_through_900_layers_is_answered(amplitude):
    stack = hundreds_of_layers()
    samples = amplitude * np.cos(np.pi / 2 * np.arange(4))
    truth = measured(stack, samples[None])
    tones = upsim.predict(stack, upsim.Sine(4000, amplitude)).tones
    assert np.abs(spectrum(tones, truth) - truth.values).max() <= truth.tolerance


def test_noise_through_900_layers_is_answered():
    prediction = upsim.predict(hundreds_of_layers(), frequencies=5)
    # Every sample goes its own way, so white noise stays white.
    assert np.ptp(prediction.psd) <= rounding(900, float(prediction.psd.max()))


@pytest.mark.parametrize("provenance", [True, False])
def test_a_constant_through_900_layers_is_answered(provenance):
    stack = hundreds_of_layers()
    # One sample stands for all: a constant stays one.
    value = 0.01
    for _ in range(300):
        value += np.sin(value) ** 2
    (tone,) = upsim.predict(stack, upsim.Constant(0.01), provenance=provenance).tones
    truth = measured(stack, np.array([[0.01]]))
    assert abs(abs(tone.amplitude[0]) - value) <= truth.tolerance


def anti_aliased(channels):
    """A depthwise filter up, an activation, a depthwise filter down, as in some vocoders."""
    taps = np.random.default_rng(1).uniform(0.05, 0.2, (2, channels, 1, 12))
    sides = {"groups": channels, "bias": False}
    up = upsim.TransposedConv(channels, channels, 12, 2, 5, **sides, weight=taps[0])
    down = upsim.Conv(channels, channels, 12, 2, padding=5, **sides, weight=taps[1])
    ends = np.ones((1, channels, 1)) / channels
    last = upsim.Conv(channels, 1, 1, bias=False, weight=ends)
    return upsim.Stack([up, upsim.Snake(1.0), down, last], 16000)


@pytest.mark.parametrize("channels", [3, 48])
def test_depthwise_filters_around_an_activation_agree_with_torch(channels):
    stack = anti_aliased(channels)
    constant = np.linspace(-1, 1.5, channels)
    truth = measured(stack, constant[:, None])
    tones = upsim.predict(stack, upsim.Constant(constant)).tones
    (tone,) = tones
    assert np.abs(tone.amplitude - truth.values[:, 0]).max() <= truth.tolerance
    total = sum(share.amplitude for share in tone.contributions)
    assert np.abs(total - tone.amplitude).max() <= truth.tolerance


def test_a_depthwise_filter_takes_no_memory_of_all_pairs_of_channels():
    channels, number = 512, np.dtype(np.float64).itemsize
    stack = anti_aliased(channels)
    tracemalloc.start()
    try:
        upsim.predict(stack, upsim.Constant(1.0), provenance=False)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < channels**2 * number  # one number a pair of channels; the taps are 12 of them
