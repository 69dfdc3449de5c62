"""A module imports only from its own floor or from floors below; nobody imports upwards.

The source is read, not run: an import inside a function, under TYPE_CHECKING or through
``importlib.import_module("upsim....")`` counts like any other.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "upsim"

# The longest name that a module starts with decides. docs/architecture.md tells what a floor is.
FLOORS = {
    "upsim.errors": 0,
    "upsim.words": 0,
    "upsim.operators": 1,
    "upsim.gaussian": 1,
    "upsim.layers": 2,
    "upsim.network": 2,
    "upsim.files": 2,
    "upsim.theory": 3,
    "upsim.show": 4,
    "upsim.answer": 4,
    "upsim.neural": 5,
    "upsim.verification": 5,
    "upsim.measuring": 5,
    "upsim.importers": 6,
    "upsim.models": 6,
    "upsim.testing": 7,
    "upsim.cli": 7,
    "upsim.course": 7,
    "upsim.__main__": 7,
}
ROOT_FLOOR = 7  # upsim/__init__.py itself, the face

# Stricter than "down": the floors that these may import from, besides themselves.
ONLY_FLOORS = {
    "upsim.neural": {0, 2},  # an oracle that shares code with what it judges is no oracle
    "upsim.show": {0},  # takes plain arrays and rows
}

# Modules that import each other, one of them inside a function. docs/architecture.md argues for
# each; nobody else may.
CIRCLES = [
    {"upsim.operators.folded", "upsim.operators.polyphase", "upsim.operators.stretch_fir"},
    {"upsim.answer.prediction", "upsim.answer.predictionfile"},
    {"upsim.layers.pointwise", "upsim.layers.recognition"},
]

LIGHT = ["scipy", "matplotlib", "sympy", "hypothesis", "torch", "typer"]
EXTRAS = {"torch", "safetensors", "soundfile", "pandas", "yaml", "keras", "onnx"}


class Module(NamedTuple):
    source: str
    is_package: bool


def read_package(folder: Path) -> dict[str, Module]:
    modules = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder.parent).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        modules[name] = Module(path.read_text(encoding="utf-8"), is_package)
    return modules


def within(module: str, ancestor: str) -> bool:
    return module == ancestor or module.startswith(ancestor + ".")


def floor_of(module: str) -> int | None:
    """Return the floor of a module, None if the table does not know it."""
    if module == "upsim":
        return ROOT_FLOOR
    names = [name for name in FLOORS if within(module, name)]
    return FLOORS[max(names, key=len)] if names else None


def imported_names(name: str, module: Module) -> Iterator[tuple[str, str | None]]:
    """Yield (absolute module, name taken from it or None) for each import in the source."""
    package = name if module.is_package else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(module.source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, None
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")
                kept = parents[: len(parents) - (node.level - 1)]
                base = ".".join([*kept, base] if base else kept)
            for alias in node.names:
                yield base, alias.name
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            for argument in node.args[:1]:
                if isinstance(argument, ast.Constant) and str(argument.value).startswith("upsim"):
                    yield str(argument.value), None


def inner_imports(name: str, modules: Mapping[str, Module]) -> set[str]:
    """Return the modules of upsim that one module imports."""
    targets = set()
    for base, taken in imported_names(name, modules[name]):
        if not within(base, "upsim"):
            continue
        # `from upsim.words import units` means upsim.words.units.
        submodule = f"{base}.{taken}"
        targets.add(submodule if taken and submodule in modules else base)
    return targets


def complaints(modules: Mapping[str, Module]) -> list[str]:
    """Return one sentence for each module without a floor and each import that is not allowed."""
    found = []
    for name in modules:
        floor = floor_of(name)
        if floor is None:
            found.append(f"{name} has no floor: add it to FLOORS in {Path(__file__).name}")
            continue
        for target in sorted(inner_imports(name, modules)):
            below = floor_of(target)
            if below is None:
                continue  # complained about under its own name, or an import that cannot work
            if below > floor:
                found.append(f"{name} (floor {floor}) imports {target} (floor {below}): upwards")
            for part, allowed in ONLY_FLOORS.items():
                if within(name, part) and not within(target, part) and below not in allowed:
                    found.append(
                        f"{name} imports {target} (floor {below}): {part} may import only "
                        f"itself and floors {sorted(allowed)}"
                    )
    return found


def test_every_import_goes_down():
    modules = read_package(PACKAGE)
    assert "upsim" in modules
    assert not complaints(modules), "\n".join(complaints(modules))


class Running(ast.NodeTransformer):
    """Leave out what is imported for annotations only."""

    def visit_If(self, node: ast.If) -> ast.AST | None:
        self.generic_visit(node)
        return None if ast.unparse(node.test).endswith("TYPE_CHECKING") else node


def circles(modules: Mapping[str, Module]) -> list[set[str]]:
    """Return the groups of modules that reach each other by imports, late ones included."""
    running = {
        name: module._replace(source=ast.unparse(Running().visit(ast.parse(module.source))))
        for name, module in modules.items()
    }
    reach = {name: inner_imports(name, running) & modules.keys() for name in modules}
    while True:
        further = {
            name: seen.union(*(reach[other] for other in seen)) for name, seen in reach.items()
        }
        if further == reach:
            break
        reach = further
    found: list[set[str]] = []
    for name, seen in reach.items():
        if name in seen and not any(name in circle for circle in found):
            found.append({other for other in seen if name in reach[other]})
    return found


def test_only_the_circles_that_are_argued_for():
    found = circles(read_package(PACKAGE))
    assert sorted(map(sorted, found)) == sorted(map(sorted, CIRCLES))


def test_a_late_circle_is_caught():
    late = "def f():\n    from upsim.words.two import g"
    typed = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import upsim.words.one"
    modules = {
        "upsim.words.one": Module(late, is_package=False),
        "upsim.words.two": Module("import upsim.words.one", is_package=False),
    }
    assert circles(modules) == [{"upsim.words.one", "upsim.words.two"}]
    modules["upsim.words.two"] = Module(typed, is_package=False)
    assert circles(modules) == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("upsim.operators.length", "from upsim.network.stack import Stack"),
        ("upsim.operators.length", "import upsim.network.stack"),
        ("upsim.operators.length", "from ..network import stack"),
        ("upsim.operators.length", "from ..network.stack import Stack"),
        (
            "upsim.operators.length",
            "import importlib\nimportlib.import_module('upsim.network.stack')",
        ),
        ("upsim.operators.length", "def late():\n    from upsim.network.stack import Stack"),
        (
            "upsim.errors",
            "import typing\nif typing.TYPE_CHECKING:\n import upsim.network.stack",
        ),
        ("upsim.network.stack", "from upsim import Prediction"),  # through the face, floor 7
        ("upsim.theory.lines.ladder", "from upsim.answer.predictor import predict"),
        ("upsim.neural.numpy_layers", "from upsim.operators.length import LengthRule"),
        ("upsim.neural.numpy_layers", "from upsim.theory.lines.ladder import rungs"),
        ("upsim.neural.numpy_layers", "from upsim.answer.prediction import Prediction"),
        ("upsim.show.spectrum", "from upsim.operators.length import LengthRule"),
        ("upsim.show.spectrum", "from upsim.answer.prediction import Prediction"),
        ("upsim.show.tables", "from upsim.network.stack import Stack"),
    ],
)
def test_a_forbidden_import_is_caught(name, source):
    modules = {
        "upsim.network.stack": Module("", is_package=False),
        name: Module(source, is_package=False),
    }
    assert len(complaints(modules)) >= 1
    assert all(sentence.startswith(name) for sentence in complaints(modules))


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("upsim.layers.convolution", "from upsim.layers.base import Layer"),
        ("upsim.layers.convolution", "from .base import Layer\nfrom ..operators import length"),
        ("upsim.neural.numpy_layers", "from upsim import errors\nfrom . import registry"),
        ("upsim.neural.numpy_layers", "from upsim.network import stack"),
        ("upsim.show.spectrum", "from upsim.words.units import decibels\nimport numpy"),
        ("upsim.cli", "from upsim import Prediction"),
    ],
)
def test_an_allowed_import_passes(name, source):
    known = ["upsim.errors", "upsim.words.units", "upsim.network.stack"]
    modules = {other: Module("", is_package=False) for other in known}
    assert complaints({**modules, name: Module(source, is_package=False)}) == []


def test_an_unknown_module_is_told_where_to_enter():
    (sentence,) = complaints({"upsim.brandnew": Module("", is_package=False)})
    assert sentence == "upsim.brandnew has no floor: add it to FLOORS in test_imports_go_down.py"


def top_level_imports(name: str, module: Module) -> set[str]:
    """Return the outside packages that importing the module imports at once."""
    statements = [
        node
        for node in ast.parse(module.source).body
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    source = "\n".join(ast.unparse(node) for node in statements)
    reduced = Module(source, module.is_package)
    return {base.partition(".")[0] for base, _ in imported_names(name, reduced)}


def test_extras_are_imported_where_they_are_used():
    # Every module must import, and its doctests be collected, on a machine without the extras.
    for name, module in read_package(PACKAGE).items():
        assert not top_level_imports(name, module) & EXTRAS, name


def test_import_upsim_is_light():
    probe = f"import sys, upsim; print(*[n for n in {LIGHT} if n in sys.modules])"
    answer = subprocess.run(
        [sys.executable, "-c", probe],
        capture_output=True,
        text=True,
        check=True,
        cwd=PACKAGE.parent,
    )
    assert answer.stdout.split() == []
