"""The tables of docs/models-at-initialisation.md are those that their script writes."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "examples" / "models_at_initialisation.py"
PAGE = (ROOT / "docs" / "models-at-initialisation.md").read_text(encoding="utf-8")

#: Those that take a second or two.
QUICK = ("melgan", "demucs", "demucs-modified", "demucs-subpixel-modified", "wgan")


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("models_at_initialisation", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def committed(name):
    """Return the rows of a table of the page, heading first."""
    text = re.search(f"<!-- {name}: begin -->\n(.*?)<!-- {name}: end -->", PAGE, re.DOTALL)[1]
    rows = [line.strip("|").split("|") for line in text.splitlines()]
    return [tuple(cell.strip() for cell in row) for row in rows if "---" not in row[0]]


@pytest.mark.parametrize("name", QUICK)
def test_the_committed_row_is_predicted_again(script, name):
    (row,) = [row for row in committed("models") if row[0] == name]
    assert row == script.model_row(name)


def test_the_table_has_every_model_of_the_script(script):
    heading, *rows = committed("models")
    assert heading == script.HEADINGS["models"]
    assert [row[0] for row in rows] == list(script.MODELS)
    assert all(row[1].endswith(" dB") for row in rows)  # none that was refused or took too long


def test_what_each_change_does_is_predicted_again(script):
    heading, *rows = committed("changes")
    assert heading == script.HEADINGS["changes"]
    assert rows[:4] == [tuple(row) for row in script.change_rows("transposed")]
    # The ordering of figures 1 and 9: both changes together take away far more than each alone.
    for start in (0, 4):
        first, second, both = (float(row[4].split()[0]) for row in rows[start + 1 : start + 4])
        assert both < 2 * min(first, second) < 0


def test_drawn_networks_are_run_again(script):
    heading, *rows = committed("drawn")
    assert heading == script.HEADINGS["drawn"]
    assert rows[:2] == [tuple(row) for row in script.drawn_rows("original")]


def test_a_table_is_replaced_and_the_page_kept(script):
    page = "before\n<!-- changes: begin -->\nold\n<!-- changes: end -->\nafter\n"
    made = script.written(page, "changes", [("a",) * 5])
    assert made.startswith("before\n<!-- changes: begin -->\n| Demucs |")
    assert made.endswith("| a | a | a | a | a |\n<!-- changes: end -->\nafter\n")
    assert "old" not in made


def test_the_picture_is_there(script):
    assert script.PICTURE.exists()
    assert script.PICTURE.name in PAGE
