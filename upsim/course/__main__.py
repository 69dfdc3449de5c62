"""The command of the course: list, show and check.

``python -m upsim.course list`` names the exercises, ``show 2.1 --student ada`` asks one with your
numbers, ``check 2.1 answers.py`` grades it, ``check answers.py`` grades all that the file answers.
Ends with 0 if all is right, 1 if something is not right yet, 2 if something could not be graded.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from upsim.course import exercise, exercises
from upsim.course.answers import SECONDS, check, name_of
from upsim.course.exercise import PAGE
from upsim.errors import UpsimError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m upsim.course", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="name all exercises")
    showing = commands.add_parser("show", help="ask an exercise, with the numbers of a student")
    showing.add_argument("number", help="2.1, say")
    showing.add_argument("--student", default=PAGE, help="your name; that of the pages by default")
    checking = commands.add_parser("check", help="grade a file of answers")
    checking.add_argument("what", nargs="+", metavar="[number ...] file")
    checking.add_argument("--student", default="", help="instead of the name in the file")
    checking.add_argument("--seconds", type=float, default=SECONDS, help="what the file may take")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    given = _parser().parse_args(arguments)
    try:
        if given.command == "list":
            _say(*(f"{each.number:5} {each.title}" for each in exercises()))
            return 0
        if given.command == "show":
            found = exercise(given.number)
            _say(f"{found.number} {found.title}", "", found.ask(found.parameters(given.student)))
            _say("", f"Answer in a Python file, as {name_of(found.number)}.")
            return 0
        *numbers, path = given.what
        verdicts = check(path, numbers, student=given.student, seconds=given.seconds)
    except UpsimError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command
        return 2
    _say(*(f"{each.number:5} {each.message}" for each in verdicts))
    if any(each.refused for each in verdicts):
        return 2
    return 0 if all(each.passed for each in verdicts) else 1


def _say(*lines: str) -> None:
    for line in lines:
        print(line)  # noqa: T201 - a command


if __name__ == "__main__":
    sys.exit(main())
