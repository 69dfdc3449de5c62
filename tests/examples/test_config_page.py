"""The table of families in the docs is that of the code."""

import importlib.util
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "docs" / "config_families.py"


def test_the_table_of_families_is_up_to_date():
    spec = importlib.util.spec_from_file_location("config_families", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    written = script.PAGE.read_text(encoding="utf-8")
    assert script.page_with(script.table()) == written, "run: python docs/config_families.py"
