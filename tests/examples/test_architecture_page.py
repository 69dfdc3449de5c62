"""The architecture page names the code's own floors and names."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def floors_of_the_page():
    rows = re.findall(r"^\| (\d) [^|]*\| ([^|]*) \|", PAGE, re.MULTILINE)
    return {name: int(floor) for floor, cell in rows for name in re.findall(r"`([^`]+)`", cell)}


def test_the_floors_are_those_of_the_import_test(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tests")
    from test_imports_go_down import FLOORS, ROOT_FLOOR

    assert floors_of_the_page() == {**FLOORS, "upsim": ROOT_FLOOR}
    assert "test_imports_go_down" in sys.modules


def test_every_name_on_the_page_is_in_the_code():
    source = "\n".join(path.read_text(encoding="utf-8") for path in ROOT.glob("upsim/**/*.py"))
    words = set(re.findall(r"\w+", source))
    named = {
        word
        for code in re.findall(r"`([\w.]+)(?:\([^`]*\))?`", PAGE)
        for word in code.split(".")
        if not word.isdigit() and code not in ("utils.py", "tests/test_imports_go_down.py")
    }
    # Floors that are named before they are filled, and a function of SciPy.
    planned = {"cli", "__main__", "models", "upfirdn"}
    assert len(named) > 40
    assert named - words - planned == set()


def test_every_path_on_the_page_exists():
    paths = re.findall(r"`((?:upsim|tests)/[^`]+)`", PAGE)
    assert len(paths) > 10
    assert [path for path in paths if not (ROOT / path).exists()] == []
