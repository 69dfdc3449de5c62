"""Nodes without a formula: run where nothing is random, named where that is not possible."""

import re
from fractions import Fraction

import numpy as np
import pytest

import upsim
from upsim.answer import predictor
from upsim.errors import ArgumentError, NotPredictableError, ShapeError, UpsimError
from upsim.layers import Conv, Crop, LeakyReLU, Nearest, Opaque, Residual, TransposedConv
from upsim.testing.strategies.opaque import Leaky
from upsim.words.tolerance import rounding

LEAKY = Opaque("LSTM", 2, run=Leaky(2, Fraction(1), 0.5), reason="it has a state")


def rests_at(offset, memory):
    """Return the y with ``y = tanh(offset + memory y)``, by bisection."""
    low, high = -1.0, 1.0
    for _ in range(200):
        middle = (low + high) / 2
        if np.tanh(offset + memory * middle) > middle:
            low = middle
        else:
            high = middle
    return middle


def decoder(node, *, sample_rate=16000):
    """Return a small decoder around a node of two channels."""
    layers = [
        ("pre", Conv(1, 2, 3, padding=1)),
        ("lstm", node),
        ("up", TransposedConv(2, 2, 4, stride=2, padding=1)),
        ("act", LeakyReLU(0.1)),
        ("post", Conv(2, 1, 3, padding=1)),
    ]
    return upsim.Stack(layers, sample_rate).draw(3)


def lines_of(waveform, period):
    """Return the lines of one period in the middle of a long run."""
    middle = waveform.shape[1] // 2 // period * period
    return np.fft.fft(waveform[:, middle : middle + period], norm="forward")


def test_a_constant_rests_at_the_fixed_point():
    prediction = upsim.predict(upsim.Stack([LEAKY], 8000), upsim.Constant(0.3))
    (offset,) = prediction.tones
    right = rests_at(0.3, 0.5)
    assert np.abs(offset.amplitude - right).max() <= rounding(8, 1.0)
    assert (offset.layer, offset.cause) == ("1", "opaque")
    assert "layer 1 (LSTM): run until settled" in prediction.assumptions[1]


@pytest.mark.parametrize("rate", [Fraction(1, 2), Fraction(2), Fraction(3, 2)])
def test_a_node_of_another_rate_keeps_its_place(rate):
    node = Opaque("resampler", 1, rate, lambda x: held(x, rate))
    stack = upsim.Stack([node, Conv(1, 1, 1, bias=False, weight=[[[2.0]]])], 12000 * rate)
    assert stack.input_rate == 12000
    prediction = upsim.predict(stack, upsim.Sine(2000))
    period = int(6 * rate)
    wave = np.tile(np.cos(2 * np.pi * np.arange(6) / 6), 40)[None]
    right = np.abs(lines_of(2 * held(wave, rate), period)[0, : period // 2 + 1])
    made = {tone.fraction * period: abs(tone.amplitude[0]) for tone in prediction.tones}
    for line, level in enumerate(right):
        assert abs(made.get(Fraction(line), 0.0) - level) <= rounding(100, 2.0)


def held(samples, rate):
    """Return every ``down``-th sample of a signal that is held ``up`` times."""
    up, down = rate.as_integer_ratio()
    count = samples.shape[1] * up // down
    return np.repeat(samples, up, axis=1)[:, ::down][:, :count]


def test_a_node_that_looks_both_ways_settles_in_the_middle():
    run = Leaky(1, Fraction(1), 0.9)

    def both(samples):
        return run(samples) + 2 * run(samples[:, ::-1])[:, ::-1]

    stack = upsim.Stack([Opaque("BiLSTM", 1, run=both)], 8000)
    (offset,) = upsim.predict(stack, upsim.Constant(-0.2)).tones
    assert abs(offset.amplitude[0] - 3 * rests_at(-0.2, 0.9)) <= rounding(64, 3.0)


def test_lines_behind_torch_s_lstm_are_those_of_torch():
    torch = pytest.importorskip("torch", reason="torch has the LSTM here")
    torch.manual_seed(0)
    lstm = torch.nn.LSTM(2, 2, num_layers=2, batch_first=True).double()

    def run(samples):
        with torch.inference_mode():
            made, _ = lstm(torch.tensor(samples.T[None]))
        return made[0].numpy().T

    stack = decoder(Opaque("LSTM", 2, run=run))
    signal = upsim.Constant(1.0) + upsim.Sine(2000, 0.5)
    prediction = upsim.predict(stack, signal)
    module = upsim.neural.to_torch(list(stack.layers))
    wave = np.tile(1 + 0.5 * np.cos(np.pi / 2 * np.arange(4)), 200)
    with torch.inference_mode():
        waveform = module(torch.tensor(wave[None, None]))[0].numpy()
    right = lines_of(waveform, 8)[0]
    assert [tone.fraction * 8 for tone in prediction.tones] == [0, 1, 2, 3, 4]
    for tone in prediction.tones:
        line = int(tone.fraction * 8)
        assert abs(tone.amplitude[0] - right[line]) <= rounding(1000, np.abs(right).max())
    assert {tone.cause for tone in prediction.tones if tone.fraction == Fraction(1, 4)} == {
        "opaque"
    }


def short(node):
    layers = [("pre", Conv(1, 2, 3, padding=1)), ("lstm", node), ("post", Conv(2, 2, 1))]
    return upsim.Stack(layers, 16000).draw(5)


@pytest.mark.parametrize("build", [decoder, short])
@pytest.mark.parametrize("back", [True, False])
def test_what_passes_and_what_is_made_is_one_share(build, back, monkeypatch):
    # Shares from the output back, or carried forward.
    monkeypatch.setattr(predictor, "asked_back", lambda *_: back)
    stack = build(LEAKY)
    prediction = upsim.predict(stack, upsim.Constant(1.0) + upsim.Sine(2000, 0.5))
    for tone in prediction.tones:
        found = {(each.cause, each.layer): each.amplitude[0] for each in tone.contributions}
        assert abs(sum(found.values()) - tone.amplitude[0]) <= rounding(1000, 1.0)
        assert ("opaque", "lstm") in found
        assert not any(cause.startswith("input") for cause, _ in found)
        assert ("bias", "pre") not in found


def test_a_line_that_only_the_node_can_make_is_its_own():
    prediction = upsim.predict(decoder(LEAKY), upsim.Sine(1000))
    third = next(tone for tone in prediction.tones if tone.frequency == 3000)
    assert (third.layer, third.cause) == ("lstm", "opaque")
    answer = prediction.explain(3000)
    assert answer.origin == "opaque"
    assert "made or passed on by lstm (LSTM)" in str(answer)


def test_the_run_is_judged():
    report = upsim.verify(decoder(LEAKY), upsim.Constant(0.5) + upsim.Sine(2000, 0.25))
    assert report.passed
    assert {check.name for check in report.checks if check.error is not None} >= {
        "lines",
        "lengths",
    }


def test_a_recording_is_run_as_it_is():
    samples = np.random.default_rng(0).normal(size=40)
    stack = decoder(LEAKY)
    made = upsim.predict(stack, upsim.Recorded(samples, 8000)).waveform
    right = upsim.neural.run(stack, samples[None])
    assert np.abs(made - right).max() <= rounding(1000, 1.0)
    assert upsim.verify(stack, upsim.Recorded(samples, 8000)).passed


def test_an_expectation_begins_behind_the_node():
    random = TransposedConv(2, 1, 4, stride=2)
    stack = upsim.Stack([("lstm", LEAKY), random], 16000)
    whole = upsim.predict(stack, upsim.Constant(0.3))
    behind = upsim.predict(stack.after("lstm"), upsim.Constant(rests_at(0.3, 0.5)))
    for one, other in zip(whole.tones, behind.tones, strict=True):
        assert one.power == pytest.approx(other.power, rel=rounding(100, 1.0))
    assert {each.cause for tone in whole.tones for each in tone.contributions} == {"opaque", "bias"}


NOISE = upsim.WhiteNoise(1.0)
WITHOUT = Opaque("attention", 2, reason="it mixes all times")


@pytest.mark.parametrize(
    ("stack", "signal", "given"),
    [
        (decoder(LEAKY), NOISE, "noise in its input"),
        (decoder(WITHOUT), upsim.Constant(1.0), "no function"),
        (
            upsim.Stack([Conv(1, 2, 3), ("lstm", LEAKY), Nearest(2)], 8000),
            upsim.Constant(1.0),
            "weights before it that are not drawn",
        ),
    ],
)
def test_another_question_is_refused_by_name_and_what_is_offered_works(stack, signal, given):
    with pytest.raises(NotPredictableError) as caught:
        upsim.predict(stack, signal)
    error = caught.value
    kind = stack.node("lstm").layer.kind
    assert f"lstm ({kind}) is opaque" in str(error)
    assert stack.node("lstm").layer.reason in error.what
    assert given in error.given
    offered = re.match(r"stack\.after\('lstm'\)", error.fix)
    behind = eval(offered.group(), {"stack": stack})
    assert upsim.predict(behind.draw(0), NOISE).psd is not None


def test_a_node_that_does_not_settle_is_refused():
    states = np.random.default_rng(0)
    growing = {
        "random": lambda x: states.normal(size=x.shape),
        "a sum": lambda x: np.cumsum(x, axis=1),
        "a place": lambda x: x * np.arange(x.shape[1]) ** 0.5,
    }
    for run in growing.values():
        stack = upsim.Stack([Opaque("sum", 1, run=run)], 8000)
        with pytest.raises(NotPredictableError, match="does not settle within 4096 periods"):
            upsim.predict(stack, upsim.Constant(1.0))
    turns = Opaque("modulator", 1, run=lambda x: x * (-1.0) ** np.arange(x.shape[1]))
    with pytest.raises(NotPredictableError, match="another period than its input says"):
        upsim.predict(upsim.Stack([turns], 8000), upsim.Constant(1.0))


def raising(_):
    raise RuntimeError("no such state")


@pytest.mark.parametrize(
    ("run", "kind", "words"),
    [
        (raising, NotPredictableError, "RuntimeError: no such state"),
        (lambda x: x[:1], ShapeError, "another shape than the node says"),
        (lambda x: x[:, :-1], ShapeError, "another shape than the node says"),
        (lambda x: x * np.nan, ArgumentError, "not finite"),
        (lambda _: "text", NotPredictableError, "ValueError"),
    ],
)
def test_a_function_that_fails_is_named_with_its_place(run, kind, words):
    with pytest.raises(kind, match=words) as caught:
        upsim.predict(decoder(Opaque("LSTM", 2, run=run)), upsim.Constant(1.0))
    assert "lstm" in caught.value.where


def test_a_function_cannot_change_what_it_is_given():
    def greedy(samples):
        samples += 1
        return samples

    stack = upsim.Stack([Opaque("greedy", 1, run=greedy), Conv(1, 1, 1)], 8000).draw(0)
    prediction = upsim.predict(stack, upsim.Constant(1.0))
    again = upsim.predict(stack, upsim.Constant(1.0))
    assert prediction.tones[0].amplitude == again.tones[0].amplitude


def test_a_node_in_single_precision_settles_to_its_own_rounding():
    def single(samples):
        state, made = np.float32(0), np.empty(samples.shape, dtype=np.float32)
        for number, sample in enumerate(samples[0].astype(np.float32)):
            made[0, number] = state = np.tanh(sample + np.float32(0.9) * state, dtype=np.float32)
        return made

    stack = upsim.Stack([Opaque("LSTM", 1, run=single)], 8000)
    (offset,) = upsim.predict(stack, upsim.Constant(0.3)).tones
    assert abs(offset.amplitude[0] - rests_at(0.3, 0.9)) <= rounding(16, 10.0, np.float32)


def test_no_part_of_a_file_of_a_comparison_or_of_the_repr(tmp_path):
    stack = decoder(LEAKY)
    upsim.save_stack(stack, tmp_path / "stack.json")
    read = upsim.load_stack(tmp_path / "stack.json")
    assert read == stack
    assert read.node("lstm").layer.run is None
    assert "run" not in repr(LEAKY)
    with pytest.raises(NotPredictableError, match="no function to run it with"):
        upsim.predict(read, upsim.Constant(1.0))


def test_walks_know_its_channels_and_rate():
    node = Opaque("upsampler", 3, 4)
    stack = upsim.Stack([Conv(2, 2, 3, padding=1), ("net", node), Nearest(2)], 16000)
    assert stack.output_length(10) == 80
    assert stack.channel_counts() == [2, 2, 3, 3]
    assert stack.rates() == [2000, 2000, 8000, 16000]
    assert [(each.layer, each.spacing) for each in upsim.families(stack)] == [
        ("net", 2000),
        ("3", 8000),
    ]
    assert "net (upsampler)" in str(upsim.explain(stack, 2000))
    assert upsim.cost(stack).layers[1].parameters == 0
    with pytest.raises(UpsimError, match="an opaque node"):
        upsim.fold(stack.draw(0))


class TestAfter:
    def test_names_rates_and_other_inputs_stay(self):
        graph = upsim.Graph(
            [
                ("pre", Conv(4, 4, 1), "mel"),
                ("lstm", Opaque("LSTM", 4), "pre"),
                ("up", Nearest(2), "lstm"),
                ("side", Nearest(2), "pre"),
                ("source", Conv(1, 4, 3, padding=1), "pitch"),
                ("sum", upsim.Add(), ("up", "side", "source")),
            ],
            inputs={"mel": 4, "pitch": 1},
            sample_rate=16000,
            name="decoder",
        )
        behind = graph.after("lstm")
        assert [part.name for part in behind.parts] == ["pre", "up", "side", "source", "sum"]
        assert {each.name: each.channels for each in behind.inputs} == {
            "lstm": 4,
            "mel": 4,
            "pitch": 1,
        }
        assert behind.input_rates == (8000, 8000, 16000)
        assert behind.name == "decoder"
        assert [each.name for each in graph.after("side").inputs] == [
            "side",
            "mel",
            "pitch",
        ]

    def test_what_comes_after_is_the_rest_of_the_whole(self):
        stack = decoder(LEAKY)
        whole = upsim.predict(stack, upsim.Constant(1.0))
        there = whole.layers[1].tones[0].amplitude.real
        behind = upsim.predict(stack.after("lstm"), upsim.Constant(there))
        for one, other in zip(whole.tones, behind.tones, strict=True):
            assert np.abs(one.amplitude - other.amplitude).max() <= rounding(100, 1.0)
        assert behind.tones[0].contributions[0].cause in ("bias", "input offset")

    def test_a_node_inside_a_branch(self):
        stack = upsim.Stack([Residual(Conv(1, 1, 1), Opaque("LSTM", 1)), Nearest(2)], 8000)
        behind = stack.after("1.1.2")
        assert [each.name for each in behind.inputs] == ["1.1.2", "input"]
        assert [part.name for part in behind.parts] == ["1", "2"]
        assert behind.input_rates == (4000, 4000)

    def test_by_its_number(self):
        stack = upsim.Stack([Nearest(2), Crop(1, 0), Nearest(3)], 6000)
        assert stack.after(2).input_rate == 2000
        assert stack.after(1) == stack.after("1")

    def test_the_output_and_unknown_names_are_refused(self):
        stack = upsim.Stack([Nearest(2), Nearest(3)], 6000)
        with pytest.raises(ArgumentError, match="nothing comes after"):
            stack.after("2")
        with pytest.raises(LookupError, match="there is no such node"):
            stack.after("lstm")
