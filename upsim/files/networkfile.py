"""Files of networks: read and written, never executed."""

from __future__ import annotations

import json
from pathlib import Path

from upsim.errors import FileFormatError, TooLargeError, UpsimError
from upsim.files.graphfile import network_from_dict, network_to_dict
from upsim.files.paths import existing_file, refuse_output, write_output
from upsim.files.stackfile import no_constant
from upsim.network.graph import Graph, needs_network
from upsim.words.arguments import on_or_off

#: Larger files are refused before they are read; weights of 40 million numbers still fit.
LARGEST_FILE = 512 * 2**20


def load_stack(path: str | Path) -> Graph:
    """Read the file of a stack or a graph."""
    path = existing_file(path, "stack file")
    size = path.stat().st_size
    if size > LARGEST_FILE:
        raise TooLargeError(
            "the stack file is too large",
            given=f"{size / 2**20:.0f} MiB in {path}",
            expected=f"at most {LARGEST_FILE / 2**20:.0f} MiB",
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"), parse_constant=no_constant)
    except UpsimError as error:
        raise error.at(str(path)) from None
    except (OSError, ValueError, RecursionError) as error:
        raise FileFormatError(
            "this is not a JSON file that can be read",
            given=f"{path}: {error}",
            expected="a stack file as upsim.save_stack writes it",
        ) from None
    try:
        return network_from_dict(content)
    except UpsimError as error:
        raise error.at(str(path)) from None


def save_stack(stack: Graph, path: str | Path, *, overwrite: bool = False) -> None:
    """Write the file of a stack or a graph; an existing one is kept unless ``overwrite``."""
    needs_network(stack, "save_stack")
    on_or_off(overwrite, "overwrite")
    path = refuse_output(path, overwrite=overwrite)
    text = json.dumps(network_to_dict(stack), indent=1) + "\n"
    write_output(path, text.encode(), overwrite=overwrite)
