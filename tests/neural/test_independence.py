"""A witness that shares code with what it judges is no witness: its source is read to be sure."""

import ast
from pathlib import Path

import pytest

import upsim.neural

SOURCES = sorted(Path(upsim.neural.__file__).parent.glob("**/*.py"))

ALLOWED = (
    "upsim.errors",
    "upsim.words.arguments",  # checks of what a user gave: no mathematics
    "upsim.words.units",
    "upsim.layers",
    "upsim.network.graph",
    "upsim.network.node",
    "upsim.network.walk",
    "upsim.network.stack",
    "upsim.neural",
)
# What a layer's prediction is made of …
METHODS = {"operator", "function", "kernel", "length_rule", "output_length", "passing"}
METHODS |= {"operator_for", "gains", "centre"}
# … and what it works out on the way: a witness works it out again.
DERIVED = {"convolution", "slopes", "edge", "pads", "crop", "reach", "parts", "merging"}
DERIVED |= {"effective", "group_count", "is_affine"}


def breaches(source):
    """Return what a source imports or asks of a layer that a witness may not."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if not _allowed(alias.name)]
        elif isinstance(node, ast.ImportFrom):
            # Relative imports stay within neural; names taken from upsim itself are modules.
            names = [f"upsim.{alias.name}" for alias in node.names]
            modules = names if node.module == "upsim" else [node.module or ""]
            found += [name for name in modules if not node.level and not _allowed(name)]
        elif isinstance(node, ast.Attribute) and node.attr in METHODS | DERIVED:
            found.append(f".{node.attr}")
        elif isinstance(node, ast.Constant) and node.value in METHODS:
            found.append(f"{node.value!r}")  # getattr(layer, "operator")
        elif isinstance(node, ast.Name) and node.id in ("import_module", "__import__", "eval"):
            found.append(node.id)
    return found


def _allowed(module):
    inside = module == "upsim" or module.startswith("upsim.")
    return not inside or any(module == root or module.startswith(root + ".") for root in ALLOWED)


def test_there_is_something_to_read():
    assert {"run.py", "convolution.py", "torch_modules.py"} <= {path.name for path in SOURCES}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_the_witness_shares_nothing_with_what_it_judges(path):
    assert breaches(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "import upsim.operators",
        "import upsim.operators.kernels as k",
        "from upsim.operators import StretchFIR",
        "from upsim import theory",
        "from upsim.theory.lines.tones import tones",
        "from upsim.answer.predictor import predict",
        "import upsim",
        "layer.operator(3)",
        "layer.function(samples)",
        "make = layer.kernel",
        "layer.length_rule()(3)",
        "stack.output_length(3)",
        "left, right = layer.pads",
        "getattr(layer, 'operator')(3)",
        "__import__('upsim.operators')",
    ],
)
def test_a_breach_is_found(source):
    assert breaches(source)
