"""Good answers of random stacks pass; tampered ones fail, or the claim is named as not checked."""

from hypothesis import assume, given
from hypothesis import strategies as st

import upsim
from upsim.errors import UpsimError
from upsim.network.signals import Density
from upsim.testing.strategies import signals, stacks

from .test_tampered_answers import TAMPERINGS, halved, strongest


@st.composite
def answers(draw):
    """Return a prediction of any stack for any signal that it can be predicted for."""
    linear = draw(st.booleans())
    stack = draw(stacks(linear=linear))
    signal = draw(signals(channels=stack.in_channels, input_rate=stack.input_rate, random=linear))
    # The power of a band is judged in a test of its own.
    assume(not any(isinstance(term, Density) for term in signal.terms()))
    recorded = signal.recording(stack.in_channels, stack.input_rate) is not None
    try:
        return upsim.predict(stack, signal, frequencies=None if recorded else 17)
    except UpsimError:
        assume(False)


@given(answers())
def test_good_answers_do_not_fail(answer):
    report = upsim.verify(answer)
    assert report.verdict != "failed", report


@given(answers(), st.sampled_from(list(TAMPERINGS)))
def test_tampered_answers_fail_or_the_claim_is_named(answer, tampering):
    good = {check.name: check for check in upsim.verify(answer).checks}
    assume(answer.tones)
    # What rounding alone could have made is nobody's claim.
    change = float(abs(answer.tones[strongest(answer.tones)].amplitude).max()) / 4
    lines = good["lines"]
    assume(lines.tolerance is None or change > lines.tolerance)
    try:
        wrong = tampering(answer)
    except (StopIteration, IndexError, UpsimError):
        assume(False)
    assume(wrong is not None)
    report = upsim.verify(wrong)
    named = {check.name for check in report.not_checked}
    assert report.verdict == "failed" or named & TAMPERINGS[tampering], report
    if tampering is halved and lines.tolerance is not None:
        assert report.verdict == "failed", report
