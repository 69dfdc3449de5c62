"""What a callable did against a law, as the report says it."""

from __future__ import annotations


class BrokenLawError(AssertionError):
    """A callable breaks a law.

    Parameters
    ----------
    law : str
        The law's name.
    what : str
        What was called with what, what came back, and what should have.
    ends : bool
        Whether nothing more can be learned from the callable: it did not return.
    """

    def __init__(self, law: str, what: str, *, ends: bool = False) -> None:
        self.law = law
        self.what = what
        self.ends = ends
        super().__init__(what)
