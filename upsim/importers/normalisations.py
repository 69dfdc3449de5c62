"""Normalisations of a recording: as steps of their own, or written out with means and roots."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from upsim.errors import UpsimError
from upsim.importers.opaque_steps import opaque_node
from upsim.importers.recording import Shape, Step
from upsim.importers.regions import Producers, Region, reduced
from upsim.importers.views import Shapes, View, time_axis
from upsim.layers import BatchNorm, Conv, GroupNorm, InstanceNorm, Layer, LayerNorm
from upsim.words.arguments import refuse_beyond_memory
from upsim.words.tolerance import rounding

if TYPE_CHECKING:
    from upsim.importers.lowering import _Lowering

Numbers = NDArray[np.float64]


def normalisation_node(work: _Lowering, step: Step) -> View:
    """Return the view of what a ``normalisation`` step makes."""
    which, eps = str(step.fields["which"]), float(step.fields["eps"])
    view = work.view(step.reads[0])
    weight, bias, mean, variance = _vectors(step)
    if which == "instance":
        grouped = _grouped(work, step, view)
        if grouped is not None:
            return grouped
    if which in ("layer", "rms"):
        axes = {int(axis) % len(view.shapes[0]) for axis in np.atleast_1d(step.fields["axes"])}
        if which == "rms" or axes != channel_axes(view.shapes):
            return opaque_node(work, step, "no layer of the catalogue normalises like this")
    wire = view.wire(work.wiring, name=step.name)
    count = wire.channels
    each = [_one_a_channel(values, count) for values in (weight, bias, mean, variance)]
    layer: Layer
    if which == "batch":
        layer = BatchNorm(
            count, eps, weight=each[0], bias=each[1], running_mean=each[2], running_var=each[3]
        )
    elif which == "instance" and view.shapes[0][1] != count:
        # Each row of the model holds several channels side by side, and is normalised as a whole.
        rows = int(view.shapes[0][1])
        if view.latest.axis == 1:
            return opaque_node(work, step, "it normalises each time step by the others")
        layer = GroupNorm(rows, count, eps, weight=each[0], bias=each[1])
    elif which == "instance":
        affine = each[0] is not None or each[1] is not None
        layer = InstanceNorm(count, eps, affine=affine, weight=each[0], bias=each[1])
    elif which == "group":
        layer = GroupNorm(int(step.fields["groups"]), count, eps, weight=each[0], bias=each[1])
    else:
        layer = LayerNorm(count, eps, weight=each[0], bias=each[1])
    return work.plain(work.wiring.node(step.name, layer, wire), step.makes[0])


def _vectors(step: Step) -> list[Numbers | None]:
    found: list[Numbers | None] = []
    for read in step.reads[1:]:
        if isinstance(read, str):
            raise UpsimError("a normalisation's weight is computed from the input", given=read)
        found.append(None if read is None else np.asarray(read, dtype=np.float64).reshape(-1))
    return [*found, *[None] * (4 - len(found))]


def _one_a_channel(values: Numbers | None, count: int) -> Numbers | None:
    """Return one number a channel: each repeated where a channel of the model holds several."""
    return None if values is None else np.repeat(values, count // values.size)


def channel_axes(shapes: Shapes) -> set[int]:
    """Return the axes that are neither time nor a batch of one."""
    time = time_axis(shapes) if len(shapes) > 1 else len(shapes[0]) - 1
    axes = {axis for axis in range(len(shapes[0])) if axis != time}
    return axes - {0} if shapes[0][0] == 1 and len(axes) > 1 else axes


def _grouped(work: _Lowering, step: Step, view: View) -> View | None:
    """Return a group normalisation that is written as an instance normalisation of rows.

    Exporters lay the channels of a group one after another along time: (1, groups, C n / groups).
    Each row then holds all samples of some neighbouring channels, in any order.
    """
    if view.is_plain or view.base.is_still:
        return None
    rows = view.shapes[0][1]
    channels = view.base.channels
    if view.shapes[0][0] != 1 or channels % rows:
        return None
    for places, length in zip(view.places, view.base.lengths, strict=True):
        held = places.reshape(rows, -1)
        whole = np.arange(channels * length).reshape(rows, -1)
        if held.shape != whole.shape or not np.array_equal(np.sort(held, axis=1), whole):
            return None
    weight, bias, *_ = _vectors(step)
    layer = GroupNorm(
        rows,
        channels,
        float(step.fields["eps"]),
        weight=_one_a_channel(weight, channels),
        bias=_one_a_channel(bias, channels),
    )
    made = work.wiring.node(step.name, layer, view.base)
    return View(made, view.shapes, None, places=lambda: view.places, name=step.name)


class NormalisationRegion(NamedTuple):
    """A normalisation that a model writes out, and the value that it is of."""

    leaf: str
    layer: Layer


#: Samples on which a normalisation is compared.
_ENOUGH = 32


def normalisation_region(region: Region, producers: Producers) -> NormalisationRegion | None:
    """Return the layer that a region with means is; None if it is none.

    As with activations, the region is run, on random numbers, and compared with the candidates.
    """
    shapes = tuple(tuple(each[region.leaf]) for each in producers.shapes)
    made_shapes = tuple(tuple(each[region.root.makes[0]]) for each in producers.shapes)
    reduces = [step for step in region.steps if step.kind == "reduce"]
    rank = len(shapes[0])
    axes = [{int(axis) % rank for axis in np.atleast_1d(step.fields["axes"])} for step in reduces]
    time = time_axis(shapes) if len(shapes) > 1 else rank - 1
    if shapes != made_shapes or any(each != axes[0] for each in axes) or time is None:
        return None
    # A few samples show it as well as many.
    short = tuple(
        min(size, _ENOUGH) if axis == time else size for axis, size in enumerate(shapes[0])
    )
    tensor = np.random.default_rng(0).normal(0.5, 1.0, short)
    try:
        made = _flat(region.evaluate(tensor), time)
    except ValueError:  # a constant that is laid out along time
        return None
    samples = _flat(tensor, time)
    for layer in _candidates(region, short, axes[0], time):
        whole = layer.function(samples)
        largest = float(np.max(np.abs(samples))) / np.sqrt(layer.eps)
        # An error of a sample is divided by a root of at least eps.
        bound = rounding(64 + samples.size, largest)
        if np.max(np.abs(whole - made)) <= bound:
            return NormalisationRegion(region.leaf, layer)
        # What stands behind the normalisation, a weight and a bias a channel, is read off.
        weight, bias = _line(whole, made)
        if np.max(np.abs(weight[:, None] * whole + bias[:, None] - made)) <= bound:
            fields = layer.to_fields() | {"weight": weight, "bias": bias}
            if isinstance(layer, InstanceNorm):
                fields["affine"] = True
            return NormalisationRegion(region.leaf, type(layer)(**fields))
    return None


def _flat(tensor: Numbers, time: int) -> Numbers:
    last = np.moveaxis(tensor, time, -1)
    return last.reshape(-1, last.shape[-1])


def _line(given: Numbers, made: Numbers) -> tuple[Numbers, Numbers]:
    """Return slope and intercept of each channel, by least squares."""
    centred = given - given.mean(axis=1, keepdims=True)
    power = np.sum(centred**2, axis=1)
    slope = np.sum(centred * made, axis=1) / np.where(power > 0, power, 1.0)
    return slope, made.mean(axis=1) - slope * given.mean(axis=1)


def _candidates(region: Region, shape: Shape, axes: set[int], time: int) -> list[Any]:
    """Return the normalisations over some axes, one for each constant that may be its eps."""
    numbers = {
        float(read.reshape(()))
        for step in region.steps
        for read in step.reads
        if isinstance(read, np.ndarray) and read.size == 1
    }
    others = {axis for axis, size in enumerate(shape) if axis != time and size > 1}
    count = prod(size for axis, size in enumerate(shape) if axis != time)
    found: list[Any] = []
    for eps in sorted(each for each in numbers if 0 < each < 0.1):
        if time not in axes:
            found += [LayerNorm(count, eps)] if others <= axes else []
        elif not others & axes:
            found.append(InstanceNorm(count, eps))
        else:
            # Groups stand on axes before those that are averaged.
            kept = others - axes
            if all(each < min(others & axes) for each in kept):
                groups = prod(shape[axis] for axis in kept)
                found.append(GroupNorm(groups, count, eps))
    return found


def reduced_value(work: _Lowering, step: Step) -> View:
    """Return the view of what a ``reduce`` step makes: a mean or a sum over channels is linear."""
    view = work.view(step.reads[0])
    shapes = view.shapes
    rank = len(shapes[0])
    axes = {int(axis) % rank for axis in np.atleast_1d(step.fields["axes"])}
    time = time_axis(shapes) if len(shapes) > 1 else rank - 1
    if time in axes:
        return opaque_node(work, step, "it takes all samples of time together")
    if step.fields["function"] not in ("mean", "sum"):
        run: Any = lambda tensor: reduced(step, tensor)  # noqa: E731
        return opaque_node(work, step, "each output depends on all channels", run=run)
    wire = view.wire(work.wiring, name=step.name)
    sizes = tuple(size if axis != time else 1 for axis, size in enumerate(shapes[0]))
    # Which sum each channel belongs to; a matrix of all channels times all sums says so.
    kept = tuple(1 if axis in axes else size for axis, size in enumerate(sizes))
    sums = np.broadcast_to(np.arange(prod(kept)).reshape(kept), sizes).reshape(-1)
    refuse_beyond_memory(prod(kept) * wire.channels, "a matrix of sums", fix="inputs= behind it")
    weight = np.zeros((prod(kept), wire.channels))
    mean = step.fields["function"] == "mean"
    weight[sums, np.arange(wire.channels)] = prod(kept) / wire.channels if mean else 1.0
    layer = Conv(wire.channels, len(weight), 1, bias=False, weight=weight[:, :, None])
    return work.plain(work.wiring.node(step.name, layer, wire), step.makes[0])
