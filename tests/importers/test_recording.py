"""A recording refuses what does not hang together, and names the place."""

import numpy as np
import pytest

from upsim.errors import ArgumentError, ArgumentTypeError, ShapeError, UnknownNameError
from upsim.importers.recording import Recording, Step

SHAPES = {"x": (1, 2, 8), "y": (1, 2, 8), "z": (1, 2, 8)}


def double(name="double", reads=("x",), makes=("y",)):
    return Step(name, "elementwise", (*reads, np.array(2.0)), makes, {"function": "multiply"})


def recording(*steps, inputs=("x",), output="y", shapes=(SHAPES,)):
    return Recording(steps, inputs, output, shapes)


def test_a_recording_keeps_its_steps_in_order():
    found = recording(double(), double("again", ("y",), ("z",)), output="z")
    assert [step.name for step in found.steps] == ["double", "again"]
    assert found.steps[1].values == ("y",)


@pytest.mark.parametrize(
    ("make", "kind", "said"),
    [
        (lambda: recording(double(), double(makes=("z",))), ArgumentError, "two steps"),
        (lambda: recording(double(), double("again")), ArgumentError, "made twice"),
        (lambda: recording(double(makes=("x",)), output="x"), ArgumentError, "made twice"),
        (lambda: recording(double(reads=("y",))), UnknownNameError, "step 'double'"),
        (lambda: recording(double(), output="w"), UnknownNameError, "the output"),
        (lambda: recording(double(), shapes=()), ShapeError, "no shapes"),
        (lambda: recording(double(), shapes=({"x": (1, 2, 8)},)), ShapeError, "value 'y'"),
        (lambda: Step("a", "fold", ("x",), ("y",)), ArgumentError, "kind"),
        (
            lambda: Step("a", "elementwise", ("x",), ("y",), {"function": "snak"}),
            UnknownNameError,
            "step 'a'",
        ),
        (lambda: Step("a", "movement", ("x",), ("y",)), ArgumentError, "needs function"),
        (lambda: Step("a", "matmul", ("x",), ("y",)), ArgumentError, "1 reads"),
        (lambda: Step("a", "matmul", ("x", [2.0]), ("y",)), ArgumentTypeError, "a list"),
        (lambda: double(makes=()), ArgumentTypeError, "at least one"),
    ],
)
def test_what_does_not_hang_together_is_refused(make, kind, said):
    with pytest.raises(kind, match=said):
        make()
