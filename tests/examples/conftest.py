import runpy
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


class Script(dict):
    """The names that a script left behind, what it printed, and the pictures that it saved."""

    printed: str
    pictures: list[Path]


@pytest.fixture
def run_script(tmp_path, monkeypatch, capsys):
    """Run one example as its author's reader would, in an empty folder."""

    def run(name: str) -> Script:
        monkeypatch.chdir(tmp_path)
        monkeypatch.syspath_prepend(EXAMPLES)
        monkeypatch.delitem(sys.modules, "picture", raising=False)
        try:
            script = Script(runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__"))
        finally:
            plt.close("all")
        script.printed = capsys.readouterr().out
        script.pictures = sorted(tmp_path.iterdir())
        return script

    return run
