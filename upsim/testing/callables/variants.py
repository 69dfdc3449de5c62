"""Faults that people make: each a known layer with one thing wrong, as a map of samples.

A variant is compared with a callable on whole inputs, ends included: the fault is named where the
two agree to rounding, never by a resemblance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from upsim.errors import NotPredictableError, UpsimError
from upsim.layers.base import Layer, LinearLayer
from upsim.layers.convolution import Conv, TransposedConv, WeightedLayer
from upsim.layers.interpolation import Cubic, Linear, Nearest, Stretch
from upsim.layers.subpixel import PeriodicShuffle, SubpixelConv
from upsim.operators import StretchFIR
from upsim.operators.edges import PADDING_MODES
from upsim.operators.operator import Real
from upsim.testing.laws.subject import run_finite

#: Samples (channels, n) to samples (channels out, n').
Run = Callable[[Real], Real]

#: Samples by which a crop is tried at other ends.
_FARTHEST = 32

#: Wrong ways to write rows (C L, n) as (C, n L), each with its inverse on what came out.
#: ``rows`` are those of torch's order: row ``c L + i`` is phase ``i`` of channel ``c``.
RESHAPES: dict[str, tuple[Callable[[Real, int], Real], Callable[[Real, int], Real]]] = {
    "the phases of a channel stand one after another": (
        lambda rows, factor: rows.reshape(len(rows) // factor, -1),
        lambda made, factor: made.reshape(len(made) * factor, -1),
    ),
    "the array is read time by time": (
        lambda rows, factor: np.ascontiguousarray(rows.T).reshape(len(rows) // factor, -1),
        lambda made, factor: made.reshape(-1, len(made) * factor).T,
    ),
    "channels are read into time": (
        lambda rows, factor: rows.reshape(-1, len(rows) // factor).T,
        lambda made, factor: np.ascontiguousarray(made.T).reshape(len(made) * factor, -1),
    ),
}


@dataclass(frozen=True)
class Variant:
    """One fault of one layer.

    Parameters
    ----------
    fault : str
        Its name.
    says : str
        What separates the callable from the layer.
    line : str
        What to write instead.
    words : tuple of str
        What the line to change mentions.
    run : callable
    of : Layer, optional
        The layer that has the fault.
    """

    fault: str
    says: str
    line: str
    words: tuple[str, ...]
    run: Run
    of: Layer | None = None


def rows_of(made: Real, factor: int) -> Real:
    """Return samples (C, n L) as rows (C L, n) in torch's order."""
    return made.reshape(len(made), -1, factor).swapaxes(1, 2).reshape(len(made) * factor, -1)


def shuffled(rows: Real, factor: int) -> Real:
    """Return rows (C L, n) in torch's order as samples (C, n L)."""
    return rows.reshape(len(rows) // factor, factor, -1).swapaxes(1, 2).reshape(
        len(rows) // factor, -1
    )  # fmt: skip


def known_layers(factor: int, channels: int, out_channels: int) -> list[LinearLayer]:
    """Return the layers without weights that have so many channels and this factor."""
    found: list[LinearLayer] = []
    if channels == out_channels:
        found += [Nearest(factor), Linear(factor), Linear(factor, "triangle")]
        found += [Cubic(factor), Stretch(factor)]
    if channels == out_channels * factor and factor > 1:
        found += [PeriodicShuffle(factor), PeriodicShuffle(factor, "tensorflow")]
    return found


def variants(layer: LinearLayer, channels: int) -> Iterator[Variant]:
    """Yield the faults of a layer, the likely ones first."""
    for family in (_reshaped, _shuffled, _weights, _conventions, _operator_level, _edges):
        for each in family(layer, channels):
            yield replace(each, of=layer)


def _with(layer: WeightedLayer, **changes: object) -> Layer:
    return replace(layer, **changes)  # type: ignore[type-var]


def _as(layer: Layer) -> Run:
    return lambda samples: run_finite([layer], samples)


def _factor(layer: Layer) -> int:
    return layer.rate.numerator if layer.rate.denominator == 1 else 1


RESHAPE_LINE = "y.reshape(b, c, L, n).swapaxes(2, 3).reshape(b, c, n * L)"


def _reshaped(layer: LinearLayer, _: int) -> Iterator[Variant]:
    factor = _factor(layer)
    if factor == 1 or not isinstance(layer, PeriodicShuffle | SubpixelConv):
        return
    for says, (make, _undo) in RESHAPES.items():

        def run(samples: Real, make: Callable[[Real, int], Real] = make) -> Real:
            return make(rows_of(run_finite([layer], samples), factor), factor)

        yield reshape_variant(says, factor, run)


def reshape_variant(says: str, factor: int, run: Run) -> Variant:
    """Return the fault of a reshape in the place of a shuffle."""
    return Variant(
        "plain reshape",
        f"a reshape stands in the place of a shuffle: {says}, and the {factor} phases are not "
        "interleaved",
        RESHAPE_LINE,
        ("reshape", "view", "flatten", "rearrange"),
        run,
    )


def _shuffled(layer: LinearLayer, _: int) -> Iterator[Variant]:
    if isinstance(layer, PeriodicShuffle | SubpixelConv) and layer.factor > 1:
        other = "tensorflow" if layer.order == "torch" else "torch"
        formula = {"torch": "c L + i", "tensorflow": "i C + c"}
        line = {
            "torch": RESHAPE_LINE,
            "tensorflow": "y.reshape(b, L, c, n).transpose(0, 2, 3, 1).reshape(b, c, n * L)",
        }
        yield Variant(
            "channel order",
            f"phase i of channel c is read from channel {formula[other]} ({other}'s order), "
            f"expected {formula[layer.order]} ({layer.order}'s order)",
            line[layer.order],
            ("reshape", "view", "transpose", "permute", "rearrange", "shuffle"),
            _as(replace(layer, order=other)),
        )


def _weights(layer: LinearLayer, _: int) -> Iterator[Variant]:
    if not isinstance(layer, WeightedLayer):
        return
    weight, kernel = layer.weight_array(), ("conv", "weight", "kernel", "flip", "[::-1]")
    changed: list[tuple[str, str, str, Real]] = [
        (
            "kernel flip",
            "the kernel runs back to front: a correlation in the place of a convolution",
            "weight[..., ::-1]",
            weight[..., ::-1],
        )
    ]
    swapped = weight.swapaxes(0, 1)
    if swapped.shape == weight.shape:
        changed.append(
            (
                "channel order",
                "input and output channels of the weight are exchanged",
                "weight.swapaxes(0, 1)",
                swapped,
            )
        )
    for says, axis in (("first", 0), ("second", 1)):
        if weight.shape[axis] > 1:
            turned = np.flip(weight, axis)
            changed.append(
                (
                    "channel order",
                    f"the {says} axis of the weight runs back to front",
                    f"weight of shape {weight.shape}, in torch's layout",
                    turned,
                )
            )
    for fault, says, line, made in changed:
        yield Variant(fault, says, line, kernel, _as(_with(layer, weight=np.array(made))))
    if layer.dilation > 1:  # type: ignore[attr-defined]
        yield Variant(
            "dilation ignored",
            "the taps stand next to each other",
            f"dilation={layer.dilation}",  # type: ignore[attr-defined]
            ("conv", "dilation"),
            _as(_with(layer, dilation=1)),
        )


def _conventions(layer: LinearLayer, _: int) -> Iterator[Variant]:
    if not isinstance(layer, Linear):
        return
    words = ("interpol", "resize", "linear", "interp", "upsampl", "align_corners")
    other = "triangle" if layer.convention == "half-pixel" else "half-pixel"
    line = {
        "half-pixel": 'interpolate(x, scale_factor=L, mode="linear", align_corners=False)',
        "triangle": "numpy.interp(numpy.arange(n * L) / L, numpy.arange(n), x)",
    }
    yield Variant(
        "half-pixel against triangle",
        f"linear interpolation on the {other} grid, expected {layer.convention}",
        line[layer.convention],
        words,
        _as(replace(layer, convention=other)),
    )
    for edge in ("held", "zeros"):

        def triangle(samples: Real, edge: str = edge) -> Real:
            grid = np.arange(samples.shape[1] * layer.factor) / layer.factor
            padded = samples[:, -1:] if edge == "held" else np.zeros_like(samples[:, :1])
            return _at(np.concatenate([samples, padded], axis=1), grid)

        yield Variant(
            "half-pixel against triangle",
            f"samples of the input stay where they are (n / L), expected {layer.convention}",
            line[layer.convention],
            words,
            triangle,
        )

    def aligned(samples: Real) -> Real:
        count = samples.shape[1]
        total = count * layer.factor
        return _at(samples, np.arange(total) * ((count - 1) / max(1, total - 1)))

    yield Variant(
        "half-pixel against aligned",
        "the corners are aligned: a step of (n - 1) / (L n - 1) input samples, which depends on "
        f"the length, expected {layer.convention}",
        line[layer.convention],
        words,
        aligned,
    )


def _at(samples: Real, grid: Real) -> Real:
    """Return linear interpolation at places of the input."""
    low = np.clip(np.floor(grid).astype(int), 0, samples.shape[1] - 1)
    high = np.minimum(low + 1, samples.shape[1] - 1)
    part = grid - low
    return np.asarray(samples[:, low] * (1 - part) + samples[:, high] * part)


def _running(operator: StretchFIR) -> Run:
    def run(samples: Real) -> Real:
        made = operator.apply(samples)
        return np.asarray(made + operator.offset_samples(made.shape[1]))

    return run


def _padded(core: Run, pads: tuple[int, int], offset: Real | None) -> Run:
    """Return a run whose answer is padded with an offset (out, period 1), or with zeros."""

    def run(samples: Real) -> Real:
        made = core(samples)
        value = 0.0 if offset is None else offset[:, :1]
        inside = slice(pads[0], pads[0] + made.shape[1])
        whole = np.zeros((len(made), made.shape[1] + sum(pads))) + value
        whole[:, inside] = made
        return whole

    return run


def _operator_level(layer: LinearLayer, channels: int) -> Iterator[Variant]:
    try:
        operator = layer.operator(channels).stretch_fir()
    except (NotPredictableError, UpsimError):
        return
    factor, (left, right) = operator.factor, operator.crop
    padding = getattr(layer, "output_padding", 0)
    cut = ("[", "crop", "pad", "trim")
    if padding:
        yield Variant(
            "output_padding on the wrong side",
            f"the {padding} samples of output_padding stand at the start, expected at the end",
            f"torch.nn.functional.pad(y, (0, {padding})), or output_padding={padding}",
            ("pad", "cat", "concat"),
            _running(replace(operator, crop=(left - padding, right + padding))),
        )
        core = _running(replace(operator, crop=(left, right + padding)))
        for side, pads in (("start", (padding, 0)), ("end", (0, padding))):
            for bias in (True, False):
                yield Variant(
                    "output_padding on the wrong side"
                    if side == "start"
                    else "output_padding of zeros",
                    f"{padding} samples of "
                    f"{'the bias' if bias and operator.offset is not None else 'zeros'} are put at "
                    f"the {side}; output_padding uncovers {padding} samples more of the kernel at "
                    "the end",
                    f"output_padding={padding}",
                    ("pad", "cat", "concat"),
                    _padded(core, pads, operator.offset if bias else None),
                )
    total = float(np.abs(operator.taps.sum(axis=2)).max())
    for gain, name, change in (
        (1 / factor, "gain L forgotten", "L * h"),
        (float(factor), "gain L applied twice", "h / L"),
        (-1.0, "sign", "-h"),
    ):
        if gain == 1:
            continue
        says = f"everything is {gain:.4g} times what it should be, L = {factor}"
        line = f"{change}, whose taps add up to {total:.6g}"
        scaled = replace(operator, taps=operator.taps * gain)
        words = ("*", "/", "sum", "norm", "-")
        yield Variant(name, says, line, words, _running(scaled))
        if operator.offset is not None:
            whole = replace(scaled, offset=operator.offset * gain)
            yield Variant(name, f"{says}, the bias, too", line, words, _running(whole))
    for move in (m for step in range(1, _FARTHEST + 1) for m in (step, -step)):
        try:
            moved = replace(operator, crop=(left + move, right - move))
        except UpsimError:
            continue
        side, other = ("start", "end") if move > 0 else ("end", "start")
        yield Variant(
            "crop at the wrong end",
            f"{abs(move)} samples too many are cut at the {side} and too few at the {other}",
            f"y[..., {left}:y.shape[-1] - {right}] of the full answer"
            if min(left, right) >= 0
            else f"{left} samples cut at the start and {right} at the end",
            cut,
            _running(moved),
        )
    if (left, right) != (0, 0):
        yield Variant(
            "crop forgotten",
            f"the full answer leaves; {left} samples at the start and {right} at the end belong "
            "cut",
            f"y[..., {left}:y.shape[-1] - {right}]",
            ("return", *cut),
            _running(replace(operator, crop=(0, 0))),
        )
    if not isinstance(layer, WeightedLayer) and operator.taps.shape[2] > 1:
        yield Variant(
            "kernel flip",
            "the kernel runs back to front",
            "h[::-1]",
            ("conv", "flip", "[::-1]"),
            _running(replace(operator, taps=operator.taps[..., ::-1])),
        )


def _edges(layer: LinearLayer, channels: int) -> Iterator[Variant]:
    if isinstance(layer, TransposedConv):
        return
    try:
        operator = layer.operator(channels).stretch_fir()
    except (NotPredictableError, UpsimError):
        return
    for mode in PADDING_MODES:
        if mode != operator.padding_mode:
            yield Variant(
                "edges",
                f"beyond the ends it sees {mode}, expected {operator.padding_mode}",
                f'padding_mode="{operator.padding_mode}"' if isinstance(layer, Conv) else
                f'numpy.pad(x, ..., mode="{_NUMPY[operator.padding_mode]}")',
                ("pad", "mode", "edge"),
                _running(replace(operator, padding_mode=mode)),
            )  # fmt: skip


_NUMPY = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
