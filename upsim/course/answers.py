"""Read a student's file of answers and grade it, in a process of its own and with a time limit.

The file is Python.  ``student = "ada"`` names whose numbers are meant; ``answer_2_1 = [-9.03]`` or
``def answer_1_3(x, L): ...`` answers an exercise.  It runs in a child process: code that never ends
is stopped, code that ends the process ends the child only.
"""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from upsim.course import exercise, exercises
from upsim.course.exercise import PAGE, Verdict
from upsim.errors import ArgumentError, FileFormatError
from upsim.words.arguments import finite_number, plain_text, shown

#: Seconds that a file of answers may take in all.
SECONDS = 20.0

_LONGEST_SECONDS = 600.0

#: Bytes of address space of the child; numpy and its threads take about one GiB of it.
_MEMORY = 4 * 2**30

_PREFIX = "answer_"


def check(
    path: str | Path, numbers: Sequence[str] = (), *, student: str = "", seconds: float = SECONDS
) -> tuple[Verdict, ...]:
    """Grade a file of answers.

    Parameters
    ----------
    path : str or Path
        A Python file.
    numbers : sequence of str
        The exercises; all that the file answers by default.
    student : str
        Whose numbers; those of the name ``student`` in the file by default.
    seconds : float
        What the file may take in all.

    Raises
    ------
    FileFormatError
        There is no such file.
    """
    file = Path(plain_text(os.fspath(path), "path"))
    plain_text(student, "student")
    seconds = finite_number(seconds, "seconds")
    if not 0 < seconds <= _LONGEST_SECONDS:
        raise ArgumentError(
            "seconds must be above 0 and at most ten minutes",
            given=f"seconds={seconds:g}",
            fix=f"seconds={SECONDS:g}",
        )
    asked = [exercise(number).number for number in numbers]
    if not file.is_file():
        raise FileFormatError(
            "there is no such file of answers",
            given=str(file),
            expected="the path of a Python file",
            fix='write answer_0_2 = 86.13 into answers.py, and student = "your name"',
        )
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "verdicts.json"
        command = [sys.executable, "-m", "upsim.course.answers", str(file.resolve()), student]
        try:
            done = subprocess.run(
                [*command, str(report), *asked],
                timeout=seconds,
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            return _for_all(
                asked,
                f"Your code did not end within {seconds:g} s. Look for a loop that never ends.",
            )
        if not report.exists():
            return _for_all(
                asked,
                "Your code ended Python itself"
                + (" (out of memory?)." if done.returncode else ": take out exit() or quit()."),
            )
        return tuple(Verdict(**each) for each in json.loads(report.read_text(encoding="utf-8")))


def _for_all(asked: Sequence[str], message: str) -> tuple[Verdict, ...]:
    return tuple(Verdict(n, passed=False, message=message, refused=True) for n in asked or ["file"])


def name_of(number: str) -> str:
    """Return the name of an answer in a file.

    Examples
    --------
    >>> name_of("2.1")
    'answer_2_1'
    """
    return _PREFIX + number.replace(".", "_")


def grade_file(path: str, student: str, asked: Sequence[str]) -> list[Verdict]:
    """Run a file of answers in this process, and grade it."""
    try:
        names: dict[str, Any] = runpy.run_path(path)
    except SyntaxError as error:
        return list(_for_all(asked, f"Your file is no Python: {error.msg}, line {error.lineno}."))
    except Exception as error:  # noqa: BLE001 - whatever a student's file raises is told
        return list(
            _for_all(
                asked,
                f"Your file raises {type(error).__name__}: {str(error)[:300] or 'no message'}"
                f"{_line_of(error, path)}.",
            )
        )
    named = student or names.get("student", PAGE)
    if not isinstance(named, str) or not named.strip():
        return list(
            _for_all(asked, f'student is {shown(named)}. Write your name: student = "ada".')
        )
    wanted = list(asked) or [each.number for each in exercises() if name_of(each.number) in names]
    if not wanted:
        return list(
            _for_all((), "Your file answers nothing yet. Write answer_0_2 = ... for exercise 0.2.")
        )
    return [_graded(number, names, named) for number in wanted]


def _graded(number: str, names: dict[str, Any], student: str) -> Verdict:
    if name_of(number) not in names:
        return Verdict(
            number,
            passed=False,
            message=f"Your file has no answer to it yet. Write {name_of(number)} = ...",
            refused=True,
        )
    found = exercise(number)
    try:
        return found.grade(names[name_of(number)], found.parameters(student))
    except ArgumentError as error:
        return Verdict(number, passed=False, message=str(error), refused=True)


def _line_of(error: BaseException, path: str) -> str:
    trace, line = error.__traceback__, 0
    while trace:
        if trace.tb_frame.f_code.co_filename == path:
            line = trace.tb_lineno
        trace = trace.tb_next
    return f" (line {line})" if line else ""


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # not on Windows
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = _MEMORY if hard == resource.RLIM_INFINITY else min(_MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))


def _main(arguments: Sequence[str]) -> None:
    path, student, report, *asked = arguments
    _limit_memory()
    verdicts = [
        {"number": v.number, "passed": v.passed, "message": v.message, "refused": v.refused}
        for v in grade_file(path, student, asked)
    ]
    Path(report).write_text(json.dumps(verdicts), encoding="utf-8")


if __name__ == "__main__":
    _main(sys.argv[1:])
