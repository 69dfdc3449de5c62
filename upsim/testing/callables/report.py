"""All laws run over a callable, and one report of those that it breaks."""

from __future__ import annotations

from upsim.testing.callables.broken import BrokenLawError
from upsim.testing.callables.faults import fault_of
from upsim.testing.callables.laws import CALLABLE_LAWS, CallableLaw
from upsim.testing.callables.subject import Subject


def laws_of(subject: Subject) -> tuple[CallableLaw, ...]:
    """Return the laws that speak of a callable, in the order in which they are checked."""
    return tuple(law for law in CALLABLE_LAWS.values() if law.condition(subject))


def broken_laws(subject: Subject) -> tuple[dict[str, str], list[str]]:
    """Return what was found, by the law that it breaks, and the laws that could not be checked."""
    found: dict[str, str] = {}
    unchecked: list[str] = []
    for law in laws_of(subject):
        if (found and subject.over is not None) or set(law.needs) & (found.keys() | set(unchecked)):
            unchecked.append(law.name)
            continue
        try:
            law.check(subject)
        except BrokenLawError as error:
            found.setdefault(error.law, error.what)
            if error.law != law.name:
                unchecked.append(law.name)
    return found, [name for name in unchecked if name not in found]


def check_callable(subject: Subject) -> None:
    """Run every law; raise one AssertionError that lists those that are broken, and the fault."""
    found, unchecked = broken_laws(subject)
    if found:
        raise AssertionError(report(subject, found, unchecked))


def report(subject: Subject, found: dict[str, str], unchecked: list[str]) -> str:
    """Return the report of broken laws."""
    laws = laws_of(subject)
    asked = f"factor {subject.factor}, {subject.channels} channels in"
    run = f"{subject.framework.name}, axes: {subject.layout}"
    lines = [f"{subject.called} breaks {len(found)} of {len(laws)} laws ({asked}; {run}):"]
    hint = subject.framework.hint
    for name, what in found.items():
        law = CALLABLE_LAWS[name]
        lines.append(f"  {name}: {what}")
        if hint is not None and name in ("two_calls", "no_state", "batch_independence"):
            said = hint(subject.function)
            lines += [f"    {said}"] if said else []
        lines.append(f"    law: {law.statement}\n    formula: {law.formula}")
    if unchecked:
        lines.append(f"  not checked, because they need these: {', '.join(unchecked)}")
    fault = fault_of(subject) if not {"runs", "two_calls", "no_state"} & found.keys() else None
    lines += ["  " + line for line in str(fault).splitlines()] if fault is not None else []
    return "\n".join(lines)
