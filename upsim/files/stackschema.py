"""The JSON Schema of a stack file."""

from __future__ import annotations

from dataclasses import MISSING
from typing import Any

from upsim.files.stackfile import FORMAT, VERSION
from upsim.layers import CATALOGUE
from upsim.layers.base import said_fields
from upsim.network.weights import NAMED, NUMBERED

_BRANCH_FIELDS = ("layers", "skip")


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a stack file, made from the layers' own fields."""
    kinds = []
    for name, kind in CATALOGUE.items():
        required, properties = ["type"], {"type": {"const": name}}
        for item in said_fields(kind):
            properties[item.name] = _field_schema(item.name, item.type)
            is_required = item.default is MISSING and item.default_factory is MISSING
            required += [item.name] if is_required else []
        kinds.append(
            {
                "type": "object",
                "title": name,
                "properties": properties,
                "required": required,
                "additionalProperties": False,
            }
        )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "upsim stack",
        "type": "object",
        "properties": {
            "format": {"const": FORMAT},
            "version": {"const": VERSION},
            "name": {"type": "string"},
            "sample_rate": {"$ref": "#/$defs/rate"},
            "in_channels": {"type": "integer", "minimum": 1},
            "layers": {"$ref": "#/$defs/layers"},
            "weights": {
                "description": "name of a safetensors file beside this one",
                "type": "string",
            },
            "names": {
                "description": "one name for each layer",
                "type": "array",
                "items": {"type": "string", "minLength": 1},
            },
        },
        "required": ["format", "version", "sample_rate", "layers"],
        "additionalProperties": False,
        "$defs": {
            "rate": {
                "description": "Hz: a number, or an exact fraction as a string",
                "anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string"}],
            },
            "layers": {"type": "array", "items": {"$ref": "#/$defs/layer"}},
            "layer": {"oneOf": kinds},
            "array": {
                "anyOf": [
                    {"type": "number"},
                    {"type": "array"},
                    {
                        "type": "object",
                        "properties": {
                            "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
                            "base64": {"type": "string"},
                        },
                        "required": ["shape", "base64"],
                        "additionalProperties": False,
                    },
                    {
                        "type": "object",
                        "description": "an array in the file of weights, by its name there",
                        "properties": {"tensor": {"type": "string"}},
                        "required": ["tensor"],
                        "additionalProperties": False,
                    },
                ]
            },
            "initialisation": {
                "anyOf": [
                    {"enum": list(NAMED)},
                    *(
                        {
                            "type": "object",
                            "properties": {name: {"type": "number", "exclusiveMinimum": 0}},
                            "required": [name],
                            "additionalProperties": False,
                        }
                        for name in NUMBERED
                    ),
                ]
            },
        },
    }


#: By a field's annotation.
_PLAIN: dict[str, dict[str, Any]] = {
    "int": {"type": "integer"},
    "int | None": {"type": ["integer", "null"]},
    "int | str": {"type": ["integer", "string"]},
    "float": {"type": "number"},
    "float | None": {"type": ["number", "null"]},
    "str | None": {"type": ["string", "null"]},
    "bool": {"type": "boolean"},
    "Activation | None": {"anyOf": [{"$ref": "#/$defs/layer"}, {"type": "null"}]},
}


def _field_schema(name: str, annotation: object) -> dict[str, Any]:
    if name in _BRANCH_FIELDS:
        return {"$ref": "#/$defs/layers"}
    if name == "layer":
        return {"$ref": "#/$defs/layer"}
    if name == "branches":
        return {"type": "array", "items": {"$ref": "#/$defs/layers"}}
    text = str(annotation)
    if name == "program":
        return {"type": "array", "items": {"type": "array", "minItems": 2}, "minItems": 1}
    if "tuple[str, float]" in text:
        return {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/array"}]}
    if text.startswith("tuple[int, ...]"):
        return {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1}
    if any(kind in text for kind in ("Weight", "BiasLike", "Array", "Vector")):
        choices = [{"$ref": "#/$defs/array"}, {"$ref": "#/$defs/initialisation"}]
        return {"anyOf": [*choices, {"type": "boolean"}]} if name == "bias" else {"anyOf": choices}
    if name == "rate":
        return {"$ref": "#/$defs/rate"}
    return _PLAIN.get(text, {"type": "string"})
