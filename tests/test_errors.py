"""Errors: what, given, expected, fix, where; each also the built-in that a caller would guess."""

import pickle

import pytest

from upsim import errors
from upsim.words.arguments import (
    LARGEST_COUNT,
    MEMORY_BUDGET,
    finite_array,
    finite_number,
    one_of,
    refuse_beyond_memory,
    signed_number,
    whole_number,
)

KINDS = {
    errors.ArgumentError: ValueError,
    errors.ArgumentTypeError: TypeError,
    errors.ShapeError: ValueError,
    errors.NotPredictableError: NotImplementedError,
    errors.TooLargeError: MemoryError,
    errors.FileFormatError: ValueError,
    errors.OutputExistsError: FileExistsError,
    errors.UnknownNameError: LookupError,
    errors.MissingDependencyError: ImportError,
}
FIELDS = {"given": "a=1", "expected": "2", "fix": "a=2", "where": "layer 3"}


def test_the_family_is_complete():
    family = {
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.UpsimError)
    }
    assert family == {errors.UpsimError, *KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_each_is_the_builtin_that_a_caller_would_guess(kind):
    with pytest.raises(KINDS[kind]):
        raise kind("broken")


@pytest.mark.parametrize("kind", [errors.UpsimError, *KINDS])
def test_the_message_says_everything_once(kind):
    assert str(kind("broken", **FIELDS)) == "broken. given: a=1, layer 3. expected: 2. fix: a=2"
    assert str(kind("broken")) == "broken"
    assert str(kind("broken", where="layer 3")) == "broken. given: layer 3"


@pytest.mark.parametrize("kind", [errors.UpsimError, *KINDS])
def test_places_are_added_from_inside_out(kind):
    placed = kind("broken", **FIELDS).at("stack.json")
    assert type(placed) is kind
    assert placed.where == "layer 3, stack.json"
    assert kind("broken").at("here").where == "here"


@pytest.mark.parametrize("kind", [errors.UpsimError, *KINDS])
def test_errors_travel_between_processes(kind):
    sent = kind("broken", **FIELDS)
    received = pickle.loads(pickle.dumps(sent))
    assert type(received) is kind
    assert str(received) == str(sent)
    assert vars(received) == vars(sent)


@pytest.mark.parametrize(
    ("value", "kind", "given"),
    [
        (0, errors.ArgumentError, "stride=0"),
        (-3, errors.ArgumentError, "stride=-3"),
        (2.5, errors.ArgumentError, "stride=2.5"),
        (float("nan"), errors.ArgumentError, "stride=nan"),
        (float("inf"), errors.ArgumentError, "stride=inf"),
        ("2", errors.ArgumentTypeError, "stride='2'"),
        (None, errors.ArgumentTypeError, "stride=None"),
        (True, errors.ArgumentTypeError, "stride=True"),
        (LARGEST_COUNT + 1, errors.TooLargeError, f"stride={LARGEST_COUNT + 1}"),
        (10**400, errors.TooLargeError, "stride=a huge integer"),
        (-(10**400), errors.ArgumentError, "stride=a huge integer"),
    ],
)
def test_whole_numbers(value, kind, given):
    with pytest.raises(kind) as caught:
        whole_number(value, "stride")
    assert caught.value.given == given
    assert "stride" in caught.value.what


def test_the_fix_of_a_number_is_a_number_that_works():
    for value in (0, -3, 2.5):
        with pytest.raises(errors.ArgumentError) as caught:
            whole_number(value, "stride")
        assert whole_number(int(caught.value.fix.removeprefix("stride=")), "stride") >= 1
    assert whole_number(3.0, "stride") == 3
    assert whole_number(LARGEST_COUNT, "stride") == LARGEST_COUNT


def test_numbers_of_either_sign():
    assert signed_number(-3, "left") == -3
    with pytest.raises(errors.ArgumentTypeError):
        signed_number(1.5, "left")
    with pytest.raises(errors.TooLargeError):
        signed_number(-(10**400), "left")


def test_finite_numbers():
    assert finite_number(2, "a") == 2.0
    for value in (float("nan"), float("inf"), 10**400):
        with pytest.raises(errors.ArgumentError, match="a must be finite"):
            finite_number(value, "a")
    with pytest.raises(errors.ArgumentTypeError):
        finite_number("2", "a")


def test_arrays():
    array = finite_array([[1, 2]], "w", shape=(1, None))
    assert not array.flags.writeable
    with pytest.raises(errors.ShapeError) as caught:
        finite_array([1.0], "w", shape=(2, None))
    assert (caught.value.given, caught.value.expected) == ("w of shape (1,)", "shape (2, any)")
    with pytest.raises(errors.ArgumentError) as caught_nan:
        finite_array([1.0, float("nan")], "w")
    assert caught_nan.value.given == "1 of 2 entries are NaN or infinite"
    for wrong in ([[1.0], [1.0, 2.0]], "abc", [10**400], object()):
        with pytest.raises(errors.ArgumentTypeError):
            finite_array(wrong, "w")


def test_choices():
    assert one_of("b", "kind", ("a", "b")) == "b"
    with pytest.raises(errors.ArgumentError) as caught:
        one_of("c", "kind", ("a", "b"))
    assert (
        str(caught.value)
        == "kind is not known. given: kind='c'. expected: one of 'a', 'b'. fix: kind='a'"
    )


def test_memory_is_refused_one_number_above_the_budget():
    refuse_beyond_memory(MEMORY_BUDGET // 8, "it", fix="less")
    with pytest.raises(errors.TooLargeError, match=r"it would need 2\.0 GiB"):
        refuse_beyond_memory(MEMORY_BUDGET // 8 + 1, "it", fix="less")
