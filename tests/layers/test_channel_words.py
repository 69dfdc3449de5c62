"""Scale, Select and Pad: what they do, where their ends are, what a network with them makes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import upsim
from upsim.errors import ArgumentError, ArgumentTypeError, ShapeError, TooLargeError
from upsim.words.tolerance import rounding

MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def recorded(layers, samples, in_channels):
    """Return the whole finite output that a prediction gives for a recording."""
    stack = upsim.Stack(layers, 8000, in_channels=in_channels)
    recording = upsim.Recorded(samples, stack.input_rate)
    return upsim.predict(stack, recording).waveform


@given(st.integers(0, 4), st.integers(0, 4), st.sampled_from(list(MODES)), st.integers(5, 9))
def test_a_recording_is_padded_as_numpy_pads_it(left, right, mode, count):
    samples = np.random.default_rng(count).standard_normal((2, count))
    weight = np.array([[[1.0, -2.0, 0.5]], [[0.25, 1.0, 3.0]]])
    conv = upsim.Conv(2, 2, 3, groups=2, bias=False, weight=weight)
    found = recorded([upsim.Pad(left, right, mode), conv], samples, 2)
    padded = np.pad(samples, ((0, 0), (left, right)), mode=MODES[mode])
    expected = [
        np.correlate(row, taps[0], "valid") for row, taps in zip(padded, weight, strict=True)
    ]
    scale = float(np.abs(weight).sum(axis=2).max() * np.abs(samples).max())
    assert np.allclose(found, expected, rtol=0, atol=rounding(8, scale))


def test_in_the_steady_state_a_padding_is_a_delay():
    sine = upsim.Sine(1000.0)
    plain = upsim.predict(upsim.Stack([upsim.Nearest(2)], 8000), sine)
    moved = upsim.predict(upsim.Stack([upsim.Nearest(2), upsim.Pad(3, 1)], 8000), sine)
    for one, other in zip(plain.tones, moved.tones, strict=True):
        turn = np.exp(-2j * np.pi * 3 * float(one.fraction))
        assert np.allclose(other.amplitude, one.amplitude * turn, rtol=rounding(64, 1.0), atol=0)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=6))
def test_selected_channels_keep_their_noise_and_their_lines(numbers):
    power, offset = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.5, 0.0, -1.0, 2.0])
    stack = upsim.Stack([upsim.Select(numbers)], 8000, in_channels=4)
    signal = upsim.WhiteNoise(power) + upsim.Constant(offset)
    answer = upsim.predict(stack, signal, frequencies=5)
    assert np.allclose(answer.noise_power, power[numbers], rtol=rounding(8, 1.0))
    constant = sum((tone.power for tone in answer.tones), np.zeros(len(numbers)))
    assert np.allclose(constant, offset[numbers] ** 2, rtol=rounding(8, 1.0))


def test_a_channel_that_is_selected_twice_is_one_signal():
    # x + x has four times the power of x, not twice.
    both = upsim.Conv(2, 1, 1, bias=False, weight=np.ones((1, 2, 1)))
    stack = upsim.Stack([upsim.Select([1, 1]), both], 8000, in_channels=2)
    answer = upsim.predict(stack, upsim.WhiteNoise([7.0, 1.0]))
    assert np.allclose(answer.noise_power, 4.0, rtol=rounding(16, 1.0))


def test_a_scale_multiplies_and_its_bias_is_a_source():
    stack = upsim.Stack([upsim.Scale([2.0, -0.5], bias=[0.0, 3.0])], 8000, in_channels=2)
    answer = upsim.predict(stack, upsim.WhiteNoise(1.0))
    assert np.allclose(answer.noise_power, [4.0, 0.25], rtol=rounding(8, 1.0))
    (line,) = answer.tones
    assert line.cause == "bias"
    assert line.power.tolist() == [0.0, 9.0]


def test_parts_of_the_channels_and_their_parameters():
    assert upsim.Select(slice(1, 8, 3)) == upsim.Select([1, 4, 7])
    assert upsim.Select(range(2)).channels_out(5) == 2
    assert upsim.Stack([upsim.Select([4, 0])], 8000).in_channels == 5
    assert upsim.Stack([upsim.GLU(), upsim.Select([1])], 8000).in_channels == 4
    assert upsim.Scale(0.5).parameters(7) == 0
    assert upsim.Scale([0.5, 1.0], bias=[1.0, 0.0]).parameters(2) == 4


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (lambda: upsim.Select([]), ArgumentError, "no channel is selected"),
        (lambda: upsim.Select([-1]), ArgumentError, r"channels\[0\]"),
        (lambda: upsim.Select(3), ArgumentTypeError, "must list channel numbers"),
        (lambda: upsim.Select("12"), ArgumentTypeError, "must list channel numbers"),
        (lambda: upsim.Select(range(10**9)), TooLargeError, "too many"),
        (lambda: upsim.Select(slice(None)), ArgumentTypeError, "channels.stop"),
        (lambda: upsim.Select(slice(0, 10**9)), TooLargeError, "too"),
        (lambda: upsim.Stack([upsim.Select([2])], 8000, in_channels=2), ShapeError, "is not there"),
        (lambda: upsim.Pad(-1, 0), ArgumentError, "left"),
        (lambda: upsim.Pad(1, 0, "mirror"), ArgumentError, "mode"),
        (lambda: upsim.Pad(3, 0, "reflect").output_length(3), ShapeError, "reaches further"),
        (lambda: upsim.Scale([[1.0]]), ShapeError, "a number, or one a channel"),
        (lambda: upsim.Scale([1.0, 2.0], bias=[1.0] * 3), ShapeError, "different numbers"),
        (lambda: upsim.Scale([1.0, 2.0]).channels_out(3), ShapeError, "do not match"),
    ],
)
def test_refusals(make, kind, words):
    with pytest.raises(kind, match=words):
        make()
