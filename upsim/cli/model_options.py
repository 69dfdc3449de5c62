"""Options that every command on a model takes: which part of an ONNX file, and at which rate.

They belong to the file and not to the question, so no command lists them itself.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Annotated, Any

import typer

_TYPED: ContextVar[Mapping[str, str]] = ContextVar("typed", default={})  # noqa: B039 - never changed

_OPTIONS = {
    "inputs": Annotated[
        str | None,
        typer.Option(
            "--inputs",
            metavar="NAME,NAME,...",
            help="ONNX: tensors at which the part begins. Default: the last part that can be said.",
        ),
    ],
    "outputs": Annotated[
        str | None,
        typer.Option("--outputs", metavar="NAME", help="ONNX: the tensor at which it ends."),
    ],
    "sample_rate": Annotated[
        str | None,
        typer.Option(
            "--sample-rate",
            metavar="HZ",
            help="ONNX: sample rate of the output. Default: what the file says.",
        ),
    ],
}


def with_model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Return a command with the options of a model, if it takes one."""
    signature = inspect.signature(command, eval_str=True)
    if "stack" not in signature.parameters:
        return command

    def run(**arguments: Any) -> Any:
        typed = {name: arguments.pop(name) for name in _OPTIONS}
        token = _TYPED.set({name: value for name, value in typed.items() if value is not None})
        try:
            return command(**arguments)
        finally:
            _TYPED.reset(token)

    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in _OPTIONS.items()
    ]
    known = signature.parameters.values()
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__annotations__ = {each.name: each.annotation for each in (*known, *added)}
    run.__signature__ = signature.replace(parameters=[*known, *added])  # type: ignore[attr-defined]
    return run


def model_options() -> Mapping[str, str]:
    """Return the options of the model that were typed, by name."""
    return _TYPED.get()
