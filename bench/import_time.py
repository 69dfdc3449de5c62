"""``import upsim`` against ``import numpy``, each in fresh interpreters."""

from __future__ import annotations

import statistics
import subprocess
import sys

from timing import Result, report

REPEATS = 21
_TIMED = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"


def seconds(name: str) -> float:
    """Return the seconds that an import takes, without the start of the interpreter."""
    command = [sys.executable, "-c", _TIMED.format(name)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    for name in ("upsim", "numpy"):
        seconds(name)  # fills the cache of compiled modules and of the disk
    taken = [(seconds("upsim"), seconds("numpy")) for _ in range(REPEATS)]
    ours, theirs = (statistics.median(column) for column in zip(*taken, strict=True))
    report(
        Result(
            "importing the package",
            "`import upsim`",
            "`import numpy`",
            ours,
            theirs,
            "at most 1.3",
            ours <= 1.3 * theirs,
        )
    )


if __name__ == "__main__":
    main()
