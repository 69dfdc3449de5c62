"""Which layer a program is: found in its form as a sum, and confirmed on samples.

The form (:mod:`~upsim.layers.algebra`) is the same for every order in which an expression may be
written, so Snake is found in ``x + sin(a x)^2 / b`` however an exporter spells it.  What is found
is compared with the program at points from 1e-3 to 50, to rounding, before it is believed.

Of several values three forms are known: ``f(x0) + g(x1) + ...``, ``f(x0) g(x1)`` and
``f(a x0 + b x1 + ...)``.  They are mergings and gates of functions of one value each.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from upsim.layers.activations import Sigmoid
from upsim.layers.algebra import (
    ALIKE,
    Monomial,
    Sum,
    UnreadableError,
    added,
    equal,
    factors_of,
    inverse,
    program_of,
    read,
    reads,
    renamed,
    scaled,
    sum_of,
    value,
)
from upsim.layers.base import Activation, Array, Layer, LinearLayer
from upsim.layers.channels import Scale
from upsim.layers.gated import GLU, Gate
from upsim.layers.lowering import Lowering
from upsim.layers.merging import Add, Average, Concatenate, Divide, Merging, Multiply, Subtract
from upsim.layers.patterns import is_number, layer_of, plain
from upsim.layers.samples import Bias
from upsim.words.tolerance import rounding

if TYPE_CHECKING:
    from upsim.layers.pointwise import Pointwise

#: The layers that one value goes through; none for a wire.
_Chain = tuple[Layer, ...]


def recognised(program: object, *, single: bool = False) -> Layer | None:
    """Return the layer of the catalogue that a program says, None where it says none.

    Parameters
    ----------
    program : Pointwise, or its list of steps
    single : bool
        Whether constants may have been rounded to single precision: the root of 2 in a GELU that a
        file holds.  Where all of the program's are numbers of single precision, a constant of the
        layer may differ by as many of its roundings as the program has constants.

    Returns
    -------
    Layer or None
        For a program of several values a :class:`~upsim.layers.merging.Merging`, or a gate of them.

    Examples
    --------
    >>> recognised([("multiply", "x", 2.0), ("sin", "s0"), ("square", "s1"), ("add", "x", "s2")])
    SnakeBeta(alpha=2.0)
    >>> recognised([("tanh", "x0"), ("sigmoid", "x1"), ("multiply", "s0", "s1")])
    Gate(carrier=Tanh(), opening=Sigmoid())
    """
    from upsim.layers.pointwise import Pointwise

    layer = program if isinstance(program, Pointwise) else Pointwise(program)  # type: ignore[arg-type]
    found = known_as(layer, layer.values)
    if found is None and single:
        constants = [
            each for _, *given in layer.steps for each in given if not isinstance(each, str)
        ]
        if all(np.array_equal(np.float32(each), each) for each in constants):
            alike = rounding(len(constants), 1.0, np.float32)
            found = known_as(layer, layer.values, alike)
    return found if isinstance(found, Layer) else None


def known_as(layer: Pointwise, values: int, alike: float = ALIKE) -> Layer | Lowering | None:
    """Return what a node that reads so many values is, for a program of these or of their groups.

    None where the program is not recognised; it is then the node.  Constants of a layer of one
    value may differ by ``alike``, relatively.
    """
    try:
        total = sum_of(layer.steps)
        found: Layer | Lowering | None = (
            layer_of(total, alike)
            if layer.values == 1
            else _sum(total, layer.values) or _product(total) or _combination(layer, total)
        )
        if found is None or not _agrees(found, layer, alike):
            return None
    except UnreadableError:
        return None
    if values == layer.values:
        return found
    # The values are groups of the channels of one: a gate's are, a merging's are not.
    if isinstance(found, Multiply):
        return Gate()
    return found if isinstance(found, Activation) else None


def _chain(total: Sum) -> _Chain:
    """Return the layer of a sum of one value: nothing, a known one, or a program."""
    from upsim.layers.pointwise import Pointwise

    if equal(total, value(0)):
        return ()
    return (layer_of(total) or Pointwise(program_of(total)),)


def _sum(total: Sum, values: int) -> Layer | Lowering | None:
    """Return ``f(x0) + g(x1) + ...``."""
    parts: list[Sum] = [{} for _ in range(values)]
    offset: Sum = {}
    for monomial, factor in total.items():
        own = reads({monomial: factor})
        if len(own) > 1:
            return None
        (parts[next(iter(own))] if own else offset)[monomial] = factor
    if not all(parts):
        return None
    own_value = [next(iter(value(index))) for index in range(values)]
    factors = [
        part[term] if set(part) == {term} else None
        for part, term in zip(parts, own_value, strict=True)
    ]
    if not offset and all(each is not None for each in factors):
        if all(is_number(each, 1.0) for each in factors):
            return Add()
        if all(is_number(each, 1 / values) for each in factors):
            return Average()
        if values == 2 and is_number(factors[0], 1.0) and is_number(factors[1], -1.0):
            return Subtract()
    before = tuple(_chain(renamed(part)) for part in parts)
    return Lowering(before, Add(), (Bias(plain(offset[()])),) if offset else ())


def _product(total: Sum) -> Layer | Lowering | None:
    """Return the gate that ``f(x0) g(x1)`` is."""
    if reads(total) != {0, 1}:
        return None
    ways = [(one, renamed(other)) for one, other in factors_of(total)]
    if not ways:
        return None
    # Where a number could belong to either, it belongs where both are known.
    carrier, opening = next((way for way in ways if all(map(_is_known, way))), ways[0])
    if equal(opening, inverse(value(0))):
        return Divide() if equal(carrier, value(0)) else None
    gate: list[Activation | None] = []
    before: list[_Chain] = []
    for chain in (_chain(carrier), _chain(opening)):
        part = chain[0] if chain else None
        held = isinstance(part, Activation) and part.channels_in is None
        gate.append(part if held else None)  # type: ignore[arg-type]
        before.append(() if held else chain)
    made = GLU() if gate[0] is None and gate[1] == Sigmoid() else Gate(*gate)
    if any(before):
        return Lowering(tuple(before), Concatenate(), (made,))
    return Multiply() if made == Gate() else made


def _is_known(total: Sum) -> bool:
    return equal(total, value(0)) or layer_of(total) is not None


def _combination(layer: Pointwise, total: Sum) -> Lowering | None:
    """Return ``f(a x0 + b x1 + ...)``, a, b, ... as the first function in it has them.

    With ``y`` for the combination, ``x1 = (y - a x0) / b`` leaves y alone in the program.
    """
    wanted: set[Monomial] = {next(iter(value(index))) for index in range(layer.values)}
    inner = next(
        (
            each
            for monomial in total
            for atom, _ in monomial
            for each in map(read, atom[1:] if atom[0] != "x" else ())
            if wanted <= set(each) <= wanted | {()}
        ),
        None,
    )
    if inner is None:
        return None
    factors = [inner[next(iter(value(index)))] for index in range(layer.values)]
    given = [value(index) for index in range(1, layer.values)]
    rest = value(0)
    for factor, each in zip(factors, given, strict=False):
        rest = added(rest, scaled(each, -factor))
    given.append(scaled(rest, 1 / factors[-1]))
    alone = sum_of(layer.steps, given)
    if reads(alone) != {0}:
        return None
    before = tuple(() if np.all(each == 1) else (Scale(plain(each)),) for each in factors)
    return Lowering(before, Add(), _chain(alone))


def _agrees(found: Layer | Lowering, layer: Pointwise, alike: float) -> bool:
    """Return whether what was found does what the program does, to rounding, on many samples.

    The form has decided; this guards against a rule that is wrong.
    """
    channels = 1 if layer.channels_in is None else layer.channels_in // layer.values
    grid = np.concatenate([np.linspace(-6, 6, 49), [0.0, 1e-3, -1e-3, 50.0, -50.0]])
    turned = [np.roll(grid, 7 * index * index + index) for index in range(layer.values)]
    values = [np.broadcast_to(each, (channels, each.size)) for each in turned]
    steps = layer.every_step(values)
    size = np.max(np.abs([*values, *(np.nan_to_num(each) for each in steps)]), axis=0)
    with np.errstate(all="ignore"):
        made = _made(found, values)
        apart = np.abs(made - steps[-1])
    there = np.isfinite(steps[-1]) & np.isfinite(made)
    allowed = (rounding(16 * len(steps) + 32, 1.0) + len(steps) * (alike - ALIKE)) * (1 + size)
    return bool(there.any() and np.all(np.where(there, apart <= allowed, True)))


def _made(found: Layer | Lowering, values: Sequence[Array]) -> Array:
    """Return what a layer or a lowering makes of values."""
    if isinstance(found, Lowering):
        ready = []
        for chain, each in zip(found.before, values, strict=True):
            ready.append(reduce(lambda now, inner: _made(inner, [now]), chain, each))
        merged = _made(found.merging, ready)
        return reduce(lambda now, inner: _made(inner, [now]), found.after, merged)
    if isinstance(found, Add | Average):
        total = np.sum(values, axis=0)
        return np.asarray(total / len(values) if isinstance(found, Average) else total)
    if isinstance(found, Concatenate):
        return np.concatenate(values, axis=0)
    if isinstance(found, Merging):
        one, other = values
        by_hand = {"difference": np.subtract, "product": np.multiply, "quotient": np.divide}
        return np.asarray(by_hand[found.how](one, other))
    samples = np.concatenate(values, axis=0)
    if isinstance(found, LinearLayer):
        operator = found.operator(len(samples))
        return np.asarray(operator.apply(samples) + operator.offset_samples(samples.shape[1]))
    assert isinstance(found, Activation)
    return found.function(samples)
