"""The commands, each in a file of its own family."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from upsim.cli.aliasing import aliasing
from upsim.cli.comparing import compare, inspect
from upsim.cli.explaining import explain
from upsim.cli.listing import models, schema
from upsim.cli.measuring import measure
from upsim.cli.model_options import with_model_options
from upsim.cli.predicting import predict
from upsim.cli.reporting import boundaries, context, cost, lengths, overlap, replicas
from upsim.cli.verifying import verify

app = typer.Typer(
    name="upsim",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain text: boxes cost more than all the rest, and narrow the columns
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

COMMANDS = (
    predict,
    explain,
    measure,
    verify,
    compare,
    inspect,
    overlap,
    replicas,
    boundaries,
    lengths,
    context,
    aliasing,
    cost,
    models,
    schema,
)
_NAMED = {each.__name__: with_model_options(each) for each in COMMANDS}
for command in _NAMED.values():
    app.command()(command)


def command_of(typed: Sequence[str]) -> Callable[..., Any] | None:
    """Return the command that was typed, None if none was."""
    name = next((each for each in typed if not each.startswith("-")), "")
    return _NAMED.get(name)


def _version(asked: bool) -> None:
    if asked:
        import upsim

        print(f"upsim {upsim.__version__}")
        raise typer.Exit


@app.callback()
def upsim_command(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Predict in closed form what the upsampling layers of a neural audio network do to a spectrum.

    STACK is the name of a model (see: upsim models), or the path of a stack file, of an ONNX file
    or of a model's configuration.

    \b
    Examples:
      upsim models
      upsim predict melgan --signal constant
      upsim explain hifigan-v1 --freq 689.06
      upsim predict voice.onnx --inputs /Mul_7_output_0 --sample-rate 22050 --signal silence
    """  # noqa: D301 - the backspace keeps the lines below it as they are
