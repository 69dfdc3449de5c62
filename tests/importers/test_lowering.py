"""Hand-made recordings as graphs: each kind of step against NumPy or torch."""

import numpy as np
import pytest

from upsim.errors import NotPredictableError, ShapeError
from upsim.importers.lowering import lowered
from upsim.importers.recording import Recording, Step
from upsim.network.signals import Constant, WhiteNoise
from upsim.neural.run import run_graph
from upsim.words.tolerance import rounding

LENGTHS = (16, 24)
RNG = np.random.default_rng(7)


def recording(steps, shapes, output="y", inputs=("x",)):
    """Return a recording; shapes are functions of the length."""
    at = [{name: shape(n) for name, shape in shapes.items()} for n in LENGTHS]
    return Recording(steps, inputs, output, at)


def conv(name, reads, makes, weight, bias=None, **fields):
    given = {"transposed": False, "stride": 1, "padding": (0, 0), "dilation": 1, "groups": 1}
    constants = (weight,) if bias is None else (weight, bias)
    return Step(name, "convolution", (reads, *constants), (makes,), given | fields)


def apply(name, function, reads, makes, **fields):
    return Step(name, "elementwise", reads, (makes,), {"function": function} | fields)


def close(got, want, operations=64):
    assert got.shape == want.shape
    assert np.max(np.abs(got - want)) <= rounding(operations, float(np.max(np.abs(want))) + 1)


@pytest.mark.torch
@pytest.mark.parametrize("padding", [(0, 0), (2, 2), (1, 3), (4, 0), (-1, 2)])
@pytest.mark.parametrize("extra", [0, 1])
@pytest.mark.parametrize("transposed", [False, True])
def test_convolutions_with_any_padding(padding, extra, transposed):
    import torch

    weight, bias = RNG.normal(size=(4, 3, 5)), RNG.normal(size=4 if not transposed else 3)
    stride, dilation = 3, 2
    channels, out = (4, 3) if transposed else (3, 4)
    samples = RNG.normal(size=(1, channels, 24))
    x, w, b = (torch.from_numpy(each) for each in (samples, weight, bias))
    if transposed:
        full = torch.nn.functional.conv_transpose1d(x, w, None, stride, dilation=dilation)
        cut = (-padding[0], extra - padding[1])
        want = torch.nn.functional.pad(full, cut).numpy()[0] + bias[:, None]
    else:
        longer = torch.nn.functional.pad(x, padding)
        want = torch.nn.functional.conv1d(longer, w, b, stride, dilation=dilation).numpy()[0]
    count = {n: want.shape[1] + (n - 24) * stride for n in (*LENGTHS,)}
    if not transposed:
        count = {n: (n + sum(padding) - 9) // stride + 1 for n in LENGTHS}
    step = conv(
        "c",
        "x",
        "y",
        weight,
        bias,
        transposed=transposed,
        stride=stride,
        padding=padding,
        dilation=dilation,
        output_padding=extra if transposed else 0,
    )
    graph = lowered(
        recording([step], {"x": lambda n: (1, channels, n), "y": lambda n: (1, out, count[n])}),
        16000,
    )
    close(run_graph(graph, [samples])[graph.end][0], want)
    assert "c" in [part.name for part in graph.parts]


def test_time_on_another_axis():
    # (1, n, 3): a matrix on the last axis, then a function, then time comes last.
    matrix, bias = RNG.normal(size=(2, 3)), RNG.normal(size=2)
    steps = [
        Step("linear", "matmul", ("x", matrix, bias), ("a",)),
        apply("act", "tanh", ("a",), "b"),
        Step("turn", "movement", ("b",), ("y",), {"function": "transpose", "axes": (0, 2, 1)}),
    ]
    shapes = {
        "x": lambda n: (1, n, 3),
        "a": lambda n: (1, n, 2),
        "b": lambda n: (1, n, 2),
        "y": lambda n: (1, 2, n),
    }
    graph = lowered(recording(steps, shapes), 16000)
    assert [part.name for part in graph.parts] == ["linear", "act"]
    samples = RNG.normal(size=(1, 3, 20))
    want = np.tanh(matrix @ samples[0] + bias[:, None])
    close(run_graph(graph, [samples])[graph.end][0], want)


def test_steps_that_do_not_reach_the_output_are_left_out():
    steps = [
        apply("lost", "exp", ("x",), "a"),
        apply("kept", "relu", ("x",), "y"),
        Step("later", "opaque", ("y",), ("z",), {"type": "LSTM", "reason": "it has a state"}),
    ]
    shapes = dict.fromkeys("xayz", lambda n: (1, 2, n))
    graph = lowered(recording(steps, shapes), 16000)
    assert [part.name for part in graph.parts] == ["kept"]


def test_one_value_may_serve_several_readers():
    # As exporters share an activation that two branches need.
    steps = [
        apply("act", "leaky_relu", ("x",), "a", slope=0.1),
        conv("left", "a", "b", RNG.normal(size=(2, 2, 3)), padding=(1, 1)),
        conv("right", "a", "c", RNG.normal(size=(2, 2, 3)), padding=(1, 1)),
        apply("sum", "add", ("b", "c"), "d"),
        apply("mean", "divide", ("d", 2.0), "y"),
    ]
    shapes = dict.fromkeys("xabcdy", lambda n: (1, 2, n))
    graph = lowered(recording(steps, shapes), 16000)
    assert graph.node("left").inputs == graph.node("right").inputs
    assert repr(graph.node("mean").layer) == "Scale(0.5)"


def test_noise_that_the_model_draws_brings_its_own_signal():
    steps = [
        Step("draw", "noise", (), ("n",), {"distribution": "normal", "deviation": 0.1}),
        Step("dither", "noise", (), ("u",), {"distribution": "uniform", "low": 0.0, "high": 1.0}),
        apply("one", "add", ("x", "n"), "a"),
        apply("two", "add", ("a", "u"), "y"),
    ]
    shapes = dict.fromkeys("xnuay", lambda n: (1, 2, n))
    graph = lowered(recording(steps, shapes), 16000)
    signals = {each.name: each.signal for each in graph.inputs}
    assert signals["x"] is None
    assert signals["draw"] == WhiteNoise(0.1**2)
    # A uniform number from 0 to 1 has the mean 1/2 and the variance 1/12.
    assert signals["dither"] == Constant(0.5) + WhiteNoise(1 / 12)


def test_a_value_without_time_is_held():
    # A speaker's vector through a matrix, added at each frame.
    steps = [
        conv("cond", "g", "a", RNG.normal(size=(2, 3, 1))),
        apply("sum", "add", ("x", "a"), "y"),
    ]
    shapes = {
        "x": lambda n: (1, 2, n),
        "g": lambda _: (1, 3, 1),
        "a": lambda _: (1, 2, 1),
        "y": lambda n: (1, 2, n),
    }
    graph = lowered(recording(steps, shapes, inputs=("x", "g")), 16000)
    assert graph.input_rates[0] == graph.input_rates[1]
    samples, speaker = RNG.normal(size=(1, 2, 20)), RNG.normal(size=(1, 3, 1))
    held = np.broadcast_to(speaker, (1, 3, 20))
    want = samples[0] + np.asarray(steps[0].reads[1])[:, :, 0] @ held[0]
    close(run_graph(graph, [samples, held])[graph.end][0], want)


def test_two_axes_that_grow_are_refused_with_their_place():
    steps = [
        Step("scores", "opaque", ("x",), ("a",), {"type": "matmul", "reason": "attention"}),
        apply("act", "tanh", ("a",), "y"),
    ]
    shapes = {"x": lambda n: (1, 2, n), "a": lambda n: (1, n, n), "y": lambda n: (1, n, n)}
    with pytest.raises(NotPredictableError, match="two axes") as caught:
        lowered(recording(steps, shapes), 16000)
    assert "act" in caught.value.where


def test_attention_is_one_opaque_node():
    def scores(queries, keys):
        return queries @ keys.transpose(0, 2, 1)

    def mixed(weights, values):
        return weights @ values

    query, key, value = (RNG.normal(size=(2, 3)) for _ in range(3))
    steps = [
        conv("pre", "x", "h", RNG.normal(size=(3, 2, 1))),
        Step("turn", "movement", ("h",), ("t",), {"function": "transpose", "axes": (0, 2, 1)}),
        *(
            Step(f"{name}_proj", "matmul", ("t", matrix), (name,))
            for name, matrix in (("q", query), ("k", key), ("v", value))
        ),
        Step(
            "scores", "opaque", ("q", "k"), ("s",), {"type": "MatMul", "reason": "", "run": scores}
        ),
        apply("scale", "multiply", ("s", np.array(0.5)), "r"),
        Step("softmax", "softmax", ("r",), ("p",), {"axis": -1}),
        Step("mix", "opaque", ("p", "v"), ("o",), {"type": "MatMul", "reason": "", "run": mixed}),
        Step("back", "movement", ("o",), ("y",), {"function": "transpose", "axes": (0, 2, 1)}),
    ]
    square = lambda n: (1, n, n)  # noqa: E731
    shapes = {
        "x": lambda n: (1, 2, n),
        "h": lambda n: (1, 3, n),
        "t": lambda n: (1, n, 3),
        "s": square,
        "r": square,
        "p": square,
        "y": lambda n: (1, 2, n),
    }
    shapes |= dict.fromkeys("qkvo", lambda n: (1, n, 2))
    graph = lowered(recording(steps, shapes), 16000)
    assert graph.kind("mix") == "attention"
    assert [part.name for part in graph.parts if "proj" in part.name] == [
        "q_proj",
        "k_proj",
        "v_proj",
    ]
    samples = RNG.normal(size=(1, 2, 29))
    hidden = (np.asarray(steps[0].reads[1])[:, :, 0] @ samples[0]).T
    powers = np.exp(0.5 * (hidden @ query.T) @ (hidden @ key.T).T)
    want = (powers / powers.sum(axis=1, keepdims=True)) @ (hidden @ value.T)
    close(run_graph(graph, [samples])[graph.end][0], want.T, operations=4096)


def test_a_gain_from_a_mean_over_time_is_one_opaque_node():
    weight = RNG.normal(size=(2, 2, 1))
    steps = [
        Step(
            "pool", "reduce", ("x",), ("m",), {"function": "mean", "axes": (2,), "keepdims": True}
        ),
        conv("squeeze", "m", "a", weight),
        apply("open", "sigmoid", ("a",), "g"),
        apply("gain", "multiply", ("x", "g"), "y"),
    ]
    shapes = {"x": lambda n: (1, 2, n), "y": lambda n: (1, 2, n)}
    shapes |= dict.fromkeys("mag", lambda _: (1, 2, 1))
    graph = lowered(recording(steps, shapes), 16000)
    assert [part.name for part in graph.parts] == ["gain"]
    assert "all samples of time" in graph.node("gain").layer.reason
    samples = RNG.normal(size=(1, 2, 31))
    opened = weight[:, :, 0] @ samples[0].mean(axis=1, keepdims=True)
    want = samples[0] / (1 + np.exp(-opened))
    close(run_graph(graph, [samples])[graph.end][0], want, operations=256)


def test_values_of_different_lengths_name_the_step():
    steps = [
        conv("short", "x", "a", RNG.normal(size=(2, 2, 3))),
        Step("wrong", "movement", ("a",), ("b",), {"function": "copy"}),
        apply("sum", "add", ("b", "x"), "y"),
    ]
    shapes = {
        "x": lambda n: (1, 2, n),
        "a": lambda n: (1, 2, n - 2),
        "b": lambda n: (1, 2, n - 2),
        "y": lambda n: (1, 2, n),
    }
    with pytest.raises(ShapeError) as caught:
        lowered(recording(steps, shapes), 16000)
    assert "sum" in caught.value.where


def test_an_opaque_step_is_run_on_tensors_as_it_wants_them():
    def run(tensor, other):
        assert tensor.shape[0] == 1
        return np.cumsum(tensor, axis=1) + other.transpose(0, 2, 1)

    steps = [
        Step("turn", "movement", ("x",), ("a",), {"function": "transpose", "axes": (0, 2, 1)}),
        Step(
            "sum",
            "opaque",
            ("a", "x"),
            ("y",),
            {"type": "CumSum", "reason": "it never settles", "run": run},
        ),
    ]
    shapes = {"x": lambda n: (1, 2, n), "a": lambda n: (1, n, 2), "y": lambda n: (1, n, 2)}
    graph = lowered(recording(steps, shapes), 16000)
    layer = graph.node("sum").layer
    samples = RNG.normal(size=(2, 9))
    twice = np.concatenate([samples, samples])
    close(layer.answer(twice), np.cumsum(samples, axis=1) + samples)
    assert graph.kind("sum") == "CumSum"


def test_what_acts_along_another_axis_than_time_is_no_layer_of_time():
    # (1, 4, n): a resize of the four rows, and a matrix over the samples of time.
    rows = Step(
        "rows",
        "resize",
        ("x",),
        ("y",),
        {"mode": "nearest", "factor": 2, "coordinates": "half_pixel", "axis": 1},
    )
    graph = lowered(recording([rows], {"x": lambda n: (1, 4, n), "y": lambda n: (1, 8, n)}), 16000)
    assert graph.kind("rows") != "Nearest"
    assert graph.rate == 1
    mix = Step("mix", "matmul", ("x", np.eye(16)), ("y",))
    same = Recording([mix], ("x",), "y", [{"x": (1, 4, 16), "y": (1, 4, 16)}])
    assert "all samples of time" in lowered(same, 16000).node("mix").layer.reason
