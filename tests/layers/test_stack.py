"""A stack's parts, seeds and lengths."""

import pickle

import numpy as np
import pytest

import upsim
from upsim.errors import ArgumentError, TooLargeError, UnknownNameError

STACK = upsim.Stack([upsim.TransposedConv(1, 1, 4, 2, 1), upsim.Nearest(3)], 48000)


def test_a_date_is_a_seed():
    again = STACK.draw(20240101)
    assert STACK.draw(20240101) == again
    assert STACK.draw(2**200) != again
    with pytest.raises(ArgumentError, match="seed must be a whole number >= 0"):
        STACK.draw(-1)


def test_an_hour_is_a_length():
    assert STACK.output_length(48000 * 3600) == 6 * 48000 * 3600
    with pytest.raises(TooLargeError, match="length is too large"):
        STACK.output_length(2**48 + 1)


def test_upto_counts_layers():
    assert STACK.upto(1).layers == STACK.layers[:1]
    assert STACK.upto(1).sample_rate == 16000
    assert STACK.upto(np.int64(2)) == STACK


@pytest.mark.parametrize(
    ("count", "error", "words"),
    [
        (-1, ArgumentError, "count must be a positive whole number"),
        (0, ArgumentError, "count must be a positive whole number"),
        ("up", UnknownNameError, "there is no such node. given: 'up'. expected: 1, 2"),
        (1.5, ArgumentError, "count must be a positive whole number"),
        (5, ArgumentError, r"the stack has fewer layers. given: count=5, 2 layers.*fix: count=2"),
    ],
)
def test_upto_refuses_what_is_no_count_of_layers(count, error, words):
    with pytest.raises(error, match=words):
        STACK.upto(count)


def test_operators_are_made_once():
    drawn = STACK.draw(0)
    assert drawn.operators is drawn.operators
    assert [operator.factor for operator in drawn.operators] == [2, 3]
    assert drawn.value_channels == (1, 1, 1)


def test_what_was_worked_out_is_no_part_of_a_stack():
    fresh, used = STACK.draw(0), STACK.draw(0)
    upsim.predict(used, upsim.Constant(1.0))
    assert "operators" in vars(used)
    assert used == fresh
    assert repr(used) == repr(fresh)
    received = pickle.loads(pickle.dumps(used))
    assert received == fresh
    assert set(vars(received)) == set(upsim.Graph._fields)
    operator = used.operators[0]
    gain = operator.largest_gain()
    sent = pickle.loads(pickle.dumps(operator))
    assert "_largest_gain" in vars(operator)
    assert "_largest_gain" not in vars(sent)
    assert sent.largest_gain() == gain


def test_an_operator_that_cannot_be_made_is_named_by_its_place():
    with pytest.raises(upsim.errors.NotPredictableError, match="layer 1 of 2"):
        _ = STACK.operators
