"""Inputs that bring a signal of their own: noise inside a network."""

import json

import numpy as np
import pytest

import upsim
from upsim.errors import ArgumentError, ArgumentTypeError, FileFormatError, UnknownNameError
from upsim.files.graphfile import network_from_dict, network_to_dict
from upsim.layers import Conv, LeakyReLU, TransposedConv
from upsim.words.tolerance import rounding

NODES = [
    ("noise_conv", Conv(1, 2, 3, padding=1), "noise"),
    ("sum", upsim.Add(), ("mel", "noise_conv")),
    ("up", TransposedConv(2, 1, 4, stride=2, padding=1), "sum"),
]
INPUTS = [upsim.Input("mel", 2), upsim.Input("noise", 1, upsim.WhiteNoise(0.25))]
GRAPH = upsim.Graph(NODES, INPUTS, 16000).draw(0)
UNDRAWN = upsim.Graph(NODES, INPUTS, 16000)


def power_of_noise():
    """Return the mean square behind both kernels, tap by tap: phase by phase of the stride."""
    first = GRAPH.node("noise_conv").layer.weight_array()[:, 0]
    second = GRAPH.node("up").layer.weight_array()[:, 0]
    total = 0.0
    for phase in range(2):
        # Output 2 m + phase sees the taps of one phase of each channel, at the low rate.
        both = sum(np.convolve(first[c, ::-1], second[c, phase::2]) for c in range(2))
        total += 0.25 * float(np.sum(both**2)) / 2
    return total


def test_nobody_needs_to_give_it():
    prediction = upsim.predict(GRAPH, upsim.Constant(1.0))
    assert abs(prediction.power_of_noise()[0] - power_of_noise()) <= rounding(100, 1.0)
    by_name = upsim.predict(GRAPH, {"mel": upsim.Constant(1.0)})
    assert [each.power for each in by_name.tones] == [each.power for each in prediction.tones]


def test_it_enters_where_it_enters_in_an_expectation():
    # torch's default: variances 1 / (3 fan_in) of taps: 3 taps of 1 channel, 4 taps of 1 channel
    expected = 0.25 * (3 / (3 * 3)) * 2 * 2 / (3 * 4)
    prediction = upsim.predict(UNDRAWN, upsim.Silence())
    assert prediction.power_of_noise()[0] == pytest.approx(expected, rel=rounding(100, 1.0))


def test_a_signal_given_by_name_takes_its_place():
    quiet = {"mel": upsim.Constant(1.0), "noise": upsim.Silence()}
    assert upsim.predict(GRAPH, quiet).psd is None
    loud = {"mel": upsim.Constant(1.0), "noise": upsim.WhiteNoise(1.0)}
    power = upsim.predict(GRAPH, loud).power_of_noise()[0]
    assert abs(power - 4 * power_of_noise()) <= rounding(100, 1.0)


def test_an_offset_of_its_own_is_a_cause_with_its_name():
    inputs = [upsim.Input("mel", 2), upsim.Input("noise", 1, upsim.Constant(1.0))]
    prediction = upsim.predict(GRAPH.replace(inputs=inputs), upsim.Silence())
    shares = {(each.cause, each.layer) for each in prediction.tones[0].contributions}
    assert ("input offset", "noise") in shares
    assert ("input offset", "mel") not in shares


def test_the_lines_beside_it_are_judged():
    report = upsim.verify(GRAPH, upsim.Constant(1.0))
    assert report.passed
    assert report.complete
    bent = upsim.Graph(
        [*NODES, ("act", LeakyReLU(0.1), "up")], inputs=INPUTS, sample_rate=16000
    ).draw(0)
    quiet = {"mel": upsim.Constant(1.0), "noise": upsim.Silence()}
    assert upsim.verify(bent, quiet).passed


def test_it_goes_into_files_reprs_and_parts():
    content = json.loads(json.dumps(network_to_dict(GRAPH)))
    assert content["inputs"] == {
        "mel": 2,
        "noise": {"channels": 1, "signal": {"type": "WhiteNoise", "power": 0.25}},
    }
    assert network_from_dict(content) == GRAPH
    names = {name: getattr(upsim, name) for name in upsim.__all__}
    assert eval(repr(UNDRAWN), names) == UNDRAWN
    assert GRAPH.upto("noise_conv").inputs == (INPUTS[1],)
    assert GRAPH.after("noise_conv").inputs == (upsim.Input("noise_conv", 2), INPUTS[0])
    assert GRAPH.replace(name="decoder").inputs == GRAPH.inputs
    plain = UNDRAWN.replace(inputs={"mel": 2, "noise": 1})
    assert plain != UNDRAWN


@pytest.mark.parametrize(
    "content",
    [
        {"channels": 1},
        {"channels": 1, "signal": {"type": "Noise"}},
        {"channels": 1, "signal": None},
        {"channels": "x", "signal": {"type": "Silence"}},
        {"channels": 1, "signal": {"type": "Silence"}, "rate": 2},
    ],
)
def test_what_is_no_input_is_refused_from_a_file(content):
    wrong = network_to_dict(GRAPH) | {"inputs": {"mel": 2, "noise": content}}
    with pytest.raises((FileFormatError, UnknownNameError, ArgumentTypeError)) as caught:
        network_from_dict(wrong)
    assert "noise" in str(caught.value)


def test_what_is_no_input_is_refused():
    with pytest.raises(ArgumentTypeError, match="must be an upsim signal"):
        upsim.Input("noise", 1, 0.01)
    with pytest.raises(ArgumentTypeError, match=r"a list of upsim\.Input"):
        upsim.Graph(NODES, ["mel", "noise"], 16000)
    with pytest.raises(ArgumentError, match="two inputs have one name"):
        upsim.Graph(NODES, [INPUTS[0], INPUTS[0], INPUTS[1]], 16000)
    with pytest.raises(UnknownNameError, match="every input needs a signal"):
        upsim.predict(GRAPH, {"noise": upsim.Silence()})
