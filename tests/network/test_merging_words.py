"""Differences, products, quotients and gates of two values, against the same sums by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import upsim
from upsim.errors import NotPredictableError, ShapeError
from upsim.files.graphfile import network_from_dict, network_to_dict
from upsim.words.tolerance import rounding

BY_HAND = {
    "Subtract": (upsim.Subtract(), lambda a, b: a - b),
    "Multiply": (upsim.Multiply(), lambda a, b: a * b),
    "Divide": (upsim.Divide(), lambda a, b: a / b),
    "Gate": (
        upsim.Gate(upsim.Tanh(), upsim.Sigmoid()),
        lambda a, b: np.tanh(a) / (1 + np.exp(-b)),
    ),
}
cases = st.tuples(st.sampled_from(list(BY_HAND)), st.sampled_from([(2, 2), (2, 1), (1, 3)]))


def network(layer, channels, seed):
    """Two branches of transposed convolutions, the second well above 0, then the merging."""
    rng = np.random.default_rng(seed)
    branches = []
    for name, count in zip("ab", channels, strict=True):
        weight = rng.uniform(-1, 1, (2, count, 4))
        bias = rng.uniform(-1, 1, count) + (20.0 if name == "b" else 0.0)
        made = upsim.TransposedConv(2, count, 4, 2, 1, bias=bias, weight=weight)
        branches.append((name, made, "x"))
    return upsim.Graph([*branches, ("y", layer, ("a", "b"))], {"x": 2}, 16000)


@given(cases, st.integers(0, 99))
def test_lines_are_those_of_the_values_combined_by_hand(case, seed):
    (name, channels) = case
    layer, by_hand = BY_HAND[name]
    graph = network(layer, channels, seed)
    offset = np.random.default_rng(seed).uniform(-2, 2, 2)
    # Each branch in the steady state: the offset times the phase gains of its kernel.
    parts = []
    for part in graph.parts[:2]:
        weight = part.layer.weight_array()
        # Sample n of the full response is cropped by 1; taps n + 1 and n + 3, or n, n + 2 reach it.
        gains = np.stack([weight[..., 1::2].sum(-1), weight[..., 0::2].sum(-1)], axis=-1)
        parts.append(np.einsum("i,iop->op", offset, gains) + part.layer.bias_array()[:, None])
    period = by_hand(*parts)
    lines = np.fft.fft(period, axis=1) / 2
    answer = upsim.predict(graph, upsim.Constant(offset))
    scale = float(np.abs(parts[0]).max() * np.abs(parts[1]).max() + 1) * 30
    found = np.zeros((len(period), 2), dtype=complex)
    for tone in answer.tones:
        found[:, int(2 * tone.fraction)] = tone.amplitude
    assert np.allclose(found, lines, rtol=0, atol=rounding(64, scale))
    shares = sum(np.sum([c.amplitude for c in tone.contributions], axis=0) for tone in answer.tones)
    assert np.allclose(shares, found.sum(axis=1), rtol=0, atol=rounding(256, scale))


@given(cases, st.integers(0, 99))
def test_a_recording_is_combined_sample_by_sample(case, seed):
    name, channels = case
    layer, by_hand = BY_HAND[name]
    graph = network(layer, channels, seed)
    samples = np.random.default_rng(seed).uniform(-1, 1, (2, 9))
    recording = upsim.Recorded(samples, graph.input_rate)
    ends = [upsim.predict(graph.upto(each), recording).waveform for each in "ab"]
    scale = 30 * (1 + float(np.abs(ends[0]).max()))
    assert np.allclose(
        upsim.predict(graph, recording).waveform,
        by_hand(*ends),
        rtol=0,
        atol=rounding(64, scale),
    )


@pytest.mark.parametrize("name", BY_HAND)
def test_the_judge_agrees_and_the_names_are_the_users_own(name):
    graph = network(BY_HAND[name][0], (2, 1), seed=5)
    assert upsim.verify(graph, upsim.Constant([1.0, -0.5])).passed
    assert graph.nodes[-1].name == "y"
    words = {"Subtract": "difference", "Multiply": "product", "Divide": "quotient", "Gate": "Gate"}
    assert graph.nodes[-1].title == f"y ({words[name]})"
    assert graph.kind("y") == name
    assert eval(repr(graph), vars(upsim) | {"array": np.array}) == graph
    assert network_from_dict(network_to_dict(graph)) == graph


def test_noise_less_noise_is_noise_of_both_powers():
    graph = upsim.Graph([("y", upsim.Subtract(), ("a", "b"))], {"a": 1, "b": 1}, 8000)
    apart = {"a": upsim.WhiteNoise(2.0), "b": upsim.WhiteNoise(3.0)}
    assert np.allclose(upsim.predict(graph, apart).noise_power, 5.0, rtol=rounding(16, 1.0))


def test_a_value_less_itself_is_silent():
    graph = upsim.Graph([("y", upsim.Subtract(), ("a", "a"))], {"a": 2}, 8000)
    answer = upsim.predict(graph, upsim.Constant(1.0) + upsim.WhiteNoise(1.0))
    assert not answer.tones
    assert np.all(answer.noise_power <= rounding(16, 2.0))


def test_the_product_of_two_independent_noises():
    # E a^2 b^2 = (m^2 + s^2) (n^2 + t^2), less the square of the mean m n.
    graph = upsim.Graph([("y", upsim.Multiply(), ("a", "b"))], {"a": 1, "b": 1}, 8000)
    signals = {
        "a": upsim.Constant(0.5) + upsim.WhiteNoise(2.0),
        "b": upsim.Constant(-1.5) + upsim.WhiteNoise(3.0),
    }
    answer = upsim.predict(graph, signals)
    power = (0.25 + 2.0) * (2.25 + 3.0) - 0.75**2
    assert np.allclose(answer.noise_power, power, rtol=rounding(2**12, 1.0))
    assert np.allclose(answer.tones[0].amplitude, -0.75, rtol=rounding(2**12, 1.0))


def test_the_square_of_noise():
    # x^2 of variance s^2: mean s^2, variance 2 s^4.
    graph = upsim.Graph([("y", upsim.Multiply(), ("x", "x"))], {"x": 1}, 8000)
    answer = upsim.predict(graph, upsim.WhiteNoise(3.0))
    assert np.allclose(answer.noise_power, 18.0, rtol=rounding(2**12, 1.0))
    assert np.allclose(answer.tones[0].amplitude, 3.0, rtol=rounding(2**12, 1.0))


def test_a_mask_that_is_not_random_passes_noise_as_often_as_it_is_open():
    # 1 + cos at a quarter of the rate: 2, 1, 0, 1; its mean square is 3/2.
    graph = upsim.Graph([("y", upsim.Multiply(), ("x", "mask"))], {"x": 2, "mask": 1}, 8000)
    mask = upsim.Constant(1.0) + upsim.Sine(2000.0, phase=np.pi / 2)
    answer = upsim.predict(graph, {"x": upsim.WhiteNoise([1.0, 2.0]), "mask": mask})
    assert np.allclose(answer.noise_power, [1.5, 3.0], rtol=rounding(2**12, 1.0))
    assert not answer.tones


def test_noise_over_a_divisor_that_is_not_random():
    graph = upsim.Graph([("y", upsim.Divide(), ("x", "by"))], {"x": 1, "by": 1}, 8000)
    signals = {"x": upsim.WhiteNoise(2.0), "by": upsim.Constant(4.0)}
    answer = upsim.predict(graph, signals)
    assert np.allclose(answer.noise_power, 2.0 / 16, rtol=rounding(2**12, 1.0))


def test_random_branches_are_subtracted_as_they_are_added():
    def of(merging):
        layers = [upsim.TransposedConv(1, 4, 8, 4, 2), upsim.Conv(1, 4, 3, padding=1)]
        parts = [
            ("up", upsim.Nearest(4), "x"),
            ("a", layers[0], "x"),
            ("b", layers[1], "up"),
            ("y", merging, ("a", "b")),
        ]
        return upsim.predict(upsim.Graph(parts, {"x": 1}, 16000), upsim.Constant(1.0))

    added, subtracted = of(upsim.Add()), of(upsim.Subtract())
    for one, other in zip(added.tones, subtracted.tones, strict=True):
        assert np.allclose(one.power, other.power, rtol=rounding(64, 1.0))


@pytest.mark.parametrize(
    ("layer", "inputs", "words"),
    [
        (upsim.Multiply(), {"a": 1, "b": 1, "c": 1}, "a product is of two values"),
        (upsim.Subtract(), {"a": 1}, "a difference is of two values"),
        (upsim.Divide(), {"a": 2, "b": 3}, "the values of a quotient have different channels"),
        (upsim.Gate(), {"a": 2, "b": 4}, "the values of a Gate have different channels"),
        (upsim.GLU(), {"a": 1, "b": 1, "c": 1}, "a layer reads one value"),
        (upsim.ReLU(), {"a": 1, "b": 1}, "a layer reads one value"),
    ],
)
def test_what_does_not_fit_is_refused_at_its_node(layer, inputs, words):
    with pytest.raises(ShapeError, match=words) as caught:
        upsim.Graph([("node", layer, tuple(inputs))], inputs, 8000)
    assert "node" in str(caught.value)


def test_a_divisor_that_is_random_or_zero_is_refused():
    graph = upsim.Graph([("y", upsim.Divide(), ("x", "by"))], {"x": 1, "by": 1}, 8000)
    noise = {"x": upsim.Constant(1.0), "by": upsim.WhiteNoise(1.0)}
    with pytest.raises(NotPredictableError, match="a division has no moments"):
        upsim.predict(graph, noise)
    with pytest.raises(NotPredictableError, match="a division by 0"):
        upsim.predict(graph, {"x": upsim.Constant(1.0), "by": upsim.Silence()})


def test_a_softmax_gate_is_exact_where_nothing_is_random_and_refused_elsewhere():
    layer = upsim.Gate(upsim.Tanh(), upsim.Softmax())
    graph = upsim.Graph([("y", layer, ("a", "b"))], {"a": 2, "b": 2}, 8000)
    signals = {"a": upsim.Constant([1.0, 2.0]), "b": upsim.Constant([0.0, np.log(3.0)])}
    answer = upsim.predict(graph, signals)
    expected = np.tanh([1.0, 2.0]) * [0.25, 0.75]
    assert np.allclose(answer.tones[0].amplitude, expected, rtol=rounding(16, 1.0))
    with pytest.raises(NotPredictableError, match="a softmax over channels has no moments"):
        upsim.predict(graph, signals | {"b": upsim.WhiteNoise(1.0)})


def test_parameters_for_each_channel_do_not_fit_in_a_gate():
    with pytest.raises(upsim.errors.ArgumentError, match="for each channel"):
        upsim.Gate(upsim.Snake([1.0, 2.0]))
    with pytest.raises(upsim.errors.ArgumentTypeError, match="must be an activation"):
        upsim.Gate(upsim.Conv(1, 1, 1))
    with pytest.raises(upsim.errors.ArgumentTypeError, match="must be an activation"):
        upsim.Gate(None, upsim.GLU())
