"""Layers in branches: each draws from a stream of its own, and the nesting has an end."""

import numpy as np
import pytest

import upsim
from upsim.errors import ArgumentError


def conv(kernel_size=3):
    return upsim.Conv(2, 2, kernel_size, padding=kernel_size // 2)


def weights(layers):
    return [layer.weight_array().tolist() for layer in layers if isinstance(layer, upsim.Conv)]


def drawn(layer):
    return layer.draw(np.random.default_rng(7))


def test_a_change_of_one_layer_leaves_the_next_as_it_was():
    one = drawn(upsim.Residual(conv(3), conv(3), skip=conv(1)))
    other = drawn(upsim.Residual(conv(5), conv(3), skip=conv(1)))
    assert weights(one.layers[1:]) == weights(other.layers[1:])
    assert weights(one.skip) == weights(other.skip)
    assert weights(one.layers[:1]) != weights(other.layers[:1])


def test_a_longer_branch_leaves_the_other_as_it_was():
    one = drawn(upsim.Parallel((conv(),), (conv(), upsim.ReLU(), conv())))
    other = drawn(upsim.Parallel((conv(), conv()), (conv(), upsim.ReLU(), conv())))
    assert weights(one.branches[1]) == weights(other.branches[1])
    assert weights(one.branches[0]) == weights(other.branches[0])[:1]


def test_no_two_layers_draw_the_same():
    layer = drawn(upsim.Parallel((conv(), conv()), (conv(), conv())))
    found = weights(layer.branches[0]) + weights(layer.branches[1])
    assert len({str(each) for each in found}) == 4


def nested(depth, kind):
    layer = kind(upsim.ReLU())
    for _ in range(depth - 1):
        layer = kind(layer)
    return layer


@pytest.mark.parametrize("kind", [upsim.Residual, upsim.Parallel])
def test_nesting_has_an_end(kind):
    stack = upsim.Stack([nested(99, kind)], 16000)
    assert stack.draw(0).output_length(10) == 10
    with pytest.raises(ArgumentError, match="branches are nested too deeply"):
        nested(400, kind)
