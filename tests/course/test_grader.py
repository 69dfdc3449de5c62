"""The grader as a student meets it: a file, a command, a pytest run. Bad files get a sentence."""

import subprocess
import sys

import pytest

from upsim.course import exercise
from upsim.course.__main__ import main
from upsim.course.answers import check, name_of
from upsim.errors import ArgumentError, ArgumentTypeError, FileFormatError

MODELS = {
    "0.2": lambda given: repr(list(exercise("0.2").answer(given))),
    "2.1": lambda given: repr(list(exercise("2.1").answer(given))),
}
STRETCH = "import numpy as np\ndef answer_1_3(x, L):\n    return np.kron(x, np.eye(1, L)[0])\n"


@pytest.fixture
def write(tmp_path):
    def written(text, name="answers.py"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return written


def answers_of(student, *numbers):
    lines = [f"student = {student!r}"]
    for number in numbers:
        given = exercise(number).parameters(student)
        lines.append(f"{name_of(number)} = {MODELS[number](given)}")
    return "\n".join(lines) + "\n"


def test_a_right_file_passes(write, capsys):
    path = write(answers_of("ada", "0.2", "2.1") + STRETCH)
    assert main(["check", str(path)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split() for line in said] == [[n, "Right."] for n in ("0.2", "1.3", "2.1")]


def test_one_exercise_of_a_file(write, capsys):
    path = write(answers_of("ada", "0.2"))
    assert main(["check", "0.2", str(path)]) == 0
    assert main(["check", "2.1", str(path)]) == 2
    assert "no answer to it yet. Write answer_2_1 = ..." in capsys.readouterr().out


def test_another_student_has_other_numbers(write):
    path = write(answers_of("ada", "0.2"))
    others = [check(path, student=f"student {n}")[0].passed for n in range(6)]
    assert not all(others)


def test_a_wrong_number_gets_its_hint(write, capsys):
    given = exercise("0.2").parameters("ada")
    path = write(f"student = 'ada'\nanswer_0_2 = {given['rate'] / given['strides'][0]}\n")
    assert main(["check", str(path)]) == 1
    assert "You divided by the first stride alone" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("answer_0_2 = (", "Your file is no Python"),
        ("\nanswer_0_2 = 1 / 0", "Your file raises ZeroDivisionError: division by zero (line 2)."),
        ("import no_such_module", "Your file raises ModuleNotFoundError"),
        ("x = 1", "Your file answers nothing yet"),
        ("student = 3\nanswer_0_2 = 1", "student is 3"),
        ("answer_0_2 = 'many'", "'many' is not a number"),
        ("answer_0_2 = [[1, 2]]", "is not a number"),
        ("import os\nos._exit(3)", "Your code ended Python itself"),
        ("raise SystemExit", "Your code ended Python itself"),
        ("answer_1_3 = 7", "a function is asked for"),
        ("def answer_1_3(x):\n    return x", "Your code raises TypeError"),
        ("def answer_1_3(x, L):\n    return None", "not finite"),
        ("def answer_1_3(x, L):\n    return 'a text'", "not an array of numbers"),
        ("def answer_1_3(x, L):\n    return x / 0", "not finite"),
        ("answer_0_2 = bytearray(2**40)", "MemoryError"),
    ],
)
def test_what_cannot_be_graded_ends_in_a_sentence(write, capsys, text, words):
    assert main(["check", str(write(text))]) == 2
    said = capsys.readouterr()
    assert words in said.out
    assert "Traceback" not in said.out + said.err


@pytest.mark.parametrize(
    "text", ["while True: pass", "def answer_1_3(x, L):\n    while True: pass"]
)
def test_code_that_never_ends_is_stopped(write, text):
    (verdict,) = check(write(text), seconds=3)
    assert verdict.refused
    assert "did not end within 3 s" in verdict.message


def test_what_a_file_prints_is_not_the_answer(write):
    (verdict,) = check(write("print('[]')\nanswer_0_2 = 5"))
    assert not verdict.passed
    assert not verdict.refused


def test_errors_before_anything_runs(write, tmp_path, capsys):
    with pytest.raises(FileFormatError, match="no such file"):
        check(tmp_path / "none.py")
    with pytest.raises(ArgumentError, match="no such exercise"):
        check(write("answer_0_2 = 1"), ["0.9"])
    with pytest.raises(ArgumentError, match="seconds"):
        check(write("answer_0_2 = 1"), seconds=0)
    with pytest.raises(ArgumentTypeError):
        check(write("answer_0_2 = 1"), student=5)
    assert main(["check", "none.py"]) == 2
    assert "there is no such file" in capsys.readouterr().err
    assert main(["show", "9.9"]) == 2


def test_the_command_lists_and_shows(capsys):
    assert main(["list"]) == 0
    assert "2.2   The missing tap" in capsys.readouterr().out
    assert main(["show", "2.1", "--student", "ada"]) == 0
    assert "answer_2_1" in capsys.readouterr().out


def test_the_plug_in_makes_a_test_of_each_answer(write):
    path = write(answers_of("ada", "0.2") + "answer_2_3 = 1\n")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "upsim.course.plugin", "-p", "no:cacheprovider",
         "-q", "-c", "/dev/null", "--rootdir", str(path.parent), str(path)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert run.returncode == 1, run.stdout + run.stderr
    assert "1 failed, 1 passed" in run.stdout
    assert "Not yet" in run.stdout
    assert "Traceback" not in run.stdout
