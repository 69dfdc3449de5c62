"""How every benchmark measures: both ways in turn, on one thread, medians after a warm-up."""

from __future__ import annotations

import gc
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

Subject = TypeVar("Subject")

#: One thread for every library: a ratio of work, not of how many cores happen to be idle.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Result:
    """One line of the table: two ways to one answer, in seconds."""

    question: str
    ours: str
    instead: str
    seconds: float
    seconds_instead: float
    target: str
    met: bool
    note: str = ""

    @property
    def ratio(self) -> float:
        return self.seconds / self.seconds_instead


def in_turn(
    first: Callable[[], object], second: Callable[[], object], *, turns: int, calls: int = 1
) -> tuple[float, float]:
    """Return the median seconds of two functions, measured in turn so that both meet one load.

    Seconds of the processor, not of the clock: what else the machine does is no part of it.
    Each turn begins with a call that is not counted: what the other function left in the
    processor's caches is no part of the question.  The first function, the fast one, is called
    ``calls`` times a turn.
    """
    times: tuple[list[float], list[float]] = ([], [])
    gc.disable()  # as timeit does: whose turn it is to collect is chance
    for _ in range(turns):
        for function, count, taken in zip((first, second), (calls, 1), times, strict=True):
            function()
            for _ in range(count):
                start = time.process_time()
                function()
                taken.append(time.process_time() - start)
        gc.collect()
    return statistics.median(times[0]), statistics.median(times[1])


def first_calls(
    make: Callable[[int], Subject], function: Callable[[Subject], object], *, count: int = 9
) -> float:
    """Return the median seconds of a function's first call on a thing that was just made.

    The processor's seconds, as in :func:`in_turn`; the making is not counted.
    """
    taken = []
    for seed in range(count):
        made = make(seed)
        start = time.process_time()
        function(made)
        taken.append(time.process_time() - start)
    return statistics.median(taken)


def machine() -> str:
    """Return one line that says what was measured on."""
    import numpy as np
    import scipy

    parts = [_processor(), f"{os.cpu_count()} cores, one thread used"]
    parts += [f"Python {platform.python_version()}", f"NumPy {np.__version__}"]
    parts += [f"SciPy {scipy.__version__}"]
    try:
        import torch

        parts.append(f"torch {torch.__version__}")
    except ImportError:
        parts.append("no torch")
    return ", ".join(parts)


def _processor() -> str:
    described = Path("/proc/cpuinfo")
    lines = described.read_text(encoding="utf-8").splitlines() if described.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def report(*results: Result) -> None:
    """Print the results for ``run.py``, one JSON object a line."""
    for result in results:
        sys.stdout.write(json.dumps(asdict(result)) + "\n")
