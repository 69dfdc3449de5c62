"""Files of the user's: what may be read, and what may be written without a loss.

A file is written beside its place and moved there when it is whole.  So a full device or an
interruption leaves what was there before, and nothing half-written.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from upsim.errors import ArgumentError, FileFormatError, OutputExistsError
from upsim.words.arguments import path_of


def existing_file(path: str | Path, what: str) -> Path:
    """Return the path of a plain file that is there; ``what`` names it: "stack file"."""
    path = path_of(path)
    try:
        if path.is_file():
            return path
        reason = "it is no plain file" if path.exists() else ""
    except OSError as error:
        reason = str(error.strerror)
    raise FileFormatError(
        f"there is no such {what}",
        given=f"{_shown(path)}{': ' if reason else ''}{reason}",
        expected="the path of a file",
    )


def refuse_output(path: str | Path, *, overwrite: bool = False) -> Path:
    """Return the path of a file that may be written, or refuse it before the work is done."""
    path = path_of(path)
    try:
        if not path.parent.is_dir():
            raise ArgumentError(
                "the output file cannot be written: there is no such folder",
                given=_shown(path.parent),
                fix=f"mkdir -p {_shown(path.parent)}",
            )
        if not os.path.lexists(path):
            return path
        if path.exists() and not path.is_file():
            # A pipe would block, a device would take the bytes and keep none.
            raise ArgumentError(
                "the output is no plain file",
                given=_shown(path),
                expected="a file, or a name that is free",
            )
    except OSError as error:
        raise _unwritable(path, error) from None
    if not overwrite:
        raise _kept(path)
    return path


def write_output(path: str | Path, content: bytes, *, overwrite: bool = False) -> None:
    """Write a whole file or none; an existing file is kept unless ``overwrite`` is true."""

    def write(beside: Path) -> None:
        with beside.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    write_file(path, write, overwrite=overwrite)


def write_file(path: str | Path, write: Callable[[Path], None], *, overwrite: bool = False) -> None:
    """Let a function write a file that is not there yet, and give it its name when it is whole."""
    path = refuse_output(path, overwrite=overwrite)
    # A link is followed, as writing through it would.
    place = Path(os.path.realpath(path))
    beside = place.with_name(f".upsim-{secrets.token_hex(8)}")
    try:
        try:
            write(beside)
            if overwrite and place.exists():
                beside.chmod(place.stat().st_mode)
            _move(beside, place, overwrite=overwrite)
        finally:
            beside.unlink(missing_ok=True)
    except FileExistsError:
        # Somebody wrote the file since it was looked for.
        raise _kept(path) from None
    except OSError as error:
        raise _unwritable(path, error) from None


def _move(beside: Path, place: Path, *, overwrite: bool) -> None:
    """Give a file its name; without ``overwrite`` only if no file has it by now."""
    if not overwrite:
        try:
            place.hardlink_to(beside)
        except FileExistsError:
            raise
        except OSError:  # a file system without links: the check before must do
            if place.exists():
                raise FileExistsError(place) from None
        else:
            return
    beside.replace(place)


def _kept(path: Path) -> OutputExistsError:
    return OutputExistsError(
        "the output file exists and is kept",
        given=_shown(path),
        fix="another name, or overwrite=True",
    )


def _unwritable(path: Path, error: OSError) -> ArgumentError:
    return ArgumentError(
        "the output file cannot be written",
        given=f"{_shown(path)}: {error.strerror}",
        expected="a place that can be written, with room for the file",
    )


def _shown(path: Path) -> str:
    text = str(path)
    return text if len(text) <= 200 else text[:197] + "..."
