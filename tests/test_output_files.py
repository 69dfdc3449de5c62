"""Files that upsim writes: whole or not at all, and nothing of the user's is lost."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import upsim
from upsim.cli import main
from upsim.errors import ArgumentError, ArgumentTypeError, OutputExistsError, UpsimError

ROOT = Path(__file__).resolve().parents[1]
STACK = upsim.Stack([upsim.Nearest(2)], 16000)
posix = pytest.mark.skipif(os.name != "posix", reason="files of POSIX")


def by_function(path, *, overwrite=False):
    upsim.save_stack(STACK, path, overwrite=overwrite)


def by_models(path, *, overwrite=False):
    return main(["models", "fig7", "--write", str(path)] + ["--overwrite"] * overwrite)


def by_picture(path, *, overwrite=False):
    return main(["predict", "fig7", "--plot", str(path)] + ["--overwrite"] * overwrite)


WRITERS = {".json": by_function, "-of-model.json": by_models, ".png": by_picture}


@pytest.fixture(params=WRITERS, ids=lambda suffix: WRITERS[suffix].__name__)
def writer(request):
    return WRITERS[request.param]


@pytest.fixture
def path(writer, tmp_path):
    suffix = next(suffix for suffix, each in WRITERS.items() if each is writer)
    return tmp_path / f"out{suffix}"


def refused(writer, path, capsys, *, overwrite=False) -> str:
    """Return the message of a refusal, from Python or from the command line."""
    capsys.readouterr()
    if writer is by_function:
        with pytest.raises(UpsimError) as caught:
            writer(path, overwrite=overwrite)
        return str(caught.value)
    assert writer(path, overwrite=overwrite) == 2
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = [each for each in said.err.splitlines() if not each.startswith("note: ")]
    assert line.startswith("upsim: ")
    return line


def test_a_new_file_has_the_mode_that_the_user_asks_for(writer, path):
    before = os.umask(0o027)
    try:
        writer(path)
    finally:
        os.umask(before)
    assert path.stat().st_size
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(path.parent.iterdir()) == [path]


def test_an_existing_file_is_kept_unless_asked(writer, path, capsys):
    path.write_bytes(b"mine")
    assert "the output file exists and is kept" in refused(writer, path, capsys)
    assert path.read_bytes() == b"mine"
    path.chmod(0o600)
    writer(path, overwrite=True)
    assert path.stat().st_size > 4
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_is_no_output(writer, path, capsys, overwrite):
    path.mkdir()
    assert "the output is no plain file" in refused(writer, path, capsys, overwrite=overwrite)
    assert path.is_dir()


@posix
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_pipe_is_no_output_and_does_not_block(writer, path, capsys, overwrite):
    os.mkfifo(path)
    assert "the output is no plain file" in refused(writer, path, capsys, overwrite=overwrite)
    assert path.is_fifo()


@posix
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_device_is_no_output(writer, path, capsys, overwrite):
    path.symlink_to("/dev/null")
    assert "the output is no plain file" in refused(writer, path, capsys, overwrite=overwrite)
    assert path.is_symlink()


@posix
def test_a_link_is_followed(writer, path, capsys):
    target = path.with_name("target")
    path.symlink_to(target)
    assert "exists and is kept" in refused(writer, path, capsys)
    assert not target.exists()
    writer(path, overwrite=True)
    assert path.is_symlink()
    assert target.is_file()


def test_a_missing_folder(writer, path, capsys):
    message = refused(writer, path.parent / "nowhere" / path.name, capsys)
    assert "there is no such folder" in message
    assert "fix: mkdir -p " in message


@posix
@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="no place that even root cannot write")
def test_a_place_that_cannot_be_written(writer, path, capsys):
    assert "cannot be written" in refused(writer, Path("/proc") / path.name, capsys)


def test_a_name_that_is_too_long(writer, path, capsys):
    assert "cannot be written" in refused(writer, path.with_name("x" * 300 + path.suffix), capsys)


@posix
@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("kept", [b"", b"mine"])
def test_a_device_without_room_keeps_what_was_there(tmp_path, name, kept):
    """No file may grow beyond 100 bytes: writing fails in its middle, as on a full device."""
    path = tmp_path / f"out{name}"
    if kept:
        path.write_bytes(kept)
    program = (
        "import resource, sys, tests.test_output_files as files\n"
        "writer = files.WRITERS[sys.argv[1]]\n"
        "import upsim.answer.pictures, upsim.cli.pictures, matplotlib.pyplot\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "sys.exit(writer(sys.argv[2], overwrite=True))\n"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", program, name, str(path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=60,
    )
    assert done.returncode != 0
    assert "the output file cannot be written" in done.stderr
    assert "File too large" in done.stderr
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == (
        [(path.name, kept)] if kept else []
    )


def test_a_file_that_came_meanwhile_is_kept(tmp_path, monkeypatch):
    from upsim.files import paths

    path = tmp_path / "out.json"
    monkeypatch.setattr(paths, "refuse_output", lambda path, **_: path)
    path.write_bytes(b"theirs")
    with pytest.raises(OutputExistsError):
        paths.write_output(path, b"ours")
    assert path.read_bytes() == b"theirs"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_system_without_links(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    by_function(tmp_path / "out.json")
    assert upsim.load_stack(tmp_path / "out.json") == STACK
    with pytest.raises(OutputExistsError):
        by_function(tmp_path / "out.json")


@pytest.mark.parametrize("name", ["\ud800.json", "a\0b.json", "\udcff\ud800"])
def test_a_name_that_no_file_can_have(tmp_path, name):
    with pytest.raises(ArgumentError, match="text that a file can be named by"):
        by_function(f"{tmp_path}/{name}")
    with pytest.raises(ArgumentError, match="text that a file can be named by"):
        upsim.load_stack(f"{tmp_path}/{name}")


@pytest.mark.parametrize("path", [b"out.json", 3, None, 2.5, ["out.json"]])
def test_what_is_no_path(path):
    for ask in (by_function, upsim.load_stack, upsim.Recorded.from_file):
        with pytest.raises(ArgumentTypeError, match="path must be a path"):
            ask(path)


@posix
def test_what_is_read_is_a_plain_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    for ask in (upsim.load_stack, upsim.Recorded.from_file):
        for place in (tmp_path / "pipe.json", tmp_path):
            with pytest.raises(UpsimError, match="no plain file"):
                ask(place)
        with pytest.raises(UpsimError, match="File name too long"):
            ask(tmp_path / ("x" * 300))


def test_a_name_that_cannot_be_written_is_no_name():
    with pytest.raises(ArgumentError, match="text that can be written in UTF-8"):
        upsim.Stack([upsim.Nearest(2)], 16000, name="\ud800")
    assert upsim.Stack([upsim.Nearest(2)], 16000, name="Größe ×2 🎵").name == "Größe ×2 🎵"
