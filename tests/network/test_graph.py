"""Graphs: named nodes, several inputs, shared values, crossing skips."""

import json
import pickle
from fractions import Fraction

import numpy as np
import pytest

import upsim
from upsim import neural
from upsim.errors import ArgumentError, ArgumentTypeError, ShapeError, UnknownNameError
from upsim.files.graphfile import network_from_dict, network_to_dict
from upsim.network.walk import walk, walk_back
from upsim.words.tolerance import rounding


def vocoder():
    """Two inputs at two rates, a value read three times, skips that cross."""
    nodes = [
        ("pre", upsim.Conv(3, 4, 3, padding=1), "mel"),
        ("up1", upsim.TransposedConv(4, 4, 8, 4, 2), "pre"),
        ("act", upsim.LeakyReLU(0.1), "up1"),
        ("source", upsim.Conv(1, 4, 8, 2, 3), "pitch"),
        ("mixed", upsim.Add(), ("act", "source")),
        ("left", upsim.Conv(4, 4, 3, padding=1), "mixed"),
        ("right", upsim.Conv(4, 4, 5, padding=2), "mixed"),
        ("crossed", upsim.Average(), ("left", "right", "act")),
        ("both", upsim.Concatenate(), ("crossed", "mixed")),
        ("up2", upsim.TransposedConv(8, 1, 4, 2, 1), "both"),
    ]
    return upsim.Graph(nodes, {"mel": 3, "pitch": 1}, 16000, name="vocoder")


def by_hand(graph, mel, pitch):
    """The same network, written out with the witness's single layers."""
    layer = {part.name: part.layer for part in graph.parts}

    def do(name, value):
        return neural.run(layer[name], value)

    act = do("act", do("up1", do("pre", mel)))
    mixed = act + do("source", pitch)
    crossed = (do("left", mixed) + do("right", mixed) + act) / 3
    return do("up2", np.concatenate([crossed, mixed]))


class TestRates:
    def test_inputs_have_the_rates_that_the_output_asks_for(self):
        assert vocoder().input_rates == (Fraction(2000), Fraction(16000))

    def test_a_value_read_at_two_rates_is_refused(self):
        nodes = [("up", upsim.Nearest(2), "x"), ("sum", upsim.Add(), ("up", "x"))]
        with pytest.raises(ShapeError, match=r"read at two rates. given: 16 kHz and 8 kHz"):
            upsim.Graph(nodes, {"x": 1}, 16000)

    def test_lengths_of_all_values(self):
        graph = vocoder()
        assert graph.lengths(10)[graph.end] == graph.output_length(10) == 80


class TestPrediction:
    def test_constants_at_both_inputs_against_the_written_out_network(self):
        graph = vocoder().draw(5)
        feed = {"mel": upsim.Constant([1.0, -2.0, 0.5]), "pitch": upsim.Constant(0.7)}
        prediction = upsim.predict(graph, feed)
        count = 40
        mel = np.repeat([[1.0], [-2.0], [0.5]], count, axis=1)
        made = by_hand(graph, mel, np.full((1, 8 * count), 0.7))
        period = made[:, 160:168]
        expected = np.fft.fft(period, axis=1) / 8
        for tone in prediction.tones:
            at = int(tone.fraction * 8)
            bound = rounding(2000, float(np.abs(period).max()))
            assert np.abs(tone.amplitude - expected[:, at]).max() <= bound
            total = sum(share.amplitude for share in tone.contributions)
            assert np.abs(total - tone.amplitude).max() <= rounding(4000, 10.0)
        places = {(share.cause, share.layer) for t in prediction.tones for share in t.contributions}
        assert ("input offset", "mel") in places
        assert ("input offset", "pitch") in places
        assert ("bias", "source") in places

    def test_tones_bear_the_names_of_the_nodes(self):
        prediction = upsim.predict(vocoder().draw(5), upsim.Silence())
        named = {tone.layer for tone in prediction.tones if tone.fraction}
        assert named <= {"up1", "up2"}
        assert "up2 (TransposedConv)" in prediction.table()
        assert "first possible at up1 (TransposedConv)" in str(prediction.explain(2000))

    def test_a_sine_at_one_input_and_silence_at_the_other(self):
        graph = vocoder().draw(5)
        feed = {"mel": upsim.Silence(), "pitch": upsim.Sine(1000)}
        prediction = upsim.predict(graph, feed)
        count = 64
        wave = np.cos(2 * np.pi * np.arange(8 * count) / 16)
        made = by_hand(graph, np.zeros((3, count)), wave[None])
        steady = made[:, 256:272]
        expected = np.fft.fft(steady, axis=1) / 16
        listed = {tone.fraction: tone for tone in prediction.tones}
        for at in range(9):
            tone = listed.get(Fraction(at, 16))
            size = 0.0 if tone is None else tone.amplitude
            assert np.abs(expected[:, at] - size).max() <= rounding(4000, 10.0)

    def test_panels_inputs_and_upto(self):
        prediction = upsim.predict(vocoder().draw(5), upsim.Constant(1.0))
        assert len(prediction.layers) == 10
        assert [len(each.stack.nodes) for each in prediction.layers][:3] == [1, 2, 3]
        inner = vocoder().upto("act")
        assert [each.name for each in inner.inputs] == ["mel"]
        assert inner.sample_rate == 8000
        assert [tone.power for tone in prediction.layers[2].tones]
        assert prediction.inputs[1].stack.in_channels == 1

    def test_a_prediction_goes_to_json_and_back(self):
        feed = {"mel": upsim.Constant(1.0), "pitch": upsim.Silence()}
        prediction = upsim.predict(vocoder().draw(5), feed)
        again = upsim.Prediction.from_dict(json.loads(prediction.to_json()))
        assert again.stack == prediction.stack
        assert again.signal == feed
        assert again.table() == prediction.table()

    def test_reports_of_a_graph(self):
        graph = vocoder().draw(5)
        assert [each.layer for each in upsim.families(graph)] == ["up1", "up2"]
        assert [row.layer for row in upsim.cost(graph).layers][:2] == ["pre", "up1"]
        prediction = upsim.predict(graph, upsim.Constant(1.0))
        assert [row.layer for row in prediction.overlap] == ["up1", "up2"]
        assert prediction.boundaries(50).output_length == 400
        prediction.plot()
        prediction.plot(kind="layers")


class TestTorch:
    def test_the_graph_as_a_torch_module(self):
        torch = pytest.importorskip("torch")
        graph = vocoder().draw(5)
        rng = np.random.default_rng(0)
        mel, pitch = rng.standard_normal((3, 12)), rng.standard_normal((1, 96))
        module = neural.to_torch(graph, dtype="float64")
        with torch.no_grad():
            made = module(torch.tensor(mel[None]), torch.tensor(pitch[None]))[0].numpy()
        assert np.abs(made - by_hand(graph, mel, pitch)).max() <= rounding(2000, 10.0)


class TestFiles:
    @pytest.mark.parametrize("drawn", [False, True])
    def test_there_and_back(self, tmp_path, drawn):
        graph = vocoder().draw(1) if drawn else vocoder()
        upsim.save_stack(graph, tmp_path / "graph.json")
        again = upsim.load_stack(tmp_path / "graph.json")
        assert again == graph
        assert type(again) is upsim.Graph
        assert eval(repr(vocoder()), {"Graph": upsim.Graph, **vars(upsim.layers)}) == vocoder()
        assert pickle.loads(pickle.dumps(graph)) == graph

    def test_names_of_a_stack(self, tmp_path):
        stack = upsim.Stack([("up1", upsim.Nearest(2)), upsim.ReLU()], 8000)
        assert stack.names == ("up1", "2")
        upsim.save_stack(stack, tmp_path / "stack.json")
        assert upsim.load_stack(tmp_path / "stack.json") == stack
        assert repr(stack) == "Stack([('up1', Nearest(2)), ReLU()], sample_rate=8000)"
        assert "names" not in network_to_dict(upsim.Stack([upsim.ReLU()], 8000))

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"nodes": 3}, "needs inputs, nodes"),
            ({"surplus": 1}, "unknown fields"),
            ({"version": 7}, "another version"),
            ({"inputs": []}, "inputs must map"),
            ({"nodes": [{"name": "a"}]}, "a node is an object"),
            ({"output": "nowhere"}, "no such node"),
        ],
    )
    def test_broken_files(self, change, words):
        with pytest.raises(upsim.errors.UpsimError, match=words):
            network_from_dict(network_to_dict(vocoder()) | change)


class TestRefusals:
    @pytest.mark.parametrize(
        ("nodes", "error", "words"),
        [
            ([("a", upsim.ReLU(), "y")], UnknownNameError, "a value that is not there"),
            ([("x", upsim.ReLU(), "x")], ArgumentError, "two values have one name"),
            ([("a", upsim.ReLU, "x")], ArgumentTypeError, r"upsim.ReLU\(\), with brackets"),
            ([("a", upsim.ReLU(), ())], ArgumentTypeError, "reads values by their names"),
            ([("", upsim.ReLU(), "x")], ArgumentError, "printable and not empty"),
            ([("a", upsim.ReLU(), ("x", "x"))], ShapeError, "a layer reads one value"),
            (
                [("a", upsim.ReLU(), "x"), ("b", upsim.ReLU(), "x")],
                ArgumentError,
                "does not reach the output. given: 'a', output 'b'",
            ),
            ([], ArgumentError, "at least one node"),
            (5, ArgumentTypeError, "nodes must be a list"),
        ],
    )
    def test_graphs_that_make_no_sense(self, nodes, error, words):
        with pytest.raises(error, match=words):
            upsim.Graph(nodes, {"x": 1}, 8000)

    @pytest.mark.parametrize(
        ("feed", "words"),
        [
            ({"mel": upsim.Silence()}, "every input needs a signal. given: none for 'pitch'"),
            ({"mle": upsim.Silence()}, "no such input. given: 'mle'.*fix: 'mel'"),
            ({"mel": 5, "pitch": 5}, "the signal of 'mel' must be an upsim signal"),
            (5, "signal must be an upsim signal"),
        ],
    )
    def test_feeds_that_do_not_fit(self, feed, words):
        with pytest.raises(upsim.errors.UpsimError, match=words):
            upsim.predict(vocoder().draw(0), feed)

    def test_a_graph_cannot_be_changed(self):
        with pytest.raises(AttributeError, match="replace"):
            vocoder().name = "other"

    def test_errors_name_the_node(self):
        with pytest.raises(upsim.errors.NotPredictableError, match="pre"):
            _ = vocoder().operators

    @pytest.mark.parametrize("name", ["2", "1.1", "10"])
    def test_a_name_that_is_another_layers_number(self, name):
        with pytest.raises(ArgumentError, match="bears its own number"):
            upsim.Stack([(name, upsim.ReLU())], 8000)


class TestWalks:
    def test_forward_counts_the_ways_to_a_value_and_back_those_to_the_output(self):
        graph = vocoder()
        ways = walk(graph, [1, 0], lambda _, given: sum(given))
        # mixed is read by left, right and both; act by mixed and crossed.
        assert ways[graph.end] == 4
        back = walk_back(graph, 1, lambda node, worth: [worth] * len(node.inputs), int.__add__)
        assert back[0] == ways[graph.end]

    def test_no_depth_is_too_deep(self):
        layers = [upsim.Nearest(2), upsim.Snake(1.0), upsim.Decimate(2)] * 300
        stack = upsim.Stack(layers, 8000)
        prediction = upsim.predict(stack, upsim.Constant(0.25))
        (tone,) = prediction.tones
        value = 0.25
        for _ in range(300):
            value += np.sin(value) ** 2
        assert abs(tone.amplitude[0].real - value) <= rounding(3000, abs(value))
        assert upsim.families(stack)[-1].spacing == 8000


def test_what_needs_one_input_names_a_part_that_has_one():
    graph = vocoder().draw(5)
    with pytest.raises(ShapeError, match="fold needs a network of one input") as caught:
        upsim.fold(graph)
    assert caught.value.fix == "graph.upto('source')"
    assert upsim.fold(graph.upto("source")).out_channels == 4
