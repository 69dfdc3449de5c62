"""Configuration files: JSON and plain YAML, read as data and checked before anything is made.

YAML is read by PyYAML's safe loader.  Aliases are refused, because a few lines of them unfold into
gigabytes, and so are tags, because they ask for objects.  A key that stands twice is refused in
both languages: one of its values would be lost.
"""

from __future__ import annotations

import json
from collections.abc import Hashable
from pathlib import Path
from typing import Any

from upsim.errors import (
    FileFormatError,
    MissingDependencyError,
    TooLargeError,
    UpsimError,
)
from upsim.files.jsontext import json_fault
from upsim.files.paths import existing_file
from upsim.words.arguments import shown

#: Bytes; the configurations of public models have a few thousand.
LARGEST_CONFIG = 4 * 2**20

#: PyYAML reads some 50 kB a second.
LARGEST_YAML = 256 * 2**10

#: Nesting of a YAML file, and entries in it.
_DEEPEST_YAML, _MOST_EVENTS = 24, 20_000

_YAML = {".yaml", ".yml"}


def read_config(path: str | Path) -> object:
    """Return what a configuration file holds."""
    path = existing_file(path, "configuration file")
    text = _text_of(path)
    try:
        return _yaml(text) if path.suffix.lower() in _YAML else _json(text)
    except UpsimError as error:
        raise error.at(str(path)) from None


def is_config(path: str | Path) -> bool:
    """Return whether a file holds a configuration of a model and no network of upsim's own.

    YAML is told by the file's name, JSON by its content: an object without a ``format``.
    """
    path = Path(path)
    try:
        if path.suffix.lower() in _YAML:
            return True
        if not path.is_file() or path.stat().st_size > LARGEST_CONFIG:
            return False
        content = _json(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and "format" not in content


def _text_of(path: Path) -> str:
    limit = LARGEST_YAML if path.suffix.lower() in _YAML else LARGEST_CONFIG
    try:
        # One byte more than is allowed: a file may grow between a look and the reading.
        with path.open("rb") as file:
            content = file.read(limit + 1)
        if len(content) > limit:
            raise TooLargeError(
                "the configuration file is too large",
                given=f"more than {limit // 2**10} KiB in {path}",
                expected="the configuration of one model",
            )
        return content.decode("utf-8-sig")  # editors put a byte order mark in front
    except OSError as error:
        raise FileFormatError(
            "the configuration file cannot be read", given=f"{path}: {error.strerror}"
        ) from None
    except UnicodeDecodeError as error:
        raise FileFormatError(
            "the configuration file is no text", given=f"{path}: {error.reason}", expected="UTF-8"
        ) from None


def _json(text: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_once)
    except UpsimError:
        raise
    except (ValueError, RecursionError) as error:
        raise FileFormatError(
            "this is not JSON that can be read",
            given=json_fault(error),
            expected="a configuration in JSON, or in a file whose name ends in .yaml",
        ) from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _twice(key)
        found[key] = value
    return found


def _twice(key: object, where: str = "") -> FileFormatError:
    return FileFormatError(
        "a key stands twice in one object",
        given=shown(key),
        expected="one value",
        fix="remove the one that is not meant",
        where=where,
    )


def _yaml(text: str) -> object:
    try:
        import yaml
    except ImportError:
        raise MissingDependencyError(
            "a YAML file needs PyYAML",
            given="PyYAML is not installed",
            fix='pip install "upsim[yaml]", or the same configuration as JSON',
        ) from None
    try:
        _refuse_unsafe(yaml, text)
        loader = yaml.SafeLoader(text)
        try:
            return _plain(yaml, loader, loader.get_single_node())
        finally:
            loader.dispose()
    except UpsimError:
        raise
    # An impossible date or number is a ValueError of the loader's own conversions.
    except (yaml.YAMLError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise FileFormatError(
            "this is not YAML that can be read", given=" ".join(str(error).split())[:200]
        ) from None


def _refuse_unsafe(yaml: Any, text: str) -> None:
    """Walk over the events of a file, which makes nothing yet."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
        line = f"line {event.start_mark.line + 1}"
        if isinstance(event, yaml.AliasEvent):
            raise FileFormatError(
                "aliases are refused: they can unfold into gigabytes",
                given=f"*{event.anchor}",
                fix="write the values out",
                where=line,
            )
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise FileFormatError(
                "tags are refused: they ask for objects of a program",
                given=shown(tag),
                expected="plain mappings, lists, numbers and texts",
                fix="the fields of the generator alone, without the tag",
                where=line,
            )
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST_YAML or count > _MOST_EVENTS:
            raise TooLargeError(
                "the YAML file is nested too deeply or too long",
                given=f"depth {depth}, {count} entries",
                expected=f"depth {_DEEPEST_YAML} and {_MOST_EVENTS} entries at most",
                where=line,
            )


def _plain(yaml: Any, loader: Any, node: Any) -> object:
    """Return a node as Python data, each key once; the depth is bounded by now."""
    if isinstance(node, yaml.MappingNode):
        found: dict[object, object] = {}
        for key_node, value_node in node.value:
            key = _plain(yaml, loader, key_node)
            line = f"line {key_node.start_mark.line + 1}"
            if not isinstance(key, Hashable):
                raise FileFormatError(
                    "a key is no text", given=shown(key), expected="a name", where=line
                )
            if key in found:
                raise _twice(key, line)
            found[key] = _plain(yaml, loader, value_node)
        return found
    if isinstance(node, yaml.SequenceNode):
        return [_plain(yaml, loader, each) for each in node.value]
    return None if node is None else loader.construct_object(node)
