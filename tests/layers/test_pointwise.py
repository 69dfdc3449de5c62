"""Programs: recognised in every order, never where they are not; exact, or refused, elsewhere."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import erf, expit

import upsim
from upsim.errors import (
    ArgumentError,
    ArgumentTypeError,
    NotPredictableError,
    ShapeError,
    TooLargeError,
    UnknownNameError,
)
from upsim.files.graphfile import network_from_dict, network_to_dict
from upsim.layers import Pointwise, recognised
from upsim.words.tolerance import rounding

ALPHA, BETA = np.array([0.5, 2.0, 3.0]), np.array([0.3, 0.7, 1.1])


class Writer:
    """Writes a program, each sum, product and square in one of the orders that there are."""

    def __init__(self, data):
        self.data, self.steps = data, []

    def _way(self, *ways):
        return self.data.draw(st.sampled_from(ways))

    def step(self, name, *operands):
        self.steps.append((name, *operands))
        return f"s{len(self.steps) - 1}"

    def add(self, one, other):
        return self.step("add", *self._way((one, other), (other, one)))

    def less(self, one, other):
        way = self._way("subtract", "add") if isinstance(other, str) else "subtract"
        if way == "subtract":
            return self.step("subtract", one, other)
        return self.add(one, self.step("negative", other))

    def times(self, one, other):
        if not isinstance(other, str) and self._way(True, False):
            return self.step("divide", one, 1 / np.asarray(other))
        return self.step("multiply", *self._way((one, other), (other, one)))

    def over(self, one, other):
        """Divide by a constant, by way of its logarithm now and then."""
        way = self._way("divide", "reciprocal", "exponential")
        if way == "divide":
            return self.step("divide", one, other)
        if way == "exponential":
            other = self.step("exp", np.log(other))
        return self.step("multiply", one, self.step("reciprocal", other))

    def square(self, one):
        way = self._way("square", "power", "multiply")
        if way == "multiply":
            return self.step("multiply", one, one)
        return self.step("square", one) if way == "square" else self.step("power", one, 2.0)


def snake(write, alpha, beta):
    if write._way(True, False):  # sin^2 u = (1 - cos 2 u) / 2
        turned = write.less(1.0, write.step("cos", write.times("x", 2 * alpha)))
        return write.add("x", write.over(write.times(turned, 0.5), beta))
    return write.add(
        "x", write.over(write.square(write.step("sin", write.times("x", alpha))), beta)
    )


def gelu(write):
    inner = write.step("erf", write.times("x", np.sqrt(0.5)))
    if write._way(True, False):
        return write.times(write.times("x", 0.5), write.add(inner, 1.0))
    return write.times("x", write.add(write.times(inner, 0.5), 0.5))


def gelu_tanh(write):
    cube = write.times(write.step("power", "x", 3.0), 0.044715)
    inner = write.step("tanh", write.times(write.add("x", cube), np.sqrt(2 / np.pi)))
    return write.times(write.times(write.add(inner, 1.0), "x"), 0.5)


def logistic(write, value, speed=1.0):
    if write._way(True, False):
        return write.step("sigmoid", write.times(value, speed))
    power = write.step("exp", write.step("negative", write.times(value, speed)))
    return write.step("reciprocal", write.add(power, 1.0))


def leaky(write, slope):
    way = write._way("maximum", "where", "halves", "own")
    if way == "maximum":
        return write.step("maximum", "x", write.times("x", slope))
    if way == "where":
        return write.step("where", write.step("greater", "x", 0.0), "x", write.times("x", slope))
    if way == "own":
        return write.step("leaky_relu", "x", slope)
    below = write.step("relu", write.step("negative", "x"))
    return write.less(write.step("relu", "x"), write.times(below, slope))


def elu(write, alpha):
    below = write.times(write.less(write.step("exp", "x"), 1.0), alpha)
    if write._way(True, False):
        return write.step("where", write.step("less", "x", 0.0), below, "x")
    return write.step("where", write.step("greater", "x", 0.0), "x", below)


def clamp(write, low, high):
    if write._way(True, False):
        return write.step("clip", "x", low, high)
    return write.step("minimum", write.step("maximum", "x", low), high)


def near(one, other):
    return type(one) is type(other) and all(
        np.allclose(getattr(one, name), getattr(other, name), rtol=rounding(16, 1.0), atol=0)
        for name in ("alpha", "beta", "min", "max", "negative_slope", "weight", "scale", "bias")
        if getattr(one, name, None) is not None
    )


SPELLINGS = {
    "Snake": (lambda w: snake(w, 2.0, 2.0), upsim.Snake(2.0)),
    "SnakeBeta": (lambda w: snake(w, ALPHA, BETA + 1e-9), upsim.SnakeBeta(ALPHA, BETA + 1e-9)),
    "GELU": (gelu, upsim.GELU()),
    "GELU tanh": (gelu_tanh, upsim.GELU("tanh")),
    "GELU sigmoid": (lambda w: w.times("x", logistic(w, "x", 1.702)), upsim.GELU("sigmoid")),
    "SiLU": (lambda w: w.times("x", logistic(w, "x")), upsim.SiLU()),
    "Sigmoid": (lambda w: logistic(w, "x"), upsim.Sigmoid()),
    "LeakyReLU": (lambda w: leaky(w, 0.1), upsim.LeakyReLU(0.1)),
    "PReLU": (lambda w: leaky(w, ALPHA / 8), upsim.PReLU(3, weight=ALPHA / 8)),
    "ReLU": (lambda w: w.step("maximum", 0.0, "x"), upsim.ReLU()),
    "ELU": (lambda w: elu(w, 0.7), upsim.ELU(0.7)),
    "Clamp": (lambda w: clamp(w, -0.5, 2.0), upsim.Clamp(-0.5, 2.0)),
    "Scale": (lambda w: w.add(w.times("x", ALPHA), 2.0), upsim.Scale(ALPHA, bias=2.0)),
    "Bias": (lambda w: w.add("x", BETA), upsim.Bias(BETA)),
    "GLU": (lambda w: w.times("x0", logistic(w, "x1")), upsim.GLU()),
    "Gate": (
        lambda w: w.times(w.step("tanh", "x0"), logistic(w, "x1")),
        upsim.Gate(upsim.Tanh(), upsim.Sigmoid()),
    ),
    "Multiply": (lambda w: w.times("x0", "x1"), upsim.Multiply()),
    "Divide": (lambda w: w.step("divide", "x0", "x1"), upsim.Divide()),
    "Subtract": (lambda w: w.less("x0", "x1"), upsim.Subtract()),
    "Average": (lambda w: w.times(w.add("x0", "x1"), 0.5), upsim.Average()),
}


@pytest.mark.parametrize("name", SPELLINGS)
@given(st.data())
def test_every_spelling_is_recognised(name, data):
    spelled, layer = SPELLINGS[name]
    write = Writer(data)
    spelled(write)
    assert near(recognised(write.steps), layer)


@given(st.sampled_from(["softplus", "logarithm"]), st.sampled_from([1.0, 2.0]))
def test_softplus_with_and_without_a_threshold(way, beta):
    own = [("softplus", "x", beta, 20.0)]
    plain = [("multiply", "x", beta), ("exp", "s0"), ("add", "s1", 1.0), ("log", "s2")]
    plain += [("divide", "s3", beta)]
    found = recognised(own if way == "softplus" else plain)
    assert isinstance(found, upsim.Softplus)
    assert found.beta == beta
    # Without a threshold it is the identity only where that is so to the last bit.
    assert found.threshold == 20.0 if way == "softplus" else np.exp(-found.threshold) < 2.0**-53


ALMOST = {
    "a snake of another angle": [("sin", "x"), ("sin", "s0"), ("square", "s1"), ("add", "x", "s2")],
    "a sine that is not squared": [("sin", "x"), ("add", "x", "s0")],
    "another constant": [("multiply", "x", 1.7), ("sigmoid", "s0"), ("multiply", "x", "s1")],
    "two slopes, none of them 1": [("maximum", "x", 0.0), ("multiply", "s0", 2.0)],
    "a corner far out": [("minimum", "x", 1e4), ("sigmoid", "s0")],
    "a clamp on its head": [("minimum", "x", 1.0), ("negative", "s0")],
    "a root": [("abs", "x"), ("sqrt", "s0")],
}


@pytest.mark.parametrize("name", ALMOST)
def test_what_is_only_almost_a_layer_stays_a_program(name):
    assert recognised(ALMOST[name]) is None


def test_programs_that_grow_without_end_are_left_alone():
    # Written out, each step is twice as long as the one before.
    steps = [("sin", "x"), ("cos", "x"), ("add", "s0", "s1")]
    for number in range(2, 600, 3):
        last = f"s{number}"
        steps += [("sin", last), ("cos", last), ("multiply", f"s{number + 1}", f"s{number + 2}")]
    program = Pointwise(steps)
    assert recognised(program) is None
    x = expected = np.linspace(-1, 1, 5)[None]
    expected = np.sin(x) + np.cos(x)
    for _ in range(2, 600, 3):
        expected = np.sin(expected) * np.cos(expected)
    assert np.allclose(program.function(x), expected, rtol=0, atol=rounding(8, 200.0))


def lines_of(graph, signal, channels):
    """Return the DC of a graph's output, whatever its lines."""
    tones = [tone for tone in upsim.predict(graph, signal).tones if tone.frequency == 0]
    return tones[0].amplitude if tones else np.zeros(channels)


FORMS = {
    # f(x0) + g(x1)
    "sum": (
        [("sin", "x0"), ("multiply", "x1", 2.0), ("add", "s0", "s1"), ("subtract", "s2", 0.5)],
        lambda a, b: np.sin(a) + 2 * b - 0.5,
    ),
    # f(x0) g(x1), g with an offset of its own, and with numbers for each channel
    "product": (
        [("add", "x1", 1.0), ("tanh", "x0"), ("multiply", "s0", "s1")],
        lambda a, b: np.tanh(a) * (b + 1),
    ),
    "product by channels": (
        [("multiply", "x0", [2.0, 3.0]), ("sigmoid", "x1"), ("multiply", "s1", "s0")],
        lambda a, b: a * np.array([2.0, 3.0]).reshape(2, *[1] * (np.ndim(a) - 1)) * expit(b),
    ),
    # f(a x0 + b x1)
    "combination": (
        [("multiply", "x1", 0.5), ("subtract", "x0", "s0"), ("leaky_relu", "s1", 0.25)],
        lambda a, b: np.where(a - b / 2 > 0, a - b / 2, (a - b / 2) / 4),
    ),
    # none of these
    "neither": (
        [("multiply", "x0", "x1"), ("add", "s0", "x0"), ("tanh", "s1")],
        lambda a, b: np.tanh(a * b + a),
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_several_values_are_exact_where_nothing_is_random(name):
    program, by_hand = FORMS[name]
    graph = upsim.Graph([("y", Pointwise(program), ("a", "b"))], {"a": 2, "b": 2}, 8000)
    a, b = np.array([0.5, -1.5]), np.array([2.0, 0.25])
    found = lines_of(graph, {"a": upsim.Constant(a), "b": upsim.Constant(b)}, 2)
    assert np.allclose(found, by_hand(a, b), rtol=0, atol=rounding(64, 4.0))
    assert graph.nodes[-1].name == "y"
    assert upsim.verify(graph, {"a": upsim.Constant(a), "b": upsim.Constant(b)}).passed
    recording = {
        each: upsim.Recorded(np.random.default_rng(place).uniform(-2, 2, (2, 7)), 8000)
        for place, each in enumerate("ab")
    }
    whole = upsim.predict(graph, recording).waveform
    expected = by_hand(recording["a"].samples, recording["b"].samples)
    assert np.allclose(whole, expected, rtol=0, atol=rounding(64, 8.0))


@pytest.mark.parametrize("name", [name for name in FORMS if "channels" not in name])
def test_several_values_of_noise(name):
    program, by_hand = FORMS[name]
    graph = upsim.Graph([("y", Pointwise(program), ("a", "b"))], {"a": 1, "b": 1}, 8000)
    signals = {
        "a": upsim.Constant(0.5) + upsim.WhiteNoise(0.25),
        "b": upsim.Constant(-0.25) + upsim.WhiteNoise(1.0),
    }
    if name == "neither":
        with pytest.raises(NotPredictableError, match="a program of several values"):
            upsim.predict(graph, signals)
        return
    # E y and E y^2 by the trapezoidal rule over the plane, within 9 deviations.
    z = np.linspace(-9, 9, 1801)
    chance = np.exp(-0.5 * z * z)
    chance /= chance.sum()
    values = by_hand(0.5 + 0.5 * z[:, None], -0.25 + z[None, :])
    weight = chance[:, None] * chance[None, :]
    mean = float(np.sum(weight * values))
    power = float(np.sum(weight * values**2)) - mean**2
    # A kink moves the rule by the square of its step.
    within = (z[1] - z[0]) ** 2 if name == "combination" else rounding(2**14, 4.0)
    answer = upsim.predict(graph, signals)
    assert np.allclose(answer.noise_power, power, rtol=0, atol=within)
    assert np.allclose(lines_of(graph, signals, 1), mean, rtol=0, atol=within)


def test_one_value_of_noise_by_quadrature():
    program = Pointwise([("tanh", "x"), ("square", "s0"), ("multiply", "s1", [1.0, 3.0])])
    stack = upsim.Stack([program], 8000)
    answer = upsim.predict(stack, upsim.WhiteNoise(0.5))
    z = np.linspace(-9, 9, 1801)
    chance = np.exp(-0.5 * z * z)
    chance /= chance.sum()
    squares = np.tanh(np.sqrt(0.5) * z) ** 2
    mean = float(np.sum(chance * squares))
    power = float(np.sum(chance * squares**2)) - mean**2
    assert np.allclose(answer.noise_power, [power, 9 * power], rtol=rounding(2**14, 1.0))
    assert np.allclose(answer.tones[0].amplitude, [mean, 3 * mean], rtol=rounding(2**14, 1.0))


def test_a_recognised_program_is_its_layer_in_every_answer():
    rng = np.random.default_rng(0)
    up = upsim.TransposedConv(
        1, 3, 8, 4, 2, bias=rng.normal(size=3), weight=rng.normal(size=(1, 3, 8))
    )
    steps = [("multiply", "x", ALPHA), ("sin", "s0"), ("square", "s1"), ("divide", "s2", BETA)]
    steps += [("add", "x", "s3")]
    signal = upsim.Constant(1.0) + upsim.WhiteNoise(0.5)
    one, other = (
        upsim.predict(upsim.Stack([up, layer], 16000), signal)
        for layer in (Pointwise(steps), upsim.SnakeBeta(ALPHA, BETA))
    )
    assert np.allclose(one.noise_power, other.noise_power, rtol=rounding(64, 1.0))
    for tone, twin in zip(one.tones, other.tones, strict=True):
        scale = float(np.abs(twin.amplitude).max())
        assert np.allclose(tone.amplitude, twin.amplitude, rtol=0, atol=rounding(2**10, scale))
        assert [each.layer for each in tone.contributions] == [
            each.layer for each in twin.contributions
        ]


def test_groups_of_the_channels_are_the_values():
    program = Pointwise([("sigmoid", "x1"), ("multiply", "x0", "s0")])
    assert program.channels_out(6) == 3
    stack = upsim.Stack([program], 8000, in_channels=2)
    assert type(stack.nodes[-1].layer) is upsim.GLU
    found = lines_of(stack, upsim.Constant([2.0, 0.5]), 1)
    assert np.allclose(found, 2 * expit(0.5), rtol=rounding(16, 1.0))


def test_the_offset_of_a_program_is_its_own():
    stack = upsim.Stack([Pointwise([("cos", "x"), ("exp", "s0")])], 8000)
    (line,) = upsim.predict(stack, upsim.Silence()).tones
    assert (line.cause, line.layer) == ("activation", "1")
    assert np.allclose(line.amplitude, np.e, rtol=rounding(16, 1.0))


def test_a_function_without_a_finite_value_is_refused():
    stack = upsim.Stack([Pointwise([("log", "x")])], 8000)
    found = upsim.predict(stack, upsim.Constant(2.0)).tones[0].amplitude
    assert np.allclose(found, np.log(2.0), rtol=rounding(16, 1.0))
    with pytest.raises(NotPredictableError, match="no finite value"):
        upsim.predict(stack, upsim.Constant(-1.0))


def test_long_constants_go_to_a_file_and_back():
    scale = np.random.default_rng(0).normal(size=100)
    steps = [("sin", "x"), ("multiply", "s0", scale), ("add", "s1", "x")]
    graph = upsim.Graph([("y", Pointwise(steps), "x")], {"x": 100}, 8000)
    content = json.loads(json.dumps(network_to_dict(graph)))
    again = network_from_dict(content)
    assert again == graph
    assert np.array_equal(again.parts[0].layer.steps[1][2], scale)
    assert recognised(steps) is None


def test_a_repr_is_the_program():
    layer = Pointwise([("sin", "x"), ("multiply", "s0", [1.0, 2.0]), ("add", "x", "s1")])
    assert repr(layer) == (
        "Pointwise((('sin', 'x0'), ('multiply', 's0', [1.0, 2.0]), ('add', 'x0', 's1')))"
    )
    assert eval(repr(layer)) == layer


def test_erf_is_torchs():
    x = np.linspace(-3, 3, 7)[None]
    assert np.allclose(Pointwise([("erf", "x")]).function(x), erf(x), rtol=rounding(8, 1.0), atol=0)


@pytest.mark.parametrize(
    ("program", "kind", "words"),
    [
        ("sin", ArgumentTypeError, "must list steps"),
        (7, ArgumentTypeError, "must list steps"),
        ([], ArgumentError, "must read a value"),
        ([("add", 1.0, 2.0)], ArgumentError, "must read a value"),
        (["sin"], ArgumentTypeError, "an operation and its operands"),
        ([("sine", "x")], UnknownNameError, "no such operation"),
        ([("add", "x")], ArgumentError, "add takes 2 operands"),
        ([("sin", "s0")], ArgumentError, "an operand is not there"),
        ([("sin", "x"), ("sin", "s1")], ArgumentError, "an operand is not there"),
        ([("sin", "y")], ArgumentError, "an operand is not there"),
        ([("sin", "x999")], ArgumentError, "an operand is not there"),
        ([("sin", "x٣")], ArgumentError, "an operand is not there"),
        ([("add", "x", [[1.0]])], ShapeError, "a number, or one a channel"),
        ([("add", "x", float("nan"))], ArgumentError, "finite"),
        ([("add", "x", [1.0, 2.0]), ("add", "s0", [1.0] * 3)], ShapeError, "different numbers"),
        ([("sin", "x")] * 2000, TooLargeError, "too long"),
    ],
)
def test_programs_that_are_none(program, kind, words):
    with pytest.raises(kind, match=words):
        Pointwise(program)


def test_channels_that_do_not_fit():
    with pytest.raises(ShapeError, match="no whole number of values"):
        Pointwise([("add", "x0", "x1")]).channels_out(3)
    with pytest.raises(ShapeError, match="do not match"):
        Pointwise([("add", "x", [1.0, 2.0])]).channels_out(3)
