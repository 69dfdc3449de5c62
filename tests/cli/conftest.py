"""Run a command in this interpreter: the same function that the console script calls."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from upsim.cli import main


class Outcome(NamedTuple):
    code: int
    out: str
    err: str

    def json(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)


@pytest.fixture
def upsim_command(capsys, monkeypatch, tmp_path):
    """Return a function of the arguments; it runs in an empty folder and shows no traceback."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("UPSIM_TRACEBACK", raising=False)

    def run(*arguments: object) -> Outcome:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        found = capsys.readouterr()
        assert "Traceback" not in found.err
        return Outcome(code, found.out, found.err)

    return run


@pytest.fixture
def clip() -> Path:
    return Path(__file__).resolve().parents[2] / "examples" / "loop_tabla.flac"


@pytest.fixture
def refused(upsim_command, tmp_path):
    """Return a function that runs a command which must be refused with one message."""

    def run(*arguments: object, what: str, given: str = "") -> str:
        before = {path: path.read_bytes() for path in tmp_path.rglob("*") if is_small(path)}
        outcome = upsim_command(*arguments)
        assert outcome.code == 2, outcome
        assert outcome.out == ""
        message = [line for line in outcome.err.splitlines() if not line.startswith("note: ")]
        assert len(message) == 1
        assert message[0].startswith("upsim: ")
        assert what in message[0]
        assert given in message[0]
        after = {path: path.read_bytes() for path in tmp_path.rglob("*") if is_small(path)}
        assert after == before
        return message[0]

    return run


def is_small(path: Path) -> bool:
    return path.is_file() and path.stat().st_size < 2**20
