"""What each cause makes of an expected line: the power that the line loses without it."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest

import upsim
from tests.ensemble.test_expectation import conv, transposed
from upsim.words.tolerance import rounding

SIGNAL = upsim.Constant(1.0) + upsim.WhiteNoise(0.5)

#: Terms of a sum over channels and taps, twice (second moments), and of a DFT, in all layers.
TERMS = 2**14


def parts(tone):
    return {share.cause: float(share.power[0]) for share in tone.contributions}


def bound(found):
    return rounding(TERMS, float(found.tone_power.max()))


LINEAR = {
    "transposed": [upsim.TransposedConv(4, 8, 6, 4), upsim.TransposedConv(8, 1, 5, 2)],
    "subpixel": [upsim.SubpixelConv(4, 8, 3, 4), upsim.Nearest(2), upsim.Conv(8, 1, 3)],
    "offset": [upsim.TransposedConv(4, 8, 6, 4), upsim.Bias(0.5), upsim.SubpixelConv(8, 2, 3, 2)],
    "learned": [
        upsim.Conv(4, 8, 3),
        upsim.LearnedInterpolation(8),
        upsim.TransposedConv(8, 1, 5, 2),
    ],
    "normalised": [
        upsim.TransposedConv(4, 8, 6, 4),
        upsim.GroupNorm(2, 8, bias=np.arange(8.0)),
        upsim.TransposedConv(8, 1, 5, 2),
    ],
    "skip": [upsim.TransposedConv(4, 8, 6, 4), upsim.Residual(upsim.Conv(8, 8, 3, padding=1))],
}


@pytest.mark.parametrize("name", LINEAR)
def test_parts_add_up_where_all_is_linear(name):
    stack = upsim.Stack(LINEAR[name], 64000)
    found = upsim.predict(stack, SIGNAL + upsim.Sine(stack.input_rate / 8))
    assert {cause for tone in found.tones for cause in parts(tone)} == {
        "input offset",
        "input",
        "bias",
    }
    for tone in found.tones:
        assert np.abs(tone.interaction).max() <= bound(found)


def test_a_part_is_what_the_stack_makes_without_the_other_causes():
    with_bias = upsim.Stack(LINEAR["transposed"], 64000)
    without = with_bias.replace(
        layers=[
            upsim.TransposedConv(4, 8, 6, 4, bias=False),
            upsim.TransposedConv(8, 1, 5, 2, bias=False),
        ]
    )
    found = upsim.predict(with_bias, SIGNAL)
    alone = {tone.fraction: tone.power[0] for tone in upsim.predict(without, SIGNAL).tones}
    silent = {
        tone.fraction: tone.power[0] for tone in upsim.predict(with_bias, upsim.Silence()).tones
    }
    for tone in found.tones:
        assert parts(tone)["input offset"] == pytest.approx(alone[tone.fraction], abs=bound(found))
        lost = parts(tone).get("bias", 0.0)
        assert lost == pytest.approx(silent.get(tone.fraction, 0.0), abs=bound(found))


DEEP = [
    upsim.TransposedConv(4, 16, 6, 4),
    upsim.ReLU(),
    upsim.TransposedConv(16, 16, 5, 2),
    upsim.LeakyReLU(0.1),
    upsim.Conv(16, 1, 3),
]


def test_through_activations_a_part_is_what_the_line_loses():
    stack = upsim.Stack(DEEP, 64000)
    bare = stack.replace(
        layers=[
            type(each)(**{**each.to_fields(), "bias": False})
            if hasattr(each, "weight_shape")
            else each
            for each in stack
        ]
    )
    found = upsim.predict(stack, SIGNAL)
    lesser = {
        "bias": upsim.predict(bare, SIGNAL),
        "input offset": upsim.predict(stack, upsim.WhiteNoise(0.5)),
    }
    for tone in found.tones:
        for cause, other in lesser.items():
            left = next((t.power[0] for t in other.tones if t.fraction == tone.fraction), 0.0)
            lost = parts(tone).get(cause, 0.0)
            assert lost == pytest.approx(tone.power[0] - left, abs=bound(found))
        whole = sum(parts(tone).values()) + tone.interaction[0]
        assert whole == pytest.approx(tone.power[0], abs=bound(found))
    # Causes meet in an activation: what they make together is not nothing.
    assert max(abs(tone.interaction[0] / tone.power[0]) for tone in found.tones) > 0.01


def test_given_kernels_on_noise_are_repeated_too():
    """The walks for lines alone keep few lags; a given kernel that needs more gets them."""

    def level(depth, channels):
        if not depth:
            return [upsim.Conv(channels, channels, 15, padding=7), upsim.LeakyReLU(0.2)]
        more = channels + 2
        inner = [upsim.Decimate(2), upsim.Conv(channels, more, 15, padding=7)]
        inner += [upsim.LeakyReLU(0.2), *level(depth - 1, more), upsim.Linear(2)]
        join = upsim.Parallel(inner, [], merge="concatenate")
        return [join, upsim.Conv(channels + more, channels, 5, padding=2), upsim.LeakyReLU(0.2)]

    found = upsim.predict(upsim.Stack(level(4, 4), 16000), SIGNAL)
    for tone in found.tones:
        whole = sum(parts(tone).values()) + tone.interaction[0]
        assert whole == pytest.approx(tone.power[0], abs=bound(found))


def test_odd_activations_add_no_offset():
    layers = [upsim.TransposedConv(4, 16, 6, 4), upsim.Tanh(), upsim.TransposedConv(16, 1, 6, 4)]
    found = upsim.predict(upsim.Stack(layers, 64000), SIGNAL)
    assert all("activation" not in parts(tone) for tone in found.tones)


def test_an_activation_of_a_constant_passes_it_on():
    """ReLU(1) = 1: the offset is the input's, and the activation adds nothing."""
    stack = upsim.Stack([upsim.ReLU(), transposed(4, 1, 8, 4)], 64000)
    for tone in upsim.predict(stack, upsim.Constant(1.0)).tones:
        assert parts(tone) == {"input offset": tone.power[0]}


def test_noise_of_changing_power_makes_a_line_of_its_own():
    """By hand: the triangle, then ReLU: a Nyquist line 15.31 dB below the offset."""
    stack = upsim.Stack([upsim.Linear(2, "triangle"), upsim.ReLU(), conv(1, 1, 1)], 16000)
    found = upsim.predict(stack, upsim.WhiteNoise(1.0))
    offset, tone = found.tones
    # E f = s / sqrt(2 pi), with the variances 1 and 1/2.
    levels = np.array([1.0, np.sqrt(0.5)])
    ratio = ((levels[0] - levels[1]) / levels.sum()) ** 2
    assert tone.power[0] / offset.power[0] == pytest.approx(ratio, rel=rounding(64, 1 / ratio))
    # The activation's average is what the steady part of the noise makes: no line without changes.
    assert parts(tone)["modulation"] == pytest.approx(tone.power[0], abs=bound(found))
    assert tone.cause == "modulation"
    assert offset.cause == "activation"


def test_what_meets_as_amplitudes_is_not_parted():
    """(a + b)^2 = a^2 + b^2 + 2ab: the line loses a^2 + 2ab without a, b^2 + 2ab without b."""
    given = upsim.Conv(1, 1, 1, bias=[3.0], weight=[[[2.0]]])
    (tone,) = upsim.predict(upsim.Stack([given, conv(1, 1, 1)], 8000), upsim.Constant()).tones
    a, b = 2.0, 3.0
    assert tone.power[0] == 0.25 * (a + b) ** 2
    assert parts(tone)["input offset"] == pytest.approx(
        0.25 * (a**2 + 2 * a * b), abs=rounding(64, 25.0)
    )
    assert parts(tone)["bias"] == pytest.approx(0.25 * (b**2 + 2 * a * b), abs=rounding(64, 25.0))
    assert tone.interaction[0] == pytest.approx(-0.25 * 2 * a * b, abs=rounding(64, 25.0))


def test_a_periodic_bias_is_named_as_the_cause():
    found = upsim.predict(upsim.Stack([upsim.SubpixelConv(4, 4, 3, 4)], 16000), upsim.Silence())
    assert {tone.cause for tone in found.tones} == {"bias"}
    # A constant through many channels is stronger than the bias.
    loud = upsim.predict(upsim.Stack([upsim.SubpixelConv(4, 4, 3, 4)], 16000), upsim.Constant(9.0))
    assert {tone.cause for tone in loud.tones[1:]} == {"weights"}


def test_ones_make_lines_by_overlap():
    stack = upsim.Stack(
        [conv(1, 4, 1), upsim.TransposedConv(4, 1, 3, 2, bias=False, weight="ones")], 16000
    )
    assert [tone.cause for tone in upsim.predict(stack, SIGNAL).tones] == [
        "input offset",
        "overlap",
    ]


def test_without_provenance_nothing_is_repeated():
    found = upsim.predict(upsim.Stack(DEEP, 64000), SIGNAL, provenance=False)
    assert all(not tone.contributions and tone.interaction is None for tone in found.tones)
    full = upsim.predict(upsim.Stack(DEEP, 64000), SIGNAL)
    assert [tone.power[0] for tone in found.tones] == [tone.power[0] for tone in full.tones]


def test_parts_are_in_tables_words_files_and_layers():
    found = upsim.predict(upsim.Stack(DEEP, 64000), SIGNAL)
    assert "of layers 2, 4" in found.table() or "of layers 1, 3, 5" in found.table()
    text = str(found.explain(16000))
    assert "part of its power that goes without each: " in text
    assert "several together" in text
    again = upsim.Prediction.from_dict(json.loads(found.to_json()))
    for tone, same in zip(found.tones, again.tones, strict=True):
        assert parts(tone) == parts(same)
        assert tone.interaction.tolist() == same.interaction.tolist()
    first = found.layers[0].tones
    assert all(np.abs(tone.interaction).max() <= bound(found.layers[0]) for tone in first)
    assert first[0].fraction == Fraction(0)
