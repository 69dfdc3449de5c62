"""Files of networks: read and written, never executed."""

from __future__ import annotations

import json
from pathlib import Path

from upsim.errors import (
    ArgumentError,
    ArgumentTypeError,
    FileFormatError,
    OutputExistsError,
    TooLargeError,
    UpsimError,
)
from upsim.files.graphfile import network_from_dict, network_to_dict
from upsim.files.stackfile import no_constant
from upsim.network.graph import Graph
from upsim.words.arguments import path_of

#: Larger files are refused before they are read; weights of 40 million numbers still fit.
LARGEST_FILE = 512 * 2**20


def load_stack(path: str | Path) -> Graph:
    """Read the file of a stack or a graph."""
    path = path_of(path)
    if not path.is_file():
        raise FileFormatError("there is no such stack file", given=str(path), fix="check the path")
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
    except (ValueError, RecursionError) as error:
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
    if not isinstance(stack, Graph):
        raise ArgumentTypeError(
            "only a Stack or a Graph can be saved",
            given=f"{stack!r:.60}",
            expected="save_stack(stack, path)",
            fix="upsim.Stack([...], sample_rate=16000)",
        )
    write_text(path, json.dumps(network_to_dict(stack), indent=1) + "\n", overwrite=overwrite)


def write_text(path: str | Path, text: str, *, overwrite: bool = False) -> None:
    """Write a text file; an existing file is kept unless ``overwrite`` is true."""
    path = path_of(path)
    try:
        with path.open("w" if overwrite else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise OutputExistsError(
            "the output file exists and is kept", given=str(path), fix="another name, or overwrite"
        ) from None
    except OSError as error:
        raise ArgumentError(
            "the output file cannot be written", given=f"{path}: {error.strerror}"
        ) from None
