"""What activations can make: values by hand, and every predicted line against the structure."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import upsim
from upsim.testing import strategies
from upsim.theory.lines.distortion import Distortion
from upsim.words.tolerance import rounding


def decibels_of_line(samples, number):
    """Return the power of a line of one period, both mirrors, in dB."""
    sides = 1 if 2 * number % samples.size == 0 else 2
    return 10 * np.log10(sides * np.abs(np.fft.fft(samples)[number] / samples.size) ** 2)


class TestByHand:
    def test_a_snake_folds_the_fourth_harmonic(self):
        stack, sine = upsim.Stack([upsim.Snake(alpha=2.0)], 24000), upsim.Sine(5000)
        found = upsim.explain(stack, 4000, signal=sine)
        assert (found.possible, found.layer, found.origin) == (True, "1", "activation")
        assert "harmonic 4 of the input's line at 5 kHz" in str(found)
        # By NumPy alone: x + sin^2(2x) / 2, 24 samples a period.
        wave = np.cos(2 * np.pi * 5 * np.arange(24) / 24)
        level = decibels_of_line(wave + np.sin(2 * wave) ** 2 / 2, 4)
        assert round(float(level), 2) == -20.05
        assert "predicted: -20.05 dB" in str(upsim.predict(stack, sine).explain(4000))

    @pytest.mark.parametrize(("hertz", "level"), [(2000, -15.86), (10000, -27.30)])
    def test_a_rectifier_behind_an_upsampler(self, hertz, level):
        stack, sine = upsim.Stack([upsim.Nearest(3), upsim.ReLU()], 24000), upsim.Sine(1000)
        found = upsim.explain(stack, hertz, signal=sine)
        assert (found.possible, found.layer, found.origin) == (True, "2", "activation")
        assert "harmonic 2 of the input's line at 1 kHz" in str(found)
        wave = np.maximum(np.repeat(np.cos(2 * np.pi * np.arange(8) / 8), 3), 0)
        assert round(float(decibels_of_line(wave, hertz // 1000)), 2) == level
        assert f"predicted: {level:.2f} dB" in str(upsim.predict(stack, sine).explain(hertz))

    def test_nothing_between_the_multiples(self):
        stack = upsim.Stack([upsim.Nearest(3), upsim.ReLU()], 24000)
        found = upsim.explain(stack, 1500, signal=upsim.Sine(1000))
        assert (found.possible, found.origin) == (False, "")
        assert str(found) == (
            "1.5 kHz = 1/16 of the output rate 24 kHz: nothing in this stack can make it of this "
            "signal\n"
            "  possible lines are the multiples of 1 kHz; nearest: 1 kHz and 2 kHz"
        )

    def test_a_constant_and_noise_stay_on_the_lattice_of_the_strides(self):
        stack = upsim.Stack([upsim.Nearest(3), upsim.ReLU()], 24000)
        for signal in (upsim.Constant(1.0), upsim.Silence(), upsim.WhiteNoise()):
            assert not upsim.explain(stack, 2000, signal=signal).possible
            assert upsim.explain(stack, 8000, signal=signal).layer == "1"

    def test_a_recording_may_hold_anything(self):
        stack = upsim.Stack([upsim.ReLU()], 8000)
        found = upsim.explain(stack, 1000, signal=upsim.Recorded(np.ones(9), 8000))
        assert "nothing in this stack" not in str(found)
        assert "the recording may hold a line here" in str(found)

    def test_branches_of_different_strides_meet_in_an_activation(self):
        # Means that repeat every 2 and every 3 samples: their sum has the lines of both, and its
        # square the line at 1/2 - 1/3 = 1/6 too.
        def part(factor):
            return [upsim.Decimate(factor), upsim.Stretch(factor)]

        both = upsim.Parallel(part(2), part(3), merge="sum")
        linear = upsim.Stack([both], 6000)
        bent = upsim.Stack([both, upsim.Sigmoid()], 6000)
        assert not upsim.explain(linear, 1000, signal=upsim.Constant(1.0)).possible
        assert [tone.frequency for tone in upsim.predict(linear, upsim.Constant(1.0)).tones] == [
            0, 2000, 3000,
        ]  # fmt: skip
        found = upsim.explain(bent, 1000, signal=upsim.Constant(1.0))
        assert (found.possible, found.layer) == (True, "2")
        assert upsim.predict(bent, upsim.Constant(1.0)).explain(1000).tone is not None
        assert [int(each.spacing) for each in upsim.families(bent)] == [3000, 2000, 1000]

    def test_two_inputs_at_two_rates_mix_behind_an_activation(self):
        graph = upsim.Graph(
            [
                ("up", upsim.Stretch(2), "slow"),
                ("both", upsim.Add(), ("up", "fast")),
                ("bend", upsim.Sigmoid(), "both"),
            ],
            inputs={"slow": 1, "fast": 1},
            sample_rate=8000,
        )
        fed = {"slow": upsim.Sine(1000), "fast": upsim.Sine(1600)}
        # The slow line has an image at 3 kHz; sums and differences of 1, 1.6, 4 kHz fill 200 Hz.
        image = upsim.explain(graph, 3000, signal=fed)
        assert "the input's own line at 1 kHz, an image made by up (Stretch)" in str(image)
        other = upsim.explain(graph, 1600, signal=fed)
        assert "the input's own line at 1.6 kHz" in str(other)
        mixed = upsim.explain(graph, 2600, signal=fed)
        assert (mixed.origin, mixed.layer) == ("activation", "bend")
        assert not upsim.explain(graph, 2500, signal=fed).possible
        prediction = upsim.predict(graph, fed)
        assert prediction.explain(2600).tone is not None
        for tone in prediction.tones:
            assert upsim.explain(graph, tone.fraction * 8000, signal=fed).origin

    def test_families_of_activations_need_lines_of_the_input(self):
        stack = upsim.Stack([upsim.Nearest(3), upsim.ReLU()], 24000)
        assert [each.layer for each in upsim.families(stack, upsim.WhiteNoise())] == ["1"]
        found = upsim.families(stack, upsim.Sine(1500))
        # 1.5 kHz of 8 kHz: a period of 16 samples, 48 behind the stretch.
        assert [(each.layer, int(each.spacing), each.cause) for each in found] == [
            ("1", 8000, "offset"),
            ("2", 500, "activation"),
        ]


@given(
    up=st.integers(1, 6),
    line=st.fractions(0, Fraction(1, 2), max_denominator=30),
    place=st.integers(0, 400),
)
def test_the_harmonic_is_the_lowest_that_lands_there(up, line, place):
    assume(line > 0)
    known = Distortion(upsim.Stack([upsim.Stretch(up), upsim.ReLU()], up), frozenset([(0, line)]))
    whole = up * line.denominator
    fraction = Fraction(place % whole, whole)
    # By trial: harmonic m at m line / up, its images 1 / up apart, and the mirrors of all.
    lands = [
        m
        for m in range(line.denominator + 1)
        if any((sign * fraction * up - m * line).denominator == 1 for sign in (1, -1))
    ]
    found = known.harmonic(fraction * up)
    assert found == ((line, lands[0]) if lands else None)
    assert bool(known.makers(fraction * up)) == ((fraction * whole).denominator == 1)


@given(data=st.data())
def test_every_predicted_line_lies_where_the_structure_says_possible(data):
    """The prediction knows one period of samples and no rule of lines; the structure no sample."""
    stack = data.draw(strategies.stacks(linear=False, longest=5))
    signal = data.draw(
        strategies.signals(
            channels=stack.in_channels, input_rate=stack.input_rate, random=False, recorded=False
        )
    )
    for tone in upsim.predict(stack, signal, provenance=False).tones:
        found = upsim.explain(stack, tone.fraction * stack.sample_rate, signal=signal)
        assert found.origin, (tone.fraction, str(found))


@given(data=st.data())
def test_lines_that_noise_makes_lie_where_the_structure_says_possible(data):
    """Noise of changing power behind activations, beside a sine and alone."""
    stack = data.draw(strategies.stacks(linear=False, longest=3))
    signal = upsim.WhiteNoise(1.0)
    if data.draw(st.booleans()):
        signal = signal + upsim.Sine(stack.input_rate / data.draw(st.integers(2, 6)))
    try:
        tones = upsim.predict(stack, signal, provenance=False, frequencies=2).tones
    except upsim.errors.NotPredictableError:
        return
    for tone in tones:
        found = upsim.explain(stack, tone.fraction * stack.sample_rate, signal=signal)
        assert found.origin, (tone.fraction, str(found))


@given(data=st.data())
def test_where_the_structure_says_impossible_a_run_has_nothing(data):
    """Stretches, decimations and sigmoids of a sine, run by NumPy on whole periods."""
    moves = st.sampled_from([(2, 1), (3, 1), (1, 2), (1, 3), (0, 0)])
    plan = data.draw(st.lists(moves, min_size=1, max_size=5))
    line = data.draw(st.fractions(Fraction(1, 12), Fraction(1, 2), max_denominator=12))
    layers = [
        upsim.Sigmoid() if up == 0 else upsim.Stretch(up) if up > 1 else upsim.Decimate(down)
        for up, down in plan
    ]
    stack = upsim.Stack(layers, 1)
    count = line.denominator * 3**5 * 2**5
    samples = 0.3 + np.cos(2 * np.pi * ((np.arange(count) * line.numerator) % line.denominator)
                           / line.denominator + 0.4)  # fmt: skip
    for up, down in plan:
        if up == 0:
            samples = 1 / (1 + np.exp(-samples))
        elif up > 1:
            samples = np.kron(samples, [1.0] + [0.0] * (up - 1))
        else:
            samples = samples[::down]
    lines = np.abs(np.fft.rfft(samples)) / samples.size
    signal = upsim.Sine(line * stack.input_rate, phase=0.4) + upsim.Constant(0.3)
    # A sigmoid takes some ten roundings, a transform some five a doubling.
    operations = 20 * len(plan) + 5 * samples.size.bit_length()
    floor = rounding(operations, float(np.abs(samples).mean()))
    for number in np.flatnonzero(lines > floor).tolist():
        fraction = Fraction(number, samples.size)
        assert upsim.explain(stack, fraction, signal=signal).possible, fraction
