"""What a verification says: one line a comparison, and whether rounding explains it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from upsim.show.tables import text_table


@dataclass(frozen=True)
class Check:
    """One comparison.

    Parameters
    ----------
    name : str
    about : str
        What was compared with what.
    error : float
        Largest difference.
    tolerance : float
        What rounding can explain.
    """

    name: str
    about: str
    error: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether rounding explains the difference."""
        return bool(self.error <= self.tolerance)


@dataclass(frozen=True)
class Verification:
    """The comparison of a prediction with the witness.

    Parameters
    ----------
    summary : str
    witness : str
        What was run, in which precision.
    checks : tuple of Check
    skipped : tuple of str
        What could not be checked, each with its reason.
    """

    summary: str
    witness: str
    checks: tuple[Check, ...]
    skipped: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every check passed, and there was one."""
        return bool(self.checks) and all(check.passed for check in self.checks)

    def __str__(self) -> str:
        rows = [
            [
                "ok" if check.passed else "MISMATCH",
                check.name,
                f"{check.error:.2e}",
                f"{check.tolerance:.2e}",
                check.about,
            ]
            for check in self.checks
        ]
        lines = [f"{self.summary}; witness: {self.witness}"]
        lines.append(text_table(["", "check", "error", "tolerance", "compared"], rows))
        lines += [f"skipped: {reason}" for reason in self.skipped]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "format": "upsim-verification",
            "version": 1,
            "summary": self.summary,
            "witness": self.witness,
            "passed": self.passed,
            "checks": [
                {
                    "name": check.name,
                    "about": check.about,
                    "error": check.error,
                    "tolerance": check.tolerance,
                    "passed": check.passed,
                }
                for check in self.checks
            ],
            "skipped": list(self.skipped),
        }
