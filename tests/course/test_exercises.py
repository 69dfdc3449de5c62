"""Each exercise: a right answer passes, each misconception gets its hint, and students differ."""

from pathlib import Path

import numpy as np
import pytest

from upsim.course import CodeExercise, NumberExercise, exercise, exercises
from upsim.errors import ArgumentError, ArgumentTypeError

ALL = exercises()
NUMBERS = [each for each in ALL if isinstance(each, NumberExercise)]
CODE = [each for each in ALL if isinstance(each, CodeExercise)]
STUDENTS = ["page", *(f"student {n}" for n in range(25))]
DOCS = Path(__file__).resolve().parents[2] / "docs" / "course"


def named(each):
    return each.number


def test_three_exercises_a_chapter_in_order():
    assert [each.number for each in ALL] == [
        f"{chapter}.{n}" for chapter in range(len(ALL) // 3) for n in (1, 2, 3)
    ]


@pytest.mark.parametrize("each", ALL, ids=named)
def test_a_page_shows_each_exercise_once(each):
    pages = "".join(path.read_text(encoding="utf-8") for path in sorted(DOCS.glob("*.md")))
    assert pages.count("```{exercise} " + each.number + "\n") == 1


@pytest.mark.parametrize("each", NUMBERS, ids=named)
@pytest.mark.parametrize("student", STUDENTS)
def test_the_right_numbers_pass(each, student):
    given = each.parameters(student)
    answer = list(each.answer(given))
    assert each.grade(answer, given).passed
    assert each.grade(np.array(answer), given).passed
    if len(answer) == 1:
        assert each.grade(answer[0], given).passed


@pytest.mark.parametrize("each", NUMBERS, ids=named)
@pytest.mark.parametrize("student", STUDENTS)
def test_each_misconception_gets_its_own_hint(each, student):
    given = each.parameters(student)
    known = each.known_mistakes(given)
    for mistake in known:
        verdict = each.grade(list(mistake.values), given)
        assert not verdict.passed
        assert verdict.message == f"Not yet. {mistake.hint}"
    assert len({mistake.hint for mistake in known}) == len(known)


@pytest.mark.parametrize("each", NUMBERS, ids=named)
def test_five_misconceptions_are_known(each):
    # For some students two misconceptions give one number; over all students each shows itself.
    hints = {m.hint for s in STUDENTS for m in each.known_mistakes(each.parameters(s))}
    assert len(hints) >= 5


@pytest.mark.parametrize("each", NUMBERS, ids=named)
def test_another_wrong_answer_is_wrong(each):
    given = each.parameters()
    far = [value + 1234.5 for value in each.answer(given)]
    assert each.grade(far, given).message.startswith("Not yet.")


@pytest.mark.parametrize("each", CODE, ids=named)
@pytest.mark.parametrize("student", STUDENTS[:5])
def test_the_model_solution_passes(each, student):
    given = each.parameters(student)
    verdict = each.grade(each.model(given), given)
    assert verdict.passed, verdict.message


@pytest.mark.parametrize("each", CODE, ids=named)
@pytest.mark.parametrize("student", STUDENTS[:5])
def test_each_planted_fault_gets_its_own_hint(each, student):
    given = each.parameters(student)
    planted = each.planted(given)
    assert len(planted) >= 5
    said = {}
    for beginning, answer in planted.items():
        verdict = each.grade(answer, given)
        assert not verdict.passed
        assert verdict.message.startswith(f"Not yet. {beginning}"), verdict.message
        said[verdict.message] = beginning
    assert len(said) == len(planted)


@pytest.mark.parametrize("each", ALL, ids=named)
def test_students_differ_and_one_student_does_not(each):
    assert repr(each.parameters("Ada ")) == repr(each.parameters("ada"))
    assert len({repr(each.parameters(student)) for student in STUDENTS}) >= 4


@pytest.mark.parametrize("each", ALL, ids=named)
def test_the_words_are_there(each):
    for student in STUDENTS[:3]:
        given = each.parameters(student)
        assert len(each.ask(given)) > 40
        assert len(each.solve(given)) > 20


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("-9.03", "'-9.03' is not a number"),
        (None, "None is not a number"),
        (True, "True is not a number"),
        (float("nan"), "nan is not a finite number"),
        (10**400, "too large"),
        ([], "you gave 0 numbers"),
        ([1, 2, 3], "asks for 1 number in Hz, and you gave 3 numbers"),
        (np.zeros((2, 2)), "an array of shape (2, 2) is no list of numbers"),
        ([[1.0]], "[1.0] is not a number"),
        (1j, "1j is not a number"),
    ],
)
def test_what_is_no_answer_is_refused_in_a_sentence(answer, words):
    found = exercise("0.2")
    verdict = found.grade(answer, found.parameters())
    assert verdict.refused
    assert not verdict.passed
    assert words in verdict.message


def test_a_number_in_the_wrong_place_is_named():
    found = exercise("0.3")
    given = found.parameters()
    spacing, layer = found.answer(given)
    assert "Look at number 1." in found.grade([spacing + 1000, layer], given).message
    assert "close" in found.grade([spacing + 0.1, layer], given).message


def test_unknown_exercises_and_names():
    with pytest.raises(ArgumentError, match="there is no such exercise"):
        exercise("99.1")
    with pytest.raises(ArgumentTypeError):
        exercise(2.1)
    with pytest.raises(ArgumentTypeError):
        exercise("0.1").parameters(7)
    with pytest.raises(ArgumentError, match="too long"):
        exercise("0.1").parameters("x" * 1000)
