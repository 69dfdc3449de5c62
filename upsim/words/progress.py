"""How long work says how far it is: a callback, since the library itself never prints."""

from __future__ import annotations

from collections.abc import Callable

#: Called with the part of the work that is done, 0 to 1, and what comes next.
Progress = Callable[[float, str], None]


def silent(done: float, text: str) -> None:
    """Tell nobody."""
