"""Closed streams, closed pipes and full devices: a quiet end or one clear line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ["predict fig8-left", "models fig7", "--help"]
FULL = Path("/dev/full")

pytestmark = pytest.mark.skipif(os.name != "posix", reason="streams of POSIX")


def shell(line: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    """Run a line of shell in which ``upsim`` is the command."""
    return subprocess.run(
        ["bash", "-c", f'set -o pipefail; upsim() {{ "{sys.executable}" -m upsim "$@"; }}; {line}'],
        capture_output=True,
        check=False,
        timeout=60,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"},
    )


def is_quiet(said: bytes) -> bool:
    """Return whether only remarks were printed."""
    return all(line.startswith(b"note: ") for line in said.splitlines())


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("stream", [">&-", "2>&- >&-", "| true"])
def test_nobody_reads_the_answer(tmp_path, command, stream):
    done = shell(f"upsim {command} {stream}", tmp_path)
    assert done.returncode == 141
    assert is_quiet(done.stderr)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("stream", ["2>&-", "2> /dev/full", "2> >(true)"])
def test_that_nobody_reads_the_remarks_changes_no_answer(tmp_path, command, stream):
    done = shell(f"upsim {command} {stream}", tmp_path)
    assert done.returncode == 0
    assert done.stdout == shell(f"upsim {command}", tmp_path).stdout


@pytest.mark.skipif(not FULL.is_char_device(), reason="there is no /dev/full")
@pytest.mark.parametrize("command", COMMANDS)
def test_no_room_for_the_answer(tmp_path, command):
    done = shell(f"upsim {command} > /dev/full", tmp_path)
    assert done.returncode == 2
    (line,) = [each for each in done.stderr.splitlines() if not each.startswith(b"note: ")]
    assert line.startswith(b"upsim: ")
    assert b"standard output: No space left on device" in line


@pytest.mark.parametrize("stream", ["2>&-", "2> /dev/full", ">&- 2>&-"])
def test_a_refusal_that_nobody_reads_is_still_a_refusal(tmp_path, stream):
    assert shell(f"upsim predict nosuch {stream}", tmp_path).returncode == 2


def test_an_answer_in_a_narrow_encoding(tmp_path):
    done = shell("PYTHONIOENCODING=ascii upsim models", tmp_path)
    assert done.returncode == 0
    assert b"hifigan-v1" in done.stdout


# Arguments that are no UTF-8 reach the program as lone surrogates.
@pytest.mark.parametrize(
    "command",
    [
        r"predict $'\xff'",
        r"predict $'\xff.json'",
        r"predict fig7 --signal $'\xff'",
        r"predict fig7 --signal $'\xff.wav'",
        r"predict fig7 --kind $'\xff'",
        r"predict fig7 --rate $'\xff'",
        r"predict fig7 --plot $'\xff.bmp'",
        r"predict fig7 --plot $'\xff/out.png'",
        r"explain fig7 --freq $'\xff'",
        r"models $'\xff'",
    ],
)
def test_arguments_that_are_no_text(tmp_path, command):
    done = shell(f"upsim {command}", tmp_path)
    assert done.returncode == 2
    assert done.stdout == b""
    (line,) = [each for each in done.stderr.splitlines() if not each.startswith(b"note: ")]
    assert b"bug" not in line
    assert b"given: " in line
