"""How long work says how far it is: a callback, since the library itself never prints."""

from __future__ import annotations

from collections.abc import Callable

from upsim.errors import ArgumentTypeError
from upsim.words.arguments import shown

#: Called with the part of the work that is done, 0 to 1, and what comes next.
Progress = Callable[[float, str], None]


def told(progress: object) -> Progress:
    """Return the callback, :func:`silent` for None, or refuse what cannot be called."""
    if progress is None:
        return silent
    if not callable(progress):
        raise ArgumentTypeError(
            "progress must be a function",
            given=f"progress={shown(progress)}",
            expected="a function of the part that is done and a text",
            fix="progress=print",
        )
    return progress


def silent(done: float, text: str) -> None:
    """Report nothing."""
