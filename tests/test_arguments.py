"""What the checks of arguments accept, and the words in which they refuse."""

from fractions import Fraction

import numpy as np
import pytest

import upsim
from upsim.errors import ArgumentError, ArgumentTypeError, TooLargeError, UpsimError
from upsim.words.arguments import (
    LARGEST_COUNT,
    finite_array,
    finite_number,
    path_of,
    signed_number,
    whole_number,
)


def test_a_count_is_limited_and_the_limit_can_be_moved():
    assert whole_number(LARGEST_COUNT, "stride") == LARGEST_COUNT
    with pytest.raises(TooLargeError, match="stride is too large"):
        whole_number(LARGEST_COUNT + 1, "stride")
    assert whole_number(LARGEST_COUNT + 1, "length", most=2**48) == LARGEST_COUNT + 1
    with pytest.raises(TooLargeError, match=r"length is too large.*at most 281474976710656"):
        whole_number(2**48 + 1, "length", most=2**48)
    assert whole_number(10**400, "seed", least=0, most=None) == 10**400


def test_an_array_without_axes_is_its_number():
    assert whole_number(np.array(2), "stride") == 2
    assert signed_number(np.array(-2), "left") == -2
    assert finite_number(np.array(0.5), "slope") == 0.5
    with pytest.raises(ArgumentTypeError):
        whole_number(np.array([2]), "stride")
    with pytest.raises(ArgumentTypeError):
        whole_number(np.array(True), "stride")


@pytest.mark.parametrize(
    "made",
    [
        lambda: upsim.TransposedConv(1, 1, 3, 10**400),
        lambda: upsim.LeakyReLU(10**400),
        lambda: upsim.Crop(10**400, 0),
        lambda: upsim.Bias(10**400),
        lambda: upsim.Constant(10**400),
        lambda: upsim.Stack([upsim.ReLU()], 10**400),
        lambda: upsim.Stack([upsim.ReLU()], Fraction(1, 10**400)),
    ],
)
def test_a_number_of_hundreds_of_digits_is_refused_in_a_short_sentence(made):
    with pytest.raises(UpsimError) as refusal:
        made()
    assert len(str(refusal.value)) < 250


@pytest.mark.parametrize("value", [1j, [1j], np.array([1.0 + 0j]), [[np.complex64(1)]]])
def test_complex_numbers_are_refused(value):
    with pytest.raises(ArgumentTypeError, match=r"weight must be real.*fix: weight=weight\.real"):
        finite_array(value, "weight")


def test_complex_weights_are_refused_by_the_layer():
    with pytest.raises(ArgumentTypeError, match="complex numbers, Conv"):
        upsim.Conv(1, 1, 1, weight=np.full((1, 1, 1), 1j))


def test_a_shape_that_is_wrong_names_the_right_one():
    with pytest.raises(ValueError, match=r"weight of shape \(2, 1, 1\).*shape \(1, 1, 1\)"):
        upsim.Conv(1, 1, 1, weight=np.ones((2, 1, 1)))


def test_minus_zero_becomes_zero():
    assert not np.signbit(finite_array([-0.0, 1.0], "weight")).any()
    assert not np.signbit(finite_number(-0.0, "slope"))


@pytest.mark.parametrize("kind", [upsim.Bias, upsim.Constant])
@pytest.mark.parametrize("zero", [0.0, [0.0]])
def test_equal_records_have_equal_hashes(kind, zero):
    minus = [-0.0] if isinstance(zero, list) else -0.0
    assert kind(zero) == kind(minus)
    assert hash(kind(zero)) == hash(kind(minus))


def test_a_path_is_a_string_or_a_path():
    assert path_of("here.json").name == "here.json"
    for wrong in (None, 5, ["here"]):
        with pytest.raises(ArgumentTypeError, match="path must be a path"):
            path_of(wrong)


def test_no_number_that_is_no_number():
    with pytest.raises(ArgumentError, match=r"slope must be finite. given: slope=nan"):
        finite_number(float("nan"), "slope")
