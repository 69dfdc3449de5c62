"""Which part of an ONNX model is taken, and which shapes its inputs have."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from heapq import heappop, heappush
from itertools import islice
from pathlib import Path
from typing import Any

from upsim.errors import ArgumentError, ArgumentTypeError, ShapeError, UnknownNameError
from upsim.importers.onnx_model import OnnxModel
from upsim.importers.recording import Shape
from upsim.words.arguments import near_names, shown, whole_number

#: The sizes of a tensor: whole numbers, and fractions, which are multiples of the length.
Sizes = tuple[int | Fraction, ...]

#: A size that grows: the name of a dimension, or so many times it.
_GROWING = re.compile(r"(?:(\d{1,9}) ?\* ?)?[A-Za-z_]\w*")

#: Axes of a shape.
_MOST_AXES = 32

#: Candidates for the beginning of a part that are tried, the largest part first.
_MOST_CANDIDATES = 6


#: Names that a user may write.
_MOST_NAMES = 1000


def chosen_tensors(
    value: object, what: str, known: Collection[str]
) -> dict[str, Sizes | Fraction | None]:
    """Return the tensors that a user chose, each with its shape if one was written.

    Parameters
    ----------
    value : str, iterable of str, or mapping of str to shape
        A shape that is a text alone, ``"4*T"``, is the one that the model says, 4 times as long.
    what : str
        The argument's name.
    known : collection of str
        The tensors of the model.
    """
    if isinstance(value, str):
        pairs: list[tuple[object, object]] = [(value, None)]
    elif isinstance(value, Mapping):
        pairs = list(value.items())
    elif isinstance(value, Iterable):
        try:
            pairs = [(each, None) for each in islice(value, _MOST_NAMES + 1)]
        except Exception as error:  # noqa: BLE001 - a stranger's iterator raises what it likes
            raise ArgumentTypeError(
                f"{what} must name tensors", given=f"{what}={shown(value)}: {shown(str(error))}"
            ) from None
    else:
        raise ArgumentTypeError(
            f"{what} must name tensors",
            given=f"{what}={shown(value)}",
            expected="a name, or several in a list",
        )
    if not 0 < len(pairs) <= _MOST_NAMES:
        raise ArgumentError(
            f"{what} must name tensors",
            given=f"{what}={shown(value)}",
            expected=f"1 to {_MOST_NAMES} names",
        )
    found: dict[str, Sizes | Fraction | None] = {}
    for name, shape in pairs:
        if not isinstance(name, str) or name not in known:
            raise UnknownNameError(
                f"{what} names a tensor that the model does not have",
                given=shown(name),
                expected="the name of a tensor of the graph",
                fix=near_names(str(name), known) if isinstance(name, str) else "",
            )
        found[name] = None if shape is None else _written_shape(shape, name)
    return found


def _written_shape(shape: object, name: str) -> Sizes | Fraction:
    """Return a shape that a user wrote: None for the time, "256*T" for 256 times as long."""
    if isinstance(shape, str) and _GROWING.fullmatch(shape):
        return _multiple(shape)
    if not isinstance(shape, tuple | list) or not 0 < len(shape) <= _MOST_AXES:
        raise ArgumentTypeError(
            "a shape is a tuple of whole numbers, None for the time",
            given=f"inputs[{name!r}]={shown(shape)}",
            fix=f"inputs={{{name!r}: (1, 80, None)}}",
        )
    found: list[int | Fraction] = []
    for size in shape:
        if size is None or (isinstance(size, str) and _GROWING.fullmatch(size)):
            found.append(_multiple(size or ""))
        else:
            found.append(whole_number(size, f"a size of {name!r}"))
    return tuple(found)


def _multiple(text: str) -> Fraction:
    """Return how many times the length a dimension is, by its name: "256*T", "T", "batch"."""
    match = _GROWING.fullmatch(text)
    return Fraction(max(1, int(match.group(1) or 1))) if match else Fraction(1)


def _constants(model: OnnxModel) -> tuple[set[str], set[str]]:
    """Return the values that no input reaches, and those that at most its shape reaches.

    Both are folded, the second ones at each length: initialisers, and what is made of them alone
    or of shapes.
    """
    fixed, folded = set(model.tensors), set(model.tensors)
    for node, reads in zip(model.nodes, model.reads, strict=True):
        kind = node.op_type
        if kind.startswith(("Random", "Bernoulli")):
            continue
        if kind in ("Shape", "Size") or folded.issuperset(reads):
            folded.update(name for name in node.output if name)
            if fixed.issuperset(reads):
                fixed.update(name for name in node.output if name)
    return fixed, folded


def parts(
    model: OnnxModel, output: str, sayable: Collection[str]
) -> Iterator[tuple[list[str], list[int]]]:
    """Yield the inputs of parts that end in an output, the largest part first.

    With each come the numbers of the nodes for which it is not larger.

    Going back from the output, the value that was made last is replaced by what it is made of, as
    long as its operator can be said.  Where one value is left, all of the model before it goes
    through that value: a part may begin there.  If everything can be said, the part is the model.
    """
    fixed, folded = _constants(model)
    fed = set(model.inputs)
    frontier = {output}
    # What was made last comes first.
    waiting = [(-model.makers.get(output, -1), output)]
    found: list[list[str]] = []
    cut: dict[str, int] = {}
    while frontier:
        last = waiting[0][1]
        number = model.makers.get(last)
        if number is None:
            break
        heappop(waiting)
        if not cut and len(frontier) == 1 and last != output:
            found.append([last])
        frontier.remove(last)
        node = model.nodes[number]
        if node.op_type not in sayable and last not in folded:
            cut[last] = number
            continue
        for name in model.reads[number]:
            if name not in fixed and name not in frontier:
                frontier.add(name)
                heappush(waiting, (-model.makers.get(name, -1), name))
    places = {name: place - len(model.inputs) for place, name in enumerate(model.inputs)}
    whole = sorted(
        frontier & fed | set(cut), key=lambda name: model.makers.get(name, places.get(name, 0))
    )
    before = sorted(set(cut.values()))
    if not cut:
        yield whole, before
    for names in found[: -_MOST_CANDIDATES - 1 : -1]:
        yield names, before
    if cut and whole != [output]:
        yield whole, before


def declared_sizes(model: OnnxModel, names: Sequence[str]) -> dict[str, Sizes]:
    """Return the shapes that a model declares for tensors, as far as it does; None: unknown."""
    found: dict[str, Sizes] = {}
    listed = (*model.proto.graph.input, *model.proto.graph.output, *model.proto.graph.value_info)
    for info in listed:
        sizes = _sizes(info) if info.name in names else None
        if sizes is not None:
            found[info.name] = sizes
    for name in names:
        sizes = found.get(name) or _from_neighbours(model, name)
        if sizes is not None:
            found[name] = sizes
    return found


def _sizes(info: Any) -> Sizes | None:
    kind = info.type.tensor_type
    if not kind.HasField("shape"):
        return None
    return tuple(
        int(each.dim_value)
        if each.HasField("dim_value") and each.dim_value > 0
        else _multiple(each.dim_param)
        for each in kind.shape.dim
    )


def input_sizes(model: OnnxModel, given: Mapping[str, Sizes | Fraction | None]) -> dict[str, Sizes]:
    """Return the sizes of a part's inputs: as the user wrote them, or as the model says."""
    names = [name for name, sizes in given.items() if not isinstance(sizes, tuple)]
    declared = declared_sizes(model, names)
    found: dict[str, Sizes] = {}
    for name, written in given.items():
        sizes = written if isinstance(written, tuple) else declared.get(name)
        if not sizes:
            raise ShapeError(
                "the shape of an input is not known",
                given=name,
                expected="its sizes, the time open",
                fix=f"inputs={{{name!r}: (1, 80, None)}}",
            )
        if isinstance(written, Fraction):
            if not any(isinstance(size, Fraction) for size in sizes):
                raise ShapeError(
                    "the model has fixed the length of this input",
                    given=f"inputs[{name!r}]='{written}*T', shape {tuple(map(int, sizes))}",
                    fix=f"inputs={{{name!r}: {_text((*sizes[:-1], written))}}}",
                )
            sizes = tuple(written if isinstance(size, Fraction) else size for size in sizes)
        found[name] = sizes
    return found


def with_multiple(
    model: OnnxModel, inputs: Mapping[str, Sequence[Shape]], name: str, ratio: Fraction
) -> str:
    """Return what to write for ``inputs``, so that one of them is so many times as long as it was.

    Parameters
    ----------
    model : OnnxModel
    inputs : mapping of str to shapes
        As they were, at two lengths.
    name : str
    ratio : Fraction
    """
    grown = {
        each: [b - a for a, b in zip(*shapes[:2], strict=True)] for each, shapes in inputs.items()
    }
    least = min(max(growth) for growth in grown.values() if any(growth))
    times = {each: Fraction(max(growth), least) for each, growth in grown.items()}
    times[name] *= ratio
    shortest = min(each for each in times.values() if each)
    declared = declared_sizes(model, list(inputs))
    texts = []
    for each, shapes in inputs.items():
        multiple = times[each] / shortest
        sizes = tuple(
            multiple if growth else size
            for size, growth in zip(shapes[0], grown[each], strict=True)
        )
        said = declared.get(each, ())
        is_open = any(isinstance(size, Fraction) for size in said)
        if multiple.denominator > 1:
            return ""
        text = _text(sizes)
        if said == sizes:
            text = "None"
        elif is_open and multiple:
            text = f"'{multiple}*T'"
        texts.append(f"{each!r}: {text}")
    return f"inputs={{{', '.join(texts)}}}"


def _text(sizes: Sizes) -> str:
    """Return sizes as they are written in Python."""
    words = [
        str(size) if isinstance(size, int) else "None" if size == 1 else f"'{size}*T'"
        for size in sizes
    ]
    return f"({', '.join(words)}{',' if len(words) == 1 else ''})"


def input_shapes(
    sizes: Mapping[str, Sizes], lengths: Sequence[int]
) -> dict[str, tuple[Shape, ...]]:
    """Return the shapes of a part's inputs at each of several lengths.

    Parameters
    ----------
    sizes : mapping of str to sizes
    lengths : sequence of int
        What the unknown dimension becomes; empty: the length that the model has fixed, which is
        an error where it has not.
    """
    return {name: _filled(name, each, lengths) for name, each in sizes.items()}


#: Operators that make a value of the shape that they read first.
_SHAPE_KEPT = frozenset(
    ("LeakyRelu", "Relu", "Elu", "Tanh", "Sigmoid", "Identity", "Dropout", "Mul", "Div", "Sub")
)


def _from_neighbours(model: OnnxModel, name: str) -> Sizes | None:
    """Return the shape that a convolution next to a tensor says.

    The one that makes it, or one that reads it, itself or behind activations.
    """
    maker = model.makers.get(name)
    while maker is not None:
        node = model.nodes[maker]
        if node.op_type not in _SHAPE_KEPT:
            found = _kernel_sizes(model, node)
            if found is not None:
                return (1, found[1], Fraction(1))
            break
        maker = model.makers.get(node.input[0]) if node.input else None
    names = {name}
    for node in model.nodes[model.makers.get(name, 0) :]:
        if not node.input or node.input[0] not in names:
            continue
        if node.op_type in _SHAPE_KEPT:
            names.update(node.output[:1])
        found = _kernel_sizes(model, node)
        if found is not None:
            return (1, found[0], Fraction(1))
    return None


def _kernel_sizes(model: OnnxModel, node: Any) -> tuple[int, int] | None:
    """Return input and output channels of a convolution along one axis; None for other nodes."""
    if node.op_type not in ("Conv", "ConvTranspose") or len(node.input) < 2:
        return None
    weight = model.tensors.get(node.input[1])
    if weight is None or len(weight.dims) != 3:
        return None
    group = max(1, next((each.i for each in node.attribute if each.name == "group"), 1))
    first, second = (whole_number(int(each), "channels") for each in weight.dims[:2])
    if node.op_type == "Conv":
        return second * group, first
    return first, second * group


def _filled(name: str, sizes: Sizes, lengths: Sequence[int]) -> tuple[Shape, ...]:
    open_axes = [axis for axis, size in enumerate(sizes) if isinstance(size, Fraction)]
    if open_axes[:1] == [0] and len(sizes) > 1:
        # The first axis is the batch.
        sizes = (1, *sizes[1:])
        open_axes = open_axes[1:]
    if len(open_axes) > 1:
        raise ShapeError(
            "several sizes of an input are open, and one of them is time",
            given=f"{name}, {len(open_axes)} of {len(sizes)} sizes",
            expected="one open size, the time",
            fix=f"inputs={{{name!r}: (1, 80, None)}}",
        )
    if not open_axes:
        fixed = tuple(int(each) for each in sizes)
        if not lengths:
            return (fixed,)
        return tuple(_stretched(fixed, length) for length in lengths)
    if not lengths:
        raise ShapeError(
            "the length of an input is open, so it takes two lengths to know what follows it",
            given=name,
        )
    (time,) = open_axes
    return tuple(
        tuple(int(size * length) if axis == time else int(size) for axis, size in enumerate(sizes))
        for length in lengths
    )


def _stretched(fixed: Shape, length: int) -> Shape:
    """Return a fixed shape at another length, time last; one without time stays as it is."""
    axis = len(fixed) - 1
    if len(fixed) < 2 or fixed[axis] == 1:
        return fixed
    return (*fixed[:axis], length)


def sample_rate_of(model: OnnxModel, place: Path, sample_rate: object) -> object:
    """Return the sample rate that was given, or that the model says.

    It stands in the file's metadata, or in the ``<file>.json`` that Piper puts beside a voice.
    """
    if sample_rate is not None:
        return sample_rate
    said = _beside(place.with_name(place.name + ".json"))
    said |= {each.key.lower(): each.value for each in model.proto.metadata_props}
    for key in ("sample_rate", "sampling_rate", "samplerate"):
        if key in said:
            try:
                return whole_number(int(float(said[key])), key)
            except (ValueError, TypeError, OverflowError):
                raise ShapeError(
                    "the sample rate in the file is no number",
                    given=shown(said[key]),
                    fix="sample_rate=22050",
                ) from None
    raise ShapeError(
        "the sample rate of the output is not known: the file does not say it",
        given="sample_rate=None",
        expected="the rate of the output in Hz",
        fix="sample_rate=22050",
    )


#: Letters of a configuration beside a model.
_LONGEST_BESIDE = 2**20


def _beside(place: Path) -> dict[str, Any]:
    """Return what a configuration beside the model says of its audio."""
    if not place.is_file() or place.stat().st_size > _LONGEST_BESIDE:
        return {}
    try:
        content = json.loads(place.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        return {}
    audio = content.get("audio") if isinstance(content, dict) else None
    return audio if isinstance(audio, dict) else {}
