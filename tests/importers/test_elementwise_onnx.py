"""Every elementwise operator of ONNX, and random programs of them, against ONNX's evaluator."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

onnx = pytest.importorskip("onnx", reason='onnx is missing: pip install ".[onnx]"')

import upsim  # noqa: E402
from tests.importers import onnx_models  # noqa: E402
from tests.importers.onnx_models import imported, model, node  # noqa: E402
from upsim.words.tolerance import rounding  # noqa: E402

#: From the size of a rounding of 16 bits to far beyond full scale, and silence.
SIZES = np.concatenate([[0.0], 10.0 ** np.linspace(-6, 4, 41)])
EVERYWHERE = np.concatenate([-SIZES[1:], SIZES])
SAMPLES = np.stack([EVERYWHERE, EVERYWHERE[::-1]])[None]
SILENT = int(np.flatnonzero(EVERYWHERE == 0)[0])
BETWEEN = SAMPLES / 2e4


def evaluated(proto, samples):
    """Return what the reference evaluator makes of samples; a power may pass the largest number."""
    with np.errstate(all="ignore"):
        return np.asarray(onnx_models.evaluated(proto, samples), dtype=np.float64)


def compare(tmp_path, nodes, tensors=None, *, samples=SAMPLES, dtype=np.float64, opset=24):
    """Import a model, and compare what it makes of numbers with upsim's prediction."""
    proto = model(nodes, (1, 2, None), tensors=tensors, opset=opset)
    graph = imported(proto, tmp_path)
    want = evaluated(proto, samples)[0]
    answer = upsim.predict(graph, upsim.Recorded(samples[0], 16000))
    size = 1 + np.maximum(np.abs(want), np.max(np.abs(samples), axis=1))
    assert np.all(np.abs(answer.waveform - want) <= rounding(64, 1.0, dtype) * size)
    rest = evaluated(proto, np.zeros((1, 2, 4)))[0, :, 0]
    if np.all(np.isfinite(rest)):
        lines = [tone.amplitude for tone in upsim.predict(graph, upsim.Silence()).tones]
        found = lines[0] if lines else np.zeros(len(rest))
        assert np.all(np.abs(found - rest) <= rounding(64, 1.0, dtype) * (1 + np.abs(rest)))
    return graph


def one(kind, **attributes):
    return [node(kind, ["x"], **attributes)]


def halves(kind, **attributes):
    """Return an operator of the two channels, one the operand of the other."""
    split = node("Split", ["x"], ["a", "b"], axis=1, num_outputs=2)
    return [split, node(kind, ["a", "b"], **attributes)]


def chosen(*before):
    """Return a choice by what was made last."""
    return [*before, node("Where", [before[-1].output[0], "x", "level"])]


COMPARED = ["Less", "Greater", "Equal", "LessOrEqual", "GreaterOrEqual"]
LOGICAL = ["And", "Or", "Xor"]
SIGNS = [node("Less", ["x", "level"], ["p"]), node("Greater", ["x", "small"], ["q"])]

#: By operator: its model.
_KINDS = (
    "Abs Asin Acos Asinh Atan Atanh Ceil Celu Cos Cosh Elu Erf Exp Floor Gelu HardSigmoid "
    "HardSwish LeakyRelu Mish Neg Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign "
    "Sqrt Swish Tan Tanh ThresholdedRelu"
)
MODELS = {kind: one(kind) for kind in _KINDS.split()}
MODELS |= {
    # The functions that have no number at silence.
    kind: [node("Abs", ["x"], ["a"]), node("Add", ["a", "more"], ["b"]), node(kind, ["b"])]
    for kind in ("Log", "Acosh", "Reciprocal")
}
MODELS |= {kind: halves(kind) for kind in ("Add", "Sub", "Mul", "Max", "Min", "Mean", "Sum")}
MODELS |= {
    "Div": [node("Div", ["x", "w"])],
    "Pow": [node("Abs", ["x"], ["a"]), node("Pow", ["a", "small"])],
    "Mod": [node("Mod", ["x", "three quarters"], fmod=1)],
    "PRelu": [node("PRelu", ["x", "w"])],
    "Clip": [node("Clip", ["x", "small", "level"])],
    "Where": chosen(node("Greater", ["x", "small"], ["p"])),
    "Not": chosen(SIGNS[0], node("Not", ["p"], ["r"])),
}
MODELS |= {kind: chosen(node(kind, ["x", "level"], ["p"])) for kind in COMPARED}
MODELS |= {kind: chosen(*SIGNS, node(kind, ["p", "q"], ["r"])) for kind in LOGICAL}
TENSORS = {
    "level": np.array(10.0),
    "small": np.array(1e-5),
    "more": np.array(1.5),
    "three quarters": np.array(0.75),
    "w": np.array([[0.3], [-1.7]]),
}
#: Where an operator is a number, and where its rounding is not that of a large power.
WITHIN = dict.fromkeys(["Asin", "Acos", "Atanh", "Exp", "Sinh", "Cosh", "Tan"], BETWEEN)
WITHIN["Sqrt"] = np.abs(SAMPLES)
#: Where the evaluator holds a number in single precision, an attribute or a constant.
SINGLE = {"Erf", "Gelu", "HardSwish", "HardSigmoid", "LeakyRelu", "Selu"}


@pytest.mark.parametrize("kind", MODELS)
def test_every_elementwise_operator(kind, tmp_path):
    dtype = np.float32 if kind in SINGLE else np.float64
    samples = WITHIN.get(kind, SAMPLES)
    graph = compare(tmp_path, MODELS[kind], TENSORS, samples=samples, dtype=dtype)
    assert "Opaque" not in [type(part.layer).__name__ for part in graph.parts]


@pytest.mark.parametrize("kind", ["IsInf", "IsNaN"])
def test_an_operator_that_has_no_formula_is_named(kind, tmp_path):
    graph = compare(tmp_path, chosen(node(kind, ["x"], ["p"])), TENSORS)
    (layer,) = [part.layer for part in graph.parts if isinstance(part.layer, upsim.Opaque)]
    assert (layer.kind, layer.reason) == (kind, "upsim has no formula for it")


ATTRIBUTES = {
    "Shrink": {"lambd": 2.0, "bias": 0.5},
    "ThresholdedRelu": {"alpha": 0.25},
    "Swish": {"alpha": 2.0},
    "Elu": {"alpha": 0.5},
    "Celu": {"alpha": 2.0},
}


@pytest.mark.parametrize("kind", ATTRIBUTES)
def test_operators_with_attributes(kind, tmp_path):
    graph = compare(tmp_path, one(kind, **ATTRIBUTES[kind]))
    assert "Opaque" not in [type(part.layer).__name__ for part in graph.parts]


# ---------------------------------------------------------------------- random programs

_FUNCTIONS = {
    "Abs": np.abs,
    "Neg": np.negative,
    "Relu": lambda a: np.maximum(a, 0),
    "Sigmoid": lambda a: 0.5 + 0.5 * np.tanh(a / 2),
    "Tanh": np.tanh,
    "Sin": np.sin,
    "Cos": np.cos,
    "Exp": np.exp,
    "Softplus": lambda a: np.logaddexp(0, a),
    "Floor": np.floor,
    "Sign": np.sign,
    "Sqrt": np.sqrt,
    "Atan": np.arctan,
    "Reciprocal": lambda a: 1 / a,
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": np.divide,
    "Max": np.maximum,
    "Min": np.minimum,
    "Greater": np.greater,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "Where": np.where,
}
_ONE = list(_FUNCTIONS)[:14]
_TWO = ["Add", "Sub", "Mul", "Div", "Max", "Min"]


class Written:
    """Nodes as they are drawn, and with each value how far rounding may move it.

    Each operation is also taken at what is the ends of its operands then, so that the slope of a
    function, and a jump, count; a layer may compute by other sums of the same operands.
    """

    def __init__(self, draw, samples):
        self.draw = draw
        self.nodes, self.tensors = [], {}
        self.values = {"x": (samples, np.zeros_like(samples))}

    def constant(self, number=None):
        if number is None:
            size = 10.0 ** self.draw(st.integers(-6, 4))
            number = size * self.draw(st.sampled_from([1.0, -1.0, 0.3, 7.0]))
        name = f"c{len(self.tensors)}"
        self.tensors[name] = np.array(number)
        self.values[name] = (np.full_like(self.values["x"][0], number), 0.0)
        return name

    def node(self, kind, *reads):
        made = f"v{len(self.nodes)}"
        self.nodes.append(node(kind, reads, [made]))
        given = [self.values[name] for name in reads]
        with np.errstate(all="ignore"):
            value = _FUNCTIONS[kind](*(each for each, _ in given))
            if kind in ("Greater", "Less", "LessOrEqual"):
                moved = np.abs(given[0][0] - given[1][0]) <= given[0][1] + given[1][1]
                self.values[made] = (value, np.where(moved, 1.0, 0.0))
                return made
            if kind == "Where":
                (picked, apart), (a, e), (b, f) = given
                error = np.where(picked, e, f) + np.where(apart > 0, np.abs(a - b), 0)
            else:
                ends = [(each - off, each + off) for each, off in given]
                ways = [_FUNCTIONS[kind](*way) for way in itertools.product(*ends)]
                error = np.max([np.abs(way - value) for way in ways], axis=0)
            size = np.abs(value) + np.max([np.abs(1.0 * each) for each, _ in given], axis=0)
        self.values[made] = (value, error + rounding(32, 1.0) * size)
        return made

    def any_value(self):
        made = [name for name, (value, _) in self.values.items() if value.dtype != bool]
        return self.draw(st.sampled_from([name for name in made if name[0] != "c"]))

    # ------------------------------------------------------------------ what comes near a layer

    def band(self):
        """Write what is a clamp, or next to one."""
        x = self.any_value()
        upper = self.node("Relu", self.node("Sub", x, self.constant()))
        return self.node("Sub", self.node("Relu", x), upper)

    def choice(self):
        x = self.any_value()
        kind = self.draw(st.sampled_from(["Greater", "Less", "LessOrEqual"]))
        level = self.draw(st.sampled_from([0.0, None]))
        picked = self.node(kind, x, self.constant(level))
        below = self.draw(st.sampled_from(["number", "slope", "value"]))
        if below == "slope":
            other = self.node("Mul", x, self.constant())
        else:
            other = self.constant() if below == "number" else self.any_value()
        return self.node("Where", picked, *self.draw(st.permutations([x, other])))

    def swish(self):
        x = self.any_value()
        slope = self.draw(st.sampled_from([1.0, 1.702, None]))
        return self.node("Mul", x, self.node("Sigmoid", self.node("Mul", x, self.constant(slope))))

    def snake(self):
        x = self.any_value()
        wave = self.node("Sin", self.node("Mul", x, self.constant(0.5)))
        square = self.node("Mul", wave, wave)
        return self.node("Add", x, self.node("Mul", square, self.constant()))

    def unary(self):
        return self.node(self.draw(st.sampled_from(_ONE)), self.any_value())

    def binary(self):
        reads = [self.any_value(), self.draw(st.sampled_from([self.constant(), self.any_value()]))]
        return self.node(self.draw(st.sampled_from(_TWO)), *self.draw(st.permutations(reads)))


_WAYS = ["band", "choice", "swish", "snake", "unary", "binary", "unary", "binary"]


@settings(max_examples=4 * settings().max_examples)
@given(st.data())
def test_a_random_program_is_what_onnx_says(tmp_path_factory, data):
    written = Written(data.draw, SAMPLES)
    for _ in range(data.draw(st.integers(1, 5))):
        last = getattr(written, data.draw(st.sampled_from(_WAYS)))()
    written.nodes.append(node("Identity", [last]))
    _, errors = written.values[last]
    # Samples that are numbers all the way, and that rounding does not turn into others.
    with np.errstate(all="ignore"):
        finite = [np.abs(value) < 1e100 for value, _ in written.values.values()]
        kept = np.all([*finite, np.isfinite(errors)], axis=(0, 1, 2))
    if not kept[SILENT]:
        return  # upsim refuses what has no number at silence
    samples, errors = SAMPLES[..., kept], errors[..., kept]
    proto = model(written.nodes, (1, 2, None), tensors=written.tensors, opset=24)
    graph = imported(proto, tmp_path_factory.mktemp("model"))
    want = evaluated(proto, samples)[0]
    got = upsim.predict(graph, upsim.Recorded(samples[0], 16000)).waveform
    assert np.all(np.abs(got - want) <= errors[0])
