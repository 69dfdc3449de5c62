"""Networks as plain data: a graph's named nodes, or a stack's layers, whichever it is."""

from __future__ import annotations

from typing import Any

from upsim.errors import FileFormatError, UpsimError
from upsim.files.signalfile import signal_from_dict, signal_to_dict
from upsim.files.stackfile import (
    VERSION,
    exact_rate,
    layer_from_dict,
    layer_to_dict,
    rate_to_json,
    refuse_other_version,
    stack_from_dict,
    stack_to_dict,
)
from upsim.files.weightfile import Keeper, Tensors
from upsim.network.graph import Graph
from upsim.network.node import Input
from upsim.network.stack import Stack

FORMAT = "upsim-graph"

_FIELDS = {
    "format", "version", "name", "sample_rate", "inputs", "nodes", "output", "notes", "weights",
}  # fmt: skip


def network_to_dict(graph: Graph, keeper: Keeper | None = None) -> dict[str, Any]:
    """Return a graph or stack as plain data; a keeper takes the arrays out of it.

    Examples
    --------
    >>> from upsim.layers import Nearest
    >>> graph = Graph([("up", Nearest(2), "mel")], inputs={"mel": 1}, sample_rate=16000)
    >>> network_to_dict(graph)["nodes"]
    [{'name': 'up', 'layer': {'type': 'Nearest', 'factor': 2}, 'reads': ['mel']}]
    """
    if isinstance(graph, Stack):
        return stack_to_dict(graph, keeper)
    nodes = []
    for part in graph.parts:
        try:
            layer = layer_to_dict(part.layer, keeper and keeper.inside(part.name))
        except UpsimError as error:
            raise error.at(f"node {part.name!r}") from None
        nodes.append({"name": part.name, "layer": layer, "reads": list(part.reads)})
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": graph.name,
        "sample_rate": rate_to_json(graph.sample_rate),
        "inputs": {each.name: _input_to_json(each) for each in graph.inputs},
        "nodes": nodes,
        "output": graph.output,
        **({"notes": list(graph.notes)} if graph.notes else {}),
    }


def network_from_dict(content: object, tensors: Tensors | None = None) -> Graph:
    """Return the graph or stack of plain data, or say what is wrong with it and where.

    ``tensors`` holds the arrays that stand in a file of their own.
    """
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        return stack_from_dict(content, tensors)
    refuse_other_version(content, "graph")
    unknown = set(content) - _FIELDS
    if unknown:
        raise FileFormatError("the graph has unknown fields", given=", ".join(sorted(unknown)))
    missing = {"sample_rate", "inputs", "nodes"} - set(content)
    if missing or not isinstance(content["nodes"], list):
        raise FileFormatError(
            "a graph needs inputs, nodes and a sample rate",
            given=", ".join(content),
            expected='"inputs": {...}, "nodes": [...], "sample_rate": 16000',
        )
    nodes = []
    for number, each in enumerate(content["nodes"], 1):
        place = f"node {number} of {len(content['nodes'])}"
        if not isinstance(each, dict) or set(each) != {"name", "layer", "reads"}:
            raise FileFormatError(
                "a node is an object with a name, a layer and what it reads",
                given=f"{each!r:.60}",
                where=place,
            )
        try:
            nodes.append((each["name"], layer_from_dict(each["layer"], tensors), each["reads"]))
        except RecursionError:
            raise FileFormatError("the layers are nested too deeply", given=place) from None
        except UpsimError as error:
            raise error.at(place) from None
    return Graph(
        nodes,
        _inputs_from_json(content["inputs"]),
        exact_rate(content["sample_rate"]),
        output=content.get("output"),
        name=content.get("name", ""),
        notes=content.get("notes", ()),
    )


def _input_to_json(each: Input) -> int | dict[str, Any]:
    """Return an input's channels; with its signal where it has one of its own."""
    if each.signal is None:
        return each.channels
    return {"channels": each.channels, "signal": signal_to_dict(each.signal)}


def _inputs_from_json(content: object) -> list[Input]:
    if not isinstance(content, dict) or not content:
        raise FileFormatError(
            "inputs must map names to channels", given=f"{content!r:.60}", expected='{"input": 1}'
        )
    found = []
    for name, value in content.items():
        if isinstance(value, dict):
            if set(value) != {"channels", "signal"}:
                raise FileFormatError(
                    "an input is a number of channels, or an object with channels and a signal",
                    given=f"{value!r:.60}",
                    where=f"input {name!r:.40}",
                )
            try:
                signal = signal_from_dict(value["signal"])
            except UpsimError as error:
                raise error.at(f"input {name!r:.40}") from None
            found.append(Input(name, value["channels"], signal))
        else:
            found.append(Input(name, value))
    return found
