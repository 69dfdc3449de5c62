"""Run every benchmark and write ``bench/results.md``; exit with 1 if a target is missed.

    python bench/run.py

Each benchmark is a script of its own, run in a fresh interpreter, and compares upsim with what one
would do instead, both in the same run, in turn, on one thread.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from timing import ONE_THREAD, Result, machine

HERE = Path(__file__).parent
SCRIPTS = (
    "melgan_lines.py",
    "bigvgan.py",
    "linear_density.py",
    "density_growth.py",
    "recording.py",
    "closure.py",
    "demucs_expected.py",
    "demucs_verify.py",
    "import_time.py",
    "help_time.py",
)
HEADER = "| question | upsim | instead | time | instead | ratio | target | met |"


def shown(seconds: float) -> str:
    """Return seconds as a person would write them."""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1e3 * seconds:.3g} ms"


def ratio(result: Result) -> str:
    """Return ``1/n`` for what is faster, a number for what is slower."""
    return f"1/{1 / result.ratio:.4g}" if result.ratio < 0.5 else f"{result.ratio:.2f}"


def table(results: list[Result]) -> str:
    """Return the results in Markdown."""
    lines = [HEADER, "|" + " --- |" * (HEADER.count("|") - 1)]
    for each in results:
        cells = [
            each.question, each.ours, each.instead, shown(each.seconds),
            shown(each.seconds_instead), ratio(each), each.target, "yes" if each.met else "no",
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    notes = [f"\n{each.question}: {each.note}." for each in results if each.note]
    return "\n".join(
        [*lines, *notes, f"\nOne thread, processor time, medians. Measured on: {machine()}.", ""]
    )


def main() -> int:
    results = []
    for script in SCRIPTS:
        done = subprocess.run(
            [sys.executable, HERE / script],
            stdout=subprocess.PIPE,
            text=True,
            check=False,
            env=os.environ | ONE_THREAD,
        )
        if done.returncode:
            print(f"{script} failed")
            return 1
        results += [Result(**json.loads(line)) for line in done.stdout.splitlines()]
    text = table(results)
    (HERE / "results.md").write_text(text, encoding="utf-8")
    print(text)
    return 0 if all(each.met for each in results) else 1


if __name__ == "__main__":
    raise SystemExit(main())
