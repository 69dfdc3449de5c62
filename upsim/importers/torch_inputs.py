"""What the user says that a module of torch takes: shapes, tensors, paths."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from upsim.errors import ArgumentError, ArgumentTypeError, ShapeError, UnknownNameError
from upsim.importers.recording import Shape
from upsim.importers.torch_copy import torch_package
from upsim.words.arguments import near_names, refuse_beyond_memory, shown, whole_number


@dataclass(frozen=True)
class Given:
    """One argument of forward: a shape to fill, a tensor, or anything else as it is."""

    name: str
    shape: Shape | None = None
    value: Any = None

    @property
    def is_tensor(self) -> bool:
        """Whether it holds numbers of the user's own."""
        return self.shape is not None and self.value is not None

    @property
    def is_signal(self) -> bool:
        """Whether it holds real numbers that may change with time."""
        return self.shape is not None and (self.value is None or self.value.is_floating_point())


def given_inputs(torch: Any, module: Any, given: object) -> list[Given]:
    """Return the arguments of forward that the user describes."""
    names = parameter_names(module)
    if isinstance(given, Mapping):
        pairs = [(str(key), value) for key, value in given.items()]
    else:
        is_one = isinstance(given, torch.Tensor) or _is_shape(given)
        listed = [given] if is_one else given
        if not isinstance(listed, list | tuple) or not listed:
            raise ArgumentTypeError(
                "input must say what the module takes",
                given=f"input={shown(given)}",
                expected="a shape, a tensor, or a list or dict of them",
                fix="input=(1, 80, 32)",
            )
        pairs = [
            (names[number] if number < len(names) else f"input{number + 1}", value)
            for number, value in enumerate(listed)
        ]
    found = [_one_given(torch, name, value) for name, value in pairs]
    if isinstance(given, Mapping):
        unknown = [each.name for each in found if names and each.name not in names]
        if unknown and not _takes_anything(module):
            raise UnknownNameError(
                "forward has no argument of this name",
                given=repr(unknown[0]),
                expected=", ".join(names),
                fix=near_names(unknown[0], names),
            )
    if not any(each.is_signal for each in found):
        raise ArgumentError(
            "no input is a signal",
            given=f"input={shown(given)}",
            expected="at least one shape, or a tensor of real numbers",
            fix="input=(1, 80, 32); for codes, the part of the module behind its embedding",
        )
    return found


def _is_shape(value: object) -> bool:
    return (
        isinstance(value, list | tuple)
        and bool(value)
        and all(isinstance(each, int) and not isinstance(each, bool) for each in value)
    )


def _one_given(torch: Any, name: str, value: Any) -> Given:
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        value = torch.tensor(value)
    if isinstance(value, torch.Tensor):
        if value.is_complex():
            raise ArgumentTypeError(
                "an input is complex", given=f"{name} of {value.dtype}", expected="real numbers"
            )
        shape = tuple(value.shape)
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise ArgumentError("an input must be finite", given=name)
        kept = value.detach().to("cpu", torch.float64 if value.is_floating_point() else None)
    elif _is_shape(value):
        shape, kept = tuple(int(each) for each in value), None
        for size in shape:
            whole_number(size, f"a size of the input {name!r}")
        refuse_beyond_memory(prod(shape), f"the input {name!r}", fix="a shorter one: (1, 80, 32)")
        if len(shape) < 2:
            raise ShapeError(
                "an input has a batch axis and a time axis at least",
                given=f"{name}: {shape}",
                expected="(1, channels, time) or (1, time)",
                fix=f"(1, {shape[0]})",
            )
    else:
        return Given(name, None, value)
    if len(shape) > 1 and shape[0] != 1:
        raise ShapeError(
            "the first axis is the batch, and a graph has a batch of one",
            given=f"{name} of shape {shape}",
            expected=f"(1, {', '.join(map(str, shape[1:]))})",
            fix=f"(1, {', '.join(map(str, shape[1:]))}), or (1, {', '.join(map(str, shape))})",
        )
    return Given(name, shape, kept)


def _signature(module: Any) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(module.forward).parameters.values())
    except (TypeError, ValueError):
        return []


def parameter_names(module: Any) -> list[str]:
    """Return the names of what forward takes."""
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [each.name for each in _signature(module) if each.kind not in variable]


def _takes_anything(module: Any) -> bool:
    return any(each.kind is inspect.Parameter.VAR_KEYWORD for each in _signature(module))


def opaque_paths(module: Any, given: object) -> tuple[str, ...]:
    """Return the paths of modules that the user wants as one node each."""
    listed = [given] if isinstance(given, str) else given
    if not isinstance(listed, list | tuple) or not all(isinstance(each, str) for each in listed):
        raise ArgumentTypeError(
            "opaque names modules by their paths",
            given=f"opaque={shown(given)}",
            expected="a list of paths",
            fix='opaque=["decoder.lstm"]',
        )
    known = {path for path, _ in module.named_modules() if path}
    for each in listed:
        if each not in known:
            raise UnknownNameError(
                "the module has no part of this path",
                given=repr(each),
                expected="a path as module.named_modules() gives it",
                fix=near_names(each, known),
            )
        scripted = [
            path
            for path, part in module.named_modules()
            if each.startswith(f"{path}." if path else "")
            and path != each
            and isinstance(part, torch_package().jit.ScriptModule)
        ]
        if scripted:
            raise ArgumentError(
                "a part of a scripted module cannot be one node",
                given=repr(each),
                expected="a part of a module of Python",
                fix=f"opaque=[{scripted[0]!r}]" if scripted[0] else "the module before scripting",
            )
    return tuple(listed)
