"""What goes to the standard output (answers) and to the standard error (remarks, progress)."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from upsim.errors import ArgumentError

#: Remarks of this command: two networks may give the same one.
_NOTED: set[str] = set()


class NobodyReadsError(Exception):
    """The other end of the pipe is closed: no error of the program."""


def open_streams() -> None:
    """Give a command its streams, also those that the program was started without.

    A closed standard output becomes a pipe that nobody reads, remarks to a closed standard error
    go nowhere.  A character that the output's encoding lacks is written as its escape.
    """
    _NOTED.clear()
    if sys.stdout is None:
        reads, writes = os.pipe()
        os.close(reads)
        sys.stdout = os.fdopen(writes, "w", encoding="utf-8", closefd=False)
    if sys.stderr is None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        sys.stderr = os.fdopen(nowhere, "w", encoding="utf-8", closefd=False)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def drop(stream: TextIO) -> None:
    """Send what a stream still holds nowhere, so that the interpreter's end does not complain."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def answer(text: str) -> None:
    """Print an answer; end quietly where nobody reads it."""
    try:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise NobodyReadsError from None
    except OSError as error:
        drop(sys.stdout)
        raise ArgumentError(
            "the answer cannot be written",
            given=f"standard output: {error.strerror}",
            expected="a place with room for it",
        ) from None


def answer_json(content: object) -> None:
    """Print an answer as JSON; a number that JSON does not know is refused."""
    try:
        text = json.dumps(content, indent=1, allow_nan=False)
    except ValueError:
        raise ArgumentError(
            "the answer holds numbers that are not finite",
            given="weights or signals of enormous size",
            fix="scale them down",
        ) from None
    answer(text)


def answer_csv(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print an answer as CSV (RFC 4180, lines end as on this system)."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    answer(text.getvalue())


def answer_rows(records: Sequence[Mapping[str, Any]], *, as_json: bool, as_csv: bool) -> bool:
    """Print records for a program, if one asked; return whether one did."""
    if as_json:
        answer_json(list(records))
    elif as_csv:
        header = list(records[0]) if records else []
        answer_csv(header, [list(record.values()) for record in records])
    return as_json or as_csv


def note(text: str) -> None:
    """Print a remark, once."""
    if text not in _NOTED:
        _NOTED.add(text)
        remark(f"note: {text}")


def remark(line: str) -> None:
    """Print a line to the standard error; if it cannot be written, the answer is the same."""
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        drop(sys.stderr)


def refuse_two_formats(*, as_json: bool, as_csv: bool) -> None:
    """Refuse to print JSON and CSV at once."""
    if as_json and as_csv:
        raise ArgumentError(
            "one format at a time", given="--json --csv", expected="one of them", fix="--json"
        )


class Progress:
    """The stages of a long work, as a bar on a terminal and not at all elsewhere."""

    def __init__(self, bar: Any = None, task: Any = None) -> None:
        self._bar = bar
        self._task = task
        self._begun = 0

    def stage(self, text: str) -> None:
        """Begin the next stage."""
        self._begun += 1
        self(0.0, text)

    def __call__(self, done: float, text: str) -> None:
        """Show which part of the stage is done, 0 to 1, and what comes next."""
        if self._bar is not None:
            completed = max(self._begun - 1, 0) + done
            self._bar.update(self._task, description=text, completed=completed)


@contextmanager
def progress(text: str, stages: int) -> Iterator[Progress]:
    """Show a bar on the standard error while a terminal is there to show it."""
    if not sys.stderr.isatty():
        yield Progress()
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(text, total=stages)
        yield Progress(bar, task)
