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
        int | None, typer.Option("--seed", min=0, help="Draw the weights before writing.")
    ] = None,
    as_json: JsonOption = False,
    overwrite: OverwriteOption = False,
) -> None:
    """List the named models, or print one as a stack file: upsim models fig7 > stack.json."""
    from upsim.cli.inputs import refuse_missing
    from upsim.cli.printing import answer, answer_json, note
    from upsim.errors import ArgumentError
    from upsim.files.networkfile import save_stack
    from upsim.files.stackfile import stack_to_dict
    from upsim.models import NAMES, build, describe
    from upsim.show.tables import text_table
    from upsim.theory.reports.cost import cost
    from upsim.words.units import format_hertz

    if name is not None:
        stack = build(name) if seed is None else build(name).draw(seed)
        if write is None:
            answer_json(stack_to_dict(stack))
            return
        refuse_missing(write)
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
