"""Convolutions and poolings for ONNX's reference evaluator, by their definition, tap by tap.

Its own are written for pictures: a second of audio takes them minutes, and along one axis some of
them cannot run groups, paddings, or an output's shape.  Each function here follows the formula in
ONNX's specification of the operator, and shares no code with upsim's own layers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@cache
def faster_operators() -> tuple[type, ...]:
    """Return the operators, for the argument ``new_ops`` of the evaluator."""
    from onnx.reference.op_run import OpRun

    class Conv(OpRun):  # type: ignore[misc]
        op_domain = ""

        def _run(self, x: Array, w: Array, b: Array | None = None, **attributes: Any) -> Any:
            return (_biased(convolved(x, w, attributes), b),)

    class ConvTranspose(OpRun):  # type: ignore[misc]
        op_domain = ""

        def _run(self, x: Array, w: Array, b: Array | None = None, **attributes: Any) -> Any:
            return (_biased(transposed(x, w, attributes), b),)

    return Conv, ConvTranspose


def _biased(made: Array, bias: Array | None) -> Array:
    return made if bias is None else made + bias.reshape(1, -1, *(1,) * (made.ndim - 2))


def _listed(attributes: dict[str, Any], name: str, count: int, otherwise: int) -> list[int]:
    found = attributes.get(name)
    return [otherwise] * count if not found else [int(each) for each in found]


def _taps(weight: Array) -> Iterator[tuple[tuple[int, ...], Array]]:
    """Yield each place of a kernel with its matrix, in double precision."""
    matrices = np.ascontiguousarray(np.moveaxis(weight, (0, 1), (-2, -1)), dtype=np.float64)
    for place in np.ndindex(*weight.shape[2:]):
        yield place, matrices[place]


def _halves(total: int, auto: str) -> tuple[int, int]:
    """Return an odd sample at the end with SAME_UPPER, at the start otherwise."""
    less, more = total // 2, total - total // 2
    return (less, more) if auto == "SAME_UPPER" else (more, less)


def convolved(x: Array, weight: Array, attributes: dict[str, Any]) -> Array:
    r"""Return :math:`y_o[m] = \sum_{c,k} w_{oc}[k]\, x_c[m s + k d - p]`, for any axes.

    ``x`` is (batch, channels, ...), the weight (out, channels / groups, ...).
    """
    axes = weight.ndim - 2
    groups = int(attributes.get("group") or 1)
    stride = _listed(attributes, "strides", axes, 1)
    dilation = _listed(attributes, "dilations", axes, 1)
    pads = _listed(attributes, "pads", 2 * axes, 0)
    auto = attributes.get("auto_pad") or "NOTSET"
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, weight.shape[2:], strict=True)]
    ends = [(pads[axis], pads[axis + axes]) for axis in range(axes)]
    if auto == "VALID":
        ends = [(0, 0)] * axes
    elif auto != "NOTSET":
        sizes = zip(x.shape[2:], stride, reach, strict=True)
        ends = [_halves(max(0, (-(-n // s) - 1) * s + r - n), auto) for n, s, r in sizes]
    x = np.pad(x, [(0, 0), (0, 0), *ends])
    count = [(n - r) // s + 1 for n, r, s in zip(x.shape[2:], reach, stride, strict=True)]
    if min(count, default=1) < 1:
        raise ValueError("the input is shorter than the kernel")
    batch, channels = x.shape[:2]
    out = weight.shape[0]
    made = np.zeros((batch, groups, out // groups, prod(count)))
    grouped = x.reshape(batch, groups, channels // groups, *x.shape[2:])
    for place, matrix in _taps(weight):
        cut: list[Any] = [...] + [
            slice(k * d, k * d + (m - 1) * s + 1, s)
            for k, d, m, s in zip(place, dilation, count, stride, strict=True)
        ]
        part = grouped[tuple(cut)].reshape(batch, groups, channels // groups, -1)
        made += matrix.reshape(groups, out // groups, -1) @ part
    return made.reshape(batch, out, *count)


def transposed(x: Array, weight: Array, attributes: dict[str, Any]) -> Array:
    r"""Return :math:`y_o[n] = \sum_{c,\; m s + k d - p = n} w_{co}[k]\, x_c[m]`, for any axes.

    ``x`` is (batch, channels, ...), the weight (channels, out / groups, ...).
    """
    axes = weight.ndim - 2
    groups = int(attributes.get("group") or 1)
    stride = _listed(attributes, "strides", axes, 1)
    dilation = _listed(attributes, "dilations", axes, 1)
    extra = _listed(attributes, "output_padding", axes, 0)
    batch, channels, *sizes = x.shape
    each = weight.shape[1]
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, weight.shape[2:], strict=True)]
    full = [(n - 1) * s + r for n, s, r in zip(sizes, stride, reach, strict=True)]
    whole = np.zeros((batch, groups, each, *full))
    grouped = x.reshape(batch, groups, channels // groups, -1)
    for place, matrix in _taps(weight):
        # matrix is (channels, out / groups); each group has its own rows.
        rows = matrix.reshape(groups, channels // groups, each).swapaxes(1, 2)
        cut: list[Any] = [...] + [
            slice(k * d, k * d + (n - 1) * s + 1, s)
            for k, d, n, s in zip(place, dilation, sizes, stride, strict=True)
        ]
        whole[tuple(cut)] += (rows @ grouped).reshape(batch, groups, each, *sizes)
    made = whole.reshape(batch, groups * each, *full)
    return _cut(made, _cuts(attributes, axes, sizes, stride, full, extra))


def _cuts(
    attributes: dict[str, Any],
    axes: int,
    sizes: Sequence[int],
    stride: Sequence[int],
    full: Sequence[int],
    extra: Sequence[int],
) -> list[tuple[int, int]]:
    """Return what is cut at both ends of each axis; a negative number adds zeros."""
    auto = attributes.get("auto_pad") or "NOTSET"
    wanted = attributes.get("output_shape")
    if wanted:
        counts = [int(each) for each in wanted][-axes:]
    elif auto in ("SAME_UPPER", "SAME_LOWER"):
        counts = [n * s for n, s in zip(sizes, stride, strict=True)]
    else:
        pads = _listed(attributes, "pads", 2 * axes, 0)
        pads = pads if auto == "NOTSET" else [0] * 2 * axes
        return [(pads[axis], pads[axis + axes] - extra[axis]) for axis in range(axes)]
    totals = [n + more - count for n, more, count in zip(full, extra, counts, strict=True)]
    halves = [_halves(total, auto) if total > 0 else (0, total) for total in totals]
    return [(left, right - more) for (left, right), more in zip(halves, extra, strict=True)]


def _cut(made: Array, ends: Sequence[tuple[int, int]]) -> Array:
    added = [(max(0, -left), max(0, -right)) for left, right in ends]
    made = np.pad(made, [(0, 0), (0, 0), *added])
    cut: list[Any] = [...] + [
        slice(max(0, left), size - max(0, right))
        for (left, right), size in zip(ends, made.shape[2:], strict=True)
    ]
    made = made[tuple(cut)]
    if not made.size:
        raise ValueError("the input is shorter than what is cut")
    return made
