"""Stacks as plain data: a versioned JSON file; :mod:`upsim.files.stackschema` is its schema.

A layer is an object with its ``type`` and the arguments that differ from the defaults.  A small
array is a nested list; a large one is ``{"shape": [...], "base64": "..."}`` of little-endian
float64.  Nothing is ever executed: unknown types and fields are refused, and sizes are checked
before memory is taken.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import fields
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np

from upsim.errors import (
    FileFormatError,
    TooLargeError,
    UnknownNameError,
    UpsimError,
)
from upsim.files.weightfile import Keeper, Tensors
from upsim.layers import CATALOGUE, Layer
from upsim.layers.base import said_fields
from upsim.layers.merging import NAMED_MERGINGS, Merging
from upsim.network.stack import Stack
from upsim.network.weights import NAMED, NUMBERED, Initialisation
from upsim.words.arguments import MEMORY_BUDGET, near_names

FORMAT, VERSION = "upsim-stack", 1

_LISTED_ENTRIES = 64

_FIELDS = {
    "format", "version", "name", "sample_rate", "in_channels", "layers", "names", "weights",
}  # fmt: skip


def stack_to_dict(stack: Stack, keeper: Keeper | None = None) -> dict[str, Any]:
    """Return a stack as plain data; a keeper takes the arrays out of it.

    Examples
    --------
    >>> from upsim.layers import Nearest
    >>> stack_to_dict(Stack([Nearest(2)], sample_rate=16000))["layers"]
    [{'type': 'Nearest', 'factor': 2}]
    """
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": stack.name,
        "sample_rate": rate_to_json(stack.sample_rate),
        "in_channels": stack.in_channels,
        "layers": [
            layer_to_dict(layer, keeper and keeper.inside(name))
            for name, layer in zip(stack.names, stack.layers, strict=True)
        ],
        **({"names": list(stack.names)} if stack.is_named else {}),
    }


def stack_from_dict(content: object, tensors: Tensors | None = None) -> Stack:
    """Return the stack of plain data, or say what is wrong with it and where.

    ``tensors`` holds the arrays that stand in a file of their own.
    """
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise FileFormatError(
            "this is not an upsim stack",
            given=f"format={content.get('format')!r}" if isinstance(content, dict) else "no object",
            expected=f'an object with "format": "{FORMAT}"',
        )
    refuse_other_version(content, "stack")
    unknown = set(content) - _FIELDS
    if unknown:
        raise FileFormatError("the stack has unknown fields", given=", ".join(sorted(unknown)))
    layers = content.get("layers")
    if not isinstance(layers, list) or "sample_rate" not in content:
        raise FileFormatError(
            "a stack needs layers and a sample rate",
            given=", ".join(content),
            expected='"layers": [...], "sample_rate": 16000',
        )
    try:
        placed = [
            _placed(layer, f"layer {n} of {len(layers)}", tensors)
            for n, layer in enumerate(layers, 1)
        ]
    except RecursionError:
        raise FileFormatError("the layers are nested too deeply", given="the stack file") from None
    names = content.get("names", [str(number) for number in range(1, len(placed) + 1)])
    if not isinstance(names, list) or len(names) != len(placed):
        raise FileFormatError(
            "names must list one name for each layer",
            given=f"names={names!r:.60}, {len(placed)} layers",
        )
    return Stack(
        list(zip(names, placed, strict=True)),
        exact_rate(content["sample_rate"]),
        in_channels=content.get("in_channels"),
        name=content.get("name", ""),
    )


def refuse_other_version(content: dict[str, Any], what: str) -> None:
    """Refuse data that another version of upsim wrote."""
    if content.get("version") != VERSION:
        raise FileFormatError(
            f"this {what} file is of another version",
            given=f"version {content.get('version')!r}",
            expected=f"version {VERSION}",
            fix="install the version of upsim that wrote it, and write it again",
        )


def layer_to_dict(layer: Layer, keeper: Keeper | None = None) -> dict[str, Any]:
    """Return a layer as plain data: its type, and what differs from the defaults."""
    if isinstance(layer, Merging):
        return {"type": type(layer).__name__}
    if CATALOGUE.get(type(layer).__name__) is not type(layer):
        raise UnknownNameError(
            "only layers of the catalogue can be written",
            given=type(layer).__name__,
            fix="add the class to upsim.layers.CATALOGUE",
        )
    return {
        "type": type(layer).__name__,
        **{
            name: encoded(value, keeper and keeper.inside(name))
            for name, value in layer.to_fields().items()
        },
    }


def _placed(content: object, place: str, tensors: Tensors | None) -> Layer:
    try:
        return layer_from_dict(content, tensors)
    except UpsimError as error:
        raise error.at(place) from None


def layer_from_dict(content: object, tensors: Tensors | None = None) -> Layer:
    """Return the layer of plain data."""
    if not isinstance(content, dict) or not isinstance(content.get("type"), str):
        raise FileFormatError("a layer is an object with a type", given=f"{content!r:.60}")
    if content["type"] in NAMED_MERGINGS:
        return NAMED_MERGINGS[content["type"]]
    kind = CATALOGUE.get(content["type"])
    if kind is None:
        near = near_names(content["type"], CATALOGUE).replace("'", '"')
        raise UnknownNameError(
            "unknown layer",
            given=f"{content['type']!r:.60}",
            expected=", ".join(CATALOGUE),
            fix=f'"type": {near}' if near else "",
        )
    values = {key: decoded(value, tensors) for key, value in content.items() if key != "type"}
    known = {item.name for item in said_fields(kind)}
    positional: Any = ()
    if "branches" in known:
        positional = values.pop("branches", ())
    elif "layers" in known:
        positional = (values.pop("layers", ()),)
    layer = made(kind, values, positional)
    assert isinstance(layer, Layer)
    return layer


def made(kind: Any, values: dict[str, Any], positional: Any = ()) -> Any:
    """Return a layer or signal of its fields; unknown ones are refused."""
    known = {item.name for item in fields(kind) if item.compare}
    unknown = set(values) - known
    if unknown:
        raise FileFormatError(
            f"{kind.__name__} has no such field",
            given=", ".join(sorted(unknown)),
            expected=", ".join(sorted(known)) or "none",
        )
    try:
        return kind(*positional, **values)
    except UpsimError:
        raise
    except (TypeError, ValueError) as error:
        raise FileFormatError(f"{kind.__name__} cannot be made", given=str(error)) from None


def encoded(value: object, keeper: Keeper | None = None) -> Any:
    """Return a field's value as JSON can carry it; a keeper takes its arrays."""
    if isinstance(value, np.ndarray):
        if keeper is not None:
            return keeper.put(value)
        if value.size <= _LISTED_ENTRIES:
            return value.tolist()
        raw = np.ascontiguousarray(value, dtype="<f8").tobytes()
        return {"shape": list(value.shape), "base64": base64.b64encode(raw).decode("ascii")}
    if isinstance(value, Layer):
        return layer_to_dict(value, keeper)
    if isinstance(value, tuple):
        return [
            encoded(each, keeper and keeper.inside(str(number)))
            for number, each in enumerate(value, 1)
        ]
    if isinstance(value, Fraction):
        return rate_to_json(value)
    if isinstance(value, Initialisation):
        for name, known in NAMED.items():
            if known == value:
                return name
        for name, (kind, field) in NUMBERED.items():
            if type(value) is kind:
                return {name: getattr(value, field)}
        numbered = [
            f"upsim.network.weights.{kind.__name__}({field})" for kind, field in NUMBERED.values()
        ]
        raise UnknownNameError(
            "only initialisations of upsim can be written",
            given=f"weight={value!r:.60}",
            expected=", ".join([*map(repr, NAMED), *numbered]),
            fix="stack.draw(seed=0), which writes numbers",
        )
    return value


def decoded(value: object, tensors: Tensors | None = None) -> Any:
    """Return the value of a field as it was before :func:`encoded`."""
    if isinstance(value, list):
        if value and all(isinstance(each, dict) for each in value):
            return tuple(
                _placed(each, f"part {number}", tensors) for number, each in enumerate(value, 1)
            )
        if any(isinstance(each, list | dict) for each in value):
            found = tuple(decoded(each, tensors) for each in value)
            # Numbers in nested lists are an array, and stay lists; the rest are tuples.
            return value if _holds_numbers(found) else found
        return value
    if isinstance(value, dict):
        if set(value) == {"shape", "base64"}:
            return _array(value["shape"], value["base64"])
        if set(value) == {"tensor"}:
            return _tensor(value["tensor"], tensors)
        for name, (kind, field) in NUMBERED.items():
            if set(value) == {name}:
                return kind(**{field: value[name]})
        if "type" in value:
            return layer_from_dict(value, tensors)
        raise FileFormatError("unknown kind of value", given=f"{value!r:.60}")
    return value


def _holds_numbers(values: object) -> bool:
    if isinstance(values, list | tuple):
        return all(map(_holds_numbers, values))
    return isinstance(values, int | float)


def _tensor(name: object, tensors: Tensors | None) -> Any:
    if tensors is None:
        raise FileFormatError(
            "an array stands in a file of weights, and none is named",
            given=f"tensor {name!r:.60}",
            expected='"weights": "model.safetensors" in the JSON file',
        )
    return tensors.get(name)


def _array(shape: object, text: object) -> Any:
    if (
        not isinstance(shape, list)
        or not all(isinstance(size, int) and size >= 0 for size in shape)
        or not isinstance(text, str)
    ):
        raise FileFormatError("an array needs a shape and base64", given=f"shape {shape!r:.40}")
    count = prod(shape)
    if count * 8 > MEMORY_BUDGET:
        raise TooLargeError(
            "an array of the file is too large", given=f"shape {shape}", expected="at most 2 GiB"
        )
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise FileFormatError("an array is not base64", given=f"shape {shape}") from None
    if len(raw) != count * 8:
        raise FileFormatError(
            "an array has not the bytes that its shape asks for",
            given=f"{len(raw)} bytes, shape {shape}",
            expected=f"{count * 8} bytes",
        )
    return np.frombuffer(raw, dtype="<f8").reshape(shape)


def rate_to_json(value: Fraction) -> int | str:
    """Return a rate or frequency as JSON carries it: exact."""
    return int(value) if value.denominator == 1 else str(value)


def exact_rate(value: object) -> object:
    """Return a number of Hz; an exact fraction is written as a string, ``"881/2"``."""
    if not isinstance(value, str):
        return value
    try:
        # Fraction("1e999999999") would count to the end of its zeros: no exponents here.
        if not re.fullmatch(r"\d{1,40}(/\d{1,40}|\.\d{1,40})?", value):
            raise ValueError(value)
        return Fraction(value)
    except (ValueError, ZeroDivisionError):
        raise FileFormatError(
            "this is not a frequency or rate", given=f"{value!r:.40}", expected='16000, or "881/2"'
        ) from None


def no_constant(name: str) -> float:
    """Refuse NaN and infinities, which are no JSON."""
    raise FileFormatError("JSON has no such number", given=name, expected="finite numbers")
