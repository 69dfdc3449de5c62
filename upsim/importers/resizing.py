"""Resizing along time as layers: every mode and coordinate transform that repeats.

With the scale ``p / q``, output sample m is taken at place ``x = m q / p + x0`` of the input.  The
places repeat after p output samples, so the weights of each phase are those of a transposed
convolution of stride p, of which every q-th sample is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from math import ceil, floor
from typing import Any

import numpy as np

from upsim.errors import NotPredictableError
from upsim.layers import Cubic, Layer, Linear, Nearest, Pad, Slice, TransposedConv
from upsim.words.arguments import refuse_beyond_memory

#: Where output sample m stands: x0 for the scale s, in input samples.
_STARTS: dict[str, Callable[[Fraction], Fraction]] = {
    "half_pixel": lambda scale: Fraction(1, 2) / scale - Fraction(1, 2),
    "pytorch_half_pixel": lambda scale: Fraction(1, 2) / scale - Fraction(1, 2),
    "half_pixel_symmetric": lambda scale: Fraction(1, 2) / scale - Fraction(1, 2),
    "asymmetric": lambda _: Fraction(0),
}

#: A pattern of more output samples has no use as a layer.
_LARGEST_TERM = 2**12

#: Why the others are no layer with a spectrum.
_NOT_PERIODIC = {
    "align_corners": "its step is (n - 1) / (m - 1), which depends on the length of the input",
    "tf_half_pixel_for_nn": "it is an older form that ONNX took back",
    "tf_crop_and_resize": "it takes a part of the input that is given as a share of its length",
}

_ROUNDINGS = {
    "round_prefer_floor": lambda place: ceil(place - Fraction(1, 2)),
    "round_prefer_ceil": lambda place: floor(place + Fraction(1, 2)),
    "floor": floor,
    "ceil": ceil,
}


def resize_layers(fields: Mapping[str, Any], channels: int) -> tuple[list[Layer], int]:
    """Return the layers of a ``resize`` step, and which of them is the resampler itself.

    Parameters
    ----------
    fields : mapping
        Those of the step.
    channels : int
    """
    scale, coordinates = Fraction(fields["factor"]), fields["coordinates"]
    mode = fields["mode"]
    if coordinates not in _STARTS:
        raise NotPredictableError(
            f"a resize with coordinates {coordinates!r} does not repeat along time: "
            + _NOT_PERIODIC.get(coordinates, "this transform is not known"),
            expected=", ".join(_STARTS),
        )
    if coordinates == "half_pixel_symmetric" and scale.denominator > 1:
        raise NotPredictableError(
            "a resize with coordinates 'half_pixel_symmetric' and a scale that is no whole number "
            "moves with the length of the input",
            given=f"scale {scale}",
            expected="half_pixel",
        )
    if max(scale.numerator, scale.denominator) > _LARGEST_TERM:
        raise NotPredictableError(
            "a scale that is no ratio of small numbers does not repeat along time",
            given=f"scale {float(scale):g}",
            expected=f"whole numbers up to {_LARGEST_TERM}, or a ratio of such",
        )
    start = _STARTS[coordinates](scale)
    if mode == "nearest":
        rounding = fields.get("rounding", "round_prefer_floor")
        if rounding not in _ROUNDINGS:
            raise NotPredictableError(
                "a rounding of this name is not known",
                given=f"nearest_mode={rounding!r}",
                expected=", ".join(_ROUNDINGS),
            )
    elif mode not in ("linear", "cubic"):
        raise NotPredictableError(
            "a resize of this mode is not known",
            given=f"mode={mode!r}",
            expected="nearest, linear or cubic",
        )
    if mode == "cubic" and fields.get("exclude_outside"):
        raise NotPredictableError(
            "a cubic resize with exclude_outside weighs the ends anew, which no layer does",
            expected="exclude_outside=0",
        )
    named = _named(scale, mode, coordinates, fields)
    if named is not None:
        return [named], 0
    return _general(scale, start, mode, fields, channels)


def _named(scale: Fraction, mode: str, coordinates: str, fields: Mapping[str, Any]) -> Layer | None:
    """Return the layer of the catalogue that a resize is, if there is one."""
    if scale.denominator > 1 or (fields.get("antialias") and scale < 1):
        return None
    factor = scale.numerator
    if mode == "nearest":
        start = _STARTS[coordinates](scale)
        if all(_nearest(Fraction(phase, factor) + start, fields) == 0 for phase in range(factor)):
            return Nearest(factor)
    if coordinates == "asymmetric":
        return None
    if mode == "linear":
        return Linear(factor)
    if mode == "cubic" and fields.get("cubic_a", -0.75) == -0.75:
        return Cubic(factor)
    return None


def _nearest(place: Fraction, fields: Mapping[str, Any]) -> int:
    """Return the input sample next to a place.

    A scale of 0.6 is a little more in single precision, so all places lie a little to the left: a
    place in the middle of two samples goes to the left one, however it is rounded.
    """
    moved = place - Fraction(int(fields.get("scale_error", 0)), _FINE)
    return int(_ROUNDINGS[fields.get("rounding", "round_prefer_floor")](moved))


#: Finer than any place, so that what is no tie stays where it is.
_FINE = 2**40


def _weights(
    place: Fraction, mode: str, fields: Mapping[str, Any], scale: Fraction
) -> dict[int, float]:
    """Return the weight of each input sample at a place."""
    if mode == "nearest":
        return {_nearest(place, fields): 1.0}
    # An anti-aliasing kernel is as much wider as the output is coarser (ONNX's `antialias`).
    narrow = min(scale, Fraction(1)) if fields.get("antialias") else Fraction(1)
    support = (1 if mode == "linear" else 2) / narrow
    samples = range(ceil(place - support), floor(place + support) + 1)
    a = float(fields.get("cubic_a", -0.75))
    found = {
        each: _triangle(narrow * (each - place))
        if mode == "linear"
        else _cubic(abs(float(narrow * (each - place))), a)
        for each in samples
    }
    total = sum(found.values()) if narrow < 1 else 1.0
    return {each: weight / total for each, weight in found.items() if weight}


def _triangle(distance: Fraction) -> float:
    return float(max(Fraction(0), 1 - abs(distance)))


def _cubic(distance: float, a: float) -> float:
    """Return the cubic convolution kernel (Keys, IEEE Trans. ASSP 29, 1981, eq. 15)."""
    if distance <= 1:
        return ((a + 2) * distance - (a + 3)) * distance**2 + 1
    if distance < 2:
        return ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return 0.0


def _general(
    scale: Fraction, start: Fraction, mode: str, fields: Mapping[str, Any], channels: int
) -> tuple[list[Layer], int]:
    r"""Return a transposed convolution between held ends, thinned out.

    Tap k of the kernel carries input sample t to place ``t p + k - p A`` of the grid that is p
    times finer, on which output sample m stands at ``m q``: its weight is that of sample t at
    ``(m q) / p + x0``.
    """
    up, down = scale.numerator, scale.denominator
    rows = [_weights(Fraction(phase, up) + start, mode, fields, scale) for phase in range(up)]
    before = max(0, -min(min(row) for row in rows))
    after = max(0, *(max(row) for row in rows))
    refuse_beyond_memory(
        channels * (before + after + 1) * up, "the kernel of a resize", fix="fewer channels"
    )
    taps = np.zeros((before + after + 1) * up)
    for phase, row in enumerate(rows):
        for sample, weight in row.items():
            # Phase i of a block reads sample t of it: sample t writes to grid place i - t p.
            taps[(after - sample) * up + phase] = weight
    layers: list[Layer] = [Pad(before, after, "replicate")] if before or after else []
    main = TransposedConv(
        channels,
        channels,
        taps.size,
        up,
        groups=channels,
        bias=False,
        weight=np.broadcast_to(taps, (channels, 1, taps.size)),
    )
    # The full response begins (after) blocks early, and `before` held samples come first.
    first = (before + after) * up
    # (n + before + after - 1) p + (before + after + 1) p samples, of which n p - (q - 1) count.
    last = (before + after) * up + down - 1
    layers.append(main)
    if first or last or down > 1:
        layers.append(Slice(first, -last if last else None, down))
    return layers, 1 if before or after else 0
