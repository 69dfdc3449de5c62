"""Sines through linear layers: against runs of the witness, and impulse responses for any pitch."""

import json
from fractions import Fraction
from math import prod

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import upfirdn

import upsim
from theory import by_hand
from theory.noise_place import operators, place_behind
from upsim import Constant, Prediction, Sine, WhiteNoise, neural
from upsim.network.walk import walk
from upsim.operators.phasor import phasors
from upsim.testing.strategies import signals, stacks
from upsim.theory.moments.power import response_span
from upsim.words.tolerance import rounding

UGLY = 261.626


def interpolations(rate=16000):
    """Three times Nearest and a convolution."""
    layers = [
        layer for _ in range(3) for layer in (upsim.Nearest(2), upsim.Conv(1, 1, 5, padding=2))
    ]
    return upsim.Stack(layers, rate).draw(0)


@pytest.mark.parametrize("frequency", [UGLY, 1000.0, np.pi * 100, Fraction(1, 3)])
def test_a_sine_of_any_pitch_by_the_impulse_response(frequency):
    stack = interpolations()
    found = upsim.predict(stack, Sine(frequency, 0.8, 0.3))
    # The response to one sample, layer by layer; it begins 2 samples early behind each filter.
    response, early = np.ones(1), 0
    for number in range(3):
        response = upfirdn([1.0, 1.0], response, up=2)
        response = np.convolve(response, stack[2 * number + 1].weight[0, 0, ::-1])
        early = 2 * early + 2
    turn = Fraction(Sine(frequency).frequency) / 2000
    wanted = {}
    with mpmath.workdps(30):
        for image in range(8):
            place = (turn + image) / 8
            gain = mpmath.fsum(
                float(tap)
                * mpmath.expjpi(-2 * mpmath.mpf(place.numerator) / place.denominator * (k - early))
                for k, tap in enumerate(response)
            )
            amplitude = complex(gain * mpmath.expj(mpmath.mpf(0.3))) * 0.4 / 8
            for side, value in ((place, amplitude), (-place % 1, amplitude.conjugate())):
                if side <= Fraction(1, 2):
                    wanted[side] = wanted.get(side, 0) + value
    tones = {tone.fraction: tone for tone in found.tones if tone.fraction}
    assert tones.keys() == wanted.keys()
    bound = rounding(64, float(np.abs(response).sum()))
    for fraction, tone in tones.items():
        assert abs(tone.amplitude[0] - wanted[fraction]) <= bound
        assert tone.frequency == pytest.approx(float(fraction * 16000), rel=rounding(1, 1.0))
        assert tone.cause == "input"
        assert [(each.cause, each.layer) for each in tone.contributions] == [("input", "")]


def steady(stack, samples_at):
    """Return a stretch of the witness's steady output, its first sample's number, and a bound."""
    ups, downs = (prod(layer.block[side] for layer in stack) for side in (0, 1))
    place = place_behind(stack)
    span = response_span(place, *place.starts, downs)
    least = (2 * (span // ups + 2)) * downs
    length = next(count for count in range(least, 2 * least + 99) if fits(stack, count))
    made = neural.run(stack, samples_at(length)[None])[0]
    first = made.shape[1] // 2 - ups
    terms = sum(operator.terms + 2 for operator in operators(stack))
    return made[:, first : first + 2 * ups], first, 16 * (terms + 3 * span)


def fits(stack, length):
    try:
        return stack.output_length(length) > 0
    except upsim.errors.UpsimError:
        return False


def largest(stack):
    """Return a bound of every value for inputs up to 1, biases included."""

    def bound(node, given):
        operator = stack.operators[node.output - 1]
        if operator is None:
            return sum(given)
        offset = 0.0 if operator.offset is None else float(np.abs(operator.offset).max())
        return given[0] * operator.largest_gain() + offset

    return max(walk(stack, [1.0], bound))


@given(st.data())
def test_sines_and_constants_through_linear_stacks(data):
    stack = data.draw(stacks(longest=4)).draw(seed=3)
    channels, rate = stack.in_channels, stack.input_rate
    signal = data.draw(signals(channels=channels, input_rate=rate, random=False, recorded=False))
    if data.draw(st.booleans()):
        signal = signal + Sine(
            data.draw(st.sampled_from([Fraction(1, 7), np.e * 99])) * rate / 4000
        )
    found = upsim.predict(stack, signal)

    def samples_at(length):
        total = np.zeros((channels, length))
        for line in signal.lines(channels, rate):
            sides = 1 if line.frequency in (0, rate / 2) else 2
            wave = phasors(line.frequency / rate, np.arange(length))
            total += sides * (line.amplitude[:, None] * wave).real
        return total

    size = 1 + sum(2 * np.abs(line.amplitude).max() for line in signal.lines(channels, rate))
    made, first, operations = steady(stack, samples_at)
    wanted = found.lines(first + made.shape[1])[:, first:]
    # Each line that is not listed may be as large as the rounding of the sums that made it.
    count = 1 + len(found.tones) + 2 * prod(layer.block[0] for layer in stack)
    bound = rounding(operations * count, size * largest(stack))
    assert np.abs(made - wanted).max() <= bound
    for tone in found.tones:
        shares = sum(each.amplitude for each in tone.contributions)
        assert np.abs(shares - tone.amplitude).max() <= bound


def test_the_exact_period_of_a_nice_sine():
    stack = by_hand_stack()
    period = 0.5 + np.cos(2 * np.pi * np.arange(8) / 8 + 0.1)[None]
    count = 8 * 6 // 4
    wanted = by_hand.lines_of(stack, period, count)[0]
    found = upsim.predict(stack, Sine(1000, 1.0, 0.1) + Constant(0.5))
    listed = {tone.fraction: tone.amplitude[0] for tone in found.tones}
    bound = by_hand.tolerance(stack, period, more=4 * count)
    for number in range(count // 2 + 1):
        assert abs(listed.get(Fraction(number, count), 0) - wanted[number]) <= bound
    assert len(listed) == sum(abs(wanted[: count // 2 + 1]) > bound)


def by_hand_stack():
    """Up by 6, down by 4, at 8 kHz in: lines of the sine and of the offset meet."""
    layers = [
        upsim.TransposedConv(1, 2, 5, 3),
        upsim.Conv(2, 2, 4, stride=2),
        upsim.TransposedConv(2, 1, 4, 2, padding=1),
        upsim.Decimate(2),
    ]
    return upsim.Stack(layers, 12000).draw(4)


def test_where_a_line_of_the_sine_meets_one_of_the_offset_both_are_shares():
    stack = upsim.Stack([upsim.TransposedConv(1, 1, 3, 4, bias=False)], 16000).draw(1)
    both = upsim.predict(stack, Constant(1.0) + Sine(2000))
    parts = [upsim.predict(stack, signal) for signal in (Constant(1.0), Sine(2000))]
    # 2 kHz is half the input rate: images at 2 and 6 kHz; the offset's lie at 4 and 8 kHz.
    assert [tone.frequency for tone in both.tones] == [0.0, 2000.0, 4000.0, 6000.0, 8000.0]
    low = upsim.Stack([upsim.TransposedConv(1, 1, 3, 2), upsim.Decimate(2)], 4000).draw(1)
    folded = upsim.predict(low, Constant(1.0) + Sine(2000))
    (tone, _) = folded.tones
    assert {each.cause for each in tone.contributions} == {"input offset", "bias"}
    down = upsim.Stack([upsim.Conv(1, 1, 3, stride=2)], 2000).draw(1)
    (tone,) = upsim.predict(down, Constant(1.0) + Sine(2000)).tones
    assert {each.cause for each in tone.contributions} == {"input", "input offset", "bias"}
    assert sum(len(part.tones) for part in parts) == len(both.tones)


def test_what_is_made_of_a_prediction_with_an_endless_period():
    stack = interpolations()
    signal = Sine(UGLY, 0.5) + Constant(0.2) + WhiteNoise(0.1)
    found = upsim.predict(stack, signal)
    again = Prediction.from_dict(json.loads(found.to_json()))
    assert [tone.fraction for tone in again.tones] == [tone.fraction for tone in found.tones]
    assert again.table() == found.table()
    assert found.audio(0.01).shape == (1, 160)
    checked = upsim.verify(stack, signal)
    assert checked.passed
    assert not checked.skipped
    assert [len(panel.tones) for panel in found.layers] == [3, 3, 5, 5, 9, 9]
    bare = upsim.predict(stack, signal, provenance=False)
    assert [tone.layer for tone in bare.tones[1:]] == [tone.layer for tone in found.tones[1:]]
    assert not any(tone.contributions for tone in bare.tones)


@pytest.mark.parametrize("frequency", [UGLY, np.pi * 100, Fraction(10**15 + 1, 3 * 10**12)])
def test_samples_far_along_have_the_phase_of_the_first(frequency):
    """The whole numbers of such a phase do not fit into 64 bits."""
    stack = upsim.Stack([upsim.Crop()], 8000)
    count = 50_000
    samples = upsim.predict(stack, Sine(frequency, 1.0)).lines(count)[0]
    turn = Fraction(Sine(frequency).frequency) / 8000
    for moment in (1, 777, count - 1):
        with mpmath.workdps(30):
            phase = turn * moment % 1
            wanted = float(mpmath.cospi(2 * mpmath.mpf(phase.numerator) / phase.denominator))
        assert abs(samples[moment] - wanted) <= rounding(32, 1.0)


def test_a_sine_beside_a_recording_is_taken_out_of_the_density():
    stack = interpolations()
    silent = upsim.Recorded(np.zeros(64), 2000)
    found = upsim.predict(stack, Sine(UGLY) + silent)
    wave = np.cos(2 * np.pi * UGLY / 2000 * np.arange(64))[None]
    made = neural.run(stack, wave[None])[0]
    bound = rounding(512, largest(stack))
    assert np.abs(found.waveform - made).max() <= bound
    # Far from the ends nothing is left beside the lines.
    assert np.abs(found.waveform - found.lines(512))[:, 64:-64].max() <= bound


def test_verify_finds_a_wrong_line_of_a_sine(monkeypatch):
    stack = interpolations()
    assert upsim.verify(stack, Sine(UGLY)).passed
    from upsim.theory.moments.spectral_lines import SpectralLines

    plain = SpectralLines.through

    def turned(self, operator):
        made = plain(self, operator)
        return type(made)(made.turns, made.amplitudes * np.exp(1e-6j), made.errors)

    monkeypatch.setattr(SpectralLines, "through", turned)
    assert not upsim.verify(stack, Sine(UGLY)).passed
