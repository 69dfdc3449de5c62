"""A plug-in for pytest: each exercise that a file of answers answers is a test.

``pytest -p upsim.course.plugin answers.py`` grades it.  A file is one of answers if its name begins
with ``answers``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from upsim.course.answers import SECONDS, check
from upsim.course.exercise import Verdict

if TYPE_CHECKING:
    import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the plug-in."""
    group = parser.getgroup("upsim course")
    group.addoption("--student", default="", help="whose numbers, instead of the file's student")
    group.addoption("--answer-seconds", type=float, default=SECONDS, help="for a file of answers")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a file of answers."""
    if file_path.suffix != ".py" or not file_path.name.startswith("answers"):
        return None
    return _classes().from_parent(parent, path=file_path)


def _classes() -> type[pytest.File]:
    import pytest

    class Answer(pytest.Item):
        """One exercise."""

        verdict: Verdict

        def runtest(self) -> None:
            if not self.verdict.passed:
                raise NotYetError(self.verdict.message)

        def repr_failure(
            self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None
        ) -> str:
            return str(excinfo.value)

        def reportinfo(self) -> tuple[Path, None, str]:
            return self.path, None, f"exercise {self.name}"

    class Answers(pytest.File):
        """A file of answers."""

        def collect(self) -> Iterator[pytest.Item]:
            option = self.config.getoption
            for verdict in check(
                self.path, student=option("--student"), seconds=option("--answer-seconds")
            ):
                item = Answer.from_parent(self, name=verdict.number)
                item.verdict = verdict
                yield item

    return Answers


class NotYetError(AssertionError):
    """An answer is not right yet."""
