"""Errors that say what is wrong, what was given, what is expected, and what to type instead.

Every error of upsim is an :class:`UpsimError` and also the built-in exception that a caller would
guess, so ``except ValueError`` keeps working.  The inner ring raises with the fact; an outer ring
that knows more (the layer's place in a stack, the file that was read) adds it with
:meth:`UpsimError.at`.
"""

from __future__ import annotations

from typing import Self


class UpsimError(Exception):
    """Base of all errors of upsim.

    Parameters
    ----------
    what : str
        The rule that was broken, as a sentence without its full stop.
    given, expected, fix, where : str, optional
        What came in, what would be right, something to type, and the place.

    Examples
    --------
    >>> print(UpsimError("stride must be positive", given="stride=0", fix="stride=1"))
    stride must be positive. given: stride=0. fix: stride=1
    """

    def __init__(
        self, what: str, *, given: str = "", expected: str = "", fix: str = "", where: str = ""
    ) -> None:
        self.what = what
        self.given = given
        self.expected = expected
        self.fix = fix
        self.where = where
        super().__init__(what)

    def at(self, where: str) -> Self:
        """Return the same error with its place added; the innermost place stays first."""
        place = f"{self.where}, {where}" if self.where else where
        return type(self)(
            self.what, given=self.given, expected=self.expected, fix=self.fix, where=place
        )

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only fields would be lost by the default pickling of exceptions, and a worker
        # of a parallel sweep must be able to send its error home whole.
        fields = (self.what, self.given, self.expected, self.fix, self.where)
        return (_rebuild, (type(self), *fields))

    def __str__(self) -> str:
        given = ", ".join(part for part in (self.given, self.where) if part)
        parts = [self.what]
        parts += [f"given: {given}"] if given else []
        parts += [f"expected: {self.expected}"] if self.expected else []
        parts += [f"fix: {self.fix}"] if self.fix else []
        return ". ".join(parts)


def _rebuild(
    kind: type[UpsimError], what: str, given: str, expected: str, fix: str, where: str
) -> UpsimError:
    return kind(what, given=given, expected=expected, fix=fix, where=where)


class ArgumentError(UpsimError, ValueError):
    """An argument of the right type has a value that means nothing."""


class ArgumentTypeError(UpsimError, TypeError):
    """An argument is of the wrong type."""


class ShapeError(UpsimError, ValueError):
    """An array, or a chain of layers, does not fit together."""


class NotPredictableError(UpsimError, NotImplementedError):
    """The question has no closed form here; the message names the ways out."""


class TooLargeError(UpsimError, MemoryError):
    """The answer would not fit in memory; refused before the memory is taken."""


class FileFormatError(UpsimError, ValueError):
    """A file is not what it should be."""


class OutputExistsError(UpsimError, FileExistsError):
    """Writing would overwrite a file of the user's."""


class UnknownNameError(UpsimError, LookupError):
    """A name that upsim does not know."""


class MissingDependencyError(UpsimError, ImportError):
    """An optional package is needed and not installed."""
