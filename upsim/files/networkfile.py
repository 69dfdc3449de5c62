"""Files of networks: read and written, never executed."""

from __future__ import annotations

import json
from pathlib import Path

from upsim.errors import FileFormatError, TooLargeError, UpsimError
from upsim.files.graphfile import network_from_dict, network_to_dict
from upsim.files.jsontext import json_fault
from upsim.files.paths import existing_file, refuse_output, write_file, write_output
from upsim.files.stackfile import no_constant
from upsim.files.weightfile import Keeper, output_beside, read_tensors
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
        content = json.loads(path.read_text(encoding="utf-8-sig"), parse_constant=no_constant)
    except UpsimError as error:
        raise error.at(str(path)) from None
    except (OSError, ValueError, RecursionError) as error:
        raise FileFormatError(
            "this is not a JSON file that can be read",
            given=f"{path}: {json_fault(error)}",
            expected="a stack file as upsim.save_stack writes it, or a configuration of a model",
        ) from None
    try:
        named = isinstance(content, dict) and content.get("weights") is not None
        tensors = read_tensors(path, content["weights"]) if named else None
        return network_from_dict(content, tensors)
    except UpsimError as error:
        raise error.at(str(path)) from None


def save_stack(
    stack: Graph,
    path: str | Path,
    *,
    weights: str | Path | None = None,
    overwrite: bool = False,
) -> None:
    """Write the file of a stack or a graph; existing files are kept unless ``overwrite``.

    Parameters
    ----------
    stack : Stack or Graph
    path : str or Path
        Of the JSON file.
    weights : str or Path, optional
        Name of a second file beside it, which takes all arrays in the safetensors format, by
        node and field: ``"ups.0.weight"``.  Without it the arrays stand in the JSON file.
    overwrite : bool
    """
    needs_network(stack, "save_stack")
    on_or_off(overwrite, "overwrite")
    path = refuse_output(path, overwrite=overwrite)
    if weights is None:
        write_output(path, _text(network_to_dict(stack)), overwrite=overwrite)
        return
    place = refuse_output(output_beside(path, weights), overwrite=overwrite)
    keeper = Keeper()
    content = network_to_dict(stack, keeper) | {"weights": place.name}
    is_new = not place.exists()
    write_file(place, keeper.write, overwrite=overwrite)
    try:
        write_output(path, _text(content), overwrite=overwrite)
    except UpsimError:
        if is_new:
            place.unlink(missing_ok=True)
        raise


def _text(content: object) -> bytes:
    return (json.dumps(content, indent=1) + "\n").encode()
