"""Where the numbers of a recorded value lie in a value of the graph: axes and movements.

A model's tensors have time on any axis, and channels on the others; a value of the graph has
channels and time.  A view knows which number of a tensor is which sample of the graph's value, so
movements cost nothing until somebody needs what they made as a value of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from upsim.errors import NotPredictableError
from upsim.importers.movement_maps import Places, movement_layers
from upsim.importers.movements import moved
from upsim.importers.recording import Shape, Step
from upsim.importers.wiring import Wire, Wiring
from upsim.layers import Concatenate
from upsim.layers.base import Layer
from upsim.layers.channels import Select
from upsim.words.arguments import refuse_beyond_memory

Shapes = tuple[Shape, ...]
Constants = NDArray[np.float64]

_ZERO = np.zeros(1)


def time_axis(shapes: Sequence[Shape]) -> int | None:
    """Return the axis that grows with the length of the input; None where none does.

    Examples
    --------
    >>> time_axis([(1, 8, 16), (1, 8, 24)])
    2
    """
    if len({len(shape) for shape in shapes}) != 1:
        raise NotPredictableError(
            "a value has another number of axes at another length",
            given=" and ".join(map(str, shapes)),
        )
    growing = [axis for axis in range(len(shapes[0])) if len({shape[axis] for shape in shapes}) > 1]
    if len(growing) > 1:
        raise NotPredictableError(
            "two axes of a value grow with the length, so neither is time alone",
            given=" and ".join(map(str, shapes)),
            expected="one axis of time, as every step but attention has it",
            fix="the part of the model behind it",
        )
    return growing[0] if growing else None


#: A constant that is as long as the input asks: one array for each recorded length.
Held = tuple[NDArray[Any], ...]

#: Movements that are read off together.
_DEEPEST = 50


class Origin(NamedTuple):
    """A movement: its step, what it read, all shapes it makes, and which of them is meant."""

    step: Step
    reads: Sequence[View | Held]
    shapes: Sequence[Shapes]
    number: int

    @property
    def views(self) -> list[View]:
        """The values among what it read."""
        return [read for read in self.reads if isinstance(read, View)]


class View:
    """A recorded value, seen as numbers of one value of the graph.

    Parameters
    ----------
    base : Wire
    shapes : tuple of shapes
        Of the tensor, at each recorded length.
    axis : int or None
        The tensor's axis of time, where its other axes in order are the channels; None for a value
        without time.
    places : callable, optional
        Makes the sample number of each number of the tensor (-1 - k: constant k), for each
        recorded length, where the layout is another.
    constants : array, optional
    name : str
        The step that moved the numbers last.
    may_be_fixed : bool
        Whether constants may stand among the numbers.
    origin : Origin, optional
        The movement and what it read.
    """

    def __init__(
        self,
        base: Wire,
        shapes: Shapes,
        axis: int | None,
        *,
        places: Callable[[], tuple[Places, ...]] | None = None,
        constants: Constants = _ZERO,
        name: str = "",
        may_be_fixed: bool = False,
        origin: Origin | None = None,
    ) -> None:
        self.base, self.shapes, self.axis = base, shapes, axis
        self.constants, self.name = constants, name
        self.may_be_fixed = may_be_fixed
        self._make, self._origin = places, origin
        self._settled: View | None = None
        self._places: tuple[Places, ...] | None = None
        self.depth: int = 0 if origin is None else 1 + max(each.depth for each in origin.views)
        if self.depth >= _DEEPEST:
            # No chain of movements is followed through more calls than that.
            self._origin, self.depth = None, 0
            _ = self.places

    @property
    def is_plain(self) -> bool:
        """Whether nothing has moved: channels and time as the graph has them."""
        return self._make is None

    @property
    def places(self) -> tuple[Places, ...]:
        """The sample number of each number of the tensor."""
        if self._make is None:
            return tuple(
                _plain_places(shape, self.axis, length)
                for shape, length in zip(self.shapes, self.base.lengths, strict=True)
            )
        if self._places is None:
            self._places = self._make()
        return self._places

    def _forget(self) -> None:
        """Give the memory of the places back, also of those on the way here."""
        view: View | None = self
        while view is not None:
            view._places = None
            views = [] if view._origin is None else view._origin.views
            view = views[0] if len(views) == 1 else None

    def moved(self, step: Step, shapes: Sequence[Shapes]) -> list[View]:
        """Return the views of what a movement of this value alone makes."""
        return _moved(step, [self.latest], shapes)

    def spread(self, shapes: Shapes, name: str) -> View:
        """Return the value broadcast to other shapes, as NumPy broadcasts."""
        if shapes == self.shapes:
            return self
        step = Step(name, "movement", ("x",), ("y",), {"function": "expand"})
        return self.moved(step, [shapes])[0]

    def wire(self, wiring: Wiring, axis: int | None = None, name: str = "") -> Wire:
        """Return the value as a value of the graph: channels in the order of the other axes.

        Parameters
        ----------
        wiring : Wiring
            Layers that the movements need are added to it.
        axis : int, optional
            The axis of time, where the shapes do not say which it is.
        name : str
            Of the step that asks, for nodes that no movement made.
        """
        if self._settled is not None:
            return self._settled.base
        found = time_axis(self.shapes) if len(self.shapes) > 1 else None
        axis = axis if found is None else found
        if axis is None:
            axis = self.axis
        if axis is None and len(self.shapes) == 1 and not self.base.is_still:
            # One recorded length does not show which axis grows.  A wrong one has no map.
            axis = int(np.argmax(self.shapes[0]))
        if self.is_plain and (axis == self.axis or self.base.is_still):
            return self.base
        try:
            made = self._made(wiring, axis, name)
        except NotPredictableError:
            if self._origin is None or all(view.is_plain for view in self._origin.views):
                raise
            made = self._step_by_step(wiring, axis, name)
        self._settled = View(made, self.shapes, axis)
        self._forget()
        return made

    @property
    def latest(self) -> View:
        """The view of the node that the movements became, once there is one."""
        return self if self._settled is None else self._settled

    def _made(self, wiring: Wiring, axis: int | None, name: str) -> Wire:
        flat = [_channels_and_time(places, axis) for places in self.places]
        lengths = tuple(places.shape[1] for places in flat)
        layers = self._layers(flat, lengths)
        made = wiring.chain(self.name or name, layers, self.base) if layers else self.base
        return made._replace(lengths=lengths)

    def _step_by_step(self, wiring: Wiring, axis: int | None, name: str) -> Wire:
        """Return the value as a node of the last movement alone, behind nodes of those before it.

        A reflection of what was cut before has no map of its own.
        """
        assert self._origin is not None
        step, reads, shapes, number = self._origin
        for view in self._origin.views:
            view.wire(wiring, name=name)
        again = joined_views(step, reads, shapes, wiring)[number]
        return again._made(wiring, axis, name)

    def _layers(self, flat: Sequence[Places], lengths: tuple[int, ...]) -> list[Layer]:
        base = self.base
        if base.is_still:
            return _still_layers(flat, base.channels)
        plain = [np.arange(base.channels * each).reshape(-1, each) for each in base.lengths]
        if all(map(np.array_equal, flat, plain)):
            return []
        return movement_layers(flat, base.lengths, base.channels, self.constants)


def _still_layers(flat: Sequence[Places], channels: int) -> list[Layer]:
    """Return the selection of a value without time that is held for as long as it is asked."""
    numbers = flat[-1][:, 0]
    if any(np.any(places != numbers[:, None]) for places in flat) or np.any(numbers < 0):
        raise NotPredictableError(
            "a value without time is laid out along time",
            fix="the part of the model behind this step",
        )
    if np.array_equal(numbers, np.arange(channels)):
        return []
    return [Select([int(each) for each in numbers])]


def _plain_places(shape: Shape, axis: int | None, length: int) -> Places:
    refuse_beyond_memory(prod(shape), "the sample numbers", fix="a shorter recording")
    numbers = np.arange(prod(shape), dtype=np.int64)
    if axis is None:
        return numbers.reshape(shape)
    others = [size for place, size in enumerate(shape) if place != axis]
    return np.moveaxis(numbers.reshape(*others, length), -1, axis)


def _channels_and_time(places: Places, axis: int | None) -> Places:
    if axis is None:
        return places.reshape(-1, 1)
    last = np.moveaxis(places, axis, -1)
    return last.reshape(-1, last.shape[-1])


def joined_views(
    step: Step,
    reads: Sequence[View | Held],
    shapes: Sequence[Shapes],
    wiring: Wiring,
) -> list[View]:
    """Return what a movement makes of several values and constants."""
    reads = [read.latest if isinstance(read, View) else read for read in reads]
    views = [read for read in reads if isinstance(read, View)]
    if len({view.base.name for view in views}) <= 1:
        return _moved(step, reads, shapes)
    try:
        wires = [view.wire(wiring, name=step.name) for view in views]
        settled = [view.latest for view in views]
    except NotPredictableError:
        # Rows laid one after another, as a write into a part of a tensor leaves them: they are
        # values of the graph again only once they are joined.
        wires, settled = [view.base for view in views], views
        if len({wire.lengths for wire in wires}) > 1:
            raise
    base = wiring.node(step.name, Concatenate(), *wires)
    before, together = 0, []
    for view, wire in zip(settled, wires, strict=True):
        shift = before

        def places(view: View = view, shift: int = shift) -> tuple[Places, ...]:
            pairs = zip(view.places, base.lengths, strict=True)
            return tuple(np.where(each < 0, each, each + shift * length) for each, length in pairs)

        together.append(View(base, view.shapes, None, places=places, constants=view.constants))
        before += wire.channels
    rest = iter(together)
    return _moved(step, [next(rest) if isinstance(read, View) else read for read in reads], shapes)


#: Movements that leave all numbers in their order.
_ORDER_KEPT = frozenset(("reshape", "squeeze", "unsqueeze", "copy"))


def _plainly_moved(step: Step, view: View, shapes: Shapes) -> View | None:
    """Return what a movement makes of a plain view if that is plain, too, without any array.

    A reshape keeps the layout where as many numbers stand on the axes before the time as before.
    A transpose keeps it where the other axes keep their order; an axis of one number has none.
    """
    function = step.fields["function"]
    if len(shapes) < 2 or view.axis is None:
        return None
    axis = time_axis(shapes)
    if axis is None:
        return None
    before, after = view.shapes[0], shapes[0]
    if function in _ORDER_KEPT:
        kept = prod(before[: view.axis]) == prod(after[:axis]) and all(
            given[view.axis] == made[axis] for given, made in zip(view.shapes, shapes, strict=True)
        )
    elif function == "transpose":
        order = [each for each in step.fields["axes"] if before[each] > 1 and each != view.axis]
        kept = order == sorted(order) and step.fields["axes"][axis] == view.axis
    else:
        return None
    return View(view.base, shapes, axis, name=step.name) if kept else None


def _moved(step: Step, reads: Sequence[View | Held], shapes: Sequence[Shapes]) -> list[View]:
    """Return the views of a movement whose values all lie in one value of the graph."""
    alone = reads[0] if len(reads) == 1 else None
    if isinstance(alone, View) and alone.is_plain:
        still_plain = _plainly_moved(step, alone, shapes[0])
        if still_plain is not None:
            return [still_plain]
    views = [read for read in reads if isinstance(read, View)]
    base = views[0].base
    numbered: list[View | tuple[Places, ...]] = []
    table: list[Constants] = [_ZERO]
    count = 1
    fill = step.fields.get("value", 0) if step.fields["function"] == "pad" else 0
    if fill:
        table, count = [_ZERO, np.array([float(fill)])], 2
    shifts = []
    for read in reads:
        shifts.append(count)
        if isinstance(read, View):
            own = read.constants
            numbered.append(read)
        else:
            flat = [np.asarray(array, dtype=np.float64).reshape(-1) for array in read]
            own, inverse = np.unique(np.concatenate(flat), return_inverse=True)
            parts = np.split(-1 - count - inverse.astype(np.int64), np.cumsum([*map(len, flat)]))
            numbered.append(
                tuple(
                    part.reshape(np.shape(array)) for part, array in zip(parts, read, strict=False)
                )
            )
        table.append(own)
        count += own.size
    # Whether constants may stand among the numbers.
    fixed = step.fields["function"] == "pad" or any(
        not isinstance(read, View) or read.may_be_fixed for read in reads
    )
    # Equal constants get one number, so that a map is compared by what it means.
    constants, own_number = np.unique(np.concatenate(table), return_inverse=True)

    def made(length: int, each: int) -> list[Places]:
        arrays = []
        for read, shift in zip(numbered, shifts, strict=True):
            if not isinstance(read, View):
                arrays.append(read[length])
                continue
            places = read.places[length]
            arrays.append(np.where(places < 0, places - shift, places) if fixed else places)
        found = moved(step, arrays, shapes[each][length], length, fill=-2 if fill else -1)
        if not fixed:
            return found
        return [
            np.where(places < 0, -1 - own_number[np.maximum(-1 - places, 0)], places)
            for places in found
        ]

    done: list[list[Places]] = []

    def places_of(each: int) -> tuple[Places, ...]:
        if len(shapes) == 1:
            return tuple(made(length, 0)[0] for length in range(len(base.lengths)))
        if not done:
            done.extend(made(length, 0) for length in range(len(base.lengths)))
        return tuple(found[each] for found in done)

    return [
        View(
            base,
            shapes[each],
            None,
            places=lambda each=each: places_of(each),  # type: ignore[misc]
            constants=constants,
            name=step.name,
            may_be_fixed=fixed,
            origin=Origin(step, reads, shapes, each),
        )
        for each in range(len(shapes))
    ]
