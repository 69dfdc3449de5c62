"""From layers to exact transfer functions.

A layer's own ``operator`` says where each weight goes; here it is called with *labels* for
weights, the numbers 1, 2, 3, ..., and the labels that come back are replaced by exact expressions.
An operator moves and never adds up weights, so what a layer does with its weights (flips,
dilations, groups, crops, shuffles) is written once, in the layer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from math import prod

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from upsim.errors import (
    NotPredictableError,
    TooLargeError,
)
from upsim.layers.base import Layer, LinearLayer, in_words
from upsim.layers.convolution import WeightedLayer
from upsim.layers.interpolation import Hold, Interpolator, LearnedInterpolation
from upsim.layers.merging import Merging
from upsim.layers.wavelet import HaarSynthesis
from upsim.network.graph import Graph
from upsim.network.node import Node
from upsim.network.walk import walk
from upsim.network.weights import Ones
from upsim.operators import Operator, StretchFIR
from upsim.operators.kernels import hold
from upsim.theory.symbolic.laurent import Expr, LaurentMatrix
from upsim.theory.symbolic.naming import Taps, TapsByNode, named
from upsim.theory.symbolic.transfer import BlockTransfer, StretchTransfer, Transfer, chain, merge

#: Entries of one layer's (out, in, taps) beyond which an expression helps nobody.
LARGEST_EXPRESSION = 2**13


def graph_transfer(graph: Graph, taps: TapsByNode) -> Transfer:
    """Return the folded transfer of a linear network of one input.

    Parameters
    ----------
    graph : Graph
    taps : mapping
        By the node's name: what replaces its weights.
    """

    def folded(node: Node, given: Sequence[Transfer]) -> Transfer:
        if isinstance(node.layer, Merging):
            return merge(list(given), node.layer.how)
        channels = graph.value_channels[node.inputs[0]]
        found = layer_transfer(node.layer, channels, taps.get(node.name))
        _refuse_long_fold(given[0], found)
        return chain(given[0], found)

    wire: Transfer = _wire(graph.in_channels)
    return walk(graph, [wire], folded)[graph.end]


def layer_transfer(layer: Layer, channels: int, taps: Taps | None = None) -> Transfer:
    """Return one layer's exact transfer; an offset (a bias) is no part of it."""
    if not isinstance(layer, LinearLayer):
        raise NotPredictableError(
            f"{in_words(layer)} is not linear and has no transfer function",
            given=f"{layer!r}",
            expected="linear layers",
            fix="upsim.symbolic of the layers before or behind it, one stack each; or "
            "upsim.predict(stack, upsim.Constant(1.0)), which goes through it exactly",
            where=type(layer).__name__,
        )
    return _linear(layer, channels, taps)


def _linear(layer: LinearLayer, channels: int, taps: Taps | None) -> Transfer:
    """Return a linear layer's transfer, from its exact kernel where it has one."""
    if isinstance(layer, WeightedLayer):
        return _weighted(layer, channels, taps)
    if isinstance(layer, LearnedInterpolation):
        return _learned(layer, channels, taps)
    if isinstance(layer, Interpolator):
        _refuse_long(channels**2 * layer.factor)
        kernel, begin = layer.kernel()
        return _each_channel(kernel, begin, channels, layer.factor)
    if isinstance(layer, Hold):
        _refuse_long(channels**2 * layer.factor * layer.order)
        return _each_channel(hold(layer.factor, layer.order), 0, channels, 1)
    half = 1 / sp.sqrt(2)
    is_haar = isinstance(layer, HaarSynthesis)
    # Haar's taps are plus and minus 1/sqrt(2), which a float cannot say.
    return from_operator(
        layer.operator(channels),
        (lambda tap: half if tap > 0 else -half) if is_haar else rational,
    )


def rational(number: float) -> Expr:
    """Return the rational number that a float is, to the last bit.

    Examples
    --------
    >>> rational(0.75), rational(0.1) == sp.Rational(1, 10)
    (3/4, False)
    """
    return sp.Rational(float(number))


def from_operator(operator: Operator, value: Callable[[float], Expr]) -> Transfer:
    """Return an operator's transfer, each nonzero tap replaced by ``value(tap)``."""
    out, inward = operator.out_channels, operator.in_channels
    if isinstance(operator, StretchFIR) and operator.down == 1:
        _refuse_long(out * inward * operator.reach)
        dense, shape = operator.dense_taps(), (out, inward)
        taps = {n - operator.crop[0]: _matrix(dense[:, :, n], value) for n in range(dense.shape[2])}
        return StretchTransfer(LaurentMatrix.of(taps, shape), operator.factor)
    matrix = operator.polyphase()
    _refuse_long(matrix.blocks.size)
    shape = (out * matrix.up, inward * matrix.down)
    delayed = {
        matrix.first + j: _matrix(block.reshape(shape), value)
        for j, block in enumerate(matrix.blocks)
    }
    return BlockTransfer(LaurentMatrix.of(delayed, shape), matrix.up, matrix.down).simplest()


def _matrix(numbers: NDArray[np.float64], value: Callable[[float], Expr]) -> Expr:
    entries = [[value(each) if each else sp.Integer(0) for each in row] for row in numbers]
    return sp.ImmutableMatrix(entries)


def _wire(channels: int) -> StretchTransfer:
    return StretchTransfer(LaurentMatrix.of({0: sp.eye(channels)}, (channels, channels)), 1)


def _each_channel(kernel: Iterable[object], begin: int, channels: int, factor: int) -> Transfer:
    """Return one kernel for every channel; its entries are Fractions or floats, both exact."""
    taps = [sp.Rational(tap) for tap in kernel]
    _refuse_long(channels**2 * len(taps))
    delayed = {n - begin: sp.eye(channels) * tap for n, tap in enumerate(taps)}
    return StretchTransfer(LaurentMatrix.of(delayed, (channels, channels)), factor)


def _weighted(layer: WeightedLayer, channels: int, taps: Taps | None) -> Transfer:
    shape = layer.weight_shape
    _refuse_long(prod(shape))
    values = _values(layer, shape, taps)
    labels = np.arange(1.0, prod(shape) + 1).reshape(shape)
    # Every weighted layer is a dataclass; their common base is not.
    labelled = replace(layer, weight=labels, bias=False)  # type: ignore[type-var]
    return from_operator(labelled.operator(channels), lambda label: values[int(label) - 1])


def _values(layer: WeightedLayer, shape: tuple[int, ...], taps: Taps | None) -> list[Expr]:
    if taps is not None:
        return named(taps, shape)
    if isinstance(layer.weight, Ones):
        return [sp.Integer(1)] * prod(shape)
    if not isinstance(layer.weight, np.ndarray):
        raise _undrawn(layer)
    return [rational(weight) for weight in layer.weight.reshape(-1)]


def _learned(layer: LearnedInterpolation, channels: int, taps: Taps | None) -> Transfer:
    layer.channels_out(channels)
    if taps is not None:
        shares = named(taps, (channels,))
    elif isinstance(layer.weight, np.ndarray):
        shares = [1 / (1 + sp.exp(-rational(weight))) for weight in layer.weight]
    else:
        raise _undrawn(layer)
    later = sp.diag(*shares)
    delayed = {-1: sp.eye(channels) - later, 0: sp.eye(channels), 1: later}
    return StretchTransfer(LaurentMatrix.of(delayed, (channels, channels)), 2)


def _undrawn(layer: WeightedLayer | LearnedInterpolation) -> NotPredictableError:
    return NotPredictableError(
        "the weights are not drawn yet, so there is no expression of them",
        given=f"{layer!r}",
        expected="numbers, symbols, or the initialisation 'ones'",
        fix='upsim.symbolic(layer, taps="h") for symbols, or upsim.symbolic(stack.draw(seed=0)) '
        "for the drawn numbers",
        where=type(layer).__name__,
    )


def _refuse_long(entries: int) -> None:
    if entries > LARGEST_EXPRESSION:
        raise TooLargeError(
            "the expressions would be too long to read",
            given=f"{entries} entries of (out, in, taps)",
            expected=f"at most {LARGEST_EXPRESSION}",
            fix="a layer with fewer channels shows the same law; upsim.predict takes any size",
        )


def _refuse_long_fold(first: Transfer, second: Transfer) -> None:
    """Refuse a fold by its length, before it is multiplied out."""
    out, inward = second.channels[0], first.channels[1]
    reach = first.span * second.up // second.down + second.span
    _refuse_long(out * inward * reach)
