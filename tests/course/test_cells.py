"""Cells share names, keep what they print, and give their last value."""

import doctest

import coursework.cells
import pytest
from coursework.cells import Outcome, Page


def test_the_examples_of_the_module():
    assert doctest.testmod(coursework.cells).failed == 0


def test_cells_share_names():
    page = Page("one")
    page.run("x = 1")
    assert page.run("x + 1") == Outcome("", 2)
    with pytest.raises(NameError):
        Page("another").run("x")


def test_what_is_printed_is_kept():
    assert Page("one").run("for n in range(2):\n    print(n)") == Outcome("0\n1\n", None)


def test_an_error_names_the_place():
    with pytest.raises(SyntaxError) as error:
        Page("one").run("1 +", "course/00:12")
    assert error.value.filename == "course/00:12"


def test_numbers_in_text_have_a_true_minus():
    page = Page("one")
    page.run("p = 0.125")
    assert page.text("{db(p):.2f} dB and {db(1):.0f}") == "−9.03 dB and 0"
