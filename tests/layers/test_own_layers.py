"""Layers of one's own: what is refused when the class is made, and right numbers in all regimes."""

from dataclasses import dataclass

import numpy as np
import pytest

import upsim
from upsim.errors import ArgumentError, ArgumentTypeError
from upsim.gaussian import Exponential, Form, Quadrature, Rectifier
from upsim.layers import (
    CATALOGUE,
    Activation,
    Composed,
    Gated,
    LinearLayer,
    Sigmoid,
    Tanh,
    TimeNormalisation,
)
from upsim.neural import registry
from upsim.operators import StretchFIR
from upsim.words.tolerance import rounding, sampling


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_concrete_layer_is_final(name):
    with pytest.raises(ArgumentTypeError, match=f"^{name} is final") as refusal:
        type("Mine", (CATALOGUE[name],), {})
    assert CATALOGUE[name].__final__
    assert refusal.value.fix.startswith("class Mine(")


def test_a_layer_of_ones_own_is_final_too():
    class Square(Activation):
        def function(self, samples):
            return samples**2

    with pytest.raises(ArgumentTypeError, match="Square is final"):
        type("Cube", (Square,), {})


@pytest.mark.parametrize("form", [Rectifier, Exponential, Quadrature])
def test_a_form_is_final(form):
    with pytest.raises(ArgumentTypeError, match="is final: its moments"):
        type("Mine", (form,), {})


@pytest.mark.parametrize(
    ("kind", "methods"),
    [
        (Activation, ("function", "form")),
        (Activation, ("moments", "form")),
        (Gated, ("function", "pair")),
        (Gated, ("form", "pair")),
        (Composed, ("operator", "chain")),
        (Composed, ("in_expectation", "chain")),
        (TimeNormalisation, ("gains", "level")),
    ],
)
def test_one_thing_is_not_said_twice(kind, methods):
    with pytest.raises(ArgumentTypeError):
        type("Mine", (kind,), {name: lambda _: None for name in methods})


@dataclass(frozen=True, eq=False)
class Wrong(Form):
    """A square that claims the moments of a rectifier."""

    def function(self, x):
        return x**2

    def moments(self, mean, deviation, *, order=32):
        return Rectifier().moments(mean, deviation, order=order)


@dataclass(frozen=True, eq=False, repr=False)
class WrongSquare(Activation):
    def form(self):
        return Wrong()


def test_moments_of_another_function_are_refused():
    with pytest.raises(ArgumentError, match="is not that of its function"):
        upsim.predict(upsim.Stack([WrongSquare()], 8000), upsim.WhiteNoise())


@dataclass(frozen=True, eq=False, repr=False)
class TanhGate(Gated):
    def pair(self):
        return Tanh().form(), Sigmoid().form()


@dataclass(frozen=True, eq=False, repr=False)
class Bilinear(Gated):
    def pair(self):
        return Rectifier(1.0), Rectifier(1.0)


@dataclass(frozen=True, eq=False, repr=False)
class Scaled(Composed):
    layer: LinearLayer
    gain: float = 2.0

    def chain(self, channels):
        count = self.layer.channels_out(channels)
        return self.layer, StretchFIR(np.full((count, 1, 1), self.gain), groups=count)


@pytest.fixture
def witnessed(monkeypatch):
    """The witness knows these layers."""
    monkeypatch.setattr(registry, "_FORWARDS", dict(registry._FORWARDS))

    def halves(samples):
        return np.split(samples, 2, axis=1)

    def tanh_gate(_, samples):
        a, b = halves(samples)
        return np.tanh(a) / (1 + np.exp(-b))

    upsim.neural.register(TanhGate)(tanh_gate)
    upsim.neural.register(Bilinear)(lambda _, samples: np.prod(halves(samples), axis=0))
    upsim.neural.register(Scaled)(
        lambda layer, samples: layer.gain * upsim.neural.forward(layer.layer, samples)
    )


def between(gate):
    """Return a stack in which the halves of a gate have much in common, and so do its channels."""
    layers = [
        upsim.Conv(2, 4, 5, padding=2),
        upsim.TransposedConv(4, 4, 4, 2, 1),
        gate,
        upsim.Conv(2, 2, 3, padding=1),
    ]
    return upsim.Stack(layers, 8000).draw(seed=1)


@pytest.mark.usefixtures("witnessed")
@pytest.mark.parametrize("gate", [TanhGate(), Bilinear()], ids=lambda gate: type(gate).__name__)
def test_noise_through_a_gate_of_any_two_functions(gate):
    stack, length, runs = between(gate), 2**10, 64
    prediction = upsim.predict(stack, upsim.Constant(0.7) + upsim.WhiteNoise(1.0))
    assert any("exact after one activation" in each for each in prediction.assumptions)
    samples = 0.7 + np.random.default_rng(0).standard_normal((runs, 2, length))
    made = upsim.neural.run(stack, samples)[:, :, 32:-32]
    phases = made.reshape(runs, 2, -1, 2)
    # Each run is one independent number of every mean.
    means = phases.mean(axis=2)
    lines = np.zeros((2, 2))  # channels, phases: what repeats
    for tone in prediction.tones:
        for phase in range(2):
            turn = np.exp(2j * np.pi * float(tone.fraction) * phase)
            lines[:, phase] += (tone.amplitude * turn).real
    allowed = sampling(1.0, runs) * means.std(axis=0)
    assert np.all(np.abs(means.mean(axis=0) - lines) <= allowed)
    powers = ((phases - lines[:, None]) ** 2).mean(axis=(2, 3))
    allowed = sampling(1.0, runs) * powers.std(axis=0)
    assert np.all(np.abs(powers.mean(axis=0) - noise_power(prediction)) <= allowed)
    # A lag, too: neighbours two samples apart.
    own = made - np.tile(lines, made.shape[2] // 2)
    lagged = (own[:, :, 2:] * own[:, :, :-2]).mean(axis=2)
    frequencies = prediction.frequencies
    told = np.trapezoid(
        prediction.psd * np.cos(2 * np.pi * 2 * frequencies / 8000), frequencies, axis=1
    )
    allowed = sampling(1.0, runs) * lagged.std(axis=0)
    assert np.all(np.abs(lagged.mean(axis=0) - told) <= allowed)


def noise_power(prediction):
    return np.trapezoid(prediction.psd, prediction.frequencies, axis=1)


@pytest.mark.usefixtures("witnessed")
def test_a_bilinear_gate_by_hand():
    # One channel a half, white noise: E (a b)^2 = 1 and nothing repeats; with one signal in both
    # halves it is the square of that signal: mean 1, variance 2.
    split = upsim.Stack([Bilinear()], 8000, in_channels=2)
    prediction = upsim.predict(split, upsim.WhiteNoise(1.0))
    assert not prediction.tones
    assert abs(noise_power(prediction) - 1) <= rounding(2**12, 1.0)
    both = upsim.Conv(1, 2, 1, bias=False, weight=np.ones((2, 1, 1)))
    prediction = upsim.predict(upsim.Stack([both, Bilinear()], 8000), upsim.WhiteNoise(1.0))
    assert abs(prediction.tones[0].power - 1) <= rounding(2**12, 1.0)
    assert abs(noise_power(prediction) - 2) <= rounding(2**14, 2.0)


@pytest.mark.usefixtures("witnessed")
def test_a_wide_gate_over_initialisations():
    # Behind wide random layers the halves are independent: E y^2 = E tanh(a)^2 E sigmoid(b)^2,
    # a and b of the variance that LeCun's rule (torch's default is a third of it) leaves.
    wide = upsim.Conv(512, 512, 1, bias=False)
    stack = upsim.Stack([wide, TanhGate()], 8000)
    prediction = upsim.predict(stack, upsim.WhiteNoise(1.0))
    z = np.linspace(-12, 12, 2**14 + 1)
    chance = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi) * (z[1] - z[0])
    x = z / np.sqrt(3)
    exact = (chance * np.tanh(x) ** 2).sum() * (chance / (1 + np.exp(-x)) ** 2).sum()
    assert np.abs(noise_power(prediction) - exact).max() <= rounding(2**14, exact)


@pytest.mark.usefixtures("witnessed")
def test_a_scaled_layer_over_initialisations_is_the_mean_of_its_draws():
    stack = upsim.Stack([Scaled(upsim.TransposedConv(2, 2, 8, stride=4, padding=2))], 8000)
    expected = upsim.predict(stack)
    single = upsim.predict(upsim.Stack([stack[0].layer], 8000))
    for one, other in zip(expected.tones, single.tones, strict=True):
        assert np.abs(one.power - 4 * other.power).max() <= rounding(64, 4 * other.power.max())
    draws = [upsim.predict(stack.draw(seed=seed)) for seed in range(64)]
    powers = np.array([noise_power(draw).mean() for draw in draws])
    told = noise_power(expected).mean()
    assert abs(powers.mean() - told) <= sampling(powers.std(), len(draws))
