"""Run the cells of a page: one namespace a page, what is printed kept, the last value returned."""

import ast
import contextlib
import io
from dataclasses import dataclass

import numpy as np

import upsim
from coursework import charts, drawings, sounds


@dataclass(frozen=True)
class Outcome:
    """What a cell printed, and the value of its last line, None if that is no expression."""

    printed: str
    value: object


def db(power):
    """Return a power in decibels; a power of 1 is 0 dB."""
    return 10 * np.log10(power)


class Page:
    """The names that a page's cells share.

    A reader sees what cells import.  ``drawings``, ``charts``, ``sounds``, ``upsim``, ``np`` and
    ``db`` are there from the start, for pictures, sounds and the numbers in the text.
    """

    def __init__(self, name):
        self.name = name
        self.names = {
            "__name__": name, "charts": charts, "db": db, "drawings": drawings, "np": np,
            "sounds": sounds, "upsim": upsim,
        }  # fmt: skip

    def run(self, code, place="cell"):
        r"""Run one cell.

        Examples
        --------
        >>> page = Page("a page")
        >>> page.run("x = 2")
        Outcome(printed='', value=None)
        >>> page.run("print(x); x + 1")
        Outcome(printed='2\n', value=3)
        """
        tree = ast.parse(code, filename=place)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(tree, place, "exec"), self.names)
            value = (
                eval(compile(ast.Expression(last.value), place, "eval"), self.names)
                if last
                else None
            )
        return Outcome(printed.getvalue(), value)

    def text(self, written, place="text"):
        """Return a piece of text whose braces hold expressions, with a true minus sign.

        Examples
        --------
        >>> Page("a page").text("{-9.0309:.2f} dB")
        '−9.03 dB'
        """
        said = eval(compile(f"f{written!r}", place, "eval"), self.names)
        return said.replace("-", "−")
