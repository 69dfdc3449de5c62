"""Elementwise steps as layers: activations, scales, offsets, sums and gates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from upsim.errors import UpsimError
from upsim.importers.functions import SELU, evaluated, pointwise
from upsim.importers.normalisations import NormalisationRegion, normalisation_region
from upsim.importers.opaque_steps import opaque_node
from upsim.importers.recording import Step
from upsim.importers.regions import Producers, Region, channel_numbers
from upsim.importers.views import Shapes, View, time_axis
from upsim.importers.wiring import Wire
from upsim.layers import (
    ELU,
    GLU,
    Activation,
    Add,
    Bias,
    Clamp,
    Divide,
    Gate,
    Layer,
    Merging,
    Multiply,
    Opaque,
    Scale,
    Select,
    Sigmoid,
    Subtract,
    recognised,
)

if TYPE_CHECKING:
    from upsim.importers.lowering import _Lowering

Numbers = float | NDArray[np.float64]

_MERGINGS: dict[str, type[Merging]] = {
    "add": Add,
    "subtract": Subtract,
    "multiply": Multiply,
    "divide": Divide,
}

#: Letters of an opaque node's kind.
_LONGEST_KIND = 60

#: The catalogue has them as they are: a region of several steps ends at them.
_OF_ONE = frozenset(
    (
        "relu",
        "leaky_relu",
        "sigmoid",
        "tanh",
        "silu",
        "gelu",
        "elu",
        "softplus",
        "clip",
        "negative",
        "sin",
    )
)

#: With constants they are a scale or an offset.
_ARITHMETIC = frozenset(("add", "subtract", "multiply", "divide", "negative"))


def unary_layers(function: str, fields: Mapping[str, Any]) -> list[Layer] | None:
    """Return the layers of a function of one value; None if the catalogue has none."""
    if function == "celu":
        # max(0, x) + min(0, alpha (e^(x / alpha) - 1)) is alpha ELU(x / alpha).
        alpha = float(fields.get("alpha", 1.0))
        return [Scale(1 / alpha), ELU(), Scale(alpha)]
    if function == "selu":
        return [ELU(fields.get("alpha", SELU[0])), Scale(fields.get("gamma", SELU[1]))]
    if function == "hard_sigmoid":
        slope, level = fields.get("alpha", 0.2), fields.get("beta", 0.5)
        return [Scale(slope), Bias(level), Clamp(0.0, 1.0)]
    if function not in _OF_ONE:
        return None
    if all(isinstance(each, float | int | str) for each in fields.values()):
        # A model has one of them after each convolution.
        found = _known_of_one(function, tuple(fields.items()))
        return None if found is None else list(found)
    return _known(function, ["x0"], fields)


@lru_cache(maxsize=64)
def _known_of_one(function: str, fields: tuple[tuple[str, Any], ...]) -> list[Layer] | None:
    return _known(function, ["x0"], dict(fields))


def _known(function: str, operands: Sequence[Any], fields: Mapping[str, Any]) -> list[Layer] | None:
    found = recognised(pointwise(function, operands, fields))
    return None if found is None else [found]


def constant_layers(function: str, number: Numbers, *, first: bool) -> list[Layer] | None:
    """Return the layers of a function of a value and a constant; None if the catalogue has none.

    Parameters
    ----------
    function : str
    number : float or array (channels,)
    first : bool
        Whether the constant is the first of the two.
    """
    if function == "add":
        return [Bias(number)]
    if function == "multiply":
        return [Scale(number)]
    if function == "subtract":
        return [Scale(-1.0), Bias(number)] if first else [Bias(-np.asarray(number))]
    if function == "divide" and not first:
        return [Scale(1 / np.asarray(number))]
    if function in ("prelu", "maximum", "minimum"):
        return _known(function, [number, "x0"] if first else ["x0", number], {})
    return None


class Elementwise:
    """What each elementwise step becomes: a part of a region, a layer of its own, a merging."""

    def __init__(self, producers: Producers) -> None:
        self.producers = producers
        self._decided: dict[str, Region | NormalisationRegion | None] = {}

    def plan(self, step: Step) -> set[str]:
        """Return the values that a step needs; decide what an elementwise one becomes."""
        if step.kind != "elementwise":
            return set(step.values)
        found = self._region(step)
        self._decided[step.name] = found
        return set(step.values) if found is None else {found.leaf}

    def lower(self, work: _Lowering, step: Step) -> View:
        """Return the view of what an elementwise step makes."""
        found = self._decided.get(step.name)
        if isinstance(found, NormalisationRegion):
            view = work.views[found.leaf]
            wire = view.wire(work.wiring, name=step.name)
            return work.plain(work.wiring.node(step.name, found.layer, wire), step.makes[0])
        if found is not None:
            view = work.views[found.leaf]
            wire = view.wire(work.wiring, name=step.name)
            layer = self._layer(found, wire.channels, view.latest)
            return work.plain(work.wiring.node(step.name, layer, wire), step.makes[0])
        return self._alone(work, step)

    # ------------------------------------------------------------------ regions

    def _region(self, step: Step) -> Region | NormalisationRegion | None:
        """Return the region that a step ends, if it is more than the step alone says."""
        if _is_direct(step):
            # A scale behind x (1 + erf(x)) may be a part of the activation: only where it is one.
            longer = self._longer(Region(step.values[0], (step,)), arithmetic=True)
            known = longer is not None and self._same(longer) and self._is_known(longer)
            return longer if known else None
        if len(set(step.values)) > 1:
            found = self.producers.region(step)
            if found is None:
                return None
            if found.has_reduce:
                return self._normalisation(step)
            return found if self._same(found) else None
        region: Region | None = Region(step.values[0], (step,))
        while region is not None:
            longest, region = region, self._longer(region, arithmetic=False)
            if region is not None and not self._same(region):
                region = None
        return longest if self._same(longest) else None

    def _normalisation(self, step: Step) -> NormalisationRegion | None:
        """Return the normalisation that a step ends: of a value, or of it before its centring."""
        for beyond in (1, 0):
            region = self.producers.region(step, beyond=beyond)
            found = region and normalisation_region(region, self.producers)
            if found:
                return found
        return None

    def _longer(self, region: Region, *, arithmetic: bool) -> Region | None:
        """Return a region with what makes its leaf, unless that is a layer of its own.

        With ``arithmetic``, only what joins several ways from one value counts.
        """
        before = self.producers.step(region.leaf)
        if before is None or before.kind != "elementwise":
            return None
        if arithmetic and len(before.reads) == 1:
            return None
        if not arithmetic and _is_direct(before) and before.fields["function"] not in _ARITHMETIC:
            return None
        inner = self.producers.region(before)
        if inner is None or inner.has_reduce:
            return None
        return Region(inner.leaf, (*inner.steps, *region.steps))

    def _same(self, region: Region) -> bool:
        return self.producers.same_shapes(region)

    def _is_known(self, region: Region) -> bool:
        shapes = tuple(tuple(each[region.leaf]) for each in self.producers.shapes)
        # One length does not show the time; the last axis is the best that is known here.
        axis = time_axis(shapes) if len(shapes) > 1 else len(shapes[0]) - 1
        try:
            program = in_columns(region, shapes, axis).program()
        except UpsimError:
            return False
        return recognised(program, single=True) is not None

    def _layer(self, region: Region, made: int, leaf: View) -> Layer:
        """Return the layer of a region: one of the catalogue, a program, or what runs it."""
        columns = in_columns(region, leaf.shapes, leaf.axis)
        try:
            program = columns.program()
        except UpsimError as error:  # a constant that is not finite
            kind = "+".join(str(step.fields["function"]) for step in region.steps)[:_LONGEST_KIND]
            return Opaque(kind, made, run=columns.evaluate, reason=error.what)
        return recognised(program, single=True) or program

    # ------------------------------------------------------------------ one step

    def _alone(self, work: _Lowering, step: Step) -> View:
        """Return the view of a step that stands for itself."""
        made = step.makes[0]
        shapes = work.shapes(made)
        function = str(step.fields["function"])
        views: dict[str, View] = {}
        axis: int | None = None
        for value in step.values:
            views[value] = work.views[value].spread(shapes, f"{step.name}.spread")
            views[value].wire(work.wiring, axis, step.name)
            axis = views[value].latest.axis if axis is None else axis
        wires: list[Wire | Numbers] = []
        for read in step.reads:
            if isinstance(read, str):
                wires.append(views[read].latest.base)
            elif read is not None:
                wires.append(channel_numbers(read, shapes, axis))
        values = [wire for wire in wires if isinstance(wire, Wire)]
        layers: list[Layer] | None = None
        if len(wires) == 1:
            layers = unary_layers(function, step.fields)
        elif len(wires) == 2 and len(values) == 1:
            first = not isinstance(wires[0], Wire)
            number = next(each for each in wires if not isinstance(each, Wire))
            layers = constant_layers(function, number, first=first)
        elif len(wires) == 2 and function in _MERGINGS:
            gate = gated(work, step, values) if function == "multiply" else None
            if gate is not None:
                return work.plain(gate, made)
            return work.plain(work.wiring.node(step.name, _MERGINGS[function](), *values), made)
        if layers is not None:
            return work.plain(work.wiring.chain(step.name, layers, values[0]), made)
        names = iter(f"x{number}" for number in range(len(values)))
        operands = [next(names) if isinstance(each, Wire) else each for each in wires]
        try:
            layer = pointwise(function, operands, step.fields)
        except UpsimError as error:  # a constant that is not finite
            return opaque_node(work, step, error.what, run=partial(_applied, step))
        return work.plain(work.wiring.node(step.name, layer, *values), made)


def _applied(step: Step, *tensors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what a step makes of the values that it reads, its constants put in."""
    found = dict(zip(step.values, tensors, strict=True))
    arrays = [
        found[read] if isinstance(read, str) else np.asarray(read, dtype=np.float64)
        for read in step.reads
        if read is not None
    ]
    return evaluated(str(step.fields["function"]), arrays, step.fields)


def _is_direct(step: Step) -> bool:
    """Return whether the catalogue has the step as it is, a function of one value."""
    function, count = str(step.fields["function"]), len(step.reads)
    if len(step.values) != 1:
        return False
    if count == 1:
        return unary_layers(function, step.fields) is not None
    if count != 2:
        return False
    first = not isinstance(step.reads[0], str)
    return constant_layers(function, 2.0, first=first) is not None


def in_columns(region: Region, shapes: Shapes, axis: int | None) -> Region:
    """Return a region of samples (channels, time)."""

    def column(read: Any) -> Any:
        if isinstance(read, str) or read is None:
            return read
        number = channel_numbers(read, shapes, axis)
        return np.array(number) if isinstance(number, float) else number[:, None]

    steps = tuple(replace(step, reads=tuple(map(column, step.reads))) for step in region.steps)
    return Region(region.leaf, steps)


def gated(work: _Lowering, step: Step, wires: Sequence[Wire]) -> Wire | None:
    """Return the gate that a product is: of functions of the two halves of one value's channels."""
    found = {}
    for wire in wires:
        activation, source = None, work.wiring.maker(wire)
        if source is not None and isinstance(source[0], Activation):
            activation = source[0]
            source = work.wiring.maker(source[1][0])
        if source is None or not isinstance(source[0], Select):
            return None
        numbers, base = source[0].numbers, source[1][0]
        half = base.channels // 2
        if base.channels % 2 or numbers not in (
            tuple(range(half)),
            tuple(range(half, 2 * half)),
        ):
            return None
        found[numbers[0] > 0, base.name] = (activation, base)
    if len(found) != 2 or len({name for _, name in found}) != 1:
        return None
    ((_, name),) = {(None, each) for _, each in found}
    (carrier, base), (opening, _) = found[False, name], found[True, name]
    if carrier is None and isinstance(opening, Sigmoid):
        return work.wiring.node(step.name, GLU(), base)
    if carrier is None or opening is None:
        return None
    return work.wiring.node(step.name, Gate(carrier, opening), base)
