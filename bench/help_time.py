"""``upsim --help`` against the help of a bare typer app, each in fresh interpreters."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from timing import Result, report

REPEATS = 21
_BARE = """
import typer

app = typer.Typer()


@app.command()
def first(name: str) -> None:
    "Do one thing."


@app.command()
def second(name: str) -> None:
    "Do another."


app()
"""


def seconds(*arguments: str) -> float:
    """Return the seconds of the clock that a program takes from its start to its end."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments, "--help"], check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    ours, bare = ("-m", "upsim"), ("-c", _BARE)
    for arguments in (ours, bare):
        seconds(*arguments)  # fills the cache of compiled modules and of the disk
    taken = [(seconds(*ours), seconds(*bare)) for _ in range(REPEATS)]
    first, second = (statistics.median(column) for column in zip(*taken, strict=True))
    report(
        Result(
            "the help of the command line",
            "`upsim --help`",
            "the help of a typer app of two commands",
            first,
            second,
            "at most 1.1",
            first <= 1.1 * second,
        )
    )


if __name__ == "__main__":
    main()
