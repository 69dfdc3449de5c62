"""Expectation over initialisations of networks with several inputs, against drawn networks."""

import numpy as np
import pytest

import upsim
from upsim.words.tolerance import rounding, sampling

TURNS = np.linspace(0.01, 0.49, 9)


def graph_of(*middle, bias=True):
    """Return a graph whose inputs meet behind random layers, and what stands behind that."""
    nodes = [
        ("up", upsim.TransposedConv(2, 6, 8, 4, 2, bias=bias), "mel"),
        ("source", upsim.Conv(1, 6, 8, 2, 3, bias=bias), "pitch"),
        ("mixed", upsim.Add(), ("up", "source")),
    ]
    for number, layer in enumerate(middle):
        nodes.append((f"middle{number}", layer, nodes[-1][0]))
    nodes.append(("last", upsim.TransposedConv(6, 1, 4, 2, 1, bias=bias), nodes[-1][0]))
    return upsim.Graph(nodes, {"mel": 2, "pitch": 1}, 16000)


def coloured():
    return upsim.Density((0.0, 3000.0, 5000.0), [1e-4, 2e-4, 0.0])


FEEDS = {
    "noise": {"mel": upsim.WhiteNoise([1.0, 2.0]), "pitch": coloured()},
    "constants": {"mel": upsim.Constant([1.0, -0.5]), "pitch": upsim.Constant(2.0)},
    "a sine": {"mel": upsim.Constant(0.5), "pitch": upsim.Sine(1000)},
    "one is silent": {"mel": upsim.Silence(), "pitch": upsim.WhiteNoise(0.5) + upsim.Constant(1.0)},
}


def powers_of(prediction, period):
    """Return density and powers of the lines ``k / period``, one row."""
    lines = np.zeros(period // 2 + 1)
    for tone in prediction.tones:
        lines[int(tone.fraction * period)] = tone.power[0]
    psd = np.zeros(TURNS.size) if prediction.psd is None else prediction.psd[0]
    return np.concatenate([psd * float(prediction.sample_rate), lines])


def drawn_powers(graph, feed, period, draws):
    grid = TURNS * float(graph.sample_rate)
    return np.array(
        [
            powers_of(
                upsim.predict(graph.draw(seed), feed, frequencies=grid, provenance=False), period
            )
            for seed in range(draws)
        ]
    )


@pytest.mark.parametrize("name", FEEDS)
def test_a_linear_network_against_the_average_of_drawn_ones(name):
    graph, feed, draws = graph_of(), FEEDS[name], 300
    found = upsim.predict(graph, feed, frequencies=TURNS * float(graph.sample_rate))
    period = 16
    seen = drawn_powers(graph, feed, period, draws)
    allowed = sampling(1.0, draws) * seen.std(axis=0, ddof=1)
    wanted = powers_of(found, period)
    assert np.all(np.abs(seen.mean(axis=0) - wanted) <= allowed + rounding(64, wanted.max()))
    assert wanted.any()


def test_powers_of_inputs_that_meet_behind_random_layers_add_up():
    graph = graph_of(bias=False)
    feed = FEEDS["noise"] | {"mel": FEEDS["noise"]["mel"] + upsim.Constant(1.0)}
    grid = TURNS * float(graph.sample_rate)
    both = powers_of(upsim.predict(graph, feed, frequencies=grid), 8)
    alone = [
        powers_of(
            upsim.predict(
                graph, {**dict.fromkeys(feed, upsim.Silence()), name: signal}, frequencies=grid
            ),
            8,
        )
        for name, signal in feed.items()
    ]
    assert np.abs(both - sum(alone)).max() <= rounding(256, both.max())
    assert all(each.any() for each in alone)


def test_offsets_that_meet_before_a_random_layer_add_as_amplitudes():
    """Two inputs that are added carry one offset of 3, whose lines are nine times those of 1."""
    nodes = [
        ("sum", upsim.Add(), ("a", "b")),
        ("up", upsim.TransposedConv(1, 1, 4, 2, 1, bias=False), "sum"),
    ]
    graph = upsim.Graph(nodes, {"a": 1, "b": 1}, 8000)
    feed = {"a": upsim.Constant(1.0), "b": upsim.Constant(2.0)}
    one = upsim.predict(upsim.Stack([nodes[1][1]], 8000), upsim.Constant(1.0))
    found = upsim.predict(graph, feed)
    for mine, other in zip(found.tones, one.tones, strict=True):
        assert abs(mine.power[0] - 9 * other.power[0]) <= rounding(64, float(mine.power[0]))
    shares = found.tones[-1].contributions
    assert [(each.cause, each.layer) for each in shares] == [("input offset", "a, b")]


def test_a_given_layer_before_the_random_ones():
    """The first input passes given weights, the second none; both meet behind random layers."""
    weight = np.random.default_rng(0).standard_normal((2, 2, 3))
    graph = graph_of()
    nodes = [("given", upsim.Conv(2, 2, 3, padding=1, weight=weight, bias=False), "mel")]
    nodes += [
        (each.name, each.layer, tuple("given" if read == "mel" else read for read in each.reads))
        for each in graph.parts
    ]
    graph, draws = upsim.Graph(nodes, {"mel": 2, "pitch": 1}, 16000), 300
    for feed in (FEEDS["noise"], FEEDS["one is silent"]):
        found = upsim.predict(graph, feed, frequencies=TURNS * float(graph.sample_rate))
        seen, wanted = drawn_powers(graph, feed, 8, draws), powers_of(found, 8)
        allowed = sampling(1.0, draws) * seen.std(axis=0, ddof=1)
        assert np.all(np.abs(seen.mean(axis=0) - wanted) <= allowed + rounding(64, wanted.max()))


def test_a_wide_activation_against_one_input_of_all_channels():
    """Inputs of one rate that are stacked at once are one input with independent channels."""
    layers = [upsim.Conv(4, 16, 3, padding=1), upsim.ReLU(), upsim.TransposedConv(16, 1, 4, 2, 1)]
    nodes = [("both", upsim.Concatenate(), ("a", "b"))]
    for number, layer in enumerate(layers):
        nodes.append((f"n{number}", layer, nodes[-1][0]))
    graph = upsim.Graph(nodes, {"a": 2, "b": 2}, 16000)
    feed = {
        "a": upsim.WhiteNoise([1.0, 2.0]) + upsim.Constant(0.3),
        "b": upsim.WhiteNoise([0.5, 1.5]) + upsim.Constant(0.3),
    }
    whole = upsim.WhiteNoise([1.0, 2.0, 0.5, 1.5]) + upsim.Constant(0.3)
    grid = TURNS * 16000
    found = powers_of(upsim.predict(graph, feed, frequencies=grid), 2)
    wanted = powers_of(upsim.predict(upsim.Stack(layers, 16000), whole, frequencies=grid), 2)
    assert np.abs(found - wanted).max() <= rounding(1024, wanted.max())


def test_a_recording_is_refused_with_a_way_out_that_works():
    graph = graph_of()
    feed = {"mel": upsim.Recorded(np.ones((2, 8)), 2000), "pitch": upsim.Silence()}
    with pytest.raises(upsim.errors.NotPredictableError, match=r"stack\.draw"):
        upsim.predict(graph, feed)
    assert upsim.predict(graph.draw(seed=0), feed).waveform is not None
