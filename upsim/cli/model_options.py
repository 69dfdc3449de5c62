"""Options that every command on a model takes: which part of an ONNX file, and at which rate.

They belong to the file and not to the question, so no command lists them itself.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Annotated, Any

import typer

from upsim.errors import ArgumentError

_TYPED: ContextVar[Mapping[str, Any]] = ContextVar("typed", default={})  # noqa: B039 - never changed

#: The arguments of commands that name a model.
_MODELS = ("stack", "first", "second")

_OPTIONS = {
    "inputs": Annotated[
        str | None,
        typer.Option(
            "--inputs",
            metavar="NAME,NAME,...",
            help="ONNX: tensors at which the part begins. NAME=4T is 4 times as long as another, "
            "NAME=1x80xT has this shape. Default: the last part that can be said.",
        ),
    ],
    "outputs": Annotated[
        str | None,
        typer.Option("--outputs", metavar="NAME", help="ONNX: the tensor at which it ends."),
    ],
    "follow": Annotated[
        int | None,
        typer.Option(
            "--follow",
            metavar="N",
            help="ONNX: samples of the input at which the model is followed. Default: 24 or more.",
        ),
    ],
    "sample_rate": Annotated[
        str | None,
        typer.Option(
            "--sample-rate",
            metavar="HZ",
            help="ONNX or a configuration: sample rate of the output. Default: what the file says.",
        ),
    ],
}


def with_model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Return a command with the options of a model, if it takes one."""
    signature = inspect.signature(command, eval_str=True)
    models = [name for name in _MODELS if name in signature.parameters]
    if not models:
        return command

    def run(**arguments: Any) -> Any:
        given = {name: arguments.pop(name) for name in _OPTIONS}
        typed = {name: value for name, value in given.items() if value is not None}
        texts = [str(arguments[name]) for name in models]
        if typed and not _has_parts(texts, typed):
            raise ArgumentError(
                "only an ONNX file has a part that can be chosen",
                given=f"{' '.join(texts)} with --{next(iter(typed)).replace('_', '-')}",
                fix="leave it out",
            )
        token = _TYPED.set(typed)
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


def _has_parts(texts: Sequence[str], typed: Mapping[str, Any]) -> bool:
    """Tell whether the options can belong to one of the files: a configuration has a rate only."""
    if any(text.lower().endswith(".onnx") for text in texts):
        return True
    from upsim.importers.configfile import is_config

    return set(typed) <= {"sample_rate"} and any(map(is_config, texts))


#: The options by the arguments of ``from_onnx``.
BY_ARGUMENT = {
    "inputs": "--inputs",
    "outputs": "--outputs",
    "sample_rate": "--sample-rate",
    "length": "--follow",
}


def model_options() -> Mapping[str, Any]:
    """Return the options of the model that were typed, by name."""
    return _TYPED.get()
