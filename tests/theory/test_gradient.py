"""The loss side: the way back through a critic, its lines, and what phase shuffle leaves."""

from fractions import Fraction
from itertools import product
from math import isclose, log10

import numpy as np
import pytest

import upsim
from upsim import models
from upsim.errors import ArgumentError, NotPredictableError
from upsim.layers import (
    Conv,
    Crop,
    Decimate,
    LeakyReLU,
    Nearest,
    ReLU,
    Residual,
    TransposedConv,
)
from upsim.words.tolerance import rounding, sampling


def chain(rng, *layers):
    return upsim.Stack(layers, sample_rate=1000).draw(rng)


CHAINS = {
    "padded": (Conv(2, 3, 7, 3, 2, bias=False), Conv(3, 1, 4, 2, 1, bias=False)),
    "dilated, in groups": (Conv(2, 4, 3, 3, 1, 2, 2, bias=False),),
    "transposed": (TransposedConv(2, 3, 5, 2, 1, 1, bias=False), Conv(3, 2, 6, 4, bias=False)),
    "decimated": (Conv(1, 2, 5, padding=2, bias=False), Decimate(3, phase=1), Crop(1, 2)),
}


@pytest.mark.parametrize("name", CHAINS)
def test_the_way_back_is_the_transposed_matrix(name):
    critic = chain(3, *CHAINS[name])
    length = 48  # leaves no sample over in any of these
    forward = upsim.finite_matrix(critic, length).toarray()
    back = upsim.finite_matrix(upsim.adjoint(critic), critic.output_length(length)).toarray()
    scale = float(np.abs(forward).sum(axis=0).max())
    assert back.shape == forward.T.shape
    assert np.abs(back - forward.T).max() <= rounding(forward.shape[1], scale)


def test_rectifiers_and_biases_have_no_part_in_the_way_back():
    critic = upsim.Stack([Conv(1, 4, 8, 4), LeakyReLU(0.2), Conv(4, 1, 8, 4), ReLU()], 1000)
    kinds = [type(layer).__name__ for layer in upsim.adjoint(critic)]
    assert kinds == ["TransposedConv", "TransposedConv"]
    assert not any(layer.bias for layer in upsim.adjoint(critic))


def test_undrawn_taps_keep_the_variance_of_the_critic_s_layer():
    # Keras: 2 over the sum of both fans, here of a convolution from 1 to 64 channels, 25 taps.
    critic = models.wavegan_critic()
    last = next(layer for layer in reversed(upsim.adjoint(critic)) if hasattr(layer, "weight"))
    assert isclose(last.weight.std**2, 2 / (25 * (1 + 64)))


def test_phase_shuffle_of_wavegan_leaves_a_fifth():
    # n = 2, period 4: shifts by -2 ... 2 of a wave of period 4 add up to -1, of 5.
    assert isclose(upsim.phase_shuffle_factor(2, Fraction(1, 4)), -1 / 5)
    lines = upsim.gradient_lines(models.wavegan_critic(), phase_shuffle=2)
    quarter = next(line for line in lines if line.frequency == 1000)
    assert round(quarter.attenuation, 2) == -13.98


@pytest.mark.parametrize("radius", range(5))
@pytest.mark.parametrize("turns", [Fraction(k, 12) for k in range(-3, 15)])
def test_the_factor_is_the_mean_over_the_shifts(radius, turns):
    shifts = np.arange(-radius, radius + 1)
    mean = np.exp(-2j * np.pi * float(turns) * shifts).mean()
    error = abs(upsim.phase_shuffle_factor(radius, turns) - mean)
    assert error <= rounding(8 * shifts.size, 2 * np.pi * (abs(float(turns)) + 1) * (radius + 1))


def test_a_shuffle_of_all_phases_cancels_the_line():
    assert upsim.phase_shuffle_factor(2, Fraction(1, 5)) == 0
    line = upsim.gradient_lines(
        upsim.Stack([Conv(1, 1, 5, 5), Conv(1, 1, 5, 5)], 1000), phase_shuffle=2
    )[0]
    assert line.attenuation == float("-inf")


def upsampled(row, taps, stride):
    """Return one period of a stretch and a circular FIR, by the definition."""
    out = np.zeros(row.size * stride)
    for m, sample in enumerate(row):
        for k, tap in enumerate(taps):
            out[(m * stride + k) % out.size] += sample * tap
    return out


@pytest.mark.parametrize("radius", [0, 1, 2])
def test_lines_are_those_of_the_average_over_all_shifts(radius):
    """Every combination of shifts is run; the mean's lines are the predicted ones."""
    rng = np.random.default_rng(0)
    strides, taps = (4, 3, 2), [rng.normal(size=size) for size in (6, 7, 4)]
    critic = upsim.Stack(
        [
            Conv(1, 1, kernel.size, stride, bias=False, weight=kernel[None, None])
            for stride, kernel in zip(strides, taps, strict=True)
        ],
        Fraction(1),
    )
    total, count = np.zeros(24), 0
    for inner, outer in product(range(-radius, radius + 1), repeat=2):
        row = np.roll(upsampled(np.ones(1), taps[2], 2), inner)
        row = np.roll(upsampled(row, taps[1], 3), outer)
        total += upsampled(row, taps[0], 4)
        count += 1
    spectrum = np.abs(np.fft.rfft(total / count)) / 24
    plain = upsim.predict(upsim.adjoint(critic), upsim.Constant(1.0)).tones
    strength = {tone.frequency: abs(tone.amplitude[0]) for tone in plain}
    lines = upsim.gradient_lines(critic, phase_shuffle=radius)
    assert [line.frequency for line in lines] == list(range(1, 13))
    bound = rounding(200, np.prod([np.abs(kernel).sum() for kernel in taps]))
    for line in lines:
        expected = strength[line.frequency] * abs(line.factor)
        assert abs(spectrum[int(line.frequency)] - expected) <= bound
        # The last of the strides so far whose rate divides the line: 6, 2 and 1 Hz.
        assert line.layer == next(
            layer for layer, rate in (("1", 6), ("2", 2), ("3", 1)) if not line.frequency % rate
        )
    if radius:
        assert any(abs(line.factor) < 0.5 for line in lines)


def test_what_the_first_layer_makes_passes_no_shuffle():
    lines = upsim.gradient_lines(models.wavegan_critic(), phase_shuffle=2)
    first = [line for line in lines if line.layer == "2"]
    assert [line.frequency for line in first] == [4000, 8000]
    assert {line.factor for line in first} == {1.0}
    assert all(line.attenuation < -13.9 for line in lines if line.layer != "2")


def test_expected_gradient_lines_are_as_strong_as_the_offset():
    # Independent taps of mean zero make a line as strong as the offset that leaves the layer, two
    # mirror lines together twice as strong.
    back = upsim.adjoint(upsim.Stack([Conv(1, 64, 8, 4, weight="keras")], 1000))
    tones = {tone.frequency: tone.power[0] for tone in upsim.predict(back, upsim.Constant(1)).tones}
    assert isclose(tones[1000], 2 * tones[0])
    assert isclose(tones[2000], tones[0])


def test_the_mean_gradient_of_a_rectifying_critic_has_the_lines():
    """Autograd's gradient, averaged over inputs, against the linear way back times the slopes."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    critic = upsim.Stack(
        [Conv(1, 4, 8, 4, bias=False), LeakyReLU(0.2), Conv(4, 1, 4, 2, bias=False)], 1000
    ).draw(2)
    first, second = (torch.tensor(critic[i].weight) for i in (0, 2))
    count, length = 4000, 64
    inputs = torch.tensor(rng.normal(size=(count, 1, length)), requires_grad=True)
    hidden = torch.nn.functional.leaky_relu(
        torch.nn.functional.conv1d(inputs, first, stride=4), 0.2
    )
    torch.nn.functional.conv1d(hidden, second, stride=2).sum().backward()
    gradients = inputs.grad.numpy()[:, 0, 16:48]  # whole periods, far from the ends
    found = np.fft.rfft(gradients.mean(axis=0)) / 32
    noise = np.abs(np.fft.rfft(gradients, axis=1) / 32).std(axis=0)
    tones = upsim.predict(upsim.adjoint(critic), upsim.Constant(1.0)).tones
    for tone in tones:
        index = int(tone.fraction * 32)
        expected = abs(tone.amplitude[0]) * (1 + 0.2) / 2
        spread = float(np.abs(gradients).std()) if not noise[index] else float(noise[index])
        assert abs(abs(found[index]) - expected) <= sampling(2 * spread, count)


@pytest.mark.parametrize(
    ("layer", "what"),
    [
        (Nearest(2), "raises the rate"),
        (Residual(Conv(1, 1, 3, padding=1)), "no branches"),
    ],
)
def test_what_is_no_critic_is_refused(layer, what):
    with pytest.raises(NotPredictableError) as caught:
        upsim.gradient_lines(upsim.Stack([layer], 1000))
    assert what in str(caught.value)
    assert "fix: " in str(caught.value)


@pytest.mark.parametrize(
    "layer",
    [Nearest(2), Residual(ReLU()), Conv(1, 1, 3, padding=1, padding_mode="reflect"),
     TransposedConv(1, 1, 4, 2, weight="icnr")],
)  # fmt: skip
def test_what_has_no_way_back_is_refused(layer):
    with pytest.raises(NotPredictableError) as caught:
        upsim.adjoint(upsim.Stack([layer], 1000))
    assert "fix: " in str(caught.value)


def test_a_radius_is_a_whole_number():
    with pytest.raises(ArgumentError):
        upsim.gradient_lines(models.wavegan_critic(), phase_shuffle=-1)


def test_decibels_are_of_the_amplitude():
    line = upsim.gradient_lines(models.wavegan_critic(), phase_shuffle=1)[0]
    assert isclose(line.attenuation, 20 * log10(abs(line.factor)))
