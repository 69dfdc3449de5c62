"""``upsim models`` and ``upsim schema``: what can be named, and how it is written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from upsim.cli.options import JsonOption, OverwriteOption


def models(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Print this model's stack file.")
    ] = None,
    write: Annotated[
        Path | None, typer.Option("--write", metavar="FILE", help="Write the stack file here.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", metavar="N", min=0, help="Draw the weights before writing."),
    ] = None,
    as_json: JsonOption = False,
    overwrite: OverwriteOption = False,
) -> None:
    """List the named models, or print one as a stack file.

    upsim models fig7 --write stack.json writes a file to edit and to predict.
    """
    from upsim.cli.inputs import named_model
    from upsim.cli.printing import answer, answer_json, note
    from upsim.errors import ArgumentError
    from upsim.files.graphfile import network_to_dict
    from upsim.files.networkfile import save_stack
    from upsim.files.paths import refuse_output
    from upsim.models import NAMES, build, describe
    from upsim.show.tables import text_table
    from upsim.theory.reports.cost import cost
    from upsim.words.units import format_hertz

    if name is not None:
        if write is not None:
            refuse_output(write, overwrite=overwrite)
        stack = named_model(name, "there is no model of this name")
        stack = stack if seed is None else stack.draw(seed)
        if write is None:
            answer_json(network_to_dict(stack))
            return
        save_stack(stack, write, overwrite=overwrite)
        note(f"stack file written to {write}")
        return
    if write is not None or seed is not None:
        raise ArgumentError(
            "the model that is to be written needs a name",
            given="no name",
            fix=f"upsim models fig7 --write {write or 'stack.json'}",
        )
    found = [(each, build(each)) for each in NAMES]
    if as_json:
        answer_json(
            [
                {
                    "name": each,
                    "description": describe(each),
                    "sample_rate": float(stack.sample_rate),
                    "input_rate": float(stack.input_rate),
                    "parameters": cost(stack).parameters,
                }
                for each, stack in found
            ]
        )
        return
    rows = [
        [each, format_hertz(stack.input_rate), format_hertz(stack.sample_rate), describe(each)]
        for each, stack in found
    ]
    answer(text_table(["name", "from", "to", "what it is"], rows))


def schema() -> None:
    """Print the JSON Schema of a stack file."""
    from upsim.cli.printing import answer_json
    from upsim.files.stackschema import schema as stack_schema

    answer_json(stack_schema())
