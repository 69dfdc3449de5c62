"""Write the table of ONNX's cases into docs/from-onnx.md.

Usage: ``python docs/onnx_cases.py``, in the root of the repository.  A test says whether the page
is up to date.
"""

import sys
import tempfile
from pathlib import Path

PAGE = Path(__file__).with_name("from-onnx.md")
BEGIN, END = "<!-- cases: begin -->\n", "<!-- cases: end -->"
#: Fields of a layer that the table has no room for.
_LEFT_OUT = ("weight", "bias", "in_channels", "out_channels", "groups")

ORACLES = {"": "evaluator", "single": "evaluator, single precision", "runtime": "onnxruntime"}


def table():
    """Return the table in Markdown: each case, its attributes, what becomes of it."""
    from tests.importers.onnx_cases import CASES
    from tests.importers.onnx_models import imported
    from tests.importers.test_onnx_backend_cases import model_of

    lines = [
        "| backend case | operator | attributes | becomes | compared with |",
        "|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            said = [f"{name}={value}" for name, value in case.attributes.items()]
            said += [
                f"{name}={array.tolist()}"
                for name, array in case.tensors.items()
                if array is not None and name != "w"
            ]
            if case.refused:
                made, oracle = f"refused: {case.refused} …", "–"
            else:
                graph = imported(model_of(case), Path(folder))
                made = ", ".join(words(part.layer) for part in graph.parts)
                oracle = ORACLES[case.oracle]
            cells = (case.backend, case.kind, ", ".join(said) or "–", made, oracle)
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def words(layer):
    """Return a layer as a line of the table has room for it: its weights left out."""
    fields = layer.to_fields()
    shown = {name: value for name, value in fields.items() if name not in _LEFT_OUT}
    inner = ", ".join(f"{name}={value}" for name, value in shown.items())
    return f"`{type(layer).__name__}({inner})`"


def page_with(made):
    """Return the page with another table."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    return before + BEGIN + made + END + rest.split(END)[1]


if __name__ == "__main__":
    sys.path.insert(0, str(PAGE.parents[1]))
    PAGE.write_text(page_with(table()), encoding="utf-8")
