"""A planted fault is found by its name, in every framework, with an example that is true."""

import re

import numpy as np
import pytest

import upsim
from upsim.testing import check_upsampler, subject
from upsim.testing.callables.faults import fault_of

from . import planted
from .planted import NUMPY, UP, L


def found(function, like, channels):
    report = None
    try:
        check_upsampler(function, factor=L, channels=channels, like=like)
    except AssertionError as error:
        report = str(error)
    assert report is not None, "the fault passed the laws"
    return report


@pytest.mark.parametrize(
    ("name", "function", "channels", "like"),
    NUMPY,
    ids=[f"{number}-{each[0]}" for number, each in enumerate(NUMPY)],
)
def test_a_fault_in_numpy_is_named(name, function, channels, like):
    report = found(function, like, channels)
    assert f"fault: {name}" in report, report
    assert "write: " in report
    # The example is run again, and what it says comes out.
    if name == "crop forgotten":
        return  # lengths differ: nothing to compare sample by sample
    (text, place, value) = re.search(
        r"x = zeros\(\((\d+, \d+)\)\)(?:; x\[(\d+, \d+)\] = (1))?", report
    ).groups()
    x = np.zeros(tuple(map(int, text.split(", "))))
    if place:
        x[tuple(map(int, place.split(", ")))] = float(value)
    said = re.search(r"gives \[([^\]]*)\]", report).group(1).replace(" ...", "").split()
    made = function(x[None])[0, 0][: len(said)]
    assert [f"{each:.4g}" for each in made + 0.0] == said


def test_the_right_layers_have_no_fault():
    check_upsampler(planted.overlap_add, channels=2, like=planted.transposed())
    check_upsampler(lambda x: planted.shuffle(planted.correlated(x)), like=planted.subpixel())
    check_upsampler(planted.triangle, channels=2, like=upsim.Linear(L, "triangle"))


def test_two_faults_at_once_are_not_called_one():
    report = found(lambda x: 0.3 * planted.overlap_add(x, UP[..., ::-1]), planted.transposed(), 2)
    assert "fault: not known" in report
    assert "more than one fault" in report


def test_the_line_of_the_source_is_shown():
    def mine(x):
        y = planted.correlated(x)
        return y.reshape(len(y), 2, -1)  # the line to change

    report = found(mine, None, 3)
    line = mine.__code__.co_firstlineno + 2
    assert f"line {line} of test_faults.py: return y.reshape(len(y), 2, -1)" in report


def test_what_has_no_source_has_no_lines():
    report = fault_of(subject(np.vectorize(lambda value: value), 1, 1, like=upsim.Nearest(1)))
    assert report is None


# --- torch and Keras


@pytest.mark.torch
@pytest.mark.parametrize("number", range(14))
def test_a_fault_in_torch_is_named(number):
    from .planted_torch import faults

    name, function, channels, like = faults()[number]
    report = found(function, like, channels)
    assert f"fault: {name}" in report, report
    assert "write: " in report


@pytest.mark.torch
def test_the_right_layers_of_torch_have_no_fault():
    from .planted_torch import right

    for function, channels, like in right():
        check_upsampler(function, factor=L, channels=channels, like=like)


@pytest.mark.parametrize("number", range(13))
def test_a_fault_in_keras_is_named(number):
    from .planted_keras import faults

    name, function, channels, like = faults()[number]
    report = found(function, like, channels)
    assert f"fault: {name}" in report, report
    assert "write: " in report


def test_the_right_layers_of_keras_have_no_fault():
    from .planted_keras import right

    for function, channels, like in right():
        check_upsampler(function, factor=L, channels=channels, like=like)


def test_a_gain_that_is_asked_for_is_found_forgotten():
    with pytest.raises(AssertionError, match=r"gain L forgotten \(nearest known layer: Linear\(4"):
        check_upsampler(lambda x: planted.triangle(x, 1 / L), 2, factor=L, gain=1.0)
