r"""How far off the closed forms were for networks as narrow as this one.

Behind the second activation signals are no longer Gaussian; sums of many terms are nearly so.  The
accuracy study (``bench/accuracy.py``, the page "How far to trust it") measured what is left.  With
n the terms of the narrowest sum in front of an activation and m the activations in a row, the
density's error in dB (root mean square over frequency) was, for the worst of the activations, about

.. math:: \text{given weights: } A \left(\frac{m - 1}{n}\right)^{3/4}, \quad
          \text{channels taken as independent: } \frac{C}{\sqrt n}, \quad
          \text{expectation: } B\, \frac{m - 1}{n^{3/4}}.

The forms are fitted, not derived; ``tests/theory/test_narrow.py`` holds them against the study's
file.
"""

from __future__ import annotations

from math import inf

from upsim.operators import StretchFIR
from upsim.theory.moments.places import Activated, Filtered, Place

#: A, C and B, in dB.
GIVEN_WEIGHTS, INDEPENDENT, EXPECTATION = 3.0, 10.0, 5.0

#: Terms of the study's narrowest sums; below, the error is larger than said.
NARROWEST = 16

#: An error in dB below which nothing is said.
WORTH_SAYING = 0.25

#: Activations of the study's deepest networks.
DEEPEST = 6


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


def independent_error(terms: float) -> float:
    """Return the error in dB where channels are taken as independent."""
    return float(INDEPENDENT / max(terms, NARROWEST) ** 0.5)


def expectation_error(terms: float) -> float:
    """Return the error in dB for each activation after the first, in expectation over networks."""
    return float(EXPECTATION / max(terms, NARROWEST) ** 0.75)


def closure_note(place: Place) -> tuple[str, ...]:
    """Return what to say of the closure at a place: nothing if it is wide for its depth."""
    terms, how = narrowest_sum(place), "before an activation"
    error = closure_error(terms, place.activations)
    if place.plan.apart:
        # Here the sums behind the last activation count as well: they add what is correlated.
        last = inf if isinstance(place, Activated) else _terms(place)
        terms, how = min(terms, last), "of channels taken as independent"
        error = independent_error(terms)
    if error < WORTH_SAYING:
        return ()
    least = "at least " if terms < NARROWEST or place.activations > DEEPEST else ""
    note = (
        f"narrow: a sum {how} has only {terms:.0f} term{'s' * (terms != 1)}; densities of such "
        f"networks were off by {least}about {error:.1f} dB in the accuracy study"
    )
    return (note,)


def expectation_note(terms: int | None) -> tuple[str, ...]:
    """Return what to say of the wide limit; ``terms`` of the narrowest sum, None without one."""
    if terms is None or (DEEPEST - 1) * expectation_error(terms) < WORTH_SAYING:
        return ()
    if terms == 1:
        skipped = (
            "narrow: a skip leads samples from one activation straight into the next, with no sum "
            "between them; no width makes such samples Gaussian, and the study has no such network"
        )
        return (skipped,)
    least = "at least " if terms < NARROWEST else ""
    note = (
        f"narrow: with sums of {terms} terms, the average over networks was off by {least}about "
        f"{expectation_error(terms):.1g} dB for each activation after the first in the accuracy "
        "study"
    )
    return (note,)


def narrowest_sum(place: Place) -> float:
    """Return the fewest terms in front of an activation that is not the first of its way."""
    return min(
        (
            _terms(each.parents[0])
            for each in (place, *place.ancestors)
            if isinstance(each, Activated)
        ),
        default=inf,
    )


def _terms(place: Place) -> float:
    """Return the terms that one sample adds up since the last activation; the input is Gaussian."""
    if not place.activations:
        return inf
    if isinstance(place, Activated):
        return 1
    terms = min(_terms(parent) for parent in place.parents if parent.activations)
    if not isinstance(place, Filtered):
        return terms
    operator = place.operator
    # A stretch leaves each output sample one tap in ``up``.
    apart = operator.up if isinstance(operator, StretchFIR) else 1
    return max(terms, operator.terms // apart)
