"""Signals: lines, densities and recordings as their definitions say, and what is refused."""

from fractions import Fraction

import numpy as np
import pytest

import upsim
from upsim import Constant, Density, Recorded, Silence, Sine, Stack, WhiteNoise
from upsim.errors import ArgumentError, ArgumentTypeError, ShapeError
from upsim.layers import Nearest
from upsim.words.tolerance import rounding

RATE = Fraction(8000)


def samples_of(lines, count, rate):
    """Sum the lines and their mirrors sample by sample, each by its own exponential."""
    total = 0
    for line in lines:
        turns = float(line.frequency / rate) * np.arange(count)
        wave = line.amplitude[:, None] * np.exp(2j * np.pi * turns)
        own_mirror = line.frequency in (0, rate / 2)
        total = total + (wave.real if own_mirror else 2 * wave.real)
    return total


@pytest.mark.parametrize("frequency", [0, 440, Fraction(4000, 3), 4000])
@pytest.mark.parametrize("phase", [0.0, 0.7, np.pi / 2])
def test_a_sine_is_the_cosine_that_it_says(frequency, phase):
    count = 50
    lines = Sine(frequency, [2.0, 0.5], phase).lines(2, RATE)
    turns = 2 * np.pi * float(frequency) / float(RATE) * np.arange(count) + phase
    expected = np.outer([2.0, 0.5], np.cos(turns))
    # The argument of the cosine has up to `turns.max()` radians of a relative rounding each.
    slack = rounding(8, 2.0 * (1 + turns.max()))
    assert np.abs(samples_of(lines, count, RATE) - expected).max() <= slack


def test_a_constant_is_a_line_at_zero():
    (line,) = Constant([1.0, -2.0]).lines(2, RATE)
    assert line.frequency == 0
    assert np.array_equal(line.amplitude, [1.0, -2.0])


def test_silence_is_nothing():
    signal = Silence()
    assert signal.lines(1, RATE) == ()
    assert signal.density(np.zeros(3), 1, RATE) is None
    assert signal.recording(1, RATE) is None


def test_white_noise_has_its_power_between_minus_and_plus_nyquist():
    density = WhiteNoise([1.0, 3.0]).density(np.linspace(-4000, 4000, 9), 2, RATE)
    # Two-sided and flat: density times the rate is the variance.
    assert np.array_equal(density * float(RATE), [[1.0] * 9, [3.0] * 9])


def test_a_density_is_one_sided_as_welch_gives_it():
    signal = Density([0.0, 1000.0, 2000.0], [2.0, 2.0, 0.0])
    frequencies = np.asarray([0.0, 500.0, -500.0, 1500.0, 3000.0, 8500.0])
    # Half on each side, straight lines between the points, zero beyond, and periodic in the rate.
    assert np.array_equal(signal.density(frequencies, 1, RATE)[0], [1.0, 1.0, 1.0, 0.5, 0.0, 1.0])


def test_a_frequency_that_stands_twice_is_a_jump():
    signal = Density([1000.0, 1000.0, 2000.0, 2000.0], [0.0, 4.0, 4.0, 0.0])
    frequencies = np.asarray([999.0, 1000.0, 1500.0, 1999.0, 2001.0])
    assert np.array_equal(signal.density(frequencies, 1, RATE)[0], [0.0, 2.0, 2.0, 2.0, 0.0])
    assert signal.noise_power(1, RATE).tolist() == [4000.0]


@pytest.mark.parametrize("highest", [4000.0, 5000.0])
def test_a_density_reaches_up_to_exactly_half_the_rate(highest):
    # A ramp that is cut at half the rate, where its level is 4: the area of a triangle.
    signal = Density([0.0, highest], [0.0, highest / 1000])
    assert signal.density(np.asarray([4000.0]), 1, RATE).tolist() == [[2.0]]
    assert signal.noise_power(1, RATE)[0] == pytest.approx(8000.0, rel=rounding(8, 1.0))


def test_random_parts_have_powers_channel_by_channel():
    density = Density([0.0, 1.0], [[1.0, 1.0], [0.0, 2.0], [4.0, 4.0]])
    total = WhiteNoise([1.0, 2.0, 3.0]) + density + Sine(440) + Constant()
    assert total.noise_power(3, RATE).tolist() == [2.0, 3.0, 7.0]
    white = total.autocovariance(np.arange(3), 3, RATE) - density.autocovariance(
        np.arange(3), 3, RATE
    )
    assert white.tolist() == [[1.0, 0.0, 0.0], [2.0, 0.0, 0.0], [3.0, 0.0, 0.0]]
    assert not (Silence() + Sine(440)).noise_power(2, RATE).any()


def test_a_signal_with_a_density_has_its_autocovariance():
    with pytest.raises(ArgumentTypeError, match="density and autocovariance together"):
        type("Decibels", (Density,), {"density": lambda *_: np.zeros((1, 1))})


def test_sums_add_lines_at_one_frequency():
    lines = (Sine(440) + Constant(1.0) + Sine(440, 3.0) + Constant(0.5)).lines(1, RATE)
    assert [line.frequency for line in lines] == [0, 440]
    assert [complex(line.amplitude[0]) for line in lines] == [1.5, 2.0]


def test_sums_add_densities_and_recordings():
    total = WhiteNoise(1.0) + WhiteNoise(2.0) + Recorded([1.0, 2.0], 8000) + Recorded([1.0], 8000)
    assert total.density(np.zeros(1), 1, RATE)[0, 0] * float(RATE) == 3.0
    assert np.array_equal(total.recording(1, RATE), [[2.0, 2.0]])
    assert (Silence() + Constant()).density(np.zeros(1), 1, RATE) is None


def test_a_sum_of_sums_is_flat():
    parts = ((Constant() + WhiteNoise()) + (Silence() + Sine(3))).terms()
    assert parts == (Constant(), WhiteNoise(), Silence(), Sine(3))


def test_one_recorded_row_feeds_every_channel():
    assert np.array_equal(Recorded([1.0, 2.0], 8000).recording(2, RATE), [[1.0, 2.0], [1.0, 2.0]])
    assert Recorded(np.zeros((2, 80)), 8000).duration == 0.01


@pytest.mark.parametrize(
    "signal",
    [
        Silence(),
        Constant(),
        Constant([1.0, 2.0]),
        WhiteNoise(0.5),
        Sine(440, 2.0, phase=1.0),
        Sine(Fraction(1, 3)),
        Density([0.0, 1.0], [1.0, 2.0]),
        Recorded([1.0, 2.0], 8000),
        Constant() + Sine(1),
    ],
    ids=repr,
)
def test_the_repr_can_be_evaluated(signal):
    names = vars(upsim.network.signals) | {"Fraction": Fraction}
    assert eval(repr(signal), names) == signal
    assert hash(eval(repr(signal), names)) == hash(signal)


def test_what_signals_hold_cannot_be_changed():
    given = np.ones(3)
    signal = Recorded(given, 8000)
    given[0] = 5.0
    assert signal.samples[0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        signal.samples[0] = 2.0


@pytest.mark.parametrize(
    ("make", "kind", "what"),
    [
        (lambda: Constant("loud"), ArgumentTypeError, "value must be a number"),
        (lambda: Constant(float("nan")), ArgumentError, "value must be finite"),
        (lambda: Constant([[1.0]]), ShapeError, "value has the wrong shape"),
        (lambda: WhiteNoise(-1.0), ArgumentError, "power must not be negative"),
        (lambda: WhiteNoise([1.0, -1.0]), ArgumentError, "power must not be negative"),
        (lambda: Sine(-440), ArgumentError, "frequency must not be negative"),
        (lambda: Sine("A"), ArgumentTypeError, "frequency must be a number"),
        (lambda: Sine(float("inf")), ArgumentError, "frequency must be finite"),
        (lambda: Sine(10**400), ArgumentError, "frequency is too large"),
        (lambda: Density([1.0, 0.0], [1.0, 1.0]), ArgumentError, "frequencies must ascend"),
        (lambda: Density([0.0], [1.0]), ArgumentError, "frequencies must ascend"),
        (lambda: Density([5.0, 5.0], [1.0, 2.0]), ArgumentError, "at least two that differ"),
        (lambda: Density([1.0, 5.0, 5.0, 5.0], [1.0] * 4), ArgumentError, "stands twice"),
        (lambda: Density([0.0, 1.0], [1.0]), ShapeError, "psd does not match frequencies"),
        (lambda: Density([0.0, 1.0], [1.0, -1.0]), ArgumentError, "must not be negative"),
        (lambda: Recorded([], 8000), ShapeError, "not empty"),
        (lambda: Recorded(np.zeros((2, 2, 2)), 8000), ShapeError, "samples must be"),
        (lambda: Recorded([np.nan], 8000), ArgumentError, "samples must be finite"),
        (lambda: Recorded([1.0], 0), ArgumentError, "sample_rate must be positive"),
        (lambda: Recorded([1.0], 1e-30), ArgumentError, "sample_rate is too small"),
    ],
)
def test_signals_that_mean_nothing(make, kind, what):
    with pytest.raises(kind, match=what):
        make()


@pytest.mark.parametrize(
    ("signal", "kind", "what"),
    [
        (Constant([1.0, 2.0, 3.0]), ShapeError, "value does not match"),
        (WhiteNoise([1.0, 2.0, 3.0]), ShapeError, "power does not match"),
        (Density([0.0, 1.0], np.ones((3, 2))), ShapeError, "psd does not match"),
        (Recorded(np.ones((3, 4)), 8000), ShapeError, "the recording does not match"),
        (Recorded(np.ones(4), 44100), ArgumentError, "the recording's rate is not"),
        (Sine(4001), ArgumentError, "above the Nyquist frequency"),
    ],
)
def test_signals_that_do_not_fit_the_stack(signal, kind, what):
    stack = Stack([Nearest(2)], 16000, in_channels=2)
    with pytest.raises(kind, match=what):
        upsim.predict(stack, signal)


def test_only_signals_are_added():
    with pytest.raises(TypeError):
        Constant() + 1.0
