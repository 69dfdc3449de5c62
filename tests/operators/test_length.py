"""The length law: chains join exactly, and what is too short is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upsim.errors import ShapeError
from upsim.operators import LengthRule

steps = st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(-6, 6))
rules = st.lists(steps, max_size=3).map(lambda found: LengthRule(tuple(found)))


def by_hand(found, length):
    """Floor by floor; None as soon as nothing is left."""
    for up, down, extra in found:
        length = (length * up + extra) // down
        if length <= 0:
            return None
    return length


@given(rules, st.integers(1, 60))
def test_a_rule_is_its_steps_one_after_another(rule, length):
    expected = by_hand(rule.steps, length)
    if expected is None:
        with pytest.raises(ShapeError):
            rule(length)
    else:
        assert rule(length) == expected


@given(rules, rules, st.integers(1, 60))
def test_joined_rules_give_what_the_two_give(first, second, length):
    expected = by_hand(first.steps + second.steps, length)
    if expected is not None:
        assert first.then(second)(length) == expected


@given(rules, rules)
def test_rates_multiply(first, second):
    assert first.then(second).rate == first.rate * second.rate


@given(rules, st.integers(1, 60))
def test_the_inverse_is_the_shortest_input_that_gives_as_much(rule, length):
    made = by_hand(rule.steps, length)
    if made is None:
        return
    back = by_hand(rule.inverse().steps, made)
    if back is None:  # even no input at all would do
        return
    assert back <= length
    again = by_hand(rule.steps, back)
    assert again is None or again >= made
    if back > 1:
        shorter = by_hand(rule.steps, back - 1)
        assert shorter is None or shorter < made


def test_upsamplers_join_to_one_step_and_keeping_the_length_is_none():
    double = LengthRule(((2, 1, 0),))
    assert double.then(LengthRule(((3, 1, -1),))).steps == ((6, 1, -1),)
    assert LengthRule(((1, 1, 2),)).then(LengthRule(((1, 1, -2),))).steps == ()


def test_a_floor_that_matters_is_kept():
    halved = LengthRule(((1, 2, 0),)).then(LengthRule(((2, 1, 0),)))
    assert halved.steps == ((1, 2, 0), (2, 1, 0))
    assert [halved(n) for n in (2, 3, 4)] == [2, 2, 4]


def test_rules_agree_by_what_they_give():
    assert LengthRule(((2, 2, 0),)).agrees_with(LengthRule())
    assert not LengthRule(((2, 2, 1),)).agrees_with(LengthRule(((1, 1, 1),)))


def test_an_input_that_leaves_nothing_is_refused():
    with pytest.raises(ShapeError) as refusal:
        LengthRule(((1, 1, -3),))(3)
    assert str(refusal.value) == (
        "the input is shorter than the layer's kernel. given: an input that leaves 0 samples. "
        "expected: at least one output sample. fix: use a longer input, or a smaller kernel or crop"
    )
