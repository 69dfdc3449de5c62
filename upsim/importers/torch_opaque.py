"""What no layer says: an operation or a module kept as it is, with a function that runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import ismethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upsim.errors import NotPredictableError
from upsim.importers.torch_recorder import Operation, Recorder
from upsim.words.arguments import shown

_Array = NDArray[np.float64]


class _Rerun:
    """A function of arrays: a call of torch, with other tensors in the places of its values."""

    def __init__(self, torch: Any, call: Callable[..., Any], given: Any, number: int) -> None:
        self.torch, self.call, self.given, self.number = torch, call, given, number
        # An operation is a function; a module is called by its method forward.
        self.is_module = ismethod(call)

    def __call__(self, *arrays: _Array) -> _Array:
        """Return one output for the values that are read."""
        tensors = [self.torch.tensor(np.ascontiguousarray(array)) for array in arrays]
        args, kwargs = _filled(self.given, iter(tensors))
        precision = self.torch.get_default_dtype()
        self.torch.set_default_dtype(self.torch.float64)
        try:
            with self.torch.no_grad():
                made = leaves(self.torch, self.call(*args, **kwargs))
        finally:
            self.torch.set_default_dtype(precision)
        return np.asarray(made[self.number].numpy(), dtype=np.float64)


class _Hole:
    """The place of a value among the arguments of a call."""


def _filled(nested: Any, tensors: Any) -> Any:
    if isinstance(nested, _Hole):
        return next(tensors)
    if isinstance(nested, tuple) and hasattr(nested, "_fields"):
        return type(nested)(*(_filled(each, tensors) for each in nested))
    if isinstance(nested, list | tuple):
        return type(nested)(_filled(each, tensors) for each in nested)
    if isinstance(nested, dict):
        return {key: _filled(each, tensors) for key, each in nested.items()}
    return nested


def leaves(torch: Any, nested: Any) -> list[Any]:
    """Return all tensors in what a call returns, in their order."""
    if isinstance(nested, torch.Tensor):
        return [nested]
    if isinstance(nested, Mapping):
        nested = list(nested.values())
    if isinstance(nested, list | tuple):
        return [tensor for each in nested for tensor in leaves(torch, each)]
    return []


def _opened(recorder: Recorder, nested: Any, reads: list[str], fixed: list[Any]) -> Any:
    """Return arguments with holes for values; note the values, and what stays as it is."""
    if isinstance(nested, recorder.torch.Tensor):
        if recorder.is_value(nested):
            reads.append(str(recorder.read(nested)))
            return _Hole()
        kept = nested.detach().clone()
        fixed.append(tuple(kept.shape))
        return kept
    if isinstance(nested, tuple) and hasattr(nested, "_fields"):
        return type(nested)(*(_opened(recorder, each, reads, fixed) for each in nested))
    if isinstance(nested, list | tuple):
        return type(nested)(_opened(recorder, each, reads, fixed) for each in nested)
    if isinstance(nested, dict):
        return {key: _opened(recorder, each, reads, fixed) for key, each in nested.items()}
    fixed.append(repr(nested))
    return nested


def opaque_call(
    recorder: Recorder,
    call: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    made: Sequence[Any],
    words: tuple[str, str],
) -> list[str | None]:
    """Write down a call as one opaque step for each tensor that it makes.

    Parameters
    ----------
    recorder : Recorder
    call : callable
    args, kwargs
        Its arguments, tensors among them.
    made : sequence of tensor
    words : tuple of str
        What it is, and why no layer says it.
    """
    reads: list[str] = []
    fixed: list[Any] = []
    given = _opened(recorder, (tuple(args), dict(kwargs)), reads, fixed)
    found: list[str | None] = []
    for number, each in enumerate(made):
        if each.is_complex():
            raise NotPredictableError(
                "an opaque part of the module makes complex numbers", given=words[0]
            )
        fields = {
            "type": words[0],
            "reason": words[1],
            "run": _Rerun(recorder.torch, call, given, number),
            # Compared between the two recorded lengths: a call whose arguments depend on the length
            # cannot be run at another.
            "fixed": tuple(fixed),
        }
        found.append(recorder.emit(words[0], "opaque", reads, tuple(each.shape), **fields))
    return found


def opaque_operation(
    recorder: Recorder, operation: Operation, reason: str = "no layer says this operation"
) -> list[str | None]:
    """Write down one operation of torch as it is.

    An operation that only looks at a tensor in another way is read from the tensor's memory.
    """
    function = operation.function
    if function.is_view:
        placed = [recorder.values.placed(each) for each in operation.made]
        if None not in placed:
            return placed
    names = [each.name for each in function._schema.arguments]
    args = [operation.given[name] for name in names if name in operation.given]
    only = [each for each in function._schema.arguments if each.kwarg_only]
    count = len(names) - len(only)
    kwargs = {each.name: operation.given[each.name] for each in only}
    return opaque_call(
        recorder, function, args[:count], kwargs, operation.made, (operation.name, reason)
    )


# ---------------------------------------------------------------------- modules

#: Modules that are one node each, and why.
_STATE = "it has a state"
_ALL_TIME = "it takes all samples of time together"
_MODULES = {
    "RNNBase": _STATE,
    "RNNCellBase": _STATE,
    "MultiheadAttention": _ALL_TIME,
    "TransformerEncoderLayer": _ALL_TIME,
    "TransformerDecoderLayer": _ALL_TIME,
}


def opaque_modules(torch: Any, module: Any, named: Sequence[str]) -> dict[str, tuple[Any, str]]:
    """Return the modules that are one node each, by path, with the reason.

    Parameters
    ----------
    torch : module
    module : torch.nn.Module
    named : sequence of str
        Paths that the user chose.
    """
    homes = (torch.nn, torch.nn.modules.rnn)
    known = {
        getattr(home, name): why
        for name, why in _MODULES.items()
        for home in homes
        if hasattr(home, name)
    }
    found: dict[str, tuple[Any, str]] = {}
    for path, each in module.named_modules():
        why = next((why for kind, why in known.items() if isinstance(each, kind)), None)
        if path in named:
            why = "it was chosen as one node"
        if why is not None and not any(path.startswith(f"{outer}.") for outer in found):
            found[path] = (each, why)
    return found


def wrapped(recorder: Recorder, module: Any, why: str) -> Callable[..., Any]:
    """Return the forward of a module that is recorded as one node."""
    original = module.forward
    kind = type(module).__name__

    def forward(*args: Any, **kwargs: Any) -> Any:
        if recorder.is_asleep:
            return original(*args, **kwargs)
        torch = recorder.torch
        given = leaves(torch, (args, kwargs))
        if not any(map(recorder.is_value, given)):
            return original(*args, **kwargs)
        with recorder.asleep():
            made = original(*args, **kwargs)
        with recorder.own_errors():
            tensors = leaves(torch, made)
            if not tensors:
                raise NotPredictableError(
                    "a module that is one node returns no tensor", given=shown(made)
                )
            found = opaque_call(recorder, original, args, kwargs, tensors, (kind, why))
            for tensor, value in zip(tensors, found, strict=True):
                if value is not None:
                    recorder.values.bind(tensor, value)
        return made

    return forward
