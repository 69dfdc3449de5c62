"""What the repository's own papers promise: one version everywhere, a clip as its note says."""

import hashlib
import tomllib
from pathlib import Path

import upsim

ROOT = Path(__file__).resolve().parents[1]


def test_one_version_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert upsim.__version__ == project["version"]
    assert f"## [{project['version']}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_clip_is_the_one_that_its_note_describes():
    note = (ROOT / "examples" / "AUDIO.md").read_text(encoding="utf-8")
    clip = (ROOT / "examples" / "loop_tabla.flac").read_bytes()
    assert hashlib.sha256(clip).hexdigest() in note
    assert f"{len(clip):,} bytes" in note
