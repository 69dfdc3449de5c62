"""What an error says to type is typed here, and works."""

import ast
import re
import subprocess
import sys

import numpy as np
import pytest

import upsim
from upsim import layers
from upsim.errors import UpsimError
from upsim.gaussian import Quadrature, Rectifier, covariance, snake
from upsim.gaussian.inputs import correlation, gaussian

NAMES = {"upsim": upsim, "np": np} | {name: getattr(layers, name) for name in layers.__all__}

# A class and the arguments that it refuses.
REFUSED = [
    (upsim.Conv, {"in_channels": 1, "out_channels": 1, "kernel_size": 3, "stride": 2}, "same"),
    (upsim.Conv, {"in_channels": 3, "out_channels": 2, "kernel_size": 3, "groups": 2}, None),
    (upsim.Conv, {"in_channels": 1, "out_channels": 1, "kernel_size": 0}, None),
    (
        upsim.TransposedConv,
        {"in_channels": 1, "out_channels": 1, "kernel_size": 4, "output_padding": 2},
        None,
    ),
    (
        upsim.TransposedConv,
        {
            "in_channels": 1,
            "out_channels": 1,
            "kernel_size": 4,
            "stride": 2,
            "dilation": 2,
            "weight": "icnr",
        },
        None,
    ),
    (
        upsim.SubpixelConv,
        {
            "in_channels": 2,
            "out_channels": 2,
            "kernel_size": 3,
            "factor": 2,
            "groups": 2,
            "order": "tensorflow",
            "weight": "icnr",
        },
        None,
    ),
    (upsim.WeightNorm, {"layer": upsim.Nearest(2)}, None),
    (upsim.Softplus, {"beta": 0}, None),
    (upsim.Snake, {"alpha": 0.0}, None),
    (upsim.SnakeBeta, {"beta": 0.0}, None),
    (upsim.GroupNorm, {"num_groups": 2, "num_channels": 3}, None),
    (upsim.LayerNorm, {"normalized_shape": 2, "eps": 0.0}, None),
    (upsim.GroupNorm, {"num_groups": 1, "num_channels": 2, "affine": False, "bias": [1, 1]}, None),
    (upsim.BatchNorm, {"num_features": 2, "track_running_stats": False}, None),
    (upsim.Hold, {"factor": 2, "order": 65}, None),
    (upsim.Decimate, {"factor": 2, "phase": 2}, None),
    (upsim.WindowedSinc, {"factor": 2, "rolloff": 2.0}, None),
    (upsim.WindowedSinc, {"factor": 2, "rolloff": 0.0}, None),
]


def code_of(fix):
    """Return the code that a fix begins with, None if it begins with words."""
    for end in [len(fix), *(match.start() for match in re.finditer(r", | for |; | or ", fix))]:
        for text in (fix[:end], f"dict({fix[:end]})"):
            try:
                node = ast.parse(text, mode="eval").body
            except SyntaxError:
                continue
            if isinstance(node, ast.Call | ast.Compare):
                return text
    return None


def typed(fix, **names):
    """Type a fix."""
    return eval(code_of(fix), NAMES | names)


@pytest.mark.parametrize(
    ("kind", "arguments", "padding"), REFUSED, ids=lambda part: getattr(part, "__name__", "")
)
def test_the_fix_of_a_refused_layer_is_typed(kind, arguments, padding):
    arguments = arguments | ({"padding": padding} if padding else {})
    with pytest.raises(UpsimError) as refusal:
        kind(**arguments)
    fix = refusal.value.fix
    if code_of(fix) is None:
        assert not re.search(r"[(=]", fix), f"code that cannot be typed: {fix}"
        return
    found = typed(fix)
    made = kind(**(arguments | found)) if isinstance(found, dict) else found
    assert isinstance(made, layers.Layer)


def wide():
    return covariance(Rectifier().moments(np.zeros(3), 1.0), Rectifier().moments(0.0, 1.0), [0, 0])


class Whole:
    """What is asked for by the names in the fixes."""

    covariance, deviation_x, deviation_y = 0.5, 1.0, 1.0


@pytest.mark.parametrize(
    ("ask", "names"),
    [
        (lambda: upsim.GLU().form(), {}),
        (lambda: upsim.GLU().moments(0.0, 1.0), {}),
        (lambda: gaussian(0.0, -1.0), {"variance": 4.0}),
        (lambda: snake(0.0), {}),
        (wide, {"covariance": covariance, "m": Rectifier().moments(np.zeros(2), 1.0), "rho": 0.5}),
        (lambda: type("Mine", (Rectifier,), {}), {}),
        (
            lambda: type(
                "Mine", (layers.Activation,), {"form": lambda _: None, "function": lambda *_: None}
            ),
            {},
        ),
    ],
)
def test_the_fix_of_a_refused_moment_is_typed(ask, names):
    with pytest.raises(UpsimError) as refusal:
        ask()
    assert typed(refusal.value.fix, **names) is not None


def test_the_fix_of_a_function_of_more_than_a_sample_is_typed():
    with pytest.raises(UpsimError) as refusal:
        Quadrature(lambda x: x[..., :1], name="first").moments(np.zeros(3), [1.0, 2.0, 3.0])
    assert typed(refusal.value.fix).shape == ()


def test_the_fix_of_a_correlation_is_typed():
    with pytest.raises(UpsimError) as refusal:
        correlation(2.0)
    found = {}
    exec(refusal.value.fix, {name: getattr(Whole, name) for name in vars(Whole)}, found)
    assert correlation(found["rho"]) == 0.5


def test_the_rooms_that_fixes_name_are_there():
    # in a process of its own: here others have imported them already
    for name in ("gaussian.gated_moments", "layers.Gated", "operators.StretchFIR"):
        subprocess.run([sys.executable, "-c", f"import upsim; upsim.{name}"], check=True)
