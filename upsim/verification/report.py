"""What a verification says: each claim of a prediction with its verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from upsim.show.tables import text_table

Verdict = Literal["passed", "failed", "not checked"]

_SHOWN: dict[Verdict, str] = {"passed": "ok", "failed": "MISMATCH", "not checked": "not checked"}


@dataclass(frozen=True)
class Check:
    """One claim and its verdict.

    Parameters
    ----------
    name : str
    about : str
        What was compared with what.
    error : float or None
        Largest difference; None where nothing was compared.
    tolerance : float or None
        What rounding can explain.
    reason : str
        Why the claim was not checked; "" if it was.
    """

    name: str
    about: str
    error: float | None = None
    tolerance: float | None = None
    reason: str = ""

    @property
    def verdict(self) -> Verdict:
        """The word "passed", "failed" or "not checked"."""
        if self.error is None or self.tolerance is None:
            return "not checked"
        return "passed" if self.error <= self.tolerance else "failed"

    @property
    def passed(self) -> bool:
        """Whether the claim was compared and rounding explains the difference."""
        return self.verdict == "passed"

    @classmethod
    def worst(cls, name: str, about: str, error: ArrayLike, tolerance: ArrayLike) -> Check:
        """Return the check of many numbers: the one that exceeds its tolerance the most."""
        errors, bounds = np.broadcast_arrays(
            np.asarray(error, dtype=np.float64), np.asarray(tolerance, dtype=np.float64)
        )
        if not errors.size:
            return cls(name, about, 0.0, 0.0)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            excess = np.where(errors == 0, 0.0, errors / bounds)
        # A difference that is no number is the worst of all: argmax finds it first.
        place = int(np.argmax(excess))
        return cls(name, about, float(errors.flat[place]), float(bounds.flat[place]))

    @classmethod
    def wrong(cls, name: str, about: str) -> Check:
        """Return the failed check of a claim that no tolerance can save."""
        return cls(name, about, float("inf"), 0.0)

    @classmethod
    def skipped(cls, name: str, reason: str) -> Check:
        """Return a claim that was not checked."""
        return cls(name, "not checked", reason=reason)


@dataclass(frozen=True)
class Verification:
    """The judgement of a prediction by the witness.

    Parameters
    ----------
    summary : str
    witness : str
        What was run, in which precision.
    checks : tuple of Check
        One or more for each claim; what could not be checked is among them.
    """

    summary: str
    witness: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether something was compared with the witness, and nothing failed."""
        verdicts = {check.verdict for check in self.checks}
        return "passed" in verdicts and "failed" not in verdicts

    @property
    def complete(self) -> bool:
        """Whether every claim was checked."""
        return bool(self.checks) and all(check.verdict != "not checked" for check in self.checks)

    @property
    def verdict(self) -> Verdict:
        """The verdict on the whole: "failed" if a claim failed, "passed" if some were compared."""
        if any(check.verdict == "failed" for check in self.checks):
            return "failed"
        return "passed" if self.passed else "not checked"

    @property
    def not_checked(self) -> tuple[Check, ...]:
        """The claims that could not be checked, each with its reason."""
        return tuple(check for check in self.checks if check.verdict == "not checked")

    @property
    def skipped(self) -> tuple[str, ...]:
        """The claims that could not be checked, as ``name: reason``."""
        return tuple(f"{check.name}: {check.reason}" for check in self.not_checked)

    def __str__(self) -> str:
        rows = [
            [
                _SHOWN[check.verdict],
                check.name,
                f"{check.error:.2e}",
                f"{check.tolerance:.2e}",
                check.about,
            ]
            for check in self.checks
            if check.error is not None
        ]
        lines = [f"{self.summary}; witness: {self.witness}"]
        if rows:
            lines.append(text_table(["", "check", "error", "tolerance", "compared"], rows))
        lines += [f"not checked: {reason}" for reason in self.skipped]
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
            "verdict": self.verdict,
            "passed": self.passed,
            "complete": self.complete,
            "checks": [
                {
                    "name": check.name,
                    "about": check.about,
                    "verdict": check.verdict,
                    "error": check.error,
                    "tolerance": check.tolerance,
                    "passed": check.passed,
                    "reason": check.reason,
                }
                for check in self.checks
            ],
            "skipped": list(self.skipped),
        }
