"""The words of docs/vocabulary.md: no name in the package is one of those that it bans."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "upsim"
BANNED = {"fs", "sr", "N", "data", "utils", "process", "handle"}


def names(source: str) -> Iterator[tuple[int, str]]:
    """Yield (line, name) for each name that the source gives to something."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name


def test_no_banned_name_in_the_package():
    found = [
        f"{path.relative_to(PACKAGE.parent)}:{line}: {name}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for line, name in [(0, path.stem), *names(path.read_text(encoding="utf-8"))]
        if name in BANNED
    ]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "fs = 1",
        "def f(data): pass",
        "def process(): pass",
        "class handle: pass",
        "for N in (): pass",
        "[sr for sr in ()]",
    ],
)
def test_a_banned_name_is_found(source):
    assert any(name in BANNED for _, name in names(source))
