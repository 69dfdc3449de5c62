"""The table of a network: its rows are what the network says of itself, node by node."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import upsim
from upsim.answer.inspection import InspectedNode
from upsim.models import NAMES, build
from upsim.operators import LengthRule
from upsim.testing.strategies import stacks

GRAPH = upsim.Graph(
    [
        ("down", upsim.Conv(1, 4, 4, stride=2, padding=1), "wave"),
        ("up", upsim.TransposedConv(4, 4, 4, stride=2, padding=1), "down"),
        ("join", upsim.Concatenate(), ("up", "wave")),
        ("post", upsim.Conv(5, 1, 3, padding=1), "join"),
    ],
    inputs={"wave": 1},
    sample_rate=16000,
)


def test_a_graph_node_by_node():
    rows = upsim.inspect(GRAPH).nodes
    assert [(each.name, each.kind) for each in rows] == [
        ("wave", "input"), ("down", "Conv"), ("up", "TransposedConv"), ("join", "concatenate"),
        ("post", "Conv"),
    ]  # fmt: skip
    assert [each.reads for each in rows] == [(), ("wave",), ("down",), ("up", "wave"), ("join",)]
    assert [int(each.rate) for each in rows] == [16000, 8000, 16000, 16000, 16000]
    assert [each.channels for each in rows] == [1, 4, 4, 5, 1]
    # in * out * kernel weights and out biases.
    assert [each.parameters for each in rows] == [0, 4 * 4 + 4, 16 * 4 + 4, 0, 15 + 1]
    assert [each.lines for each in rows] == [None, None, 8000, None, None]
    assert [each.is_drawn for each in rows] == [True, False, False, True, False]


def test_an_opaque_node_is_called_what_it_is():
    stack = upsim.Stack([("lstm", upsim.Opaque("LSTM", 4)), upsim.Conv(4, 1, 3)], 16000)
    row = upsim.inspect(stack).nodes[1]
    assert (row.name, row.kind, row.channels, row.lines) == ("lstm", "LSTM", 4, None)


def test_lines_of_activations_need_the_signal():
    stack = upsim.Stack([upsim.Nearest(3), upsim.ReLU()], 24000)
    assert upsim.inspect(stack).nodes[2].lines is None
    made = upsim.inspect(stack, upsim.Sine(1000)).nodes[2]
    assert (made.lines, made.cause) == (1000, "activation")


@pytest.mark.parametrize("name", ["hifigan-v1", "demucs", "melgan", "bigvgan-24k"])
def test_parameters_are_those_of_the_cost(name):
    stack = build(name)
    assert upsim.inspect(stack).parameters == upsim.cost(stack).parameters


def test_every_model_can_be_inspected():
    for name in NAMES:
        assert len(upsim.inspect(build(name)).table().splitlines()) > 2


@given(
    st.lists(
        st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(-9, 9)), min_size=1, max_size=3
    ),
    st.integers(40, 90),
)
def test_the_formula_of_a_length_is_the_length(steps, length):
    rule = LengthRule(tuple(steps))
    try:
        expected = rule(length)
    except upsim.errors.ShapeError:
        return
    row = InspectedNode("a", "b", (), 1, 1, 0, True, None, "", rule)
    # "3 n" and "3 (n - 1)" are products.
    code = re.sub(r"(\d) (n|\(|floor)", r"\1 * \2", row.length_text)
    assert eval(code, {"n": length, "floor": np.floor}) == expected


@given(stacks(linear=False))
def test_any_stack_has_a_row_for_each_value(stack):
    found = upsim.inspect(stack)
    assert len(found.nodes) == len(stack.nodes) + 1
    assert [node["name"] for node in found.to_dict()["nodes"]] == [
        "input", *(node.name for node in stack.nodes),
    ]  # fmt: skip
    assert len(repr(found).splitlines()) <= 8
    assert found._repr_html_().count("<tr>") == len(found.nodes) + 1
