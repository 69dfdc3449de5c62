"""What stands for weights in an expression: symbols with the weight's indices, or what is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import TypeAlias

import numpy as np
import sympy as sp

from upsim.errors import ArgumentError, ArgumentTypeError, ShapeError
from upsim.layers.convolution import WeightedLayer
from upsim.layers.interpolation import LearnedInterpolation
from upsim.network.graph import Graph
from upsim.theory.symbolic.laurent import Expr

#: What stands for the weights of one layer: a name for symbols, or expressions.
Taps: TypeAlias = str | Sequence[Expr]

#: What stands for the weights of each node, by its name.
TapsByNode: TypeAlias = Mapping[str, Taps]


def named(taps: Taps, shape: tuple[int, ...]) -> list[Expr]:
    """Return one expression a weight; a name gets the weight's indices, axes of one left out."""
    if not isinstance(taps, str):
        values = list(np.asarray(taps, dtype=object).reshape(-1))
        if len(values) != prod(shape):
            raise ShapeError(
                "taps do not match the layer's weight",
                given=f"{len(values)} taps",
                expected=f"{prod(shape)}, in the order of a weight of shape {shape}",
                fix='taps="h"',
            )
        return [_exact(value) for value in values]
    kept = [axis for axis, size in enumerate(shape) if size > 1] or [len(shape) - 1]
    symbols = []
    for index in np.ndindex(shape):
        where = ",".join(str(index[axis]) for axis in kept)
        name = f"{taps}_{where}" if len(kept) == 1 and "^" not in taps else f"{taps}_{{{where}}}"
        symbols.append(sp.Symbol(name, real=True))
    return symbols


def _exact(value: object) -> Expr:
    """Return an expression without a rounded number in it."""
    if isinstance(value, str):
        raise ArgumentTypeError(
            "a list of taps holds SymPy expressions or numbers",
            given=f"the string {value!r:.40}",
            fix='taps="h" for symbols h_k, or taps=list(sympy.symbols("a b c", real=True))',
        )
    return sp.sympify(value).replace(lambda part: part.is_Float, sp.Rational)


def taps_by_node(graph: Graph, taps: object) -> TapsByNode:
    """Return what replaces the weights of each node, by its name.

    A single name or list is for the one layer with weights; a name is also for several of them,
    and then says whose: ``h^{(2)}_{0}``.
    """
    if taps is None:
        return {}
    weighted = [
        node.name
        for node in graph.nodes
        if isinstance(node.layer, WeightedLayer | LearnedInterpolation)
    ]
    if not weighted:
        raise ArgumentError(
            "taps stand for weights, and no layer here has any",
            given=f"taps={taps!r}",
            expected="a Conv, TransposedConv, SubpixelConv or LearnedInterpolation",
            fix="leave taps out",
        )
    if isinstance(taps, Mapping):
        return _from_mapping(taps, weighted)
    if isinstance(taps, str):
        if not taps.isidentifier():
            raise ArgumentError("taps is not a name", given=f"taps={taps!r}", fix='taps="h"')
        if len(weighted) == 1:
            return {weighted[0]: taps}
        return {name: f"{taps}^{{({name})}}" for name in weighted}
    if not isinstance(taps, Sequence | np.ndarray | sp.MatrixBase | sp.NDimArray):
        raise ArgumentTypeError(
            "taps must be a name, expressions, or a dict of them by layer number",
            given=f"taps of type {type(taps).__name__}",
            fix='taps="h"',
        )
    if len(weighted) != 1:
        first, second, *_ = weighted
        raise ArgumentError(
            "taps for several layers must say which is whose",
            given=f"one list of taps, layers {', '.join(weighted)} with weights",
            expected="a dict by layer number",
            fix=f"taps={{{_key(first)}: [...], {_key(second)}: 'h'}}",
        )
    return {weighted[0]: list(np.asarray(taps, dtype=object).reshape(-1))}


def _from_mapping(taps: Mapping[object, Taps], weighted: list[str]) -> TapsByNode:
    for key in taps:
        if str(key) not in weighted:
            raise ArgumentError(
                "taps name a layer without weights",
                given=f"layer {key}",
                expected=f"one of {', '.join(weighted)}",
                fix=f"taps={{{_key(weighted[0])}: 'h'}}",
            )
    return {str(key): value for key, value in taps.items()}


def _key(name: str) -> str:
    return name if name.isdigit() else repr(name)
