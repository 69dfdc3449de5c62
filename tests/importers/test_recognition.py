"""Activations are told by what they compute, and nothing else is taken for one."""

import numpy as np
import pytest

from upsim.importers.lowering import lowered
from upsim.importers.recording import Recording, Step
from upsim.layers import GELU, LeakyReLU, PReLU, ReLU, SiLU, Snake, SnakeBeta, Softplus
from upsim.words.tolerance import rounding

ALPHA = np.array([[0.5], [1.25]])


def layers(*operations, channels=2):
    """Return the layers of operations (function, operand, ...), "x" the input, "0" the first."""
    steps = []
    for number, (function, *operands) in enumerate(operations):
        reads = [each if isinstance(each, str) else np.asarray(each) for each in operands]
        steps.append(
            Step(f"s{number}", "elementwise", reads, (str(number),), {"function": function})
        )
    names = ["x", *(str(number) for number in range(len(steps)))]
    shapes = [dict.fromkeys(names, (1, channels, n)) for n in (8, 12)]
    graph = lowered(Recording(steps, ("x",), names[-1], shapes), 16000)
    return [part.layer for part in graph.parts]


#: Ways in which one function is written.
WRITTEN = {
    "snake": (
        Snake(ALPHA[:, 0]),
        [("multiply", "x", ALPHA), ("sin", "0"), ("power", "1", 2.0), ("divide", "2", ALPHA),
         ("add", "x", "3")],
    ),
    "snake with a square": (
        SnakeBeta(ALPHA[:, 0], 2 * ALPHA[:, 0]),
        [("multiply", ALPHA, "x"), ("sin", "0"), ("multiply", "1", "1"),
         ("multiply", 1 / (2 * ALPHA), "2"), ("add", "3", "x")],
    ),
    "snake with a cosine": (
        Snake(0.5),
        # sin^2(x / 2) = (1 - cos x) / 2.
        [("cos", "x"), ("subtract", 1.0, "0"), ("add", "x", "1")],
    ),
    "gelu": (
        GELU(),
        [("multiply", "x", np.sqrt(0.5)), ("erf", "0"), ("add", "1", 1.0), ("multiply", "x", 0.5),
         ("multiply", "3", "2")],
    ),
    "gelu of single precision": (
        GELU(),
        [("divide", "x", np.float32(np.sqrt(2))), ("erf", "0"), ("add", "1", 1.0),
         ("multiply", "x", "2"), ("multiply", "3", 0.5)],
    ),
    "gelu with tanh of single precision": (
        GELU("tanh"),
        [("multiply", "x", "x"), ("multiply", "x", "0"), ("multiply", "1", np.float32(0.044715)),
         ("add", "x", "2"), ("multiply", "3", np.float32(np.sqrt(2 / np.pi))), ("tanh", "4"),
         ("add", "5", 1.0), ("multiply", "x", 0.5), ("multiply", "7", "6")],
    ),
    "snake of single precision": (
        SnakeBeta(np.float32(0.7), 1 / np.float64(np.float32(1 / np.float32(0.7)))),
        [("multiply", "x", np.float32(0.7)), ("sin", "0"), ("multiply", "1", "1"),
         ("multiply", "2", np.float32(1 / np.float32(0.7))), ("add", "3", "x")],
    ),
    "leaky relu of single precision": (
        LeakyReLU(np.float32(0.2)),
        [("relu", "x"), ("multiply", "0", np.float32(0.8)), ("multiply", "x", np.float32(0.2)),
         ("add", "1", "2")],
    ),
    "gelu with tanh": (
        GELU("tanh"),
        [("power", "x", 3.0), ("multiply", "0", 0.044715), ("add", "x", "1"),
         ("multiply", "2", np.sqrt(2 / np.pi)), ("tanh", "3"), ("add", "4", 1.0),
         ("multiply", "x", "5"), ("multiply", "6", 0.5)],
    ),
    "silu": (SiLU(), [("sigmoid", "x"), ("multiply", "x", "0")]),
    "silu by an exponential": (
        SiLU(), [("negative", "x"), ("exp", "0"), ("add", "1", 1.0), ("divide", "x", "2")]
    ),
    "softplus": (Softplus(1.0, 700.0), [("exp", "x"), ("add", "0", 1.0), ("log", "1")]),
    "leaky relu by a maximum": (
        LeakyReLU(0.25), [("multiply", "x", 0.25), ("maximum", "x", "0")]
    ),
    "prelu by absolute values": (
        PReLU(2, weight=[0.0, 0.5]),
        # x (1 + a) / 2 + |x| (1 - a) / 2.
        [("multiply", "x", [[0.5], [0.75]]), ("abs", "x"), ("multiply", "1", [[0.5], [0.25]]),
         ("add", "0", "2")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRITTEN)
def test_a_function_is_known_however_it_is_written(name):
    want, operations = WRITTEN[name]
    (found,) = layers(*operations)
    assert type(found) is type(want)
    grid = np.linspace(-5, 5, 41) + np.zeros((2, 1))
    # Parameters are read off by sums of some hundred terms; a file's constants may be single.
    bound = rounding(8, 5.0, np.float32) if "single" in name else rounding(512, 5.0)
    assert np.max(np.abs(found.function(grid) - want.function(grid))) <= bound


#: Functions that come near one of the catalogue and are none.
NEAR = {
    "a quick gelu of another slope": [
        ("multiply", "x", 1.65), ("sigmoid", "0"), ("multiply", "x", "1")
    ],
    "a snake with another square": [("sin", "x"), ("power", "0", 2.001), ("add", "x", "1")],
    "a snake of another slope": [("sin", "x"), ("multiply", "0", "0"), ("multiply", "x", 1.001),
                                 ("add", "1", "2")],
    "a gelu with another constant": [
        ("multiply", "x", 0.7), ("erf", "0"), ("add", "1", 1.0), ("multiply", "x", 0.5),
        ("multiply", "3", "2"),
    ],
    "a softplus with another base": [("exp", "x"), ("add", "0", 1.001), ("log", "1")],
    "a band whose end is far out": [
        ("relu", "x"), ("subtract", "x", 12.0), ("relu", "1"), ("subtract", "0", "2")
    ],
    "a rectifier with a floor": [
        ("greater", "x", 0.0), ("where", "0", "x", 1e-5)
    ],
    "a rectifier of another corner": [("greater", "x", 1e-5), ("where", "0", "x", 0.0)],
    "a silu far out only": [
        ("sigmoid", "x"), ("multiply", "x", "0"), ("subtract", "x", 30.0), ("relu", "2"),
        ("add", "1", "3"),
    ],
    "a gelu with seven digits": [
        ("multiply", "x", 0.7071068), ("erf", "0"), ("add", "1", 1.0), ("multiply", "x", 0.5),
        ("multiply", "3", "2"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", NEAR)
def test_what_only_comes_near_is_not_taken_for_it(name):
    known = (GELU, LeakyReLU, PReLU, ReLU, SiLU, Snake, SnakeBeta, Softplus)
    assert not any(isinstance(each, known) for each in layers(*NEAR[name])[-1:])


#: What the corners and floors of such functions are, by hand.
VALUES = {
    "a band whose end is far out": lambda x: np.clip(x, 0.0, 12.0),
    "a rectifier with a floor": lambda x: np.where(x > 0, x, 1e-5),
    "a rectifier of another corner": lambda x: np.where(x > 1e-5, x, 0.0),
}


@pytest.mark.parametrize("name", VALUES)
def test_corners_far_out_and_floors_far_down_are_kept(name):
    sizes = 10.0 ** np.linspace(-7, 5, 49)
    grid = np.concatenate([-sizes, [0.0], sizes])[None]
    made = grid
    for layer in layers(*NEAR[name], channels=1):
        made = layer.function(made)
    bound = rounding(8, 1.0) * (1 + np.abs(grid))
    assert np.all(np.abs(made - VALUES[name](grid)) <= bound)
