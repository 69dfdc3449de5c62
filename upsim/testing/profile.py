"""How much the laws of callables try: the profile of a run of tests.

``pytest --upsim-profile=thorough`` chooses it, or ``UPSIM_PROFILE`` in the environment.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from upsim.errors import ArgumentError
from upsim.words.arguments import finite_number, one_of, whole_number


@dataclass(frozen=True)
class Profile:
    """Random inputs that a law tries, and seconds that a callable's calls may take together."""

    seeds: int
    seconds: float


PROFILES = {
    "quick": Profile(1, 30.0),
    "standard": Profile(3, 60.0),
    "thorough": Profile(25, 600.0),
}

_chosen: list[str] = []


def choose_profile(name: str) -> None:
    """Choose the profile of this process.

    Examples
    --------
    >>> choose_profile("standard")
    """
    one_of(name, "profile", PROFILES)
    _chosen[:] = [name]


def profile() -> Profile:
    """Return the profile that was chosen; "standard" if none was."""
    name = _chosen[0] if _chosen else os.environ.get("UPSIM_PROFILE", "standard")
    one_of(name, "profile", PROFILES)
    return PROFILES[name]


def seconds_of(time_limit: float | None) -> float:
    """Return a time limit, the profile's if it is None."""
    if time_limit is None:
        return profile().seconds
    seconds = finite_number(time_limit, "time_limit")
    if seconds <= 0:
        raise ArgumentError(
            "time_limit must be positive", given=f"time_limit={seconds}", fix="time_limit=60"
        )
    return seconds


def seeds_of(seeds: int | None) -> int:
    """Return a number of random inputs, the profile's if it is None."""
    return profile().seeds if seeds is None else whole_number(seeds, "seeds", most=10_000)
