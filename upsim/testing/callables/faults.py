"""What is wrong with a callable, by name: the known layer that it is, but for one fault."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from upsim.errors import UpsimError
from upsim.layers.base import LinearLayer
from upsim.operators.operator import Real
from upsim.testing.callables.broken import BrokenLawError
from upsim.testing.callables.frameworks import owner
from upsim.testing.callables.reference import run_reference
from upsim.testing.callables.subject import Subject
from upsim.testing.callables.variants import (
    RESHAPES,
    Run,
    Variant,
    known_layers,
    reshape_variant,
    shuffled,
    variants,
)
from upsim.words.arguments import shown

#: Input lengths that an example is looked for in.
_LONGEST_EXAMPLE = 24

#: Lines of the callable's source that are named.
_MOST_LINES = 3


@dataclass(frozen=True)
class Fault:
    """What separates a callable from the layer that it is nearest to.

    Parameters
    ----------
    name : str
    says : str
    nearest : str
        The layer.
    example : str
        The smallest input, what comes out and what should.
    line : str
        What to write.
    places : tuple of str
        Lines of the callable's source that it may be, with their places.
    """

    name: str
    says: str
    nearest: str
    example: str
    line: str
    places: tuple[str, ...] = ()

    def __str__(self) -> str:
        near = f" (nearest known layer: {self.nearest})" if self.nearest else ""
        parts = [f"fault: {self.name}{near}", f"  {self.says}"]
        parts += [f"  example: {self.example}"] if self.example else []
        parts += [f"  {place}" for place in self.places]
        parts += [f"  write: {self.line}"] if self.line else []
        return "\n".join(parts)


def fault_of(subject: Subject) -> Fault | None:
    """Return the fault of a callable that breaks a law, None where none is known."""
    try:
        return _fault_of(subject)
    except (BrokenLawError, UpsimError):
        return None


def _fault_of(subject: Subject) -> Fault | None:
    if subject.like is not None:
        itself = Variant("", "", "", (), _as_run(subject))
        if _agrees(subject, itself, _tries(subject)):
            return None
        if isinstance(subject.like, LinearLayer):
            found = _first_that_agrees(subject, variants(subject.like, subject.channels))
            found = found or _phases_moved(subject, subject.like)
            if found is not None:
                return _named(subject, found, _as_run(subject))
        return _offset_fault(subject) or _nearest(subject, [subject.like])
    if subject.down > 1:
        return None
    repaired = _unshuffled(subject)
    if repaired is not None:
        variant, right = repaired
        return _named(subject, variant, right)
    known = known_layers(subject.up, subject.channels, subject.out_channels)
    every = (each for layer in known for each in variants(layer, subject.channels))
    found = _first_that_agrees(subject, every)
    if found is not None and isinstance(found.of, LinearLayer):
        own = replace(subject, like=found.of)
        return _named(own, found, _as_run(own))
    return _nearest(subject, known)


def _as_run(subject: Subject) -> Run:
    like = subject.like
    assert like is not None

    def run(samples: Real) -> Real:
        made = run_reference(like, samples)
        if made is None:
            raise BrokenLawError("equals", "too short")
        return made

    return run


# --- which variant it is


def _tries(subject: Subject) -> list[tuple[Real, Real]]:
    """Return inputs with what the callable makes of them."""
    blocks = -(-subject.least // subject.down)
    found: list[tuple[Real, Real]] = []
    for size in (blocks, blocks + 1, 2 * blocks + 9):
        count = size * subject.down
        inputs = (np.zeros((subject.channels, count)), *subject.probes(count, 2))
        found += [(samples, subject.run(samples[None])[0]) for samples in inputs]
    return found


def _agrees(subject: Subject, variant: Variant, tries: list[tuple[Real, Real]]) -> bool:
    compared = False
    for samples, made in reversed(tries):
        try:
            other = variant.run(samples)
        except (UpsimError, ValueError):
            continue  # too short an input
        if other.shape != made.shape:
            return False
        scale = float(np.abs(made).max(initial=0.0) + np.abs(other).max(initial=0.0))
        within = subject.margin(scale + float(np.abs(samples).max()), samples.size)
        if not np.all(np.abs(other - made) <= within):
            return False
        compared = compared or bool(samples.any())
    return compared


def _first_that_agrees(subject: Subject, every: Iterator[Variant]) -> Variant | None:
    tries = _tries(subject)
    return next((each for each in every if _agrees(subject, each, tries)), None)


def _unshuffled(subject: Subject) -> tuple[Variant, Run] | None:
    """Return the reshape that, undone and shuffled instead, makes the callable periodic."""
    factor = subject.up
    count = max(12, 2 * subject.least)
    if factor == 1 or subject.offset(count).shape[1] != count * factor:
        return None
    inputs = np.zeros((3, subject.channels, count))
    inputs[1, :, count // 2] = inputs[2, :, count // 2 + 1] = np.arange(1.0, subject.channels + 1)
    silence, first, later = subject.run(inputs)
    within = subject.margin(4 * float(np.abs(inputs).max() + np.abs(first).max()), inputs.size)
    if _moves(first - silence, later - silence, factor, within):
        return None
    for says, (_, undo) in RESHAPES.items():

        def mended(made: Real, undo: Any = undo) -> Real:
            return shuffled(undo(made, factor), factor)

        if _moves(mended(first) - mended(silence), mended(later) - mended(silence), factor, within):

            def right(samples: Real, mended: Any = mended) -> Real:
                return np.asarray(mended(subject.run(samples[None])[0]))

            return reshape_variant(says, factor, right), right
    return None


def _moves(first: Real, later: Real, factor: int, within: float) -> bool:
    apart = np.abs(later[:, factor:] - first[:, :-factor])
    return bool(np.any(np.abs(first) > within) and np.all(apart <= within))


def _phases_moved(subject: Subject, layer: LinearLayer) -> Variant | None:
    """Return the fault of phases that have each other's weights."""
    factor = subject.up
    samples, made = _tries(subject)[-1]
    right = run_reference(layer, samples)
    if right is None or right.shape != made.shape or made.shape[1] % factor or factor == 1:
        return None
    own, theirs = (each.reshape(len(each), -1, factor) for each in (made, right))
    scale = float(np.abs(made).max() + np.abs(right).max() + np.abs(samples).max())
    within = subject.margin(scale, samples.size)
    order = []
    for phase in range(factor):
        alike = [
            other
            for other in range(factor)
            if np.all(np.abs(own[:, :, phase] - theirs[:, :, other]) <= within)
        ]
        order += alike[:1]
    if sorted(order) != list(range(factor)) or order == sorted(order):
        return None

    def run(given: Real) -> Real:
        whole = run_reference(layer, given)
        assert whole is not None
        return whole.reshape(len(whole), -1, factor)[:, :, order].reshape(len(whole), -1)

    return Variant(
        "weights of another phase",
        f"phases 0 to {factor - 1} have the weights of phases {', '.join(map(str, order))}",
        f"weights of phase i in row c L + i, i = 0 ... {factor - 1}",
        ("weight", "roll", "flip", "reshape", "stack", "[", "shuffle"),
        run,
        layer,
    )


def _offset_fault(subject: Subject) -> Fault | None:
    """Return the fault of a bias, where the rest agrees."""
    tries = _tries(subject)
    silence = {made.shape: made for samples, made in tries if not samples.any()}
    for samples, made in tries:
        right = run_reference(subject.like, samples) if subject.like is not None else None
        if right is None:
            continue
        none = run_reference(subject.like, 0 * samples) if subject.like is not None else None
        if none is None or right.shape != made.shape:
            return None
        scale = float(np.abs(made).max() + np.abs(right).max() + np.abs(samples).max())
        apart = np.abs((made - silence[made.shape]) - (right - none))
        if not np.all(apart <= subject.margin(2 * scale, samples.size)):
            return None
    length = tries[-1][0].shape[1]
    own = subject.offset(length)
    right = _as_run(subject)(np.zeros((subject.channels, length)))
    within = subject.margin(float(np.abs(own).max() + np.abs(right).max()), 1)

    def even(offset: Real) -> bool:
        return bool(np.all(np.abs(offset - offset[:, :1]) <= within))

    words = ("bias", "+", "add")
    if np.all(np.abs(own - right) <= within):
        return None
    if not np.any(np.abs(own) > within):
        name, says, line = "bias forgotten", "silence leaves as silence", "y + bias"
    elif np.all(np.abs(own - 2 * right) <= 2 * within):
        name, says, line = "bias added twice", "silence leaves as twice the bias", "add it once"
    elif even(own) and not even(right):
        name = "bias after the shuffle"
        says = (
            "silence leaves as a constant: one bias a channel, added after the shuffle; expected "
            f"one for each of the {subject.up} phases, added before, which repeats with period "
            f"{subject.up}"
        )
        line = "conv(x) + bias[:, None], then the shuffle; bias of C L numbers"
    elif even(right) and not even(own):
        name = "bias before the shuffle"
        says = (
            f"silence leaves with period {subject.up}: a bias for each phase, added before the "
            "shuffle; expected one a channel, added after"
        )
        line = "shuffle(conv(x)) + bias[:, None], bias of C numbers"
    else:
        name, says, line = "another bias", "silence leaves as another offset", "the layer's bias"
    variant = Variant(name, says, line, words, _as_run(subject))
    return _named(subject, variant, _as_run(subject))


def _nearest(subject: Subject, layers: Any) -> Fault | None:
    """Return the layer with the nearest answer, and how far it is."""
    samples, made = _tries(subject)[-1]
    best: tuple[float, str, str, Any] | None = None
    for layer in layers:
        every: list[tuple[str, str, Any]] = [("", "", functools.partial(run_reference, layer))]
        if isinstance(layer, LinearLayer):
            known = variants(layer, subject.channels)
            every += [(each.fault, each.says, each.run) for each in known]
        for name, says, run in every:
            try:
                other = run(samples)
            except (UpsimError, ValueError):
                continue
            if other is None or other.shape != made.shape or not np.any(made):
                continue
            apart = float(np.linalg.norm(other - made) / np.linalg.norm(made))
            if best is None or apart < best[0]:
                best = (apart, name, says, layer)
    if best is None:
        return None
    apart, name, says, layer = best
    but = f" with the fault {name!r} ({says})" if name else ""
    return Fault(
        "not known",
        f"nearest is {shown(layer)}{but}, {apart:.2g} of the output apart: more than one fault, or "
        "another layer",
        shown(layer),
        "",
        "",
    )


# --- how it is said


def _named(subject: Subject, variant: Variant, right: Run) -> Fault:
    near = shown(variant.of) if variant.of is not None else ""
    line = variant.line
    if subject.layout == "batch time channels" and variant.fault == "plain reshape":
        line = "y.reshape(b, n, c, L).swapaxes(2, 3).reshape(b, n * L, c)"
    return Fault(
        variant.fault,
        variant.says,
        near,
        _example(subject, right),
        line,
        tuple(source_lines(subject.function, variant.words)),
    )


def _example(subject: Subject, right: Run) -> str:
    """Return the smallest input on which the callable and the right answer differ."""
    for count in range(subject.least, subject.least + _LONGEST_EXAMPLE):
        inputs: list[tuple[str, Real]] = [("", np.zeros((subject.channels, count)))]
        for channel in range(min(subject.channels, 8)):
            for place in range(count):
                samples = np.zeros((subject.channels, count))
                samples[channel, place] = 1.0
                inputs.append((f"; x[{channel}, {place}] = 1", samples))
        for said, samples in inputs:
            try:
                expected = right(samples)
            except (UpsimError, BrokenLawError):
                continue
            made = subject.run(samples[None])[0]
            scale = float(np.abs(made).max(initial=0) + np.abs(expected).max(initial=0)) + 1
            if made.shape != expected.shape or np.any(
                np.abs(made - expected) > subject.margin(scale, samples.size)
            ):
                return (
                    f"x = zeros(({subject.channels}, {count})){said} (channels, time) gives "
                    f"{_numbers(made)}, right: {_numbers(expected)}"
                )
    return ""


def _numbers(samples: Real) -> str:
    """Return a few samples as text, channels in brackets."""
    rows = []
    for row in samples[:4] + 0.0:
        text = " ".join(f"{value:.4g}" for value in row[:12])
        rows.append(f"[{text}]" if row.size <= 12 else f"[{text} ...]")
    return " ".join(rows) + ("" if len(samples) <= 4 else " ...")


def source_lines(function: Any, words: tuple[str, ...]) -> Iterator[str]:
    """Yield the lines of a callable's source that mention a word, the last first, with places."""
    own = owner(function)
    for name in ("forward", "call", "__call__"):
        if not inspect.isroutine(own) and hasattr(type(own), name):
            own = getattr(type(own), name)
            break
    own = inspect.unwrap(own) if callable(own) else own
    try:
        lines, start = inspect.getsourcelines(own)
        file = Path(inspect.getsourcefile(own) or "").name
    except (OSError, TypeError, ValueError):
        return
    if str(getattr(own, "__module__", "")).partition(".")[0] in ("torch", "keras", "jax"):
        return
    hits = [
        (start + number, line.strip())
        for number, line in enumerate(lines)
        if any(word in line for word in words)
        and not line.strip().startswith(("#", "def ", "@", '"""', "class "))
    ]
    for number, line in hits[::-1][:_MOST_LINES]:
        yield f"line {max(1, number)} of {file}: {line[:100]}"
