"""The page on ONNX files holds the table that its script makes."""

import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_table_of_cases_is_up_to_date():
    pytest.importorskip("onnx", reason='onnx is missing: pip install ".[onnx]"')
    script = runpy.run_path(str(DOCS / "onnx_cases.py"))
    page = (DOCS / "from-onnx.md").read_text(encoding="utf-8")
    assert script["page_with"](script["table"]()) == page
