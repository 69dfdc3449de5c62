"""Steps that no layer can say: kept with their place, their channels and their rate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from upsim.errors import NotPredictableError
from upsim.importers.recording import Step
from upsim.importers.views import View, time_axis
from upsim.importers.wiring import Wire
from upsim.layers import Concatenate, Crop, Opaque, Pad

if TYPE_CHECKING:
    from upsim.importers.lowering import _Lowering

Tensor = NDArray[np.float64]


def opaque_node(
    work: _Lowering, step: Step, reason: str, *, run: Callable[..., Any] | None = None
) -> View:
    """Return the view of what a step makes, as an opaque node of the graph.

    Parameters
    ----------
    work : lowering
    step : Step
    reason : str
        Why no layer says it.
    run : callable, optional
        What it makes of the tensors that it reads; the step's own by default.
    """
    run = run or step.fields.get("run")
    views = [work.view(value) for value in step.values]
    if not views:
        raise NotPredictableError(
            "a step makes a value of nothing", given=f"{step.kind}: {reason}", where=step.name
        )
    wires = [view.wire(work.wiring, name=step.name) for view in views]
    made = work.shapes(step.makes[0])
    axis = time_axis(made) if len(made) > 1 else len(made[0]) - 1
    if axis is None:
        raise NotPredictableError(
            "a step makes one value of all samples of time",
            given=f"{step.fields.get('type', step.kind)}: {reason}",
            fix="the part of the model behind it",
            where=step.name,
        )
    lengths = tuple(shape[axis] for shape in made)
    channels = prod(made[0]) // lengths[0]
    wire, shorter = wires[0], [0] * len(wires)
    if len(wires) > 1:
        wires, shorter = _as_long(work, step, wires)
        wire = work.wiring.node(f"{step.name}.inputs", Concatenate(), *wires)
    rate = _rate(wire, lengths)
    whole = [each * rate // 1 for each in wire.lengths]
    extra = {have - want for have, want in zip(whole, lengths, strict=True)}
    if len(extra) > 1 or min(extra) < 0:
        raise NotPredictableError(
            "the length that a step makes follows no law of a rate",
            given=f"{wire.lengths} samples become {lengths}",
            where=step.name,
        )
    (less,) = extra
    function = None if run is None else _on_samples(run, views, wires, shorter, axis, less)
    kind = str(step.fields.get("type") or step.fields.get("function") or step.kind)
    layer = Opaque(kind, channels, rate, run=function, reason=reason)
    layers = [layer, *([Crop(0, less)] if less else [])]
    return work.plain(work.wiring.chain(step.name, layers, wire, main=0), step.makes[0])


def _as_long(work: _Lowering, step: Step, wires: Sequence[Wire]) -> tuple[list[Wire], list[int]]:
    """Return values that are read together as long as the longest, and by how much each is longer.

    Zeros are put behind them, which are taken away before the step runs.
    """
    longest = max((wire.lengths for wire in wires if not wire.is_still), default=wires[0].lengths)
    found, missing = [], []
    for number, wire in enumerate(wires):
        short = {most - own for most, own in zip(longest, wire.lengths, strict=True)}
        more = short.pop() if len(short) == 1 and not wire.is_still else 0
        if more:
            name = f"{step.name}.pad{number + 1}"
            found.append(work.wiring.node(name, Pad(0, more), wire))
        else:
            found.append(wire)
        missing.append(more)
    return found, missing


def _rate(wire: Wire, lengths: Sequence[int]) -> Fraction:
    if len(lengths) > 1 and wire.lengths[0] != wire.lengths[-1]:
        return Fraction(lengths[-1] - lengths[0], wire.lengths[-1] - wire.lengths[0])
    return Fraction(lengths[0], wire.lengths[0])


def _on_samples(
    run: Callable[..., Any],
    views: Sequence[View],
    wires: Sequence[Wire],
    shorter: Sequence[int],
    axis: int,
    less: int,
) -> Callable[[Tensor], Tensor]:
    """Return a function of samples (channels, time) that lays them out as the step wants them.

    An opaque node makes ``floor(n rate)`` samples.  A step that makes ``less`` gets zeros behind
    them, and a crop takes them away.
    """
    layouts = [
        (view.shapes[0], view.latest.axis, wire.channels, missing)
        for view, wire, missing in zip(views, wires, shorter, strict=True)
    ]

    def function(samples: Tensor) -> Tensor:
        tensors, first = [], 0
        for shape, time, channels, missing in layouts:
            part = samples[first : first + channels, : samples.shape[1] - missing]
            first += channels
            if time is None:
                tensors.append(part[:, 0].reshape(shape))
                continue
            others = [size for place, size in enumerate(shape) if place != time]
            tensors.append(np.moveaxis(part.reshape(*others, part.shape[1]), -1, time))
        found = run(*tensors)
        first_made = found[0] if isinstance(found, tuple | list) else found
        last = np.moveaxis(np.asarray(first_made, dtype=np.float64), axis, -1)
        return np.pad(last.reshape(-1, last.shape[-1]), ((0, 0), (0, less)))

    return function
