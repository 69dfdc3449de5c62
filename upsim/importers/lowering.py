"""From a recording to a graph: the one place where steps become layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import prod
from typing import Any, NamedTuple

import numpy as np

from upsim.errors import NotPredictableError, ShapeError, UpsimError
from upsim.importers.convolutions import convolution_layers
from upsim.importers.elementwise import Elementwise
from upsim.importers.movements import moved
from upsim.importers.normalisations import channel_axes, normalisation_node, reduced_value
from upsim.importers.opaque_steps import opaque_node
from upsim.importers.recording import Recording, Shape, Step
from upsim.importers.regions import Producers
from upsim.importers.resizing import resize_layers
from upsim.importers.time_mixing import softmax, without_time_mixing
from upsim.importers.views import Held, Shapes, View, joined_views, time_axis
from upsim.importers.wiring import Wire, Wiring
from upsim.layers import Conv, Softmax
from upsim.network.graph import Graph
from upsim.network.signals import Constant, Signal, WhiteNoise


def lowered(
    recording: Recording, sample_rate: object, *, name: str = "", notes: Sequence[str] = ()
) -> Graph:
    """Return the graph that computes what a recording says.

    Parameters
    ----------
    recording : Recording
    sample_rate : number
        Of the output, in Hz.
    name : str, optional
    notes : sequence of str, optional
        What a reader of the graph's answers should know.

    Examples
    --------
    >>> from upsim.importers.recording import Recording, Step
    >>> shapes = [{"x": (1, 2, n), "y": (1, 2, n), "z": (1, 1, 2 * n)} for n in (8, 12)]
    >>> steps = [
    ...     Step("act", "elementwise", ("x",), ("y",), {"function": "relu"}),
    ...     Step("flat", "movement", ("y",), ("z",), {"function": "reshape"}),
    ... ]
    >>> lowered(Recording(steps, ("x",), "y", shapes), 16000)
    Graph([('act', ReLU(), 'x')], inputs={'x': 2}, sample_rate=16000)
    """
    return lowered_values(recording, sample_rate, name=name, notes=notes).graph


class Lowered(NamedTuple):
    """A graph, and where the values of the recording lie in it.

    Parameters
    ----------
    graph : Graph
    recording : Recording
    views : mapping of str to View
        Of each value that the graph has, or has moved.
    """

    graph: Graph
    recording: Recording
    views: Mapping[str, View]

    @property
    def inputs(self) -> list[str]:
        """The values that the graph is fed: inputs, and noise of the model's own."""
        noise = [step.makes[0] for step in self.recording.steps if step.kind == "noise"]
        return [*self.recording.inputs, *noise]


def lowered_values(
    recording: Recording, sample_rate: object, *, name: str = "", notes: Sequence[str] = ()
) -> Lowered:
    """Return the graph that computes what a recording says, and where its values are."""
    work = _Lowering(recording)
    try:
        output = work.run()
    except (NotPredictableError, ShapeError):
        # Samples beside the signal that are no padding of a name: an opaque step holds them.
        work = _Lowering(recording, with_ends=False)
        output = work.run()
    graph = work.wiring.graph(output, sample_rate, name, notes)
    return Lowered(graph, recording, work.views)


class _Lowering:
    """The values of a recording, as far as they are known."""

    def __init__(self, recording: Recording, *, with_ends: bool = True) -> None:
        self.recording, self.with_ends = recording, with_ends
        self.wiring = Wiring()
        self.views: dict[str, View] = {}
        self.held: dict[str, Held] = {}
        self.producers = Producers(recording.steps, recording.shapes)
        self.elementwise = Elementwise(self.producers)
        for value in recording.inputs:
            self.views[value] = self._input(value)

    def shapes(self, value: str) -> Shapes:
        """Return the shapes of a value at all recorded lengths."""
        return tuple(tuple(shapes[value]) for shapes in self.recording.shapes)

    def _input(self, value: str) -> View:
        shapes = self.shapes(value)
        axis = time_axis(shapes) if len(shapes) > 1 else len(shapes[0]) - 1
        lengths = tuple(1 if axis is None else shape[axis] for shape in shapes)
        channels = prod(shapes[0]) // lengths[0]
        return View(self.wiring.input(value, channels, lengths), shapes, axis)

    def run(self) -> Wire:
        """Lower what the output needs; return its value."""
        for step in self._needed():
            try:
                self._lower(step)
            except UpsimError as error:
                raise error if step.name in error.where else error.at(step.name) from None
        output = self.views[self.recording.output]
        return output.wire(self.wiring, name=self.recording.output)

    def _needed(self) -> list[Step]:
        """Return the steps that the output needs, in order, regions as their last step."""
        needed = {self.recording.output}
        kept = []
        for step in reversed(self.recording.steps):
            if needed.isdisjoint(step.makes):
                continue
            values = self.elementwise.plan(step)
            kept.append((step, values))
            needed.update(values)
        return without_time_mixing(self.recording, kept[::-1], with_ends=self.with_ends)

    def _lower(self, step: Step) -> None:
        made = _LOWERINGS[step.kind](self, step)
        for value, view in zip(step.makes, made, strict=False):
            self.views[value] = view

    def hold(self, step: Step, reads: Sequence[Any], shapes: Sequence[Shapes]) -> None:
        """Note what a movement of constants alone makes, at each recorded length."""
        fill = float(step.fields.get("value", 0.0))
        made = [
            moved(step, [read[number] for read in reads], shapes[0][number], number, fill)
            for number in range(len(self.recording.shapes))
        ]
        for number, value in enumerate(step.makes):
            self.held[value] = tuple(each[number] for each in made)

    # ------------------------------------------------------------------ what steps read

    def view(self, read: Any) -> View:
        """Return the view of a value."""
        return self.views[read]

    def plain(self, wire: Wire, value: str) -> View:
        """Return the view of a value that a node makes, channels and time as its shapes say."""
        shapes = self.shapes(value)
        axis = time_axis(shapes) if len(shapes) > 1 else self._only_axis(shapes[0], wire)
        return View(wire, shapes, axis)

    def _only_axis(self, shape: Shape, wire: Wire) -> int | None:
        found = [axis for axis, size in enumerate(shape) if size == wire.lengths[0]]
        return found[-1] if found else None


# ---------------------------------------------------------------------- one rule for each kind

_Rule = Callable[[_Lowering, Step], Sequence[View]]


def _convolution(work: _Lowering, step: Step) -> list[View]:
    view = work.view(step.reads[0])
    weight, *rest = step.reads[1:]
    if isinstance(weight, str) or any(isinstance(each, str) for each in rest):
        return [opaque_node(work, step, "its kernel is computed from the input")]
    rank = len(view.shapes[0])
    axis = int(step.fields.get("axis", -1)) % rank
    growing = time_axis(view.shapes) if len(view.shapes) > 1 else axis
    if growing not in (axis, None):
        return [opaque_node(work, step, "it convolves along another axis than time")]
    batch = view.shapes[0][0]
    wire = view.wire(work.wiring, axis, step.name)
    bias = rest[0] if rest else None
    layers, main = convolution_layers(step.fields, weight, bias, batch)  # type: ignore[arg-type]
    return [work.plain(work.wiring.chain(step.name, layers, wire, main=main), step.makes[0])]


def _matmul(work: _Lowering, step: Step) -> list[View]:
    view = work.view(step.reads[0])
    matrix, *rest = step.reads[1:]
    if isinstance(matrix, str) or any(isinstance(each, str) for each in rest):
        return [opaque_node(work, step, "it multiplies two values of the model")]
    last = len(view.shapes[0]) - 1
    wire = view.wire(work.wiring, name=step.name)
    if view.latest.axis == last:
        return [opaque_node(work, step, "it mixes all samples of time")]
    weight = np.asarray(matrix)
    groups = wire.channels // weight.shape[1]
    bias = np.tile(np.reshape(rest[0], -1), groups) if rest and rest[0] is not None else False
    layer = Conv(
        wire.channels,
        groups * weight.shape[0],
        1,
        groups=groups,
        bias=bias,
        weight=np.tile(weight[:, :, None], (groups, 1, 1)),
    )
    return [work.plain(work.wiring.node(step.name, layer, wire), step.makes[0])]


def _movement(work: _Lowering, step: Step) -> list[View]:
    count = len(work.recording.shapes)
    reads = [
        work.held.get(read) or work.view(read)
        if isinstance(read, str)
        else (np.asarray(read),) * count
        for read in step.reads
        if read is not None
    ]
    shapes = [work.shapes(value) for value in step.makes]
    if not any(isinstance(read, View) for read in reads):
        work.hold(step, reads, shapes)
        return []
    return joined_views(step, reads, shapes, work.wiring)


def _elementwise(work: _Lowering, step: Step) -> list[View]:
    return [work.elementwise.lower(work, step)]


def _resize(work: _Lowering, step: Step) -> list[View]:
    view = work.view(step.reads[0])
    axis = int(step.fields.get("axis", -1)) % len(view.shapes[0])
    if len(view.shapes) > 1 and time_axis(view.shapes) != axis:
        return [opaque_node(work, step, "it resizes another axis than time")]
    wire = view.wire(work.wiring, axis, step.name)
    layers, main = resize_layers(step.fields, wire.channels)
    return [work.plain(work.wiring.chain(step.name, layers, wire, main=main), step.makes[0])]


def _normalisation(work: _Lowering, step: Step) -> list[View]:
    return [normalisation_node(work, step)]


def _reduce(work: _Lowering, step: Step) -> list[View]:
    return [reduced_value(work, step)]


def _softmax(work: _Lowering, step: Step) -> list[View]:
    view = work.view(step.reads[0])
    axis = int(step.fields["axis"]) % len(view.shapes[0])
    if {axis} == channel_axes(view.shapes):
        wire = view.wire(work.wiring, name=step.name)
        return [work.plain(work.wiring.node(step.name, Softmax(), wire), step.makes[0])]
    run = partial(softmax, axis=axis)
    return [opaque_node(work, step, "each output depends on all of an axis", run=run)]


def _noise(work: _Lowering, step: Step) -> list[View]:
    (made,) = step.makes
    shapes = work.shapes(made)
    axis = time_axis(shapes) if len(shapes) > 1 else len(shapes[0]) - 1
    if axis is None:
        return [opaque_node(work, step, "it draws one number for all of time")]
    lengths = tuple(shape[axis] for shape in shapes)
    wire = work.wiring.input(step.name, prod(shapes[0]) // lengths[0], lengths, _drawn(step))
    return [View(wire, shapes, axis)]


def _drawn(step: Step) -> Signal:
    r"""Return the noise that a step draws.

    A uniform number from a to b has the mean :math:`(a + b) / 2` and the variance
    :math:`(b - a)^2 / 12`; noise of that power stands for it.
    """
    fields = step.fields
    if fields["distribution"] == "uniform":
        low, high = float(fields.get("low", 0.0)), float(fields.get("high", 1.0))
        mean, power = (low + high) / 2, (high - low) ** 2 / 12
    else:
        mean, power = float(fields.get("mean", 0.0)), float(fields.get("deviation", 1.0)) ** 2
    noise = WhiteNoise(power)
    return Constant(mean) + noise if mean else noise


def _opaque(work: _Lowering, step: Step) -> list[View]:
    return [opaque_node(work, step, str(step.fields["reason"]))]


_LOWERINGS: dict[str, _Rule] = {
    "convolution": _convolution,
    "matmul": _matmul,
    "elementwise": _elementwise,
    "movement": _movement,
    "resize": _resize,
    "normalisation": _normalisation,
    "reduce": _reduce,
    "softmax": _softmax,
    "noise": _noise,
    "opaque": _opaque,
}
