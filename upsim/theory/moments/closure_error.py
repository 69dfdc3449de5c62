r"""The closure error: how far off the closure was for networks of this width and depth.

Behind the second activation signals are no longer Gaussian; sums of many terms are nearly so.  The
accuracy study (``bench/accuracy.py``, the page "How far to trust it") measured what is left.  With
n the terms of the narrowest sum in front of an activation and m the activations in a row, the
density's error in dB (root mean square over frequency) was, for the worst of the activations, about

.. math:: \text{given weights: } A \left(\frac{m - 1}{n}\right)^{3/4}, \quad
          \text{expectation: } B\, \frac{m - 1}{n^{3/4}}.

The forms are fitted, not derived; ``tests/theory/test_closure_error.py`` holds them against the
study's file.  They hold for networks like those of the study.  ``bench/closure_elsewhere.py``
measured others, among them the lines of channels that are taken as independent.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from upsim.operators import StretchFIR
from upsim.theory.moments.places import Activated, Filtered, Place

#: A and B, in dB.
GIVEN_WEIGHTS, EXPECTATION = 3.0, 5.0

#: Errors in dB outside of the study: the largest of densities and lines with few inputs or trained
#: weights, and root mean square and largest of lines of channels taken as independent.
ELSEWHERE, PER_CHANNEL = (2.8, 14), (4.5, 16)

#: Terms of the study's narrowest sums; below, the error is larger than said.
NARROWEST = 16

#: An error in dB below which nothing is said.
WORTH_SAYING = 0.25

#: Activations of the study's deepest networks.
DEEPEST = 6


@dataclass(frozen=True)
class StatedSize:
    """How far an answer says that it may be off, in dB; 0 where it is exact.

    Parameters
    ----------
    density : float
        Root mean square over frequencies.
    lines : float
        Of the power of each line.
    """

    density: float
    lines: float


def stated_size(place: Place) -> StatedSize | None:
    """Return what is stated at a place; None where it is no number of decibels."""
    if place.levelled:
        return None
    if place.per_channel:
        return StatedSize(0.0, PER_CHANNEL[1])
    return StatedSize(*ELSEWHERE) if place.activations > 1 else StatedSize(0.0, 0.0)


def closure_error(terms: float, activations: int) -> float:
    """Return the error in dB that the study had for a network of given weights.

    Examples
    --------
    >>> closure_error(16, 6) > closure_error(1024, 6)
    True
    >>> closure_error(16, 1)
    0.0
    """
    return float(GIVEN_WEIGHTS * (max(activations - 1, 0) / max(terms, NARROWEST)) ** 0.75)


def expectation_error(terms: float) -> float:
    """Return the error in dB for each activation after the first, in expectation over networks."""
    return float(EXPECTATION / max(terms, NARROWEST) ** 0.75)


def closure_note(place: Place) -> tuple[str, ...]:
    """Return what to say of the closure at a place: its size, and where that was found."""
    notes = []
    if place.plan.per_channel:
        typical, worst = PER_CHANNEL
        notes.append(
            f"closure error: lines of channels taken as independent were off by {typical:.1f} dB "
            f"(root mean square) and up to {worst:.0f} dB, measured on networks that nothing was "
            "fitted to"
        )
    elif place.activations > 1:
        terms = narrowest_sum(place)
        error = closure_error(terms, place.activations)
        least = "at least " if terms < NARROWEST or place.activations > DEEPEST else ""
        size = f"{least}about {error:.1f}" if error >= WORTH_SAYING else f"below {WORTH_SAYING}"
        density, lines = ELSEWHERE
        notes.append(
            f"closure error: {size} dB of the density in the accuracy study, where a sum before an "
            f"activation has {terms:.0f} term{'s' * (terms != 1)}; the study has random weights "
            "and as many inputs as channels. It does not hold for few inputs or trained weights: "
            f"there densities were off by up to {density} dB, and lines by up to {lines} dB"
        )
    return tuple(notes)


def expectation_note(terms: int | None) -> tuple[str, ...]:
    """Return what to say of the wide limit; ``terms`` of the narrowest sum, None without one."""
    if terms is None or (DEEPEST - 1) * expectation_error(terms) < WORTH_SAYING:
        return ()
    if terms == 1:
        skipped = (
            "closure error: a skip leads samples from one activation straight into the next, with "
            "no sum between them; no width makes such samples Gaussian, and the study has no such "
            "network"
        )
        return (skipped,)
    least = "at least " if terms < NARROWEST else ""
    note = (
        f"closure error: with sums of {terms} terms, the average over networks was off by {least}"
        f"about {expectation_error(terms):.1g} dB for each activation after the first in the "
        "accuracy study"
    )
    return (note,)


def narrowest_sum(place: Place) -> float:
    """Return the fewest terms in front of an activation that is not the first of its way."""
    # What one sample adds up since the last activation; the input is Gaussian.
    terms: dict[Place, float] = {}
    narrowest = inf
    for each in sorted((place, *place.ancestors), key=lambda each: each.depth):
        before = min((terms[one] for one in each.parents if one.activations), default=inf)
        if isinstance(each, Activated):
            narrowest = min(narrowest, before)
            terms[each] = 1
        elif isinstance(each, Filtered) and each.activations:
            operator = each.operator
            # A stretch leaves each output sample one tap in ``up``.
            shared = operator.up if isinstance(operator, StretchFIR) else 1
            terms[each] = max(before, operator.terms // shared)
        else:
            terms[each] = before
    return narrowest
