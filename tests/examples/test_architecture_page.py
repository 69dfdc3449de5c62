"""The architecture page names the code's own floors and names."""

import re
import sys
from pathlib import Path

import pytest

import upsim

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


def steps_of(title):
    """Return the first name of each step of a numbered list of the page."""
    section = PAGE.split(f"### {title}\n", 1)[1].split("\n#", 1)[0]
    return re.findall(r"^\d+\. `([\w.]+)`", section, re.MULTILINE)


def entered(question):
    """Return how often each function of upsim is entered, in the order of the first time."""
    counts = {}

    def count(frame, event, _):
        code = frame.f_code
        if event == "call" and Path(code.co_filename).is_relative_to(ROOT / "upsim"):
            name = code.co_qualname.removesuffix(".__init__")
            counts[name] = counts.get(name, 0) + 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        question()
    finally:
        sys.setprofile(before)
    return counts


def decoder():
    return upsim.Stack(
        [
            upsim.Conv(1, 8, 3, padding=1),
            upsim.LeakyReLU(0.1),
            upsim.TransposedConv(8, 8, 4, 2, 1),
            upsim.LeakyReLU(0.1),
            upsim.Conv(8, 1, 3, padding=1),
        ],
        sample_rate=16000,
    ).draw(seed=0)


def down_and_up():
    down, up = upsim.Conv(1, 1, 4, 2, 1), upsim.TransposedConv(1, 1, 4, 2, 1)
    return upsim.Stack([upsim.Residual(down, up)], sample_rate=16000)


@pytest.mark.parametrize(
    ("title", "network", "question"),
    [
        (
            "A stack through `predict`",
            decoder,
            lambda stack: upsim.predict(stack, upsim.Constant(1.0)),
        ),
        (
            "A signal through `predict`",
            decoder,
            lambda stack: upsim.predict(stack, upsim.Constant(1.0) + upsim.WhiteNoise(1.0)),
        ),
        ("A question of lengths", down_and_up, lambda stack: upsim.lengths(stack, 9)),
    ],
)
def test_each_step_of_a_walk_is_entered_once_and_in_order(title, network, question):
    question(network())  # whatever is imported late is there from now on
    stack = network()
    steps, counts = steps_of(title), entered(lambda: question(stack))
    assert len(steps) > 4
    assert [name for name in counts if name in steps] == steps
    again = {name: counts[name] for name in steps if counts[name] != 1}
    # Other lengths are tried below the one that was asked for, and above.
    assert again in ({}, {"accepts": 2})
