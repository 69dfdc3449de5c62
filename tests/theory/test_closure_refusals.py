"""What the closure cannot take: powers, densities, activations and budgets that mean nothing."""

from dataclasses import dataclass

import numpy as np
import pytest

import upsim
from upsim.errors import ArgumentError, NotPredictableError, TooLargeError
from upsim.layers.base import Activation
from upsim.words.tolerance import rounding

RATE = 8000


def one_tap(*weights):
    weight = np.array(weights, dtype=float)[:, None, None]
    return upsim.Conv(1, len(weights), 1, bias=False, weight=weight)


NONLINEAR = [upsim.ReLU(), upsim.Tanh(), upsim.GLU(), upsim.LayerNorm(2)]


@pytest.mark.parametrize("layer", NONLINEAR, ids=repr)
def test_a_power_that_is_not_finite_is_refused(layer):
    stack = upsim.Stack([one_tap(1e200, 1e200), layer], RATE)
    with pytest.raises(NotPredictableError, match="power of the noise is not finite") as refusal:
        upsim.predict(stack, upsim.WhiteNoise())
    assert "layer 2 of 2" in str(refusal.value)
    assert "smaller weights" in str(refusal.value)


@pytest.mark.parametrize("layer", NONLINEAR, ids=repr)
def test_channels_without_power_are_no_trouble(layer):
    # One silent channel, then none that moves: the first has a mean of its own.
    stack = upsim.Stack([one_tap(1.0, 0.0), layer], RATE)
    some = upsim.predict(stack, upsim.WhiteNoise())
    assert np.all(np.isfinite(some.psd))
    assert some.psd[0].any()
    silent = upsim.predict(stack, upsim.Constant(1.0) + upsim.WhiteNoise(0.0))
    steady = upsim.predict(stack, upsim.Constant(1.0))
    assert not silent.psd.any()
    for one, other in zip(silent.tones, steady.tones, strict=True):
        assert np.abs(one.amplitude - other.amplitude).max() <= rounding(100, 2.0)


def test_a_density_in_decibels_is_refused():
    with pytest.raises(ArgumentError, match="must not be negative") as refusal:
        upsim.Density([0, 2000], [-60.0, -70.0])
    assert "10 ** (level / 10)" in str(refusal.value)


@dataclass(frozen=True, eq=False, repr=False)
class Steep(Activation):
    """Grows faster than a Gaussian falls: ``exp(x^2)``."""

    def function(self, samples):
        return np.exp(np.minimum(samples**2, 700.0))


@dataclass(frozen=True, eq=False, repr=False)
class Softmax(Activation):
    """Over the channels."""

    def function(self, samples):
        made = np.exp(samples)
        return made / made.sum(axis=-2, keepdims=True)


@pytest.mark.parametrize(
    ("layer", "what"),
    [
        (Steep(), "not finite|does not end|has no moments"),
        (Softmax(), "channels act on each other"),
    ],
    ids=["steep", "mixing"],
)
def test_an_activation_without_moments_is_refused(layer, what):
    stack = upsim.Stack([one_tap(2.0, 3.0), layer], RATE)
    with pytest.raises(NotPredictableError, match=what) as refusal:
        upsim.predict(stack, upsim.WhiteNoise())
    assert "layer 2 of 2" in str(refusal.value)
    assert "fix:" in str(refusal.value)


@pytest.mark.parametrize("layer", [upsim.ReLU(), upsim.GLU(), upsim.LayerNorm(16)], ids=repr)
def test_a_budget_too_small_for_any_form(layer):
    front = upsim.TransposedConv(8, 16, 8, 4)
    stack = upsim.Stack([front, layer], RATE).draw(0)
    with pytest.raises(TooLargeError, match="16 channels would need") as refusal:
        upsim.predict(stack, upsim.WhiteNoise(), frequencies=2, memory=10_000)
    assert "4 phases by 15 lags, layer 2 of 2" in str(refusal.value)


@dataclass(frozen=True, eq=False, repr=False)
class Steep(Activation):
    """``exp(x^2)``: no mean for a variance of 1/2 or more."""

    def function(self, samples):
        return np.exp(samples**2)


@dataclass(frozen=True, eq=False, repr=False)
class Fine(Activation):
    """Turns far more often than the quadrature can follow."""

    def function(self, samples):
        return np.sin(50 * samples)


@pytest.mark.parametrize(
    ("activation", "power"), [(Steep(), 1.0), (Steep(), 0.3), (Fine(), 1600.0)], ids=str
)
@pytest.mark.parametrize("random", [False, True])
def test_moments_that_are_not_known_are_refused(activation, power, random):
    weight = upsim.Normal(1.0) if random else [[[1.0]]]
    layers = [upsim.Conv(1, 1, 1, bias=False, weight=weight), activation]
    with pytest.raises(NotPredictableError, match=r"layer 2 \((Steep|Fine)\): known to"):
        upsim.predict(upsim.Stack(layers, 8000), upsim.WhiteNoise(power))


def test_a_band_too_narrow_for_its_lags_is_refused_and_a_wide_one_is_no_more_called_exact():
    stack = upsim.Stack([upsim.Nearest(2), upsim.ReLU()], 8000)
    with pytest.raises(NotPredictableError, match="correlation time is too long"):
        upsim.predict(stack, upsim.Density([100, 101], [1, 1]))
    wide = upsim.predict(stack, upsim.Density([0, 1000, 1500, 2000], [1, 1, 0.5, 0]))
    assert "exact for the input as it is cut" in wide.assumptions[0]


def test_a_machine_without_memory_says_so_in_our_words(monkeypatch):
    def empty(*_, **__):
        raise MemoryError

    monkeypatch.setattr(np.fft, "rfft", empty)
    with pytest.raises(TooLargeError, match="not enough memory for this prediction"):
        upsim.predict(upsim.Stack([upsim.Nearest(2)], 8000), upsim.Constant(1.0))


def test_a_finite_matrix_beyond_memory_is_refused_before_it_is_made():
    stack = upsim.Stack([upsim.TransposedConv(64, 64, 16, 8)], 8000).draw(0)
    with pytest.raises(TooLargeError, match="the finite matrix"):
        upsim.finite_matrix(stack, 10_000)


def test_a_sine_of_a_long_period_is_refused_in_expectation():
    stack = upsim.Stack([upsim.TransposedConv(1, 8, 4, 2), upsim.ReLU()], 8000)
    with pytest.raises(TooLargeError, match="repeats after 40000 samples"):
        upsim.predict(stack, upsim.Sine(440.1))
