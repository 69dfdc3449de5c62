"""Noise behind several inputs: densities, powers, lines and closures against the witness."""

from fractions import Fraction

import numpy as np
import pytest

import upsim
from theory.several_inputs import LINEAR, RATE, ImpulseResponses, convolution, transposed
from upsim.errors import ShapeError
from upsim.neural.run import run_graph
from upsim.words.tolerance import rounding, sampling


def noises(graph):
    """Return a noise for each input, no two alike."""
    found = {}
    for number, each in enumerate(graph.inputs):
        powers = np.linspace(0.5, 1.5, each.channels) * (number + 1)
        found[each.name] = upsim.WhiteNoise(powers)
    coloured = upsim.Density((0.0, 700.0, 1500.0, 2400.0), [2e-4, 5e-4, 0.0, 1e-4])
    last = graph.inputs[-1].name
    return found | {last: found[last] + coloured + upsim.Constant(0.5)}


@pytest.mark.parametrize("make", LINEAR)
class TestLinear:
    def test_the_density_is_the_sum_over_the_inputs(self, make):
        graph = make()
        feed, turns = noises(graph), np.linspace(0.013, 0.487, 23)
        found = upsim.predict(graph, feed, frequencies=turns * float(graph.sample_rate))
        witness = ImpulseResponses(graph)
        wanted = 2 * witness.density(list(feed.values()), turns).real
        assert np.abs(found.psd - wanted).max() <= rounding(witness.terms(), wanted.max())
        assert wanted.max() > 0

    def test_the_power_is_that_of_all_answers(self, make):
        graph = make()
        feed = {each.name: upsim.WhiteNoise(1.0 + n) for n, each in enumerate(graph.inputs)}
        witness = ImpulseResponses(graph)
        wanted = sum(
            (1.0 + n) * (answers**2).sum(axis=(0, 1, 3))
            for n, answers in enumerate(witness.answers)
        )
        found = upsim.predict(graph, feed).noise_power
        scale = wanted.max() / witness.up
        assert np.abs(found - wanted / witness.up).max() <= rounding(witness.terms(), scale)

    def test_cyclic_densities_add_up_too(self, make):
        graph = make()
        feed, turns = noises(graph), np.linspace(0.013, 0.487, 23)
        found = upsim.predict(graph, feed, frequencies=turns * float(graph.sample_rate))
        witness = ImpulseResponses(graph)
        seen = 0
        for order in range(1, witness.up):
            wanted = witness.density(list(feed.values()), turns, order)
            alpha = order / witness.up
            got = found.cyclic(turns, Fraction(order, witness.up))
            scale = np.abs(found.psd).max()
            assert np.abs(got - wanted).max() <= rounding(witness.terms(), scale), alpha
            seen += bool(np.abs(wanted).max() > rounding(witness.terms(), scale))
        assert seen


def relu_covariance(deviation, rho):
    """Return ``Cov(relu(x), relu(y))`` of two Gaussian samples (Cho & Saul 2009, order one)."""
    angle = np.arccos(rho)
    product = (np.sin(angle) + (np.pi - angle) * rho) / (2 * np.pi)
    return deviation**2 * (product - 1 / (2 * np.pi))


def density_of(lags, turns, rate):
    """Return the one-sided density of an autocovariance at lags 0, 1, ..."""
    waves = np.cos(2 * np.pi * np.outer(np.arange(1, len(lags)), turns))
    return 2 * (lags[0] + 2 * np.asarray(lags[1:]) @ waves) / rate


TURNS = np.linspace(0.0, 0.5, 33)


def noise_and_lines(graph, feed, **more):
    """Return the density at TURNS, and the amplitude of each line by its fraction."""
    found = upsim.predict(graph, feed, frequencies=TURNS * float(graph.sample_rate), **more)
    return found, {tone.fraction: tone.amplitude for tone in found.tones}


class TestClosure:
    def test_noises_of_two_rates_meet_before_an_activation(self):
        """A sample held twice and its neighbour share the first noise, and nothing else."""
        nodes = [
            ("held", upsim.Nearest(2), "slow"),
            ("mixed", upsim.Add(), ("held", "fast")),
            ("act", upsim.ReLU(), "mixed"),
        ]
        graph = upsim.Graph(nodes, {"slow": 1, "fast": 1}, 8000)
        feed = {"slow": upsim.WhiteNoise(1.5), "fast": upsim.WhiteNoise(0.5)}
        found, lines = noise_and_lines(graph, feed)
        deviation = 2.0**0.5
        lags = [relu_covariance(deviation, 1.0), relu_covariance(deviation, 0.75) / 2]
        wanted = density_of(lags, TURNS, 8000)
        assert np.abs(found.psd - wanted).max() <= rounding(256, wanted.max())
        assert list(lines) == [0]
        assert abs(lines[0][0] - deviation / np.sqrt(2 * np.pi)) <= rounding(64, 1.0)

    def test_noises_that_meet_behind_activations_add_up(self):
        nodes = [
            ("one", upsim.ReLU(), "slow"),
            ("held", upsim.Nearest(2), "one"),
            ("two", upsim.ReLU(), "fast"),
            ("sum", upsim.Add(), ("held", "two")),
        ]
        graph = upsim.Graph(nodes, {"slow": 1, "fast": 1}, 8000)
        found, lines = noise_and_lines(graph, upsim.WhiteNoise(2.0))
        own = relu_covariance(2.0**0.5, 1.0)
        wanted = density_of([2 * own, own / 2], TURNS, 8000)
        assert np.abs(found.psd - wanted).max() <= rounding(256, wanted.max())
        assert abs(lines[0][0] - 2 * 2.0**0.5 / np.sqrt(2 * np.pi)) <= rounding(64, 4.0)
        assert any("exact after one activation" in each for each in found.assumptions)

    def test_a_gate_whose_halves_are_two_inputs(self):
        r"""Of independent halves :math:`E y^2 = E a^2\, E g(b)^2`, and what is left is white."""
        nodes = [("both", upsim.Concatenate(), ("a", "b")), ("gate", upsim.GLU(), "both")]
        graph = upsim.Graph(nodes, {"a": 1, "b": 1}, 8000)
        feed = {"a": upsim.WhiteNoise(3.0), "b": upsim.WhiteNoise(0.7)}
        found, lines = noise_and_lines(graph, feed)
        nodes, weights = np.polynomial.hermite_e.hermegauss(120)
        opening = weights @ (1 / (1 + np.exp(-nodes * 0.7**0.5))) ** 2 / weights.sum()
        wanted = 2 * 3.0 * opening / 8000
        assert np.abs(found.psd - wanted).max() <= rounding(512, wanted)
        assert not lines

    def test_a_constant_passes_its_own_activations_exactly(self):
        """Only the noise counts activations: a constant behind three of them is no closure."""
        deep = [("one", upsim.Tanh(), "steady"), ("two", upsim.Sigmoid(), "one")]
        nodes = [
            *deep,
            ("three", upsim.Tanh(), "two"),
            ("act", upsim.ReLU(), "noise"),
            ("sum", upsim.Add(), ("act", "three")),
        ]
        graph = upsim.Graph(nodes, {"steady": 1, "noise": 1}, 8000)
        feed = {"steady": upsim.Constant(0.8), "noise": upsim.WhiteNoise(1.0)}
        found, lines = noise_and_lines(graph, feed)
        still = np.tanh(1 / (1 + np.exp(-np.tanh(0.8))))
        assert abs(lines[0][0] - still - 1 / np.sqrt(2 * np.pi)) <= rounding(64, 2.0)
        wanted = 2 * relu_covariance(1.0, 1.0) / 8000
        assert np.abs(found.psd - wanted).max() <= rounding(256, wanted)
        assert any("exact after one activation" in each for each in found.assumptions)
        assert not any("closure error" in each for each in found.assumptions)

    def test_a_sine_beside_noise_keeps_its_harmonics(self):
        """A sine through an activation of its own, added to noise, is the sine's line spectrum."""
        nodes = [
            ("act", upsim.ReLU(), "sine"),
            ("up", upsim.Nearest(2), "act"),
            ("sum", upsim.Add(), ("up", "noise")),
        ]
        graph = upsim.Graph(nodes, {"sine": 1, "noise": 1}, 16000)
        feed = {"sine": upsim.Sine(1000), "noise": upsim.WhiteNoise(1.0)}
        found, lines = noise_and_lines(graph, feed)
        period = np.repeat(np.maximum(np.cos(2 * np.pi * np.arange(8) / 8), 0.0), 2)
        wanted = np.fft.rfft(period, norm="forward")
        for number, amplitude in enumerate(wanted):
            got = lines.get(Fraction(number, 16), np.zeros(1))[0]
            assert abs(got - amplitude) <= rounding(256, 1.0)
        assert np.abs(found.psd - 2 / 16000).max() <= rounding(16, 1 / 8000)


def after_the_inputs(rng, body):
    """Return layers behind what two inputs of two channels are stacked to."""
    first, last = convolution(rng, 4, 16, 3), convolution(rng, 16, 2, 3)
    inner = {
        "activations": [upsim.GELU(), convolution(rng, 16, 16, 3), upsim.ReLU()],
        "gates": [upsim.GLU(), transposed(rng, 8, 32, 2), upsim.GLU()],
        "norms": [upsim.LayerNorm(16), upsim.ReLU(), upsim.GroupNorm(2, 16)],
    }
    return [first, *inner[body], last]


#: Bytes in which the covariances of all pairs of channels do not fit.
LITTLE = {"activations": 400_000, "gates": 1_000_000, "norms": 400_000}


@pytest.mark.parametrize("body", list(LITTLE))
@pytest.mark.parametrize("pairs", [True, False])
def test_stacked_inputs_are_one_input_of_all_their_channels(body, pairs):
    """Two inputs of one rate that are stacked at once are one input with independent channels."""
    layers = after_the_inputs(np.random.default_rng(5), body)
    one = upsim.Stack(layers, 8000, in_channels=4)
    names = ["both", *(str(number) for number in range(len(layers)))]
    nodes = [("both", upsim.Concatenate(), ("a", "b"))]
    nodes += [
        (name, layer, before)
        for name, layer, before in zip(names[1:], layers, names[:-1], strict=True)
    ]
    graph = upsim.Graph(nodes, {"a": 2, "b": 2}, 8000)
    feed = {
        "a": upsim.WhiteNoise([1.0, 2.0]) + upsim.Constant(0.3),
        "b": upsim.WhiteNoise([0.5, 1.5]) + upsim.Constant(0.3),
    }
    whole = upsim.WhiteNoise([1.0, 2.0, 0.5, 1.5]) + upsim.Constant(0.3)
    memory = 2**31 if pairs else LITTLE[body]
    found = upsim.predict(graph, feed, memory=memory)
    wanted = upsim.predict(one, whole, memory=memory)
    assert (found.psd is not None) == (wanted.psd is not None) == pairs
    if pairs:
        assert np.abs(found.psd - wanted.psd).max() <= rounding(4096, wanted.psd.max())
    assert [tone.fraction for tone in found.tones] == [tone.fraction for tone in wanted.tones]
    for mine, other in zip(found.tones, wanted.tones, strict=True):
        assert np.abs(mine.amplitude - other.amplitude).max() <= rounding(4096, 1.0)


def closed(seed=3):
    """The network of two rates with an activation before and one behind where the inputs meet."""
    rng = np.random.default_rng(seed)
    nodes = [
        ("up", transposed(rng, 2, 3, 4), "mel"),
        ("gelu", upsim.GELU(), "up"),
        ("source", convolution(rng, 1, 3, 5, stride=2), "pitch"),
        ("mixed", upsim.Add(), ("gelu", "source")),
        ("last", transposed(rng, 3, 2, 2), "mixed"),
    ]
    return upsim.Graph(nodes, {"mel": 2, "pitch": 1}, RATE)


def test_a_run_has_the_predicted_powers_and_means():
    """Exact after one activation: the mean of each phase and the power of runs of seeded noise."""
    graph, rng, runs, length = closed(), np.random.default_rng(11), 400, 48
    found = upsim.predict(graph, {"mel": upsim.WhiteNoise(1.5), "pitch": upsim.WhiteNoise(0.4)})
    fed = [
        power**0.5 * rng.standard_normal((runs, each.channels, count))
        for each, count, power in zip(
            graph.inputs, graph.input_lengths(length), (1.5, 0.4), strict=True
        )
    ]
    made = run_graph(graph, fed)[graph.end]
    inner = made[:, :, 64:-64]
    steady = found.lines(made.shape[2])[:, 64:-64]
    # Each run gives one independent mean of each phase, and one mean square of what is left.
    phases = (inner - steady).reshape(runs, 2, -1, 8).mean(axis=2)
    powers = ((inner - steady) ** 2).mean(axis=2)
    for seen, wanted in ((phases, 0.0), (powers, found.noise_power)):
        allowed = sampling(1.0, runs) * seen.std(axis=0, ddof=1)
        assert np.all(np.abs(seen.mean(axis=0) - wanted) <= allowed)


def two_paths():
    """The first input is stretched on its own path, the second is not."""
    nodes = [
        ("up", upsim.Stretch(4), "mel"),
        ("sum", upsim.Add(), ("up", "pitch")),
    ]
    return upsim.Graph(nodes, {"mel": 1, "pitch": 1}, 8000)


THIRD = Fraction(4000, 3)


@pytest.mark.parametrize(
    ("mel", "pitch", "layer"),
    [
        # The image 2000 - 2000 / 3 of a sine of the mel, a quarter as strong as the sine was.
        (upsim.Sine(Fraction(2000, 3)), upsim.Silence(), "up"),
        (upsim.Silence(), upsim.Sine(THIRD), ""),
        (upsim.Sine(Fraction(2000, 3)), upsim.Sine(THIRD, 0.1), "up"),
        (upsim.Sine(Fraction(2000, 3)), upsim.Sine(THIRD, 3.0), ""),
    ],
)
def test_only_layers_on_the_way_of_an_input_move_its_lines(mel, pitch, layer):
    graph = two_paths()
    found = upsim.predict(graph, {"mel": mel, "pitch": pitch})
    (tone,) = [each for each in found.tones if each.frequency == float(THIRD)]
    assert (tone.layer, tone.cause) == (layer, "input")
    assert upsim.verify(found).passed


def test_recordings_of_different_lengths_are_refused_and_the_way_out_works():
    graph = two_paths()
    mel, pitch = np.ones((1, 10)), np.ones((1, 41))
    feed = {"mel": upsim.Recorded(mel, 2000), "pitch": upsim.Recorded(pitch, 8000)}
    with pytest.raises(ShapeError, match=r"different lengths.*'mel' of 0.005 s.*cut the longer"):
        upsim.predict(graph, feed)
    cut = feed | {"pitch": upsim.Recorded(pitch[:, :40], 8000)}
    assert upsim.predict(graph, cut).waveform.shape == (1, 40)
    with pytest.raises(ShapeError, match=r"no common length.*whole number of samples at 2 kHz"):
        upsim.predict(graph, {"mel": upsim.Constant(1.0), "pitch": feed["pitch"]})


def test_a_constant_beside_a_recording_lasts_as_long():
    graph, samples = two_paths(), np.arange(8.0)[None]
    feed = {"mel": upsim.Constant(0.5), "pitch": upsim.Recorded(samples, 8000)}
    found = upsim.predict(graph, feed)
    assert np.array_equal(found.waveform, samples + 0.5 * (np.arange(8) % 4 == 0))


def test_panels_know_what_noise_has_reached():
    feed = {"mel": upsim.Constant(0.5), "pitch": upsim.WhiteNoise(1.0)}
    found = upsim.predict(closed(), feed)
    heard = [each.psd is not None for each in found.layers]
    assert heard == [False, False, True, True, True]
    assert found.layers[1].noise_power.tolist() == [0.0] * 3
